"""Output containers: names, what each is able to keep, and which streams it takes."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
from av.codec import CodecContext
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from remover.errors import OutputError
from remover.video.pipe import Pipe, Target
from remover.video.sources import is_picture_attached

MUXERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".qt": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".avi": "avi",
    ".ts": "mpegts",
    ".m2ts": "mpegts",
    ".mts": "mpegts",
    ".gif": "gif",
    ".nut": "nut",
    ".flv": "flv",
    ".y4m": "yuv4mpegpipe",
}
"""Suffixes that can be written, and FFmpeg's muxer for each."""

FALLBACKS = {
    "webm": ("vp9", "av1"),
    "gif": ("gif",),
    "avi": ("h264",),
    "flv": ("h264",),
    "yuv4mpegpipe": ("rawvideo",),
}
"""Codecs to write where the source's own cannot be, the best first."""

DEFAULT_FALLBACKS = ("h264", "hevc")

SIDE_ALPHA = frozenset({"matroska", "webm"})
"""Muxers that keep the alpha of VP8 and VP9, which lies beside the picture."""

TURNING = frozenset({"mp4", "mov", "matroska", "webm"})
"""Muxers that can say how a picture is turned."""

MIRRORING = frozenset({"mp4", "mov"})
"""Those of them that can also say that it is mirrored."""

REORDERING = frozenset({"mp4", "mov", "matroska", "webm", "mpegts", "nut", "flv"})
"""Muxers that keep presentation times, so that pictures may be stored out of order."""

SEQUENCE = "image2"
"""FFmpeg's name of numbered pictures, each a file of its own."""

PICTURES_ONLY = {SEQUENCE: "an image sequence", "yuv4mpegpipe": "Y4M"}
"""Outputs without any other stream, as they are called."""

STILL_OR_RAW = frozenset({"tiff", "dpx", "exr", "rawvideo"})
"""Codecs that only those are written with."""

FRAGMENTED = "+frag_keyframe+default_base_moof+delay_moov"
"""MP4 without seeking; the delay keeps the pictures at their times against the sound."""

MOV_FAMILY = frozenset({"mp4", "mov"})

ASPECT_CODECS = frozenset(["h264", "hevc", "mpeg4", "mpeg2video", "mjpeg", "png"])
"""Codecs that keep the sample aspect ratio themselves, whatever the container."""

EBML_MUXERS = frozenset({"matroska", "webm"})
"""Muxers that leave the sample aspect ratio out, so that it is put in afterwards."""

ASPECT_MUXERS = frozenset({"mp4", "mov"}) | EBML_MUXERS
"""Muxers that keep it for every codec."""

TIMECODED = frozenset({"mp4", "mov", "matroska", "nut"})
"""Muxers that keep a start timecode."""

COVERED = frozenset({"mp4", "matroska"})
"""Muxers that keep a cover picture apart from the moving one."""

COVER_FILES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}
"""Name and type of a cover picture that is stored as an attached file, by codec."""

MPEGTS_CODECS = frozenset(
    [
        "aac",
        "ac3",
        "eac3",
        "mp2",
        "mp3",
        "dts",
        "opus",
        "truehd",
        "aac_latm",
        "dvb_subtitle",
        "dvb_teletext",
        "hdmv_pgs_subtitle",
        "scte_35",
        "klv",
        "timed_id3",
    ]
)
"""What MPEG-TS can carry so that it is found again; its muxer accepts anything."""

PICTURE_CODECS = {
    "mp4": frozenset(["h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"]),
    "mov": frozenset(
        [
            "h264",
            "hevc",
            "prores",
            "mpeg4",
            "mpeg2video",
            "mpeg1video",
            "mjpeg",
            "dnxhd",
            "qtrle",
            "png",
            "magicyuv",
        ]
    ),
    "mpegts": frozenset(["h264", "hevc", "mpeg2video", "mpeg1video", "mpeg4"]),
    "avi": frozenset(
        [
            "h264",
            "ffv1",
            "mpeg4",
            "mpeg2video",
            "mpeg1video",
            "mjpeg",
            "png",
            "huffyuv",
            "ffvhuff",
            "utvideo",
            "magicyuv",
        ]
    ),
    "gif": frozenset({"gif"}),
    "yuv4mpegpipe": frozenset({"rawvideo"}),
    "nut": frozenset(
        ["h264", "hevc", "av1", "vp9", "vp8", "ffv1", "mpeg4", "mpeg2video", "mpeg1video", "mjpeg"]
    ),
}
"""The same for pictures, where a muxer accepts more than players find again."""

