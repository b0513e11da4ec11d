"""The built-in tracker: carries one object's mask from picture to picture.

Each step brings opinions together on the cells of a deep network: where the motion carries the
mask, what two heads say of each cell, and the labels of the cells that look alike on the prompted
and the last frames. Only the coarse mask of the cells is carried on; edges are found for the
output alone, so that their errors do not add up.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from remover.segment.appearance import Appearance, Float, halve
from remover.segment.appearance import describe as describe_pixels
from remover.segment.crop import Crop, crop_around
from remover.segment.edges import mend
from remover.segment.look import Look, Seen
from remover.segment.motion import carry, soft_box
from remover.segment.refine import keep_parts
from remover.segment.search import Search
from remover.segment.walk import Small
from remover.types import Mask, Rect, Size

LOOK_WEIGHT = 6.0
"""Weight of the two heads together, in log odds per unit of score."""

RECENT_SHARE = 0.25
"""How much of that is the following head's."""

CARRY_WEIGHT, CARRY_CLIP = 0.5, 0.05
"""Weight of the log odds of the carried mask, and how sure it may be; at a weight of 1 a soft mask
grows at each step."""

ALIKE_WEIGHT, ALIKE_CLIP = 0.7, 0.02
"""The same for the labels of like cells."""

OPEN = 4.75
"""Log odds of the rest up to which like cells are asked: beyond, they could change neither the side
that a cell is on nor that it is sure."""

FREE_DISTANCE = 48.0
"""Pixels around the carried mask that the object may grow into in one step."""

FAR_PENALTY = 0.2
"""Log odds lost for each further pixel."""

AREA = 448 * 448
"""Pixels that the network looks at, about."""

MENDED_AREA = 320 * 320
"""The same where the outline is mended."""

ZOOM = 3.0
"""Most that a small object is enlarged by."""

GROWTH = 1.25
"""An object that has grown by more than this is looked at with less detail."""

MARGIN, LEAST_MARGIN = 0.35, 0.047
"""Surroundings that are looked at: shares of the object's longer side, and of the picture's."""

LOOKS_BEYOND = 2
"""How often a crop is moved on where the object reaches its edge: motion was missed, or it grew."""

GONE_SHARE = 0.03
"""Share of the usual area below which an object counts as gone."""

GONE_CONFIDENCE = 0.65
"""Confidence in an object being out of sight."""

FOUND_CONFIDENCE = 0.45
"""Confidence where an object was just found again by its look."""

DOUBT = 0.45
"""Confidence below which the whole picture is looked at."""

NEAR = 40.0
"""Pixels around the carried mask in which the fixed head is asked whether it agrees."""

AGREEMENT = (0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98)
CONFIDENCE = (0.0, 0.2, 0.35, 0.45, 0.6, 0.75, 0.82, 0.9)
"""Agreement of mask and fixed head, and the overlap with the truth that went with it."""

SIZE, SIZE_TRUST = (0.3, 0.6), (0.3, 1.0)
"""Area as a share of the usual one, and the most confidence then, away from the picture's border:
what is left of an object that went is often a piece of the place."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where an object is on one frame."""

    soft: Float = field(repr=False)
    """Soft mask (h, w) at the work size, 0 to 1."""
    confidence: float
    """Expected overlap with the truth, 0 to 1, if the mask on the prompted frame is right."""
    is_gone: bool
    """The object is not to be seen."""
    at_border: bool
    """The object touched the border of the picture when it was last seen."""


