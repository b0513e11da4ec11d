"""Pictures that the user vouches for: laid into the hole before anything else is looked for."""

from collections.abc import Sequence

import numpy as np

from remover.fill.align import Camera, warp
from remover.fill.frames import Float, Frame, to_levels
from remover.fill.seam import Known, match_seam
from remover.types import Plate, Rect

PLATE_TRUST = 0.99
"""Confidence of a pixel that a plate gives."""


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
        is_own = plate.index == target.index
        matrix = None if camera.static or is_own else camera.between(plate.index, target.index)
        levels, seen = warp(plate, matrix, rect)
        take = hole & seen & ~laid
        if not take.any():
            continue
        if not is_own:
            levels = match_seam(levels, rgb, take, seen & (free | laid))
        rgb = np.where(take[..., None], levels, rgb)
        laid |= take
    return rgb, laid