TEXT_SUBTITLES_TO_ASS = frozenset({"mov_text"})
"""Subtitles that Matroska has no place for but that can be written as ASS."""


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """What happens to one of the other streams."""

    index: int
    kind: str
    codec: str
    action: Literal["copy", "convert", "drop"]
    reason: str = ""

    def message(self, container: str) -> str | None:
        """What the user should know about it, if anything."""
        if self.action == "copy" or not self.reason:
            return None
        what = f"{self.kind} stream {self.index} (`{self.codec}`)"
        if self.action == "convert":
            return f"{what} {self.reason}"
        return f"{what} is left out: {self.reason or f'{container} cannot hold it'}"


def muxer_of(path: Target, container: str | None = None) -> str:
    """The muxer for an output path.

    Args:
        path: The output's final name, or a pipe (Matroska by default).
        container: A suffix without dot or a muxer's name, to use in place of the suffix.

    Raises:
        OutputError: The suffix is none that can be written.
    """
    if container is not None and container in MUXERS.values():
        return container
    if isinstance(path, Pipe):
        return muxer_of(Path(f"pipe.{container or 'mkv'}"))
    suffix = f".{container}" if container else path.suffix.lower()
    if suffix in MUXERS:
        return MUXERS[suffix]
    what = f"has the suffix `{suffix}`" if suffix else "has no suffix"
    raise OutputError(
        f"`{path.name}` {what}, which is no video format that can be written",
        hint=f"use one of {', '.join(MUXERS)}",
    )


def keeps_aspect(muxer: str, codec: str, *, is_pipe: bool = False) -> bool:
    """Whether the sample aspect ratio survives; Matroska's header cannot be changed in a pipe."""
    muxers = ASPECT_MUXERS - EBML_MUXERS if is_pipe else ASPECT_MUXERS
    return muxer in muxers or (codec in ASPECT_CODECS and muxer not in ("gif", "flv"))


def is_video_name(path: Path) -> bool:
    """Whether ``path`` is named as a video that can be written."""
    return path.suffix.lower() in MUXERS


def mux_options(muxer: str, path: Target) -> dict[str, str]:
    """Options of the muxer, bitexact so that nothing depends on when and where it runs."""
    options = {"fflags": "+bitexact"}
    if muxer == "mp4":
        options["movflags"] = FRAGMENTED if isinstance(path, Pipe) else "+faststart"
    if muxer == "yuv4mpegpipe":
        options["strict"] = "-1"  # depths above 8 bits, which every reader knows by now
    if muxer == "avi":
        # Moving everything by part of a frame would leave holes between the pictures.
        options["avoid_negative_ts"] = "disabled"
    if muxer == "mpegts" and isinstance(path, Path) and path.suffix.lower() in (".m2ts", ".mts"):
        options["mpegts_m2ts_mode"] = "1"
    return options


def takes_encoder(muxer: str, encoder: str, codec: str) -> bool:
    """Whether a container of this kind can hold what ``encoder`` writes (``codec``)."""
    if codec not in PICTURE_CODECS.get(muxer, {codec}):
        return False
    if codec in STILL_OR_RAW and muxer not in ("yuv4mpegpipe", SEQUENCE):
        return False
    with av.open(io.BytesIO(), "w", format=muxer) as trial:
        try:
            trial.add_stream(encoder, rate=25)
        except (ValueError, av.FFmpegError):
            return False
    return True


def plan_streams(source: InputContainer, main: int, muxer: str) -> tuple[StreamPlan, ...]:
    """What a container of kind ``muxer`` does with each stream but ``main``."""
    return tuple(_plan(stream, muxer) for stream in source.streams if stream.index != main)


