"""Whether one picture shows what another one does, by details, structure and colour; pure.

Four independent questions must each be answered well: do many fine details of the object match one
to one (and do they match it rather than its surroundings); do they agree on one shift, turn and
scale; are they spread over the object; and does the object, moved so, look the same point by point
all over, in colour and in structure. Flat and much changed objects cannot be told.

Legend: h, w the size at which details are looked at; N details; M matches.
"""

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from remover.segment.appearance import Float
from remover.segment.walk import Small, shrink
from remover.types import RGB, Mask, Size

SIDE = 960
"""Longer side of the pictures that details are looked for in, in pixels."""

CONTRAST = 0.02
"""Contrast from which on a detail counts; half of what is usual, for dull objects."""

RATIO = 0.8
"""Distance of the best match of a detail over that of the second best, at most."""

SLACK = 5.0
"""Pixels that a detail may lie from where the common motion puts it."""

SCALES = (0.4, 2.5)
"""Size of the object against that in the known view."""

CELL = 17
"""Side of the cells in which structure is compared, in pixels."""

LIKE = 0.5
"""Correlation of light from which on the structure of two cells counts as the same."""

LIGHT_SLACK = 20.0
"""Levels by which another shot may be lighter or darker as a whole."""

RING, RING_GAP = 0.25, 4.0
"""Width of what counts as the surroundings, as a share of the root of the object's area, and the
pixels between them and the mask."""

COLOUR_SLACK = 14.0
"""Difference of smoothed 8-bit Lab colours within which they count as the same."""

TEXTURE = 3.0
"""Standard deviation of light in a cell below which it has no structure to compare."""

LEAST_MATCHES = 12
LEAST_SPREAD = 0.2
LEAST_IN_VIEW = 0.6
LEAST_COLOUR = 0.8
LEAST_STRUCTURE = 0.75
"""What makes a find sure; see ``Evidence`` for what is counted."""

SAME_PLACE = 0.7
"""Likeness of the surroundings from which on both pictures show the same place."""


@dataclass(frozen=True, slots=True)
class Details:
    """Distinct points of a picture."""

    points: Float = field(repr=False)
    """x and y, (N, 2)."""
    looks: Float = field(repr=False)
    """What the surroundings of each look like, (N, 128)."""


@dataclass(frozen=True, slots=True)
class View:
    """The object as it is known: a picture with a mask that can be trusted."""

    lab: Float = field(repr=False)
    """8-bit Lab levels, (h, w, 3)."""
    mask: Mask = field(repr=False)
    """(h, w), not empty."""
    details: Details
    is_on_object: Mask = field(repr=False)
    """For each detail whether it lies on the object, (N,)."""
    is_pointed_at: bool
    """Whether the user pointed at the object in this picture; else the mask was tracked to it."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for the object being in a picture."""

    matches: int
    """Details of the object that match and agree on one motion."""
    spread: float
    """Area between them as a share of the object's."""
    in_view: float
    """Share of the moved object that lies inside the picture."""
    colour: float
    """Share of its pixels that have the same colour there."""
    structure: float
    """Share of its cells with structure that have the same structure there."""
    surroundings: float
    """The smaller of both shares for what surrounds it."""
    is_pointed_at: bool
    """Whether the user pointed at the object in the known view."""

    @property
    def is_sure(self) -> bool:
        """Whether all of it is good enough.

        A tracked mask may have come to lie on a piece of the place, which is found wherever the
        place is. So where the place is the same, only what the user pointed at counts.
        """
        return (
            (self.is_pointed_at or self.surroundings < SAME_PLACE)
            and self.matches >= LEAST_MATCHES
            and self.spread >= LEAST_SPREAD
            and self.in_view >= LEAST_IN_VIEW
            and self.colour >= LEAST_COLOUR
            and self.structure >= LEAST_STRUCTURE
        )


def view_of(picture: RGB, mask: Mask, *, is_pointed_at: bool) -> View | None:
    """A known view; None where the object has too few details to be told by.

    Args:
        picture: (H, W, 3) of 8 or 16 bits.
        mask: The object there (H, W).
        is_pointed_at: Whether the user pointed at it there.
    """
    size = detail_size(Size(*picture.shape[:2]))
    small = shrink(picture, size)
    shape = (size.width, size.height)
    held = np.asarray(cv2.resize(mask.astype(np.float32), shape, interpolation=cv2.INTER_AREA))
    inside = np.asarray(held > 0.5)
    details = details_of(small)
    columns, rows = details.points.round().astype(int).T
    is_on = inside[rows.clip(0, size.height - 1), columns.clip(0, size.width - 1)]
    if np.count_nonzero(is_on) < LEAST_MATCHES:
        return None
    return View(lab_of(small), inside, details, np.asarray(is_on), is_pointed_at)


def details_of(picture: Small) -> Details:
    """The distinct points of a picture (h, w, 3)."""
    gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    points, looks = cv2.SIFT.create(contrastThreshold=CONTRAST).detectAndCompute(gray, None)
    if looks is None or not points:
        return Details(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    # The root of the shares compares such histograms better than their difference.
    shares = np.asarray(looks, np.float32)
    shares = np.sqrt(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-6))
    return Details(np.array([p.pt for p in points], np.float32), shares)


