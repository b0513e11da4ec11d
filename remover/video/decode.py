"""Streaming decode: every frame once to learn the times, then any range of frames exactly."""

import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
from av.video.frame import VideoFrame

from remover import pixels
from remover.errors import InputError
from remover.types import RGB, Size, VideoInfo
from remover.video.facts import CONVERTER_MATRICES
from remover.video.layouts import Plane, convert, held_format, read_planes
from remover.video.packets import Tally, claimed_end, has_grid, pictures
from remover.video.sources import changed, main_stream, open_input, version_of
from remover.video.values import Damage, Frame, FrameIndex, FrameSource, repair_times

MAX_LISTED = 1000
"""How many damaged frames are remembered by number."""

CHECKED_ROWS = 4
"""Every so many rows go into a frame's checksum."""

REORDERING_ROOM = 64
"""How many frames more than expected may come before the wanted one after a seek."""

NO_TIME = -(1 << 63)


@dataclass
class _Record:
    """What a scan keeps of each frame."""

    pts: "array[int]" = field(default_factory=lambda: array("q"))
    durations: "array[int]" = field(default_factory=lambda: array("q"))
    checks: "array[int]" = field(default_factory=lambda: array("I"))
    keyframes: "array[int]" = field(default_factory=lambda: array("q"))
    corrupt: list[int] = field(default_factory=list)

    def add(self, frame: VideoFrame, planes: Sequence[Plane]) -> None:
        number = len(self.pts)
        time = _time(frame)
        self.pts.append(NO_TIME if time is None else time)
        self.durations.append(frame.duration or 0)
        self.checks.append(checksum(planes))
        if frame.key_frame:
            self.keyframes.append(number)
        if frame.is_corrupt and len(self.corrupt) < MAX_LISTED:
            self.corrupt.append(number)


class Reader:
    """The frames of one video.

    ``scan`` decodes everything once; then ``index`` is set and ``frames`` gives any range.
    """

    def __init__(self, info: VideoInfo) -> None:
        """Remember which file, and which version of it, ``info`` describes."""
        self.info = info
        self._index: FrameIndex | None = None
        self._version = version_of(info.path)
        self._is_steady = False

    @property
    def index(self) -> FrameIndex:
        """The times of all frames.

        Raises:
            RuntimeError: ``scan`` has not run to its end yet.
        """
        if self._index is None:
            raise RuntimeError("the frames are not known before they were scanned")
        return self._index

    def scan(self) -> Iterator[Frame]:
        """Yield every frame from the start; at the end ``index`` is set.

        The ``pts`` of a frame without a usable time is provisional here.

        Raises:
            InputError: No frame decodes, the picture changes its size or format, or the file
                is not the one that there was at the start.
        """
        self.check_unchanged()
        record, tally = _Record(), Tally()
        last, step = NO_TIME, _usual_step(self.info)
        for native in self._all(tally):
            frame = self._held(native, len(record.pts))
            planes = read_planes(frame, self.info.layout)
            record.add(frame, planes)
            time = record.pts[-1]
            last = time if time > last else last + step if last != NO_TIME else 0
            yield Frame(len(record.pts) - 1, last, record.durations[-1], planes, frame)
        if not record.pts:
            raise InputError(
                f"no picture of `{self.info.path}` can be decoded",
                hint="the file is damaged; get it again or convert it first",
            )
        if tally.errors or record.corrupt:
            record, tally = self._steady(record, tally)
        self.check_unchanged()
        self._index = _finish(record, tally, self.info)

    def _all(self, tally: Tally) -> Iterator[VideoFrame]:
        """Every frame from the start, as decoded."""
        with open_input(self.info.path) as container:
            stream = main_stream(container, self.info.path)
            yield from pictures(container, stream, tally, every_stream=True, steady=self._is_steady)
            tally.claimed_s = claimed_end(stream)
            tally.is_grid = has_grid(container)

    def _steady(self, record: _Record, tally: Tally) -> tuple[_Record, Tally]:
        """What the scan of a damaged video found, in the mode in which it is decoded from now on.

        Decoding many frames at once conceals damage a little differently every time.
        """
        again, count = _Record(), Tally()
        self._is_steady = True
        for native in self._all(count):
            frame = self._held(native, len(again.pts))
            again.add(frame, read_planes(frame, self.info.layout))
        self._is_steady = len(again.pts) == len(record.pts)
        if not self._is_steady:
            return record, tally
        # Each mode notices damage that the other does not.
        again.corrupt = sorted({*again.corrupt, *record.corrupt})[:MAX_LISTED]
        count.errors = max(count.errors, tally.errors)
        return again, count

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Yield the frames ``start`` to ``stop`` (half open; default: to the end), exactly.

        Raises:
            InputError: The file is not the one that was scanned any more.
        """
        index = self.index
        stop = index.num_frames if stop is None else min(stop, index.num_frames)
        at = start
        for key in self._entries(start):
            if at >= stop:
                return
            for frame in self._after_seek(key, at, stop):
                yield frame
                at += 1
        if at < stop:
            yield from self._from_start(at, stop)

    def _entries(self, start: int) -> list[int]:
        """Key frames to try to start decoding at, the nearest first."""
        if self.index.damage.repaired_times:
            return []
        keys = self.index.keyframes
        nearest = bisect_right(keys, start) - 1
        return [keys[i] for i in (nearest, nearest - 1) if i > 0]

    def _after_seek(self, key: int, start: int, stop: int) -> Iterator[Frame]:
        """The frames from ``start`` on by seeking to ``key``, for as long as they are right."""
        index, expected = self.index, start
        skipped, most = 0, start - key + REORDERING_ROOM
        self.check_unchanged()
        with open_input(self.info.path) as container:
            stream = main_stream(container, self.info.path)
            try:
                container.seek(int(index.raw[key]), stream=stream)
            except av.FFmpegError:
                return
            for native in pictures(container, stream, Tally(), steady=self._is_steady):
                is_due = _time(native) == index.raw[expected]
                if not is_due and expected == start and skipped < most:
                    skipped += 1
                    continue
                frame = self._frame(native, expected)
                if not is_due or not self._is_same(frame):
                    return
                yield frame
                expected += 1
                if expected == stop:
                    return

    def _from_start(self, start: int, stop: int) -> Iterator[Frame]:
        """The frames ``start`` to ``stop`` by decoding everything before them."""
        self.check_unchanged()
        number = 0
        damage = self.index.damage
        is_sound = not (damage.decode_errors or damage.corrupt_frames)
        with open_input(self.info.path) as container:
            stream = main_stream(container, self.info.path)
            for native in pictures(container, stream, Tally(), steady=self._is_steady):
                if number >= start:
                    frame = self._frame(native, number)
                    if is_sound and not self._is_same(frame):
                        break
                    yield frame
                number += 1
                if number == stop:
                    return
        self.check_unchanged()
        raise InputError(
            f"`{self.info.path}` decodes differently from frame {number} on than it did before",
            hint="something changed the file, or its disk or this machine's memory is failing",
        )

    def _frame(self, native: VideoFrame, number: int) -> Frame:
        index = self.index
        held = self._held(native, number)
        planes = read_planes(held, self.info.layout)
        return Frame(number, int(index.pts[number]), int(index.durations[number]), planes, held)

    def _is_same(self, frame: Frame) -> bool:
        return checksum(frame.planes) == int(self.index.checks[frame.index])

    def _held(self, native: VideoFrame, number: int) -> VideoFrame:
        """``native`` in the layout of the video.

        Raises:
            InputError: Its size or format differs from the first frame's.
        """
        info = self.info
        size, name = Size(native.height, native.width), native.format.name
        if size != info.size or held_format(name)[0] != info.layout.name:
            raise InputError(
                f"the picture changes from {info.size} `{info.layout.name}` to {size} `{name}` "
                f"at frame {number}",
                hint="split the video there, or convert it to one size and format first",
            )
        matrix = CONVERTER_MATRICES[info.colour.matrix]
        return convert(native, info.layout.name, matrix, full_range=info.colour.full_range)

    def check_unchanged(self) -> None:
        """Look whether the file is the one that there was at the start.

        Raises:
            InputError: It is not.
        """
        if version_of(self.info.path) != self._version:
            raise changed(self.info.path)


class RgbPictures:
    """The pictures of a reader as R'G'B', decoded when asked for."""

    def __init__(self, reader: FrameSource, *, shown: bool = False) -> None:
        """Read from ``reader``, which must have been scanned.

        Args:
            reader: The frames.
            shown: Whether float samples are given as sRGB, for whoever looks at them, and not on
                the curve that keeps highlights, for the fill.
        """
        self._reader = reader
        self._picture = pixels.shown if shown else pixels.picture

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return self._reader.index.num_frames

    @property
    def size(self) -> Size:
        """Coded size of every picture."""
        return self._reader.info.size

    def read(self, start: int, stop: int) -> Iterator[RGB]:
        """Yield the pictures ``start`` to ``stop`` (half open), each (H, W, 3).

        uint8 of 8-bit formats, else uint16 with 65535 as nominal white (as the curve's top where
        float samples are not shown but worked on).
        """
        info = self._reader.info
        for frame in self._reader.frames(start, stop):
            yield self._picture(frame.planes, info.layout, info.colour)


