"""The fill of an interlaced shot: two fills, one for each field, that share what is painted.

A field is a picture of half the height at an instant of its own. Pixels are copied between fields
of the same lines alone: they sample the scene at the same places. What is invented is painted on
one field and seen from the other one, half a frame and half a line away, so both show the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice

import numpy as np

from remover.fill.align import Camera, Matrix
from remover.fill.carry import carry
from remover.fill.draft import Left
from remover.fill.engine import ShotFill, forget
from remover.fill.frames import to_bytes
from remover.fill.patch import Painted
from remover.types import Patch, Rect, Window


def between_fields(camera: Camera, index: int, earlier: int) -> Matrix:
    """Matrix that takes pixels of the earlier field of a frame to its later one.

    Args:
        camera: Motion of the earlier fields.
        index: The frame.
        earlier: Parity of the earlier field.

    Returns:
        Half of the step to the next frame (or from the last one), and half a line.
    """
    half = np.eye(3)
    if not camera.static and len(camera.steps):
        place = min(max(index - camera.first, 0), len(camera.steps) - 1)
        half = (half + camera.steps[place]) / 2
    line = np.eye(3)
    line[1, 2] = -0.5 if earlier == 0 else 0.5
    return np.asarray(line @ half, np.float64)


def seen_from_other(key: Painted, matrix: Matrix) -> Painted:
    """A painted key of a field as the other field of its frame sees it."""
    rgb, usable, true = carry(key, matrix, key.rect)
    shown = usable.astype(np.uint8) * np.uint8(255)
    invented = (usable & ~true).astype(np.uint8) * np.uint8(255)
    return Painted(key.index, key.rect, to_bytes(rgb), shown, invented)


class FieldFill:
    """Fills the holes of an interlaced shot, window after window.

    Attributes:
        painted: Keys painted so far, of both fields, oldest first; twice the frame's index and the
            parity tell a key's field.
    """

    def __init__(self, fills: Sequence[ShotFill], camera: Camera, earlier: int, left: Left) -> None:
        """Take a fill for each parity.

        Args:
            fills: Of the fields of parity 0 and 1, with nothing painted yet.
            camera: Motion of the earlier fields.
            earlier: Their parity.
            left: What the windows before the first one to fill have left.
        """
        self.painted = list(left.painted)
        self._fills, self._camera, self._earlier = fills, camera, earlier

    def fill(self, window: Window) -> Iterator[Patch]:
        """Fill a window, as ``ShotFill.fill`` does."""
        for parity, one in enumerate(self._fills):
            one.painted[:] = [_own(key) for key in self.painted if key.index % 2 == parity]
        order = (self._earlier, 1 - self._earlier)
        patches: dict[int, Iterator[Patch]] = {}
        made: list[Painted] = []
        for parity in order:
            one, before = self._fills[parity], list(self._fills[parity].painted)
            if parity != self._earlier:
                one.painted += [self._seen_later(key) for key in made]
            patches[parity] = _begun(one.fill(window))
            made = [key for key in one.painted if not any(key is old for old in before)]
            self.painted += [replace(key, index=2 * key.index + parity) for key in made]
        forget(self.painted)
        yield from merged(patches[0], patches[1])

    def _seen_later(self, key: Painted) -> Painted:
        return seen_from_other(key, between_fields(self._camera, key.index, self._earlier))

    @property
    def left(self) -> Left:
        """What a fill needs that goes on after the last window."""
        return Left(tuple(self.painted))


def _own(key: Painted) -> Painted:
    """A key of a field as its fill knows it."""
    return replace(key, index=key.index // 2)


def _begun(patches: Iterator[Patch]) -> Iterator[Patch]:
    """The same patches; all of them are filled already, and none is finished but the first."""
    head = list(islice(patches, 1))
    return chain(head, patches)


def merged(first: Iterable[Patch], second: Iterable[Patch]) -> Iterator[Patch]:
    """Patches of frames from those of their fields, of parity 0 and 1, each in ascending order."""
    sides = iter(first), iter(second)
    heads = [next(side, None) for side in sides]
    while any(head is not None for head in heads):
        index = min(head.index for head in heads if head is not None)
        parts: list[Patch | None] = [None, None]
        for parity in (0, 1):
            head = heads[parity]
            if head is not None and head.index == index:
                parts[parity] = head
                heads[parity] = next(sides[parity], None)
        yield _woven(index, parts)


def _woven(index: int, parts: Sequence[Patch | None]) -> Patch:
    rect = _around([(parity, part.rect) for parity, part in enumerate(parts) if part is not None])
    rgb = np.zeros((*rect.size, 3), np.float32)
    origin = np.zeros(rect.size, np.uint8)
    sure = np.zeros(rect.size, np.float32)
    for parity, part in enumerate(parts):
        if part is None:
            continue
        down, right = 2 * part.rect.top + parity - rect.top, part.rect.left - rect.left
        place = (
            slice(down, down + 2 * part.rect.size.height - 1, 2),
            slice(right, right + part.rect.size.width),
        )
        rgb[place], origin[place], sure[place] = part.rgb, part.origin, part.confidence
    return Patch(index, rect, rgb, origin, sure)


def _around(parts: Sequence[tuple[int, Rect]]) -> Rect:
    """The smallest rectangle of the frame that holds rectangles of its fields."""
    tops, bottoms = zip(
        *((2 * r.top + parity, 2 * r.bottom - 1 + parity) for parity, r in parts), strict=True
    )
    return Rect(
        min(tops), min(r.left for _, r in parts), max(bottoms), max(r.right for _, r in parts)
    )
