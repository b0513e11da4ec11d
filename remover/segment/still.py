"""What does not stand still: pictures laid over one another by the motion of the background.

A pixel of the background is seen again, in the same place of the scene, on most pictures around;
a pixel of a moving object is not. Everything is at half the work size, legend: h, w.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from remover.segment.appearance import Float
from remover.segment.walk import Small
from remover.types import Mask, Rect, Size

OFFSETS = (2, 4, 6, 9, 12, 16, 20)
"""Frames from the prompted one to those it is held against, in both directions."""

FLOW_OFFSETS = (1, 2, 4, 6)
"""The same for dense motion."""

LAG = 2
"""Pixels by which the background may be out of place."""

LEVEL = 0.3
"""Share of the pictures around on which a moving object's pixel may look like the background."""

LIGHT = 0.7
"""Weight of lightness against the two colour channels."""

SPAN = 2.0
"""Evidence is held to plus and minus this."""

NUM_CORNERS = 500

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Around:
    """Pictures at half the work size by their distance in frames; 0 is the prompted one."""

    pictures: Mapping[int, Small] = field(repr=False)

    @property
    def size(self) -> Size:
        """Of every picture."""
        return Size(*self.pictures[0].shape[:2])


@dataclass(frozen=True, slots=True)
class Motion:
    """What moves against the background, (h, w): logarithms of ratios to what noise explains."""

    apart: Float = field(repr=False)
    """How far a pixel differs from what is seen in its place on the pictures around: sharp, but
    low inside of even surfaces."""
    moving: Float = field(repr=False)
    """How far the dense motion differs from the background's: filled, but blurred."""


def motion_in(around: Around, region: Rect, background: Mask) -> Motion | None:
    """Motion evidence in a region; outside of it both maps are at their least.

    Args:
        around: The prompted picture and others.
        region: Where evidence is wanted.
        background: What is known not to be the object on the prompted picture, (h, w).

    Returns:
        None where no picture around could be laid over the prompted one.
    """
    known = np.zeros_like(background)
    known[region.slices] = background[region.slices]
    if known.sum() < 50:
        known = background
    matrices = _chain(around, background)
    apart = _apart(around, matrices, region, known)
    if apart is None:
        return None
    moving = _moving(around, background, known)
    return Motion(apart, moving)


def _chain(around: Around, background: Mask) -> dict[int, Matrix]:
    """The motion of the background from the prompted picture to others, through all between."""
    found: dict[int, Matrix] = {}
    for sign in (1, -1):
        matrix = np.eye(3)
        before = _gray(around.pictures[0])
        where = background.astype(np.uint8) * 255
        for step in range(1, max(OFFSETS) + 1):
            picture = around.pictures.get(sign * step)
            if picture is None:
                break
            after = _gray(picture)
            moved = _background_motion(before, after, where)
            if moved is None:
                break
            matrix = moved @ matrix
            found[sign * step] = matrix.copy()
            before = after
            where = np.full_like(where, 255)
    return found


def _background_motion(
    before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8], where: npt.NDArray[np.uint8]
) -> Matrix | None:
    corners = cv2.goodFeaturesToTrack(before, NUM_CORNERS, 0.005, 6, mask=where)
    if corners is None or len(corners) < 12:
        return None
    moved, is_found, _ = cv2.calcOpticalFlowPyrLK(
        before, after, corners, np.zeros_like(corners), winSize=(15, 15), maxLevel=4
    )
    good = np.asarray(is_found).ravel() > 0
    if good.sum() < 12:
        return None
    cv2.setRNGSeed(0)
    matrix, _ = cv2.findHomography(corners[good], np.asarray(moved)[good], cv2.RANSAC, 1.5)
    return None if matrix is None else np.asarray(matrix, np.float64)


