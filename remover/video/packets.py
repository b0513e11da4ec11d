"""From the packets of a file to its pictures, past whatever is damaged."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from remover.video.sources import MAX_READ_FAILURES, fraction, make_decoder


@dataclass
class Tally:
    """What one pass over the packets met."""

    errors: int = 0
    end_s: float = 0.0
    """When the last packet of any stream ends."""
    claimed_s: float | None = None
    """When the main stream ends according to the file, if it says."""
    is_grid: bool = False
    """Whether frames are shown at the places where they lie in the file."""


def pictures(
    container: InputContainer,
    stream: VideoStream,
    tally: Tally,
    *,
    every_stream: bool = False,
    steady: bool = False,
) -> Iterator[VideoFrame]:
    """Decode what can be decoded, counting what cannot.

    Args:
        container: An open file.
        stream: Its main stream.
        tally: Where to count.
        every_stream: Look at the other streams' packets too, for when they end.
        steady: Decode so that damaged frames are the same every time.
    """
    decoder = make_decoder(stream, steady=steady)
    for packet in read_packets(container, () if every_stream else (stream,), tally):
        _note_end(packet, tally)
        if packet.stream_index == stream.index:
            if has_grid(container):
                packet.pts = packet.dts
            yield from _decoded(decoder, packet, tally)
    yield from _decoded(decoder, None, tally)


def read_packets(
    container: InputContainer, streams: Iterable[Stream], tally: Tally
) -> Iterator[Any]:
    """Yield the packets of ``streams`` (none named: of all), going on after unreadable places.

    Empty packets are left out: they only say that the file has ended. Ones without a decoding
    time are real: cover art, and the first packets of some files.
    """
    failures = 0
    while failures <= MAX_READ_FAILURES:
        try:
            for packet in container.demux(*streams):
                failures = 0
                if packet.size:
                    yield packet
            return
        except MemoryError:  # one of the library's errors, but no damage
            raise
        except av.FFmpegError:
            tally.errors += 1
            failures += 1


def has_grid(container: InputContainer) -> bool:
    """Whether frames are shown at the places where they lie in the file.

    AVI has no other times; the demuxer's guesses at presentation times are off by the decoder's
    delay. The places, sorted, are the times of the frames in the order they are shown.
    """
    return container.format.name == "avi"


def _decoded(decoder: Any, packet: Any, tally: Tally) -> list[VideoFrame]:
    """The frames that a packet, or the end of the stream (None), brings out."""
    try:
        return decoder.decode(packet)  # type: ignore[no-any-return]
    except EOFError:
        return []
    except MemoryError:
        raise
    except av.FFmpegError:
        tally.errors += 1
        return []


def _note_end(packet: Any, tally: Tally) -> None:
    base = fraction(packet.time_base)
    if packet.pts is not None and base is not None:
        tally.end_s = max(tally.end_s, float((packet.pts + (packet.duration or 0)) * base))


def claimed_end(stream: VideoStream) -> float | None:
    """When the main stream ends according to the file itself, in seconds; None if it says not."""
    base = fraction(stream.time_base)
    if stream.duration and base:
        return float(((stream.start_time or 0) + stream.duration) * base)
    for key, value in stream.metadata.items():
        if key.upper().startswith("DURATION"):
            return _clock(value)
    return None


def _clock(text: str) -> float | None:
    """Seconds of ``HH:MM:SS.fraction``."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None
