"""Painted keys seen from other frames: carried along the motion, bent, blurred and matched.

One matrix holds for a flat world. What is left of the motion near the hole is followed on corners
around it and continued into it. Where the frame is blurred more than the key, the fill is blurred
likewise. Where it still does not meet what lies around, it fades into it.
"""

import cv2
import numpy as np
import numpy.typing as npt

from remover.fill.align import Matrix
from remover.fill.bend import Field, left_over, seen_at, sources
from remover.fill.frames import Float, Frame, disk, to_bytes
from remover.fill.patch import Painted
from remover.fill.seam import Known, level_rim, match_seam, membrane, ring_around
from remover.types import Rect

LEAST_BEND = 0.3
"""Shift in pixels below which the matrix holds: corners are not followed better than that."""
RIM = 12
"""Pixels around a fill whose sharpness is compared with the key's."""
LEAST_LOSS = 0.35
"""Natural logarithm of the power of detail that must be missing before a fill is blurred."""
FEWEST = 200
"""Pixels that sharpness is compared on, at least."""
LENGTHS = (3, 5, 7, 9, 13, 17, 23)
"""Lengths of motion blur that are tried, in pixels."""
SOFT = (0.6, 0.9, 1.3, 2.0)
"""Blurs without a direction that are tried: standard deviations, in pixels."""
MISFIT = 40.0
"""Difference in levels to what lies around from which a fill does not fit there."""
FADE = 12
"""Pixels over which a fill that does not fit fades into what lies around."""

Blur = npt.NDArray[np.float32]
"""(k, k), sums to 1."""


def carry(
    key: Painted, matrix: Matrix | None, rect: Rect, field: Field | None = None
) -> tuple[Float, Known, Known]:
    """See a painted key from another frame of the shot.

    Args:
        key: The painted part of a frame.
        matrix: Takes pixels of its frame to the other one; None is the identity.
        rect: Region of the other frame.
        field: (h, w, 2), what is to be added to that motion at the pixels of ``rect``.

    Returns:
        Levels (h, w, 3), where they mean anything (h, w), and where none of it is invented (h, w).
    """
    places = sources(rect, np.eye(3) if matrix is None else matrix, field)
    places -= np.array([key.rect.left, key.rect.top], np.float32)
    rgb, usable = seen_at(key.rgb, 255 - key.shown, places)
    _, true = seen_at(key.rgb, np.maximum(255 - key.shown, key.invented), places)
    return rgb.astype(np.float32), usable, true


def lay(
    rgb: Float,
    known: Known,
    key: Painted,
    matrix: Matrix | None,
    rect: Rect,
    barred: Known | None = None,
) -> tuple[Float, Known]:
    """Fill missing pixels of a region from a painted key, matched to what lies around them.

    Nothing is matched to ``barred`` pixels (h, w), known though they are. Where nothing moved the
    key's surroundings are the region's, and only light that has changed is followed.

    Args:
        rgb: (h, w, 3) levels of the region.
        known: (h, w).
        key: What to lay.
        matrix: As of ``carry``.
        rect: The region.
        barred: (h, w).

    Returns:
        The picture with more pixels filled, and which pixels were filled.
    """
    seen, usable, true = carry(key, matrix, rect)
    if not (usable & ~known).any():
        return rgb, np.zeros_like(known)
    given = known if barred is None else known & ~barred
    if matrix is None:
        take = usable & ~known
        laid = np.where(take[..., None], seen, rgb)
        return level_rim(laid, given, take), take
    field = left_over(_as_frame(seen, true), _as_frame(rgb, given))
    if field is not None and float(np.hypot(*field[~known].T).max()) > LEAST_BEND:
        seen, usable, true = carry(key, matrix, rect, field)
    take = usable & ~known
    if not take.any():
        return rgb, take
    seen = match_blur(seen, rgb, take, given & true)
    anchor = given & usable
    seen = faded(match_seam(seen, rgb, take, anchor), rgb, take, anchor)
    return np.where(take[..., None], seen, rgb), take


def _as_frame(levels: Float, free: Known) -> Frame:
    shut = (~free).astype(np.uint8) * np.uint8(255)
    return Frame(0, to_bytes(levels), shut, shut)


def faded(fill: Float, truth: Float, hole: Known, anchor: Known) -> Float:
    """A fill that fades where it does not fit into what lies around, and is as it was elsewhere.

    Args:
        fill: (h, w, 3) levels in the hole and on the anchors, matched already.
        truth: (h, w, 3) levels.
        hole: (h, w): what is filled.
        anchor: (h, w): where both are known.
    """
    ring = anchor & ring_around(hole)
    gap = cv2.blur(np.abs(truth - fill).max(axis=2) * ring, (5, 5))
    gap /= np.maximum(cv2.blur(ring.astype(np.float32), (5, 5)), 1e-6)
    off = ring & (gap > MISFIT)
    if not off.any():
        return fill
    far = cv2.distanceTransform((~off).astype(np.uint8), cv2.DIST_L2, 5)
    share = np.clip(1 - far / np.float32(FADE), 0, 1)[..., None]
    return np.asarray(fill + share * (membrane(truth, ring) - fill), np.float32)


def match_blur(fill: Float, truth: Float, hole: Known, both: Known) -> Float:
    """A fill as blurred as the frame is around it; one that is not sharper stays as it is.

    A fast pan blurs a frame along its motion, a pulled focus all around. Sharpness is compared on
    pixels that the key and the frame both show: the mean squared slope in four directions, which a
    shift of a pixel between the two does not change.

    Args:
        fill: (h, w, 3) levels in the hole and around it.
        truth: (h, w, 3) levels around it.
        hole: (h, w): what is filled.
        both: (h, w): pixels that ``fill`` and ``truth`` show truly.
    """
    near = both & (cv2.dilate(hole.astype(np.uint8), disk(RIM)) > 0)
    near = cv2.erode(near.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    if np.count_nonzero(near) < FEWEST:
        return fill
    shown = fill.mean(axis=2)
    wanted, own = slopes(truth.mean(axis=2), near), slopes(shown, near)
    if float((own - wanted).max()) < LEAST_LOSS:
        return fill
    best, chosen = float(np.square(own - wanted).sum()), None
    for blur in blurs():
        soft = np.asarray(cv2.filter2D(shown, -1, blur), np.float32)
        error = float(np.square(slopes(soft, near) - wanted).sum())
        if error < best:
            best, chosen = error, blur
    return fill if chosen is None else np.asarray(cv2.filter2D(fill, -1, chosen), np.float32)


def slopes(gray: Float, near: Known) -> npt.NDArray[np.float64]:
    """Logarithms of the mean squared slope of a picture (h, w) in four directions."""
    ways = ((0, 1), (1, 1), (1, 0), (1, -1))
    found = [gray - np.roll(gray, way, axis=(0, 1)) for way in ways]
    return np.log([float(np.square(slope[near]).mean()) + 0.5 for slope in found])


def blurs() -> list[Blur]:
    """The blurs that are tried: along rows, columns and both diagonals, and all around."""
    found: list[Blur] = []
    for length in LENGTHS:
        row = np.zeros((length, length), np.float32)
        row[length // 2] = 1 / length
        slant = np.asarray(np.eye(length) / length, np.float32)
        found += [row, np.ascontiguousarray(row.T), slant, np.ascontiguousarray(slant[::-1])]
    for spread in SOFT:
        side = 2 * int(3 * spread + 0.5) + 1
        one = cv2.getGaussianKernel(side, spread, cv2.CV_32F)
        found.append(np.asarray(one @ one.T, np.float32))
    return found