def _plan(stream: Stream, muxer: str) -> StreamPlan:
    codec = codec_name(stream)
    kind = "cover picture" if is_cover(stream) else stream.type

    def planned(action: Literal["copy", "convert", "drop"], reason: str = "") -> StreamPlan:
        return StreamPlan(stream.index, kind, codec, action, reason)

    if stream.type == "data" and _is_structure(stream):
        return planned("drop")
    if stream.type == "unknown":
        return planned("drop", "its type is unknown")
    if muxer in (SEQUENCE, "yuv4mpegpipe"):
        return planned("drop", f"{PICTURES_ONLY[muxer]} holds pictures only")
    if muxer == "mpegts" and codec not in MPEGTS_CODECS:
        return planned("drop", f"{muxer} cannot hold `{codec}`")
    is_misplaced = is_cover(stream) and (
        muxer not in COVERED or (muxer == "matroska" and codec not in COVER_FILES)
    )
    is_misplaced = is_misplaced or (stream.type == "attachment" and muxer != "matroska")
    if not is_misplaced and _fits(stream, muxer):
        return planned("copy")
    if codec in TEXT_SUBTITLES_TO_ASS and muxer == "matroska":
        return planned("convert", "becomes ASS: matroska has no `mov_text`")
    return planned("drop", f"{muxer} cannot hold `{codec}`")


def codec_name(stream: Stream) -> str:
    """FFmpeg's name of a stream's codec."""
    context: CodecContext | None = stream.codec_context
    if context is not None:
        return context.codec.canonical_name
    name = (
        getattr(stream, "name", None) if stream.type == "data" else stream.metadata.get("mimetype")
    )
    return name or "unknown"


def is_cover(stream: Stream) -> bool:
    """Whether ``stream`` is a still picture that belongs to the file."""
    return stream.type == "video" and is_picture_attached(stream)


def _is_structure(stream: Stream) -> bool:
    """Whether a data stream is the MOV way to write chapters or a timecode.

    The muxer makes both anew from the chapters and the timecode tag.
    """
    tags = {key.lower() for key in stream.metadata}
    if "timecode" in tags:
        return True
    handler = stream.metadata.get("handler_name", "").lower()
    is_text = codec_name(stream) in ("bin_data", "unknown")
    has_chapters = bool(stream.container.chapters())
    return is_text and has_chapters and ("subtitle" in handler or "text" in handler or not handler)


def _fits(stream: Stream, muxer: str) -> bool:
    """Whether a container of this kind takes ``stream``, tried out in memory."""
    try:
        with av.open(io.BytesIO(), "w", format=muxer) as trial:
            copy_stream(trial, stream)
            trial.start_encoding()
    except (ValueError, av.FFmpegError):
        return False
    return True


STALE_TAGS = ("duration", "encoder", "number_of_frames", "number_of_bytes", "bps", "_statistics")
"""Stream tags that describe the old file rather than its content (by their beginning)."""

BRAND_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder")
"""File tags that do the same."""


def kept_stream_tags(stream: Stream) -> dict[str, str]:
    """The tags of a stream that still hold in another file."""
    return {k: v for k, v in stream.metadata.items() if not k.lower().startswith(STALE_TAGS)}


def kept_file_tags(source: InputContainer) -> dict[str, str]:
    """The tags of a file that still hold in another one."""
    return {k: v for k, v in source.metadata.items() if k.lower() not in BRAND_TAGS}


def copy_stream(target: OutputContainer, source: Stream) -> Stream:
    """Add a stream to ``target`` that takes the packets of ``source`` as they are."""
    context: CodecContext | None = source.codec_context
    if context is None and source.type in ("audio", "video", "subtitle"):
        raise ValueError("no decoder names this codec, so it cannot be described")
    added = target.add_stream_from_template(source, opaque=True)
    for key, value in kept_stream_tags(source).items():
        added.metadata[key] = value
    added.disposition = source.disposition
    return added


def copied(plans: tuple[StreamPlan, ...]) -> Iterator[StreamPlan]:
    """The streams whose packets are copied unchanged."""
    return (plan for plan in plans if plan.action == "copy")
