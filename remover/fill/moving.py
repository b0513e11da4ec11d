"""What moves of its own in a frame: no part of it is painted into the background."""

from collections.abc import Sequence

import cv2
import numpy as np

from remover.fill.align import Camera, visible, warp
from remover.fill.frames import Float, Frame, disk
from remover.fill.seam import Known
from remover.types import Rect

OTHERS = 12
"""Frames of the window that a frame is held against at most."""
FEWEST = 3
"""Frames that must show a pixel before it can be told."""
BOX = 5
"""Side of the box that differences are averaged over, in pixels: motion is known to a pixel or
two."""
DIFFERENT = 25.0
"""Difference in levels from what most frames show there."""
GROW = 6
"""Pixels around what moves that are taken with it."""


def moving(frame: Frame, others: Sequence[Frame], camera: Camera, rect: Rect) -> Known:
    """Where a region shows something else than most other frames show at the same place.

    Args:
        frame: The frame.
        others: Frames of the same shot; up to ``OTHERS`` of them are looked at, evenly spread.
        camera: Motion of the shot.
        rect: The region.

    Returns:
        (h, w), False wherever it cannot be told.
    """
    apart = [one for one in others if one.index != frame.index]
    places = np.linspace(0, len(apart) - 1, min(OTHERS, len(apart))).round().astype(int)
    usual = _usual([apart[place] for place in places], frame.index, camera, rect)
    if usual is None:
        return np.zeros(rect.size, np.bool_)
    levels = warp(frame, None, rect)
    gap = np.abs(cv2.blur(levels, (BOX, BOX)) - cv2.blur(np.nan_to_num(usual), (BOX, BOX)))
    told = cv2.erode((~np.isnan(usual[..., 0])).astype(np.uint8), np.ones((BOX, BOX))) > 0
    off = (gap.max(axis=2) > DIFFERENT) & told
    core = cv2.morphologyEx(off.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.dilate(core, disk(GROW)) > 0)


def _usual(others: Sequence[Frame], index: int, camera: Camera, rect: Rect) -> Float | None:
    """The median (h, w, 3) of what frames show of a region, NaN where too few show it."""
    stack = []
    for one in others:
        matrix = None if camera.static else camera.between(one.index, index)
        levels, seen = warp(one, matrix, rect), visible(one, matrix, rect)
        stack.append(np.where(seen[..., None], levels, np.float32(np.inf)))
    if len(stack) < FEWEST:
        return None
    ordered = np.sort(np.stack(stack), axis=0)
    count = np.isfinite(ordered[..., :1]).sum(axis=0)
    middle = np.take_along_axis(ordered, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
    return np.where(count >= FEWEST, middle, np.float32(np.nan))
