"""An object's shadow or reflection, told from everything else that is darker than usual.

What belongs to the object goes where it goes. So changes of light are averaged over some frames in
the object's own frame: a shadow stays, what the object passes by is averaged away. It must be
darker than what lies around it, in all colours alike, lie against the lower half of the object,
and when it is lit up again its edges must go, not come.

Legend: h, w rows and columns of small pictures.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from remover.fill.align import Camera
from remover.fill.darker import Change, local_mean, way
from remover.fill.frames import Float, disk
from remover.fill.seam import Known, membrane
from remover.masks import bounds

LEAST_CHANGES = 3
"""Frames that must know a place in the object's frame."""
CORE, EDGE = 0.10, 0.03
"""Darkening (logarithms) of a shadow's inner part, and up to which it is grown."""
CONSTANT = 1.5
"""The inner part is darker than this many standard deviations over time."""
GRAY, GRAY_SHARE = 0.06, 0.35
"""How far the colours' darkening may differ: this much, and this part of it: the sky is blue."""
BLACK = 1.4
"""More darkening than this is a thing, not a shadow."""
WIDEST = 0.22
"""Half the width of the widest shadow, in parts of the object's longer side."""
PENUMBRA, GAP = 0.07, 0.03
"""How far a soft edge goes beyond the inner part, and how far a shadow may lie from its object,
likewise."""
LEAST_AREA, MOST_AREA = 0.003, 0.7
"""Of a shadow, in parts of the object's."""
DEPTH, CONTRAST = 0.12, 3.5
"""Least mean darkening of the inner part, also in multiples of what is left around it."""
ENCLOSED = 0.6
"""Part of its border along which a shadow ends in light: what goes on beyond the picture may be
the dark corner of a lens."""
ROUGH = 0.5
"""Most that a frame's own darkening may differ from the average, in parts of it."""
FLATTER = 0.9
"""Part of the picture's edges that may be left where the light is changed."""
BESIDE = 0.12
"""How far from what frames agree on a frame's own shadow is looked for, likewise."""
OWN = 0.06
"""Darkening of a frame itself from which a pixel near its shadow belongs to it."""
BLUR = 0.8
"""Standard deviation by which gains are smoothed, in small pixels."""
MOVED, LEAST_MOVED = 0.015, 1.5
"""How far the object must go against the background, in parts of its longer side and in pixels:
one that stands still tells nothing."""


@dataclass(frozen=True, slots=True)
class Darkening:
    """Changes of light averaged in the object's frame, above what lies around."""

    change: Change
    """Of the frame itself."""
    known: Known = field(repr=False)
    depth: Float = field(repr=False)
    """(h, w): how much darker than the surroundings, logarithms, from 0."""
    base: Float = field(repr=False)
    """(h, w): change of the surroundings."""
    spread: Float = field(repr=False)
    """(h, w): standard deviation of the change over time."""
    gray: Known = field(repr=False)
    """(h, w): where all colours change alike."""


@dataclass(frozen=True, slots=True)
class Found:
    """The shadow of one frame, as far as that frame and its neighbours tell."""

    change: Change
    region: Known = field(repr=False)
    """(h, w) of the change."""
    base: Float = field(repr=False)
    """(h, w): change of light that is not the shadow's."""


def averaged(now: Change, near: Sequence[Change], camera: Camera) -> Darkening | None:
    """Average the changes of neighbouring frames in the object's frame.

    Returns:
        None if the object does not move against the background.
    """
    if not has_moved(now, near, camera):
        return None
    height, width = now.known.shape
    total = np.zeros((height, width, 3), np.float32)
    square, count = np.zeros((2, height, width), np.float32)
    for other in near:
        logs = moved(other, now, other.logs)
        total += logs
        square += logs.mean(axis=2) ** 2
        count += moved(other, now, other.known)
    mean = total / np.maximum(count, 1)[..., None]
    light = mean.mean(axis=2)
    spread = np.sqrt(np.maximum(square / np.maximum(count, 1) - light**2, 0))
    known = (count >= LEAST_CHANGES) & ~now.hidden
    gray = np.ptp(mean, axis=2) < GRAY + GRAY_SHARE * np.abs(light)
    smooth = local_mean(light, known)
    base = closed(smooth, known, max(3, round(WIDEST * side_of(now))))
    depth = np.where(known, base - smooth, 0).astype(np.float32)
    return Darkening(now, known, depth, base, spread, gray)


def has_moved(now: Change, near: Sequence[Change], camera: Camera) -> bool:
    """Whether the object goes its own way against the background within these frames."""
    least = max(LEAST_MOVED, MOVED * side_of(now))
    return any(way(other, now, camera) >= least for other in near)


