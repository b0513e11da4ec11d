"""Finding an object again by its look alone, where that can be relied upon.

Whether it can is asked of the prompted frame itself: if the look finds other things there that
weigh more than a share of the object, it would find them elsewhere too.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np

from remover.segment.appearance import Appearance, Float, describe
from remover.segment.walk import Small
from remover.types import Mask, Rect

LEAST_SCORE = 0.25
"""Smoothed score that a part of an object has."""

RIVAL_SHARE = 0.35
"""Heaviest that the next best part may be, as a share of the best."""

WEIGHT_RANGE = (0.4, 2.5)
"""Weight of a sighting against that of the object on the prompted frame."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """The part of a picture that looks most like an object."""

    part: Mask = field(repr=False)
    """On the grid, (h, w)."""
    weight: float
    """Sum of its scores."""
    rival: float
    """The same of the next best part."""


class Search:
    """Looks for one object in whole pictures."""

    def __init__(self, look: Appearance, picture: Small, inside: Mask) -> None:
        """Ask the prompted frame how well the look alone finds the object.

        Args:
            look: Fitted to the object.
            picture: The prompted frame, work picture.
            inside: The object on its grid, (h, w).
        """
        self._look = look
        self._blur = max(1.0, 0.06 * float(np.sqrt(inside.sum())))
        sighting = self._best(picture)
        overlap = 0.0
        if sighting is not None:
            overlap = float((sighting.part & inside).sum() / (sighting.part | inside).sum())
        self._weight = sighting.weight if sighting is not None else 0.0
        self.is_reliable = (
            sighting is not None
            and overlap > 0.5
            and sighting.rival < RIVAL_SHARE * sighting.weight
        )

    def find(self, picture: Small) -> Mask | None:
        """The object on the grid (h, w) of a picture; None where it is not seen for sure."""
        if not self.is_reliable:
            return None
        sighting = self._best(picture)
        if sighting is None or sighting.rival > RIVAL_SHARE * sighting.weight:
            return None
        low, high = WEIGHT_RANGE
        return sighting.part if low <= sighting.weight / self._weight <= high else None

    def _best(self, picture: Small) -> Sighting | None:
        height, width = picture.shape[:2]
        scores = self._look.score(describe(picture, Rect(0, 0, height // 2, width // 2)))
        level: Float = np.clip(scores, -1, 1)
        smooth = np.asarray(cv2.GaussianBlur(level, (0, 0), self._blur))
        count, parts = cv2.connectedComponents((smooth > LEAST_SCORE).astype(np.uint8))
        if count <= 1:
            return None
        weights = np.bincount(np.asarray(parts).ravel(), np.maximum(level, 0).ravel(), count)
        weights[0] = 0
        best = int(weights.argmax())
        rival = float(np.delete(weights, best).max())
        return Sighting(np.asarray(parts) == best, float(weights[best]), rival)
