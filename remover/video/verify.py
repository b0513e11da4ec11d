"""Checking a written file against its source and plan before anyone sees it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av.container import InputContainer
from av.stream import Discard, Stream

from remover.errors import InputError, VerifyError
from remover.types import VideoInfo
from remover.video.containers import codec_name, copied, is_cover, keeps_aspect
from remover.video.encode import OutputPlan, encoder_clock
from remover.video.facts import RANGE_FULL, UNSPECIFIED
from remover.video.packets import Tally, has_grid, read_packets
from remover.video.part import belongs
from remover.video.probe import probe
from remover.video.sources import fraction, main_stream, open_input
from remover.video.times import COARSE, grid_of
from remover.video.values import FrameIndex, Written

TAGGING = frozenset({"h264", "hevc", "av1"})
"""Codecs whose own bitstream keeps the colour tags, whatever the container."""

SYNC_TOLERANCE_S = 0.012
"""How far the start of a copied stream may move against the picture: one coarse tick and a bit."""

SAME_CLOCK = frozenset({"mp4", "mov", "matroska", "webm", "mpegts", "nut"})
"""Containers in which every stream starts at its own time."""

ADTS_HEADER = 7
"""Bytes before an AAC frame in MPEG-TS; two more where it carries a checksum."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found to be as it should be."""

    num_frames: int
    times_equal: bool
    """Every frame is shown at its time, exactly or to the nearest tick of the container."""
    max_time_error_s: float
    """Largest distance of a frame from its time, seen from the first frame."""
    start_shift_s: float
    """How much later everything starts than in the source; the same for all streams."""
    streams_equal: bool
    """Every copied stream has the same payload."""
    audio_hash_equal: bool
    stream_hashes: dict[int, str] = field(default_factory=dict)
    """sha256 of each copied stream's payload, by its index in the source."""


@dataclass
class _Payload:
    """What was met of one stream."""

    kind: str
    codec: str
    digest: Any
    num_packets: int = 0
    start_s: float | None = None


def verify(path: Path, info: VideoInfo, index: FrameIndex, plan: OutputPlan) -> Verified:
    """Re-open a written file and compare it with the source and the plan.

    Raises:
        VerifyError: Frames, times, streams or tags are not as planned.
    """
    try:
        written = probe(path)
    except InputError as error:
        raise VerifyError(
            f"the written file cannot be read again: {error.message}",
            hint="the disk may be full or failing; the target was not touched",
        ) from error
    _check_picture(written, info, plan)
    wanted = {s.index for s in copied(plan.streams)} - {info.stream_index}
    source = _payloads(info.head, wanted, index, plan.container)
    times, found = _scan(path)
    error_s, shift = _check_times(times, written.time_base, info, index, plan)
    hashes = _check_streams(source, found, shift, plan)
    audio = any(source[i].kind == "audio" for i in hashes)
    return Verified(
        num_frames=len(times),
        times_equal=True,
        max_time_error_s=error_s,
        start_shift_s=shift,
        streams_equal=True,
        audio_hash_equal=audio or not any(s.kind == "audio" for s in plan.streams),
        stream_hashes=hashes,
    )


def _check_picture(written: VideoInfo, info: VideoInfo, plan: OutputPlan) -> None:
    """Size, codec, orientation, aspect and colour tags."""
    pairs: list[tuple[str, Any, Any]] = [
        ("size", info.size, written.size),
        ("codec", plan.codec, written.codec),
        ("orientation", info.orientation, written.orientation),
    ]
    if keeps_aspect(plan.container, plan.codec):
        pairs.append(("sample aspect ratio", info.sample_aspect, written.sample_aspect))
    if plan.codec != "gif":
        bits = plan.layout.bit_depth
        pairs.append(("bit depth", bits, min(bits, written.layout.bit_depth)))
        pairs.append(("alpha", plan.layout.has_alpha, written.layout.has_alpha))
    if plan.codec in TAGGING and plan.layout.family == info.layout.family == "yuv":
        for name, old, new in zip(
            ("matrix", "range", "primaries", "transfer"),
            info.colour.tags,
            written.colour.tags,
            strict=True,
        ):
            if name == "range":
                # Not saying anything is the same as limited.
                pairs.append(("full range", old == RANGE_FULL, new == RANGE_FULL))
            elif old not in (0, UNSPECIFIED):
                pairs.append((f"colour {name} tag", old, new))
    for name, expected, got in pairs:
        if expected != got:
            raise VerifyError(
                f"the written file has the {name} `{got}`, not `{expected}`",
                hint="try another container or codec, and please report this",
            )


def _payloads(path: Path, wanted: set[int], index: FrameIndex, muxer: str) -> dict[int, _Payload]:
    """What a ``muxer`` is to get of the ``wanted`` streams of a file, as the frames are cut."""
    with open_input(path) as container:
        found = {s.index: _new_payload(s) for s in container.streams if s.index in wanted}
        _read(container, found, None, lambda packet: belongs(packet, index.span, muxer))
    begin = float(index.offset * index.time_base)
    for payload in found.values():
        payload.start_s = None if payload.start_s is None else payload.start_s - begin
    return found


def _scan(path: Path) -> tuple[np.ndarray[Any, Any], list[_Payload]]:
    """Times of the pictures in order, and the payloads of all other streams, of an output."""
    times: list[int] = []
    with open_input(path) as container:
        main = main_stream(container, path)
        found = {s.index: _new_payload(s) for s in container.streams if s.index != main.index}
        _read(container, found, (main.index, times))
    return np.sort(np.array(times, np.int64)), list(found.values())


