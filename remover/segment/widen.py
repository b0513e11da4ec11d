"""Soft masks made ready for a removal: steady in time, and wider where they are unsure.

What a mask misses stays in the picture as a ghost of the object, and what it takes too much of is
only filled. So parts are put in and never taken out here.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from remover.masks import dilate
from remover.segment.appearance import Float
from remover.segment.cut import discs
from remover.segment.hints import Hints
from remover.segment.motion import Flow, carry
from remover.segment.refine import enlarge
from remover.segment.walk import Small
from remover.types import Mask, Size

AHEAD = 2
"""Frames on which a part may be missing, that is seen before and after them."""

DOUBTFUL = 0.1
"""Probability from which on a place may be the object's. At 0.05 recall cost as much area as by
plain growth, at 0.2 there was little of it."""

BREADTH = 9
"""Width in pixels of the work size from which on doubtful places count. The rim of every soft mask
is narrower, and ``--dilate`` covers it anyway."""

REACH = 24
"""Pixels of the work size around a mask in which doubtful places count."""


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A frame on the way forwards through a shot."""

    index: int
    soft: Float = field(repr=False)
    """Soft mask (h, w) at the work size, 0 to 1."""
    is_fixed: bool = False
    """The user pointed at the object here, so that nothing is filled in."""
    back: Float | None = field(default=None, repr=False)
    """Motion to the frame before, at half the size; None where it is not needed or is the first."""
    forth: Float | None = field(default=None, repr=False)
    """Motion from the frame before to this one."""


def with_motion(
    frames: Iterator[tuple[int, Float, bool, Small]],
) -> Iterator[Glimpse]:
    """Add the motion both ways between neighbours that both show something of the object.

    Args:
        frames: Index, soft mask, whether it is fixed, and picture, of frames in a row.
    """
    flow = Flow()
    before: Small | None = None
    was_seen = False
    for index, soft, is_fixed, picture in frames:
        is_seen = bool((soft >= DOUBTFUL).any())
        if before is not None and is_seen and was_seen:
            back, forth = flow(picture, before), flow(before, picture)
            yield Glimpse(index, soft, is_fixed, back, forth)
        else:
            yield Glimpse(index, soft, is_fixed)
        before, was_seen = picture, is_seen


def steadied(frames: Iterator[Glimpse]) -> Iterator[tuple[int, Float]]:
    """Fill in what is seen before and after a frame, where the motion carries both.

    A place is as much the object's as both sides agree on: the frame before, filled itself, and the
    surer one of the ``AHEAD`` next. No more frames than these are held.

    Args:
        frames: Those of one shot, in order.

    Yields:
        Index and soft mask (h, w), nowhere smaller than it was.
    """
    window: deque[Glimpse] = deque()
    before: Float | None = None
    for frame in frames:
        window.append(frame)
        if len(window) > AHEAD:
            before = _filled(before, window)
            yield window.popleft().index, before
    while window:
        before = _filled(before, window)
        yield window.popleft().index, before


def _filled(before: Float | None, window: Sequence[Glimpse]) -> Float:
    """The first of some frames in a row, filled from the one before and the others."""
    here = window[0]
    if here.is_fixed or before is None or here.back is None:
        return here.soft
    after: Float | None = None
    for frame in reversed(list(window)[1:]):
        if frame.forth is None:
            after = None
            continue
        surer = frame.soft if after is None else np.maximum(frame.soft, after)
        after = carry(surer, _at(frame.forth, surer))
    if after is None:
        return here.soft
    return np.maximum(here.soft, np.minimum(carry(before, _at(here.back, before)), after))


def _at(flow: Float, soft: Float) -> Float:
    """Motion at half the size of a soft mask, at its own."""
    height, width = soft.shape
    scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    return np.asarray(cv2.resize(flow, (width, height)) * scale, np.float32)


def doubtful(soft: Float) -> Mask:
    """Broad places (h, w) near a soft mask (h, w) that may belong to it: hair, held things."""
    mask = soft > 0.5
    if not mask.any():
        return mask
    unsure = (soft >= DOUBTFUL) & ~mask & dilate(mask, REACH)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (BREADTH, BREADTH))
    return np.asarray(cv2.morphologyEx(unsure.astype(np.uint8), cv2.MORPH_OPEN, disc) > 0)


def widened(soft: Float, size: Size) -> Mask:
    """The mask (H, W) for a removal of a soft one (h, w); it holds that at a level of a half."""
    mask = enlarge(soft, size)
    more = doubtful(soft)
    return mask | enlarge(more.astype(np.float32), size) if more.any() else mask


def with_clicks(mask: Mask, hints: Hints, work: Size) -> Mask:
    """A mask (H, W) with what clicks stand for, as far as no avoided point stands for it.

    Args:
        mask: The mask of a frame.
        hints: What was pointed at there.
        work: The size that ``hints`` are in pixels of.
    """
    if not hints.clicks:
        return mask
    clicked = discs(hints.clicks, work) & ~discs(hints.avoids, work)
    return mask | enlarge(clicked.astype(np.float32), Size(*mask.shape))
