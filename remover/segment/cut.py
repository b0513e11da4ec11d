"""GrabCut in a box or around a click, and what points stand for, on one picture.

Edges come from GrabCut in the neighbourhood of what was pointed at; a click first grows over what
looks alike around it, since a box is what GrabCut needs.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from remover.masks import bounds
from remover.segment.appearance import Appearance, describe, halve
from remover.segment.walk import Small
from remover.types import Mask, Rect, Size

SURROUNDINGS = 0.6
"""Sure background around a box, as a share of its longer side."""

ROUNDS = 4
"""Rounds of GrabCut."""

DISC = 0.012
"""Radius of the disc that a point stands for, as a share of the picture's longer side."""

CARVE_TOLERANCE = 14
"""Colour difference, in 8-bit Lab levels, that an avoided point spreads over."""

CLICK_REACH = 0.4
"""Farthest that a click's object may reach, as a share of the picture's longer side."""

Kinds = npt.NDArray[np.uint8]
"""GrabCut's kinds of pixels (h, w)."""


def cut_box(picture: Small, rect: Rect, sure: Mask, avoided: Mask) -> Mask:
    """GrabCut in a box."""
    size = Size(*picture.shape[:2])
    ellipse = ellipse_in(rect, size)
    kinds: Kinds = np.zeros(size, np.uint8)
    kinds[rect.slices] = cv2.GC_PR_BGD
    kinds[ellipse] = cv2.GC_PR_FGD
    if rect.size.height * rect.size.width > 0.9 * size.height * size.width:
        # Without any sure background GrabCut cannot start: take the corners.
        kinds[~ellipse_in(rect, size, grow=1.25)] = cv2.GC_BGD
    kinds[avoided] = cv2.GC_BGD
    kinds[sure] = cv2.GC_FGD
    margin = int(SURROUNDINGS * max(rect.size)) + 2
    return _grab_cut(picture, kinds, rect.grown(margin, size))


def cut_click(
    picture: Small,
    point: tuple[float, float],
    avoids: Sequence[tuple[float, float]],
    avoided: Mask,
) -> Mask:
    """The object around a click: what looks like its disc, connected, with edges by GrabCut."""
    size = Size(*picture.shape[:2])
    reach = CLICK_REACH * max(size)
    disc = discs([point], size)
    rows, columns = np.ogrid[: size.height, : size.width]
    distance = np.hypot(columns - point[0], rows - point[1])
    is_far = (distance > reach) | avoided | discs(avoids, size)
    like = _looks_like(picture, disc, np.asarray(is_far))
    grown = part_with(like & ~is_far, disc) | disc
    box = bounds(grown)
    if box is None:
        return disc
    kinds: Kinds = np.full(size, cv2.GC_PR_BGD, np.uint8)
    kinds[grown] = cv2.GC_PR_FGD
    kinds[is_far] = cv2.GC_BGD
    kinds[disc] = cv2.GC_FGD
    margin = int(SURROUNDINGS * max(box.size)) + 8
    around = box.grown(margin, size)
    mask = _grab_cut(picture, kinds, around)
    return part_with(mask, disc) & ~avoided


def _looks_like(picture: Small, disc: Mask, outside: Mask) -> Mask:
    """Pixels (h, w) that look like the disc rather than the outside, grown in two rounds."""
    size = Size(*picture.shape[:2])
    grid = Rect(0, 0, size.height // 2, size.width // 2)
    even = Rect(0, 0, 2 * grid.bottom, 2 * grid.right).slices
    descriptors = describe(np.ascontiguousarray(picture[even]), grid)
    inside, beyond = halve(disc[even]) > 0.4, halve(outside[even]) > 0.5
    for _ in range(2):
        known = inside | beyond
        if not beyond.any() or not inside.any():
            return disc
        look = Appearance(descriptors[known][None], inside[known][None])
        like = (look.score(descriptors) > 0) & ~beyond
        inside = part_with(like, inside) | inside
    wide = cv2.resize(inside.astype(np.float32), (size.width, size.height))
    return np.asarray(np.asarray(wide) > 0.5)


def _grab_cut(picture: Small, kinds: Kinds, around: Rect) -> Mask:
    """Cut inside ``around``; falls back to the probable pixels where one side is missing."""
    crop = np.ascontiguousarray(picture[around.slices])
    cut = np.ascontiguousarray(kinds[around.slices])
    is_object = (cut == cv2.GC_FGD) | (cut == cv2.GC_PR_FGD)
    if is_object.any() and not is_object.all():
        cv2.setRNGSeed(0)
        ground, thing = np.zeros((1, 65)), np.zeros((1, 65))
        no_box = (0, 0, 1, 1)
        cv2.grabCut(crop, cut, no_box, ground, thing, ROUNDS, cv2.GC_INIT_WITH_MASK)
    mask: Mask = np.zeros(kinds.shape, np.bool_)
    mask[around.slices] = (cut == cv2.GC_FGD) | (cut == cv2.GC_PR_FGD)
    return mask


def spread(
    picture: Small,
    avoids: Sequence[tuple[float, float]],
    clicks: Sequence[tuple[float, float]],
) -> Mask:
    """What avoided points stand for: the evenly coloured, connected surroundings of each."""
    size = Size(*picture.shape[:2])
    region: Mask = np.zeros(size, np.bool_)
    if not avoids:
        return region
    lab = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2Lab), np.uint8)
    smooth = np.asarray(cv2.GaussianBlur(lab, (0, 0), 1.5), np.uint8)
    tolerance = (CARVE_TOLERANCE,) * 3
    flags = 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | (255 << 8)
    kept = discs(clicks, size)
    for x, y in avoids:
        row, column = pixel_at(x, y, size)
        filled = np.zeros((size.height + 2, size.width + 2), np.uint8)
        filled[1:-1, 1:-1][kept] = 1
        cv2.floodFill(smooth, filled, (column, row), 0, tolerance, tolerance, flags)
        region |= filled[1:-1, 1:-1] == 255
    return np.asarray((region | discs(avoids, size)) & ~kept)


def part_with(mask: Mask, seed: Mask) -> Mask:
    """The connected parts of a mask (h, w) that the seed touches."""
    _, parts = cv2.connectedComponents(mask.astype(np.uint8))
    touched = np.unique(parts[seed & mask])
    return np.asarray(np.isin(parts, touched) & mask)


def discs(points: Sequence[tuple[float, float]], size: Size) -> Mask:
    """The discs (h, w) that points (x, y) stand for."""
    mask: Mask = np.zeros(size, np.bool_)
    radius = max(1.5, DISC * max(size))
    rows, columns = np.ogrid[: size.height, : size.width]
    for x, y in points:
        mask |= np.hypot(columns + 0.5 - x, rows + 0.5 - y) <= radius
    return mask


def ellipse_in(rect: Rect, size: Size, *, grow: float = 1.0) -> Mask:
    """The ellipse inscribed in a rectangle, its axes times ``grow``."""
    rows, columns = np.ogrid[: size.height, : size.width]
    y = (2 * rows + 1 - rect.top - rect.bottom) / max(1, rect.size.height)
    x = (2 * columns + 1 - rect.left - rect.right) / max(1, rect.size.width)
    return np.asarray(x * x + y * y <= grow * grow)


def pixel_at(x: float, y: float, size: Size) -> tuple[int, int]:
    """Row and column of the pixel at a point, inside the picture."""
    return min(size.height - 1, max(0, int(y))), min(size.width - 1, max(0, int(x)))