def _new_payload(stream: Stream) -> _Payload:
    kind = "cover" if is_cover(stream) else stream.type
    payload = _Payload(kind, codec_name(stream), hashlib.sha256())
    if kind == "attachment":
        payload.digest.update(getattr(stream, "data", b""))
    return payload


def _read(
    container: InputContainer,
    found: dict[int, _Payload],
    main: tuple[int, list[int]] | None,
    is_wanted: Callable[[Any], bool] = lambda _: True,
) -> None:
    """Read a file once; packets of the main stream only leave their time."""
    wanted = set(found) | ({main[0]} if main else set())
    for stream in container.streams:
        if stream.index not in wanted:
            stream.discard = Discard.all
    for packet in read_packets(container, (), Tally()):
        if main and packet.stream_index == main[0]:
            is_timed = packet.pts is not None and not has_grid(container)
            time = packet.pts if is_timed else packet.dts
            if time is not None and not packet.is_discard:
                main[1].append(time)
        elif packet.stream_index in found and is_wanted(packet):
            _add(found[packet.stream_index], packet)


def _add(payload: _Payload, packet: Any) -> None:
    content = _without_header(payload.codec, bytes(packet))
    if payload.codec == "mov_text" and content == b"\0\0":
        return
    payload.digest.update(content)
    payload.num_packets += 1
    base = fraction(packet.time_base)
    if payload.start_s is None and packet.pts is not None and base is not None:
        payload.start_s = float(packet.pts * base)


def _without_header(codec: str, content: bytes) -> bytes:
    """AAC without the header that only MPEG-TS puts before every frame."""
    if codec == "aac" and len(content) > ADTS_HEADER and content[0] == 0xFF and content[1] >= 0xF0:
        return content[ADTS_HEADER if content[1] & 1 else ADTS_HEADER + 2 :]
    return content


def _check_times(
    got: np.ndarray[Any, Any],
    clock: Fraction,
    info: VideoInfo,
    index: FrameIndex,
    plan: OutputPlan,
) -> tuple[float, float]:
    """The largest error of a frame's time, and how much later the first one starts; seconds."""
    if len(got) != index.num_frames:
        raise VerifyError(
            f"the written file has {len(got)} frames, not {index.num_frames}",
            hint="try another container or codec, and please report this",
        )
    rate, _ = encoder_clock(plan.encoder, info, info.time_base)
    step, ticks = grid_of(plan.container, index, rate)
    expected = index.pts if ticks is None else ticks
    unit = index.time_base if ticks is None else step
    elapsed = (expected - expected[0]).astype(np.float64) * float(unit)
    seen = (got - got[0]).astype(np.float64) * float(clock)
    errors = np.abs(seen - elapsed)
    # Both ends of a span are rounded where the container's clock does not meet the source's.
    own = COARSE.get(plan.container)
    coarse = own is not None and (index.time_base / own).denominator != 1
    allowed = (float(clock) if coarse else 0.0) + 1e-7
    worst = int(errors.argmax())
    if errors[worst] > allowed:
        raise VerifyError(
            f"frame {worst} of the written file is shown {seen[worst]:.4f} s after the first, "
            f"not {elapsed[worst]:.4f} s",
            hint="try another container, such as .mp4 or .mkv, and please report this",
        )
    true = (index.pts - index.pts[0]).astype(np.float64) * float(index.time_base)
    shift = float(got[0] * clock) - float(index.pts[0] * index.time_base)
    return float(np.abs(seen - true).max()), shift


def _check_streams(
    source: dict[int, _Payload], found: list[_Payload], shift: float, plan: OutputPlan
) -> dict[int, str]:
    """Match the streams of one kind in order; sha256 of each by its index in the source."""
    hashes: dict[int, str] = {}
    queues: dict[str, list[_Payload]] = {}
    for payload in found:
        queues.setdefault(payload.kind, []).append(payload)
    for entry in plan.streams:
        if entry.action == "drop":
            continue
        kind = "cover" if entry.kind == "cover picture" else entry.kind
        queue = queues.get(kind, [])
        if not queue:
            raise VerifyError(
                f"{entry.kind} stream {entry.index} (`{entry.codec}`) is not in the written file",
                hint="write to .mkv, which holds nearly everything",
            )
        new = queue.pop(0)
        if entry.action == "copy":
            _check_payload(entry.index, source[entry.index], new, shift, plan)
            hashes[entry.index] = new.digest.hexdigest()
    return hashes


def _check_payload(
    number: int, old: _Payload, new: _Payload, shift: float, plan: OutputPlan
) -> None:
    if old.digest.digest() != new.digest.digest():
        raise VerifyError(
            f"{old.kind} stream {number} (`{old.codec}`) differs: {old.num_packets} packets in the "
            f"source, {new.num_packets} in the written file",
            hint="write to .mkv, and please report this",
        )
    if old.kind != "audio" or plan.container not in SAME_CLOCK:
        return
    if old.start_s is None or new.start_s is None:
        return
    moved = new.start_s - old.start_s - shift
    if abs(moved) > SYNC_TOLERANCE_S:
        raise VerifyError(
            f"audio stream {number} starts {moved:+.3f} s from its place against the picture",
            hint="write to .mkv, and please report this",
        )


def verify_count(index: FrameIndex, written: Written) -> None:
    """Check what was counted while a pipe was written, which cannot be read again.

    Raises:
        VerifyError: A picture was lost, or got a time that is not its own.
    """
    if written.num_frames != index.num_frames or not written.times_kept:
        raise VerifyError(
            f"{written.num_frames} of {index.num_frames} frames were written to the pipe"
            + ("" if written.times_kept else ", not all at their times"),
            hint="write to a file, and please report this",
        )
