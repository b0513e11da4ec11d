"""From boxes, clicks, avoided points and a rough mask on one frame to the object's mask there.

What is found is settled at half the work size in several ways: by how unlike the background it is,
with GrabCut's opinion and without, and by motion against the background. They are brought together;
GrabCut alone is taken where that leaves scraps or what does not survive a few frames, at last the
ellipse in the box, and each such step is said. A click first gives several boxes, by motion, by
what differs from the still background and by colour, and the mask wins that is trusted, agreed on
and survives most.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from remover.masks import bounds
from remover.segment.appearance import Float
from remover.segment.cut import cut_box, cut_click, discs, ellipse_in, part_with, pixel_at, spread
from remover.segment.hints import Hints
from remover.segment.motion import half
from remover.segment.refine import enlarge, follow_edges
from remover.segment.settle import Scene, look_at, region_of, settle
from remover.segment.stepback import Reason, StepBack, Taken
from remover.segment.still import Around, Motion, motion_in
from remover.segment.survive import Witness, survival, witnesses
from remover.segment.walk import Small
from remover.types import Mask, Rect, Size

LEAST_SHARE = 0.12
"""A found object that fills less of its box is taken for scraps of one, but for thin ones that
reach far."""

LEAST_REACH = 0.5
"""Share of the box that such a thin one's own box fills at least."""

MOVES = 0.3
"""Motion evidence from which on a pixel counts as moving."""

TELLING = 0.1
"""Share of moving pixels in a box from which on motion counts in full."""

LOOKS_SHARE = 0.5
"""Weight of each of the two ways by looks against that of motion."""

REACH_POWER = 10
"""How strongly the way counts whose mask reaches the sides of the box."""

MOVING_LEVELS, APART_LEVELS = (0.0, 0.3, 0.7), (0.0, 0.3)
"""Levels of the two kinds of motion evidence at which the parts around a click are taken."""

BOX_MARGIN = 0.04
"""What is added around such a part, as a share of its longer side."""

ALIVE = 0.4
"""Survival below which a mask counts for none."""

TRUST, AGREES, LOPSIDED = 0.64, 0.27, 1.35
"""Overlap with the truth to expect of a mask from a box, fitted to those of 55 boxes: a line in how
well the second best way agrees and in how lopsided the mask lies in its box."""

SURVIVES, USUAL = 0.21, 0.88
"""What is added to that for a survival of one more than the usual one."""

CLICK_TRUST, CLICK_AGREES, CLICK_SURVIVES = -0.43, 0.44, 0.87
"""The same from a click, fitted to 55 of them: how well the candidates agree with the one that is
taken, and how well that survives."""

LEAST_TRUST = 0.2
"""Of a mask that was found and holds."""

SOME = 0.02
"""Share from which on a pixel may belong to the object at all."""

SCRAPS_TRUST, GUESS_TRUST = 0.45, 0.4
"""The same for GrabCut alone and for the ellipse in a box."""


@dataclass(frozen=True, slots=True)
class First:
    """A mask on a prompted frame."""

    mask: Mask = field(repr=False)
    trust: float = 1.0
    """Overlap with the truth to expect, 0 to 1; 1 for a mask that was given."""
    steps: tuple[StepBack, ...] = ()
    """Where something simpler was taken for what did not hold."""


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
    near, small = hints.halved(), half(picture)
    points = near.boxes or near.clicks
    desk = _Desk(picture, small, around, witnesses(small, around) if points else ())
    avoided = spread(desk.small, near.avoids, near.clicks)
    trust = 1.0
    steps: list[StepBack] = []
    for box in near.boxes:
        found = _from_box(desk, box, near, avoided)
        steps += found.steps
        trust = min(trust, found.trust)
        mask |= _sharp(desk, found.soft)
    for click, (x, y) in zip(near.clicks, hints.clicks, strict=True):
        if not mask[pixel_at(x, y, size)]:
            found = _from_click(desk, click, near, avoided)
            steps += found.steps
            trust = min(trust, found.trust)
            mask |= _sharp(desk, found.soft)
    if near.avoids:
        mask &= ~enlarge(avoided, size)
    return First(mask, trust, tuple(steps))


@dataclass(frozen=True, slots=True)
class _Desk:
    """A prompted frame, ready to be worked on."""

    picture: Small
    small: Small
    """At half the size."""
    around: Around | None
    seen: tuple[Witness, ...]

    @property
    def size(self) -> Size:
        return Size(*self.small.shape[:2])


@dataclass(frozen=True, slots=True)
class _Found:
    """A soft mask at half the size."""

    soft: Float
    trust: float
    survival: float = 0.0
    steps: tuple[StepBack, ...] = ()

    @property
    def mask(self) -> Mask:
        return np.asarray(self.soft > 0.5)