def moved(other: Change, now: Change, values: Float | Known) -> Float:
    """Values of another frame, as they lie in the object's frame of ``now``; 0 beyond them."""
    down = round(now.centre[0] - other.centre[0]) + other.rect.top - now.rect.top
    right = round(now.centre[1] - other.centre[1]) + other.rect.left - now.rect.left
    height, width = now.known.shape
    result = np.zeros((height, width, *values.shape[2:]), np.float32)
    rows = slice(max(0, down), min(height, down + values.shape[0]))
    columns = slice(max(0, right), min(width, right + values.shape[1]))
    if rows.start < rows.stop and columns.start < columns.stop:
        there = values[
            rows.start - down : rows.stop - down, columns.start - right : columns.stop - right
        ]
        result[rows, columns] = there
    return result


def side_of(now: Change) -> int:
    """The object's longer side."""
    box = bounds(now.hidden)
    assert box is not None
    return max(box.size)


def closed(values: Float, known: Known, radius: int) -> Float:
    """``values`` with every valley narrower than twice ``radius`` filled; unknown has no say."""
    element = disk(radius)
    high = np.where(known, values, np.float32(-9))
    high = np.asarray(
        cv2.dilate(high, element, borderType=cv2.BORDER_CONSTANT, borderValue=-9), np.float32
    )
    # A disk around what the object hides sees nothing but its shadow: it has no say either.
    low = np.where(known & (high > -8), high, np.float32(9))
    low = np.asarray(
        cv2.erode(low, element, borderType=cv2.BORDER_CONSTANT, borderValue=9), np.float32
    )
    return np.where(np.abs(low) < 8, low, np.float32(0))


def search(dark: Darkening) -> Found:
    """The parts of a darkening that are the object's shadow; the region may be empty."""
    side = side_of(dark.change)
    reach = max(2, round(PENUMBRA * side))
    core, parts = grown(dark, reach)
    touching = against(dark.change, max(3, round(GAP * side)))
    _, labels = cv2.connectedComponents(parts.astype(np.uint8), connectivity=8)
    region = np.zeros_like(core)
    edges = edges_of(dark)
    for label in np.unique(labels[touching & parts]):
        part = labels == label
        if is_shadow(dark, part, part & core, max(3, reach)) and is_flatter(edges, part):
            region |= part
    return Found(dark.change, region, dark.base - left_around(dark, region, 2 * reach))


def left_around(dark: Darkening, region: Known, reach: int) -> float:
    """The depth that pixels around a shadow are usually found with: it is not the shadow's."""
    near = cv2.dilate(region.astype(np.uint8), disk(reach)) > 0
    ring = near & dark.known & ~(cv2.dilate(region.astype(np.uint8), disk(2)) > 0)
    return float(np.median(dark.depth[ring])) if ring.any() else 0.0


def grown(dark: Darkening, reach: int) -> tuple[Known, Known]:
    """The inner part of what is dark, and all of it with its soft edge."""
    is_core = dark.known & dark.gray & (dark.depth > CORE)
    is_core &= (dark.depth > CONSTANT * dark.spread) & (dark.depth - dark.base < BLACK)
    square = np.ones((3, 3), np.uint8)
    core = cv2.morphologyEx(is_core.astype(np.uint8), cv2.MORPH_OPEN, square)
    limit = cv2.dilate(core, disk(reach)) > 0
    edge = dark.known & dark.gray & (dark.depth > EDGE) & limit
    parts = cv2.morphologyEx((edge | (core > 0)).astype(np.uint8), cv2.MORPH_OPEN, square)
    return core > 0, parts > 0


