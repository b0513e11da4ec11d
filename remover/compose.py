"""Putting fills into the untouched planes, proving that nothing else changed, and writing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from remover import pixels
from remover.errors import VerifyError
from remover.fill import Survey, fill_shot, survey, surveyed
from remover.job import Job
from remover.plan import cut_to
from remover.region import Region
from remover.types import (
    COPIED,
    PAINTED,
    UNTOUCHED,
    Patch,
    Progress,
    Shot,
    VideoInfo,
    Window,
)
from remover.video import Frame, Target, Written, writer_of


@dataclass(slots=True)
class FillTotals:
    """Sums over the filled frames of a run."""

    frames: int = 0
    copied: int = 0
    painted: int = 0
    confidence: float = 0.0
    written: Written = field(default_factory=Written)
    """What the writer counted."""

    @property
    def copied_share(self) -> float:
        """Share of the filled pixels that came from other frames."""
        return self.copied / max(1, self.copied + self.painted)

    @property
    def painted_share(self) -> float:
        """Share of the filled pixels that no frame shows."""
        return self.painted / max(1, self.copied + self.painted)

    @property
    def mean_confidence(self) -> float | None:
        """Mean confidence of the copied pixels, None if there are none."""
        return self.confidence / self.copied if self.copied else None

    def add(self, patch: Patch) -> None:
        """Count one frame's fill."""
        self.frames += 1
        self.copied += int(np.count_nonzero(patch.origin == COPIED))
        self.painted += int(np.count_nonzero(patch.origin == PAINTED))
        self.confidence += float(patch.confidence[patch.origin == COPIED].sum(dtype=np.float64))


def apply_patch(
    frame: Frame, patch: Patch, region: Region, info: VideoInfo
) -> tuple[pixels.Plane, ...]:
    """The planes of ``frame`` with ``patch`` mixed in; the frame's own stay as they are.

    Raises:
        VerifyError: The patch leaves a part of the hole open, or a sample outside the region
            changed. Either is a fault of ours, and no output may come of it.
    """
    alpha = region.alpha(frame.index)
    inside = alpha[patch.rect.slices]
    if (
        np.count_nonzero(alpha) != np.count_nonzero(inside)
        or ((patch.origin == UNTOUCHED) & (inside > 0)).any()
    ):
        raise VerifyError(f"the fill of frame {frame.index} leaves a part of the object open")
    white = 255.0 if info.layout.bit_depth == 8 else 65535.0
    planes = tuple(plane.copy() for plane in frame.planes)
    pixels.compose(
        planes, info.layout, info.colour, patch.rect, patch.rgb / np.float32(white), inside
    )
    changed = pixels.changed_outside(frame.planes, planes, info.layout, patch.rect, inside > 0)
    if changed:
        raise VerifyError(
            f"{changed} samples outside the mask changed in frame {frame.index}",
            hint="please report this with the command that you ran",
        )
    return planes


def write_cleaned(job: Job, part: Target, seed: int, progress: Progress) -> FillTotals:
    """Decode, fill, compose and encode every frame, in one pass of bounded memory.

    Args:
        job: What to write, with an output planned.
        part: The file or folder to write, or a pipe.
        seed: Decides what is invented.
        progress: Told of the stages ``motion`` and ``fill``.

    Raises:
        VerifyError: A frame that was to be filled was not.
        OutputError: The file cannot be written.
    """
    assert job.output is not None
    assert job.target is not None
    totals = FillTotals()
    patches = _patches(job, _survey(job, progress), seed)
    progress.start("fill", job.index.num_frames)
    with writer_of(job.info, job.index, job.output, part, job.target) as writer:
        pending = next(patches, None)
        for frame in job.reader.frames():
            planes: Sequence[Any] = frame.planes
            if pending is not None and pending.index == frame.index:
                planes = apply_patch(frame, pending, job.region, job.info)
                totals.add(pending)
                pending = next(patches, None)
            writer.write(frame, planes)
            progress.advance()
    totals.written = writer.written
    if totals.frames != job.plan.hole_frames:
        raise VerifyError(
            f"{job.plan.hole_frames} frames were to be filled and {totals.frames} were",
            hint="please report this with the command that you ran",
        )
    return totals


def _shots_to_fill(job: Job) -> list[tuple[Shot, list[Window]]]:
    """The shots with holes, cut to the frames whose masks are known, and their windows."""
    shots = cut_to(job.plan.shots, job.masks.span.start, job.masks.span.stop)
    pairs = [(s, [w for w in job.plan.windows if s.start <= w.start < s.stop]) for s in shots]
    return [(shot, windows) for shot, windows in pairs if windows]


def _survey(job: Job, progress: Progress) -> list[Survey]:
    """Measure the camera's motion in every shot with holes."""
    todo = _shots_to_fill(job)
    shown = [[plate.index for plate in job.hand.plates_of(shot)] for shot, _ in todo]
    ranges = [surveyed(*pair, at) for pair, at in zip(todo, shown, strict=True)]
    progress.start("motion", sum(stop - start for start, stop in ranges))
    return [
        survey(job.pictures, job.region.hole, shot, windows, progress, at)
        for (shot, windows), at in zip(todo, shown, strict=True)
    ]


def _patches(job: Job, surveys: Sequence[Survey], seed: int) -> Iterator[Patch]:
    """The fills of all shots, in frame order."""
    no_source = job.hand.no_source
    for (shot, windows), found in zip(_shots_to_fill(job), surveys, strict=True):
        yield from fill_shot(
            job.pictures,
            job.region.hole,
            shot,
            windows,
            found,
            seed=seed,
            no_source=None if no_source is None else no_source.mask,
            plates=job.hand.plates_of(shot),
        )
