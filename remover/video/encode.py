"""Choosing how the output is written: container, encoder, pixel format, options, streams."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from remover.errors import OutputError, UsageError
from remover.types import Orientation, PixelLayout, VideoInfo
from remover.video.codecs import (
    BY_NAME,
    THREADS,
    Encoder,
    encoders_of,
    is_present,
    loses,
    losses,
    options_for,
    pixel_formats,
)
from remover.video.containers import (
    DEFAULT_FALLBACKS,
    FALLBACKS,
    MIRRORING,
    PICTURES_ONLY,
    REORDERING,
    SEQUENCE,
    SIDE_ALPHA,
    TURNING,
    StreamPlan,
    mux_options,
    muxer_of,
    plan_streams,
    takes_encoder,
)
from remover.video.facts import RANGE_FULL, RANGE_LIMITED
from remover.video.floats import TRANSFER_SRGB
from remover.video.notes import codec_notes, feature_notes, format_notes
from remover.video.pipe import Pipe, Target
from remover.video.sources import open_input
from remover.video.stills import CODECS, is_pattern_name, is_pictures_target

MAX_CLOCK = 65535
"""Largest denominator of a frame rate that MPEG-4 can write."""

BT601 = 5
"""The matrix that pictures get which had none (R'G'B') and need one."""


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """How an output video will be written; made before the expensive work."""

    container: str
    """FFmpeg's muxer name."""
    encoder: str
    codec: str
    pixel_format: str
    """What the encoder is given."""
    layout: PixelLayout
    """How that lies in memory."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Encoder options as FFmpeg spells them."""
    container_options: Mapping[str, str] = field(default_factory=dict)
    threads: int = THREADS
    lossless: bool = False
    converts: bool = False
    """Whether the pixel format differs from the source's."""
    streams: tuple[StreamPlan, ...] = ()
    """What happens to the other streams."""
    warnings: tuple[str, ...] = ()
    is_sequence: bool = False
    """Whether every picture is a file of its own."""


def plan_output(
    info: VideoInfo,
    path: Target,
    *,
    codec: str | None,
    crf: int | None,
    lossless: bool,
    container: str | None = None,
) -> OutputPlan:
    """Decide how to write a cleaned ``info`` to ``path``.

    Args:
        info: The source.
        path: The output's final name, whose suffix names the container, or a pipe, which gets
            Matroska unless ``container`` says otherwise. A pattern, or a folder for a source
            that is a sequence itself, means an image sequence.
        codec: A codec (``h264``, ``prores`` ...) or an encoder; None keeps the source's.
        crf: Quality on the encoder's own scale, lower is better; None is the default.
        lossless: Store every sample exactly.
        container: A suffix or muxer to use in place of the path's suffix; never a sequence.

    Raises:
        OutputError: The container is unknown or cannot hold what is asked.
        UsageError: The codec is unknown, or the quality out of its range.
    """
    if (
        isinstance(path, Path)
        and container is None
        and is_pictures_target(path, from_pictures=bool(info.pictures))
    ):
        return _plan_pictures(info, path, codec, crf, lossless=lossless)
    muxer = muxer_of(path, container)
    _check_turning(info, muxer)
    encoder, pixel_format, layout = _choose(info, muxer, codec, lossless=lossless)
    options = options_for(
        encoder,
        layout,
        info,
        _checked_quality(encoder, crf, lossless=lossless),
        lossless=lossless,
        b_frames=muxer in REORDERING,
    )
    with open_input(info.head) as source:
        streams = plan_streams(source, info.stream_index, muxer)
    notes = [
        *codec_notes(info, encoder, codec, muxer),
        *format_notes(info, pixel_format, layout),
        *feature_notes(info, encoder, muxer, is_pipe=isinstance(path, Pipe)),
        *(message for s in streams if (message := s.message(muxer))),
    ]
    return OutputPlan(
        container=muxer,
        encoder=encoder.name,
        codec=encoder.codec,
        pixel_format=pixel_format,
        layout=layout,
        options=options,
        container_options=mux_options(muxer, path) | _loop(info, muxer),
        lossless=lossless,
        converts=pixel_format != info.layout.name,
        streams=streams,
        warnings=tuple(notes),
    )


def _plan_pictures(
    info: VideoInfo, path: Path, codec: str | None, crf: int | None, *, lossless: bool
) -> OutputPlan:
    """How to write every picture of ``info`` as a file of its own."""
    name = CODECS[path.suffix.lower()] if is_pattern_name(path) else info.codec
    (encoder,) = encoders_of(name)
    if name == "exr" and not info.layout.is_float:
        raise OutputError(
            f"`{path.name}` is for linear floats, and `{info.path.name}` has `{info.layout.name}`",
            hint="write integers: -o out/%05d.tif",
        )
    if codec is not None and encoder not in encoders_of(codec):
        raise UsageError(
            f"`--codec {codec}` does not fit `{path.name}`, which is written as `{name}`",
            hint="leave `--codec` out: the suffix of the pictures names their codec",
        )
    found = None
    if not lossless or encoder.lossless is not None:
        found = _first_that_opens(encoder, info, SEQUENCE, lossless=lossless)
    if found is None:
        raise _not_lossless(info, SEQUENCE, name)
    pixel_format, layout = found
    quality = _checked_quality(encoder, crf, lossless=lossless)
    options = options_for(encoder, layout, info, quality, lossless=lossless, b_frames=False)
    with open_input(info.head) as source:
        streams = plan_streams(source, info.stream_index, SEQUENCE)
    notes = [
        *format_notes(info, pixel_format, layout),
        *(message for s in streams if (message := s.message("an image sequence"))),
    ]
    if info.orientation != Orientation() or (info.sample_aspect != 1 and name != "exr"):
        notes.append("pictures cannot say how they are shown: they are written as they are coded")
    return OutputPlan(
        container=SEQUENCE,
        encoder=encoder.name,
        codec=encoder.codec,
        pixel_format=pixel_format,
        layout=layout,
        options=options,
        lossless=lossless,
        converts=pixel_format != info.layout.name,
        streams=streams,
        warnings=tuple(notes),
        is_sequence=True,
    )


def encoder_clock(encoder: str, info: VideoInfo, time_base: Fraction) -> tuple[Fraction, Fraction]:
    """The frame rate and the time base that ``encoder`` is opened with."""
    rate = info.rate
    if rate.numerator > MAX_CLOCK or rate.denominator > MAX_CLOCK:
        rate = rate.limit_denominator(1001)
    if BY_NAME[encoder].counts_frames:
        return rate, 1 / rate
    return rate, time_base


def make_encoder(plan: OutputPlan, info: VideoInfo) -> Any:
    """An encoder set up as planned but not opened."""
    context: Any = av.CodecContext.create(plan.encoder, "w")
    configure(context, plan, info)
    return context


def configure(context: Any, plan: OutputPlan, info: VideoInfo) -> None:
    """Set everything about the picture on an encoder that is not open yet."""
    context.width, context.height = info.size.width, info.size.height
    context.pix_fmt = plan.pixel_format
    rate, clock = encoder_clock(plan.encoder, info, info.time_base)
    context.framerate, context.time_base = rate, clock
    context.options = dict(plan.options)
    context.thread_count = plan.threads
    if info.sample_aspect != 1:
        context.sample_aspect_ratio = info.sample_aspect
    space, level, primaries, transfer = info.colour.tags
    if plan.layout.family == "yuv" and info.layout.family != "rgb":
        context.colorspace = space
        context.color_range = RANGE_FULL if info.colour.full_range else level
    elif plan.layout.family == "yuv":
        context.colorspace, context.color_range = BT601, RANGE_LIMITED
    else:
        context.color_range = level
    if info.layout.is_float and not plan.layout.is_float:
        transfer = TRANSFER_SRGB
    context.color_primaries, context.color_trc = primaries, transfer
    if info.interlaced:
        context.field_order = 2 if info.top_field_first else 3
    if plan.codec == "hevc" and plan.container in ("mp4", "mov"):
        # Apple's players refuse the other tag, hev1.
        context.codec_tag = "hvc1"


def _check_turning(info: VideoInfo, muxer: str) -> None:
    turned = info.orientation
    if turned.hflip and muxer not in MIRRORING:
        raise OutputError(
            f"{muxer} cannot say that `{info.path.name}` is shown mirrored",
            hint="write to .mp4 or .mov",
        )
    if turned != Orientation() and muxer not in TURNING:
        raise OutputError(
            f"{muxer} cannot say that `{info.path.name}` is shown turned by "
            f"{turned.clockwise} degrees",
            hint="write to .mp4, .mov or .mkv",
        )


def _choose(
    info: VideoInfo, muxer: str, codec: str | None, *, lossless: bool
) -> tuple[Encoder, str, PixelLayout]:
    """The encoder and pixel format that keep the most and that really open.

    Raises:
        OutputError: None does.
        UsageError: The asked codec is unknown.
    """
    found = []
    for encoder in _candidates(info, muxer, codec, lossless=lossless):
        if not is_present(encoder.name) or not takes_encoder(muxer, encoder.name, encoder.codec):
            continue
        if lossless and encoder.lossless is None:
            continue
        choice = _first_that_opens(encoder, info, muxer, lossless=lossless)
        if choice is None:
            continue
        is_kept = encoder.codec == info.codec and _is_close(info.layout, choice[1])
        if codec is not None or is_kept or not loses(info.layout, choice[1]):
            return encoder, *choice
        found.append((encoder, *choice))
    if found:
        return min(found, key=lambda choice: losses(info.layout, choice[2]))
    if lossless:
        raise _not_lossless(info, muxer, codec)
    wanted = f"`{codec}`" if codec else "any video codec"
    raise OutputError(
        f"{muxer} cannot hold {wanted} at {info.size} here",
        hint="write H.264 to .mp4 or .mkv: `--codec h264`",
    )


def _candidates(
    info: VideoInfo, muxer: str, codec: str | None, *, lossless: bool
) -> Iterator[Encoder]:
    """Encoders to try, the best first; without loss only the source's codec if it fits."""
    if codec is not None:
        found = encoders_of(codec)
        if not found:
            known = ", ".join(dict.fromkeys(e.codec for e in BY_NAME.values()))
            raise UsageError(
                f"`--codec {codec}` is no codec that can be written",
                hint=f"use one of {known}, or the name of one of their encoders",
            )
        yield from _by_family(found, info)
        return
    # Pictures name their own codec, not the one of a video that is made of them.
    own = _by_family(() if info.pictures else encoders_of(info.codec), info)
    yield from own
    if lossless and any(takes_encoder(muxer, e.name, e.codec) for e in own):
        return
    for name in FALLBACKS.get(muxer, DEFAULT_FALLBACKS):
        if name != info.codec:
            yield from _by_family(encoders_of(name), info)


def _by_family(encoders: tuple[Encoder, ...], info: VideoInfo) -> list[Encoder]:
    """RGB H.264 plays in few places: only for sources that have it already, then first."""
    is_rgb_h264 = info.codec == "h264" and info.layout.family == "rgb"
    if len(encoders) < 2:
        return list(encoders)
    rgb = [e for e in encoders if e.name == "libx264rgb"]
    others = [e for e in encoders if e.name != "libx264rgb"]
    return rgb + others if is_rgb_h264 else others


def _first_that_opens(
    encoder: Encoder, info: VideoInfo, muxer: str, *, lossless: bool
) -> tuple[str, PixelLayout] | None:
    """The nearest pixel format with which the encoder opens at the source's size."""
    for pixel_format, layout in pixel_formats(encoder, info.layout):
        if lossless and not _is_exact(info.layout, layout):
            continue
        if layout.has_alpha and encoder.codec in ("vp8", "vp9") and muxer not in SIDE_ALPHA:
            continue
        options = options_for(
            encoder, layout, info, None, lossless=lossless, b_frames=muxer in REORDERING
        )
        trial = OutputPlan(muxer, encoder.name, encoder.codec, pixel_format, layout, options)
        try:
            make_encoder(trial, info).open()
        except (ValueError, av.FFmpegError):
            continue
        return pixel_format, layout
    return None


def _is_exact(source: PixelLayout, target: PixelLayout) -> bool:
    """Whether the conversion between two formats changes no sample's value."""
    return (
        source.family == target.family
        and source.sample == target.sample
        and source.bit_depth == target.bit_depth
        and source.has_alpha == target.has_alpha
        and (source.chroma_shift_y, source.chroma_shift_x)
        == (target.chroma_shift_y, target.chroma_shift_x)
    )


def _is_close(source: PixelLayout, target: PixelLayout) -> bool:
    """Whether only depth beyond ten bits is lost: no reason to leave the source's codec."""
    alpha, _, chroma = losses(source, target)
    return not alpha and not chroma and target.bit_depth >= min(source.bit_depth, 10)


def _not_lossless(info: VideoInfo, muxer: str, codec: str | None) -> OutputError:
    what = f"`{codec}`" if codec else f"`{info.codec}`"
    if info.layout.is_float:
        return OutputError(
            f"floats cannot be stored in {PICTURES_ONLY.get(muxer, muxer)} without loss",
            hint="write OpenEXR pictures: -o out/%05d.exr",
        )
    return OutputError(
        f"{what} in {muxer} cannot store `{info.layout.name}` at {info.size} without loss",
        hint="write to .mkv with `--codec ffv1`, which is always lossless",
    )


def _checked_quality(encoder: Encoder, crf: int | None, *, lossless: bool) -> int | None:
    if crf is None:
        return None
    if lossless:
        raise UsageError(
            "`--crf` and `--lossless` exclude each other", hint="leave out one of them"
        )
    if encoder.scale == "none":
        raise UsageError(
            f"`--crf {crf}` has no meaning for `{encoder.name}`",
            hint="leave it out, or choose a codec with a quality scale: `--codec h264`",
        )
    if not encoder.lowest <= crf <= encoder.highest:
        raise UsageError(
            f"`--crf {crf}` is outside {encoder.lowest} to {encoder.highest}, "
            f"the range of `{encoder.name}`",
            hint=f"lower is better; the default is {encoder.quality}",
        )
    return crf


def _loop(info: VideoInfo, muxer: str) -> dict[str, str]:
    """How often a GIF made from a GIF repeats: as its source."""
    if muxer != "gif" or info.codec != "gif":
        return {}
    with info.path.open("rb") as file:
        head = file.read(4096)
    mark = head.find(b"NETSCAPE2.0\x03\x01")
    if mark < 0:
        return {"loop": "-1"}
    return {"loop": str(int.from_bytes(head[mark + 13 : mark + 15], "little"))}