def _sharp(desk: _Desk, soft: Float) -> Mask:
    """The mask (H, W) of a soft one at half the size, its outline on that of the full size."""
    size = Size(*desk.picture.shape[:2])
    rough = np.asarray(cv2.resize(soft, (size.width, size.height)), np.float32)
    mask: Mask = np.zeros(size, np.bool_)
    rect = bounds(np.asarray(rough > SOME))
    if rect is not None:
        around = rect.grown(8, size).slices
        guide = np.ascontiguousarray(desk.picture[around].astype(np.float32) / np.float32(255))
        mask[around] = follow_edges(guide, np.ascontiguousarray(rough[around])) > 0.5
    sharp = mask & (rough > SOME)
    return np.asarray(sharp if sharp.any() else rough > 0.5)


def _from_box(
    desk: _Desk, box: tuple[float, float, float, float], hints: Hints, avoided: Mask
) -> _Found:
    """The object in a box (left, top, right, bottom) at half the size, checked, with fallbacks."""
    rect = _whole(box, desk.size)
    left, top, right, bottom = box
    full = 2 * left, 2 * top, 2 * right, 2 * bottom
    sure = discs([point for point in hints.clicks if _is_in(point, rect)], desk.size)
    if min(rect.size) < 4:
        step = StepBack(Reason.TINY, Taken.BOX)
        return _Found(_filled(rect, desk.size), SCRAPS_TRUST, steps=(step,))
    cut = cut_box(desk.small, rect, sure, avoided)
    scene = look_at(desk.picture, full)
    motion = _motion(desk, scene, rect)
    settled = _settled(desk, scene, full, motion, cut, sure, avoided)
    settled = _judged(settled, survival(settled.mask, desk.seen))
    reason = _failing(settled, rect)
    if reason is None:
        return settled
    if _share(cut, rect) >= LEAST_SHARE and survival(cut, desk.seen) >= ALIVE:
        step = StepBack(reason, Taken.CUT)
        return _Found(cut.astype(np.float32), SCRAPS_TRUST, steps=(step,))
    guess = (ellipse_in(rect, desk.size) | sure) & ~avoided
    step = StepBack(reason, Taken.ELLIPSE)
    return _Found(guess.astype(np.float32), GUESS_TRUST, steps=(step,))


def _judged(found: _Found, alive: float) -> _Found:
    """What was found in a box with its survival, which its trust follows."""
    trust = found.trust + SURVIVES * (alive - USUAL)
    return replace(found, survival=alive, trust=float(np.clip(trust, LEAST_TRUST, 1)))


def _failing(found: _Found, rect: Rect) -> Reason | None:
    """What is wrong with what was found in a rectangle, if anything."""
    if _share(found.soft, rect) < LEAST_SHARE and reach(found.mask, rect) < LEAST_REACH:
        return Reason.SCRAPS
    return Reason.PERISHED if found.survival < ALIVE else None


def _motion(desk: _Desk, scene: Scene, rect: Rect) -> Motion | None:
    """Motion in and around a box; None where there is nothing to tell it from."""
    if desk.around is None:
        return None
    background: Mask = np.ones(desk.size, np.bool_)
    background[rect.grown(2, desk.size).slices] = False
    return motion_in(desk.around, region_of(scene, desk.size), background)


def _settled(
    desk: _Desk,
    scene: Scene,
    box: tuple[float, float, float, float],
    motion: Motion | None,
    cut: Mask,
    sure: Mask,
    avoided: Mask,
) -> _Found:
    """What looks, with GrabCut and without, and motion lead to, brought together.

    A box is drawn around an object, so the way counts whose mask reaches more of its sides, unless
    something in it is to be avoided.
    """
    left, top, right, bottom = (value / 2 for value in box)
    rect = _whole((left, top, right, bottom), desk.size)
    ways = [settle(scene, box, None, opinion, sure, avoided, desk.size) for opinion in (cut, None)]
    shares = [LOOKS_SHARE, LOOKS_SHARE]
    if motion is not None:
        ways.append(settle(scene, box, motion, None, sure, avoided, desk.size))
        moving = float((motion.apart[rect.slices] > MOVES).mean())
        shares.append(min(1.0, moving / TELLING) ** 2)
    power = 0 if avoided[rect.slices].any() else REACH_POWER
    reached = [reach(np.asarray(way > 0.5), rect) ** power for way in ways]
    weights = np.array(shares) * np.array(reached)
    weights = (weights + 1e-6) / (weights + 1e-6).sum()
    soft = np.tensordot(weights.astype(np.float32), np.stack(ways), axes=1)
    mask = np.asarray(soft > 0.5)
    likeness = sorted(_overlap(mask, way > 0.5) for way in ways)[-2]
    trust = TRUST + AGREES * likeness - LOPSIDED * lopsided(mask, rect)
    return _Found(soft, float(np.clip(trust, LEAST_TRUST, 1)))


