"""Between a frame and the crop that a network works on: cut, widen, scale, and back; pure."""

from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from remover.crops import Crop
from remover.fill.draft import Draft
from remover.fill.frames import Float, Frame, to_levels
from remover.fill.seam import Known, match_seam
from remover.types import Rect, Size

_Array = TypeVar("_Array", npt.NDArray[np.float32], npt.NDArray[np.uint8])


def levels_in(crop: Crop, frame: Frame, item: Draft | None) -> Float:
    """The picture that the network sees, as levels (h, w, 3) at the working size.

    Args:
        crop: What to cut out. What reaches beyond the picture repeats its edge.
        frame: The frame.
        item: Its draft, if it has a hole.
    """
    part = crop.rect.grown(0, frame.size)
    levels = to_levels(frame.rgb[part.slices])
    shared = None if item is None else common(item.rect, part)
    if item is not None and shared is not None:
        there = shared.moved(-item.rect.top, -item.rect.left)
        levels[shared.moved(-part.top, -part.left).slices] = item.rgb[there.slices]
    levels = _beyond(levels, crop, part)
    if tuple(crop.size) != levels.shape[:2]:
        size = (crop.size.width, crop.size.height)
        levels = np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_AREA), np.float32)
    return levels


def open_in(crop: Crop, frame: Frame, item: Draft | None) -> Known:
    """What the network is to fill, or not to see, (h, w) in source pixels; as ``levels_in``."""
    part = crop.rect.grown(0, frame.size)
    is_open = frame.barred[part.slices] > 0
    shared = None if item is None else common(item.rect, part)
    if item is not None and shared is not None:
        there = shared.moved(-item.rect.top, -item.rect.left)
        is_settled = (item.hole & item.known)[there.slices]
        is_open[shared.moved(-part.top, -part.left).slices] &= ~is_settled
    return _beyond(is_open.astype(np.uint8), crop, part) > 0


def _beyond(array: _Array, crop: Crop, part: Rect) -> _Array:
    """Repeat the last row and column of the picture up to the end of the crop."""
    below, right = crop.rect.bottom - part.bottom, crop.rect.right - part.right
    widths = [(0, below), (0, right), *[(0, 0)] * (array.ndim - 2)]
    return np.pad(array, widths, mode="edge") if below or right else array


def from_working(levels: Float, source: Rect, size: Size) -> tuple[Float, Rect]:
    """A painted part at the source's resolution.

    Args:
        levels: (h, w, 3) at the working size.
        source: The source pixels that it shows; they may reach beyond the picture.
        size: Of the picture.

    Returns:
        Levels (h, w, 3) and the part of the picture that they show.
    """
    wanted = (source.size.width, source.size.height)
    if wanted != levels.shape[1::-1]:
        levels = np.asarray(cv2.resize(levels, wanted, interpolation=cv2.INTER_CUBIC), np.float32)
        levels = levels.clip(0, 255)
    inside = source.grown(0, size)
    return levels[inside.moved(-source.top, -source.left).slices], inside


def laid(item: Draft, shown: tuple[Float, Rect], wanted: Known) -> tuple[Float, Known]:
    """A painted part on the region of a draft, matched to what lies around.

    Args:
        item: The draft.
        shown: Levels (h, w, 3) and the part of the picture that they show.
        wanted: (h, w) pixels of the draft that are to be taken from it.

    Returns:
        Levels (h, w, 3) of the draft's region, and (h, w) where they mean anything.
    """
    levels, rect = shown
    fill = item.rgb.copy()
    seen: npt.NDArray[np.bool_] = np.zeros(wanted.shape, np.bool_)
    shared = common(item.rect, rect)
    if shared is None:
        return fill, seen
    there = shared.moved(-item.rect.top, -item.rect.left).slices
    fill[there] = levels[shared.moved(-rect.top, -rect.left).slices]
    seen[there] = True
    return match_seam(fill, item.rgb, wanted, seen & ~wanted & ~item.barred), seen


def common(a: Rect, b: Rect) -> Rect | None:
    """What two rectangles have in common."""
    found = Rect(
        max(a.top, b.top), max(a.left, b.left), min(a.bottom, b.bottom), min(a.right, b.right)
    )
    return found if min(found.size) > 0 else None
