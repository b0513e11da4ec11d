"""Sample arithmetic: colour conversion of crops, mask growth, composition in the source's planes.

Legend: H, W picture rows and columns; planes are the arrays that ``PixelLayout`` describes. All
colour maths is ours and in float: the usual integer converters darken a picture by a level on
the way there and back, which shows as a seam where a fill is pasted.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from remover import linear
from remover.types import RGB, Colour, Mask, PixelLayout, Rect, Size

Plane = npt.NDArray[Any]
"""uint8, uint16, float16 or float32 samples."""

Float = npt.NDArray[np.float32]

LUMA_WEIGHTS = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "smpte240m": (0.212, 0.087),
    "fcc": (0.30, 0.11),
    "rgb": (0.2126, 0.0722),
}
"""Kr and Kb of each matrix (ITU-T H.273, table 4)."""


def plane_size(size: Size, layout: PixelLayout, component: int) -> Size:
    """Size of the plane that holds ``component`` (0 Y or R, 1 U or G, 2 V or B, 3 alpha)."""
    if layout.family != "yuv" or component not in (1, 2):
        return size
    return Size(
        _shifted(size.height, layout.chroma_shift_y),
        _shifted(size.width, layout.chroma_shift_x),
    )


def _shifted(length: int, shift: int) -> int:
    return -(-length // (1 << shift))


def component(planes: Sequence[Plane], layout: PixelLayout, which: int) -> Plane:
    """A view (H, W) of one component: 0 Y, R or gray, 1 U or G, 2 V or B; the last one alpha."""
    place = layout.order[which]
    return planes[place] if layout.planar else planes[0][..., place]


def blocks_of(rect: Rect, layout: PixelLayout, size: Size) -> Rect:
    """``rect`` widened to whole blocks of the subsampled planes, cut to the picture."""
    dy, dx = layout.chroma_shift_y, layout.chroma_shift_x
    return Rect(
        rect.top >> dy << dy,
        rect.left >> dx << dx,
        min(_shifted(rect.bottom, dy) << dy, size.height),
        min(_shifted(rect.right, dx) << dx, size.width),
    )


def parts(planes: Sequence[Plane], layout: PixelLayout, rect: Rect) -> tuple[Plane, ...]:
    """Views of what every plane holds of ``rect``, which covers whole blocks."""
    dy, dx = layout.chroma_shift_y, layout.chroma_shift_x
    small = Rect(
        rect.top >> dy, rect.left >> dx, _shifted(rect.bottom, dy), _shifted(rect.right, dx)
    )
    chroma = layout.order[1:3] if layout.planar and layout.family == "yuv" else ()
    return tuple(p[(small if i in chroma else rect).slices] for i, p in enumerate(planes))


def code_levels(layout: PixelLayout, colour: Colour) -> tuple[float, float, float, float]:
    """Black, luma span, chroma centre and chroma span of the format, in code values."""
    top = float((1 << layout.bit_depth) - 1)
    unit = float(1 << (layout.bit_depth - 8))
    if layout.family == "rgb" or colour.full_range:
        return 0.0, top, 128.0 * unit, top
    return 16.0 * unit, 219.0 * unit, 128.0 * unit, 224.0 * unit


def neutral(layout: PixelLayout, colour: Colour, which: int) -> int:
    """The code of black in component ``which`` (0 Y, R or gray, 1 U or G, 2 V or B)."""
    black, _, centre, _ = code_levels(layout, colour)
    return int(centre if layout.family == "yuv" and which else black)


def to_rgb_matrix(layout: PixelLayout, colour: Colour) -> npt.NDArray[np.float64]:
    """The affine map (3, 4) from code values Y, U, V to R'G'B' with 1.0 as white."""
    kr, kb = LUMA_WEIGHTS[colour.matrix]
    kg = 1.0 - kr - kb
    black, luma, centre, chroma = code_levels(layout, colour)
    mix = np.array(
        [
            [1.0, 0.0, 2.0 * (1.0 - kr)],
            [1.0, -2.0 * kb * (1.0 - kb) / kg, -2.0 * kr * (1.0 - kr) / kg],
            [1.0, 2.0 * (1.0 - kb), 0.0],
        ]
    )
    scaled = mix / np.array([luma, chroma, chroma])
    offset = -scaled @ np.array([black, centre, centre])
    return np.column_stack([scaled, offset])


