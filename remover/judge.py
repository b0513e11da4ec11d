"""How a fill looks to deep features: foreign among what was known, or far from the truth."""

import cv2
import numpy as np
import numpy.typing as npt

from remover.masks import bounds
from remover.segment.lite import EMPTY, MULTIPLE, deep
from remover.types import Mask, Size

LARGEST_SIDE = 640
"""Pictures are looked at with sides of at most this many pixels."""
EVERY = 8
"""Every such frame is held against the truth."""
FEWEST = 64
"""Pixels of a hole above which its frame is held against the truth."""
AROUND = 48
"""Pixels around the hole that are seen with it when it is held against the truth."""

Picture = npt.NDArray[np.uint8]


def foreignness(picture: Picture, invented: Mask) -> float:
    """How little the invented part of a picture is like any of the rest.

    The mean, over the invented part, of the squared distance from each cell's deep features (of
    length one) to the nearest ones of known cells. Cut structures and things that are in no place
    are far from all that is known. Between two fills of one hole, over 48 holes in 24 photographs,
    its difference goes with that of the distance to the truth in the same features (correlation
    0.74), and against that of PSNR (-0.54).

    Args:
        picture: (h, w, 3).
        invented: (h, w).

    Returns:
        0 to 4; 0 as well where there is nothing to compare.
    """
    height, width = invented.shape
    scale = min(1.0, LARGEST_SIDE / max(height, width))
    sides = [max(MULTIPLE, round(side * scale)) for side in (width, height)]
    small = cv2.resize(picture, sides, interpolation=cv2.INTER_AREA)
    share = cv2.resize(invented.astype(np.float32), sides, interpolation=cv2.INTER_AREA)
    more = [(0, -side % MULTIPLE) for side in share.shape]
    looked_at = np.asarray(np.pad(small, (*more, (0, 0)), mode="edge"), np.uint8)
    seen = deep(looked_at)
    seen /= np.maximum(np.linalg.norm(seen, axis=0), 1e-6)
    size = (seen.shape[2], seen.shape[1])
    inside = cv2.resize(np.pad(share, more, mode="edge"), size, interpolation=cv2.INTER_AREA)
    made, given = seen[:, inside > 0.5], seen[:, inside == 0]
    if not made.shape[1] or not given.shape[1]:
        return 0.0
    alike = cv2.gemm(made, given, 1.0, EMPTY, 0.0, flags=cv2.GEMM_1_T)
    return float((2 - 2 * alike.max(axis=1)).mean())


def is_looked_at(index: int, hole: Mask) -> bool:
    """Whether a frame is one whose hole (H, W) is held against the truth."""
    return index % EVERY == 0 and int(hole.sum()) > FEWEST


def feature_distance(made: Picture, truth: Picture, hole: Mask) -> float:
    """How far the deep features of two pictures lie apart in a hole.

    In the manner of LPIPS (Zhang et al., CVPR 2018), without its calibration: squared distances of
    features of length one, at four depths of EfficientNet-Lite0, summed over the depths.

    Args:
        made: (H, W, 3).
        truth: (H, W, 3).
        hole: (H, W), True somewhere.

    Returns:
        0 to 16; 0 is equal.
    """
    import torch

    from remover.segment import features

    found = bounds(hole)
    assert found is not None
    rect = found.grown(AROUND, Size(*hole.shape))
    more = [(0, -side % MULTIPLE) for side in rect.size]
    share = np.pad(hole[rect.slices].astype(np.float32), more, mode="edge")
    total = 0.0
    with features.one_thread(), torch.inference_mode():
        pair = [np.pad(p[rect.slices], (*more, (0, 0)), mode="edge") for p in (made, truth)]
        for a, b in zip(*(features.network()(p) for p in pair), strict=True):
            unit = [one / one.norm(dim=0, keepdim=True).clamp(min=1e-6) for one in (a, b)]
            apart = (unit[0] - unit[1]).square().sum(dim=0).numpy()
            size = (apart.shape[1], apart.shape[0])
            weight = np.asarray(cv2.resize(share, size, interpolation=cv2.INTER_AREA))
            total += float((apart * weight).sum() / max(float(weight.sum()), 1e-6))
    return total
