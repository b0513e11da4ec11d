"""What a file says about its main picture and its other streams."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from remover import geometry
from remover.errors import InputError
from remover.types import Orientation, PixelLayout, Size, StreamInfo, VideoInfo
from remover.video.facts import (
    BOTTOM_FIELD_FIRST,
    TOP_FIELD_FIRST,
    colour_of,
    hdr_of,
    orientation_of,
)
from remover.video.layouts import held_format, layout_of
from remover.video.sources import (
    fraction,
    has_side_alpha,
    main_stream,
    make_decoder,
    open_input,
)

DEFAULT_RATE = Fraction(25)
MAX_FIRST_PACKETS = 2000
"""How many packets may pass before the first picture decodes."""

LOST_ON_ENCODING = {
    "DOVI_RPU_BUFFER": "Dolby Vision data",
    "DOVI_METADATA": "Dolby Vision data",
    "DYNAMIC_HDR_PLUS": "HDR10+ data",
    "DYNAMIC_HDR_VIVID": "HDR Vivid data",
}
"""Side data that no encoder here can write again."""


def probe(path: Path) -> VideoInfo:
    """Look at a video: open it and decode its first picture.

    Raises:
        InputError: It cannot be opened, has no moving picture, or none of it decodes.
    """
    with open_input(path) as container:
        stream = main_stream(container, path)
        frame = _first_frame(container, stream, path)
        layout, notes = held_layout(frame, path)
        return _describe(path, container, stream, frame, layout, notes)


def shown_size(path: Path) -> Size:
    """Size of a video as a player shows it: turned, and with square pixels.

    Raises:
        InputError: As ``probe``.
    """
    return geometry.shown_size(probe(path))


def side_data_of(frame: VideoFrame) -> dict[str, bytes]:
    """The side data of a frame by type name."""
    # By number: before version 19 iterating over the container is broken.
    found: Any = frame.side_data
    entries = (found[i] for i in range(len(found)))
    return {entry.type.name: bytes(entry) for entry in entries}


def _first_frame(container: InputContainer, stream: VideoStream, path: Path) -> VideoFrame:
    """The first picture that decodes; damaged packets before it are passed over."""
    decoder = make_decoder(stream)
    try:
        for number, packet in enumerate(container.demux(stream)):
            try:
                frames = decoder.decode(packet if packet.size else None)
            except (av.FFmpegError, EOFError):
                continue
            if frames:
                return frames[0]  # type: ignore[no-any-return]
            if number > MAX_FIRST_PACKETS:
                break
    except av.FFmpegError:
        pass
    raise InputError(
        f"no picture of `{path}` can be decoded",
        hint="the file is damaged; get it again or convert it first",
    )


def held_layout(frame: VideoFrame, path: Path) -> tuple[PixelLayout, list[str]]:
    """The layout that frames are given in, and what is to be said about it."""
    name = frame.format.name
    try:
        held, exact = held_format(name)
    except KeyError:
        raise InputError(
            f"`{path}` has the pixel format `{name}`, which cannot be used",
            hint="convert it to yuv420p or rgb24 first",
        ) from None
    layout = layout_of(held)
    assert layout is not None
    if held == name:
        return layout, []
    how = "exactly" if exact else "with rounding"
    return layout, [f"the pixel format `{name}` is converted to `{held}`, {how}"]


def _describe(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    frame: VideoFrame,
    layout: PixelLayout,
    notes: list[str],
) -> VideoInfo:
    size = Size(frame.height, frame.width)
    context = stream.codec_context
    tags = (
        int(frame.colorspace),
        int(frame.color_range),
        int(frame.color_primaries),
        int(frame.color_trc),
    )
    colour, colour_note = colour_of(layout, size, tags)
    side_data = side_data_of(frame)
    orientation, is_exact = orientation_of(side_data.get("DISPLAYMATRIX"))
    notes += [note for note in (colour_note, _rotation_note(orientation, is_exact)) if note]
    lost = {what for name, what in LOST_ON_ENCODING.items() if name in side_data}
    notes += [f"{what} cannot be written again and will be lost" for what in sorted(lost)]
    rate = next(iter(_rates(stream)), DEFAULT_RATE)
    return VideoInfo(
        path=path,
        container=container.format.name,
        stream_index=stream.index,
        codec=context.codec.canonical_name,
        profile=context.profile,
        layout=layout,
        size=size,
        sample_aspect=fraction(stream.sample_aspect_ratio) or Fraction(1),
        orientation=orientation,
        colour=colour,
        time_base=fraction(stream.time_base) or Fraction(1, 1000),
        rate=rate,
        num_frames_hint=stream.frames or _frames_by_duration(container, stream, rate),
        duration_s=_duration(container, stream),
        interlaced=bool(frame.interlaced_frame) or _fields(context) is not None,
        top_field_first=bool(_fields(context)),
        alpha_in_side_stream=has_side_alpha(stream),
        hdr=hdr_of(side_data),
        timecode=_timecode(container),
        others=tuple(_other(s) for s in container.streams if s.index != stream.index),
        num_chapters=len(container.chapters()),
        warnings=tuple(notes),
    )


def _fields(context: Any) -> bool | None:
    """Whether the top field comes first; None where the picture is not made of fields."""
    if context.field_order in TOP_FIELD_FIRST:
        return True
    return False if context.field_order in BOTTOM_FIELD_FIRST else None


def _rotation_note(orientation: Orientation, is_exact: bool) -> str | None:  # noqa: FBT001
    if is_exact:
        return None
    return f"the rotation is not a quarter turn; {orientation.clockwise} degrees are used"


def _rates(stream: VideoStream) -> Iterator[Fraction]:
    """Plausible frame rates, the best first."""
    for value in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        rate = fraction(value)
        if rate is not None and 0 < rate <= 1000:
            yield rate


def _duration(container: InputContainer, stream: Stream) -> float | None:
    base = fraction(stream.time_base)
    if stream.duration and base:
        return float(stream.duration * base)
    return container.duration / 1e6 if container.duration else None


def _frames_by_duration(container: InputContainer, stream: VideoStream, rate: Fraction) -> int:
    seconds = _duration(container, stream)
    return round(seconds * rate) if seconds else 0


def _timecode(container: InputContainer) -> str | None:
    """The start timecode, wherever the container keeps it."""
    places = [s.metadata for s in container.streams if s.type in ("video", "data")]
    for tags in [*places, container.metadata]:
        for key, value in tags.items():
            if key.lower() == "timecode":
                return value
    return None


def _other(stream: Stream) -> StreamInfo:
    context = stream.codec_context
    codec = context.codec.canonical_name if context is not None else getattr(stream, "name", None)
    return StreamInfo(
        index=stream.index,
        kind=stream.type,
        codec=codec or "unknown",
        language=stream.metadata.get("language"),
        title=stream.metadata.get("title"),
    )
