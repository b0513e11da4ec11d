"""Global motion of the background between the frames of a shot.

Corners outside the holes are followed from frame to frame (pyramidal Lucas-Kanade, forwards
and back), and a homography is fitted to them with MAGSAC++ (Barath et al., CVPR 2020).
Matrices are 3x3 float64 and map column vectors (x, y, 1) of full-size pixels.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from remover.fill.frames import Float, Frame, to_bytes, to_levels, widened
from remover.types import RGB, Rect

Matrix = npt.NDArray[np.float64]
Points = npt.NDArray[np.float32]

WORK_WIDTH = 640
"""Motion is measured on pictures of at most this width."""
MAX_CORNERS = 600
MIN_TRACKS = 16
MASK_MARGIN = 4
"""Corners keep this far from a hole: what was cut out bleeds over its border."""
ROUND_TRIP = 0.7
"""A track that does not come back to within this many pixels is dropped."""
INLIER = 0.5
STILL_MEDIAN, STILL_LENGTH = 0.15, 0.6
"""Limits of a static camera, in measured pixels: median of x and of y, median length."""


@dataclass(frozen=True, slots=True)
class View:
    """A frame reduced to what tracking needs."""

    luma: npt.NDArray[np.uint8] = field(repr=False)
    keep: npt.NDArray[np.uint8] = field(repr=False)
    """255 where corners may lie."""
    scale: tuple[float, float]
    """Full-size pixels for one of these, along x and y."""


def view(frame: Frame) -> View:
    """Reduce a frame to its luma at working size, with the neighbourhood of holes shut out."""
    rgb = frame.rgb if frame.rgb.dtype == np.uint8 else to_bytes(to_levels(frame.rgb))
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    height, width = luma.shape
    keep = 255 - widened(frame.hole, MASK_MARGIN)
    if width > WORK_WIDTH:
        factor = WORK_WIDTH / width
        size = (WORK_WIDTH, max(1, round(height * factor)))
        luma = np.asarray(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), np.uint8)
        keep = np.asarray(cv2.resize(keep, size, interpolation=cv2.INTER_AREA), np.uint8)
        keep = (keep == 255).astype(np.uint8) * np.uint8(255)
    return View(luma, keep, (width / luma.shape[1], height / luma.shape[0]))


def track(a: View, b: View) -> tuple[Points, Points]:
    """Follow corners of ``a`` into ``b``; two (N, 2) arrays of (x, y) at working size."""
    none = np.zeros((0, 2), np.float32)
    corners = cv2.goodFeaturesToTrack(a.luma, MAX_CORNERS, 0.005, 6, mask=a.keep)
    if corners is None or len(corners) < MIN_TRACKS:
        return none, none
    p = np.asarray(corners, np.float32)[:, 0]
    q, found = follow(a, b, p)
    r, returned = follow(b, a, q)
    good = found & returned
    good &= np.hypot(*(p - r).T) < ROUND_TRIP
    height, width = b.keep.shape
    x, y = np.rint(np.nan_to_num(q)).astype(int).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    landed = np.zeros_like(good)
    landed[inside] = b.keep[y[inside], x[inside]] > 0
    good &= landed
    return p[good], q[good]


def follow(a: View, b: View, points: Points) -> tuple[Points, npt.NDArray[np.bool_]]:
    """Where ``points`` of ``a`` lie in ``b``, and which of them were found."""
    moved, found, _ = cv2.calcOpticalFlowPyrLK(
        a.luma,
        b.luma,
        points[:, None],
        np.empty_like(points[:, None]),
        winSize=(21, 21),
        maxLevel=4,
    )
    return np.asarray(moved, np.float32)[:, 0], np.asarray(found)[:, 0] > 0


def fit(p: Points, q: Points) -> Matrix | None:
    """Homography that takes points ``p`` to ``q``; None where they do not determine one."""
    if len(p) < MIN_TRACKS:
        return None
    # A fixed seed for each call: the result must not depend on what ran before it.
    cv2.setRNGSeed(1)
    found, inliers = cv2.findHomography(
        p, q, cv2.USAC_MAGSAC, INLIER, maxIters=2000, confidence=0.999
    )
    if found is None or np.count_nonzero(inliers) < MIN_TRACKS // 2:
        return None
    matrix = np.asarray(found, np.float64)
    return matrix if is_sane(matrix) else None


def is_sane(matrix: Matrix) -> bool:
    """Whether a homography is a plausible camera motion between near frames."""
    if not np.isfinite(matrix).all() or abs(matrix[2, 2]) < 1e-6:
        return False
    m = matrix / matrix[2, 2]
    area = float(np.linalg.det(m[:2, :2]))
    return 0.25 < area < 4.0 and float(np.abs(m[2, :2]).max()) < 2e-3


def step(a: View, b: View) -> Matrix:
    """Motion of the background from ``a`` to ``b`` in full-size pixels."""
    p, q = track(a, b)
    matrix = fit(p, q)
    if matrix is None:
        matrix = np.eye(3)
        if len(p):
            matrix[:2, 2] = np.median(q - p, axis=0)
    return to_full_size(matrix, a.scale)


def to_full_size(matrix: Matrix, scale: tuple[float, float]) -> Matrix:
    """The same motion for pixels of the full picture; pixel centres lie at whole numbers."""
    (sx, sy), grow = scale, np.eye(3)
    grow[0] = sx, 0, (sx - 1) / 2
    grow[1] = 0, sy, (sy - 1) / 2
    full = grow @ matrix @ np.linalg.inv(grow)
    return np.asarray(full / full[2, 2], np.float64)


def is_still(a: View, b: View) -> bool | None:
    """Whether the camera stands still from ``a`` to ``b``; None if too little can be tracked."""
    p, q = track(a, b)
    if len(p) < MIN_TRACKS:
        return None
    moved = q - p
    centre = float(np.abs(np.median(moved, axis=0)).max())
    return centre < STILL_MEDIAN and float(np.median(np.hypot(*moved.T))) < STILL_LENGTH


@dataclass(frozen=True, slots=True)
class Camera:
    """Motion of the background through a shot.

    ``steps[i]`` takes pixels of frame ``first + i`` to frame ``first + i + 1``.
    """

    first: int
    steps: Sequence[Matrix]
    static: bool

    def between(self, source: int, target: int) -> Matrix:
        """Matrix that takes pixels of frame ``source`` to frame ``target``."""
        matrix = np.eye(3)
        if self.static:
            return matrix
        low, high = min(source, target), max(source, target)
        for i in range(low, high):
            matrix = self.steps[i - self.first] @ matrix
            matrix /= matrix[2, 2]
        return matrix if source <= target else np.asarray(np.linalg.inv(matrix), np.float64)


def warp(frame: Frame, matrix: Matrix | None, rect: Rect) -> Float:
    """Levels (h, w, 3) of ``frame`` seen through ``matrix`` in a rectangle of the target.

    ``matrix`` None stands for the identity.
    """
    return to_levels(shown_through(frame, matrix, rect))


def shown_through(frame: Frame, matrix: Matrix | None, rect: Rect) -> RGB:
    """The same in the picture's own levels."""
    if matrix is None:
        return frame.rgb[rect.slices]
    return cast(RGB, seen_through(frame.rgb, matrix, rect, cv2.INTER_CUBIC, None))


def visible(frame: Frame, matrix: Matrix | None, rect: Rect) -> npt.NDArray[np.bool_]:
    """Where (h, w) that may be copied: in the source picture, and untouched by what is barred."""
    if matrix is None:
        return np.asarray(frame.barred[rect.slices] == 0)
    return np.asarray(seen_through(frame.barred, matrix, rect, cv2.INTER_LINEAR, 255) == 0)


def seen_through(
    picture: npt.NDArray[Any], matrix: Matrix, rect: Rect, sampling: int, outside: int | None
) -> npt.NDArray[Any]:
    """The part ``rect`` of a picture seen through a homography.

    Beyond its border it is ``outside``, or goes on with its last pixels where that is None.
    """
    shift = np.array([[1.0, 0, -rect.left], [0, 1.0, -rect.top], [0, 0, 1.0]])
    return np.asarray(
        cv2.warpPerspective(
            picture,
            shift @ matrix,
            (rect.size.width, rect.size.height),
            flags=sampling,
            borderMode=cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT,
            borderValue=outside or 0,
        )
    )
