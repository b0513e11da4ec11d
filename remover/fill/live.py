"""How much of a shot changes from frame to frame though nothing moves: its live noise.

A single picture cannot tell noise from fine texture, and noise that a codec has frozen is texture
to the eye. What differs between two frames that were brought over each other is neither.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from remover.fill.align import Matrix, visible, warp
from remover.fill.frames import Float, Frame, to_levels
from remover.fill.grain import BINS, BLOCK, FEWEST, blocks_of, detrended, flattest
from remover.types import Rect

PAIRS = 12
"""Pairs of frames of a shot that are looked at."""
DARK, BRIGHT = 8.0, 247.0
"""Levels beyond which noise is cut off."""
OPPONENT = np.array([[0.2126, 0.7152, 0.0722], [-0.1146, -0.3854, 0.5], [0.5, -0.4542, -0.0458]])
"""Y, Cb and Cr of BT.709 from R, G, B."""


class Noise(NamedTuple):
    """Variances of live noise, in squared 8-bit levels."""

    luma: float = 0.0
    blue: float = 0.0
    red: float = 0.0


NO_NOISE = Noise()


def live_noise(before: Frame, after: Frame, matrix: Matrix | None) -> Noise | None:
    """The noise of one frame, from the difference of two; None where too little can be seen.

    Args:
        before: A frame.
        after: The next one.
        matrix: Takes pixels of the first to the second; None is the identity.
    """
    whole = Rect(0, 0, *after.size)
    levels, seen = warp(before, matrix, whole), visible(before, matrix, whole)
    now = to_levels(after.rgb)
    known = seen & (after.barred == 0)
    gap = cv2.transform(now - levels, OPPONENT)
    bright = blocks_of(np.asarray(now.mean(axis=2), np.float32), known)
    if len(bright) < FEWEST:
        return None
    mean = bright.mean(axis=(1, 2))
    found = [
        _power(detrended(blocks_of(np.ascontiguousarray(gap[..., which]), known)), mean)
        for which in range(3)
    ]
    return None if None in found else Noise(*(value or 0.0 for value in found))


def _power(rest: Float, mean: Float) -> float | None:
    """Half the power that differences of blocks have at least, over ranges of their levels."""
    power = (rest * rest).sum(axis=(1, 2)) / (BLOCK * BLOCK - 3)
    found = []
    for low, high in pairwise(np.linspace(DARK, BRIGHT, BINS + 1)):
        chosen = (mean >= low) & (mean < high)
        if np.count_nonzero(chosen) >= FEWEST:
            found.append(flattest(power[chosen])[0])
    return float(np.median(found)) / 2 if found else None


def typical(found: Sequence[Noise]) -> Noise:
    """The median of what several pairs of frames showed; none where there was no pair."""
    if not found:
        return NO_NOISE
    return Noise(*(float(value) for value in np.median(np.array(found), axis=0)))


def pairs_of(count: int) -> frozenset[int]:
    """Which frames of ``count`` are held against the one before, evenly spread."""
    if count < 2:
        return frozenset()
    chosen = np.linspace(1, count - 1, min(PAIRS, count - 1)).round().astype(int)
    return frozenset(chosen.tolist())