def against(now: Change, gap: int) -> Known:
    """Pixels that lie within ``gap`` of the lower half of the object."""
    box = bounds(now.hidden)
    assert box is not None
    low = now.hidden.astype(np.uint8)
    low[: (box.top + box.bottom) // 2] = 0
    return np.asarray(cv2.dilate(low, np.ones((2 * gap + 1,) * 2, np.uint8)) > 0)


def is_shadow(dark: Darkening, part: Known, core: Known, reach: int) -> bool:
    """Whether a part is large, deep, even and apart enough from what lies around it."""
    area = np.count_nonzero(dark.change.hidden)
    if not max(4, LEAST_AREA * area) <= np.count_nonzero(core):
        return False
    if np.count_nonzero(part) > MOST_AREA * area or enclosure(dark, part) < ENCLOSED:
        return False
    near = cv2.dilate(part.astype(np.uint8), disk(reach)) > 0
    ring = near & ~(cv2.dilate(part.astype(np.uint8), disk(2)) > 0) & dark.known
    own = core & dark.change.known
    if np.count_nonzero(ring) < 10 or not own.any():
        return False
    depth = float(dark.depth[core].mean())
    left = float(np.sqrt(np.square(dark.depth[ring]).mean()))
    here = dark.base - dark.change.logs.mean(axis=2)
    rough = float(np.abs(here - dark.depth)[own].mean())
    return depth > max(DEPTH, CONTRAST * left) and rough < ROUGH * depth


def enclosure(dark: Darkening, part: Known) -> float:
    """The part of a border, where the object does not hide it, that is known to be lit."""
    wide = np.pad(part, 3)
    border = (cv2.dilate(wide.astype(np.uint8), disk(2)) > 0) & ~wide
    border &= ~np.pad(dark.change.hidden, 3)
    light = np.pad(dark.known & (dark.depth < CORE), 3)
    return int(np.count_nonzero(border & light)) / max(1, int(np.count_nonzero(border)))


def edges_of(dark: Darkening) -> tuple[Float, Float]:
    """The edges of a picture, (h, w) each, as they are and once its light is changed.

    They count as much as the light changes there.
    """
    now = dark.change
    darker = np.minimum(now.logs.mean(axis=2) - dark.base, 0)
    darker = np.where(now.known, darker, 0).astype(np.float32)
    inside = cv2.erode(now.known.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    weight = np.where(inside, steepness(darker), 0)
    return steepness(now.frame) * weight, steepness(now.frame - darker) * weight


def is_flatter(edges: tuple[Float, Float], part: Known) -> bool:
    """Whether a part of the picture has less of its edges once its light is changed.

    Where only a piece of a shadow was found, the change itself makes new ones.
    """
    here = cv2.dilate(part.astype(np.uint8), disk(2)) > 0
    before, after = (float(one[here].sum()) for one in edges)
    return after < FLATTER * before


def steepness(values: Float) -> Float:
    """Length of the gradient, (h, w)."""
    across = cv2.Sobel(values, cv2.CV_32F, 1, 0, ksize=1)
    down = cv2.Sobel(values, cv2.CV_32F, 0, 1, ksize=1)
    return np.asarray(cv2.magnitude(across, down), np.float32)


def shaped(found: Found, region: Known) -> Known:
    """A region that all frames around agree on, with the exact shape that it has in one of them.

    What is dark near it belongs to it, also on the other side of a leg of the object.

    Args:
        found: The frame.
        region: (h, w) what was agreed on.
    """
    now = found.change
    darker = found.base[..., None] - now.logs
    light = darker.mean(axis=2)
    gray = np.ptp(darker, axis=2) < GRAY + GRAY_SHARE * np.abs(light)
    near = cv2.dilate(region.astype(np.uint8), disk(max(2, round(BESIDE * side_of(now))))) > 0
    own = (now.known & gray & (light > OWN)).astype(np.uint8)
    own = cv2.morphologyEx(own, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)) > 0
    joined = region | ((own | now.hidden) & near)
    _, labels = cv2.connectedComponents(joined.astype(np.uint8), connectivity=8)
    whole = np.isin(labels, np.unique(labels[region])) & (labels > 0)
    square = np.ones((5, 5), np.uint8)
    full = cv2.morphologyEx((whole | now.hidden).astype(np.uint8), cv2.MORPH_CLOSE, square) > 0
    return (whole | (full & ~now.known & near)) & ~now.hidden


def gain(found: Found, region: Known) -> Float:
    """What lights a frame's shadow up: (h, w, 3) logarithms, from 0, which is nothing.

    The frame's own darkening, smoothed; what is not known of it, and what the object hides, is
    continued from around. It fades to nothing beyond the border of ``region``.

    Args:
        found: The frame.
        region: (h, w) pixels to light up.
    """
    now = found.change
    wide = (cv2.dilate(region.astype(np.uint8), disk(2)) > 0) & ~now.hidden
    darker = np.where(wide[..., None], np.maximum(found.base[..., None] - now.logs, 0), 0)
    given = (now.known & wide) | (~wide & ~now.hidden)
    darker = membrane(darker.astype(np.float32), given)
    # Pixels of the object beside the shadow count as shadow: the border is only where light is.
    beside = cv2.dilate(region.astype(np.uint8), disk(4)) > 0
    soft = cv2.blur((wide | (now.hidden & beside)).astype(np.float32), (3, 3))
    return np.asarray(cv2.GaussianBlur(darker, (0, 0), BLUR), np.float32) * soft[..., None]


def ceiling(found: Found) -> Float:
    """The background as it would be lit in the frame, (h, w): logarithms, continued smoothly."""
    now = found.change
    light = (now.frame - now.logs.mean(axis=2) + found.base)[..., None]
    return membrane(light, now.known)[..., 0] if now.known.any() else light[..., 0]
