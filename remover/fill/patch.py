"""Pixels that no frame shows: painted once on a key frame, carried along the camera's motion.

The painter is PatchMatch inpainting (Barnes et al., SIGGRAPH 2009; Wexler et al., PAMI 2007)
from the ``patchmatch`` library, with a smooth membrane where its compiled part is missing. It
paints in more than one way where somebody can judge which one looks best.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
from patchmatch import patch_match

from remover.fill.frames import Float, to_bytes
from remover.fill.seam import Known, level_rim, membrane
from remover.masks import bounds
from remover.types import Rect, Size

ROWS_WEIGHT = 0.25
"""Weight of the rows of two patches against their difference, where rows count."""
SPECK = 64
"""A group of missing pixels smaller than this is filled smoothly."""
NEUTRAL = 128.0
"""Level of a picture of which nothing is known."""
LARGEST = 1_000_000
"""Pixels of a picture that is painted at full size; a larger one is painted smaller: the
painter takes some 400 bytes and 10 microseconds a pixel."""
SURROUND = 48
"""Pixels around the invented ones that a key keeps, to be followed and matched on where it is
laid."""

PAINTER = "patchmatch" if patch_match.patchmatch_available else "membrane"
"""What paints on this machine."""
PAINTER_LICENCE = "MIT" if PAINTER == "patchmatch" else "Apache-2.0"
"""Licence of what paints: the library's, or our own."""

# The library's seed is process-wide: seeding and painting are one step.
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Brush:
    """One way to paint."""

    radius: int = 5
    """Radius of the compared patches, in pixels."""
    keeps_rows: bool = False
    """Whether what is taken from the same height is preferred: kerbs, lanes and shelves run on."""
    handicap: float = 0.0
    """How much better than the plain brush it must look to be taken."""


PLAIN, FINE, ROWS = Brush(), Brush(radius=3, handicap=0.01), Brush(keeps_rows=True)

Judge = Callable[[npt.NDArray[np.uint8], Known], float]
"""Says of a picture (h, w, 3) how foreign what was invented (h, w) looks in it."""


@dataclass(frozen=True, slots=True)
class Painted:
    """The part of a key frame that was painted, with a margin of what lies around it."""

    index: int
    rect: Rect
    rgb: npt.NDArray[np.uint8] = field(repr=False)
    """(h, w, 3) levels."""
    shown: npt.NDArray[np.uint8] = field(repr=False)
    """(h, w): 255 where they mean something, 0 where nothing may be taken from."""
    invented: npt.NDArray[np.uint8] = field(repr=False)
    """(h, w): 255 where they were painted, 0 where they were known."""

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.rgb.nbytes + self.shown.nbytes + self.invented.nbytes


def paint(
    rgb: Float, known: Known, seed: int, barred: Known | None = None, brush: Brush = PLAIN
) -> Float:
    """Invent the unknown pixels of a picture.

    Args:
        rgb: (h, w, 3) levels.
        known: (h, w) pixels that are given.
        seed: Any integer; the same picture, seed and brush give the same pixels.
        barred: (h, w) known pixels that nothing is taken from.
        brush: How.

    Returns:
        (h, w, 3) levels; known pixels keep their values.
    """
    if known.all():
        return rgb
    given = known if barred is None else known & ~barred
    if not given.any():
        return np.where(known[..., None], rgb, np.float32(NEUTRAL))
    start = membrane(rgb, given)
    if PAINTER == "membrane" or min(known.shape) <= 2 * brush.radius:
        return np.where(known[..., None], rgb, start)
    if known.size > LARGEST:
        factor = 0.99 * (LARGEST / known.size) ** 0.5
        made = paint_reduced(start, known, given, seed, factor, brush)
        return np.where(known[..., None], rgb, made)
    shut = None if given is known else known & ~given
    with _LOCK:
        patch_match.set_random_seed(seed)
        if brush.keeps_rows:
            made = patch_match.inpaint_regularity(
                to_bytes(start),
                ~known,
                heights(*known.shape),
                global_mask=shut,
                patch_size=brush.radius,
                guide_weight=ROWS_WEIGHT,
            )
        else:
            made = patch_match.inpaint(
                to_bytes(start), ~known, global_mask=shut, patch_size=brush.radius
            )
    return np.where(known[..., None], rgb, made.astype(np.float32))


def heights(height: int, width: int) -> Float:
    """(h, w, 3): how far down each pixel lies, 0 to 1, in the first channel."""
    found = np.zeros((height, width, 3), np.float32)
    found[..., 0] = (np.arange(height, dtype=np.float32) / np.float32(height))[:, None]
    return found


def paint_reduced(
    start: Float, known: Known, given: Known, seed: int, factor: float, brush: Brush = PLAIN
) -> Float:
    """Paint a picture that is too large at a smaller size and enlarge what was invented."""
    height, width = known.shape
    size = (max(1, int(width * factor)), max(1, int(height * factor)))
    small = np.asarray(cv2.resize(start, size, interpolation=cv2.INTER_AREA), np.float32)
    hidden = cv2.resize((~known).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    shut = cv2.resize((~given).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    made = paint(small, ~hidden, seed, None if given is known else shut & ~hidden, brush)
    large = cv2.resize(made, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.where(known[..., None], start, large.astype(np.float32))


def paint_best(
    rgb: Float, known: Known, seed: int, barred: Known | None, judge: Judge | None
) -> Float:
    """Paint in every way and take what looks best; as ``paint``.

    Without a judge the plain brush paints.
    """
    given = known if barred is None else known & ~barred
    if judge is None or PAINTER == "membrane" or not given.any():
        return paint(rgb, known, seed, barred)
    best, least = rgb, np.inf
    for brush in (PLAIN, FINE, ROWS):
        made = paint(rgb, known, seed, barred, brush)
        cost = judge(to_bytes(made), ~known) + brush.handicap
        if cost < least:
            best, least = made, cost
    return best


def paint_key(
    index: int,
    rect: Rect,
    rgb: Float,
    known: Known,
    seed: int,
    barred: Known | None = None,
    judge: Judge | None = None,
) -> Painted:
    """Paint the missing pixels of a region of a key frame from what lies around them.

    Args:
        index: The key frame.
        rect: The region of it, with enough context around what is missing.
        rgb: (h, w, 3) levels of the region.
        known: (h, w); False at least once.
        seed: As for ``paint``.
        barred: As for ``paint``; the key does not show these pixels either.
        judge: Decides between ways to paint; None is the plain one.
    """
    missing = bounds(~known)
    assert missing is not None
    size = Size(*known.shape)
    cut = missing.grown(max(SURROUND, max(missing.size) // 2), size)
    shut = np.zeros_like(known) if barred is None else barred
    part = shut[cut.slices] if shut.any() else None
    made = paint_best(rgb[cut.slices], known[cut.slices], seed, part, judge)
    made = level_rim(made, (known & ~shut)[cut.slices], ~known[cut.slices])
    kept = missing.grown(SURROUND, size)
    inner = kept.moved(-cut.top, -cut.left)
    shown = np.where(shut[kept.slices], 0, 255).astype(np.uint8)
    place = kept.moved(rect.top, rect.left)
    invented = np.where(known[kept.slices], 0, 255).astype(np.uint8)
    return Painted(index, place, to_bytes(made[inner.slices]), shown, invented)
