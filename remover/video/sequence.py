"""Reading an image sequence as if it were a video: the counterparts of ``probe`` and ``Reader``."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.video.frame import VideoFrame

from remover.errors import InputError
from remover.types import Orientation, Size, VideoInfo
from remover.video import exr
from remover.video.decode import checksum
from remover.video.facts import CONVERTER_MATRICES, colour_of
from remover.video.layouts import convert, held_format, read_planes
from remover.video.probe import held_layout
from remover.video.sources import changed, version_of
from remover.video.stills import CODECS, list_pictures
from remover.video.values import Damage, Frame, FrameIndex

DEFAULT_RATE = Fraction(24)
"""Pictures a second where nobody says; only what is written as a video depends on it."""

SAMPLE_FORMAT, FLOATING = 339, 3
"""The TIFF tag that says what samples are, and its value for floats."""

CONTAINER = "image2"
"""FFmpeg's name of numbered pictures."""


def probe_sequence(path: Path, rate: Fraction | None) -> VideoInfo:
    """Look at an image sequence: list its pictures and decode the first.

    Args:
        path: A pattern as ``shot/%05d.png``, or a folder.
        rate: Pictures a second; None is 24.

    Raises:
        InputError: There are no pictures, some are missing, or the first cannot be used.
    """
    pictures = list_pictures(path)
    codec = CODECS[pictures[0].suffix.lower()]
    profile, aspect, notes = None, Fraction(1), list[str]()
    if codec == "exr":
        header, found = exr.look_through(pictures)
        profile, aspect = header.compression, header.sample_aspect
        notes += found
    if codec == "tiff" and has_float_tag(pictures[0]):
        raise InputError(
            f"`{pictures[0]}` has floating-point samples, which are read from OpenEXR only",
            hint="convert the sequence to OpenEXR first",
        )
    frame = _decode(pictures[0], codec)
    layout, _ = held_layout(frame, pictures[0])
    if not held_format(frame.format.name)[1]:
        raise InputError(
            f"`{pictures[0]}` has the pixel format `{frame.format.name}`, whose values would have "
            "to be rounded",
            hint="convert the sequence to OpenEXR first",
        )
    size = Size(frame.height, frame.width)
    tags = (
        int(frame.colorspace),
        int(frame.color_range),
        int(frame.color_primaries),
        int(frame.color_trc),
    )
    colour, note = colour_of(layout, size, tags)
    notes += [note] if note else []
    rate = rate or DEFAULT_RATE
    return VideoInfo(
        path=path,
        container=CONTAINER,
        stream_index=0,
        codec=codec,
        profile=profile,
        layout=layout,
        size=size,
        sample_aspect=aspect,
        orientation=Orientation(),
        colour=colour,
        time_base=1 / rate,
        rate=rate,
        num_frames_hint=len(pictures),
        duration_s=float(len(pictures) / rate),
        warnings=tuple(notes),
        pictures=pictures,
    )


def has_float_tag(path: Path) -> bool:
    """Whether a TIFF says that its samples are floats; the decoder takes halves for integers."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
            order: Literal["little", "big"] = "little" if head[:2] == b"II" else "big"
            file.seek(int.from_bytes(head[4:8], order))
            count = int.from_bytes(file.read(2), order)
            entries = [file.read(12) for _ in range(count)]
            for entry in entries:
                tag, number = (int.from_bytes(part, order) for part in (entry[:2], entry[4:8]))
                if tag == SAMPLE_FORMAT:
                    values = entry[8:]
                    if number > 2:
                        file.seek(int.from_bytes(values, order))
                        values = file.read(2)
                    return int.from_bytes(values[:2], order) == FLOATING
    except OSError:
        pass  # the decoder says what is wrong
    return False


class SequenceReader:
    """The frames of an image sequence, as ``Reader`` gives those of a video."""

    def __init__(self, info: VideoInfo) -> None:
        """Remember which pictures, and which versions of them, ``info`` lists."""
        self.info = info
        self._versions = tuple(version_of(picture) for picture in info.pictures)
        self._index: FrameIndex | None = None

    @property
    def index(self) -> FrameIndex:
        """The times of all frames.

        Raises:
            RuntimeError: ``scan`` has not run to its end yet.
        """
        if self._index is None:
            raise RuntimeError("the frames are not known before they were scanned")
        return self._index

    def scan(self) -> Iterator[Frame]:
        """Yield every frame from the start; at the end ``index`` is set.

        Raises:
            InputError: A picture cannot be decoded, or has another size or format than the first.
        """
        checks = []
        count = len(self.info.pictures)
        for number in range(count):
            self._check(number)
            if self.info.codec == "exr":
                exr.check_blocks(self.info.pictures[number])
            frame = self._frame(number)
            checks.append(checksum(frame.planes))
            yield frame
        self._index = FrameIndex(
            np.arange(count, dtype=np.int64),
            np.ones(count, np.int64),
            self.info.time_base,
            Damage(),
            tuple(range(count)),
            np.array(checks, np.uint32),
            np.arange(count, dtype=np.int64),
        )

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Yield the frames ``start`` to ``stop`` (half open; default: to the end), exactly.

        Raises:
            InputError: A picture is not the one that was scanned any more.
        """
        count = self.index.num_frames
        for number in range(start, count if stop is None else min(stop, count)):
            self._check(number)
            frame = self._frame(number)
            if checksum(frame.planes) != int(self.index.checks[number]):
                raise changed(self.info.pictures[number])
            yield frame

    def check_unchanged(self) -> None:
        """Look whether the pictures are those that there were at the start.

        Raises:
            InputError: One is not.
        """
        for number in range(len(self._versions)):
            self._check(number)

    def _check(self, number: int) -> None:
        path = self.info.pictures[number]
        if version_of(path) != self._versions[number]:
            raise changed(path)

    def _frame(self, number: int) -> Frame:
        info = self.info
        path = info.pictures[number]
        native = _decode(path, info.codec)
        size, name = Size(native.height, native.width), native.format.name
        try:
            held = held_format(name)[0]
        except KeyError:
            held = name
        if size != info.size or held != info.layout.name:
            raise InputError(
                f"`{path}` is {size} `{name}`, but the sequence begins with {info.size} "
                f"`{info.layout.name}`",
                hint="make all pictures of the same size and kind",
            )
        matrix = CONVERTER_MATRICES[info.colour.matrix]
        native = convert(native, held, matrix, full_range=info.colour.full_range)
        return Frame(number, number, 1, read_planes(native, info.layout), native)


def _decode(path: Path, codec: str) -> VideoFrame:
    """The picture in a file.

    Raises:
        InputError: It cannot be read or decoded.
    """
    try:
        content = path.read_bytes()
        decoder: Any = av.CodecContext.create(codec, "r")
        decoder.thread_type, decoder.thread_count = "NONE", 1
        found = [*decoder.decode(av.Packet(content)), *decoder.decode(None)]
    except MemoryError:
        raise
    except (av.FFmpegError, OSError, EOFError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"`{path}` cannot be read as a picture: {str(reason).lower()}",
            hint="the file is missing, damaged or of another kind than its name says",
        ) from error
    if not found or found[0].is_corrupt:
        raise InputError(
            f"`{path}` cannot be decoded as a picture", hint="the file is damaged; make it again"
        )
    return found[0]  # type: ignore[no-any-return]
