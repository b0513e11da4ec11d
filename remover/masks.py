"""Mask arithmetic: where a mask lies, growth and soft edges."""

import cv2
import numpy as np
import numpy.typing as npt

from remover.types import Mask, Rect, Size

Float = npt.NDArray[np.float32]


def bounds(mask: npt.NDArray[np.generic]) -> Rect | None:
    """The smallest rectangle that holds every nonzero pixel of ``mask`` (H, W), or None."""
    x, y, width, height = cv2.boundingRect((mask != 0).astype(np.uint8))
    return Rect(y, x, y + height, x + width) if width else None


def dilate(mask: Mask, radius: int) -> Mask:
    """``mask`` (H, W) grown by a disc of ``radius`` pixels; 0 leaves it as it is."""
    box = bounds(mask)
    if radius == 0 or box is None:
        return mask.copy()
    size = Size(*mask.shape)
    area = box.grown(radius + 1, size)
    grown = np.zeros_like(mask)
    grown[area.slices] = _distance(mask[area.slices]) <= radius
    return grown


def feather(mask: Mask, radius: int) -> Float:
    """Weights (H, W): 1 inside ``mask``, falling to 0 within ``radius`` pixels outside it."""
    alpha = mask.astype(np.float32)
    box = bounds(mask)
    if radius == 0 or box is None:
        return alpha
    area = box.grown(radius + 1, Size(*mask.shape))
    soft = 1.0 - _distance(mask[area.slices]) / np.float32(radius + 1)
    alpha[area.slices] = np.maximum(soft, 0.0)
    return alpha


def _distance(mask: Mask) -> Float:
    """Euclidean distance of each pixel to the nearest pixel inside the mask, 0 inside."""
    outside = (~mask).astype(np.uint8)
    return np.asarray(
        cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32
    )
