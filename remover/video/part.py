"""What belongs to a part of a video: its packets, its chapters, its timecode; pure but for packets.

A span is the begin and the end of the part in seconds of the whole video's own times.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from typing import Any

from remover.types import VideoInfo
from remover.video.containers import MOV_FAMILY, is_cover
from remover.video.encode import OutputPlan
from remover.video.sources import fraction
from remover.video.values import FrameIndex

Span = tuple[Fraction, Fraction]

UNCUT = "its pictures cannot be cut without encoding them again"

TIMECODE = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;.,])(\d{2,3})")
DAY_H = 24


def info_of_part(info: VideoInfo, index: FrameIndex) -> VideoInfo:
    """``info`` as the part of the video says it that ``index`` describes."""
    if not index.is_part:
        return info
    stop = index.first + index.num_frames
    timecode = info.timecode and moved_timecode(info.timecode, info.rate, index.first)
    return replace(
        info,
        pictures=info.pictures[index.first : stop],
        timecode=timecode,
        num_frames_hint=index.num_frames,
    )


def plan_of_part(plan: OutputPlan) -> OutputPlan:
    """``plan`` for a part of the source: without other moving pictures, which need their start."""
    streams = tuple(
        replace(entry, action="drop", reason=UNCUT)
        if entry.kind == "video" and entry.action == "copy"
        else entry
        for entry in plan.streams
    )
    changed = (new for old, new in zip(plan.streams, streams, strict=True) if new != old)
    said = tuple(message for entry in changed if (message := entry.message(plan.container)))
    return replace(plan, streams=streams, warnings=plan.warnings + said)


def moved_timecode(text: str, rate: Fraction, frames: int) -> str:
    """The timecode ``frames`` frames after ``text``, as ``01:00:00:00`` or ``01:00:00;00``.

    ``;``, ``.`` and ``,`` before the frames mean that numbers are dropped, as NTSC counts at 30
    and 60 frames a second. One that is not understood is returned as it is. After 24 hours it
    begins anew.
    """
    found = TIMECODE.fullmatch(text)
    if found is None:
        return text
    pace = max(1, round(rate))
    hours, minutes, seconds, number = (int(found.group(i)) for i in (1, 2, 3, 5))
    mark = found.group(4)
    dropped = 2 * (pace // 30) if mark != ":" and pace % 30 == 0 else 0
    total_minutes = hours * 60 + minutes
    count = (total_minutes * 60 + seconds) * pace + number + frames
    count -= dropped * (total_minutes - total_minutes // 10)
    count %= DAY_H * 6 * (600 * pace - 9 * dropped)
    count = _undropped(count, pace, dropped)
    number, rest = count % pace, count // pace
    hours, minutes, seconds = rest // 3600, rest // 60 % 60, rest % 60
    return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{number:0{len(found.group(5))}}"


def _undropped(count: int, pace: int, dropped: int) -> int:
    """Frame ``count`` as it is numbered where each minute but every tenth drops its first ones."""
    if not dropped:
        return count
    tens, rest = divmod(count, 600 * pace - 9 * dropped)
    minutes = max(0, rest - dropped) // (60 * pace - dropped)
    return count + dropped * (9 * tens + minutes)


def chapters_of_part(chapters: Iterable[Any], span: Span | None) -> list[Any]:
    """The chapters that meet the part, cut to it and moved so that it begins at 0."""
    if span is None:
        return list(chapters)
    begin, end = span
    found = []
    for chapter in chapters:
        base = fraction(chapter["time_base"]) or Fraction(1)
        start, stop = max(chapter["start"] * base, begin), min(chapter["end"] * base, end)
        if start < stop:
            places = {"start": floor((start - begin) / base), "end": ceil((stop - begin) / base)}
            found.append({**chapter, **places})
    return found


def belongs(packet: Any, span: Span | None, container: str) -> bool:
    """Whether a packet is of the part: it is shown or heard for some of its time.

    Sound that begins before the first picture is kept where a container can say that its start
    is to be passed over; elsewhere the picture would begin late because of it.

    Args:
        packet: Of a stream that is copied.
        span: The part; None is all.
        container: FFmpeg's muxer name of the output.
    """
    if span is None or is_cover(packet.stream):
        return True
    base = fraction(packet.time_base)
    time = packet.pts if packet.pts is not None else packet.dts
    if base is None or time is None:
        return False
    begin, end = span
    start = time * base
    stop = start + (packet.duration or 0) * base
    kind = packet.stream.type
    if start < begin and kind != "subtitle" and not (kind == "audio" and container in MOV_FAMILY):
        return False
    return bool(start < end and (start >= begin or stop > begin))


def cut_subtitle(packet: Any, span: Span | None) -> None:
    """Let a subtitle begin and end within the part; other packets stay as they are."""
    base = fraction(packet.time_base)
    if span is None or packet.stream.type != "subtitle" or base is None or packet.pts is None:
        return
    start, stop = packet.pts, packet.pts + (packet.duration or 0)
    first, last = ceil(span[0] / base), ceil(span[1] / base)
    packet.pts = max(start, first)
    packet.dts = packet.pts
    packet.duration = max(0, min(stop, last) - packet.pts) if packet.duration else 0
