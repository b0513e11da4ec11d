"""The built-in tracker: carries one object's mask from picture to picture, without weights.

Each step brings three opinions together: where the motion carries the mask, what looks like the
object did on the prompted frames, and what looks like it did lately. What the recent look learns
is checked against the prompted one, so that a leak does not teach itself.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from remover.segment.appearance import Appearance, Float, Scores, describe, halve
from remover.segment.motion import Flow, carry, soft_box
from remover.segment.refine import follow_edges, keep_parts
from remover.segment.search import Search
from remover.segment.walk import Small
from remover.types import Mask, Rect, Size

LOOK_WEIGHT = 3.0
"""Weight of each of the two looks, in log odds per unit of score."""

CARRY_WEIGHT = 1.5
"""Weight of the log odds of the carried mask."""

CLIP = 0.05
"""Surest that the carried mask may be, so that it can be overruled."""

FREE_DISTANCE = 12.0
"""Pixels of the grid around the carried mask that the object may grow into in one step."""

FAR_PENALTY = 0.4
"""Log odds lost for each further pixel of the grid."""

GONE_SHARE = 0.03
"""Share of the usual area below which an object counts as gone."""

GONE_CONFIDENCE = 0.5
"""Confidence in an object being out of sight."""

FOUND_CONFIDENCE = 0.45
"""Confidence where an object was just found again by its look."""

SEARCH_EVERY = 4
"""Frames from one look at the whole picture to the next."""

DOUBT = 0.45
"""Confidence below which the whole picture is looked at on every frame."""

MARGIN = 0.3
"""Surroundings that are scored, as a share of the object's longer side."""

