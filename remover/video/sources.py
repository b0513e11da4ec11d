"""Opening files for reading: errors in words, the main picture stream, the right decoder."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
from av.container import InputContainer
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from remover.errors import InputError

STILL_IMAGES = ("image2", "_pipe", "tty", "ico")
"""Demuxers of single pictures and of plain text drawn as a terminal."""

ALPHA_DECODERS = {"vp8": "libvpx", "vp9": "libvpx-vp9"}
"""Decoders that also read the alpha that WebM keeps beside the picture."""

MAX_READ_FAILURES = 32
"""Unreadable places in a row after which a file is taken to have ended."""

TOLERANT: dict[str, Any] = (
    {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}
)
"""Arguments of ``av.open`` that keep tags with foreign bytes as they are, where it has such."""


def fraction(value: Any, default: Fraction | None = None) -> Fraction | None:
    """A rational of the library as a ``Fraction``; ``default`` where it is unset (None or 0/1)."""
    return Fraction(value.numerator, value.denominator) if value else default


def locator(path: Path) -> str:
    """``path`` so that no part of it is taken for a protocol or for the standard streams."""
    return f"file:{path.absolute()}"


Version: TypeAlias = tuple[int, int, int]
"""What is another one once a file was changed: size, time of the change, place on the disk."""


def version_of(path: Path) -> Version | None:
    """Which version of a file there is; None if there is none."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_size, facts.st_mtime_ns, facts.st_ino


def changed(path: Path) -> InputError:
    """What is said of an input that is not the one that the run began with."""
    return InputError(
        f"`{path}` changed while the run was going on"
        if path.exists()
        else f"`{path}` was removed while the run was going on",
        hint="wait until nothing writes to it any more, then run again",
    )


@contextlib.contextmanager
def open_input(path: Path) -> Iterator[InputContainer]:
    """Open a media file for reading.

    Raises:
        InputError: It is missing, a folder, empty, unreadable or not a media file.
    """
    _check_file(path)
    try:
        container = av.open(locator(path), "r", **TOLERANT)
    except MemoryError:
        raise
    except (av.FFmpegError, ValueError) as error:
        raise _unreadable(path, error) from error
    with container:
        yield container


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise InputError(
                f"`{path}` is a folder, not a video", hint="name one video file inside it"
            )
        if not path.exists():
            raise InputError(
                f"`{path}` does not exist", hint="check the spelling and the folder you are in"
            )
        with path.open("rb") as file:
            if not file.read(1):
                raise InputError(
                    f"`{path}` is empty (0 bytes)", hint="copy or download the file again"
                )
    except OSError as error:
        raise InputError(
            f"`{path}` cannot be read: {error.strerror or error}", hint="check its permissions"
        ) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    """Why opening failed: an index that never got written, or no media at all."""
    with path.open("rb") as file:
        head = file.read(64)
    if head[4:8] in (b"ftyp", b"mdat", b"moov", b"wide", b"free", b"skip"):
        return InputError(
            f"`{path}` is cut off or damaged: its index is missing",
            hint="the recording or download did not finish; get the whole file again",
        )
    return InputError(
        f"`{path}` is not a video that can be read ({_reason(error)})",
        hint="give a video file such as .mp4, .mov, .mkv or .webm",
    )


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return str(text).splitlines()[0].lower()


def main_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first moving picture of ``container``.

    Raises:
        InputError: There is none, it is a still image, or no decoder knows it.
    """
    if any(mark in container.format.name for mark in STILL_IMAGES):
        raise InputError(
            f"`{path}` is a still image or a text, not a video",
            hint="give a video file such as .mp4, .mov, .mkv or .webm",
        )
    streams = [s for s in container.streams if s.type == "video" and not is_picture_attached(s)]
    if not streams:
        kinds = sorted({str(s.type) for s in container.streams}) or ["nothing"]
        raise InputError(
            f"`{path}` has no video stream, only {' and '.join(kinds)}",
            hint="give a file with moving pictures",
        )
    stream = streams[0]
    if not isinstance(stream, VideoStream) or stream.codec_context is None:
        raise InputError(
            f"the video in `{path}` is in a format that cannot be decoded here",
            hint="convert it to H.264 first",
        )
    return stream


def is_picture_attached(stream: Stream) -> bool:
    """Whether a video stream is cover art rather than moving pictures."""
    return bool(stream.disposition & (Disposition.attached_pic | Disposition.timed_thumbnails))


def has_side_alpha(stream: VideoStream) -> bool:
    """Whether alpha is kept beside the picture, as WebM does."""
    tags = {key.lower(): value for key, value in stream.metadata.items()}
    return tags.get("alpha_mode") == "1" and stream.codec_context.name in ALPHA_DECODERS


def make_decoder(stream: VideoStream, *, steady: bool = False) -> Any:
    """A decoder for the packets of ``stream``; the stream's own unless alpha needs another.

    Args:
        stream: Whose packets.
        steady: Decode one frame at a time: slower, but damaged frames come out the same every
            time, since what is put in their place is taken from finished pictures.
    """
    decoder: Any = stream.codec_context
    if has_side_alpha(stream):
        decoder = av.CodecContext.create(ALPHA_DECODERS[decoder.name], "r")
        decoder.width, decoder.height = stream.codec_context.width, stream.codec_context.height
    if steady:
        decoder.thread_type, decoder.thread_count = "NONE", 1
    else:
        decoder.thread_type = "AUTO"
    return decoder
