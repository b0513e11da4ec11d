"""The pictures of the files beside the output: layer, matte, comparison, map of sources; pure.

Legend: H, W picture rows and columns; "upright" is as a player shows it.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from remover.geometry import turn
from remover.pixels import Plane, chroma_mask, component, neutral, picture
from remover.types import COPIED, PAINTED, RELIT, Colour, Filled, Mask, PixelLayout, VideoInfo

Picture = npt.NDArray[np.uint8]
"""R'G'B' (H, W, 3)."""

Levels = npt.NDArray[np.float32]
"""0 to 1 (H, W)."""

CHROMA_SUPPORT = 3
"""How many chroma samples away an interpolated colour may come from: Lanczos has the widest."""

SURROUNDINGS = 16
"""Pixels around the opaque ones that hold the true picture too, so that a codec's blocks at the
edge do: a macroblock."""

LINE = 2
"""Width of the line between the halves of a comparison, in pixels; even, as chroma needs it."""

COLOURS = {
    "untouched": (0, 0, 0),
    "copied": (0, 114, 178),
    "painted": (240, 228, 66),
    "relit": (204, 121, 167),
}
"""What each kind of pixel has in a map; told apart by hue and by lightness alike."""

ROW, SWATCH, GAP, LETTER = 24, 14, 6, 7
"""Height of a line of the legend, its coloured squares, the space around, a letter; pixels."""

LEGEND_FOR = 640
"""Width of a picture for which these are right."""


def opaque(hole: Mask, layout: PixelLayout) -> Mask:
    """Pixels (H, W) whose colour may differ from the source's once chroma is interpolated.

    Args:
        hole: Every pixel that the fill may have changed.
        layout: Of the source. Whole chroma blocks are covered, and those whose interpolated
            colour a changed chroma sample has a part in.
    """
    dy, dx = layout.chroma_shift_y, layout.chroma_shift_x
    if layout.family != "yuv" or not (dy or dx):
        return hole
    reach = [2 * CHROMA_SUPPORT + 1 if shift else 1 for shift in (dy, dx)]
    blocks = chroma_mask(hole, layout).astype(np.uint8)
    blocks = np.asarray(cv2.dilate(blocks, np.ones(reach, np.uint8)), np.uint8)
    whole = blocks.repeat(1 << dy, axis=0).repeat(1 << dx, axis=1)
    return whole[: hole.shape[0], : hole.shape[1]] > 0


def layer(
    planes: Sequence[Plane],
    hole: Mask | None,
    layout: PixelLayout,
    target: PixelLayout,
    colour: Colour,
) -> list[Plane]:
    """The fill alone, straight alpha: what put over the source gives the cleaned picture.

    Args:
        planes: The cleaned picture.
        hole: Every pixel that the fill may have changed; None is none.
        layout: Of ``planes``.
        target: The layout of the result, with alpha, at least as deep and as fine.
        colour: Of the samples.

    Returns:
        Planes as ``target`` describes them. Alpha is 0 or the highest value. Deeper samples are
        shifted, coarser chroma is repeated. Away from the opaque pixels the picture is black.
    """
    size = component(planes, layout, 0).shape
    shown = np.zeros(size, bool) if hole is None else opaque(hole, layout)
    around = shown
    if hole is not None:
        reach = np.ones((2 * SURROUNDINGS + 1,) * 2, np.uint8)
        around = cv2.dilate(shown.astype(np.uint8), reach) > 0
    shift = target.bit_depth - layout.bit_depth
    kind = np.uint8 if target.bit_depth == 8 else np.uint16
    parts: list[Plane] = []
    for c in range(3 if target.family != "gray" else 1):
        source = 0 if layout.family == "gray" else c
        is_chroma = layout.family == "yuv" and c > 0
        inside = chroma_mask(around, layout) if is_chroma else around
        samples = np.where(inside, component(planes, layout, source), neutral(layout, colour, c))
        samples = np.left_shift(samples.astype(kind), shift, dtype=kind)
        if is_chroma:
            rows = 1 << (layout.chroma_shift_y - target.chroma_shift_y)
            columns = 1 << (layout.chroma_shift_x - target.chroma_shift_x)
            samples = samples.repeat(rows, axis=0).repeat(columns, axis=1)
            fine = target.chroma_shift_y == target.chroma_shift_x == 0
            samples = samples[: size[0], : size[1]] if fine else samples
        parts.append(samples)
    parts.append(np.where(shown, kind((1 << target.bit_depth) - 1), kind(0)))
    return arranged(parts, target)


