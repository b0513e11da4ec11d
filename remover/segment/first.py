"""From boxes, clicks, avoided points and a rough mask on one frame to the object's mask there.

What is found is settled at half the work size, in steps: by motion against the background where the
object moves, else by how unlike the background it looks together with GrabCut; GrabCut alone where
that leaves scraps; at last the ellipse in the box. A click first gives several boxes, by motion, by
what differs from the still background and by colour, and the mask that most of them lead to wins.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from remover.errors import InputError
from remover.masks import bounds
from remover.segment.appearance import Appearance, Float, describe, halve
from remover.segment.motion import half
from remover.segment.refine import enlarge
from remover.segment.settle import Scene, look_at, region_of, settle
from remover.segment.still import Around, Motion, motion_in
from remover.segment.walk import Small
from remover.types import Mask, Rect, Size

SURROUNDINGS = 0.6
"""Sure background around a box, as a share of its longer side."""

ROUNDS = 4
"""Rounds of GrabCut."""

LEAST_SHARE = 0.12
"""A found object that fills less of its box is taken for scraps of one."""

MOVES = 0.3
"""Motion evidence from which on a pixel counts as moving."""

TELLING = 0.1
"""Share of moving pixels from which on motion decides. Of objects that move 0.15 and more do, of
those that stand still 0.05 and less."""

MOVING_LEVELS, APART_LEVELS = (0.0, 0.3, 0.7), (0.0, 0.3)
"""Levels of the two kinds of motion evidence at which the parts around a click are taken."""

BOX_MARGIN = 0.04
"""What is added around such a part, as a share of its longer side."""

AGREEMENT = (0.2, 0.4, 0.6, 0.8, 0.95)
MOVING_TRUST = (0.5, 0.6, 0.75, 0.85, 0.9)
STILL_TRUST = (0.4, 0.5, 0.6, 0.75, 0.85)
CLICK_TRUST = (0.3, 0.4, 0.6, 0.7, 0.8)
"""How well two ways to a first mask agree, and the overlap with the truth to expect then."""

SCRAPS_TRUST, GUESS_TRUST = 0.45, 0.4
"""The same for GrabCut alone and for the ellipse in a box."""

DISC = 0.012
"""Radius of the disc that a point stands for, as a share of the picture's longer side."""

CARVE_TOLERANCE = 14
"""Colour difference, in 8-bit Lab levels, that an avoided point spreads over."""

CLICK_REACH = 0.4
"""Farthest that a click's object may reach, as a share of the picture's longer side."""

Kinds = npt.NDArray[np.uint8]
"""GrabCut's kinds of pixels (h, w)."""


@dataclass(frozen=True, slots=True)
class Hints:
    """What was pointed at on one frame for one object, in pixels of the work picture."""

    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """(left, top, right, bottom)."""
    clicks: tuple[tuple[float, float], ...] = ()
    avoids: tuple[tuple[float, float], ...] = ()
    mask: Mask | None = field(default=None, repr=False)
    """The user's own mask (h, w)."""

    def halved(self) -> "Hints":
        """The same in pixels of half the size, without the mask."""
        return Hints(
            tuple((x / 2, y / 2, right / 2, bottom / 2) for x, y, right, bottom in self.boxes),
            tuple((x / 2, y / 2) for x, y in self.clicks),
            tuple((x / 2, y / 2) for x, y in self.avoids),
        )

    @property
    def can_start(self) -> bool:
        """Whether these say enough for a mask where nothing is known yet."""
        return bool(self.boxes or self.clicks) or self.mask is not None

    @property
    def starts_anew(self) -> bool:
        """Whether these replace what was tracked, rather than mend it."""
        return bool(self.boxes) or self.mask is not None


@dataclass(frozen=True, slots=True)
class First:
    """A mask on a prompted frame."""

    mask: Mask = field(repr=False)
    trust: float = 1.0
    """Overlap with the truth to expect, 0 to 1; 1 for a mask that was given."""
    is_guess: bool = False
    """No object stood out in a box, so that the ellipse in it was taken."""


