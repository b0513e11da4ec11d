"""What a user should know about how the output differs from the source."""

from collections.abc import Iterator

from remover.types import PixelLayout, VideoInfo
from remover.video.codecs import Encoder, encoders_of
from remover.video.containers import TIMECODED, keeps_aspect

HDR_ENCODERS = frozenset({"libx264", "libx265", "libsvtav1"})


def codec_notes(info: VideoInfo, encoder: Encoder, codec: str | None, muxer: str) -> Iterator[str]:
    """That the codec is another one, unless the user asked for it."""
    if codec is not None or encoder.codec == info.codec or info.pictures:
        return
    has_encoder = bool(encoders_of(info.codec))
    why = f"cannot be written to {muxer} as it is" if has_encoder else "has no encoder here"
    yield f"the source's codec `{info.codec}` {why}; the output is `{encoder.codec}`"


def format_notes(info: VideoInfo, pixel_format: str, layout: PixelLayout) -> Iterator[str]:
    """That the samples are stored in another format, and what that costs."""
    source = info.layout
    if pixel_format == source.name or (pixel_format == "pal8" and info.codec == "gif"):
        return
    if source == layout:  # the encoder takes the same samples under another name
        return
    losses = []
    if source.has_alpha and not layout.has_alpha:
        losses.append("transparency is lost")
    if source.is_float:
        losses.append("floats are reduced to sRGB: light below 0 and above 1 is cut off")
    elif layout.bit_depth < source.bit_depth:
        losses.append(f"{source.bit_depth} bits become {layout.bit_depth}")
    if pixel_format == "pal8":
        losses.append("each frame has at most 255 colours")
    elif _is_coarser(source, layout):
        losses.append("colour resolution is lost")
    text = f" ({', '.join(losses)})" if losses else ""
    yield f"the pixel format `{source.name}` becomes `{pixel_format}`{text}"


def _is_coarser(source: PixelLayout, target: PixelLayout) -> bool:
    return source.family != "gray" and (
        target.chroma_shift_y > source.chroma_shift_y
        or target.chroma_shift_x > source.chroma_shift_x
        or target.family == "gray"
    )


def feature_notes(
    info: VideoInfo, encoder: Encoder, muxer: str, *, is_pipe: bool = False
) -> Iterator[str]:
    """What else of the source the output cannot keep.

    Args:
        info: The source.
        encoder: What writes the pictures.
        muxer: FFmpeg's name of the container.
        is_pipe: Whether it goes to a pipe, where a header cannot be put right at the end.
    """
    if info.interlaced and not encoder.keeps_fields:
        yield f"`{encoder.codec}` codes interlaced pictures as if they were progressive"
    if info.hdr and encoder.name not in HDR_ENCODERS:
        yield f"`{encoder.name}` cannot write the HDR10 metadata"
    if info.timecode and muxer not in TIMECODED:
        yield f"{muxer} cannot keep the timecode `{info.timecode}`"
    if muxer == "avi" and info.container != "avi":
        yield "AVI keeps no presentation times: frames are put on a grid of the frame rate"
    if muxer == "gif" and info.time_base.denominator != 100:
        yield "GIF keeps times in steps of 10 ms"
    if info.sample_aspect != 1 and not keeps_aspect(muxer, encoder.codec, is_pipe=is_pipe):
        what = f"the sample aspect ratio {info.sample_aspect}"
        where = f"{muxer} through a pipe" if is_pipe else muxer
        yield f"`{encoder.codec}` in {where} cannot keep {what}"
    if info.num_chapters and muxer in ("gif", "avi", "mpegts", "flv", "webm"):
        yield f"{muxer} cannot keep the {info.num_chapters} chapters"