def compare(view: View, details: Details, lab: Float) -> tuple[Mask, Evidence] | None:
    """Hold a picture against a view of the object.

    Args:
        view: The known view.
        details: Of the picture.
        lab: Its 8-bit Lab levels (h, w, 3).

    Returns:
        The mask (h, w) moved to where the matching details say, and how well it fits; None where
        nothing speaks for the object.
    """
    here, there = _matches(view, details)
    if len(here) < LEAST_MATCHES:
        return None
    found: Any = cv2.estimateAffinePartial2D(
        here, there, ransacReprojThreshold=SLACK, maxIters=5000, confidence=0.999
    )
    motion, fits = found
    if motion is None:
        return None
    inliers = here[np.asarray(fits)[:, 0] > 0]
    low, high = SCALES
    if not low <= float(np.hypot(motion[0, 0], motion[1, 0])) <= high or len(inliers) < 3:
        return None
    height, width = lab.shape[:2]
    soft = view.mask.astype(np.float32)
    moved = np.asarray(cv2.warpAffine(soft, motion, (width, height))) > 0.5
    if not moved.any():
        return None
    scale = float(np.linalg.det(motion[:, :2]))
    known = np.asarray(cv2.warpAffine(view.lab, motion, (width, height)), np.float32)
    around = np.asarray(cv2.warpAffine(_ring(view.mask), motion, (width, height))) > 0.5
    colour, structure, surroundings = _likeness(known, lab, moved, around)
    evidence = Evidence(
        matches=len(np.unique(inliers.round(), axis=0)),
        spread=float(cv2.contourArea(cv2.convexHull(inliers))) / float(soft.sum()),
        in_view=float(moved.sum()) / (scale * float(soft.sum())),
        colour=colour,
        structure=structure,
        surroundings=surroundings,
        is_pointed_at=view.is_pointed_at,
    )
    return moved, evidence


def _ring(mask: Mask) -> Float:
    """The surroundings (h, w) of a mask, 1 there and 0 elsewhere."""
    width = RING * float(np.sqrt(mask.sum()))
    distance = np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3))
    return np.asarray((distance > RING_GAP) & (distance < RING_GAP + width), np.float32)


def _matches(view: View, details: Details) -> tuple[Float, Float]:
    """Points (M, 2) of the object, and those of the picture that match them and nothing else."""
    nothing = np.zeros((0, 2), np.float32)
    if len(details.looks) < 2:
        return nothing, nothing
    on_object = np.flatnonzero(view.is_on_object)
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    pairs = matcher.knnMatch(view.details.looks[on_object], details.looks, k=2)
    clear = [best for best, second in pairs if best.distance < RATIO * second.distance]
    if not clear:
        return nothing, nothing
    # Seen from there, the detail must be the best match of the whole known picture.
    back = matcher.match(details.looks[[m.trainIdx for m in clear]], view.details.looks)
    kept = [
        (on_object[m.queryIdx], m.trainIdx)
        for m, other in zip(clear, back, strict=True)
        if other.trainIdx == on_object[m.queryIdx]
    ]
    if not kept:
        return nothing, nothing
    ours, theirs = np.asarray(kept).T
    return view.details.points[ours], details.points[theirs]


def _likeness(known: Float, seen: Float, mask: Mask, around: Mask) -> tuple[float, float, float]:
    """Shares of a mask with the same colour and with the same structure; that of its surroundings.

    Args:
        known: The view, moved, Lab levels (h, w, 3).
        seen: The picture, likewise.
        mask: Where to compare (h, w); not empty.
        around: What surrounds it (h, w).

    Returns:
        Shares of 0 to 1; of the surroundings the smaller of both.
    """
    smooth = [np.asarray(cv2.GaussianBlur(one, (0, 0), 2)) for one in (known, seen)]
    change = smooth[1] - smooth[0]
    # A shot may be lit otherwise as a whole; what differs from that is another thing.
    change[..., 0] -= np.clip(np.median(change[..., 0][mask]), -LIGHT_SLACK, LIGHT_SLACK)
    is_same = np.linalg.norm(change, axis=2) < COLOUR_SLACK
    likeness, has_structure = _structure(known[..., 0], seen[..., 0])

    def shares(where: Mask) -> tuple[float, float]:
        held = where & has_structure
        return (
            float(is_same[where].mean()) if where.any() else 0.0,
            float((likeness[held] > LIKE).mean()) if held.any() else 0.0,
        )

    return *shares(mask), min(shares(around))


def _structure(one: Float, two: Float) -> tuple[Float, Mask]:
    """The correlation of light (h, w) around each pixel, and where there is any to compare."""

    def mean(values: Float) -> Float:
        return np.asarray(cv2.boxFilter(values, -1, (CELL, CELL)), np.float32)

    mean_one, mean_two = mean(one), mean(two)
    spread_one = np.maximum(mean(one * one) - mean_one**2, 0)
    spread_two = np.maximum(mean(two * two) - mean_two**2, 0)
    both = mean(one * two) - mean_one * mean_two
    likeness = both / np.sqrt(np.maximum(spread_one * spread_two, 1e-3))
    has_structure = (spread_one > TEXTURE**2) | (spread_two > TEXTURE**2)
    return np.asarray(likeness, np.float32), np.asarray(has_structure)


def lab_of(picture: Small) -> Float:
    """8-bit Lab levels (h, w, 3) of a picture."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2Lab), np.float32)


def detail_size(size: Size) -> Size:
    """The size at which details of pictures of ``size`` are looked for."""
    scale = min(1.0, SIDE / max(size))
    return Size(max(1, round(size.height * scale)), max(1, round(size.width * scale)))
