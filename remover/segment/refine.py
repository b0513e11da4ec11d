"""Edges of masks: to follow the picture at the grid, and smooth at the full size; pure."""

import cv2
import numpy as np
import numpy.typing as npt

from remover.segment.appearance import Float
from remover.types import Mask, Size

RADIUS = 4
"""Reach of the edge-following filter, in pixels of the grid."""

LEAST_LOOK, LOOK_SHARE = 0.2, 0.5
"""Mean score that a part needs where the object was not expected: at least, and as a share of the
largest part's. Another object that comes near scores less than half as much."""

LEAST_SUPPORT = 0.3
"""Share of a part that lies where the object was expected; with it, its look does not matter."""

OF_THE_PLACE = -0.4
"""Mean score, held against a whole prompted frame, below which a part is a piece of the place. In
one clip of a dog no part had less than -0.25, of a sign on a wall that was taken
along behind a cyclist all had less than -0.5."""

SMOOTHNESS = 1e-3
"""Variance of colour below which the filter takes a window for flat."""


def follow_edges(guide: Float, soft: Float) -> Float:
    """Move the edges of a soft mask onto those of the picture.

    A guided filter after He, Sun and Tang (ECCV 2010): in each window the mask is the linear
    function of the colours that fits best. The fit is done at half the size.

    Args:
        guide: Colours (h, w, 3), 0 to 1.
        soft: Soft mask (h, w), 0 to 1.
    """
    height, width = soft.shape
    if min(height, width) < 8:
        return soft
    half = (width // 2, height // 2)
    colours = np.asarray(cv2.resize(guide, half, interpolation=cv2.INTER_AREA), np.float32)
    mask = np.asarray(cv2.resize(soft, half, interpolation=cv2.INTER_AREA), np.float32)
    slope, offset = _local_fit(colours, mask, max(1, RADIUS // 2))
    slope = np.asarray(cv2.resize(slope, (width, height)), np.float32)
    offset = np.asarray(cv2.resize(offset, (width, height)), np.float32)
    return np.asarray(np.clip((slope * guide).sum(axis=2) + offset, 0, 1), np.float32)


def _local_fit(colours: Float, mask: Float, radius: int) -> tuple[Float, Float]:
    """The mean slope (h, w, 3) and offset (h, w) of the fits of all windows over a pixel."""

    def mean(values: Float) -> Float:
        side = 2 * radius + 1
        return np.asarray(cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT))

    centre, level = mean(colours), mean(mask)
    with_mask = mean(colours * mask[..., None]) - centre * level[..., None]
    red, green, blue = (colours[..., channel] for channel in range(3))
    pairs = np.dstack([red * red, green * green, blue * blue])
    crossed = np.dstack([red * green, red * blue, green * blue])
    rr, gg, bb = np.moveaxis(mean(pairs) - centre**2 + np.float32(SMOOTHNESS), 2, 0)
    rg, rb, gb = np.moveaxis(mean(crossed) - centre[..., [0, 0, 1]] * centre[..., [1, 2, 2]], 2, 0)
    # The inverse of a symmetric 3 by 3 matrix, written out: a solver for each pixel is slow.
    adjugate = [
        [gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb],
        [gb * rb - rg * bb, rr * bb - rb * rb, rg * rb - rr * gb],
        [rg * gb - gg * rb, rg * rb - rr * gb, rr * gg - rg * rg],
    ]
    determinant = rr * adjugate[0][0] + rg * adjugate[0][1] + rb * adjugate[0][2]
    slopes = [
        sum((row[c] * with_mask[..., c] for c in range(3)), np.float32(0)) / determinant
        for row in adjugate
    ]
    slope = np.dstack(slopes)
    return mean(slope), mean(level - (slope * centre).sum(axis=2))


def keep_parts(soft: Float, expected: Float, score: Float, wide: Float) -> Float:
    """Weaken the parts of a soft mask (h, w) that are pieces of the place, or come from nowhere.

    Of what is no piece of the place the largest part stays; others need the object where they
    are, or a look like that part's.

    Args:
        soft: Soft mask, 0 to 1.
        expected: Where the object was expected, 0 to 1.
        score: How much each place looks like the object, about -1 to 1.
        wide: The same, held against the whole place of a prompted frame.
    """
    inside = (soft > 0.5).astype(np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=4)
    if count == 1:
        return soft
    area = stats[:, cv2.CC_STAT_AREA]
    is_bad = np.bincount(parts.ravel(), wide.ravel(), count) / area < OF_THE_PLACE
    largest = 1 + int((area * ~is_bad)[1:].argmax())
    if count > 2:
        support = np.bincount(parts.ravel(), (expected > 0.5).ravel(), count) / area
        look = np.bincount(parts.ravel(), score.ravel(), count) / area
        is_strange = (look < max(LEAST_LOOK, LOOK_SHARE * look[largest])) & (
            support < LEAST_SUPPORT
        )
        is_strange[largest] = False
        is_bad |= is_strange
    is_bad[0] = False
    return np.where(is_bad[parts], np.minimum(soft, np.float32(0.3)), soft)


def enlarge(soft: npt.NDArray[np.generic], size: Size) -> Mask:
    """The full-size mask (H, W) of a soft one (h, w), with smooth edges."""
    wide = np.asarray(soft, np.float32)
    method = cv2.INTER_CUBIC if size.height >= soft.shape[0] else cv2.INTER_AREA
    if wide.shape != tuple(size):
        wide = np.asarray(cv2.resize(wide, (size.width, size.height), interpolation=method))
    return np.asarray(wide > 0.5)