def start_frame(object_id: int, prompts: Mapping[int, Hints]) -> int:
    """The first frame whose hints say enough to start.

    Raises:
        InputError: There is none.
    """
    starts = [frame for frame, hints in prompts.items() if hints.can_start]
    if not starts:
        raise InputError(
            f"object `{object_id}` has only points to avoid on frame `{min(prompts)}`",
            hint="say what to remove as well, with `--box`, `--click` or `--mask`",
        )
    return min(starts)


def nothing_found(object_id: int, frame: int) -> InputError:
    """What to say where a prompt gives an empty mask."""
    return InputError(
        f"nothing was found where object `{object_id}` is pointed at on frame `{frame}`",
        hint="point at it on a frame where it is in clear view, or draw a larger box",
    )


def find(picture: Small, hints: Hints, tracked: Mask | None, around: Around | None = None) -> First:
    """The object's mask (h, w) on a prompted frame; empty if nothing is found.

    Args:
        picture: Work picture (h, w, 3), sides even.
        hints: What was pointed at.
        tracked: The mask that tracking brought here; used unless the hints start anew.
        around: Pictures around, for motion; without, looks decide alone.
    """
    size = Size(*picture.shape[:2])
    if hints.mask is not None:
        mask = hints.mask.copy()
    elif hints.starts_anew or tracked is None:
        mask = np.zeros(size, np.bool_)
    else:
        mask = tracked.copy()
    desk = _Desk(picture, half(picture), around)
    near = hints.halved()
    avoided = _spread(desk.small, near.avoids, near.clicks)
    trust, is_guess = 1.0, False
    for box in near.boxes:
        found = _from_box(desk, box, near, avoided)
        is_guess |= found.is_guess
        trust = min(trust, found.trust)
        mask |= enlarge(found.soft, size)
    for click, (x, y) in zip(near.clicks, hints.clicks, strict=True):
        if not mask[_pixel(x, y, size)]:
            found = _from_click(desk, click, near, avoided)
            trust = min(trust, found.trust)
            mask |= enlarge(found.soft, size)
    if near.avoids:
        mask &= ~enlarge(avoided, size)
    return First(mask, trust, is_guess)


@dataclass(frozen=True, slots=True)
class _Desk:
    """A prompted frame, ready to be worked on."""

    picture: Small
    small: Small
    """At half the size."""
    around: Around | None

    @property
    def size(self) -> Size:
        return Size(*self.small.shape[:2])


@dataclass(frozen=True, slots=True)
class _Found:
    """A soft mask at half the size."""

    soft: Float
    trust: float
    is_guess: bool = False

    @property
    def mask(self) -> Mask:
        return np.asarray(self.soft > 0.5)


def _from_box(
    desk: _Desk, box: tuple[float, float, float, float], hints: Hints, avoided: Mask
) -> _Found:
    """The object in a box (left, top, right, bottom) at half the size, checked, with fallbacks."""
    rect = _whole(box, desk.size)
    left, top, right, bottom = box
    full = 2 * left, 2 * top, 2 * right, 2 * bottom
    sure = _discs([point for point in hints.clicks if _is_in(point, rect)], desk.size)
    if min(rect.size) < 4:
        return _Found(_filled(rect, desk.size), SCRAPS_TRUST)
    cut = _cut_box(desk.small, rect, sure, avoided)
    scene = look_at(desk.picture, full)
    still = settle(scene, full, None, cut, sure, avoided, desk.size)
    motion = _motion(desk, scene, rect)
    if motion is not None:
        moved = settle(scene, full, motion, None, sure, avoided, desk.size)
        if _share(moved, rect) >= LEAST_SHARE:
            likeness = _overlap(moved > 0.5, still > 0.5)
            return _Found(moved, float(np.interp(likeness, AGREEMENT, MOVING_TRUST)))
    if _share(still, rect) >= LEAST_SHARE:
        likeness = _overlap(still > 0.5, cut)
        return _Found(still, float(np.interp(likeness, AGREEMENT, STILL_TRUST)))
    if _share(cut, rect) >= LEAST_SHARE:
        return _Found(cut.astype(np.float32), SCRAPS_TRUST)
    guess = (_ellipse(rect, desk.size) | sure) & ~avoided
    return _Found(guess.astype(np.float32), GUESS_TRUST, is_guess=True)


