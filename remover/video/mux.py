"""Writing the output: pictures through the encoder, everything else packet by packet."""

import contextlib
from collections.abc import Sequence
from math import lcm
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
from av.container import InputContainer, OutputContainer

from remover.types import Orientation, VideoInfo
from remover.video.codecs import BY_NAME
from remover.video.containers import (
    EBML_MUXERS,
    MOV_FAMILY,
    TIMECODED,
    kept_file_tags,
    kept_stream_tags,
)
from remover.video.ebml import ROOM, set_aspect
from remover.video.encode import OutputPlan, configure, encoder_clock
from remover.video.errors import explained
from remover.video.facts import CONVERTER_MATRICES, display_matrix
from remover.video.feed import Feed, Route, add_route
from remover.video.floats import ready_for
from remover.video.layouts import Plane, convert, write_planes
from remover.video.palette import to_palette
from remover.video.part import chapters_of_part
from remover.video.pipe import Target, opened_by
from remover.video.sources import TOLERANT, fraction, open_input
from remover.video.times import grid_of, rounded_times
from remover.video.values import Frame, FrameIndex, Written

MAX_TIMESCALE = 10_000_000
"""Finest clock that is written into an MP4's header."""


class Writer:
    """An output video in the making, as a context manager.

    Frames are written in order, all of them; leaving the block finishes the file. If the block
    is left by an exception the file stays incomplete, and whoever named it removes it.
    """

    def __init__(
        self,
        info: VideoInfo,
        index: FrameIndex,
        plan: OutputPlan,
        path: Target,
        name: Target | None = None,
    ) -> None:
        """Prepare to write a changed ``info`` to ``path`` as planned; nothing is opened yet.

        In errors it is called ``name``, where that is what it will be called in the end.

        Raises:
            OutputError: The container needs steady frames, and these are not.
        """
        self.written = Written()
        self._info, self._index, self._plan, self._path = info, index, plan, path
        self._name = path if name is None else name
        self._resources = contextlib.ExitStack()
        self._container: OutputContainer | None = None
        self._stream: Any = None
        self._feed: Feed | None = None
        self._next = 0
        rate, self._clock = encoder_clock(plan.encoder, info, info.time_base)
        self._counts = BY_NAME[plan.encoder].counts_frames
        self._base, self._ticks = grid_of(plan.container, index, rate)

    def __enter__(self) -> Self:
        """Open the files and write the header.

        Raises:
            OutputError: The file cannot be created, or two frames would get the same time.
        """
        rounded_times(self._index, self._plan.container)
        try:
            self._open()
        except (av.FFmpegError, OSError, ValueError) as error:
            self._abort()
            raise explained(error, self._name, self._plan.encoder, self._plan.container) from error
        except BaseException:
            self._abort()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the file, or let go of it after an exception."""
        if error is None:
            self.close()
        else:
            self._abort()

    def write(self, frame: Frame, planes: Sequence[Plane]) -> None:
        """Encode a frame with the samples ``planes``, which lie as in the source.

        Times, properties and side data are those of ``frame``, whose native picture is used up.

        Raises:
            OutputError: The encoder or the disk refuses.
            RuntimeError: Frames come out of order.
        """
        number, due = frame.index - self._index.first, self._next
        if number != due:
            raise RuntimeError(f"frame {number} came where {due} was due")
        self._next += 1
        native = frame.native
        if any(new is not old for new, old in zip(planes, frame.planes, strict=True)):
            write_planes(native, self._info.layout, planes)
        try:
            self._encode(self._prepared(native, number))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise explained(error, self._name, self._plan.encoder, self._plan.container) from error

    def close(self) -> None:
        """Write what the encoder still holds and the rest of the other streams; end the file.

        Raises:
            OutputError: The disk is full or went away.
        """
        if self._container is None or self._feed is None:
            return
        try:
            self._encode(None)
            self._feed.pump(None)
            self.written.streams_kept = not self._feed.errors
            self._container.close()
        except (av.FFmpegError, OSError, ValueError) as error:
            self._abort()
            raise explained(error, self._name, self._plan.encoder, self._plan.container) from error
        self._container = None
        self._resources.close()
        if isinstance(self._path, Path) and self._patches_aspect():
            try:
                set_aspect(self._path, self._info.sample_aspect)
            except (OSError, ValueError) as error:
                raise explained(
                    error, self._name, self._plan.encoder, self._plan.container
                ) from error

    def _patches_aspect(self) -> bool:
        """Whether the library leaves the sample aspect ratio out and it must be put in."""
        is_left_out = self._plan.container in EBML_MUXERS
        return is_left_out and self._info.sample_aspect != 1 and isinstance(self._path, Path)

    def _abort(self) -> None:
        container, self._container = self._container, None
        if container is not None:
            with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                container.close()
        self._resources.close()

    def _open(self) -> None:
        info, plan = self._info, self._plan
        source = self._resources.enter_context(open_input(info.head))
        options = dict(plan.container_options) | _mov_options(source, plan)
        container = av.open(
            opened_by(self._path), "w", plan.container, container_options=options, **TOLERANT
        )
        self._container = container
        container.metadata.update(kept_file_tags(source))
        container.set_chapters(chapters_of_part(source.chapters(), self._index.span))
        routes: dict[int, Route] = {}
        plans = {entry.index: entry for entry in plan.streams}
        for stream in source.streams:
            if stream.index == info.stream_index:
                self._stream = self._add_picture(container, stream)
            elif stream.index in plans:
                route = add_route(container, stream, plans[stream.index], info.head)
                if route is not None:
                    routes[stream.index] = route
        container.start_encoding()
        offset = self._index.offset * info.time_base
        if plan.container == "avi":
            offset += int(self._index.pts[0]) * info.time_base
        self._feed = Feed(source, container, routes, offset, self._index.span)

    def _add_picture(self, container: OutputContainer, source: Any) -> Any:
        """The stream of the pictures, everything about it set before the header is written."""
        info, plan = self._info, self._plan
        stream: Any = container.add_stream(plan.encoder, rate=info.rate)
        configure(stream.codec_context, plan, info)
        stream.time_base = self._base
        stream.metadata.update(kept_stream_tags(source))
        stream.metadata.pop("alpha_mode", None)
        if plan.layout.has_alpha and plan.codec in ("vp8", "vp9"):
            stream.metadata["alpha_mode"] = "1"
        if self._patches_aspect():
            stream.metadata["title"] = stream.metadata.get("title", "") + ROOM
        if info.timecode is not None and plan.container in TIMECODED:
            stream.metadata["timecode"] = info.timecode
        stream.disposition = source.disposition
        if info.orientation != Orientation():
            stream.set_display_matrix(display_matrix(info.orientation))
        return stream

    def _prepared(self, native: Any, index: int) -> Any:
        """A picture as the encoder wants it, at its time."""
        info, plan = self._info, self._plan
        native = ready_for(native, info, plan.layout)
        native.time_base = info.time_base
        if plan.pixel_format == "pal8":
            native = to_palette(native)
        elif plan.converts:
            full = info.colour.full_range and info.layout.family != "rgb"
            matrix = CONVERTER_MATRICES[info.colour.matrix]
            native = convert(native, plan.pixel_format, matrix, full_range=full)
        # The source's picture types would force the encoder's.
        native.pict_type = 0
        native.pts = index if self._counts else int(self._index.pts[index])
        native.time_base = self._clock
        native.duration = 1 if self._counts else int(self._index.durations[index])
        return native

    def _encode(self, native: Any) -> None:
        assert self._container is not None
        assert self._feed is not None
        for packet in self._stream.encode(native):
            self._count(packet)
            self._retime(packet)
            self._container.mux_one(packet)
            if packet.dts is not None:
                base = fraction(packet.time_base) or self._base
                self._feed.pump(packet.dts * base + self._feed.offset)

    def _count(self, packet: Any) -> None:
        """Count a packet of the picture, and whether it came out with the time of a frame."""
        self.written.num_frames += 1
        if not self._counts:
            times = self._index.pts
            number = min(int(times.searchsorted(packet.pts)), len(times) - 1)
            self.written.times_kept &= int(times[number]) == packet.pts

    def _retime(self, packet: Any) -> None:
        """Exact times and durations, which encoders drop or round."""
        index = self._index
        number = packet.pts if self._counts else int(index.pts.searchsorted(packet.pts))
        if self._counts:
            packet.dts = self._time_of_number(packet.dts)
        elif self._ticks is not None:
            packet.dts = packet.pts
        if self._ticks is None:
            packet.pts = int(index.pts[number])
            packet.duration = int(index.durations[number])
            packet.time_base = self._info.time_base
        else:
            packet.pts = packet.dts = int(self._ticks[number])
            packet.duration = 1
            packet.time_base = self._base

    def _time_of_number(self, number: int | None) -> int | None:
        """When frame ``number`` is shown; before the first frame, steps of the first duration."""
        if number is None:
            return None
        if number >= 0:
            return int(self._index.pts[number])
        return int(self._index.pts[0]) + number * int(self._index.durations[0])


def _mov_options(source: InputContainer, plan: OutputPlan) -> dict[str, str]:
    """A header clock that all streams fit in, and room for the tags of phones."""
    if plan.container not in MOV_FAMILY:
        return {}
    kept = {entry.index for entry in plan.streams if entry.action != "drop"}
    scale = 1000
    for stream in source.streams:
        base = fraction(stream.time_base)
        if base is not None and (stream.type == "video" or stream.index in kept):
            finer = lcm(scale, base.denominator)
            scale = finer if finer <= MAX_TIMESCALE else scale
    options = {"movie_timescale": str(scale)}
    if any("." in key for key in source.metadata):
        flags = plan.container_options.get("movflags", "")
        options["movflags"] = f"{flags}+use_metadata_tags"
    return options
