"""Meeting an object again in another shot, by what it resembles: where it is, and its mask there.

Some frames of the shot are asked where the object seems to be (``resemble.py``). Where enough of
them are sure, the surest is taken for a box that somebody drew, and what is found in it must hold
as a first mask does and have the object's colours.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import cv2
import numpy as np

from remover.segment.appearance import Float
from remover.segment.features import one_thread
from remover.segment.first import find
from remover.segment.hints import Hints
from remover.segment.motion import half
from remover.segment.resemble import (
    LEAST_COLOUR,
    Known,
    Resemblance,
    known,
    look_for,
    same_colours,
)
from remover.segment.still import Around, near
from remover.segment.store import MaskStore
from remover.segment.walk import Small, read_one, walk, work_size
from remover.types import Mask, Pictures, Shot, Size

NUM_VIEWS = 3
"""Most tracked frames that the object is known by, beside those that were pointed at."""

LIKELY = 0.5
"""Confidence of a tracked mask from which on it is taken: what it holds of the place too does not
agree on where it lies in another one."""

LOOKS = 4
"""Frames of a shot that are asked, evenly spread."""

LEAST_SURE = 2
"""Of them must be sure, or all if there are fewer."""

MARGIN = 0.08
"""What is added to the box that they agree on, as a share of its sides."""

TRIES = 2
"""Boxes that a mask is looked for in."""


@dataclass(frozen=True, slots=True)
class Met:
    """An object that was met again."""

    frame: int
    mask: Mask = field(repr=False)
    """At the work size, (h, w)."""


def object_of(
    pictures: Pictures,
    store: MaskStore,
    object_id: int,
    confidence: Float,
    shot: Shot,
    pointed: Collection[int],
) -> Known | None:
    """An object as it is known from a shot that it was pointed at in and tracked through.

    Args:
        pictures: The video.
        store: Its masks.
        object_id: The object.
        confidence: Of the masks, for each frame of the video.
        shot: Where to take them from.
        pointed: The frames on which the user pointed at it; at least one.

    Returns:
        None where it is too small to be told.
    """
    likely = np.flatnonzero(confidence[shot.start : shot.stop] >= LIKELY) + shot.start
    chosen = [min(pointed), max(pointed)]
    if likely.size:
        chosen += [
            int(i) for i in likely[np.linspace(0, likely.size - 1, NUM_VIEWS).round().astype(int)]
        ]
    size, views = work_size(pictures.size), []
    for frame in dict.fromkeys(chosen):
        mask = np.asarray(store.get(frame) == object_id)
        shape = (size.width, size.height)
        soft = cv2.resize(mask.astype(np.float32), shape, interpolation=cv2.INTER_AREA)
        views.append((read_one(pictures, frame), np.asarray(np.asarray(soft) > 0.5)))
    with one_thread():
        return known(views)


def meet(object_: Known, pictures: Pictures, shot: Shot) -> Met | None:
    """Look for an object in some frames of a shot; None where it is not met for sure."""
    places = np.linspace(shot.start, shot.stop - 1, LOOKS).round().astype(int)
    frames = sorted({int(place) for place in places})
    with one_thread():
        seen = [(frame, look_for(object_, read_one(pictures, frame))) for frame in frames]
        sure = [(one, frame) for frame, one in seen if one is not None and one.is_sure]
        if len(sure) < min(LEAST_SURE, len(frames)):
            return None
        sure.sort(key=lambda each: -each[0].share * each[0].likeness)
        for one, frame in sure[:TRIES]:
            picture = read_one(pictures, frame)
            mask = _mask_in(one, picture, _around(pictures, shot, frame))
            if mask is not None and same_colours(object_, picture, mask) >= LEAST_COLOUR:
                return Met(frame, mask)
    return None


def _mask_in(seen: Resemblance, picture: Small, around: Around) -> Mask | None:
    """The mask (h, w) of what is in the box of a sighting; None where none holds."""
    size = Size(*picture.shape[:2])
    left, top, right, bottom = seen.box
    across, down = MARGIN * (right - left), MARGIN * (bottom - top)
    box = (
        max(0.0, left - across),
        max(0.0, top - down),
        min(float(size.width), right + across),
        min(float(size.height), bottom + down),
    )
    if box[2] - box[0] < 8 or box[3] - box[1] < 8:
        return None
    found = find(picture, Hints(boxes=(box,)), None, around)
    return None if found.steps or not found.mask.any() else found.mask


def _around(pictures: Pictures, shot: Shot, frame: int) -> Around:
    frames = near(frame, *shot)
    steps = walk(pictures, frames.start, frames.stop)
    return Around({index - frame: half(small) for index, small in steps})
