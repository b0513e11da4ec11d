"""Pictures that the user vouches for: laid into the hole before anything else is looked for."""

from collections.abc import Sequence

import numpy as np

from remover.fill.align import Camera, Matrix, visible, warp
from remover.fill.bend import left_over, seen_at, sources
from remover.fill.frames import Float, Frame, to_bytes, to_levels
from remover.fill.seam import Known, match_seam
from remover.types import Plate, Rect

PLATE_TRUST = 0.99
"""Confidence of a pixel that a plate gives."""
AROUND = 64
"""Pixels around the hole in which a plate is fitted to the frame."""


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
    field = left_over(here, Frame(target.index, target.rgb[around.slices], barred, barred))
    if field is None:
        return None
    inner = rect.moved(-around.top, -around.left)
    rgb, free = seen_at(plate.rgb, plate.barred, sources(rect, matrix, field[inner.slices]))
    return to_levels(rgb), free