class Tracker:
    """Follows one object from a prompted frame in either direction of time."""

    def __init__(self, picture: Small, mask: Mask) -> None:
        """Start from a work picture (h, w, 3) with the object's mask (h, w), not empty."""
        self._size = Size(*picture.shape[:2])
        self._half: Float = halve(mask)
        box = _box(self._half) or (0.0, 0.0, float(self._size[0]), float(self._size[1]))
        self._scale = min(ZOOM, float(np.sqrt(AREA / _seen_area(box, self._size))))
        soft = mask.astype(np.float32)
        self._look = Look(picture, soft, self._crop(box))
        thumb = _thumb(picture)
        grid = _to(self._half, Size(thumb.shape[0] // 2, thumb.shape[1] // 2))
        whole = Rect(0, 0, *grid.shape)
        self._pixels = Appearance(describe_pixels(thumb, whole), grid > 0.5)
        self._search = Search(self._pixels, thumb, grid > 0.5)
        self._area = float(mask.sum())
        self._is_gone = False
        self._at_border = _touches_border(soft)
        self._confidence = 1.0

    def correct(self, picture: Small, mask: Mask) -> None:
        """Go on from a mask (h, w) that the user gave or mended on the current frame."""
        self._half = halve(mask)
        box = _box(self._half)
        if box is None:
            return
        self._look.learn_prompted(picture, mask.astype(np.float32), self._crop(box))
        self._area = float(mask.sum())
        self._is_gone = False
        self._confidence = 1.0

    def step(self, picture: Small, flow: Float) -> Step:
        """Find the object on the next frame in the direction of travel.

        Args:
            picture: Work picture (h, w, 3).
            flow: From it to the one before, at half the size: displacements (h/2, w/2, 2) as x, y.
        """
        if self._is_gone:
            return self._look_for(picture)
        carried = self._checked(carry(self._half, flow), picture)
        box = _box(carried)
        if box is None or carried.sum() * 4 <= GONE_SHARE * self._area:
            return self._vanish()
        inside = carried > 0.5
        x, y = 2 * np.median(flow[inside], axis=0) if inside.any() else (0.0, 0.0)
        motion = float(y), float(x)
        seen, soft, distance = self._decided(picture, carried, box, motion)
        for _ in range(LOOKS_BEYOND):
            if not is_cut_off(soft, seen.crop, self._size):
                break
            carried = np.maximum(carried, halve(seen.crop.paste(soft, self._size)))
            box = _box(carried) or box
            seen, soft, distance = self._decided(picture, carried, box, motion)
        return self._accept(picture, seen, soft, distance)

    def _decided(
        self,
        picture: Small,
        carried: Float,
        box: tuple[float, float, float, float],
        motion: tuple[float, float],
    ) -> tuple[Seen, Float, Float]:
        """Look around a box: what is seen, the soft mask of the cells, the way from the carried."""
        seen = self._look.see(picture, self._crop(box))
        expected = seen.crop.cells_of(_to(carried, self._size))
        distance = _distance(expected, seen.crop)
        odds = weigh(seen, expected, distance)
        is_open = np.abs(odds) < OPEN
        alike = (odds > 0).astype(np.float32)
        if is_open.any():
            alike[is_open] = self._look.alike(seen, is_open, motion)
        soft = decide(odds, alike)
        return seen, keep_parts(soft, expected, seen.fixed, seen.wide), distance

    def _checked(self, carried: Float, picture: Small) -> Float:
        """In doubt, hold what is carried against what is found by look alone.

        Where the two differ, neither counts: the heads decide there.
        """
        if self._confidence > DOUBT:
            return carried
        found = self._found(picture)
        return carried if found is None else (carried + found) * np.float32(0.5)

    def _found(self, picture: Small) -> Float | None:
        """The object found by look alone, (h/2, w/2); None where it is not seen for sure."""
        found = self._search.find(_thumb(picture))
        if found is None:
            return None
        return _to(found.astype(np.float32), Size(*self._half.shape))

    def _accept(self, picture: Small, seen: Seen, soft: Float, distance: Float) -> Step:
        """Take over a decided crop and judge it."""
        inside = soft > 0.5
        down, across = seen.crop.cell
        area = float(inside.sum()) * down * across
        if area < GONE_SHARE * self._area:
            return self._vanish()
        self._look.learn(seen, soft)
        similar = seen.fixed > 0
        near = (similar & (distance < NEAR)) | inside
        agreement = float((similar & inside).sum()) / max(1, int(near.sum()))
        clipped = np.clip(soft, 1e-3, 1 - 1e-3)
        odds = seen.crop.paste(np.log(clipped / (1 - clipped)), self._size, outside=-7)
        coarse = np.asarray(1 / (1 + np.exp(-np.clip(odds, -8, 8))), np.float32)
        self._half = halve(coarse)
        place = seen.crop.rect.slices
        coarse[place] = mend(picture[place], coarse[place], area=MENDED_AREA)
        self._at_border = _touches_border(coarse)
        # The usual area follows slowly, so that leaving the picture still counts as leaving.
        self._area = max(0.97 * self._area, area)
        by_look = float(np.interp(agreement, AGREEMENT, CONFIDENCE))
        by_size = trust_in_size(area, self._area, is_at_border=self._at_border)
        self._confidence = min(by_look, by_size)
        return Step(coarse, self._confidence, is_gone=False, at_border=self._at_border)

    def _crop(self, box: tuple[float, float, float, float]) -> Crop:
        scale = min(self._scale, float(np.sqrt(GROWTH * AREA / _seen_area(box, self._size))))
        return crop_around(box, scale, _margin(box, self._size), self._size)

    def _vanish(self) -> Step:
        self._is_gone = True
        self._half = np.zeros_like(self._half)
        self._look.forget_last()
        return self._out_of_sight()

    def _out_of_sight(self) -> Step:
        nothing = np.zeros(self._size, np.float32)
        return Step(nothing, GONE_CONFIDENCE, is_gone=True, at_border=self._at_border)

    def _look_for(self, picture: Small) -> Step:
        """Look for an object that is gone, and go on from it where it is seen for sure."""
        found = self._found(picture)
        if found is None:
            return self._out_of_sight()
        self._half = found
        self._is_gone = False
        soft = _to(found, self._size)
        self._at_border = _touches_border(soft)
        return Step(soft, FOUND_CONFIDENCE, is_gone=False, at_border=self._at_border)


def is_cut_off(soft: Float, crop: Crop, bounds: Size) -> bool:
    """Whether a soft mask (h, w) of cells reaches an edge of its crop that is none of the picture.

    Args:
        soft: The mask.
        crop: Its crop.
        bounds: Size of the picture.
    """
    inside, rect = soft > 0.5, crop.rect
    edges = (
        (rect.top > 0, inside[0]),
        (rect.left > 0, inside[:, 0]),
        (rect.bottom < bounds.height, inside[-1]),
        (rect.right < bounds.width, inside[:, -1]),
    )
    return any(is_inner and bool(edge.any()) for is_inner, edge in edges)


def trust_in_size(area: float, usual: float, *, is_at_border: bool) -> float:
    """The most confidence in a mask of an area where ``usual`` pixels are expected, 0 to 1."""
    return 1.0 if is_at_border else float(np.interp(area / usual, SIZE, SIZE_TRUST))


def weigh(seen: Seen, expected: Float, distance: Float) -> Float:
    """What all but like cells say of each cell of a crop, (h, w), in log odds.

    Args:
        seen: What the network says.
        expected: The carried mask.
        distance: From it, in pixels.
    """
    heads = (1 - RECENT_SHARE) * seen.fixed + RECENT_SHARE * seen.recent
    odds = LOOK_WEIGHT * np.clip(heads, -1.2, 1.2)
    odds += CARRY_WEIGHT * _log_odds(expected, CARRY_CLIP)
    odds -= FAR_PENALTY * np.maximum(0, distance - FREE_DISTANCE)
    return np.asarray(odds, np.float32)


def decide(odds: Float, alike: Float) -> Float:
    """Bring what ``weigh`` and like cells (h, w) say together to a soft mask (h, w)."""
    odds = odds + ALIKE_WEIGHT * _log_odds(alike, ALIKE_CLIP)
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))), np.float32)


