"""What the numbers in a file mean: colour matrix, orientation, HDR10, field order."""

import math
import struct
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Literal

from remover.types import Colour, Orientation, PixelLayout, Size

Matrix = Literal["bt601", "bt709", "bt2020", "smpte240m", "fcc", "rgb"]

UNSPECIFIED = 2
"""FFmpeg's colorspace, color_primaries and color_trc number for "not said"."""

RANGE_LIMITED, RANGE_FULL = 1, 2

MATRICES: Mapping[int, Matrix] = {
    0: "rgb",
    1: "bt709",
    4: "fcc",
    5: "bt601",
    6: "bt601",
    7: "smpte240m",
    9: "bt2020",
}
"""FFmpeg's colorspace numbers (ITU-T H.273 matrix coefficients) that are understood."""

CONVERTER_MATRICES: Mapping[Matrix, int] = {
    "rgb": 5,
    "bt709": 1,
    "fcc": 4,
    "bt601": 5,
    "smpte240m": 7,
    "bt2020": 9,
}
"""The same for the library's pixel format converter, which has its own numbers."""

HD_HEIGHT = 720
"""Players take untagged pictures of at least this height for BT.709, smaller ones for BT.601."""

TOP_FIELD_FIRST, BOTTOM_FIELD_FIRST = (2, 4), (3, 5)
"""FFmpeg's field order numbers: coded so, or only shown so."""


def colour_of(
    layout: PixelLayout, size: Size, tags: tuple[int, int, int, int]
) -> tuple[Colour, str | None]:
    """What the samples mean, and a warning where that had to be approximated.

    Args:
        layout: The pixel format.
        size: Of the picture.
        tags: colorspace, color_range, color_primaries and color_trc as found.
    """
    space, level, _, _ = tags
    warning = None
    if layout.family == "rgb":
        matrix: Matrix = "rgb"
    elif space in MATRICES and not (space == 0 and layout.family == "yuv"):
        matrix = MATRICES[space] if layout.family == "yuv" else "bt709"
    elif space in (10, 13, 14):
        matrix = "bt2020"
        warning = f"the colour matrix number {space} is treated as plain BT.2020 in the fill"
    else:
        matrix = "bt709" if size.height >= HD_HEIGHT else "bt601"
        if space not in (0, UNSPECIFIED, 3):
            warning = f"the colour matrix number {space} is treated as {matrix} in the fill"
    full = (
        layout.family == "rgb"
        or layout.name.startswith("yuvj")
        or level == RANGE_FULL
        or (layout.family == "gray" and level != RANGE_LIMITED)
    )
    return Colour(matrix, full, tags), warning


def orientation_of(matrix: bytes | None) -> tuple[Orientation, bool]:
    """How a display matrix turns the picture, and whether that is exact.

    Args:
        matrix: 36 bytes, nine native int32 ``a b u c d v x y w`` that send a point (p, q) to
            (a p + c q, b p + d q), rows downwards; None where the file has none.
    """
    if matrix is None or len(matrix) < 36:
        return Orientation(), True
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix[:36])
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    degrees = math.degrees(math.atan2(b, a)) % 360
    nearest = round(degrees / 90) % 4
    exact = abs(degrees - 90 * round(degrees / 90)) < 0.5
    turns: tuple[Literal[0, 90, 180, 270], ...] = (0, 90, 180, 270)
    return Orientation(turns[nearest], mirrored), exact


def display_matrix(orientation: Orientation) -> tuple[int, ...]:
    """Nine integers that ``orientation_of`` reads as ``orientation``."""
    one = 1 << 16
    cos = {0: one, 90: 0, 180: -one, 270: 0}[orientation.clockwise]
    sin = {0: 0, 90: one, 180: 0, 270: -one}[orientation.clockwise]
    sign = -1 if orientation.hflip else 1
    return (sign * cos, sign * sin, 0, -sin, cos, 0, 0, 0, 1 << 30)


def mastering_display(raw: bytes) -> str | None:
    """x265's notation of HDR10 mastering display data.

    Args:
        raw: 88 bytes, FFmpeg's ``AVMasteringDisplayMetadata``: ten rationals (red, green, blue,
            white x and y; darkest, brightest) and two flags saying which of them are set.
    """
    if len(raw) < 88:
        return None
    numbers = struct.unpack("=22i", raw[:88])
    if not (numbers[20] and numbers[21]) or 0 in numbers[1:20:2]:
        return None
    values = [Fraction(n, d) for n, d in zip(numbers[0:20:2], numbers[1:20:2], strict=True)]
    red, green, blue, white = ([round(v * 50000) for v in values[i : i + 2]] for i in (0, 2, 4, 6))
    darkest, brightest = (round(v * 10000) for v in values[8:10])
    points = zip(("G", "B", "R", "WP"), (green, blue, red, white), strict=True)
    text = "".join(f"{name}({x},{y})" for name, (x, y) in points)
    return f"{text}L({brightest},{darkest})"


def content_light(raw: bytes) -> str | None:
    """``brightest,average`` in cd/m² of FFmpeg's ``AVContentLightMetadata`` (two uint32)."""
    if len(raw) < 8:
        return None
    brightest, average = struct.unpack("=2I", raw[:8])
    return f"{brightest},{average}"


def hdr_of(side_data: Mapping[str, bytes]) -> dict[str, Any]:
    """HDR10 facts of a frame's side data: ``master-display`` and ``max-cll``, where present."""
    found: dict[str, Any] = {}
    if raw := side_data.get("MASTERING_DISPLAY_METADATA"):
        found["master-display"] = mastering_display(raw)
    if raw := side_data.get("CONTENT_LIGHT_LEVEL"):
        found["max-cll"] = content_light(raw)
    return {key: value for key, value in found.items() if value}
