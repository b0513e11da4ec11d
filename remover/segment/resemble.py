"""Finding an object again that has moved its limbs or turned: its pieces vote for where they lie.

Every cell of the known object looks for the cell of a whole picture that is most like it by deep
features, as it is and mirrored. If the object is there, most of them agree on one place and size;
if not, they scatter. That asks nothing of fine details, so it holds where ``likeness.py`` is blind;
but a person is much like another one, so colours must agree as well.

Legend: h, w cells of a picture; M cells of the object; D length of a descriptor.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from remover.masks import bounds
from remover.segment.appearance import Float
from remover.segment.crop import Crop, crop_around
from remover.segment.look import describe
from remover.segment.walk import Small
from remover.types import Mask, Size

AREA, ZOOM = 448 * 448, 3.0
"""Pixels that the network looks at around the object, about, and the most it is enlarged by."""

WHOLE_AREA = 740 * 740
"""The same of a whole picture, at most."""

MARGIN = 0.35
"""Surroundings of the object, as a share of its longer side."""

INSIDE = 0.6
"""Share of the object in a cell from which on the cell is one of its own."""

LEAST_CELLS = 24
"""Cells that an object needs to be told by."""

SLACK = 0.15
"""How far a cell may lie from where the common motion puts it, as a share of the object's size."""

SIZES = (0.5, 2.0)
"""Size of the object against that in the known picture."""

TRIES = 400
"""Pairs of cells that a motion is guessed from."""

LEAST_SHARE, LEAST_LIKENESS = 0.55, 0.5
"""Cells that agree, and how like they are, that make a sighting: see ``docs/masks.md``."""

LEAST_COLOUR = 0.5
"""Overlap of colour histograms from which on colours agree."""

BINS = (8, 24, 24)
"""Bins of those, of Lab."""


@dataclass(frozen=True, slots=True)
class Guise:
    """An object as it was seen once, or that mirrored."""

    cells: Tensor = field(repr=False)
    """Descriptors (M, D), centred, of length one."""
    places: Float = field(repr=False)
    """Where the cells lie (M, 2) from the middle of the object's box, in pixels, as y, x."""
    extent: Size


@dataclass(frozen=True, slots=True)
class Known:
    """An object in its guises."""

    guises: tuple[Guise, ...]
    mean: Tensor = field(repr=False)
    scale: float
    """Pixels of the network to a pixel of the work picture."""
    colours: Float = field(repr=False)
    """Histogram of its pixels; its sum is 1."""


@dataclass(frozen=True, slots=True)
class Resemblance:
    """Where an object seems to be."""

    box: tuple[float, float, float, float]
    """(left, top, right, bottom) in pixels of the work picture."""
    share: float
    """Of the object's cells that agree on it, 0 to 1."""
    likeness: float
    """Mean cosine of what these cells match."""

    @property
    def is_sure(self) -> bool:
        """Whether it is an object of this kind; its colours must be asked still."""
        return self.share >= LEAST_SHARE and self.likeness >= LEAST_LIKENESS


def known(views: Sequence[tuple[Small, Mask]]) -> Known | None:
    """An object by work pictures (H, W, 3) and its masks there (H, W), the surest first.

    None where it is too small to be told.
    """
    if not views or not views[0][1].any():
        return None
    picture, mask = views[0]
    crop = _crop(mask)
    scale = crop.size.height / crop.rect.size.height
    mean = describe(crop.cut(picture))[:, :-1].mean(0)
    colours = colours_of(picture, mask)
    # A mask that came to lie on a piece of the place would be found wherever the place is.
    alike = [view for view in views if _overlap(colours, colours_of(*view)) >= LEAST_COLOUR]
    guises = tuple(guise for view in alike for guise in _guises(*view, mean, scale))
    return Known(guises, mean, scale, colours) if guises else None


def look_for(object_: Known, picture: Small) -> Resemblance | None:
    """The likeliest place of an object in a work picture (H, W, 3); None if there is none."""
    size = Size(*picture.shape[:2])
    most = float(np.sqrt(WHOLE_AREA / (size.height * size.width)))
    whole = crop_around(
        (0.0, 0.0, float(size.height), float(size.width)), min(object_.scale, most), 0, size
    )
    cells = _centred(describe(whole.cut(picture)), object_.mean)
    places = whole.places().reshape(-1, 2)
    found: Resemblance | None = None
    for guise in object_.guises:
        best = (guise.cells @ cells.T).max(dim=1)
        one = _agreed(guise, places[best.indices.numpy()], best.values.numpy())
        if one is not None and (found is None or one.share > found.share):
            found = one
    return found