def _log_odds(soft: Float, clip: float) -> Float:
    clipped = np.clip(soft, clip, 1 - clip)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float32)


def _box(half: Float) -> tuple[float, float, float, float] | None:
    """(top, left, bottom, right) of a half-size soft mask in pixels of the work picture."""
    box = soft_box(half, 0.01)
    return None if box is None else (2 * box[0], 2 * box[1], 2 * box[2], 2 * box[3])


def _margin(box: tuple[float, float, float, float], bounds: Size) -> float:
    return max(LEAST_MARGIN * max(bounds), MARGIN * max(box[2] - box[0], box[3] - box[1]))


def _seen_area(box: tuple[float, float, float, float], bounds: Size) -> float:
    """Pixels of a box with its margin, inside the picture."""
    margin = _margin(box, bounds)
    height = min(bounds.height, box[2] + margin) - max(0, box[0] - margin)
    width = min(bounds.width, box[3] + margin) - max(0, box[1] - margin)
    return max(1.0, height * width)


def _distance(expected: Float, crop: Crop) -> Float:
    """Distance (h, w) of the cells to the carried mask, in pixels of the work picture."""
    outside = (expected < min(0.5, 0.5 * float(expected.max()))).astype(np.uint8)
    cells = cv2.distanceTransform(outside, cv2.DIST_L2, 3)
    return np.asarray(cells, np.float32) * np.float32(sum(crop.cell) / 2)


def _thumb(picture: Small) -> Small:
    """The small picture, with even sides, that is searched by colour and texture."""
    height, width = (max(8, side // 4 * 2) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _to(soft: Float, size: Size) -> Float:
    return np.asarray(cv2.resize(soft, (size.width, size.height)), np.float32)


def _touches_border(soft: Float) -> bool:
    inside = soft > 0.5
    edges = (inside[:4], inside[-4:], inside[:, :4], inside[:, -4:])
    return bool(any(edge.any() for edge in edges))