def lopsided(mask: Mask, rect: Rect) -> float:
    """How much farther what is in a rectangle stays from one of its sides than from another.

    As a share of the rectangle's sides, 0 to 1: a box that was drawn too large is so all around,
    but where a part of the object was missed one side is left.
    """
    inner = bounds(mask[rect.slices])
    if inner is None:
        return 1.0
    height, width = rect.size
    down = inner.top / height, (height - inner.bottom) / height
    gaps = (*down, inner.left / width, (width - inner.right) / width)
    return max(gaps) - min(gaps)


def reach(mask: Mask, rect: Rect) -> float:
    """How much of a rectangle the bounding box of what is in it fills, 0 to 1."""
    inner = bounds(mask[rect.slices])
    if inner is None:
        return 0.0
    return inner.size.height * inner.size.width / (rect.size.height * rect.size.width)


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


def _from_click(desk: _Desk, point: tuple[float, float], hints: Hints, avoided: Mask) -> _Found:
    """The object around a click: of the masks that several boxes lead to, the likeliest."""
    cut = cut_click(desk.small, point, hints.avoids, avoided)
    sure = discs([point], desk.size)
    boxes = [_around(cut)]
    motion = None
    if desk.around is not None:
        whole = Rect(0, 0, *desk.size)
        motion = motion_in(desk.around, whole, np.ones(desk.size, np.bool_))
    if motion is not None:
        boxes += [_around(part) for part in _moving_parts(motion, sure)]
    rects = [rect for rect in dict.fromkeys(boxes) if min(rect.size) >= 4]
    found, reason = [], Reason.SCRAPS
    for rect in rects:
        box = _doubled(rect)
        settled = _settled(desk, look_at(desk.picture, box), box, motion, cut, sure, avoided)
        part = part_with(settled.mask, sure)
        soft = np.where(part, settled.soft, np.minimum(settled.soft, 0.4))
        one = _Found(soft.astype(np.float32), settled.trust, survival(part, desk.seen))
        failing = _failing(one, rect)
        if failing is None:
            found.append(one)
        elif failing is Reason.PERISHED:
            reason = failing
    if not found:
        step = StepBack(reason, Taken.CUT, "around its click")
        return _Found(cut.astype(np.float32), SCRAPS_TRUST, steps=(step,))
    return _likeliest(found, cut)


def _likeliest(found: Sequence[_Found], cut: Mask) -> _Found:
    """Of several masks around a click the one that is trusted, agreed on and survives most."""
    support = [float(np.mean([_overlap(one.mask, other.mask) for other in found])) for one in found]
    worth = [one.trust * share * one.survival for one, share in zip(found, support, strict=True)]
    best = int(np.argmax(worth))
    likeness = support[best] if len(found) > 1 else _overlap(found[best].mask, cut)
    trust = CLICK_TRUST + CLICK_AGREES * likeness + CLICK_SURVIVES * found[best].survival
    return replace(found[best], trust=float(np.clip(trust, LEAST_TRUST, 1)))


def _moving_parts(motion: Motion, seed: Mask) -> Iterator[Mask]:
    """Connected parts that hold a click and move, at several levels."""
    touched = cv2.dilate(seed.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    smooth = cv2.GaussianBlur(np.maximum(motion.apart, np.float32(-0.8)), (0, 0), 3)
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    closed = [
        cv2.morphologyEx((smooth > level).astype(np.uint8), cv2.MORPH_CLOSE, ellipse) > 0
        for level in APART_LEVELS
    ]
    for moving in (*(motion.moving > level for level in MOVING_LEVELS), *closed):
        part = part_with(np.asarray(moving), touched)
        if part.any() and part.mean() < 0.5:
            yield part


def _around(mask: Mask) -> Rect:
    """The box of a mask with a small margin."""
    rect = bounds(mask)
    if rect is None:
        return Rect(0, 0, 0, 0)
    return rect.grown(2 + round(BOX_MARGIN * max(rect.size)), Size(*mask.shape))


def _whole(box: tuple[float, float, float, float], size: Size) -> Rect:
    """The pixels that a box touches, at least one."""
    left, top, right, bottom = box
    row, column = pixel_at(left, top, size)
    return Rect(
        row,
        column,
        min(size.height, max(row + 1, int(np.ceil(bottom)))),
        min(size.width, max(column + 1, int(np.ceil(right)))),
    )


def _is_in(point: tuple[float, float], rect: Rect) -> bool:
    return rect.left <= point[0] <= rect.right and rect.top <= point[1] <= rect.bottom
