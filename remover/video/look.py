"""Reading whatever a user gives, and writing wherever one wants: files, pipes, pictures."""

from fractions import Fraction
from pathlib import Path

from remover.errors import InputError, UsageError
from remover.types import VideoInfo
from remover.video.decode import Reader
from remover.video.encode import OutputPlan
from remover.video.mux import Writer
from remover.video.part import info_of_part
from remover.video.pipe import Pipe, Target
from remover.video.probe import probe
from remover.video.sequence import SequenceReader, probe_sequence
from remover.video.stills import folder_of, is_sequence, names_of
from remover.video.stillwriter import PictureWriter, check_pictures
from remover.video.values import FrameIndex, FrameSource, Written
from remover.video.verify import verify, verify_count


def look_at(path: Path, rate: Fraction | None = None) -> VideoInfo:
    """What a video file or an image sequence says about itself.

    Args:
        path: A video, a pattern as ``shot/%05d.png``, or a folder of pictures.
        rate: Pictures a second of a sequence.

    Raises:
        InputError: It cannot be read.
        UsageError: A rate was given for a video, which has its own times.
    """
    try:
        has_pictures = is_sequence(path)
    except OSError as error:
        raise InputError(
            f"`{path}` cannot be read: {(error.strerror or 'refused').lower()}",
            hint="check who may read it and the folders that it lies in",
        ) from error
    if has_pictures:
        return probe_sequence(path, rate)
    if rate is not None:
        raise UsageError(
            f"`--fps {rate}` is for image sequences; `{path}` has times of its own",
            hint="leave `--fps` out",
        )
    return probe(path)


def reader_of(info: VideoInfo) -> FrameSource:
    """The frames of what ``look_at`` described."""
    return SequenceReader(info) if info.pictures else Reader(info)


def writer_of(
    info: VideoInfo, index: FrameIndex, plan: OutputPlan, part: Target, target: Target
) -> Writer | PictureWriter:
    """A writer for what ``plan_output`` planned.

    Args:
        info: The source.
        index: Its frames, or a part of them, which is then all that is written.
        plan: How to write.
        part: The file or folder to write, or the pipe.
        target: What it will be called in the end.
    """
    info = info_of_part(info, index)
    if plan.is_sequence and isinstance(part, Path) and isinstance(target, Path):
        names = names_of(target, info, index.num_frames, index.first)
        return PictureWriter(info, plan, part, names, index.first, folder_of(target))
    return Writer(info, index, plan, part, target)


def verify_output(
    part: Target, info: VideoInfo, index: FrameIndex, plan: OutputPlan, written: Written
) -> tuple[bool, bool]:
    """Compare what was written with the source and the plan.

    Returns:
        Whether all frames have their times, and whether all copied streams are as they were. A
        pipe cannot be read again: there it is what was counted on the way.

    Raises:
        VerifyError: It is not as planned.
    """
    if isinstance(part, Pipe):
        verify_count(index, written)
        return written.times_kept, written.streams_kept
    if plan.is_sequence:
        check_pictures(part, info, plan, written)
        return True, True
    found = verify(part, info, index, plan)
    return found.times_equal, found.streams_equal
