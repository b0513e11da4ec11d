"""Pixel formats: how their samples lie in memory, and plain arrays to and from decoded frames.

A format is *held* when its samples can be given to the caller as they are: one array a component
(planar) or one array a picture (packed), 8 to 16 bits or floats, native byte order. Every other
format is converted to the nearest held one when it is decoded.
"""

import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation

from remover.types import PixelLayout, Size

Plane = npt.NDArray[Any]
"""(H, W) samples of a planar format or (H, W, channels) of a packed one, as ``dtype_of`` says."""

Family = Literal["yuv", "rgb", "gray"]

PACKED: dict[str, tuple[int, tuple[int, ...], int, bool]] = {
    "rgb24": (3, (0, 1, 2), 8, False),
    "bgr24": (3, (2, 1, 0), 8, False),
    "rgba": (4, (0, 1, 2, 3), 8, True),
    "bgra": (4, (2, 1, 0, 3), 8, True),
    "argb": (4, (1, 2, 3, 0), 8, True),
    "abgr": (4, (3, 2, 1, 0), 8, True),
    "rgb0": (4, (0, 1, 2), 8, False),
    "bgr0": (4, (2, 1, 0), 8, False),
    "0rgb": (4, (1, 2, 3), 8, False),
    "0bgr": (4, (3, 2, 1), 8, False),
    "rgb48le": (3, (0, 1, 2), 16, False),
    "bgr48le": (3, (2, 1, 0), 16, False),
    "rgba64le": (4, (0, 1, 2, 3), 16, True),
    "bgra64le": (4, (2, 1, 0, 3), 16, True),
    "ya8": (2, (0, 1), 8, True),
    "ya16le": (2, (0, 1), 16, True),
}
"""Name: channels in memory, place of each component among them, bits, whether one is alpha."""

FLOATS: dict[str, tuple[Family, int, tuple[int, ...]]] = {
    "gbrpf32le": ("rgb", 32, (2, 0, 1)),
    "gbrapf32le": ("rgb", 32, (2, 0, 1, 3)),
    "grayf32le": ("gray", 32, (0,)),
    "gbrpf16le": ("rgb", 16, (2, 0, 1)),
    "gbrapf16le": ("rgb", 16, (2, 0, 1, 3)),
    "grayf16le": ("gray", 16, (0,)),
}
"""Planar formats of float samples: family, bits, plane of each component."""

EXACT = {
    **dict.fromkeys(("nv12", "nv21"), "yuv420p"),
    **dict.fromkeys(("nv16", "yuyv422", "uyvy422", "yvyu422"), "yuv422p"),
    **dict.fromkeys(("nv24", "nv42", "vyu444", "vuyx"), "yuv444p"),
    **dict.fromkeys(("ayuv", "vuya", "uyva"), "yuva444p"),
    **dict.fromkeys(("nv20le", "nv20be", "p210le", "p210be", "y210le"), "yuv422p10le"),
    **dict.fromkeys(("p010le", "p010be"), "yuv420p10le"),
    **dict.fromkeys(("p012le", "p012be"), "yuv420p12le"),
    **dict.fromkeys(("p016le", "p016be"), "yuv420p16le"),
    **dict.fromkeys(("p212le", "p212be", "y212le"), "yuv422p12le"),
    **dict.fromkeys(("p216le", "p216be", "y216le"), "yuv422p16le"),
    **dict.fromkeys(("p410le", "p410be", "xv30le", "yuv444p10msble"), "yuv444p10le"),
    **dict.fromkeys(("p412le", "p412be", "xv36le", "xv36be", "yuv444p12msble"), "yuv444p12le"),
    **dict.fromkeys(("p416le", "p416be", "xv48le", "xv48be"), "yuv444p16le"),
    **dict.fromkeys(("ayuv64le", "ayuv64be"), "yuva444p16le"),
    "pal8": "bgra",
    **dict.fromkeys(("rgb565le", "rgb565be", "rgb555le", "rgb555be", "rgb444le"), "rgb24"),
    **dict.fromkeys(("bgr565le", "bgr565be", "bgr555le", "bgr555be", "bgr444le"), "bgr24"),
    **dict.fromkeys(("rgb8", "rgb4_byte"), "rgb24"),
    **dict.fromkeys(("bgr8", "bgr4_byte"), "bgr24"),
    **dict.fromkeys(("monow", "monob"), "gray"),
    **dict.fromkeys(("x2rgb10le", "x2bgr10le", "gbrp10msble"), "gbrp10le"),
    "gbrp12msble": "gbrp12le",
}
"""Formats that are not held, and the held format that takes every sample of theirs unchanged."""

INEXACT = {
    **dict.fromkeys(("gbrpf32be", "rgbf32le", "rgbf16le"), "gbrp16le"),
    **dict.fromkeys(("gbrapf32be", "rgbaf32le", "rgbaf16le"), "gbrap16le"),
    "grayf32be": "gray16le",
    **dict.fromkeys(("xyz12le", "xyz12be"), "rgb48le"),
}
"""Formats whose values must be rounded to be held."""

EXACT_FLAGS = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)
"""The slow and exact paths of the library's converter."""