def _motion(desk: _Desk, scene: Scene, rect: Rect) -> Motion | None:
    """Motion in and around a box; None where what is in the box does not move."""
    if desk.around is None:
        return None
    background: Mask = np.ones(desk.size, np.bool_)
    background[rect.grown(2, desk.size).slices] = False
    motion = motion_in(desk.around, region_of(scene, desk.size), background)
    if motion is None or (motion.apart[rect.slices] > MOVES).mean() < TELLING:
        return None
    return motion


def _share(found: Float | Mask, rect: Rect) -> float:
    """How much of its box a found object fills."""
    return float((found[rect.slices] > 0.5).mean())


def _overlap(one: Mask, other: Mask) -> float:
    return float((one & other).sum()) / max(1, int((one | other).sum()))


def _filled(rect: Rect, size: Size) -> Float:
    soft = np.zeros(size, np.float32)
    soft[rect.slices] = 1
    return soft


def _doubled(rect: Rect) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) in pixels of the work picture."""
    return 2.0 * rect.left, 2.0 * rect.top, 2.0 * rect.right, 2.0 * rect.bottom


def _cut_box(picture: Small, rect: Rect, sure: Mask, avoided: Mask) -> Mask:
    """GrabCut in a box."""
    size = Size(*picture.shape[:2])
    ellipse = _ellipse(rect, size)
    kinds: Kinds = np.zeros(size, np.uint8)
    kinds[rect.slices] = cv2.GC_PR_BGD
    kinds[ellipse] = cv2.GC_PR_FGD
    if rect.size.height * rect.size.width > 0.9 * size.height * size.width:
        # Without any sure background GrabCut cannot start: take the corners.
        kinds[~_ellipse(rect, size, grow=1.25)] = cv2.GC_BGD
    kinds[avoided] = cv2.GC_BGD
    kinds[sure] = cv2.GC_FGD
    margin = int(SURROUNDINGS * max(rect.size)) + 2
    return _grab_cut(picture, kinds, rect.grown(margin, size))


def _from_click(desk: _Desk, point: tuple[float, float], hints: Hints, avoided: Mask) -> _Found:
    """The object around a click: of the masks that several boxes lead to, the most agreed on."""
    cut = _cut_click(desk.small, point, hints.avoids, avoided)
    sure = _discs([point], desk.size)
    boxes = [_around(cut)]
    motion = None
    if desk.around is not None:
        whole = Rect(0, 0, *desk.size)
        motion = motion_in(desk.around, whole, np.ones(desk.size, np.bool_))
    if motion is not None:
        boxes += [_around(part) for part in _moving_parts(motion, sure)]
    rects = [rect for rect in dict.fromkeys(boxes) if min(rect.size) >= 4]
    found = []
    for rect in rects:
        box, inner = _doubled(rect), motion
        scene = look_at(desk.picture, box)
        if motion is not None and (motion.apart[rect.slices] > MOVES).mean() < TELLING:
            inner = None
        soft = settle(scene, box, inner, cut, sure, avoided, desk.size)
        part = _part_with(soft > 0.5, sure)
        if part.any():
            found.append(np.where(part, soft, np.minimum(soft, 0.4)).astype(np.float32))
    if not found:
        return _Found(cut.astype(np.float32), SCRAPS_TRUST)
    masks = [soft > 0.5 for soft in found]
    support = [np.mean([_overlap(one, other) for other in masks]) for one in masks]
    best = int(np.argmax(support))
    likeness = float(support[best]) if len(found) > 1 else _overlap(masks[best], cut)
    return _Found(found[best], float(np.interp(likeness, AGREEMENT, CLICK_TRUST)))


def _moving_parts(motion: Motion, seed: Mask) -> Iterator[Mask]:
    """Connected parts that hold a click and move, at several levels."""
    reach = cv2.dilate(seed.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    smooth = cv2.GaussianBlur(np.maximum(motion.apart, np.float32(-0.8)), (0, 0), 3)
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    closed = [
        cv2.morphologyEx((smooth > level).astype(np.uint8), cv2.MORPH_CLOSE, ellipse) > 0
        for level in APART_LEVELS
    ]
    for moving in (*(motion.moving > level for level in MOVING_LEVELS), *closed):
        part = _part_with(np.asarray(moving), reach)
        if part.any() and part.mean() < 0.5:
            yield part


def _around(mask: Mask) -> Rect:
    """The box of a mask with a small margin."""
    rect = bounds(mask)
    if rect is None:
        return Rect(0, 0, 0, 0)
    return rect.grown(2 + round(BOX_MARGIN * max(rect.size)), Size(*mask.shape))


def _cut_click(
    picture: Small,
    point: tuple[float, float],
    avoids: Sequence[tuple[float, float]],
    avoided: Mask,
) -> Mask:
    """The object around a click: what looks like its disc, connected, with edges by GrabCut."""
    size = Size(*picture.shape[:2])
    reach = CLICK_REACH * max(size)
    disc = _discs([point], size)
    rows, columns = np.ogrid[: size.height, : size.width]
    distance = np.hypot(columns - point[0], rows - point[1])
    is_far = (distance > reach) | avoided | _discs(avoids, size)
    like = _looks_like(picture, disc, np.asarray(is_far))
    grown = _part_with(like & ~is_far, disc) | disc
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
    return _part_with(mask, disc) & ~avoided


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
        like = (look.score(descriptors).prompted > 0) & ~beyond
        inside = _part_with(like, inside) | inside
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


def _spread(
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
    kept = _discs(clicks, size)
    for x, y in avoids:
        row, column = _pixel(x, y, size)
        filled = np.zeros((size.height + 2, size.width + 2), np.uint8)
        filled[1:-1, 1:-1][kept] = 1
        cv2.floodFill(smooth, filled, (column, row), 0, tolerance, tolerance, flags)
        region |= filled[1:-1, 1:-1] == 255
    return np.asarray((region | _discs(avoids, size)) & ~kept)


def _part_with(mask: Mask, seed: Mask) -> Mask:
    """The connected parts of a mask (h, w) that the seed touches."""
    _, parts = cv2.connectedComponents(mask.astype(np.uint8))
    touched = np.unique(parts[seed & mask])
    return np.asarray(np.isin(parts, touched) & mask)


def _discs(points: Sequence[tuple[float, float]], size: Size) -> Mask:
    mask: Mask = np.zeros(size, np.bool_)
    radius = max(1.5, DISC * max(size))
    rows, columns = np.ogrid[: size.height, : size.width]
    for x, y in points:
        mask |= np.hypot(columns + 0.5 - x, rows + 0.5 - y) <= radius
    return mask


def _ellipse(rect: Rect, size: Size, *, grow: float = 1.0) -> Mask:
    """The ellipse inscribed in a rectangle, its axes times ``grow``."""
    rows, columns = np.ogrid[: size.height, : size.width]
    y = (2 * rows + 1 - rect.top - rect.bottom) / max(1, rect.size.height)
    x = (2 * columns + 1 - rect.left - rect.right) / max(1, rect.size.width)
    return np.asarray(x * x + y * y <= grow * grow)


def _whole(box: tuple[float, float, float, float], size: Size) -> Rect:
    """The pixels that a box touches, at least one."""
    left, top, right, bottom = box
    row, column = _pixel(left, top, size)
    return Rect(
        row,
        column,
        min(size.height, max(row + 1, int(np.ceil(bottom)))),
        min(size.width, max(column + 1, int(np.ceil(right)))),
    )


def _pixel(x: float, y: float, size: Size) -> tuple[int, int]:
    return min(size.height - 1, max(0, int(y))), min(size.width - 1, max(0, int(x)))


def _is_in(point: tuple[float, float], rect: Rect) -> bool:
    return rect.left <= point[0] <= rect.right and rect.top <= point[1] <= rect.bottom
