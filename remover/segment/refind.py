"""Finding objects again after a cut, by what they look like, and only when sure.

A wrong find would take something else out of the picture, while a miss is only reported.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from remover.progress import Progress
from remover.segment.appearance import Float
from remover.segment.hints import Hints
from remover.segment.judgement import Judgement, Work
from remover.segment.likeness import (
    LEAST_MATCHES,
    Evidence,
    View,
    compare,
    detail_size,
    details_of,
    lab_of,
    view_of,
)
from remover.segment.refine import enlarge
from remover.segment.store import MaskStore
from remover.segment.walk import shrink
from remover.types import Mask, Pictures, Shot, Size

if TYPE_CHECKING:
    from remover.segment.resemble import Known

NUM_VIEWS = 4
"""Most views from tracked frames."""

LOOKS = 6
"""Frames of a shot that are searched, evenly spread."""

GOOD = 0.6
"""Confidence of a tracked mask from which on it is taken for a view of the object."""


LINK = 0.5
"""Overlap of a tracked mask with where another view says the object is, to be taken for a view."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """An object found again."""

    frame: int
    mask: Mask = field(repr=False)
    """Where the known mask lies there, (h, w)."""
    evidence: Evidence


def find_again(
    pictures: Pictures,
    store: MaskStore,
    judgement: Judgement,
    work: Sequence[Work],
    size: Size,
    progress: Progress,
) -> tuple[list[Work], list[Shot]]:
    """Look for objects in the shots in which nobody pointed at them.

    Each is held against its masks in the nearest shot in which it was pointed at, never against
    masks that follow from a find: a wrong one would go on from shot to shot.

    Args:
        pictures: The video.
        store: The masks of what was tracked.
        judgement: How sure those are; notes on what is found are added.
        work: Every object in every shot.
        size: Of the masks that the tracker takes.
        progress: Where to say how far it is.

    Returns:
        What is to be tracked, each with the mask that was found as its one prompt; and the shots
        in which an object was not found.
    """
    missing = [(number, shot) for number, shot, met in work if not met]
    if not missing:
        return [], []
    progress.start("search", len(missing) * LOOKS)
    seeker = _Seeker(pictures, store, judgement, work)
    again: list[Work] = []
    lost: list[Shot] = []
    for number, shot in missing:
        found = seeker.seek(number, shot)
        progress.advance(LOOKS)
        mask = None if found is None else enlarge(found[1], size)
        if found is None or mask is None or not mask.any():
            lost.append(shot)
            continue
        again.append((number, shot, {found[0]: Hints(mask=mask)}))
        judgement.notes.append(
            f"object {number} was found again by its look on frame {found[0]}: check frames "
            f"{shot.start} to {shot.stop - 1}"
        )
    return again, lost


class _Seeker:
    """Looks for objects in shots; what is known of each is gathered once."""

    def __init__(
        self, pictures: Pictures, store: MaskStore, judgement: Judgement, work: Sequence[Work]
    ) -> None:
        # PyTorch is loaded with it, and only where something is missing.
        from remover.segment import meet

        self._meet = meet
        self._pictures, self._store, self._work = pictures, store, work
        self._confidence = judgement.confidence
        self._views: dict[tuple[int, Shot], tuple[View, ...]] = {}
        self._objects: dict[tuple[int, Shot], Known | None] = {}

    def seek(self, number: int, shot: Shot) -> tuple[int, Mask] | None:
        """A frame of a shot with the mask of an object there: by its details, or by its kind."""
        known = [other for n, other, met in self._work if met and n == number]
        if not known:
            return None
        _, nearest = min((_gap(other, shot), other) for other in known)
        key = number, nearest
        pointed = next(m for n, other, m in self._work if (n, other) == key)
        way = (self._pictures, self._store, number, self._confidence, nearest, pointed)
        if key not in self._views:
            self._views[key] = known_views(*way)
        seen = search(self._views[key], self._pictures, shot)
        if seen is not None:
            return seen.frame, seen.mask
        if key not in self._objects:
            self._objects[key] = self._meet.object_of(*way)
        object_ = self._objects[key]
        met = None if object_ is None else self._meet.meet(object_, self._pictures, shot)
        return None if met is None else (met.frame, met.mask)


def _gap(one: Shot, other: Shot) -> int:
    """Frames between two shots."""
    return max(one.start - other.stop, other.start - one.stop)


def known_views(
    pictures: Pictures,
    store: MaskStore,
    object_id: int,
    confidence: Float,
    shot: Shot,
    pointed: Collection[int],
) -> tuple[View, ...]:
    """Views of an object from a shot that it was pointed at in and tracked through.

    A tracked mask counts if its object can be recognised, there and nowhere else, as that of a
    view nearer to where the user pointed.

    Args:
        pictures: The video.
        store: Its masks.
        object_id: The object.
        confidence: Of the masks, for each frame of the video.
        shot: Where to take them from.
        pointed: The frames on which the user pointed at it; at least one.

    Returns:
        Those of the frames that were pointed at, at most two, and of some tracked ones.
    """
    good = np.flatnonzero(confidence[shot.start : shot.stop] >= GOOD) + shot.start
    if not good.size:
        return ()
    chosen = {int(f) for f in good[np.linspace(0, good.size - 1, NUM_VIEWS).round().astype(int)]}
    chosen -= set(pointed)
    chosen |= {min(pointed), max(pointed)} & {int(frame) for frame in good}
    views: list[View] = []
    for frame in sorted(chosen, key=lambda f: min(abs(f - other) for other in pointed)):
        mask = np.asarray(store.get(frame) == object_id)
        picture = next(iter(pictures.read(frame, frame + 1)))
        view = view_of(picture, mask, is_pointed_at=frame in pointed)
        if view is not None and (view.is_pointed_at or _is_linked(view, views)):
            views.append(view)
    return tuple(views)


def _is_linked(view: View, known: Sequence[View]) -> bool:
    """Whether the object of a known view is recognised in a view, and under its mask."""
    for other in known:
        seen = compare(other, view.details, view.lab)
        if seen is not None and seen[1].matches >= LEAST_MATCHES:
            mask = seen[0]
            if (mask & view.mask).sum() >= LINK * (mask | view.mask).sum():
                return True
    return False


def search(views: Sequence[View], pictures: Pictures, shot: Shot) -> Sighting | None:
    """Look for an object in some frames of a shot.

    Args:
        views: What is known of it.
        pictures: The video.
        shot: Where to look.

    Returns:
        The surest sighting; None where there is no sure one.
    """
    found = [s for s in _sightings(views, pictures, shot) if s.evidence.is_sure]
    return max(found, key=lambda s: s.evidence.structure * s.evidence.matches, default=None)


def _sightings(views: Sequence[View], pictures: Pictures, shot: Shot) -> Iterator[Sighting]:
    places = np.linspace(shot.start, shot.stop - 1, LOOKS).round().astype(int)
    for frame in sorted({int(place) for place in places}):
        picture = shrink(next(iter(pictures.read(frame, frame + 1))), detail_size(pictures.size))
        details, lab = details_of(picture), lab_of(picture)
        for view in views:
            if (seen := compare(view, details, lab)) is not None:
                yield Sighting(frame, *seen)
