"""What an object looks like: local colour and texture, and a classifier fitted to one video.

Legend: h, w rows and columns of the *grid*, which is every second pixel of the work picture;
D descriptor length; K number of random features. The classifier is ridge regression on random
cosine features, a stand-in for a Gaussian kernel that costs one product a frame.
"""

import cv2
import numpy as np
import numpy.typing as npt

from remover.segment.walk import Small
from remover.types import Rect

Float = npt.NDArray[np.float32]

REACH = 20
"""Pixels around a region that its descriptors look at."""

LAB_SPAN = np.array([100, 60, 60], np.float32)
"""Spans that bring the three channels to like size."""

NUM_FEATURES = 256
"""Random features of the classifier, K."""

BANDWIDTH = 0.6
"""Width of the kernel, in standard deviations of the descriptors, times the root of D."""

RIDGE = 0.02
"""Regularisation as a share of the mean diagonal."""

MAX_SAMPLES = 6000
"""Pixels that the classifier is fitted to at a time."""

SOLVER = cv2.DECOMP_CHOLESKY
"""The damped matrix is symmetric and positive definite."""


def describe(picture: Small, region: Rect) -> Float:
    """Descriptors (h, w, D) of a region of the grid.

    Lab colour at three scales, edge energy in four directions and the contrast around.

    Args:
        picture: Work picture (2 h', 2 w', 3).
        region: Rectangle of the grid.
    """
    height, width = picture.shape[:2]
    top, left = max(0, 2 * region.top - REACH), max(0, 2 * region.left - REACH)
    bottom = min(height, 2 * region.bottom + REACH)
    right = min(width, 2 * region.right + REACH)
    crop = picture[top:bottom, left:right].astype(np.float32) / 255
    lab = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2Lab), np.float32) / LAB_SPAN
    light = np.ascontiguousarray(lab[..., 0])
    across, down = cv2.Sobel(light, -1, 1, 0), cv2.Sobel(light, -1, 0, 1)
    edges = np.abs(np.dstack([across, down, 0.7 * (across + down), 0.7 * (across - down)]))
    mean = cv2.GaussianBlur(light, (0, 0), 4)
    variance = cv2.GaussianBlur(light * light, (0, 0), 4) - mean * mean
    parts = [cv2.GaussianBlur(lab, (0, 0), sigma) for sigma in (0.8, 2.5, 6.0)]
    parts += [cv2.GaussianBlur(edges, (0, 0), 3), 3 * np.sqrt(np.maximum(variance, 0))]
    full = np.dstack(parts)
    rows = slice(2 * region.top - top, 2 * region.bottom - top)
    columns = slice(2 * region.left - left, 2 * region.right - left)
    return halve(full[rows, columns])


def halve(picture: npt.NDArray[np.generic]) -> Float:
    """The mean of each 2 by 2 pixels of (2 h, 2 w) or (2 h, 2 w, D)."""
    wide = np.asarray(picture, np.float32)
    rows = wide[0::2] + wide[1::2]
    return np.asarray((rows[:, 0::2] + rows[:, 1::2]) * np.float32(0.25))


class Appearance:
    """A classifier of pixels, fitted to a prompted frame."""

    def __init__(self, descriptors: Float, inside: npt.NDArray[np.bool_]) -> None:
        """Fit to a region of the prompted frame.

        Args:
            descriptors: (h, w, D).
            inside: (h, w), True on the object.
        """
        self._random = np.random.default_rng(0)
        length = descriptors.shape[2]
        flat = descriptors.reshape(-1, length)
        self._mean = flat.mean(axis=0)
        self._scale = flat.std(axis=0) + np.float32(1e-3)
        width = BANDWIDTH * np.sqrt(length)
        draws = self._random.standard_normal((length, NUM_FEATURES)) / width
        self._waves = draws.astype(np.float32)
        self._phases = self._random.uniform(0, 2 * np.pi, NUM_FEATURES).astype(np.float32)
        self._head = self._fitted(self._features(descriptors), inside)

    def score(self, descriptors: Float) -> Float:
        """How much the pixels of a region (h, w, D) look like the object, (h, w): about 1 or -1."""
        return (self._features(descriptors) @ self._head).reshape(descriptors.shape[:2])

    def _features(self, descriptors: Float) -> Float:
        flat = (descriptors.reshape(-1, descriptors.shape[2]) - self._mean) / self._scale
        waves = np.cos(flat @ self._waves + self._phases)
        return np.column_stack([waves, np.ones(len(waves), np.float32)])

    def _fitted(self, features: Float, inside: npt.NDArray[np.bool_]) -> Float:
        """The head (K + 1,) for a fair share of both kinds of pixels."""
        chosen = np.arange(inside.size)
        if chosen.size > MAX_SAMPLES:
            chosen = self._random.choice(chosen, MAX_SAMPLES, replace=False)
        is_object = inside.ravel()[chosen]
        count = int(is_object.sum())
        weight = np.where(is_object, 0.5 / max(1, count), 0.5 / max(1, chosen.size - count))
        rows = features[chosen]
        weighted = rows * weight[:, None].astype(np.float32)
        labels = np.where(is_object, 1, -1).astype(np.float32)
        return _ridge(weighted.T @ rows, weighted.T @ labels)


def _ridge(gram: Float, target: Float) -> Float:
    strength = RIDGE * np.trace(gram) / len(gram)
    damped = gram + strength * np.eye(len(gram), dtype=np.float32)
    # NumPy's solver spreads this small system over all cores and is ten times slower on busy ones.
    _, head = cv2.solve(damped.astype(np.float64), target[:, None].astype(np.float64), flags=SOLVER)
    return np.asarray(head, np.float32)[:, 0]
