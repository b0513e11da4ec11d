"""The shadows of a shot, frame by frame, in one pass over its pictures and bounded memory.

::

    pictures -> small -> change -> averaged, search -> vote -> steady -> shade
                  +-48              +-6                +-3      +-11       how far each looks
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from remover.fill.align import Camera
from remover.fill.darker import REACH, Change, Small, change, small
from remover.fill.frames import Float, load
from remover.fill.seam import Known
from remover.fill.shade import Shade
from remover.fill.shadow import Found, averaged, ceiling, gain, moved, search, shaped
from remover.fill.spread import ahead
from remover.masks import bounds
from remover.progress import Progress
from remover.types import Mask, Pictures, Shot

HALF = 6
"""Frames to either side over which changes of light are averaged."""
VOTE = 3
"""Frames to either side that have a say in whether a pixel is shadow."""
RUN = 12
"""Least number of frames in a row: what comes and goes sooner is no shadow."""
FADE = 4
"""Frames over which a shadow's light comes and goes where it was not found further."""

_Item = TypeVar("_Item")
_Voted = tuple[Found, Known]


def sliding(items: Iterable[_Item], radius: int) -> Iterator[tuple[_Item, list[_Item]]]:
    """Each item with those up to ``radius`` places before and after it, itself among them."""
    held: deque[_Item] = deque(maxlen=2 * radius + 1)
    source, place, ended = iter(items), -1, False
    while True:
        while not ended and len(held) - place - 1 <= radius:
            try:
                item = next(source)
            except StopIteration:
                ended = True
                break
            place -= len(held) == held.maxlen
            held.append(item)
        place += 1
        if place >= len(held):
            return
        yield held[place], list(held)[max(0, place - radius) : place + radius + 1]


def find(
    pictures: Pictures,
    hole: Callable[[int], Mask],
    part: Shot,
    camera: Camera,
    progress: Progress,
) -> Iterator[Shade]:
    """Find the shadow of the object in every frame of a part of a shot; reads its pictures once.

    Args:
        pictures: The video's.
        hole: Pixels of a frame (H, W) that the object hides.
        part: Frames to look at, all known to ``camera``.
        camera: Motion of the shot.
        progress: Advanced by one for every frame.

    Yields:
        What lights the shadow up, for each frame that has one, ascending.
    """
    smalls = _smalls(pictures, hole, part, progress)
    changes = ahead(lambda one: change(*one, camera), sliding(smalls, REACH))
    found = ahead(lambda one: _found(*one, camera), sliding(changes, HALF))
    voted = (_voted(now, near) for now, near in sliding(found, VOTE))
    for now, near in sliding(voted, RUN - 1):
        strength = 0.0 if now is None else steadiness(now, near)
        if now is not None and strength:
            shade = shaded(now, strength)
            if shade is not None:
                yield shade


def _smalls(
    pictures: Pictures, hole: Callable[[int], Mask], part: Shot, progress: Progress
) -> Iterator[Small]:
    for index, rgb in zip(range(*part), pictures.read(*part), strict=True):
        yield small(load(index, rgb, hole))
        progress.advance()


def _found(now: Change | None, near: Sequence[Change | None], camera: Camera) -> Found | None:
    if now is None:
        return None
    dark = averaged(now, [one for one in near if one is not None], camera)
    return None if dark is None else search(dark)


def _voted(now: Found | None, near: Sequence[Found | None]) -> _Voted | None:
    """The region that half of the frames around agree on in the object's frame."""
    if now is None:
        return None
    votes = [moved(one.change, now.change, one.region) for one in near if one is not None]
    region = (2 * np.sum(votes, axis=0) >= len(votes)) & ~now.change.hidden
    return (now, region) if region.any() else None


def steadiness(now: _Voted, near: Sequence[_Voted | None]) -> float:
    """0 where a shadow is not there for long enough, else 1, less near where it is lost.

    Args:
        now: The frame's.
        near: Those of the frames around, in order, ``now`` among them.
    """
    place = next(i for i, one in enumerate(near) if one is now)
    first = last = place
    while first > 0 and near[first - 1] is not None:
        first -= 1
    while last + 1 < len(near) and near[last + 1] is not None:
        last += 1
    if last - first + 1 < RUN:
        return 0.0
    ends = [place - first] if first > 0 else []
    ends += [last - place] if last + 1 < len(near) else []
    return min([1.0, *((end + 1) / (FADE + 1) for end in ends)])


def shaded(now: _Voted, strength: float) -> Shade | None:
    """What lights a shadow up."""
    found, region = now
    there = found.change
    light: Float = gain(found, shaped(found, region)) * np.float32(strength)
    inner = bounds(light.max(axis=2) > 0)
    if inner is None:
        return None
    return Shade(
        there.index,
        inner.moved(there.rect.top, there.rect.left),
        light[inner.slices].astype(np.float16),
        ceiling(found)[inner.slices].astype(np.float16),
        there.scale,
        there.travel,
    )
