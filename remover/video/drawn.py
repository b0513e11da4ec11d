"""Pictures that are not the source's own, made into frames with its times."""

from collections.abc import Sequence
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from remover.pixels import component
from remover.types import Colour, PixelLayout, VideoInfo
from remover.video.facts import CONVERTER_MATRICES, RANGE_FULL, RANGE_LIMITED
from remover.video.layouts import EXACT_FLAGS, Plane, layout_of, read_planes, write_planes
from remover.video.values import Frame

FINER = {8: (8, 10, 16), 9: (9, 10, 16), 10: (10, 16), 12: (12, 16)}
"""Bit depths to try for samples of so many bits, which must stay as they are."""

CHROMA = {(1, 1): ("420", "444"), (0, 1): ("422", "444"), (0, 0): ("444",)}
"""Chroma resolutions to try, by the halvings of rows and columns."""


def with_alpha(layout: PixelLayout) -> PixelLayout:
    """A layout with alpha that FFV1 stores and that holds every sample of ``layout``.

    Of the same family, but that deep gray becomes R'G'B'.
    """
    depths = FINER.get(layout.bit_depth, (16,))
    if layout.family == "yuv":
        shifts = (layout.chroma_shift_y, layout.chroma_shift_x)
        chroma = CHROMA.get(shifts, ("444",))
        names = [f"yuva{c}p{_bits(depth)}" for c in chroma for depth in depths]
    elif layout.bit_depth == 8:
        names = ["ya8" if layout.family == "gray" else "bgra"]
    else:
        names = [f"gbrap{_bits(max(depth, 10))}" for depth in depths]
    return next(found for name in names if (found := _stored(name)) is not None)


def _bits(depth: int) -> str:
    return "" if depth == 8 else f"{depth}le"


def _stored(name: str) -> PixelLayout | None:
    """The layout ``name``, if FFV1 stores it."""
    known = {pixel_format.name for pixel_format in av.Codec("ffv1", "w").video_formats or ()}
    return layout_of(name) if name in known else None


def redrawn(
    frame: Frame, planes: Sequence[Plane], info: VideoInfo, *, is_alike: bool = False
) -> Frame:
    """A new picture of ``planes`` with the place and the times of ``frame``.

    Args:
        frame: Of the source.
        planes: As the layout of ``info`` describes them.
        info: What the new picture is like.
        is_alike: Whether the picture is of the source's size and shares its properties: fields,
            where chroma lies, side data.
    """
    size, name = info.size, info.layout.name
    native = _alike(frame, name) if is_alike else av.VideoFrame(size.width, size.height, name)
    write_planes(native, info.layout, planes)
    full = info.colour.full_range or info.layout.family == "rgb"
    native.color_range = RANGE_FULL if full else RANGE_LIMITED
    native.colorspace = info.colour.tags[0]
    return Frame(frame.index, frame.pts, frame.duration, tuple(planes), native)


def _alike(frame: Frame, name: str) -> Any:
    """A picture of the format ``name`` with the properties of ``frame``, its samples undefined."""
    native = frame.native
    if native.format.name == name:
        return av.VideoFrame(native.width, native.height, name)
    return native.reformat(format=name)


def planes_of_rgb(rgb: npt.NDArray[np.uint8], info: VideoInfo) -> tuple[Plane, ...]:
    """An R'G'B' picture (H, W, 3) of 8 bits in the layout and the colours of ``info``."""
    native: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    return _converted(native, info.colour, info)


def converted(
    frame: Frame,
    planes: Sequence[Plane],
    layout: PixelLayout,
    colour: Colour,
    info: VideoInfo,
) -> list[Plane]:
    """Planes with alpha in the layout and the colours of ``info``, which has alpha too.

    Args:
        frame: Of the source, which says where chroma lies.
        planes: As ``layout`` describes them; alpha is 0 or the highest value.
        layout: Of ``planes``.
        colour: What they mean.
        info: What they are to be.
    """
    native = _alike(frame, layout.name)
    write_planes(native, layout, planes)
    found = [plane.copy() for plane in _converted(native, colour, info)]
    # The converter shifts alpha: the highest value of a few bits would not be opaque in more.
    old, new = (component(p, at, -1) for p, at in ((planes, layout), (found, info.layout)))
    new[...] = np.where(old > 0, (1 << info.layout.bit_depth) - 1, 0)
    return found


def _converted(native: Any, colour: Colour, info: VideoInfo) -> tuple[Plane, ...]:
    """A picture of ``colour`` in the layout and the colours of ``info``."""
    yuv = info.colour if info.layout.family == "yuv" else colour
    matrix = CONVERTER_MATRICES[yuv.matrix]
    changed = native.reformat(
        format=info.layout.name,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=_level(native.format.is_rgb, colour),
        dst_color_range=_level(info.layout.family == "rgb", info.colour),
        interpolation=EXACT_FLAGS,
        threads=1,
    )
    return read_planes(changed, info.layout)


def _level(is_rgb: bool, colour: Colour) -> int:  # noqa: FBT001
    return RANGE_FULL if is_rgb or colour.full_range else RANGE_LIMITED