def from_rgb_matrix(layout: PixelLayout, colour: Colour) -> npt.NDArray[np.float64]:
    """The inverse of ``to_rgb_matrix``: (3, 4) from R'G'B' to code values."""
    forward = to_rgb_matrix(layout, colour)
    back = np.linalg.inv(forward[:, :3])
    return np.column_stack([back, -back @ forward[:, 3]])


def _stacked(planes: Sequence[Plane], layout: PixelLayout, rect: Rect) -> Plane:
    """The three components of ``rect`` at full resolution, (H, W, 3), chroma replicated."""
    if layout.family == "gray":
        gray = component(planes, layout, 0)[rect.slices]
        return cv2.merge([gray, gray, gray])
    if layout.family == "rgb":
        return cv2.merge(
            [np.ascontiguousarray(component(planes, layout, c)[rect.slices]) for c in range(3)]
        )
    parts = [np.ascontiguousarray(component(planes, layout, 0)[rect.slices])]
    parts += [_replicated(component(planes, layout, c), layout, rect) for c in (1, 2)]
    return cv2.merge(parts)


def _replicated(chroma: Plane, layout: PixelLayout, rect: Rect) -> Plane:
    """A chroma plane's samples for each pixel of ``rect``."""
    dy, dx = layout.chroma_shift_y, layout.chroma_shift_x
    block = chroma[
        rect.top >> dy : _shifted(rect.bottom, dy), rect.left >> dx : _shifted(rect.right, dx)
    ]
    if dy or dx:
        height, width = block.shape
        block = cv2.resize(
            np.ascontiguousarray(block),
            (width << dx, height << dy),
            interpolation=cv2.INTER_NEAREST,
        )
    top, left = rect.top - (rect.top >> dy << dy), rect.left - (rect.left >> dx << dx)
    return np.ascontiguousarray(block[top : top + rect.size.height, left : left + rect.size.width])


def _whole(planes: Sequence[Plane], layout: PixelLayout) -> Rect:
    height, width = component(planes, layout, 0).shape
    return Rect(0, 0, height, width)


def to_rgb(
    planes: Sequence[Plane], layout: PixelLayout, colour: Colour, rect: Rect | None = None
) -> Float:
    """R'G'B' of ``rect`` (default: all) as float32 (H, W, 3), 1.0 nominal white, not clipped.

    Of float samples it is their levels on the curve of ``linear``.
    """
    area = rect or _whole(planes, layout)
    if layout.is_float:
        return np.dstack([linear.encoded(part) for part in _parts(planes, layout, area)])
    stacked = _stacked(planes, layout, area).astype(np.float32)
    if layout.family == "yuv":
        return cv2.transform(stacked, to_rgb_matrix(layout, colour)).astype(np.float32)
    black, span, _, _ = code_levels(layout, colour)
    return np.asarray((stacked - np.float32(black)) / np.float32(span), np.float32)


def picture(
    planes: Sequence[Plane], layout: PixelLayout, colour: Colour, rect: Rect | None = None
) -> RGB:
    """R'G'B' of ``rect`` rounded and clipped: uint8 of 8-bit formats, else uint16."""
    area = rect or _whole(planes, layout)
    if layout.bit_depth == 8 and layout.family == "rgb":
        return np.asarray(_stacked(planes, layout, area), np.uint8)
    if layout.bit_depth == 8 and layout.family == "yuv":
        matrix = to_rgb_matrix(layout, colour) * 255.0
        return np.asarray(cv2.transform(_stacked(planes, layout, area), matrix), np.uint8)
    return from_float(to_rgb(planes, layout, colour, area), layout.bit_depth)


def shown(planes: Sequence[Plane], layout: PixelLayout, colour: Colour) -> RGB:
    """``picture`` for whoever looks at it: float samples as sRGB, others as they are."""
    if not layout.is_float:
        return picture(planes, layout, colour)
    parts = _parts(planes, layout, _whole(planes, layout))
    return from_float(np.dstack([linear.shown(part) for part in parts]), layout.bit_depth)


