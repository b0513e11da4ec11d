"""The encoders that can be used: quality scales, lossless modes, what each is able to keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import av

from remover.types import PixelLayout, VideoInfo
from remover.video.layouts import held_format, layout_of

THREADS = 4
"""Threads of every encoder: a constant, since some encoders' output depends on it."""

QUANTISER_UNIT = 118
"""FFmpeg counts quality in 1/118 of a quantiser step (FF_QP2LAMBDA)."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """An encoder and how it is driven."""

    name: str
    codec: str
    """FFmpeg's name of what it writes."""
    scale: Literal["crf", "qscale", "none"] = "none"
    """How quality is set: a rate factor, a fixed quantiser, or not at all."""
    quality: int = 0
    """Default, chosen so that a change is not seen when frames are compared by eye."""
    lowest: int = 0
    highest: int = 0
    options: Mapping[str, str] = field(default_factory=dict)
    lossless: Mapping[str, str] | None = None
    """Options of its lossless mode; empty if it is always lossless, None if it has none."""
    keeps_fields: bool = False
    """Whether it codes interlaced pictures as fields (or codes samples alone)."""
    counts_frames: bool = False
    """Whether it only takes frame numbers at a constant rate as times."""


ENCODERS: tuple[Encoder, ...] = (
    Encoder(
        "libx264", "h264", "crf", 16, 0, 51, {"preset": "medium"}, {"qp": "0"}, keeps_fields=True
    ),
    Encoder("libx264rgb", "h264", "crf", 14, 0, 51, {"preset": "medium"}, {"qp": "0"}),
    Encoder("libx265", "hevc", "crf", 16, 0, 51, {"preset": "medium"}, {}),
    Encoder("libsvtav1", "av1", "crf", 18, 1, 63, {"preset": "6"}),
    Encoder(
        "libvpx-vp9",
        "vp9",
        "crf",
        16,
        0,
        63,
        {"deadline": "good", "cpu-used": "3", "row-mt": "1"},
        {"lossless": "1"},
    ),
    Encoder("libvpx", "vp8", "crf", 6, 4, 63, {"deadline": "good", "cpu-used": "2", "b": "40M"}),
    Encoder("prores_ks", "prores", keeps_fields=True),
    Encoder(
        "ffv1",
        "ffv1",
        options={"level": "3", "g": "1", "slices": "4", "slicecrc": "1"},
        lossless={},
        keeps_fields=True,
    ),
    Encoder("mpeg4", "mpeg4", "qscale", 2, 1, 31, counts_frames=True, keeps_fields=True),
    Encoder(
        "mpeg2video",
        "mpeg2video",
        "qscale",
        2,
        1,
        31,
        {"g": "15", "dc": "10"},
        counts_frames=True,
        keeps_fields=True,
    ),
    Encoder("mpeg1video", "mpeg1video", "qscale", 2, 1, 31, counts_frames=True),
    Encoder("mjpeg", "mjpeg", "qscale", 2, 1, 31, {"strict": "unofficial"}, keeps_fields=True),
    Encoder("gif", "gif"),
    Encoder("dnxhd", "dnxhd"),
    Encoder("qtrle", "qtrle", lossless={}, keeps_fields=True),
    Encoder("png", "png", lossless={}, keeps_fields=True),
    Encoder("huffyuv", "huffyuv", lossless={}, keeps_fields=True),
    Encoder("ffvhuff", "ffvhuff", lossless={}, keeps_fields=True),
    Encoder("utvideo", "utvideo", lossless={}, keeps_fields=True),
    Encoder("magicyuv", "magicyuv", lossless={}, keeps_fields=True),
    Encoder("tiff", "tiff", options={"compression_algo": "deflate"}, lossless={}),
    Encoder("dpx", "dpx", lossless={}),
    Encoder("exr", "exr", lossless={}),
    Encoder("rawvideo", "rawvideo", lossless={}, keeps_fields=True),
)

BY_NAME = {encoder.name: encoder for encoder in ENCODERS}

ALIASES = {"h265": "hevc", "x264": "libx264", "x265": "libx265", "mpeg2": "mpeg2video"}
"""Other names that people use."""

PALETTE = PixelLayout("pal8", "rgb", 8, planar=False, order=(2, 1, 0, 3), has_alpha=True)
"""What a GIF stores; only ever an output format."""

