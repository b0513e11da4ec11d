"""Whether a first mask survives a few frames.

Dense motion carries it to pictures around, and there, as on its own picture, the network that
mends outlines looks at it again. An object has its outline on all of them, so that little changes;
a scrap of one, or a patch that ends where nothing ends, is eaten up or runs over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from remover.masks import bounds
from remover.segment.appearance import Float
from remover.segment.edges import mend
from remover.segment.motion import Flow, carry
from remover.segment.still import Around
from remover.segment.walk import Small
from remover.types import Mask, Size

OFFSETS = (4, -4)
"""Frames from the prompted one to those that a mask is carried to."""

MENDED_AREA = 200 * 200
"""Pixels that the network looks at, about."""

MARGIN, LEAST_MARGIN = 0.3, 8
"""Surroundings that it sees: a share of the mask's longer side, and pixels."""

BLUR = 2.0
"""Standard deviation, in pixels, by which an outline is blurred, so that it is found anew."""

SOME = 0.3
"""Share from which on a pixel counts for the mask's surroundings."""


@dataclass(frozen=True, slots=True)
class Witness:
    """A picture that a mask is held against."""

    picture: Small = field(repr=False)
    """At half the work size, (h, w, 3)."""
    flow: Float | None = field(default=None, repr=False)
    """Its motion to the prompted picture (h, w, 2); None for that one itself."""


def witnesses(picture: Small, around: Around | None) -> tuple[Witness, ...]:
    """The prompted picture (h, w, 3) at half the work size, and those around that are there."""
    found = [Witness(picture)]
    if around is not None:
        flow = Flow()
        for offset in OFFSETS:
            other = around.pictures.get(offset)
            if other is not None:
                found.append(Witness(other, flow.between(other, picture)))
    return tuple(found)


def survival(mask: Mask, seen: Sequence[Witness]) -> float:
    """How much of a mask (h, w) is found again, 0 to 1: the mean overlap over the pictures.

    Args:
        mask: On the prompted picture, at half the work size.
        seen: The prompted picture first. Others that the mask is carried out of do not count.
    """
    if not mask.any():
        return 0.0
    overlaps = []
    for one in seen:
        soft = mask.astype(np.float32)
        carried = soft if one.flow is None else carry(soft, one.flow)
        before = np.asarray(carried > 0.5)
        if before.any():
            after = _found_anew(one.picture, carried)
            overlaps.append(float((before & after).sum()) / int((before | after).sum()))
    return float(np.mean(overlaps))


def _found_anew(picture: Small, soft: Float) -> Mask:
    """What the network makes of a mask (h, w) whose outline is blurred."""
    size = Size(*soft.shape)
    found: Mask = np.zeros(size, np.bool_)
    rect = bounds(np.asarray(soft > SOME))
    if rect is not None:
        margin = max(LEAST_MARGIN, int(MARGIN * max(rect.size)))
        around = rect.grown(margin, size).slices
        rough = np.asarray(cv2.GaussianBlur(soft, (0, 0), BLUR)[around], np.float32)
        found[around] = mend(picture[around], rough, area=MENDED_AREA) > 0.5
    return found