def _parts(planes: Sequence[Plane], layout: PixelLayout, rect: Rect) -> list[Plane]:
    """The components R, G and B of ``rect``; of a gray picture three times the same."""
    which = (0, 0, 0) if layout.family == "gray" else (0, 1, 2)
    return [component(planes, layout, c)[rect.slices] for c in which]


def thumbnail(
    planes: Sequence[Plane], layout: PixelLayout, colour: Colour, width: int
) -> npt.NDArray[np.uint8]:
    """A small R'G'B' uint8 picture (h, w, 3), at most ``width`` wide, by area averages."""
    whole = _whole(planes, layout)
    small_width = min(width, whole.right)
    small = (small_width, max(1, round(whole.bottom * small_width / whole.right)))
    readable = linear.visible if layout.is_float else _as_float
    parts = [
        cv2.resize(readable(np.ascontiguousarray(part)), small, interpolation=cv2.INTER_AREA)
        for part in _parts(planes, layout, whole)
    ]
    stacked = cv2.merge(parts)
    if layout.is_float:
        return np.asarray(from_float(linear.shown(stacked), 8), np.uint8)
    if layout.family == "yuv":
        rgb = cv2.transform(stacked, to_rgb_matrix(layout, colour))
    else:
        black, span, _, _ = code_levels(layout, colour)
        rgb = (stacked - black) / span
    return np.asarray(from_float(rgb.astype(np.float32), 8), np.uint8)


def _as_float(plane: Plane) -> Float:
    return plane.astype(np.float32)


def from_float(rgb: Float, bit_depth: int) -> RGB:
    """Round and clip float R'G'B' (1.0 white) to uint8 (8 bits) or uint16 (65535 white)."""
    if bit_depth == 8:
        return np.asarray(np.clip(np.rint(rgb * np.float32(255.0)), 0, 255), np.uint8)
    return np.asarray(np.clip(np.rint(rgb * np.float32(65535.0)), 0, 65535), np.uint16)


def white(picture: RGB) -> float:
    """The level of nominal white of a picture: 255 or 65535."""
    return float(np.iinfo(picture.dtype).max)


def compose(
    planes: Sequence[Plane],
    layout: PixelLayout,
    colour: Colour,
    rect: Rect,
    rgb: Float,
    alpha: Float,
) -> None:
    """Mix ``rgb`` into ``planes`` in place, in the source's own format.

    A luma (or R, G, B) sample changes only where ``alpha`` is above 0; a chroma sample only
    where ``alpha`` is above 0 at one of its pixels. Alpha planes never change.

    Args:
        planes: Writable arrays as ``layout`` describes them.
        layout: The pixel format.
        colour: Matrix and range of the samples.
        rect: Where ``rgb`` and ``alpha`` lie in the picture.
        rgb: float32 (h, w, 3) as ``to_rgb`` gives it; values outside ``alpha`` are ignored.
        alpha: float32 (h, w), 0 to 1.
    """
    if not (alpha > 0).any():
        return
    rgb = np.where(alpha[..., None] > 0, rgb, np.float32(0.0))
    if layout.family == "yuv":
        _compose_yuv(planes, layout, colour, rect, rgb, alpha)
        return
    if layout.is_float:
        values = linear.decoded(rgb)
    else:
        black, span, _, _ = code_levels(layout, colour)
        values = rgb * np.float32(span) + np.float32(black)
    if layout.family == "gray":
        kr, kb = LUMA_WEIGHTS[colour.matrix]
        weights = np.array([kr, 1.0 - kr - kb, kb], np.float32)
        _mix(
            component(planes, layout, 0)[rect.slices],
            np.asarray(values @ weights, np.float32),
            alpha,
            layout,
        )
        return
    for c in range(3):
        _mix(component(planes, layout, c)[rect.slices], values[..., c], alpha, layout)


