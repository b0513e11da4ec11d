"""True pixels for a hole from other frames of the shot, and how far they can be trusted.

Candidates are other frames seen through the camera's motion. Those before and those after the
target are mixed apart, each candidate by its nearness in time and by how well it matches around
the hole; then the two sides are joined, or the better one is taken where they contradict.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from remover.fill.align import Camera, visible, warp
from remover.fill.confidence import confidence, texture_of
from remover.fill.flow import Field, grid, sampled
from remover.fill.frames import Float, Frame, disk, largest, mean_level, thrice
from remover.fill.seam import Known
from remover.fill.trace import look, shows, trace, within
from remover.types import Rect

LADDER = (1, 2, 3, 4, 6, 9, 14, 22, 32)
"""Distances in time, in frames, at which candidates are taken first."""
REACH = 32
"""Frames to either side that are searched for pixels still without a source."""
FLOW_LADDER = (1, 2, 4, 8, 16)
"""The same along dense motion."""
SLACK = 2
"""Pixels around those that the camera's motion brings in where dense motion is believed, too."""
LEAST_NEW = 0.02
"""Share of the pixels that still want sources which a candidate must show to be looked at."""
LAYER_AGREES, LAYER_BOX = 12.0, 7
"""Levels up to which both sides agree on a moving thing, and the box that is judged."""
BEHIND = 0.05
"""Weight of what lies behind such a thing."""
ENOUGH = 3
"""Sources of one side after which more of that side are not looked at."""
MARGIN = 28
"""Pixels around the hole that candidates are judged on."""
ERROR_SCALE = 3.0
"""Error around the hole, in levels, that halves a candidate's weight."""
BLOCK = 4
"""Errors are measured on blocks of this size: they are smooth anyway."""
NEAR_BOX, FAR_BOX = 9, 33
"""Sides, in blocks, of the boxes that errors are averaged over: near first, then far."""
MISFIT = 25.0
"""Error around the hole, in levels, from which a candidate shows something else: it does not end
the search."""
HOPELESS = 60.0
"""Error around the hole, in levels, from which a candidate is no source: a pixel that only such
ones show counts as never seen."""
UNKNOWN_ERROR = 20.0
"""Error in levels of a candidate that shares no visible pixel with the target."""
EDGE = 4.0
"""Pixels from where a candidate ends up to which it counts less."""
AGREE = 30.0
"""Difference in levels up to which the two sides are mixed; beyond it one is leant to."""


@dataclass(slots=True)
class Side:
    """Running sums over the candidates of one side (before or after the target)."""

    colour: Float = field(repr=False)
    """(h, w, 3): sum of weight times levels."""
    square: Float = field(repr=False)
    """(h, w): sum of weight times squared mean level."""
    weight: Float = field(repr=False)
    error: Float = field(repr=False)
    """(h, w): sum of weight times the error around the hole."""
    count: Float = field(repr=False)
    nearest: Float = field(repr=False)
    """(h, w): frames to the nearest candidate that shows the pixel; infinite if none does."""
    best: Float = field(repr=False)
    """(h, w): least error around the hole of a candidate that shows it; infinite if none does."""

    def add(self, levels: Float, seen: Known, error: Float, distance: int) -> None:
        """Take one more candidate in."""
        weight = inwards(seen) / (distance * (1 + (error / np.float32(ERROR_SCALE)) ** 2))
        weight = weight.astype(np.float32, copy=False)
        self.colour += levels * thrice(weight)
        self.square += weight * mean_level(levels) ** 2
        self.weight += weight
        self.error += weight * error
        self.count += seen & (error < MISFIT)
        np.minimum(self.nearest, distance, out=self.nearest, where=seen)
        np.minimum(self.best, error, out=self.best, where=seen)

    @property
    def levels(self) -> Float:
        """(h, w, 3): weighted mean of the candidates."""
        return np.asarray(self.colour / thrice(np.maximum(self.weight, 1e-12)), np.float32)

    def weigh(self, where: Known, factor: float) -> None:
        """Let the candidates count for more or less in some pixels (h, w); 0 forgets them."""
        for total in (self.colour, self.square, self.weight, self.error):
            total[where] *= np.float32(factor)
        if factor == 0:
            self.count[where] = 0
            self.nearest[where] = self.best[where] = np.inf

    def merge(self, other: "Side") -> None:
        """Take all candidates of another side in."""
        self.colour += other.colour
        self.square += other.square
        self.weight += other.weight
        self.error += other.error
        self.count += other.count
        np.minimum(self.nearest, other.nearest, out=self.nearest)
        np.minimum(self.best, other.best, out=self.best)


