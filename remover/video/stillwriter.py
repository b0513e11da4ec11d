"""Writing an image sequence, one file a picture: the counterpart of ``Writer``."""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np

from remover.errors import InputError, VerifyError
from remover.types import VideoInfo
from remover.video import exr
from remover.video.decode import checksum
from remover.video.encode import OutputPlan, make_encoder
from remover.video.errors import explained
from remover.video.facts import CONVERTER_MATRICES
from remover.video.floats import ready_for
from remover.video.layouts import Plane, convert, write_planes
from remover.video.sequence import SequenceReader, probe_sequence
from remover.video.values import Frame, Written

DPX_MARKS = slice(801, 803)
"""Where a DPX file says what its numbers mean: transfer and primaries, a byte each."""


class PictureWriter:
    """An image sequence in the making, as a context manager.

    Frames are written in order, all of them. If the block is left by an exception some files are
    missing, and whoever named the folder removes it.
    """

    def __init__(
        self,
        info: VideoInfo,
        plan: OutputPlan,
        folder: Path,
        names: Sequence[str],
        first: int = 0,
        place: Path | None = None,
    ) -> None:
        """Prepare to write a changed ``info`` to files called ``names`` in ``folder``.

        The first frame that comes has the number ``first``. In errors the folder is called
        ``place``, where that is what it will be called in the end.
        """
        self._info, self._plan, self._folder, self._names = info, plan, folder, names
        self._first = first
        self._place = folder if place is None else place
        self._encoder: Any = None
        self._next = 0
        self.written = Written()

    def __enter__(self) -> Self:
        """Create the folder and open the encoder.

        Raises:
            OutputError: Either is refused.
        """
        try:
            self._folder.mkdir(exist_ok=True)
            self._encoder = make_encoder(self._plan, self._info)
            self._encoder.open()
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._explained(error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what the encoder still holds."""
        if error is None:
            self._encode(None)

    def write(self, frame: Frame, planes: Sequence[Plane]) -> None:
        """Encode a frame with the samples ``planes``, which lie as in the source.

        Raises:
            OutputError: The encoder or the disk refuses.
            RuntimeError: Frames come out of order.
        """
        number, due = frame.index - self._first, self._next
        if number != due:
            raise RuntimeError(f"frame {number} came where {due} was due")
        self._next += 1
        info, plan, native = self._info, self._plan, frame.native
        if any(new is not old for new, old in zip(planes, frame.planes, strict=True)):
            write_planes(native, info.layout, planes)
        if plan.layout == info.layout:
            self.written.checks.append(checksum(planes))
        native = ready_for(native, info, plan.layout)
        if plan.converts:
            full = info.colour.full_range and info.layout.family != "rgb"
            matrix = CONVERTER_MATRICES[info.colour.matrix]
            native = convert(native, plan.pixel_format, matrix, full_range=full)
        native.pict_type = 0
        native.pts, native.time_base = number, 1 / info.rate
        self._encode(native)

    def _encode(self, native: Any) -> None:
        try:
            for packet in self._encoder.encode(native):
                number = self.written.num_frames
                content = self._marked(bytes(packet), number)
                (self._folder / self._names[number]).write_bytes(content)
                self.written.num_frames += 1
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._explained(error) from error

    def _marked(self, content: bytes, number: int) -> bytes:
        """A picture that says of itself what the source's picture says, where both can."""
        codec = self._plan.codec
        if codec != self._info.codec or codec not in ("dpx", "exr"):
            return content
        picture = self._info.pictures[number]
        if codec == "exr":
            return exr.with_attributes(content, exr.read_header(picture))
        with picture.open("rb") as file:
            head = file.read(DPX_MARKS.stop)
        return content[: DPX_MARKS.start] + head[DPX_MARKS] + content[DPX_MARKS.stop :]

    def _explained(self, error: BaseException) -> BaseException:
        return explained(error, self._place, self._plan.encoder, "an image sequence")


def check_pictures(folder: Path, info: VideoInfo, plan: OutputPlan, written: Written) -> None:
    """Decode every written picture again and compare it with what was to be written.

    Where the codec is lossless and the samples were not converted, they are compared; else the
    number, the size and the kind of the pictures are.

    Raises:
        VerifyError: Something differs.
    """
    hint = "the disk may be full or failing; the target was not touched"
    try:
        found = probe_sequence(folder, info.rate)
        reader = SequenceReader(found)
        for _ in reader.scan():
            pass
    except InputError as error:
        raise VerifyError(
            f"the written pictures cannot be read again: {error.message}", hint=hint
        ) from error
    for what, expected, got in (
        ("pictures", written.num_frames, reader.index.num_frames),
        ("size", info.size, found.size),
        ("bit depth", plan.layout.bit_depth, found.layout.bit_depth),
        ("alpha", plan.layout.has_alpha, found.layout.has_alpha),
    ):
        if expected != got:
            raise VerifyError(f"the written {what}: `{got}`, not `{expected}`", hint=hint)
    is_exact = plan.codec != "mjpeg" and found.layout == info.layout
    checks = np.array(written.checks, np.uint32)
    if is_exact and len(checks) and not np.array_equal(checks, reader.index.checks):
        number = int(np.flatnonzero(checks != reader.index.checks)[0])
        raise VerifyError(
            f"`{found.pictures[number].name}` does not hold what was to be written", hint=hint
        )
