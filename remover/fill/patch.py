"""Pixels that no frame shows: painted once on a key frame, carried along the camera's motion.

The painter is PatchMatch inpainting (Barnes et al., SIGGRAPH 2009; Wexler et al., PAMI 2007)
from the ``patchmatch`` library, with a smooth membrane where its compiled part is missing.
"""

import threading
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
from patchmatch import patch_match

from remover.fill.align import Matrix
from remover.fill.frames import Float, to_bytes
from remover.fill.seam import Known, match_seam, membrane
from remover.masks import bounds
from remover.types import Rect, Size

RADIUS = 5
"""Radius of the compared patches, in pixels."""
SPECK = 64
"""A group of missing pixels smaller than this is filled smoothly."""
NEUTRAL = 128.0
"""Level of a picture of which nothing is known."""
LARGEST = 1_000_000
"""Pixels of a picture that is painted at full size; a larger one is painted smaller: the
painter takes some 400 bytes and 10 microseconds a pixel."""
SURROUND = 16
"""Pixels around the invented ones that a key keeps, to be matched on where it is laid."""

PAINTER = "patchmatch" if patch_match.patchmatch_available else "membrane"
"""What paints on this machine."""
PAINTER_LICENCE = "MIT" if PAINTER == "patchmatch" else "Apache-2.0"
"""Licence of what paints: the library's, or our own."""

# The library's seed is process-wide: seeding and painting are one step.
_LOCK = threading.Lock()


@dataclass(frozen=True, slots=True)
class Painted:
    """The part of a key frame that was painted, with a margin of what lies around it."""

    index: int
    rect: Rect
    rgb: npt.NDArray[np.uint8] = field(repr=False)
    """(h, w, 3) levels."""
    shown: npt.NDArray[np.uint8] = field(repr=False)
    """(h, w): 255 where they mean something, 0 where nothing may be taken from."""


def paint(rgb: Float, known: Known, seed: int, barred: Known | None = None) -> Float:
    """Invent the unknown pixels of a picture.

    Args:
        rgb: (h, w, 3) levels.
        known: (h, w) pixels that are given.
        seed: Any integer; the same picture and seed give the same pixels.
        barred: (h, w) known pixels that nothing is taken from.

    Returns:
        (h, w, 3) levels; known pixels keep their values.
    """
    if known.all():
        return rgb
    given = known if barred is None else known & ~barred
    if not given.any():
        return np.where(known[..., None], rgb, np.float32(NEUTRAL))
    start = membrane(rgb, given)
    if PAINTER == "membrane" or min(known.shape) <= 2 * RADIUS:
        return np.where(known[..., None], rgb, start)
    if known.size > LARGEST:
        made = paint_reduced(start, known, given, seed, 0.99 * (LARGEST / known.size) ** 0.5)
        return np.where(known[..., None], rgb, made)
    with _LOCK:
        patch_match.set_random_seed(seed)
        made = patch_match.inpaint(
            to_bytes(start),
            ~known,
            global_mask=None if given is known else known & ~given,
            patch_size=RADIUS,
        ).astype(np.float32)
    return np.where(known[..., None], rgb, made)


def paint_reduced(start: Float, known: Known, given: Known, seed: int, factor: float) -> Float:
    """Paint a picture that is too large at a smaller size and enlarge what was invented."""
    height, width = known.shape
    size = (max(1, int(width * factor)), max(1, int(height * factor)))
    small = np.asarray(cv2.resize(start, size, interpolation=cv2.INTER_AREA), np.float32)
    hidden = cv2.resize((~known).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    shut = cv2.resize((~given).astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    made = paint(small, ~hidden, seed, None if given is known else shut & ~hidden)
    large = cv2.resize(made, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.where(known[..., None], start, large.astype(np.float32))


def paint_key(
    index: int, rect: Rect, rgb: Float, known: Known, seed: int, barred: Known | None = None
) -> Painted:
    """Paint the missing pixels of a region of a key frame from a context as large as they.

    Args:
        index: The key frame.
        rect: The region of it, with enough context around what is missing.
        rgb: (h, w, 3) levels of the region.
        known: (h, w); False at least once.
        seed: As for ``paint``.
        barred: As for ``paint``; the key does not show these pixels either.
    """
    missing = bounds(~known)
    assert missing is not None
    size = Size(*known.shape)
    cut = missing.grown(max(SURROUND, *missing.size), size)
    shut = np.zeros_like(known) if barred is None else barred
    made = paint(rgb[cut.slices], known[cut.slices], seed, shut[cut.slices] if shut.any() else None)
    kept = missing.grown(SURROUND, size)
    inner = kept.moved(-cut.top, -cut.left)
    shown = np.where(shut[kept.slices], 0, 255).astype(np.uint8)
    place = kept.moved(rect.top, rect.left)
    return Painted(index, place, to_bytes(made[inner.slices]), shown)


def carry(key: Painted, matrix: Matrix | None, rect: Rect) -> tuple[Float, Known]:
    """See a painted key from another frame of the shot.

    Args:
        key: The painted part of a frame.
        matrix: Takes pixels of its frame to the other one; None is the identity.
        rect: Region of the other frame.

    Returns:
        Levels (h, w, 3), and where they mean anything (h, w).
    """
    motion = np.eye(3) if matrix is None else matrix
    there = np.array([[1.0, 0, key.rect.left], [0, 1.0, key.rect.top], [0, 0, 1.0]])
    here = np.array([[1.0, 0, -rect.left], [0, 1.0, -rect.top], [0, 0, 1.0]])
    total, size = here @ motion @ there, (rect.size.width, rect.size.height)
    rgb = cv2.warpPerspective(
        key.rgb, total, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    usable = cv2.warpPerspective(key.shown, total, size, flags=cv2.INTER_LINEAR) == 255
    return rgb.astype(np.float32), usable


def lay(
    rgb: Float,
    known: Known,
    key: Painted,
    matrix: Matrix | None,
    rect: Rect,
    barred: Known | None = None,
) -> tuple[Float, Known]:
    """Fill missing pixels of a region from a painted key, matched to what lies around them.

    Nothing is matched to ``barred`` pixels (h, w), known though they are.

    The match is left out where nothing moved: there the key's surroundings are the region's.

    Returns:
        The picture with more pixels filled, and which pixels were filled.
    """
    seen, usable = carry(key, matrix, rect)
    take = usable & ~known
    if not take.any():
        return rgb, take
    if matrix is not None:
        anchor = known & usable if barred is None else known & usable & ~barred
        seen = match_seam(seen, rgb, take, anchor)
    return np.where(take[..., None], seen, rgb), take