def _time(frame: VideoFrame) -> int | None:
    """When a frame is shown; formats without such times give the decoding time."""
    return frame.pts if frame.pts is not None else frame.dts


def checksum(planes: Sequence[Plane]) -> int:
    """A number that differs where pictures do, from some of their rows."""
    value = 0
    for plane in planes:
        value = zlib.crc32(np.ascontiguousarray(plane[::CHECKED_ROWS]).data, value)
    return value


def _usual_step(info: VideoInfo) -> int:
    """Ticks from frame to frame at the average rate, at least 1."""
    return max(1, round(1 / (info.rate * info.time_base)))


def _finish(record: _Record, tally: Tally, info: VideoInfo) -> FrameIndex:
    """The index of a finished scan."""
    claimed = tally.claimed_s
    raw = sorted(record.pts) if tally.is_grid else record.pts
    times = [None if time == NO_TIME else time for time in raw]
    pts, durations, repaired = repair_times(times, record.durations, _usual_step(info))
    if claimed is not None:
        # With reordered pictures the last one's own duration may be another's.
        rest = round(claimed / float(info.time_base)) - int(pts[-1])
        if 0 < rest <= int(durations.max()):
            durations[-1] = rest
    end = float((int(pts[-1]) + int(durations[-1])) * info.time_base)
    if claimed is None:
        claimed, end = info.duration_s, max(end, tally.end_s)
    return FrameIndex(
        pts,
        durations,
        info.time_base,
        Damage(tally.errors, tuple(record.corrupt), _missing(claimed, end, info.rate), repaired),
        tuple(record.keyframes) or (0,),
        np.array(record.checks, np.uint32),
        np.array(record.pts, np.int64),
    )


def _missing(claimed: float | None, end: float, rate: Fraction) -> float:
    """Seconds that the file claims and does not have; small differences are rounding."""
    if claimed is None:
        return 0.0
    gap = claimed - end
    return gap if gap > max(0.25, 3 / float(rate)) else 0.0
