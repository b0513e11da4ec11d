"""True pixels for a hole from other frames of the shot, and how far they can be trusted.

Candidates are other frames seen through the camera's motion. Those before and those after the
target are mixed apart, each candidate by its nearness in time and by how well it matches around
the hole; then the two sides are joined, or the better one is taken where they contradict.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from remover.fill.align import Camera, warp
from remover.fill.frames import Float, Frame
from remover.fill.seam import Known
from remover.types import Rect

LADDER = (1, 2, 3, 4, 6, 9, 14, 22, 32)
"""Distances in time, in frames, at which candidates are taken first."""
REACH = 32
"""Frames to either side that are searched for pixels still without a source."""
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
AGREE = 30.0
"""Difference in levels up to which the two sides are mixed; beyond it one is leant to."""
TRUST = np.array(
    [[2.5, 3.5, 4.5, 5.5, 7, 10, 18, 30], [0.997, 0.956, 0.914, 0.837, 0.717, 0.547, 0.332, 0.06]]
)
"""Predicted error in levels, and the measured share of such pixels within 10 levels."""


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
        weight = seen / (distance * (1 + (error / np.float32(ERROR_SCALE)) ** 2))
        weight = weight.astype(np.float32, copy=False)
        self.colour += levels * weight[..., None]
        self.square += weight * levels.mean(axis=2) ** 2
        self.weight += weight
        self.error += weight * error
        self.count += seen & (error < MISFIT)
        np.minimum(self.nearest, distance, out=self.nearest, where=seen)
        np.minimum(self.best, error, out=self.best, where=seen)


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


def copy_frame(
    index: int,
    truth: Float,
    hole: Known,
    anchor: Known,
    rect: Rect,
    camera: Camera,
    near: Callable[[int], Frame | None],
    far: Iterable[Frame],
) -> Copied:
    """Gather what other frames show of ``rect``, the hole and the pixels around it.

    Args:
        index: The frame with the hole.
        truth: (h, w, 3) levels of that frame in ``rect``.
        hole: (h, w) pixels to find.
        anchor: (h, w) pixels that candidates are judged on.
        rect: Region of the frame.
        camera: Motion of the shot.
        near: Frame by index, None where it is not held.
        far: Frames of the shot beyond the near ones, asked only for pixels no near one shows.
    """
    height, width = rect.size
    before, after = empty_side(height, width), empty_side(height, width)

    def consider(source: Frame) -> None:
        matrix = None if camera.static else camera.between(source.index, index)
        levels, seen = warp(source, matrix, rect)
        error = error_around(truth, levels, seen & anchor)
        side = before if source.index < index else after
        side.add(levels, seen, error, abs(source.index - index))

    for sign, side in ((-1, before), (1, after)):
        for distance in LADDER:
            source = near(index + sign * distance)
            if source is None or side.count[hole].min(initial=ENOUGH) >= ENOUGH:
                break
            consider(source)
    for source in rest(index, near, far):
        if (before.count + after.count)[hole].min(initial=1) > 0:
            break
        consider(source)
    return join(rect, before, after)


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
    square = (gap * gap).sum(axis=2) / 3 * weight
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
    first = before.colour / np.maximum(before.weight, 1e-12)[..., None]
    second = after.colour / np.maximum(after.weight, 1e-12)[..., None]
    share = before.weight / safe
    both = (before.weight > 0) & (after.weight > 0)
    gap = np.where(both, np.abs(first - second).max(axis=2), 0).astype(np.float32)
    excess = np.maximum(cv2.blur(gap, (15, 15)) - np.float32(AGREE), 0)
    sharpness = 1 + excess / np.float32(AGREE)
    up, down = share**sharpness, (1 - share) ** sharpness
    share = np.where(both, up / np.maximum(up + down, 1e-12), share)[..., None]
    rgb = (first * share + second * (1 - share)).astype(np.float32)
    mean = (before.colour + after.colour).mean(axis=2) / safe
    spread = np.sqrt(np.maximum((before.square + after.square) / safe - mean**2, 0))
    error = (before.error + after.error) / safe
    nearest = np.minimum(before.nearest, after.nearest)
    count = before.count + after.count
    sure = confidence(error, spread, nearest, count)
    return Copied(rect, rgb, known, np.where(known, sure, 0).astype(np.float32))


def confidence(
    error: npt.NDArray[np.floating],
    spread: npt.NDArray[np.floating],
    nearest: npt.NDArray[np.floating],
    count: npt.NDArray[np.floating],
) -> Float:
    """Probability that a copied pixel is within 10 levels of the truth.

    A linear model in logarithms, fitted on clips with known truth, predicts the error; a table
    measured on the same clips turns it into a probability.

    Args:
        error: Weighted mean error of the sources around the hole, levels.
        spread: Weighted standard deviation between the candidates, levels.
        nearest: Frames to the nearest source.
        count: Number of sources.
    """
    distance = np.maximum(np.where(np.isfinite(nearest), nearest, REACH), 1)
    logarithm = 1.61 + 0.30 * np.log1p(error) + 0.60 * np.log1p(spread)
    logarithm -= 0.10 * np.log(distance) + 0.61 * np.log(np.maximum(count, 1))
    predicted = np.exp(logarithm) - 1
    return np.asarray(np.interp(predicted, TRUST[0], TRUST[1]), np.float32)