Y4M_FORMATS = (
    *("gray", "gray9le", "gray10le", "gray12le", "gray16le"),
    *("yuv420p", "yuv420p9le", "yuv420p10le", "yuv420p12le", "yuv420p14le", "yuv420p16le"),
    *("yuv422p", "yuv422p9le", "yuv422p10le", "yuv422p12le", "yuv422p14le", "yuv422p16le"),
    *("yuv444p", "yuv444p9le", "yuv444p10le", "yuv444p12le", "yuv444p14le", "yuv444p16le"),
    "yuv411p",
)
"""What a Y4M file can hold."""

EXR_FORMATS = {
    **{name: name for name in ("gbrpf32le", "gbrapf32le", "grayf32le")},
    "gbrpf16le": "gbrpf32le",
    "gbrapf16le": "gbrapf32le",
    "grayf16le": "grayf32le",
}
"""What an OpenEXR file stores, and in which format its encoder is given that."""

EXR_COMPRESSIONS = {"none": "none", "RLE": "rle", "ZIPS": "zip1"}
"""The encoder's names; what it does not have becomes ``zip16``. All are without loss."""

PRORES_PROFILES = {
    "Proxy": "proxy",
    "LT": "lt",
    "Standard": "standard",
    "HQ": "hq",
    "4444": "4444",
    "XQ": "4444xq",
}


def encoders_of(name: str) -> tuple[Encoder, ...]:
    """The encoders that ``name`` (a codec, an encoder or an alias) means; empty if unknown."""
    wanted = ALIASES.get(name.lower(), name.lower())
    if wanted in BY_NAME and BY_NAME[wanted].codec != wanted:
        return (BY_NAME[wanted],)
    return tuple(encoder for encoder in ENCODERS if encoder.codec == wanted)


@cache
def is_present(name: str) -> bool:
    """Whether this build of the library has the encoder ``name``."""
    try:
        av.Codec(name, "w")
    except (ValueError, av.FFmpegError):
        return False
    return True


def pixel_formats(encoder: Encoder, source: PixelLayout) -> list[tuple[str, PixelLayout]]:
    """Pixel formats that ``encoder`` takes, the one nearest to ``source`` first."""
    if encoder.name == "gif":
        return [("pal8", PALETTE)]
    if encoder.name == "exr":
        return _float_formats(source)
    found = []
    formats = av.Codec(encoder.name, "w").video_formats or ()
    if encoder.name == "rawvideo":  # takes any, but Y4M does not
        formats = [av.VideoFormat(name) for name in Y4M_FORMATS]
    for pixel_format in formats:
        try:
            held, _ = held_format(pixel_format.name)
        except KeyError:
            continue
        layout = layout_of(held)
        is_plain = held == pixel_format.name or held == f"{pixel_format.name[:-2]}le"
        if layout is None or layout.is_float:  # floats in videos are experimental
            continue
        if is_plain and not (layout.has_alpha and encoder.name == "libx265"):
            found.append((pixel_format.name, layout))
    return sorted(found, key=lambda entry: _distance(source, *entry))


def _float_formats(source: PixelLayout) -> list[tuple[str, PixelLayout]]:
    """The same floats as ``source`` has; there is no way from integers to light."""
    if source.name not in EXR_FORMATS:
        return []
    return [(EXR_FORMATS[source.name], source)]


def loses(source: PixelLayout, target: PixelLayout) -> bool:
    """Whether ``target`` has less alpha, depth or chroma than ``source``, or fewer colours."""
    return any(losses(source, target)) or target.name == "pal8" != source.name


def losses(source: PixelLayout, target: PixelLayout) -> tuple[int, int, int]:
    """Whether alpha is lost, how many bits, and how many halvings of chroma."""
    chroma = 0
    if source.family != "gray":
        chroma += max(0, target.chroma_shift_y - source.chroma_shift_y)
        chroma += max(0, target.chroma_shift_x - source.chroma_shift_x)
        chroma += 4 if target.family == "gray" else 0
    return (
        int(source.has_alpha and not target.has_alpha),
        max(0, source.bit_depth - target.bit_depth),
        chroma,
    )


def _distance(source: PixelLayout, name: str, target: PixelLayout) -> tuple[int, ...]:
    """How far a format is from the source's: what is lost first, then what is wasted."""
    if name == source.name:
        return (-1,)
    return (
        *losses(source, target),
        int(source.family != target.family) + int(source.family == "rgb" and name != target.name),
        int(target.has_alpha and not source.has_alpha),
        target.bit_depth - source.bit_depth,
        source.chroma_shift_y
        + source.chroma_shift_x
        - target.chroma_shift_y
        - target.chroma_shift_x,
        int(name.startswith("yuvj") != source.name.startswith("yuvj")),
        int(name != target.name),
    )