def same_colours(object_: Known, picture: Small, mask: Mask) -> float:
    """How much the colours of a mask (H, W) overlap with the object's, 0 to 1."""
    return _overlap(object_.colours, colours_of(picture, mask))


def colours_of(picture: Small, mask: Mask) -> Float:
    """The histogram of a mask's (H, W) pixels in a picture (H, W, 3), smoothed, summing to 1."""
    lab = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2Lab))[mask].astype(np.float32)
    ranges = [(0, 256)] * 3
    count = np.asarray(np.histogramdd(lab, BINS, ranges)[0], np.float32)
    for axis in range(3):
        before, after = np.roll(count, 1, axis), np.roll(count, -1, axis)
        count = 0.5 * count + 0.25 * (before + after)
    return np.asarray(count / max(1.0, float(count.sum())), np.float32)


def _overlap(one: Float, other: Float) -> float:
    return float(np.minimum(one, other).sum())


def _crop(mask: Mask, scale: float | None = None) -> Crop:
    """What is looked at around an object's mask (H, W), not empty."""
    rect, size = bounds(mask), Size(*mask.shape)
    assert rect is not None
    margin = MARGIN * max(rect.size)
    around = rect.grown(round(margin), size).size
    if scale is None:
        most = float(np.sqrt(WHOLE_AREA / (size.height * size.width)))
        scale = min(ZOOM, most, float(np.sqrt(AREA / (around.height * around.width))))
    top, left, bottom, right = map(float, rect)
    return crop_around((top, left, bottom, right), scale, margin, size)


def _guises(picture: Small, mask: Mask, mean: Tensor, scale: float) -> Iterator[Guise]:
    rect = bounds(mask)
    if rect is None:
        return
    crop = _crop(mask, scale)
    pixels = crop.cut(picture)
    inside = crop.cells_of(mask.astype(np.float32)) > INSIDE
    middle = ((rect.top + rect.bottom) / 2, (rect.left + rect.right) / 2)
    places = crop.places() - np.asarray(middle, np.float32)
    if np.count_nonzero(inside) < LEAST_CELLS:
        return
    for side in (1, -1):
        cells = describe(np.ascontiguousarray(pixels[:, ::side]))
        chosen = inside[:, ::side]
        own = places[:, ::side][chosen] * np.array([1, side], np.float32)
        rows = torch.from_numpy(np.flatnonzero(chosen))
        yield Guise(_centred(cells[rows], mean), own, rect.size)


def _centred(cells: Tensor, mean: Tensor) -> Tensor:
    return functional.normalize(cells[:, :-1] - mean, dim=1)


def _agreed(guise: Guise, there: Float, likeness: Float) -> Resemblance | None:
    """The shift and size (one similarity without a turn) that most cells agree on.

    Args:
        guise: The object.
        there: Where each of its cells lies in the picture, by look (M, 2).
        likeness: How like what lies there is (M,).
    """
    here = guise.places
    slack = SLACK * float(np.sqrt(guise.extent.height * guise.extent.width))
    draws = np.random.default_rng(0).integers(len(here), size=(TRIES, 2))
    one, other = draws[:, 0], draws[:, 1]
    apart, apart_there = here[one] - here[other], there[one] - there[other]
    length = (apart * apart).sum(axis=1)
    sizes = (apart * apart_there).sum(axis=1) / np.maximum(length, 1e-6)
    low, high = SIZES
    usable = (length > (2 * slack) ** 2) & (low < sizes) & (sizes < high)
    best: tuple[int, float, Float, Mask] | None = None
    for i in np.flatnonzero(usable):
        scale = float(sizes[i])
        shift = (there[one[i]] + there[other[i]] - scale * (here[one[i]] + here[other[i]])) / 2
        off = there - scale * here - shift
        fits = np.asarray((off * off).sum(axis=1) < (slack * scale) ** 2)
        count = int(fits.sum())
        if best is None or count > best[0]:
            best = count, scale, np.asarray(shift, np.float32), fits
    if best is None or best[0] == 0:
        return None
    count, scale, (y, x), fits = best
    down, across = scale * guise.extent.height / 2, scale * guise.extent.width / 2
    box = (float(x - across), float(y - down), float(x + across), float(y + down))
    return Resemblance(box, count / len(here), float(likeness[fits].mean()))
