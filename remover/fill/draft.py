"""A frame on its way: what is known so far of the region around its hole."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from remover.fill.frames import Float, Frame, levels_scale
from remover.fill.patch import Painted
from remover.fill.seam import Known, membrane
from remover.fill.shade import Ground
from remover.masks import bounds
from remover.types import COPIED, PAINTED, RELIT, UNTOUCHED, Patch, Rect, Shot, Size


@dataclass(slots=True)
class Draft:
    """Everything known so far of the region around a frame's hole."""

    frame: Frame
    rect: Rect
    hole: Known = field(repr=False)
    copied: Known = field(repr=False)
    confidence: Float = field(repr=False)
    """(h, w): that of the copied pixels."""
    rgb: Float = field(repr=False)
    """(h, w, 3) levels: true pixels outside the hole, fill inside as far as ``known``."""
    known: Known = field(repr=False)
    painted: Known = field(repr=False)
    """(h, w): filled by a network, and open to a newer version of its next window."""
    ground: Ground | None = field(default=None, repr=False)
    """What lies around, lit without the object; None where nothing is in its shadow."""

    @property
    def barred(self) -> Known:
        """(h, w): pixels outside the hole that nothing is taken from."""
        return ~self.hole & (self.frame.barred[self.rect.slices] > 0)

    @property
    def missing(self) -> int:
        """Number of pixels that nothing fills yet."""
        return int(self.known.size - np.count_nonzero(self.known))


@dataclass(frozen=True, slots=True)
class Take:
    """Frames that are painted together."""

    frames: Shot
    """All that are shown to the network."""
    frame: Callable[[int], Frame] = field(repr=False)
    drafts: Mapping[int, Draft] = field(repr=False)
    """Those of the frames that have a hole."""

    @property
    def size(self) -> Size:
        """Of the pictures."""
        return self.frame(self.frames.start).size

    def part(self, start: int, stop: int) -> "Take":
        """The same of fewer frames."""
        drafts = {i: item for i, item in self.drafts.items() if start <= i < stop}
        return Take(Shot(start, stop), self.frame, drafts)


def smooth(item: Draft) -> None:
    """Fill what is missing by continuing its surroundings smoothly."""
    if item.missing:
        given = item.known & ~item.barred
        item.rgb = membrane(item.rgb, given if given.any() else item.known)
        item.known = np.ones_like(item.known)


def finish(item: Draft) -> Patch:
    """The patch of a finished draft, in the picture's own levels."""
    tight = bounds(item.hole)
    assert tight is not None
    hole, copied = item.hole[tight.slices], item.copied[tight.slices]
    origin = np.where(hole, np.where(copied, COPIED, PAINTED), UNTOUCHED).astype(np.uint8)
    sure = np.where(origin == COPIED, item.confidence[tight.slices], 0).astype(np.float32)
    levels = item.rgb[tight.slices]
    if item.ground is not None:
        share = item.ground.share[tight.slices]
        levels = levels + share[..., None] * (item.ground.levels[tight.slices] - levels)
        origin[hole & (share >= 1)] = RELIT
        sure[origin == RELIT] = 0
    rgb = levels / np.float32(levels_scale(item.frame.rgb))
    rect = tight.moved(item.rect.top, item.rect.left)
    return Patch(item.frame.index, rect, rgb, origin, sure)


@dataclass(frozen=True, slots=True)
class Carried:
    """A frame that one window has filled and the next one finishes."""

    index: int
    rect: Rect
    rgb: Float = field(repr=False)
    """(h, w, 3) levels."""
    copied: Known = field(repr=False)
    confidence: Float = field(repr=False)
    painted: Known = field(repr=False)

    @classmethod
    def of(cls, item: Draft) -> "Carried":
        """What is kept of a draft that is filled."""
        return cls(
            item.frame.index, item.rect, item.rgb, item.copied, item.confidence, item.painted
        )

    def resumed(self, frame: Frame) -> Draft:
        """The draft again."""
        hole = frame.hole[self.rect.slices] > 0
        known = np.ones_like(hole)
        rgb, copied = self.rgb.copy(), self.copied
        return Draft(frame, self.rect, hole, copied, self.confidence, rgb, known, self.painted)


class Limits(NamedTuple):
    """What a window of a network may take; lowered where memory runs out."""

    frames: int
    """1 + 4k."""
    pixels: int
    """Of a crop at its working size."""


@dataclass(frozen=True, slots=True)
class Left:
    """What the windows of a shot leave for those that come after them."""

    painted: tuple[Painted, ...] = ()
    """Keys painted so far that later windows may show again."""
    carried: tuple[Carried, ...] = ()
    """Frames beyond the last window that are filled, for the next one to finish."""
    limits: Limits | None = None
    """What a network's windows may take from here on; None where none paints."""


def to_arrays(carried: Sequence[Carried]) -> dict[str, Any]:
    """Carried frames as named arrays; the inverse of ``from_arrays``."""
    found: dict[str, Any] = {}
    for number, item in enumerate(carried):
        found[f"carried{number}"] = np.array([item.index, *item.rect])
        found[f"fill{number}"], found[f"sure{number}"] = item.rgb, item.confidence
        found[f"origin{number}"] = np.stack([item.copied, item.painted])
    return found


def from_arrays(arrays: Mapping[str, Any]) -> tuple[Carried, ...]:
    """Carried frames from named arrays, among which there may be others."""
    return tuple(_carried(arrays))


def _carried(arrays: Mapping[str, Any]) -> Iterator[Carried]:
    number = 0
    while f"carried{number}" in arrays:
        index, *rect = (int(value) for value in arrays[f"carried{number}"])
        copied, painted = arrays[f"origin{number}"]
        rgb, sure = arrays[f"fill{number}"], arrays[f"sure{number}"]
        yield Carried(index, Rect(*rect), rgb, copied, sure, painted)
        number += 1