AGREEMENT = (0.0, 0.3, 0.55, 0.65, 0.75, 0.85, 0.95)
CONFIDENCE = (0.0, 0.1, 0.3, 0.5, 0.7, 0.85, 0.93)
"""Agreement of mask and prompted look, and the overlap with the truth that went with it when
tracking eighteen clips from true masks."""


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
        self._flow = Flow()
        self._picture = picture
        self._soft: Float = mask.astype(np.float32)
        region = _region(halve(self._soft))
        inside = halve(self._soft) > 0.5
        self._look = Appearance(describe(picture, region), inside[region.slices])
        self._search = Search(self._look, picture, inside)
        self._area = float(self._soft.sum())
        self._is_gone = False
        self._at_border = _touches_border(self._soft)
        self._confidence = 1.0
        self._since_search = 0

    def correct(self, picture: Small, mask: Mask) -> None:
        """Go on from a mask (h, w) that the user gave or mended on the current frame."""
        self._picture = picture
        self._soft = mask.astype(np.float32)
        if not mask.any():
            return
        region = _region(halve(self._soft))
        inside = halve(self._soft)[region.slices] > 0.5
        self._look.learn_prompted(describe(picture, region), inside)
        self._area = float(self._soft.sum())
        self._is_gone = False

    def step(self, picture: Small) -> Step:
        """Find the object on the next frame in the direction of travel."""
        if self._is_gone:
            self._picture = picture
            return self._look_for(picture)
        carried = carry(self._soft, self._flow(picture, self._picture))
        self._picture = picture
        expected = self._checked(halve(carried), picture)
        if expected.sum() * 4 <= GONE_SHARE * self._area:
            return self._vanish()
        region = _region(expected)
        scores = self._look.score(describe(picture, region))
        expected = np.ascontiguousarray(expected[region.slices])
        distance = _distance(expected)
        soft = _decide(scores, expected, distance)
        guide = halve(picture)[region.slices] / np.float32(255)
        soft = follow_edges(np.ascontiguousarray(guide), soft)
        soft = keep_parts(soft, expected, smallest=0.005 * self._area)
        return self._accept(soft, scores, distance, region)

    def _checked(self, expected: Float, picture: Small) -> Float:
        """Now and then, and in doubt, hold what is expected against what is found by look alone.

        Where the two differ, neither counts: the looks decide there.
        """
        self._since_search += 1
        if self._since_search < SEARCH_EVERY and self._confidence > DOUBT:
            return expected
        self._since_search = 0
        found = self._search.find(picture)
        return expected if found is None else (expected + found) * np.float32(0.5)

    def _accept(self, soft: Float, scores: Scores, distance: Float, region: Rect) -> Step:
        """Take over a decided region and judge it."""
        inside = np.asarray(soft > 0.5)
        area = 4.0 * float(inside.sum())
        if area < GONE_SHARE * self._area:
            return self._vanish()
        similar = np.asarray(scores.prompted > 0)
        near = (similar & (distance < FREE_DISTANCE)) | inside
        agreement = float((similar & inside).sum()) / max(1, int(near.sum()))
        is_checked = (np.abs(soft - 0.5) > 0.35) & ((scores.prompted > -0.1) == inside)
        is_far = (distance > FREE_DISTANCE) & (soft < 0.1)
        self._look.learn_recent(scores, inside, np.asarray(is_checked | is_far))
        height, width = self._soft.shape
        grid = np.zeros((height // 2, width // 2), np.float32)
        grid[region.slices] = soft
        self._soft = np.asarray(cv2.resize(grid, (width, height)), np.float32)
        self._at_border = _touches_border(self._soft)
        # The usual area follows slowly, so that leaving the picture still counts as leaving.
        self._area = max(0.97 * self._area, area)
        self._confidence = float(np.interp(agreement, AGREEMENT, CONFIDENCE))
        return Step(self._soft, self._confidence, is_gone=False, at_border=self._at_border)

    def _vanish(self) -> Step:
        self._is_gone = True
        self._soft = np.zeros_like(self._soft)
        return Step(self._soft, GONE_CONFIDENCE, is_gone=True, at_border=self._at_border)

    def _look_for(self, picture: Small) -> Step:
        """Look for an object that is gone, and go on from it where it is seen for sure."""
        found = self._search.find(picture)
        if found is None:
            return Step(self._soft, GONE_CONFIDENCE, is_gone=True, at_border=self._at_border)
        height, width = self._soft.shape
        soft = cv2.resize(found.astype(np.float32), (width, height))
        self._soft = np.asarray(soft, np.float32)
        self._is_gone = False
        self._at_border = _touches_border(self._soft)
        return Step(self._soft, FOUND_CONFIDENCE, is_gone=False, at_border=self._at_border)


def _region(soft: Float) -> Rect:
    """The part of the grid to look at for an object (h, w)."""
    bounds = Size(*soft.shape)
    box = soft_box(soft, 0.005)
    if box is None:
        return Rect(0, 0, *bounds)
    top, left, bottom, right = box
    margin = int(max(12, MARGIN * max(bottom - top, right - left) + 5))
    return Rect(int(top), int(left), int(np.ceil(bottom)), int(np.ceil(right))).grown(
        margin, bounds
    )


def _distance(expected: Float) -> Float:
    """Distance (h, w) to the carried mask, in pixels of the grid."""
    outside = (expected < 0.5).astype(np.uint8)
    if outside.all():
        outside = (expected < 0.5 * expected.max()).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(outside, cv2.DIST_L2, 3), np.float32)


def _decide(scores: Scores, expected: Float, distance: Float) -> Float:
    """Bring the opinions together to a soft mask (h, w)."""
    carried = np.clip(expected, CLIP, 1 - CLIP)
    odds = CARRY_WEIGHT * np.log(carried / (1 - carried))
    for look in (scores.prompted, scores.recent):
        odds += LOOK_WEIGHT * np.clip(look, -1, 1)
    odds -= FAR_PENALTY * np.maximum(0, distance - FREE_DISTANCE)
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))), np.float32)


def _touches_border(soft: Float) -> bool:
    inside = soft > 0.5
    edges = (inside[:3], inside[-3:], inside[:, :3], inside[:, -3:])
    return bool(any(edge.any() for edge in edges))
