"""Short videos of R'G'B' pictures, as every browser plays them."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from remover.video.codecs import THREADS
from remover.video.containers import mux_options
from remover.video.errors import explained
from remover.video.layouts import EXACT_FLAGS

ENCODER, MUXER, PIXELS = "libx264", "mp4", "yuv420p"
BT709, LIMITED, FULL = 1, 1, 2
FINEST_RATE = 1001
"""Largest denominator of a frame rate, as that of 30000/1001."""

OPTIONS = {
    "crf": "12",
    "preset": "medium",
    "bf": "0",  # so that the first picture is at time 0 everywhere
    "g": "12",  # a seek decodes half as many pictures in the mean
    "flags": "+bitexact",
    "x264-params": "mbtree=0",  # the same bytes on a busy machine
}


def write_frames(path: Path, frames: Iterable[npt.NDArray[np.uint8]], rate: float) -> None:
    """Write pictures to an MP4 file that browsers play and seek in: H.264 with 4:2:0 chroma.

    Args:
        path: The file.
        frames: One picture (H, W, 3) at least, all of one even height and width.
        rate: Frames a second.

    Raises:
        OutputError: The encoder or the disk refuses.
    """
    per_second = Fraction(rate).limit_denominator(FINEST_RATE)
    try:
        with av.open(str(path), "w", MUXER, container_options=mux_options(MUXER, path)) as file:
            stream: Any = None
            for number, picture in enumerate(frames):
                if stream is None:
                    stream = _stream(file, picture.shape, per_second)
                for packet in stream.encode(_native(picture, number, per_second)):
                    _put(file, packet)
            for packet in stream.encode(None):
                _put(file, packet)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise explained(error, path, ENCODER, MUXER) from error


def _stream(file: Any, shape: tuple[int, ...], rate: Fraction) -> Any:
    stream = file.add_stream(ENCODER, rate=rate)
    context = stream.codec_context
    context.height, context.width = shape[:2]
    context.pix_fmt, context.thread_count = PIXELS, THREADS
    context.time_base = 1 / rate
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = LIMITED
    context.options = OPTIONS
    return stream


def _native(picture: npt.NDArray[np.uint8], number: int, rate: Fraction) -> Any:
    native: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    native = native.reformat(
        format=PIXELS,
        src_color_range=FULL,
        dst_colorspace=BT709,
        dst_color_range=LIMITED,
        interpolation=EXACT_FLAGS,
        threads=1,
    )
    native.pts, native.time_base, native.duration = number, 1 / rate, 1
    native.colorspace, native.color_range = BT709, LIMITED
    return native


def _put(file: Any, packet: Any) -> None:
    packet.duration = packet.duration or 1
    file.mux_one(packet)
