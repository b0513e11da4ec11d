"""Frames and what one full decode says about them: times, durations, damage."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import floor
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from remover.types import VideoInfo

Plane = npt.NDArray[Any]
Ticks = npt.NDArray[np.int64]
"""Times in units of the stream's time base."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded picture.

    ``planes`` are read-only copies as the video's ``PixelLayout`` describes them. ``native`` is
    for the writer, which carries the frame's properties and side data over and may reuse its
    memory.
    """

    index: int
    pts: int
    duration: int
    planes: tuple[Plane, ...] = field(repr=False)
    native: Any = field(repr=False)


class FrameSource(Protocol):
    """The frames of a video or an image sequence, once all of them were seen by ``scan``."""

    @property
    def info(self) -> VideoInfo:
        """What the source says about itself."""
        ...

    @property
    def index(self) -> "FrameIndex":
        """The times of all frames; raises ``RuntimeError`` before the scan."""
        ...

    def scan(self) -> Iterator[Frame]:
        """Yield every frame from the start; at the end ``index`` is set."""
        ...

    def check_unchanged(self) -> None:
        """Raise ``InputError`` if the files are not those that there were at the start."""
        ...

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Yield the frames ``start`` to ``stop`` (half open; default: to the end), exactly."""
        ...


@dataclass(slots=True)
class Written:
    """What a writer counted while it wrote; all that can be said of a pipe afterwards."""

    num_frames: int = 0
    times_kept: bool = True
    """Whether every picture was handed to the muxer with its own time."""
    streams_kept: bool = True
    """Whether every packet of the copied streams could be read and was handed on."""
    checks: list[int] = field(default_factory=list, repr=False)
    """Of pictures stored one a file without conversion: checksums of what was encoded."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What was wrong with a stream, as far as decoding it shows."""

    decode_errors: int = 0
    corrupt_frames: tuple[int, ...] = ()
    """Indices of the frames that the decoder itself marked as damaged; at most 1000 are kept."""
    missing_seconds: float = 0.0
    """How much earlier the pictures end than the file claims."""
    repaired_times: int = 0
    """Frames whose time was missing or not after the time of the frame before."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return self == Damage()

    def messages(self) -> tuple[str, ...]:
        """One sentence for each kind of damage."""
        found = []
        if self.decode_errors:
            found.append(f"{self.decode_errors} damaged parts of the video could not be decoded")
        if self.corrupt_frames:
            count = len(self.corrupt_frames)
            found.append(f"damaged frames: {_ranges(self.corrupt_frames)} ({count} in all)")
        if self.missing_seconds:
            found.append(f"the video is cut off: its last {self.missing_seconds:.2f} s are missing")
        if self.repaired_times:
            found.append(
                f"{self.repaired_times} frames had no usable time and got one from their neighbours"
            )
        return tuple(found)


@dataclass(frozen=True)
class FrameIndex:
    """When each frame is shown, in ticks of ``time_base``, and how sound the stream is."""

    pts: Ticks
    """int64 (N,), strictly increasing."""
    durations: Ticks
    """int64 (N,), above 0."""
    time_base: Fraction
    damage: Damage = Damage()
    keyframes: tuple[int, ...] = (0,)
    """Indices of the frames that decoding can start at."""
    checks: npt.NDArray[np.uint32] = field(
        default_factory=lambda: np.zeros(0, np.uint32), repr=False
    )
    """A checksum of each decoded picture, to prove that a later decode gives the same."""
    raw: Ticks = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)
    """The times as the decoder gives them, by which frames are found again."""
    first: int = 0
    """Number of the first frame in the whole video."""
    offset: int = 0
    """Ticks that were taken off every time: when the part begins in the whole video."""
    is_part: bool = False
    """Whether this is a part of a video, made to stand alone."""

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return len(self.pts)

    @property
    def span(self) -> tuple[Fraction, Fraction] | None:
        """When a part begins and ends in the whole video's own times, in seconds; else None."""
        if not self.is_part:
            return None
        end = self.offset + int(self.pts[-1] + self.durations[-1])
        return self.offset * self.time_base, end * self.time_base

    def part(self, start: int, stop: int) -> "FrameIndex":
        """The frames ``start`` to ``stop`` (half open, not empty) alone, the first at time 0.

        A part of a part is the same as that part of the whole.
        """
        chosen = slice(start, stop)
        begin = int(self.pts[start])
        return FrameIndex(
            self.pts[chosen] - begin,
            self.durations[chosen],
            self.time_base,
            self.damage,
            (0, *(key - start for key in self.keyframes if start < key < stop)),
            self.checks[chosen],
            self.raw[chosen],
            first=self.first + start,
            offset=self.offset + begin,
            is_part=True,
        )

    def time_of(self, index: int) -> Fraction:
        """When frame ``index`` appears, in seconds after the first frame."""
        return int(self.pts[index] - self.pts[0]) * self.time_base

    def frame_at(self, seconds: Fraction | float) -> int:
        """Index of the frame on screen ``seconds`` after the first frame appeared.

        A time before the start is the first frame, one after the end the last.
        """
        tick = floor(int(self.pts[0]) + Fraction(seconds) / self.time_base)
        return max(0, bisect_right(self.pts, tick) - 1)

    @property
    def end_s(self) -> Fraction:
        """When the last frame disappears, in seconds after the first frame appeared."""
        return self.time_of(self.num_frames - 1) + int(self.durations[-1]) * self.time_base


