"""What the media libraries of this install are, and which encoders they can open."""

import contextlib
from fractions import Fraction

import av
from av.codec import Codec, CodecContext
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext

ENCODERS = {
    "libx264": "yuv420p",
    "libx265": "yuv420p",
    "libsvtav1": "yuv420p",
    "libvpx-vp9": "yuv420p",
    "libvpx": "yuv420p",
    "prores_ks": "yuv422p10le",
    "ffv1": "yuv420p",
    "mpeg4": "yuv420p",
    "mpeg2video": "yuv420p",
    "mjpeg": "yuvj420p",
    "gif": "rgb8",
}
"""Encoders worth naming, each with a pixel format that it takes."""

_QUIET = {"libx265": {"x265-params": "log-level=none"}}


def library_versions() -> dict[str, str]:
    """Versions of PyAV and of the FFmpeg libraries in it."""
    found = {"av": av.__version__}
    for name, version in av.library_versions.items():
        found[name] = ".".join(str(part) for part in version)
    return found


def usable_encoders() -> dict[str, bool]:
    """For each encoder worth naming, whether it opens here."""
    return {name: _opens(name, pixel_format) for name, pixel_format in ENCODERS.items()}


def _opens(name: str, pixel_format: str) -> bool:
    try:
        Codec(name, "w")
    except ValueError:  # what an unknown codec is to PyAV
        return False
    context = CodecContext.create(name, "w")
    if not isinstance(context, VideoCodecContext):
        return False
    context.width, context.height = 256, 144
    context.pix_fmt = pixel_format
    context.time_base = Fraction(1, 25)
    context.framerate = Fraction(25)
    context.options = _QUIET.get(name, {})
    with contextlib.suppress(FFmpegError, ValueError):
        context.open()
        return True
    return False
