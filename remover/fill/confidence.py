"""How far copied pixels can be trusted: the probability that they are close to the truth."""

import cv2
import numpy as np
import numpy.typing as npt

from remover.fill.frames import Float, mean_level
from remover.fill.seam import Known

FARTHEST = 32
"""Frames that a source without a distance counts as."""
BOX = 5
"""Side, in pixels, of the box in which texture is measured."""
BIAS = 6.81
ERROR, SPREAD, DISTANCE, COUNT, TEXTURE = -1.147, -0.699, -0.681, 0.139, -0.594
"""Weights of the logarithms in log odds, fitted by ``tests/data/fit_confidence.py``."""


def confidence(
    error: npt.NDArray[np.floating],
    spread: npt.NDArray[np.floating],
    nearest: npt.NDArray[np.floating],
    count: npt.NDArray[np.floating],
    texture: npt.NDArray[np.floating],
) -> Float:
    """Probability that a copied pixel is within 10 levels of the truth in every channel.

    A logistic regression on logarithms, fitted on clips with known truth. On a clip that was left
    out of the fit, 0.9 means about 0.9: docs/quality.md has the table.

    Args:
        error: Weighted mean error of the sources around the hole, levels.
        spread: Weighted standard deviation between the candidates, levels.
        nearest: Frames to the nearest source.
        count: Number of sources.
        texture: Standard deviation of the copied levels near the pixel: what is misplaced by a
            little is wrong by as much as it varies.
    """
    terms = (np.log1p(error), np.log1p(spread), *counted(nearest, count), np.log1p(texture))
    weights = (ERROR, SPREAD, DISTANCE, COUNT, TEXTURE)
    odds = BIAS + sum(weight * term for weight, term in zip(weights, terms, strict=True))
    return np.asarray(1 / (1 + np.exp(-odds)), np.float32)


def counted(
    nearest: npt.NDArray[np.floating], count: npt.NDArray[np.floating]
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.floating]]:
    """Logarithms of the distance and of the number of sources."""
    distance = np.maximum(np.where(np.isfinite(nearest), nearest, FARTHEST), 1)
    return np.log(distance), np.log(np.maximum(count, 1))


def texture_of(levels: Float, known: Known) -> Float:
    """Standard deviation (h, w) of the mean of levels (h, w, 3) among the known pixels near."""
    grey, weight = mean_level(levels), known.astype(np.float32)
    share = np.maximum(cv2.blur(weight, (BOX, BOX)), 1e-6)
    mean = cv2.blur(grey * weight, (BOX, BOX)) / share
    square = cv2.blur(grey * grey * weight, (BOX, BOX)) / share
    return np.asarray(np.sqrt(np.maximum(square - mean * mean, 0)), np.float32)