def _apart(
    around: Around, matrices: Mapping[int, Matrix], region: Rect, known: Mask
) -> Float | None:
    height, width = around.size
    here = _colours(around.pictures[0])[region.slices]
    known_here = known[region.slices]
    ratios: list[Float] = []
    for offset in (*OFFSETS, *(-offset for offset in OFFSETS)):
        if offset not in matrices:
            continue
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpPerspective(
            _colours(around.pictures[offset]),
            matrices[offset],
            (width, height),
            flags=flags,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(-1e3, -1e3, -1e3),
        )
        other = np.asarray(warped, np.float32)
        is_seen = (other[..., 1] > -100)[region.slices]
        gap = _least_gap(here, other, region)
        held = known_here & is_seen
        noise = float(np.percentile(gap[held], 70)) + 2 if held.sum() > 50 else 8.0
        ratio = np.clip(np.log(gap / np.float32(noise) + 1e-3), -SPAN, SPAN)
        ratios.append(np.where(is_seen, ratio, np.float32(np.nan)).astype(np.float32))
    if not ratios:
        return None
    whole = np.full((height, width), -SPAN, np.float32)
    whole[region.slices] = _low(np.stack(ratios))
    return whole


def _low(ratios: Float) -> Float:
    """The value at ``LEVEL`` among those that are not NaN (K, h, w); 0 where all are."""
    ordered = np.sort(ratios, axis=0)  # NaN comes last
    count = np.isfinite(ratios).sum(axis=0)
    index = np.rint(LEVEL * np.maximum(0, count - 1)).astype(np.int64)
    chosen = np.take_along_axis(ordered, index[None], axis=0)[0]
    return np.where(count > 0, chosen, np.float32(0)).astype(np.float32)


def _least_gap(here: Float, other: Float, region: Rect) -> Float:
    """The least colour distance (h, w) of a region to a picture that is slightly out of place."""
    padded = cv2.copyMakeBorder(other, LAG, LAG, LAG, LAG, cv2.BORDER_REPLICATE)
    height, width = here.shape[:2]
    least = np.full((height, width), np.inf, np.float32)
    for down in range(2 * LAG + 1):
        for across in range(2 * LAG + 1):
            top, left = region.top + down, region.left + across
            gap = here - padded[top : top + height, left : left + width]
            square = np.einsum("hwc,hwc->hw", gap, gap)
            np.minimum(least, cv2.blur(square, (3, 3)), out=least)
    return np.sqrt(np.maximum(least, 0))


def _moving(around: Around, background: Mask, known: Mask) -> Float:
    """How far dense motion is from the background's, the mean over pictures around."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    here = _gray(around.pictures[0])
    total, count = np.zeros(around.size, np.float32), 0
    if min(here.shape) < 16:
        return total
    for offset in (*FLOW_OFFSETS, *(-offset for offset in FLOW_OFFSETS)):
        if offset not in around.pictures:
            continue
        flow = np.zeros((*here.shape, 2), np.float32)
        flow = np.asarray(search.calc(here, _gray(around.pictures[offset]), flow), np.float32)
        residual = _residual(flow, background)
        if residual is None:
            continue
        noise = float(np.percentile(residual[known], 80)) + 0.3
        total += np.clip(np.log(residual / np.float32(noise) + 1e-3), -SPAN, SPAN)
        count += 1
    return total / np.float32(max(1, count))


def _residual(flow: Float, background: Mask) -> Float | None:
    """Length (h, w) of what the background's homography does not explain of a flow."""
    height, width = background.shape
    rows, columns = np.mgrid[4:height:6, 4:width:6]
    chosen = background[rows, columns]
    rows, columns = rows[chosen], columns[chosen]
    if rows.size < 20:
        return None
    points = np.stack([columns, rows], axis=1).astype(np.float32)
    cv2.setRNGSeed(0)
    matrix, _ = cv2.findHomography(points, points + flow[rows, columns], cv2.RANSAC, 1.0)
    return None if matrix is None else _unexplained(flow, np.asarray(matrix, np.float64))


def _unexplained(flow: Float, matrix: Matrix) -> Float:
    height, width = flow.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    places = np.stack([x, y], axis=2)
    moved = cv2.perspectiveTransform(places, matrix)
    gap = flow - (np.asarray(moved, np.float32) - places)
    return np.asarray(np.hypot(gap[..., 0], gap[..., 1]), np.float32)


def _gray(picture: Small) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def _colours(picture: Small) -> Float:
    smooth = cv2.GaussianBlur(picture, (0, 0), 1)
    lab = np.asarray(cv2.cvtColor(smooth, cv2.COLOR_RGB2Lab), np.float32)
    lab[..., 0] *= np.float32(LIGHT)
    return lab


def near(frame: int, start: int, stop: int) -> range:
    """The frames of a shot that are looked at around a frame, that one counted."""
    reach = max(OFFSETS)
    return range(max(start, frame - reach), min(stop, frame + reach + 1))
