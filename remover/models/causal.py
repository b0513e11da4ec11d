"""Layers that read a video from its beginning, a few frames at a time.

What a layer remembers of earlier frames lies in a :class:`Cache` that the caller keeps, so that a
network may be in the middle of several videos at once.

Legend: ``B T H W`` batch, frames and pixels, ``C`` channels in, ``O`` channels out. Features are
(B, T, H, W, C): a pixel's channels lie side by side, which GPUs' and our own convolutions like.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from remover.models import winograd
from remover.models.config import WINOGRAD_CHANNELS


@dataclass
class Cache:
    """What layers keep between the pieces of one video; nothing of it grows with the video."""

    past: dict[nn.Module, Tensor] = field(default_factory=dict, repr=False)
    """The last frames that went into a layer, (B, 1 or 2, H, W, C)."""
    kernels: dict[nn.Module, Tensor] = field(default_factory=dict, repr=False)
    """Transformed taps; may be shared between videos, and is four times the size of the taps."""

    @property
    def bytes(self) -> int:
        """Memory of the past frames; the taps are not counted."""
        return sum(past.nbytes for past in self.past.values())


class RmsNorm(nn.Module):
    """Each pixel's channels over their root mean square; normed in float32, scaled as they come.

    Args:
        num_channels: C.
        num_axes: Trailing axes of size 1 that the release's factors have.
    """

    def __init__(self, num_channels: int, num_axes: int = 3) -> None:
        """Build the layers at random."""
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(num_channels, *(1,) * num_axes))

    def forward(self, features_BTHWC: Tensor) -> Tensor:
        """The normed features, same shape and type."""
        given = features_BTHWC
        wide = given if given.dtype == torch.float64 else given.float()
        length = torch.linalg.vector_norm(wide, dim=-1, keepdim=True).clamp_min(1e-12)
        normed = (wide / length if wide is given else wide.div_(length)).to(given.dtype)
        return normed.mul_(float(given.shape[-1] ** 0.5)).mul_(self.gamma.flatten())


class CausalConv3d(nn.Conv3d):
    """A convolution that sees the present and earlier frames; before the first there are zeros.

    Args:
        num_in: C.
        num_out: O.
        size: Taps in time, height and width, all odd.
    """

    def __init__(self, num_in: int, num_out: int, size: tuple[int, int, int] = (3, 3, 3)) -> None:
        """Build the layers at random."""
        super().__init__(num_in, num_out, size, padding=(0, size[1] // 2, size[2] // 2))

    def forward(  # type: ignore[override]  # takes more than its base
        self,
        features_BTHWC: Tensor,
        cache: Cache,
        norm: RmsNorm | None = None,
        addend_BTHWO: Tensor | None = None,
    ) -> Tensor:
        """``conv(silu(norm(features))) + addend``, (B, T, H, W, O).

        Args:
            features_BTHWC: The next frames, any number.
            cache: Keeps the last frames of each call for the next.
            norm: Without it neither norm nor SiLU.
            addend_BTHWO: Added to the result.
        """
        span = self.kernel_size[0] - 1
        if not span:
            return self._convolved([features_BTHWC], cache, norm, addend_BTHWO)
        pieces = [self._past(features_BTHWC, cache, span), features_BTHWC]
        result = self._convolved(pieces, cache, norm, addend_BTHWO)
        cache.past[self] = _last(pieces, span)
        return result

    def _convolved(
        self, pieces: list[Tensor], cache: Cache, norm: RmsNorm | None, addend: Tensor | None
    ) -> Tensor:
        """What ``forward`` gives, from the past frames and the next."""
        if suits_winograd(self, pieces[-1]):
            gain = None if norm is None else norm.gamma.flatten()
            return _convolve(pieces, _kernel(self, cache), self.bias, gain, addend)
        features = torch.cat(pieces, dim=1)
        if norm is not None:
            features = functional.silu(norm(features), inplace=True)
        result = super().forward(features.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)
        return result if addend is None else result.add_(addend)

    def _past(self, features: Tensor, cache: Cache, span: int) -> Tensor:
        if self not in cache.past:
            batch, _, *rest = features.shape
            cache.past[self] = features.new_zeros(batch, span, *rest)
        return cache.past[self]


class DoublingConv(nn.Conv2d):
    """Every pixel twice in height and width, then a convolution of 3x3 taps."""

    def __init__(self, num_in: int, num_out: int) -> None:
        """Build the layers at random."""
        super().__init__(num_in, num_out, 3, padding=1)

    def forward(  # type: ignore[override]  # takes more than its base
        self, features_BTHWC: Tensor, cache: Cache
    ) -> Tensor:
        """The convolution of the features at twice the size, (B, T, 2H, 2W, O).

        Frame by frame, since this is where a decoder's memory peaks.
        """
        batch, num_frames, height, width, _ = features_BTHWC.shape
        shape = (batch, num_frames, 2 * height, 2 * width, self.out_channels)
        result = features_BTHWC.new_empty(shape)
        for frame in range(num_frames):
            small = features_BTHWC[:, frame : frame + 1]
            large = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
            if suits_winograd(self, large):
                result[:, frame] = _convolve([large], _kernel(self, cache), self.bias)[:, 0]
            else:
                plane = super().forward(large[:, 0].permute(0, 3, 1, 2))
                result[:, frame] = plane.permute(0, 2, 3, 1)
        return result


class HalvingConv(nn.Conv2d):
    """A convolution of 3x3 taps within each frame to half the size.

    A result reads its own two rows and columns and the ones after them; after the last is zero.
    """

    def __init__(self, num_channels: int) -> None:
        """Build the layers at random."""
        super().__init__(num_channels, num_channels, 3, stride=2)

    def forward(self, features_BTHWC: Tensor) -> Tensor:
        """The features at half the size; H and W are even."""
        padded = functional.pad(features_BTHWC, (0, 0, 0, 1, 0, 1))
        planes = padded.flatten(0, 1).permute(0, 3, 1, 2)
        result = super().forward(planes).permute(0, 2, 3, 1)
        batch, num_frames, height, width, _ = features_BTHWC.shape
        return result.reshape(batch, num_frames, height // 2, width // 2, -1)


class TimeDoubler(CausalConv3d):
    """Two frames for each but the first of the video, which stays one and is not seen again."""

    def __init__(self, num_channels: int) -> None:
        """Build the layers at random."""
        super().__init__(num_channels, 2 * num_channels, (3, 1, 1))

    def doubled(self, features_BTHWC: Tensor, cache: Cache) -> Tensor:
        """(B, 2T, H, W, C), or one frame less at the beginning."""
        if self in cache.past:
            return self._pairs(features_BTHWC, cache)
        first, rest = features_BTHWC[:, :1], features_BTHWC[:, 1:]
        self._past(features_BTHWC, cache, 2)
        return torch.cat([first, self._pairs(rest, cache)], dim=1) if rest.shape[1] else first

    def _pairs(self, features: Tensor, cache: Cache) -> Tensor:
        pairs: Tensor = self(features, cache)  # B T H W (2 C)
        pairs = pairs.reshape(*features.shape[:4], 2, -1)
        return pairs.permute(0, 1, 4, 2, 3, 5).flatten(1, 2)


class TimeHalver(nn.Conv3d):
    """One frame for two, from these and the one before; the first of the video stays as it is."""

    def __init__(self, num_channels: int) -> None:
        """Build the layers at random."""
        super().__init__(num_channels, num_channels, (3, 1, 1), stride=(2, 1, 1))

    def halved(self, features_BTHWC: Tensor, cache: Cache) -> Tensor:
        """(B, T/2, H, W, C); at the beginning T is odd and the first frame goes before these."""
        known = cache.past.get(self)
        cache.past[self] = _last([features_BTHWC], 1)
        if known is None and features_BTHWC.shape[1] == 1:
            return features_BTHWC
        features = features_BTHWC if known is None else torch.cat([known, features_BTHWC], dim=1)
        result = self(features.permute(0, 4, 1, 2, 3)).permute(0, 2, 3, 4, 1)
        return torch.cat([features[:, :1], result], dim=1) if known is None else result


def suits_winograd(conv: nn.Conv2d | nn.Conv3d, features: Tensor) -> bool:
    """Whether Winograd's form computes this convolution: float32 on the CPU, wide enough."""
    is_plain = features.device.type == "cpu" and features.dtype == torch.float32
    is_wide = min(conv.in_channels, conv.out_channels) >= WINOGRAD_CHANNELS
    is_learning = torch.is_grad_enabled() and (features.requires_grad or conv.weight.requires_grad)
    return is_plain and is_wide and conv.kernel_size[-2:] == (3, 3) and not is_learning


def _kernel(conv: nn.Conv2d | nn.Conv3d, cache: Cache) -> Tensor:
    if conv not in cache.kernels:
        weight = conv.weight if conv.weight.ndim == 5 else conv.weight[:, :, None]
        cache.kernels[conv] = winograd.transform_kernel(weight)
    return cache.kernels[conv]


def _convolve(
    pieces: list[Tensor],
    kernel: Tensor,
    bias: Tensor | None,
    gain: Tensor | None = None,
    addend: Tensor | None = None,
) -> Tensor:
    """Winograd's form over a batch."""
    assert bias is not None
    results = [
        winograd.convolve(
            [piece[i] for piece in pieces],
            kernel,
            bias,
            gain=gain,
            addend=None if addend is None else addend[i],
        )
        for i in range(len(pieces[0]))
    ]
    return results[0][None] if len(results) == 1 else torch.stack(results)


def _last(pieces: list[Tensor], count: int) -> Tensor:
    """A copy of the last frames of the pieces put together."""
    taken = pieces[-1][:, -count:]
    if taken.shape[1] < count:
        taken = torch.cat([piece[:, -count:] for piece in pieces], dim=1)[:, -count:]
    return taken.clone(memory_format=torch.contiguous_format)
