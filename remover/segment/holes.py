"""Short gaps in a tracked object's masks, filled from both of their ends; pure."""

from collections.abc import Collection, Iterator
from itertools import pairwise

import cv2
import numpy as np

from remover.types import Mask

LONGEST = 12
"""Longest gap that is filled, in frames: half a second of film. An object that is gone for longer
is behind something, or out of the picture."""

LEAVING = 0.5
"""Share of the usual area below which what touches the border of the picture is leaving it."""

RIM = 2
"""Pixels from the border that count as touching it."""


def gaps(seen: Collection[int]) -> Iterator[tuple[int, int]]:
    """The frames on both sides of every gap that is to be filled.

    Args:
        seen: Frames with a mask.
    """
    frames = sorted(seen)
    for before, after in pairwise(frames):
        if 1 < after - before <= LONGEST + 1:
            yield before, after


def is_leaving(mask: Mask, usual: float) -> bool:
    """Whether a mask (H, W) is what is left of an object on its way out of the picture, or in.

    Args:
        mask: The mask beside a gap.
        usual: Pixels that the object usually has.
    """
    edges = (mask[:RIM], mask[-RIM:], mask[:, :RIM], mask[:, -RIM:])
    return mask.sum() < LEAVING * usual and any(bool(edge.any()) for edge in edges)


def between(before: Mask, after: Mask, share: float) -> Mask:
    """The mask (H, W) at ``share`` of the way between two that are not empty.

    The nearer one is moved along the line between their middles.
    """
    near, far, way = (before, after, share) if share < 0.5 else (after, before, 1 - share)
    (y, x), (other_y, other_x) = (_middle(mask) for mask in (near, far))
    matrix = np.array([[1, 0, way * (other_x - x)], [0, 1, way * (other_y - y)]], np.float64)
    height, width = near.shape
    moved = cv2.warpAffine(near.astype(np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST)
    return np.asarray(moved > 0)


def _middle(mask: Mask) -> tuple[float, float]:
    rows, columns = np.nonzero(mask)
    return float(rows.mean()), float(columns.mean())