def inwards(seen: Known) -> Float:
    """How much a candidate counts (h, w): less near where it ends, 0 where it shows nothing.

    There others take over without an edge, and what of its own object the mask has left out counts
    less. What nothing else shows comes whole, since only the shares of candidates matter.
    """
    depth = cv2.distanceTransform(seen.astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(np.minimum(depth / np.float32(EDGE), 1), np.float32)


def empty_side(height: int, width: int) -> Side:
    """A side without candidates."""
    square, weight, error, count = np.zeros((4, height, width), np.float32)
    nearest, best = np.full((2, height, width), np.inf, np.float32)
    colour = np.zeros((height, width, 3), np.float32)
    return Side(colour, square, weight, error, count, nearest, best)


@dataclass(frozen=True, slots=True)
class Copied:
    """What other frames show of the region ``rect`` of a target frame."""

    rect: Rect
    rgb: Float = field(repr=False)
    """(h, w, 3) levels; meaningful where ``known``."""
    known: Known = field(repr=False)
    confidence: Float = field(repr=False)
    """(h, w): probability that the pixel is within 10 levels of the truth."""


@dataclass(frozen=True, slots=True)
class Target:
    """The region ``rect`` of a frame, with the hole that is to be found."""

    index: int
    rect: Rect
    truth: Float = field(repr=False)
    """(h, w, 3) levels."""
    hole: Known = field(repr=False)
    anchor: Known = field(repr=False)
    """(h, w): pixels that candidates are judged on."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where true pixels may come from."""

    camera: Camera
    near: Callable[[int], Frame | None] = field(repr=False)
    """Frame by index, None where it is not held."""
    far: Sequence[Frame] = field(repr=False)
    """Frames of the shot beyond the near ones, asked only for pixels no near one shows."""
    before: Mapping[int, Field] = field(repr=False)
    """Dense motion of frames to the one before each."""
    after: Mapping[int, Field] = field(repr=False)
    """The same to the next one."""
    scale: tuple[float, float] = (1, 1)
    """Pixels of the frames for one of those, along x and y."""


def copy_frame(target: Target, sources: Sources) -> Copied:
    """Gather what other frames show of a target, its hole and the pixels around it."""
    height, width = target.rect.size
    still, moving = ({sign: empty_side(height, width) for sign in (-1, 1)} for _ in range(2))
    _by_camera(target, sources, still)
    shown = target.hole & (still[-1].weight + still[1].weight > 0)
    shown = np.asarray(cv2.dilate(shown.astype(np.uint8), disk(SLACK)) > 0)
    expected = moving_layer(target, sources)
    _by_flow(target, sources, moving, shown | expected)
    agreed = expected & agreement(moving[-1], moving[1])
    for sign, side in still.items():
        moving[sign].weigh(expected & ~agreed & ~shown, 0)
        side.weigh(agreed, BEHIND)
        side.merge(moving[sign])
    return join(target.rect, still[-1], still[1])


def moving_layer(target: Target, sources: Sources) -> Known:
    """Where (h, w) something that moves is hidden, as frames before and frames after tell."""
    expected = target.hole.copy()
    for fields in (sources.before, sources.after):
        step = fields.get(target.index)
        if step is None or step.hidden is None:
            return np.zeros_like(expected)
        expected &= hidden_at(step, target.rect, sources.scale)
    return expected


def agreement(before: Side, after: Side) -> Known:
    """Where (h, w) both sides show something, and the same."""
    both = ((before.weight > 0) & (after.weight > 0)).astype(np.float32)
    box = (LAYER_BOX, LAYER_BOX)
    gap = cv2.blur(largest(np.abs(before.levels - after.levels)) * both, box)
    return np.asarray((both > 0) & (gap < LAYER_AGREES * cv2.blur(both, box)))


def hidden_at(step: Field, rect: Rect, scale: tuple[float, float]) -> Known:
    """Where (h, w) of a frame's rectangle something is hidden, as a field at its own size tells."""
    assert step.hidden is not None
    inner = within(grid(rect), scale, step.rect)
    return np.asarray(sampled(step.hidden.astype(np.uint8), inner, cv2.INTER_NEAREST, 0) > 0)


def _by_camera(target: Target, sources: Sources, sides: Mapping[int, Side]) -> None:
    """Add what frames show through the camera's motion."""
    index, hole, camera = target.index, target.hole, sources.camera

    def consider(source: Frame, wanted: Known) -> None:
        matrix = None if camera.static else camera.between(source.index, index)
        seen = visible(source, matrix, target.rect)
        if is_worth(seen, wanted):
            add(target, sides, warp(source, matrix, target.rect), seen, source.index)

    for sign, side in sides.items():
        for distance in LADDER:
            source = sources.near(index + sign * distance)
            wanted = hole & (side.count < ENOUGH)
            if source is None or not wanted.any():
                break
            consider(source, wanted)
    for source in rest(index, sources.near, sources.far):
        wanted = hole & (sides[-1].count + sides[1].count == 0)
        if not wanted.any():
            break
        consider(source, wanted)


def _by_flow(target: Target, sources: Sources, sides: Mapping[int, Side], where: Known) -> None:
    """Add what frames show along the dense motion, of the pixels ``where``."""
    for sign, fields in ((-1, sources.before), (1, sources.after)):
        count = np.zeros(target.hole.shape, np.uint8)
        ways = trace(target.index, target.rect, fields.get, sign, FLOW_LADDER[-1], sources.scale)
        for place, places in ways:
            source = sources.near(place)
            wanted = target.hole & where & (count < ENOUGH)
            if source is None or not wanted.any():
                break
            if abs(place - target.index) not in FLOW_LADDER:
                continue
            seen = shows(source, places)
            if is_worth(seen, wanted):
                count += seen
                add(target, sides, look(source, places), seen, place, where)


def is_worth(seen: Known, wanted: Known) -> bool:
    """Whether a candidate shows enough of what is wanted to be looked at."""
    return bool(np.count_nonzero(seen & wanted) > LEAST_NEW * np.count_nonzero(wanted))


def add(
    target: Target,
    sides: Mapping[int, Side],
    levels: Float,
    seen: Known,
    place: int,
    where: Known | None = None,
) -> None:
    """Judge a candidate around the hole and take it in, of the pixels ``where`` if given."""
    error = error_around(target.truth, levels, seen & target.anchor)
    kept = seen if where is None else seen & where
    side = sides[1 if place > target.index else -1]
    side.add(levels, kept, error, abs(place - target.index))


def rest(index: int, near: Callable[[int], Frame | None], far: Iterable[Frame]) -> Iterator[Frame]:
    """Frames that the ladder left out: every other near one outwards, then the far ones."""
    for distance in range(5, REACH + 1, 2):
        for place in (index - distance, index + distance):
            source = near(place) if distance not in LADDER else None
            if source is not None:
                yield source
    yield from sorted(far, key=lambda frame: (abs(frame.index - index), frame.index))


def error_around(truth: Float, levels: Float, both: Known) -> Float:
    """Root mean square difference near each pixel, over pixels visible in both pictures.

    Where no such pixel is near, those further away count, and at last all of them.
    """
    height, width = both.shape
    size = (max(1, -(-width // BLOCK)), max(1, -(-height // BLOCK)))
    weight = both.astype(np.float32)
    gap = truth - levels
    square = mean_level(gap * gap) * weight
    weight = np.asarray(cv2.resize(weight, size, interpolation=cv2.INTER_AREA), np.float32)
    square = np.asarray(cv2.resize(square, size, interpolation=cv2.INTER_AREA), np.float32)
    total = float(weight.sum())
    whole = float(square.sum()) / total if total > 0 else UNKNOWN_ERROR**2
    mean = np.full_like(weight, whole)
    for box in (FAR_BOX, NEAR_BOX):
        near = cv2.boxFilter(weight, -1, (box, box), borderType=cv2.BORDER_CONSTANT)
        sums = cv2.boxFilter(square, -1, (box, box), borderType=cv2.BORDER_CONSTANT)
        enough = near * (box * box) > 2.0
        mean = np.where(enough, sums / np.maximum(near, 1e-6), mean)
    root = np.sqrt(np.maximum(mean, 0)).astype(np.float32)
    smooth = cv2.resize(root, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(smooth, np.float32)


def join(rect: Rect, before: Side, after: Side) -> Copied:
    """Mix the two sides where they agree, lean to the more trusted one where they do not."""
    weight = before.weight + after.weight
    known = np.minimum(before.best, after.best) < HOPELESS
    safe = np.maximum(weight, 1e-12)
    first, second = before.levels, after.levels
    share = before.weight / safe
    both = (before.weight > 0) & (after.weight > 0)
    gap = np.where(both, largest(np.abs(first - second)), 0).astype(np.float32)
    excess = np.maximum(cv2.blur(gap, (15, 15)) - np.float32(AGREE), 0)
    sharpness = 1 + excess / np.float32(AGREE)
    up, down = share**sharpness, (1 - share) ** sharpness
    share = thrice(np.where(both, up / np.maximum(up + down, 1e-12), share))
    rgb = (first * share + second * (1 - share)).astype(np.float32)
    mean = mean_level(before.colour + after.colour) / safe
    spread = np.sqrt(np.maximum((before.square + after.square) / safe - mean**2, 0))
    error = (before.error + after.error) / safe
    nearest = np.minimum(before.nearest, after.nearest)
    count = before.count + after.count
    sure = confidence(error, spread, nearest, count, texture_of(rgb, known))
    return Copied(rect, rgb, known, np.where(known, sure, 0).astype(np.float32))