def _ranges(indices: Sequence[int], limit: int = 5) -> str:
    """``3, 7-9, 12``: increasing indices in short, at most ``limit`` runs."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    parts = [str(a) if a == b else f"{a}-{b}" for a, b in runs[:limit]]
    return ", ".join(parts) + (" and more" if len(runs) > limit else "")


def repair_times(
    pts: Sequence[int | None], durations: Sequence[int], step: int
) -> tuple[Ticks, Ticks, int]:
    """Give every frame a time after the one before it, and a duration.

    A frame with a usable time keeps it. One without, or with one that is not later than the
    frame before, is put one step (its neighbour's duration, else ``step``) after that frame;
    when the next sound time leaves less room, such frames share the room evenly.

    Args:
        pts: Times as decoded, None where missing.
        durations: As decoded, 0 where missing. Only trusted for frames with nothing after them:
            files with reordered pictures often give the decoding distance here.
        step: The usual distance of two frames, in ticks, at least 1.

    Returns:
        Strictly increasing times, how long each frame is shown, and how many times were changed.
    """
    times = np.zeros(len(pts), np.int64)
    sound = _sound(pts)
    last = -1
    for at in [*sound, len(pts)]:
        gap = at - last - 1
        if gap:
            _fill_gap(times, pts, durations, (last, at), step)
        if at < len(pts):
            times[at] = int(pts[at] or 0)
        last = at
    final = durations[-1] if durations[-1] > 0 else step
    lengths = np.diff(times, append=times[-1] + final)
    return times, lengths, len(pts) - len(sound)


def _sound(pts: Sequence[int | None]) -> list[int]:
    """Indices whose times are kept: each later than the kept one before, with room between."""
    kept: list[int] = []
    for index, time in enumerate(pts):
        if time is None:
            continue
        if not kept or time - (pts[kept[-1]] or 0) >= index - kept[-1]:
            kept.append(index)
    return kept


def _fill_gap(
    times: Ticks,
    pts: Sequence[int | None],
    durations: Sequence[int],
    around: tuple[int, int],
    step: int,
) -> None:
    """Times for the frames strictly between the sound frames ``around``."""
    left, right = around
    count = right - left - 1
    if left < 0:
        end = pts[right] if right < len(pts) else count * step
        times[:right] = [int(end or 0) - (right - i) * step for i in range(right)]
        return
    pace = durations[left] if durations[left] > 0 else step
    if right < len(pts):
        room = int(pts[right] or 0) - int(times[left])
        pace = min(pace, room // (count + 1))
    times[left + 1 : right] = times[left] + pace * np.arange(1, count + 1)
