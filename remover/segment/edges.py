"""From a rough soft mask to one whose outline is the object's: a small network.

It sees the pixels and the rough mask, not what the object is: where outlines are, which side of
them belongs together, and that halos, leaks and lost limbs are mended. It was trained on made-up
shapes cut out of one photograph and pasted over another, with masks spoiled in the ways of the
tracker (``tests/data/make_edges.py``), as CascadePSP (Cheng et al., CVPR 2020) was with real
objects. Batch norms are folded into the convolutions.
"""

from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from remover import tensorfile
from remover.segment.appearance import Float
from remover.segment.walk import Small

ASSET = "edges.safetensors"

MULTIPLE = 16
"""Sides of what the network sees are multiples of this."""

ZOOM = 2.0
"""Most that a small picture is enlarged by."""

KNOWN_SHARE = 0.25
"""Share of a connected part that the rough mask must have for it to stay."""

CLIP = 0.018
"""How sure a rough mask may be: log odds of 4."""

DILATIONS = (1, 2, 4, 1)
"""Of the layers at a sixteenth of the size."""


class Edges:
    """The network, for use only: a U-shape from one half of the size to a sixteenth."""

    def __init__(self, state: dict[str, Tensor], device: str = "cpu") -> None:
        """Take folded weights by name: ``stem``, ``half``, ``quarter.0`` and so on."""
        self._device = torch.device(device)
        self._state = {name: _placed(tensor, self._device) for name, tensor in state.items()}

    def run(self, pixels: Tensor, soft: Tensor) -> Tensor:
        """Log odds (B, 1, H, W) of the object.

        Args:
            pixels: Colours (B, 3, H, W), 0 to 1; sides are multiples of ``MULTIPLE``.
            soft: Rough masks (B, 1, H, W), 0 to 1.
        """
        odds = torch.logit(soft.clamp(CLIP, 1 - CLIP))
        x = functional.pixel_unshuffle(torch.cat([pixels - 0.5, odds / 4], dim=1), 2)
        half = self._layer("half", self._layer("stem", x))
        quarter = self._layer("quarter.1", self._layer("quarter.0", half, stride=2))
        eighth = self._layer("eighth.1", self._layer("eighth.0", quarter, stride=2))
        deep = self._layer("sixteenth.0", eighth, stride=2)
        for index, dilation in enumerate(DILATIONS[1:], 1):
            deep = self._layer(f"sixteenth.{index}", deep, dilation=dilation)
        up = self._layer("up.eighth", torch.cat([_doubled(deep), eighth], dim=1))
        up = self._layer("up.quarter", torch.cat([_doubled(up), quarter], dim=1))
        up = self._layer("up.half.0", torch.cat([_doubled(up), half], dim=1))
        change = self._convolve("out", self._layer("up.half.1", up))
        return functional.pixel_shuffle(change, 2) + odds

    def __call__(self, picture: Small, soft: Float) -> Float:
        """Log odds (H, W) for a picture (H, W, 3); sides are multiples of ``MULTIPLE``."""
        pixels = torch.from_numpy(np.ascontiguousarray(picture)).to(self._device)
        rough = torch.from_numpy(np.ascontiguousarray(soft)).to(self._device)
        with torch.inference_mode():
            x = pixels.permute(2, 0, 1)[None].float() / 255  # channels stay side by side
            return np.asarray(self.run(x, rough[None, None])[0, 0].cpu().numpy(), np.float32)

    def _layer(self, name: str, x: Tensor, *, stride: int = 1, dilation: int = 1) -> Tensor:
        return functional.relu_(self._convolve(name, x, stride, dilation))

    def _convolve(self, name: str, x: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
        kernel, bias = self._state[f"{name}.weight"], self._state[f"{name}.bias"]
        return functional.conv2d(x, kernel, bias, stride, dilation, dilation)


def mend(picture: Small, soft: Float, *, area: float) -> Float:
    """A soft mask (h, w) whose outline is that of the object.

    Args:
        picture: The object and its surroundings (h, w, 3).
        soft: The rough mask.
        area: Pixels that the network looks at, about; it sees small pictures enlarged.
    """
    height, width = soft.shape
    scale = min(ZOOM, float(np.sqrt(area / (height * width))))
    size = tuple(max(1, round(side * scale / MULTIPLE)) * MULTIPLE for side in (width, height))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    seen = cv2.resize(np.ascontiguousarray(picture), size, interpolation=way)
    rough = cv2.resize(np.ascontiguousarray(soft), size, interpolation=way)
    odds = network()(np.asarray(seen, np.uint8), np.asarray(rough, np.float32))
    wide = np.asarray(cv2.resize(odds, (width, height)), np.float32)
    mended = np.asarray(1 / (1 + np.exp(-np.clip(wide, -10, 10))), np.float32)
    return _without_new_parts(mended, soft)


def _without_new_parts(mended: Float, soft: Float) -> Float:
    """Weaken the parts that the rough mask has little of: other things have outlines, too."""
    _, parts = cv2.connectedComponents((mended > 0.5).astype(np.uint8), connectivity=4)
    area = np.bincount(parts.ravel())
    known = np.bincount(parts.ravel(), (soft > 0.5).ravel(), len(area)) / area
    is_new = known < KNOWN_SHARE
    is_new[0] = False
    return np.where(is_new[parts], np.minimum(mended, np.float32(0.3)), mended)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _placed(tensor: Tensor, device: torch.device) -> Tensor:
    """A weight as convolutions like it: a pixel's channels side by side."""
    wide = tensor.to(device).float()
    return wide.contiguous(memory_format=torch.channels_last) if wide.ndim == 4 else wide


@cache
def network(device: str = "cpu") -> Edges:
    """The network with the weights that come with the package."""
    return Edges(tensorfile.asset(ASSET), device)