def arranged(parts: Sequence[Plane], layout: PixelLayout) -> list[Plane]:
    """Components (Y, U, V or R, G, B or gray, then alpha) as ``layout`` keeps them in memory."""
    order = sorted(range(len(parts)), key=lambda c: layout.order[c])
    ordered = [np.ascontiguousarray(parts[c]) for c in order]
    return ordered if layout.planar else [np.stack(ordered, axis=-1)]


def matte(alpha: Levels | None, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """How much of the fill each pixel took, 0 to 255 (H, W), as coded."""
    if alpha is None:
        return np.zeros(size, np.uint8)
    return np.asarray(np.rint(alpha * np.float32(255)), np.uint8)


def comparison(before: Sequence[Plane], after: Sequence[Plane], info: VideoInfo) -> Picture:
    """The source on the left and the cleaned picture on the right, upright, of even size."""
    left = upright(before, info)
    right = left if after is before else upright(after, info)
    line = np.full((left.shape[0], LINE, 3), 255, np.uint8)
    return even(np.hstack([left, line, right]))


def upright(planes: Sequence[Plane], info: VideoInfo) -> Picture:
    """A picture as R'G'B' of 8 bits, turned as a player shows it, not stretched."""
    rgb = picture(planes, info.layout, info.colour)
    if rgb.dtype != np.uint8:
        rgb = np.rint(rgb.astype(np.float32) / np.float32(257)).astype(np.uint8)
    return np.ascontiguousarray(turn(rgb, info.orientation)).astype(np.uint8)


def source_map(alpha: Levels | None, filled: Filled | None, info: VideoInfo) -> Picture:
    """Each pixel in the colour of where it comes from, upright, with a legend below."""
    codes = np.zeros(info.size, np.uint8)
    if alpha is not None and filled is not None:
        codes[filled.rect.slices] = filled.origin
        codes[alpha <= 0] = 0
    canvas = np.empty((*info.size, 3), np.uint8)
    canvas[:] = COLOURS["untouched"]
    canvas[codes == COPIED] = COLOURS["copied"]
    canvas[codes == PAINTED] = COLOURS["painted"]
    canvas[codes == RELIT] = COLOURS["relit"]
    turned = np.asarray(turn(canvas, info.orientation), np.uint8)
    return even(np.vstack([turned, legend(turned.shape[1])]))


def legend(width: int) -> Picture:
    """The colours of a map with their names, on white, in one row if it fits, (h, width, 3).

    It grows with the picture, so that it can be read when that is shown smaller.
    """
    scale = max(1, round(width / LEGEND_FOR))
    row, swatch, gap, letter = (scale * length for length in (ROW, SWATCH, GAP, LETTER))
    widths = [gap + swatch + gap + letter * len(name) + gap for name in COLOURS]
    is_row = sum(widths) <= width
    strip = np.full((row if is_row else row * len(COLOURS), width, 3), 255, np.uint8)
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.4 * scale
    top = left = 0
    for (name, colour), length in zip(COLOURS.items(), widths, strict=True):
        corner = (left + gap, top + (row - swatch) // 2)
        opposite = (corner[0] + swatch - 1, corner[1] + swatch - 1)
        cv2.rectangle(strip, corner, opposite, colour, cv2.FILLED)
        place = (opposite[0] + gap, opposite[1] - 3 * scale)
        cv2.putText(strip, name, place, font, size, (0, 0, 0), scale, cv2.LINE_AA)
        left, top = (left + length, top) if is_row else (left, top + row)
    return strip


def even(canvas: Picture) -> Picture:
    """``canvas`` with its last row and column repeated where its size is odd."""
    height, width = canvas.shape[:2]
    return np.pad(canvas, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
