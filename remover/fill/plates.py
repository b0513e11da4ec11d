"""Pictures that the user vouches for: laid into the hole before anything else is looked for."""

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np

from remover.fill.align import MIN_TRACKS, Camera, Matrix, Points, track, view, visible, warp
from remover.fill.frames import Float, Frame, to_bytes, to_levels
from remover.fill.seam import Known, match_seam, membrane
from remover.types import RGB, Plate, Rect

PLATE_TRUST = 0.99
"""Confidence of a pixel that a plate gives."""
AROUND = 64
"""Pixels around the hole in which a plate is fitted to the frame."""
LONGEST_SHIFT = 24.0
"""Longest way, in pixels, by which a plate is bent: what lies further is another thing."""
NEIGHBOURS, APART = 5, 2.0
"""A shift that is this many pixels from the median of so many neighbours is dropped."""


def as_sources(plates: Sequence[Plate]) -> list[Frame]:
    """Plates as frames to copy from, barred where they say nothing."""
    sources = []
    for plate in plates:
        silent = (~plate.known).astype(np.uint8) * np.uint8(255)
        sources.append(Frame(plate.index, plate.rgb, silent, silent))
    return sources


def lay_plates(
    target: Frame, rect: Rect, camera: Camera, plates: Sequence[Frame]
) -> tuple[Float, Known]:
    """Fill the hole from plates, the nearest in time first.

    A plate of the target itself is taken as it is, so that what somebody painted comes out as
    painted. Others are seen through the camera's motion and matched to what lies around.

    Args:
        target: The frame with the hole.
        rect: Region of it with the hole and a margin.
        camera: Motion of the shot, measured as far as the plates' frames.
        plates: Of the shot; barred where they say nothing.

    Returns:
        (h, w, 3) levels of the region with the plates laid into its hole, and (h, w) which
        pixels of the hole they fill.
    """
    rgb = to_levels(target.rgb[rect.slices])
    hole = target.hole[rect.slices] > 0
    free = target.barred[rect.slices] == 0
    laid = np.zeros_like(hole)
    for plate in sorted(plates, key=lambda plate: (abs(plate.index - target.index), plate.index)):
        if not (hole & ~laid).any():
            break
        is_own = plate.index == target.index
        matrix = None if camera.static or is_own else camera.between(plate.index, target.index)
        levels, seen = warp(plate, matrix, rect), visible(plate, matrix, rect)
        if matrix is not None and (hole & seen & ~laid).any():
            levels, seen = bent(plate, matrix, target, rect) or (levels, seen)
        take = hole & seen & ~laid
        if not take.any():
            continue
        if not is_own:
            levels = match_seam(levels, rgb, take, seen & (free | laid))
        rgb = np.where(take[..., None], levels, rgb)
        laid |= take
    return rgb, laid


def bent(plate: Frame, matrix: Matrix, target: Frame, rect: Rect) -> tuple[Float, Known] | None:
    """See a plate through the camera's motion, bent to fit what lies around the hole.

    One matrix cannot hold a scene with depth. What is left of its motion is followed on corners
    around the hole and continued smoothly into it.

    Returns:
        What ``warp`` returns; None where too little can be followed.
    """
    around = rect.grown(AROUND, target.size)
    levels, seen = warp(plate, matrix, around), visible(plate, matrix, around)
    hidden = (~seen).astype(np.uint8) * np.uint8(255)
    here = Frame(target.index, to_bytes(levels), hidden, hidden)
    barred = target.barred[around.slices]
    there = view(Frame(target.index, target.rgb[around.slices], barred, barred))
    start, end = track(view(here), there)
    scale = np.array(there.scale, np.float32)
    end, shift = end * scale, (end - start) * scale
    good = is_plausible(end, shift)
    if np.count_nonzero(good) < MIN_TRACKS:
        return None
    field = shifts(end[good], shift[good], around)
    down, right = rect.top - around.top, rect.left - around.left
    field = field[down : down + rect.size.height, right : right + rect.size.width]
    rows, columns = np.mgrid[rect.top : rect.bottom, rect.left : rect.right].astype(np.float32)
    places = np.dstack([columns, rows]) - field
    back = np.linalg.inv(matrix)
    sources = cv2.perspectiveTransform(places.reshape(-1, 1, 2), back).reshape(places.shape)
    x, y = np.ascontiguousarray(np.moveaxis(sources, 2, 0))
    rgb = cv2.remap(plate.rgb, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    shut = cv2.remap(
        plate.barred, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=255
    )
    return to_levels(cast(RGB, rgb)), np.asarray(shut) == 0


def is_plausible(places: Points, shift: Points) -> Known:
    """Which shifts (N, 2) at ``places`` (N, 2) are short and like those of their neighbours."""
    if len(places) < MIN_TRACKS:
        return np.zeros(len(places), np.bool_)
    apart = np.square(places[:, None] - places[None]).sum(axis=2)
    nearest = np.argsort(apart, axis=1, kind="stable")[:, 1 : NEIGHBOURS + 1]
    usual = np.median(shift[nearest], axis=1)
    short = np.hypot(*shift.T) <= LONGEST_SHIFT
    return np.asarray(short & (np.hypot(*(shift - usual).T) <= APART))


def shifts(places: Points, shift: Points, rect: Rect) -> Float:
    """A smooth field (h, w, 2) of ``rect`` through shifts at places (x, y) in it."""
    values = np.zeros((*rect.size, 2), np.float32)
    known = np.zeros(rect.size, np.bool_)
    columns, rows = np.rint(places).astype(int).T
    rows, columns = rows.clip(0, rect.size.height - 1), columns.clip(0, rect.size.width - 1)
    values[rows, columns], known[rows, columns] = shift, True
    smooth = membrane(values, known)
    return np.asarray(cv2.GaussianBlur(smooth, (0, 0), 4), np.float32)
