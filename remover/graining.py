"""The source's grain in a fill: measured and made in the samples of the source's own planes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from remover import pixels
from remover.fill.grain import Grain, drawn, measured, missing
from remover.types import Colour, Mask, PixelLayout, Rect, Size

Float = npt.NDArray[np.float32]

AROUND = 64
"""Pixels around a fill that the source's grain is measured on."""


@dataclass(frozen=True, slots=True)
class Source:
    """A decoded picture, a frame or a field, with the hole in it."""

    planes: Sequence[pixels.Plane] = field(repr=False)
    layout: PixelLayout
    colour: Colour
    hole: Mask = field(repr=False)
    """(H, W)."""
    index: int
    """Counts the pictures: no two have the same noise."""
    live: Sequence[float]
    """Variances of what changes from frame to frame where nothing moves, in 8-bit levels: of luma
    and both chroma components; those of R, G and B are taken to be that of luma."""


def grained(source: Source, rect: Rect, rgb: Float, inside: Mask, seed: int) -> Float:
    """A fill with as much grain as it lacks.

    Args:
        source: What the fill is going to be put into.
        rect: Where.
        rgb: (h, w, 3), 1.0 is white.
        inside: (h, w): which pixels are filled.
        seed: 0 to 2**32 - 1. The noise depends on it, the picture's index and the place alone, its
            strength on the picture and the fill.

    Returns:
        (h, w, 3); the fill itself where nothing is missing, and of float samples, whose noise has
        no ceiling that could be told from highlights.
    """
    layout = source.layout
    if layout.is_float:
        return rgb
    size = Size(*source.hole.shape)
    whole = pixels.blocks_of(rect, layout, size)
    inner = rect.moved(-whole.top, -whole.left)
    fill = np.zeros((*whole.size, 3), np.float32)
    fill[inner.slices] = codes_of(rgb, layout, source.colour)
    filled = np.zeros(whole.size, np.bool_)
    filled[inner.slices] = inside
    found = list(_noise(source, whole, fill, filled, seed))
    if not any(noise.any() for noise in found):
        return rgb
    noisy = fill[inner.slices] + np.dstack(found)[inner.slices]
    return np.where(inside[..., None], rgb_of(noisy, layout, source.colour), rgb)


def _noise(source: Source, rect: Rect, fill: Float, inside: Mask, seed: int) -> Iterator[Float]:
    """The noise (h, w) of each of three components, at the size of ``rect``, whole blocks."""
    layout, top = source.layout, float((1 << source.layout.bit_depth) - 1)
    noise: Float = np.zeros(rect.size, np.float32)
    for which in range(3):
        if layout.family == "gray" and which:
            yield noise
            continue
        is_small = layout.family == "yuv" and which > 0
        dy, dx = (layout.chroma_shift_y, layout.chroma_shift_x) if is_small else (0, 0)
        grain = _grain(source, which, rect, (dy, dx), top)
        if grain is None:
            noise = np.zeros(rect.size, np.float32)
        else:
            own, part = _reduced(fill[..., which], inside, dy, dx)
            lack = missing(own, part, grain)
            place = rect.top >> dy, rect.left >> dx
            made = drawn(grain, seed | (which + 1) << 40, source.index, place, lack)
            full = made.repeat(1 << dy, axis=0).repeat(1 << dx, axis=1)
            noise = full[: rect.size.height, : rect.size.width]
        yield noise


def _grain(
    source: Source, which: int, rect: Rect, shifts: tuple[int, int], top: float
) -> Grain | None:
    """The noise of a component around ``rect``."""
    layout, size = source.layout, Size(*source.hole.shape)
    around = pixels.blocks_of(rect.grown(AROUND, size), layout, size)
    _, known = _reduced(np.zeros(around.size, np.float32), source.hole[around.slices], *shifts)
    dy, dx = shifts
    plane = pixels.component(source.planes, layout, which)
    part = plane[
        around.top >> dy : -(-around.bottom // (1 << dy)),
        around.left >> dx : -(-around.right // (1 << dx)),
    ]
    live = source.live[which if layout.family == "yuv" else 0]
    return measured(np.asarray(part, np.float32), ~known, top, live)


def _reduced(values: Float, inside: Mask, dy: int, dx: int) -> tuple[Float, Mask]:
    """Means (h, w) over the blocks of a subsampled plane, of the pixels inside, and which have any.

    A block that reaches beyond the picture has the pixels that exist.
    """
    if not dy and not dx:
        return values, inside
    height, width = inside.shape
    more = ((0, -height % (1 << dy)), (0, -width % (1 << dx)))
    shape = (-(-height // (1 << dy)), 1 << dy, -(-width // (1 << dx)), 1 << dx)
    count = np.pad(inside.astype(np.float32), more).reshape(shape).sum(axis=(1, 3))
    total = np.pad(values * inside, more).reshape(shape).sum(axis=(1, 3))
    return np.asarray(total / np.maximum(count, 1), np.float32), count > 0


def codes_of(rgb: Float, layout: PixelLayout, colour: Colour) -> Float:
    """Code values (h, w, 3) of R'G'B', not rounded; of a gray format three times the same scale."""
    if layout.family == "yuv":
        matrix = pixels.from_rgb_matrix(layout, colour)
        return np.asarray(rgb @ matrix[:, :3].T + matrix[:, 3], np.float32)
    black, span, _, _ = pixels.code_levels(layout, colour)
    return np.asarray(rgb * np.float32(span) + np.float32(black), np.float32)


def rgb_of(codes: Float, layout: PixelLayout, colour: Colour) -> Float:
    """The inverse of ``codes_of``."""
    if layout.family == "yuv":
        matrix = pixels.to_rgb_matrix(layout, colour)
        return np.asarray(codes @ matrix[:, :3].T + matrix[:, 3], np.float32)
    black, span, _, _ = pixels.code_levels(layout, colour)
    return np.asarray((codes - np.float32(black)) / np.float32(span), np.float32)
