"""What moves of its own in a frame: no part of it is painted into the background."""

from collections.abc import Sequence

import cv2
import numpy as np

from remover.fill.align import Camera, shown_through, visible, warp
from remover.fill.frames import Float, Frame, disk, to_levels
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
    if len(others) < FEWEST:
        return None
    shown, seen = [], []
    for one in others:
        matrix = None if camera.static else camera.between(one.index, index)
        shown.append(shown_through(one, matrix, rect))
        seen.append(visible(one, matrix, rect))
    count = np.sum(seen, axis=0)
    place = np.maximum(count - 1, 0)[None] // 2
    usual = []
    for channel in range(3):  # one after the other: all of them together take three times as much
        ordered = np.stack([to_levels(rgb[..., channel]) for rgb in shown])
        ordered[~np.stack(seen)] = np.inf
        ordered.sort(axis=0)
        middle = np.take_along_axis(ordered, place, axis=0)[0]
        usual.append(np.where(count >= FEWEST, middle, np.float32(np.nan)))
    return np.dstack(usual)