def options_for(
    encoder: Encoder,
    layout: PixelLayout,
    info: VideoInfo,
    quality: int | None,
    *,
    lossless: bool,
    b_frames: bool,
) -> dict[str, str]:
    """The encoder's options, as FFmpeg spells them.

    Args:
        encoder: Which.
        layout: Of the pictures that it gets.
        info: The source.
        quality: A value on the encoder's own scale, or None for the default.
        lossless: Use its lossless mode.
        b_frames: Whether pictures may be stored out of order.
    """
    options = dict(encoder.options)
    flags = ["bitexact"]
    if lossless:
        options |= encoder.lossless or {}
    elif encoder.scale == "crf":
        options["crf"] = str(encoder.quality if quality is None else quality)
    elif encoder.scale == "qscale":
        flags.append("qscale")
        level = encoder.quality if quality is None else quality
        options["global_quality"] = str(level * QUANTISER_UNIT)
    if info.interlaced and encoder.name in ("libx264", "mpeg2video", "mpeg4", "prores_ks"):
        flags += ["ildct"] if encoder.name == "prores_ks" else ["ildct", "ilme"]
    if not b_frames and encoder.name in ("libx264", "libx264rgb", "libx265", "mpeg4"):
        options["bf"] = "0"
    options["flags"] = "".join(f"+{flag}" for flag in flags)
    options |= _special_options(encoder, layout, info, lossless=lossless)
    return options


def _special_options(
    encoder: Encoder, layout: PixelLayout, info: VideoInfo, *, lossless: bool
) -> dict[str, str]:
    """What only one encoder has."""
    match encoder.name:
        case "libx264" | "libx264rgb":
            return _x264(info)
        case "libx265":
            return {"x265-params": _x265(info, lossless=lossless)}
        case "libsvtav1":
            return {"svtav1-params": _svt(info)}
        case "libvpx" | "libvpx-vp9" if layout.has_alpha:
            return {"auto-alt-ref": "0"}
        case "prores_ks":
            return _prores(layout, info)
        case "dnxhd":
            deep = "dnxhr_444" if layout.chroma_shift_x == 0 else "dnxhr_hqx"
            return {"profile": "dnxhr_hq" if layout.bit_depth == 8 else deep}
        case "exr":
            return {
                "format": "half" if layout.bit_depth == 16 else "float",
                "compression": EXR_COMPRESSIONS.get(info.profile or "", "zip16"),
            }
    return {}


def _x264(info: VideoInfo) -> dict[str, str]:
    # With its macroblock tree, x264 does not always give the same bytes on a busy machine.
    parts = ["mbtree=0"]
    if info.interlaced:
        parts.append(("tff" if info.top_field_first else "bff") + "=1")
    if "master-display" in info.hdr:
        parts.append(f"mastering-display={info.hdr['master-display']}")
    if "max-cll" in info.hdr:
        parts.append(f"cll={info.hdr['max-cll']}")
    return {"x264-params": ":".join(parts)}


def _x265(info: VideoInfo, *, lossless: bool) -> str:
    parts = ["log-level=none", f"pools={THREADS}", "frame-threads=2"]
    if lossless:
        parts.append("lossless=1")
    if info.hdr:
        parts += ["hdr10=1", "hdr10-opt=1", "repeat-headers=1"]
        parts += [f"{key}={value}" for key, value in info.hdr.items()]
    return ":".join(parts)


def _svt(info: VideoInfo) -> str:
    parts = [f"lp={THREADS}"]
    if "master-display" in info.hdr:
        parts.append(f"mastering-display={_in_units(info.hdr['master-display'])}")
    if "max-cll" in info.hdr:
        parts.append(f"content-light={info.hdr['max-cll']}")
    return ":".join(parts)


def _in_units(master_display: str) -> str:
    """x265's integers as SVT-AV1 wants them: chromaticities and cd/m² in decimals."""
    parts = []
    for part in master_display.split(")")[:-1]:
        name, numbers = part.split("(")
        unit = 10000 if name == "L" else 50000
        values = ",".join(f"{int(number) / unit:.4f}" for number in numbers.split(","))
        parts.append(f"{name}({values})")
    return "".join(parts)


def _prores(layout: PixelLayout, info: VideoInfo) -> dict[str, str]:
    profile = PRORES_PROFILES.get(info.profile or "", "") if info.codec == "prores" else ""
    is_444 = layout.chroma_shift_x == 0
    if not profile or is_444 != profile.startswith("4444"):
        profile = "4444" if is_444 else "hq"
    options = {"profile": profile, "vendor": "apl0"}
    return options | ({"alpha_bits": "16"} if layout.has_alpha else {})
