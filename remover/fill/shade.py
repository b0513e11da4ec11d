"""What lights a frame's shadow up, as it is kept, and the ground as it then looks."""

from dataclasses import dataclass, field, replace
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from remover.fill.darker import DARKEST
from remover.fill.frames import Float, disk
from remover.fill.seam import Known
from remover.types import Rect, Size

VISIBLE = 0.004
"""Gain (a logarithm) from which a pixel counts as changed: less is under one level of 255."""
WIDE = 2.5
"""How far the edges of a small picture's gain are from where they may be, in its pixels."""
TEXTURE = 0.12
"""How much lighter than the background (a logarithm) a pixel may become: that is its texture."""
FAINT, DEEP = 0.45, 0.65
"""Gain (a logarithm) from which, and at which, true pixels of other frames are better."""
GRAIN = 5
"""Side of the boxes whose median is the light of a pixel: texture is finer, edges stay."""


@dataclass(frozen=True, slots=True)
class Shade:
    """The shadow of an object in one frame."""

    index: int
    rect: Rect
    """Of a small picture."""
    gain: npt.NDArray[np.float16] = field(repr=False)
    """(h, w, 3): logarithm of what its levels are multiplied by, from 0."""
    ceiling: npt.NDArray[np.float16] = field(repr=False)
    """(h, w): logarithm of the background's mean level."""
    scale: tuple[float, float]
    """Full-size pixels for one of these, along x and y."""
    travel: float
    """How far the object goes against the background in the frames that were looked at, in parts
    of its longer side: from 1 on, it leaves its own place, and what its shadow lay on was lit."""

    def box(self, size: Size) -> Rect:
        """The full-size pixels that it may reach."""
        across, down = self.scale
        top, left, bottom, right = self.rect
        return Rect(
            max(0, int((top - 1) * down) - self.reach),
            max(0, int((left - 1) * across) - self.reach),
            min(size.height, int((bottom + 1) * down) + 1 + self.reach),
            min(size.width, int((right + 1) * across) + 1 + self.reach),
        )

    def light(self, rect: Rect) -> Float:
        """The gain of a full-size rectangle, (h, w, 3); 0 away from the shadow."""
        return self._seen(self.gain.astype(np.float32), rect, cv2.BORDER_CONSTANT)

    def background(self, rect: Rect) -> Float:
        """The ceiling of a full-size rectangle, (h, w)."""
        return self._seen(self.ceiling.astype(np.float32), rect, cv2.BORDER_REPLICATE)

    def _seen(self, values: Float, rect: Rect, border: int) -> Float:
        across, down = self.scale
        column = (rect.left + 0.5) / across - 0.5 - self.rect.left
        row = (rect.top + 0.5) / down - 0.5 - self.rect.top
        matrix = np.array([[1 / across, 0, column], [0, 1 / down, row]])
        size = (rect.size.width, rect.size.height)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        found = cv2.warpAffine(values, matrix, size, flags=flags, borderMode=border)
        return np.asarray(found, np.float32)

    @property
    def reach(self) -> int:
        """Full-size pixels within which its edges may be elsewhere."""
        return max(1, round(WIDE * max(self.scale)))

    def region(self, rect: Rect) -> Known:
        """Which pixels (h, w) of a full-size rectangle are changed."""
        seen = self.light(rect).max(axis=2) > VISIBLE
        return np.asarray(cv2.dilate(seen.astype(np.uint8), disk(self.reach // 2)) > 0)


@dataclass(frozen=True, slots=True)
class Ground:
    """What lies around a hole, lit as if the object were gone."""

    levels: Float = field(repr=False)
    """(h, w, 3): levels, meaningful where ``share`` is above 0."""
    share: Float = field(repr=False)
    """(h, w): how much of it a finished pixel is; the rest is the fill."""
    trust: Float = field(repr=False)
    """(h, w): 1, and less where it is lit up so much that little of its texture is left: there true
    pixels of other frames are better."""

    def beside(self, copied: Known) -> "Ground":
        """The same where other frames have shown some pixels (h, w)."""
        share = np.where(copied, self.share * self.trust, self.share)
        return replace(self, share=share.astype(np.float32))

    def without(self, laid: Known) -> "Ground":
        """The same where nothing is taken of it for some pixels (h, w)."""
        return replace(self, share=np.where(laid, np.float32(0), self.share))

    @property
    def settled(self) -> Known:
        """(h, w): pixels that need no fill."""
        return np.asarray(self.share >= 1)


class Shading(Protocol):
    """What is known of the shadows of a video."""

    def ground(self, index: int, rect: Rect, levels: Float) -> Ground | None:
        """The levels (h, w, 3) of a rectangle without its shadow; None where nothing is lit."""

    def kept(self, index: int) -> Known | None:
        """Pixels (H, W) of a shadow that stays in the picture; None where there is none."""


def lit_ground(levels: Float, gain: Float, ceiling: Float, reach: int) -> Float:
    """Light up a region: its own texture stays.

    The gain comes from a small picture, so its edges are wide, while a shadow's own may be sharp.
    Within what the gain is nearby, the picture itself tells how far it is from its background.

    Args:
        levels: (h, w, 3), 0 to 255.
        gain: (h, w, 3): logarithm of the factor.
        ceiling: (h, w): logarithm of the background's levels.
        reach: Pixels within which the gain's edges may be elsewhere.

    Returns:
        (h, w, 3) levels.
    """
    light = np.maximum(levels.mean(axis=2), np.float32(DARKEST))
    wanted = ceiling - np.log(cv2.medianBlur(light, GRAIN))
    mean = gain.mean(axis=2)
    fine = np.clip(wanted, cv2.erode(mean, disk(reach)), cv2.dilate(mean, disk(reach)))
    fine = np.minimum(fine, np.maximum(ceiling + np.float32(TEXTURE) - np.log(light), 0))
    around = cv2.blur(gain, (4 * reach + 1,) * 2)
    colour = around / np.maximum(around.mean(axis=2), np.float32(1e-3))[..., None]
    lit = levels * np.exp(fine[..., None] * colour)
    return np.asarray(np.minimum(lit, 255), np.float32)


def trust(gain: Float, reach: int) -> Float:
    """How far a gain (h, w, 3) leaves a picture's texture whole, 0 to 1 (h, w).

    ``reach`` is within how many pixels the gain's edges may be elsewhere.
    """
    mean = cv2.dilate(gain.mean(axis=2), disk(reach))
    return np.asarray(np.clip((DEEP - mean) / (DEEP - FAINT), 0, 1), np.float32)