@cache
def layout_of(name: str) -> PixelLayout | None:
    """How the pixel format ``name`` lies in memory, or None if it is not held."""
    if name in PACKED:
        _, order, bits, has_alpha = PACKED[name]
        family: Family = "gray" if name.startswith("ya") else "rgb"
        return PixelLayout(name, family, bits, planar=False, order=order, has_alpha=has_alpha)
    if name in FLOATS:
        family, bits, order = FLOATS[name]
        alpha = len(order) == 4
        return PixelLayout(
            name, family, bits, planar=True, order=order, has_alpha=alpha, sample="float"
        )
    try:
        pixel_format = av.VideoFormat(name, 256, 256)
    except ValueError:
        return None
    components = pixel_format.components
    order = tuple(c.plane for c in components)
    bits = components[0].bits if components else 0
    if (
        len(set(order)) != len(order)
        or pixel_format.is_bayer
        or pixel_format.has_palette
        or not 8 <= bits <= 16
        or any(c.bits != bits for c in components)
        or (bits > 8 and not name.endswith("le"))
        or "msb" in name
        or "f16" in name
    ):
        return None
    family = "rgb" if pixel_format.is_rgb else "gray" if len(components) < 3 else "yuv"
    chroma = components[1] if family == "yuv" else components[0]
    return PixelLayout(
        name,
        family,
        bits,
        planar=True,
        order=order,
        chroma_shift_y=(256 // chroma.height).bit_length() - 1,
        chroma_shift_x=(256 // chroma.width).bit_length() - 1,
        has_alpha=len(components) in (2, 4),
    )


@cache
def held_format(name: str) -> tuple[str, bool]:
    """The held format nearest to ``name``, and whether every value survives the way there.

    Raises:
        KeyError: The format cannot be used at all.
    """
    if layout_of(name) is not None:
        return name, True
    if name in EXACT:
        return EXACT[name], True
    if name in INEXACT:
        return INEXACT[name], False
    if name.endswith("be") and layout_of(f"{name[:-2]}le") is not None:
        return f"{name[:-2]}le", True
    if av.VideoFormat(name).is_bayer:
        return ("rgb48le" if "16" in name else "rgb24"), False
    raise KeyError(name)


def plane_shape(layout: PixelLayout, size: Size, plane: int) -> tuple[int, ...]:
    """Shape of array ``plane`` of a picture of ``size``."""
    if not layout.planar:
        return (*size, PACKED[layout.name][0])
    if layout.family == "yuv" and plane in layout.order[1:3]:
        return (-(-size.height >> layout.chroma_shift_y), -(-size.width >> layout.chroma_shift_x))
    return tuple(size)


def dtype_of(layout: PixelLayout) -> np.dtype[Any]:
    """The kind of numbers that samples are."""
    if layout.is_float:
        return np.dtype(np.float16 if layout.bit_depth == 16 else np.float32)
    return np.dtype(np.uint8 if layout.bit_depth == 8 else np.uint16)


def read_planes(frame: av.VideoFrame, layout: PixelLayout) -> tuple[Plane, ...]:
    """Copies of the planes of ``frame`` without padding, read-only, in memory order.

    Copies, because the frame's own memory is reused once it is handed to an encoder.
    """
    size = Size(frame.height, frame.width)
    planes = []
    for number in range(len(frame.planes)):
        copy = np.array(_view(frame, layout, size, number), order="C")
        copy.flags.writeable = False
        planes.append(copy)
    return tuple(planes)


def write_planes(frame: av.VideoFrame, layout: PixelLayout, planes: Sequence[Plane]) -> None:
    """Overwrite the samples of ``frame`` with ``planes`` (as ``read_planes`` gives them)."""
    frame.make_writable()
    size = Size(frame.height, frame.width)
    for number, plane in enumerate(planes):
        _view(frame, layout, size, number)[...] = plane


def _view(frame: av.VideoFrame, layout: PixelLayout, size: Size, number: int) -> Plane:
    """A writable view of one plane; a negative line size means bottom row first."""
    plane: Any = frame.planes[number]
    shape = plane_shape(layout, size, number)
    kind = dtype_of(layout)
    pitch = plane.line_size
    offset = -pitch * (shape[0] - 1) if pitch < 0 else 0
    inner = (kind.itemsize * shape[2], kind.itemsize) if len(shape) == 3 else (kind.itemsize,)
    return np.ndarray(shape, kind, buffer=plane, offset=offset, strides=(pitch, *inner))


def convert(frame: av.VideoFrame, name: str, matrix: int, *, full_range: bool) -> av.VideoFrame:
    """``frame`` in the pixel format ``name``, its properties and side data kept.

    Args:
        frame: A picture in any format.
        name: The wanted pixel format.
        matrix: The converter's number of the colour matrix of the YUV side.
        full_range: Whether the YUV side is full range.
    """
    if frame.format.name == name:
        return frame
    level = 2 if full_range else 1
    is_rgb = av.VideoFormat(name).is_rgb
    source_rgb = frame.format.is_rgb or frame.format.has_palette
    return frame.reformat(
        format=name,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=2 if source_rgb else level,
        dst_color_range=2 if is_rgb else level,
        interpolation=EXACT_FLAGS,
        threads=1,
    )


assert sys.byteorder == "little", "samples are little-endian arrays"
