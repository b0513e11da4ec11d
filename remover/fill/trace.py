"""Ways through time: where the pixels of a frame lie in the frames before and after it."""

from collections.abc import Callable, Iterator
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from remover.fill.flow import Field, grid, sampled
from remover.fill.frames import Float, Frame, to_levels
from remover.types import RGB, Rect

NOWHERE = -1e4
"""A place that is in no picture."""
WHOLE = 3
"""Side, in pixels, of the least square that is copied along ways: where they part, single pixels
come from somewhere else than all that is around them."""


def trace(
    index: int,
    rect: Rect,
    field: Callable[[int], Field | None],
    sign: int,
    count: int,
    scale: tuple[float, float] = (1, 1),
) -> Iterator[tuple[int, Float]]:
    """Follow the pixels of a rectangle from frame to frame.

    Motions are put together before anything is sampled, so that a pixel is sampled only once,
    however far away its source is.

    Args:
        index: The frame to begin at.
        rect: Region of it.
        field: Motion from a frame to the next in the direction of ``sign``; None where unknown.
        sign: 1 for later frames, -1 for earlier ones.
        count: Frames to follow at most.
        scale: Pixels of the frames for one of the fields, along x and y.

    Yields:
        A frame and the places (2, h, w) in it, along x and y; ``NOWHERE`` where the way is lost.
    """
    places, size = grid(rect), np.array(scale, np.float32)[:, None, None]
    for place in range(index, index + sign * count, sign):
        step = field(place)
        if step is None:
            return
        inner = within(places, scale, step.rect)
        shift = [sampled(axis, inner, cv2.INTER_LINEAR, None) for axis in step.shift]
        x, y = inner
        lost = (x < 0) | (y < 0) | (x > step.rect.size.width - 1) | (y > step.rect.size.height - 1)
        places = np.asarray(places + np.stack(shift) * size, np.float32)
        places[:, lost] = NOWHERE
        yield place + sign, places


def within(places: Float, scale: tuple[float, float], rect: Rect) -> Float:
    """Places (2, h, w) in the part ``rect`` of a picture whose pixels are ``scale`` of these."""
    half = np.float32(0.5)
    found = places + half
    found /= np.array(scale, np.float32)[:, None, None]
    found -= half
    found -= np.array([rect.left, rect.top], np.float32)[:, None, None]
    return found


def shows(frame: Frame, places: Float) -> npt.NDArray[np.bool_]:
    """Where (h, w) a frame may be copied from at places (2, h, w); not in scattered pixels."""
    free = (sampled(frame.barred, places, cv2.INTER_LINEAR, 255) == 0).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(free, cv2.MORPH_OPEN, np.ones((WHOLE, WHOLE))) > 0)


def look(frame: Frame, places: Float) -> Float:
    """A frame's levels (h, w, 3) at places (2, h, w)."""
    return to_levels(cast(RGB, sampled(frame.rgb, places, cv2.INTER_CUBIC, None)))
