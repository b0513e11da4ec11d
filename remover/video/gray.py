"""Mask videos: written without loss, read as gray levels."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
import numpy.typing as npt

from remover import linear
from remover.errors import OutputError
from remover.geometry import turn
from remover.types import Size, VideoInfo
from remover.video.codecs import THREADS
from remover.video.containers import mux_options, muxer_of
from remover.video.decode import Reader
from remover.video.errors import explained
from remover.video.layouts import layout_of, plane_shape, write_planes
from remover.video.pipe import Target, opened_by
from remover.video.probe import probe
from remover.video.times import grid_of, rounded_times
from remover.video.values import FrameIndex

Gray = npt.NDArray[np.uint8]
"""Levels (H, W), 0 to 255."""

WRITERS: dict[str, tuple[str, str, dict[str, str]]] = {
    "matroska": ("ffv1", "gray", {"level": "3", "g": "1", "slices": "4"}),
    "avi": ("ffv1", "gray", {"level": "3", "g": "1", "slices": "4"}),
    "nut": ("ffv1", "gray", {"level": "3", "g": "1", "slices": "4"}),
    "yuv4mpegpipe": ("rawvideo", "gray", {}),
    "mp4": ("libx264", "gray", {"qp": "0", "preset": "veryfast"}),
    "mov": ("libx264", "gray", {"qp": "0", "preset": "veryfast"}),
    "webm": ("libvpx-vp9", "yuv420p", {"lossless": "1", "deadline": "good", "cpu-used": "5"}),
}
"""Encoder, pixel format and options of each muxer that can hold masks without loss."""

RANGE_FULL = 2
NEUTRAL = 128


class GrayWriter:
    """A lossless gray video with the times of another video, as a context manager.

    Pictures come in the coded orientation. They are stored upright where pixels are square, so
    that every program shows them as the video; else as they are.
    """

    def __init__(
        self,
        path: Target,
        name: Target,
        info: VideoInfo,
        index: FrameIndex,
        container: str | None = None,
    ) -> None:
        """Prepare a video at ``path`` in the format ``container``, or else ``name``'s suffix.

        Raises:
            OutputError: The format cannot hold masks without loss.
        """
        muxer = muxer_of(name, container)
        if muxer not in WRITERS:
            raise OutputError(
                f"{muxer} (`{name.name}`) cannot hold masks without loss",
                hint="write the masks to .mkv, .mp4, .mov, .webm or .avi, or to a folder",
            )
        self._path, self._name, self._muxer = path, name, muxer
        self._info, self._index = info, index
        self._encoder, pixel_format, self._options = WRITERS[muxer]
        layout = layout_of(pixel_format)
        assert layout is not None
        self._layout = layout
        self._base, self._ticks = grid_of(muxer, index, info.rate)
        self._turned = info.sample_aspect == 1
        self._next = 0
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> Self:
        """Create the file.

        Raises:
            OutputError: It cannot be created.
        """
        rounded_times(self._index, self._muxer)
        try:
            self._container = av.open(
                opened_by(self._path),
                "w",
                format=self._muxer,
                container_options=mux_options(self._muxer, self._name),
            )
            self._add_stream()
        except (av.FFmpegError, OSError, ValueError) as error:
            self._abort()
            raise explained(error, self._name, self._encoder, self._muxer) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file, or let go of it after an exception."""
        if error is not None:
            self._abort()
            return
        try:
            self._mux(None)
            self._container.close()
        except (av.FFmpegError, OSError, ValueError) as failure:
            self._abort()
            raise explained(failure, self._name, self._encoder, self._muxer) from failure

    def write(self, mask: npt.NDArray[Any]) -> None:
        """Write the next picture: bool (H, W), or uint8 levels.

        Raises:
            OutputError: The encoder or the disk refuses.
        """
        levels = mask.astype(np.uint8) * 255 if mask.dtype == bool else mask.astype(np.uint8)
        if self._turned:
            levels = turn(levels, self._info.orientation).astype(np.uint8)
        frame = av.VideoFrame(levels.shape[1], levels.shape[0], self._layout.name)
        size = Size(*levels.shape)
        chroma = [
            np.full(plane_shape(self._layout, size, i), NEUTRAL, np.uint8)
            for i in range(1, len(self._layout.order))
        ]
        write_planes(frame, self._layout, [levels, *chroma])
        frame.color_range = RANGE_FULL
        frame.pts = int(self._index.pts[self._next])
        frame.time_base = self._info.time_base
        self._next += 1
        try:
            self._mux(frame)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise explained(error, self._name, self._encoder, self._muxer) from error

    def _add_stream(self) -> None:
        info = self._info
        self._stream = self._container.add_stream(self._encoder, rate=info.rate)
        context = self._stream.codec_context
        upright = info.orientation.clockwise in (90, 270) and self._turned
        size = Size(info.size.width, info.size.height) if upright else info.size
        context.width, context.height = size.width, size.height
        context.pix_fmt = self._layout.name
        context.framerate, context.time_base = info.rate, info.time_base
        context.options = {"flags": "+bitexact", "bf": "0", **self._options}
        context.thread_count = THREADS
        context.color_range = RANGE_FULL
        if not self._turned:
            context.sample_aspect_ratio = info.sample_aspect
        self._stream.time_base = self._base

    def _mux(self, frame: Any) -> None:
        for packet in self._stream.encode(frame):
            number = int(self._index.pts.searchsorted(packet.pts))
            if self._ticks is not None:
                packet.pts = packet.dts = int(self._ticks[number])
                packet.duration, packet.time_base = 1, self._base
            else:
                packet.duration = int(self._index.durations[number])
            self._container.mux_one(packet)

    def _abort(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                container.close()


def read_gray(path: Path) -> Iterator[Gray]:
    """Yield every picture of a mask video as gray levels (H, W), 0 black and 255 white.

    Pictures are turned as a player shows them, but not stretched.

    Raises:
        InputError: It cannot be read as a video.
    """
    info = probe(path)
    for frame in Reader(info).scan():
        yield np.ascontiguousarray(turn(_levels(frame.planes, info), info.orientation)).astype(
            np.uint8
        )


def _levels(planes: tuple[npt.NDArray[Any], ...], info: VideoInfo) -> Gray:
    layout = info.layout
    if layout.family == "rgb":
        parts = [
            planes[place] if layout.planar else planes[0][..., place] for place in layout.order[:3]
        ]
        luma = np.mean(np.stack(parts).astype(np.float32), axis=0)
    else:
        place = layout.order[0]
        luma = (planes[place] if layout.planar else planes[0][..., place]).astype(np.float32)
    if layout.is_float:
        return np.asarray(np.rint(linear.visible(luma) * 255.0), np.uint8)
    unit = float(1 << (layout.bit_depth - 8))
    if layout.family == "rgb" or info.colour.full_range:
        scaled = luma * (255.0 / ((1 << layout.bit_depth) - 1))
    else:
        scaled = (luma / unit - 16.0) * (255.0 / 219.0)
    return np.asarray(np.clip(np.rint(scaled), 0, 255), np.uint8)
