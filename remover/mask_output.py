"""Writing the masks: a folder or a video, and beside it the video with the masks drawn over it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from remover.companions import CompanionWriter, Step
from remover.job import Job
from remover.marking import verdict_of
from remover.progress import Progress
from remover.segment import write_mask_folder
from remover.types import Mask
from remover.video import GrayWriter, Target, Written


def write_masks(
    job: Job,
    part: Target,
    output: Target,
    progress: Progress,
    sides: Mapping[str, Path],
    container: str | None,
    *,
    is_video: bool,
) -> Mapping[str, Written]:
    """Write the mask of every frame, and every companion in the same pass.

    Args:
        job: Whose masks.
        part: Where to write now: a folder to be made, a file or a pipe.
        output: Where it will be in the end.
        progress: Told of the stage ``write``.
        sides: The file or folder of each companion that is planned, by its kind.
        container: Of a video; None follows from the name of ``output``.
        is_video: Whether it is one, not a folder of PNG pictures.

    Returns:
        What the writer of each companion counted, by kind.

    Raises:
        OutputError: Something cannot be written.
    """
    progress.start("write", job.index.num_frames)
    with CompanionWriter(job.info, job.index, job.companions, sides) as beside:
        masks = _masks(job, beside, progress)
        if is_video:
            with GrayWriter(part, output, job.info, job.index, container) as writer:
                for mask in masks:
                    writer.write(mask)
        elif isinstance(part, Path):
            part.mkdir()
            write_mask_folder(masks, part, job.info, job.index.num_frames)
    return beside.written


def _masks(job: Job, beside: CompanionWriter, progress: Progress) -> Iterator[Mask]:
    """The mask of each frame; its companions are written on the way."""
    empty = np.zeros(job.info.size, bool)
    first, stop = job.frames
    pictures = iter(job.reader.frames()) if job.companions else None
    for index in range(job.index.num_frames):
        is_known = first <= index < stop
        if pictures is not None:
            frame = next(pictures)
            caption = f"frame {index}, {float(job.index.time_of(index)):.2f} s"
            labels = job.region.labels(index) if is_known else None
            verdict = verdict_of(job.masks.segmentation, index) if is_known else None
            beside.write(Step(frame, frame.planes, None, None, labels, verdict, caption))
        yield job.region.mask(index) if is_known else empty
        progress.advance()
