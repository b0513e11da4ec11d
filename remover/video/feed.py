"""The other streams of the source, packet by packet, in step with the pictures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.stream import Discard, Stream

from remover.video.containers import (
    COVER_FILES,
    StreamPlan,
    copy_stream,
    is_cover,
    kept_stream_tags,
)
from remover.video.packets import Tally, read_packets
from remover.video.part import Span, belongs, cut_subtitle
from remover.video.sources import fraction, open_input

Route = Callable[[Any], Any]
"""Turns a packet of the source into one of the output, or None."""


@dataclass
class Feed:
    """Moves packets of the other streams into an output, never far ahead of the pictures."""

    source: InputContainer
    target: OutputContainer
    routes: Mapping[int, Route]
    offset: Fraction = Fraction(0)
    """Seconds taken off every time, for containers that always begin at 0 and for parts."""
    span: Span | None = None
    """The part of the source that is written; None is all."""

    def __post_init__(self) -> None:
        """Ask the demuxer to pass over everything else."""
        for stream in self.source.streams:
            if stream.index not in self.routes:
                stream.discard = Discard.all
        chosen = tuple(s for s in self.source.streams if s.index in self.routes)
        self._tally = Tally()
        self._packets = read_packets(self.source, chosen, self._tally) if chosen else iter(())
        self._waiting: Any = None
        self._last: dict[int, int] = {}

    @property
    def errors(self) -> int:
        """How many places of the source could not be read."""
        return self._tally.errors

    def pump(self, until: Fraction | None) -> None:
        """Write all packets that are due at ``until`` (seconds), or all that are left (None)."""
        while True:
            packet = self._waiting if self._waiting is not None else next(self._packets, None)
            self._waiting = None
            if packet is None:
                return
            due = _due(packet)
            if until is not None and due is not None and due > until:
                self._waiting = packet
                return
            if not belongs(packet, self.span, self.target.format.name):
                continue
            cut_subtitle(packet, self.span)
            routed = self.routes[packet.stream_index](packet)
            if routed is not None:
                shifted = _shifted(routed, self.offset)
                self.target.mux_one(self._in_order(shifted, shifted.stream))

    def _in_order(self, packet: Any, stream: Stream) -> Any:
        """``packet`` with times that a muxer accepts: decoding times never go back.

        Files that were cut or joined carelessly have such; only those packets are moved.
        """
        base, own = fraction(stream.time_base), fraction(packet.time_base)
        if base is None or own is None or packet.dts is None:
            return packet
        time = round(packet.dts * own / base)
        last = self._last.get(stream.index)
        least = None if last is None else last if stream.type == "subtitle" else last + 1
        if least is not None and time < least:
            time = least
            shown = time if packet.pts is None else max(time, round(packet.pts * own / base))
            packet.dts, packet.pts = time, shown
            packet.duration = round((packet.duration or 0) * own / base)
            packet.time_base = base
        self._last[stream.index] = time
        return packet


def _due(packet: Any) -> Fraction | None:
    time = packet.dts if packet.dts is not None else packet.pts
    base = fraction(packet.time_base)
    return time * base if time is not None and base is not None else None


def _shifted(packet: Any, offset: Fraction) -> Any:
    base = fraction(packet.time_base)
    if offset and base is not None:
        ticks = round(offset / base)
        packet.pts = None if packet.pts is None else packet.pts - ticks
        packet.dts = None if packet.dts is None else packet.dts - ticks
    return packet


def add_route(
    target: OutputContainer, stream: Stream, plan: StreamPlan, source: Path
) -> Route | None:
    """Add what ``plan`` says of a stream to ``target``; how its packets get there, if any do.

    Args:
        target: The output, its header not written yet.
        stream: A stream of the source.
        plan: What is to happen to it.
        source: The source, for what must be read before the first packet is written.
    """
    if plan.action == "drop":
        return None
    if plan.action == "convert":
        return _ass_route(target, stream)
    if is_cover(stream) and target.format.name == "matroska":
        # As a stream it would come back as a second moving picture.
        name, kind = COVER_FILES[plan.codec]
        tags = stream.metadata
        data = _first_packet(source, stream.index)
        target.add_attachment(tags.get("filename", name), tags.get("mimetype", kind), data)
        return None
    added = copy_stream(target, stream)
    if stream.type == "attachment":
        return None

    def route(packet: Any) -> Any:
        packet.stream = added
        return packet

    return route


def _first_packet(path: Path, index: int) -> bytes:
    with open_input(path) as container:
        for packet in container.demux(container.streams[index]):
            if packet.size:
                return bytes(packet)
    return b""


def _ass_route(target: OutputContainer, stream: Any) -> Route:
    """Text subtitles written again as ASS."""
    added: Any = target.add_stream("ass")
    added.time_base = stream.time_base
    added.codec_context.time_base = stream.time_base
    added.codec_context.subtitle_header = stream.codec_context.subtitle_header
    for key, value in kept_stream_tags(stream).items():
        added.metadata[key] = value
    added.disposition = stream.disposition

    def route(packet: Any) -> Any:
        try:
            cues = stream.codec_context.decode2(packet)
        except av.FFmpegError:
            return None
        if cues is None or not len(cues):
            return None
        encoded = added.codec_context.encode_subtitle(cues)
        encoded.pts = encoded.dts = packet.pts
        encoded.duration = packet.duration
        encoded.time_base = packet.time_base
        encoded.stream = added
        return encoded

    return route