def _compose_yuv(
    planes: Sequence[Plane],
    layout: PixelLayout,
    colour: Colour,
    rect: Rect,
    rgb: Float,
    alpha: Float,
) -> None:
    codes = cv2.transform(rgb, from_rgb_matrix(layout, colour)).astype(np.float32)
    _mix(component(planes, layout, 0)[rect.slices], codes[..., 0], alpha, layout)
    dy, dx = layout.chroma_shift_y, layout.chroma_shift_x
    before = (rect.top & ((1 << dy) - 1), rect.left & ((1 << dx) - 1))
    blocks = Rect(
        rect.top >> dy, rect.left >> dx, _shifted(rect.bottom, dy), _shifted(rect.right, dx)
    )
    padding = (
        (before[0], (blocks.bottom << dy) - rect.bottom),
        (before[1], (blocks.right << dx) - rect.right),
    )
    soft = np.pad(alpha, padding)
    # A block at the picture's edge may hold pixels that do not exist: they have no say.
    size = Size(*component(planes, layout, 0).shape)
    rows = np.arange(blocks.top << dy, blocks.bottom << dy) < size.height
    columns = np.arange(blocks.left << dx, blocks.right << dx) < size.width
    exists = (rows[:, None] & columns[None, :]).astype(np.float32)
    count = _block_sum(exists, dy, dx)
    weight = _block_sum(soft, dy, dx) / count
    for c in (1, 2):
        share = _block_sum(np.pad(codes[..., c], padding) * soft, dy, dx) / count
        plane = component(planes, layout, c)[blocks.slices]
        new = share / np.maximum(weight, np.float32(1e-6))
        _mix(plane, new, weight, layout)


def _block_sum(values: Float, dy: int, dx: int) -> Float:
    """Sum over blocks of 2^dy by 2^dx: (H, W) to (H >> dy, W >> dx)."""
    height, width = values.shape
    blocks = values.reshape(height >> dy, 1 << dy, width >> dx, 1 << dx)
    return np.asarray(blocks.sum(axis=(1, 3)), np.float32)


def _mix(target: Plane, values: Float, alpha: Float, layout: PixelLayout) -> None:
    """Write the rounded mix of ``target`` and ``values`` where ``alpha`` is above 0.

    Where a float sample is no finite number there is nothing to mix with.
    """
    inside = alpha > 0
    source = target[inside].astype(np.float32)
    if layout.is_float:
        source = np.where(np.isfinite(source), source, values[inside])
    mixed = source + alpha[inside] * (values[inside] - source)
    if layout.is_float:
        target[inside] = mixed.astype(target.dtype)
        return
    top = (1 << layout.bit_depth) - 1
    target[inside] = np.clip(np.rint(mixed), 0, top).astype(target.dtype)


def changed_outside(
    before: Sequence[Plane],
    after: Sequence[Plane],
    layout: PixelLayout,
    rect: Rect,
    region: Mask,
) -> int:
    """Count the samples that differ though no pixel of theirs is in the region.

    Args:
        before: The decoded planes.
        after: The composed planes.
        layout: The pixel format of both.
        rect: Where ``region`` lies.
        region: bool (h, w), the pixels that may change.
    """
    total = 0
    size = Size(*component(before, layout, 0).shape)
    allowed = np.zeros(size, bool)
    allowed[rect.slices] = region
    num_components = len(layout.order)
    for c in range(num_components):
        old, new = component(before, layout, c), component(after, layout, c)
        is_alpha = layout.has_alpha and c == num_components - 1
        changed = _bits(old) != _bits(new)
        if not changed.any():
            continue
        total += int((changed & ~_footprint(allowed, layout, c, is_alpha=is_alpha)).sum())
    return total


def _bits(plane: Plane) -> Plane:
    """Samples as whole numbers that are equal where the bits are: NaN is not equal to itself."""
    if plane.dtype.kind != "f":
        return plane
    return plane.view(np.uint16 if plane.dtype.itemsize == 2 else np.uint32)


def _footprint(allowed: Mask, layout: PixelLayout, c: int, *, is_alpha: bool) -> Mask:
    """The samples of component ``c`` that have a pixel in ``allowed`` (H, W)."""
    if is_alpha:
        return np.zeros_like(allowed)
    return chroma_mask(allowed, layout) if layout.family == "yuv" and c else allowed


def chroma_mask(mask: Mask, layout: PixelLayout) -> Mask:
    """The chroma samples that have a pixel in ``mask`` (H, W)."""
    dy, dx = layout.chroma_shift_y, layout.chroma_shift_x
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % (1 << dy)), (0, -width % (1 << dx))))
    blocks = padded.reshape(padded.shape[0] >> dy, 1 << dy, padded.shape[1] >> dx, 1 << dx)
    return np.asarray(blocks.any(axis=(1, 3)), bool)
