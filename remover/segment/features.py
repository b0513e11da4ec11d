"""Deep features of a picture: EfficientNet-Lite0, trained on ImageNet, made dense.

The network is that of Tan and Le (ICML 2019) in its mobile form without squeeze and excitation.
Batch norms are folded into the convolutions. Block 5 does not stride and what follows it is
dilated instead, so that blocks 4, 7 and 10 all lie on a grid of 8 pixels; blocks 11 to 14 lie on
one of 16.
"""

import contextlib
from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from remover import tensorfile
from remover.segment.lite import ASSET, BLOCKS, UNDONE
from remover.segment.walk import Small

STRIDE = 8
"""Pixels of the input to a cell of the grid."""

TAPS = (4, 7, 10, 14)
"""Blocks whose outputs are the features."""

CHANNELS = (40, 80, 112, 192)
"""Channels of the taps."""

SIX = 0x40C0
"""The bits of 6 in bfloat16."""


class Lite0:
    """The network up to block 14, for use only."""

    def __init__(
        self, state: dict[str, Tensor], device: str = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        """Take folded weights by name: ``stem``, ``0.depthwise``, ``1.expand`` and so on."""
        self._device, self._dtype = torch.device(device), dtype
        self._state = {name: self._placed(tensor) for name, tensor in state.items()}

    def __call__(self, picture: Small, *, last: int = TAPS[-1]) -> list[Tensor]:
        """The taps (C, h, w) up to block ``last`` of a picture (H, W, 3), in single precision.

        Sides are multiples of 16. Taps lie on a grid of 8 pixels, the last on one of 16.
        """
        pixels = torch.from_numpy(np.ascontiguousarray(picture)).to(self._device)
        x = (pixels.permute(2, 0, 1)[None].float() - 127) / 128  # channels stay side by side
        with torch.inference_mode():
            return [tap[0].float() for tap in self.run(x, last=last)]

    def run(self, x: Tensor, *, last: int = TAPS[-1], dense: bool = True) -> list[Tensor]:
        """The taps of normalised pixels (B, 3, H, W), with the trained strides unless ``dense``."""
        x = _relu6(self._convolve("stem", x.to(self._dtype), stride=2))
        taps, dilation = [], 1
        for index, block in enumerate(BLOCKS[: last + 1]):
            stride = block.stride
            if dense and index == UNDONE:
                stride = 1
            x = self._block(index, x, stride, dilation)
            if dense and index == UNDONE:
                dilation = 2
            if index in TAPS:
                taps.append(x)
        return taps

    def _block(self, index: int, x: Tensor, stride: int, dilation: int) -> Tensor:
        block, y = BLOCKS[index], x
        if index:
            y = _relu6(self._convolve(f"{index}.expand", y))
        name = f"{index}.depthwise"
        y = _relu6(self._convolve(name, y, stride, dilation, groups=y.shape[1]))
        y = self._convolve(f"{index}.project", y)
        is_added = stride == block.stride == 1 and block.inputs == block.outputs
        return y.add_(x) if is_added else y

    def _convolve(
        self, name: str, x: Tensor, stride: int = 1, dilation: int = 1, *, groups: int = 1
    ) -> Tensor:
        """Convolve with TensorFlow's 'same' padding."""
        kernel = self._state[f"{name}.weight"]
        bias = self._state[f"{name}.bias"]
        reach = dilation * (kernel.shape[-1] - 1)
        pads = []
        for side in (x.shape[-1], x.shape[-2]):
            pad = max(0, (-(-side // stride) - 1) * stride + reach + 1 - side)
            pads += [pad // 2, pad - pad // 2]
        if pads[0] == pads[1] and pads[2] == pads[3]:
            padding = (pads[2], pads[0])
            return functional.conv2d(x, kernel, bias, stride, padding, dilation, groups)
        x = functional.pad(x, pads)
        return functional.conv2d(x, kernel, bias, stride, 0, dilation, groups)

    def _placed(self, tensor: Tensor) -> Tensor:
        """A weight as convolutions like it: a pixel's channels side by side, a third faster."""
        own = tensor.to(self._device, self._dtype)
        return own.contiguous(memory_format=torch.channels_last) if own.ndim == 4 else own


def _relu6(x: Tensor) -> Tensor:
    """In place: ``x`` is a convolution's own result."""
    if x.dtype == torch.bfloat16:
        # Its bits are ordered as integers are, which are six times as fast to clip.
        x.view(torch.int16).clamp_(0, SIX)
        return x
    return functional.hardtanh_(x, 0.0, 6.0)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute in one thread: layers are too small to be shared out, and a second one has work."""
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(count)


def fast_dtype() -> torch.dtype:
    """What the processor multiplies fastest: half the time in 16 bits where it has them natively.

    Other processors only imitate them, and older releases of PyTorch do not tell.
    """
    tell = getattr(torch.cpu, "get_capabilities", None)
    found = tell() if tell is not None else {}
    has_sixteen = any(found.get(name) for name in ("avx512_bf16", "amx_bf16"))
    return torch.bfloat16 if has_sixteen else torch.float32


@cache
def network(device: str = "cpu", dtype: torch.dtype = torch.float32) -> Lite0:
    """The network with the weights that come with the package."""
    return Lite0(tensorfile.asset(ASSET), device, dtype)


def dense(taps: list[Tensor]) -> Tensor:
    """Descriptors (h, w, D) on the grid of 8 pixels: each tap of length one, side by side."""
    return with_one(taps)[..., :-1]


def with_one(taps: list[Tensor]) -> Tensor:
    """Descriptors (h, w, D + 1) as of ``dense``, with a 1 at the end for the offset of a head."""
    height, width = taps[0].shape[-2:]
    depth = sum(tap.shape[0] for tap in taps)
    cells = taps[0].new_empty(height, width, depth + 1)
    cells[..., depth] = 1
    start = 0
    for tap in taps:
        if tap.shape[-2:] != (height, width):
            wide = functional.interpolate(
                tap[None], (height, width), mode="bilinear", align_corners=False
            )
            tap = wide[0]
        rows = tap.permute(1, 2, 0)
        length = torch.linalg.vector_norm(rows, dim=2, keepdim=True).clamp_(min=1e-12)
        torch.div(rows, length, out=cells[..., start : start + tap.shape[0]])
        start += tap.shape[0]
    return cells
