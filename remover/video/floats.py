"""Float pictures on their way to an encoder: widened without change, or reduced to integers."""

from typing import Any

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame

from remover import linear
from remover.types import PixelLayout, Size, VideoInfo
from remover.video.layouts import layout_of, read_planes, write_planes

TRANSFER_SRGB = 13
"""FFmpeg's number of the transfer function of reduced pictures."""

WIDE = {"gbrpf16le": "gbrpf32le", "gbrapf16le": "gbrapf32le", "grayf16le": "grayf32le"}
"""The format that takes every half float, NaN with its bits included."""

REDUCED = {
    **dict.fromkeys(("gbrpf16le", "gbrpf32le"), "gbrp16le"),
    **dict.fromkeys(("gbrapf16le", "gbrapf32le"), "gbrap16le"),
    **dict.fromkeys(("grayf16le", "grayf32le"), "gray16le"),
}
"""The integer format that sRGB of a float picture goes into."""


def ready_for(frame: VideoFrame, info: VideoInfo, target: PixelLayout) -> VideoFrame:
    """``frame`` in a format that the library converts well to ``target``.

    Args:
        frame: A picture of ``info``; integers are given back as they are.
        info: The source.
        target: What is to be stored: floats of the same kind, or integers.
    """
    layout = info.layout
    if not layout.is_float:
        return frame
    if not target.is_float:
        return _reduced(frame, layout)
    if layout.name not in WIDE:
        return frame
    wide = [plane.astype(np.float32) for plane in read_planes(frame, layout)]
    return _frame_of(WIDE[layout.name], Size(frame.height, frame.width), wide)


def _reduced(frame: VideoFrame, layout: PixelLayout) -> VideoFrame:
    """Scene-linear floats, premultiplied, as sRGB of 16 bits with the alpha beside it."""
    planes: list[npt.NDArray[Any]] = list(read_planes(frame, layout))
    colour = layout.order[:-1] if layout.has_alpha else layout.order
    if layout.has_alpha:
        alpha = linear.visible(planes[layout.order[-1]])
        planes[layout.order[-1]] = alpha
        share = np.where(alpha > 0, alpha, np.float32(1.0))
        for place in colour:
            planes[place] = np.minimum(linear.visible(planes[place]), share) / share
    for place in colour:
        planes[place] = linear.shown(planes[place])
    levels = [np.rint(plane * np.float32(65535.0)).astype(np.uint16) for plane in planes]
    return _frame_of(REDUCED[layout.name], Size(frame.height, frame.width), levels)


def _frame_of(name: str, size: Size, planes: list[Any]) -> VideoFrame:
    frame = VideoFrame(size.width, size.height, name)
    layout = layout_of(name)
    assert layout is not None
    write_planes(frame, layout, planes)
    return frame
