"""Putting fills into the untouched planes, proving that nothing else changed, and writing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from remover import fields, pixels
from remover.companions import CompanionWriter, Step
from remover.errors import VerifyError
from remover.fields import WHOLE, Parity
from remover.fill import FieldFill, Left, Noise, ShotFill, Survey, survey, surveyed
from remover.graining import Source, grained
from remover.interlaced import (
    FieldShading,
    mask_of,
    parities,
    pictures_of,
    plates_of,
    shot_of,
)
from remover.job import Job
from remover.judge import foreignness
from remover.light import shots_to_fill
from remover.progress import Progress
from remover.region import Region
from remover.types import (
    COPIED,
    PAINTED,
    RELIT,
    UNTOUCHED,
    Filled,
    Mask,
    Patch,
    Shot,
    VideoInfo,
    Window,
)
from remover.video import Frame, Target, Written, writer_of

if TYPE_CHECKING:  # PyTorch is loaded only where a network paints
    from remover.fill.paint import NetworkPainter


@dataclass(slots=True)
class FillTotals:
    """Sums over the filled frames of a run."""

    frames: int = 0
    copied: int = 0
    painted: int = 0
    relit: int = 0
    confidence: float = 0.0
    written: Written = field(default_factory=Written)
    """What the writer counted."""
    sides: Mapping[str, Written] = field(default_factory=dict)
    """What those of the files beside the output counted, by kind."""
    changes: Sequence[str] = ()
    """How the plan was changed on the way, in sentences."""

    @property
    def copied_share(self) -> float:
        """Share of the filled pixels that came from other frames; lit ones are not filled."""
        return self.copied / max(1, self.copied + self.painted)

    @property
    def painted_share(self) -> float:
        """Share of the filled pixels that no frame shows."""
        return self.painted / max(1, self.copied + self.painted)

    @property
    def relit_share(self) -> float:
        """Share of all changed pixels that are the frame's own, without the shadow on them."""
        return self.relit / max(1, self.copied + self.painted + self.relit)

    @property
    def mean_confidence(self) -> float | None:
        """Mean confidence of the copied pixels, None if there are none."""
        return self.confidence / self.copied if self.copied else None

    def add(self, filled: Filled) -> None:
        """Count one frame's fill."""
        self.frames += 1
        self.copied += int(np.count_nonzero(filled.origin == COPIED))
        self.painted += int(np.count_nonzero(filled.origin == PAINTED))
        self.relit += int(np.count_nonzero(filled.origin == RELIT))
        self.confidence += filled.confidence


def composed(
    frame: Frame,
    patch: Patch,
    region: Region,
    info: VideoInfo,
    *,
    parities: Sequence[Parity] = (WHOLE,),
    grain: int | None = None,
    noises: Sequence[Noise] = (),
) -> Filled:
    """``patch`` mixed into a copy of the samples of ``frame`` around the hole.

    Args:
        frame: What was decoded.
        patch: Its fill.
        region: What may change.
        info: Of the video.
        parities: Which pictures the frame consists of.
        grain: Seed of the source's grain, which is put back where it is missing; None adds none.
        noises: What changes from picture to picture where nothing moves, of each parity.

    Raises:
        VerifyError: The patch leaves a part of the hole open. That is a fault of ours, and no
            output may come of it.
    """
    alpha = region.alpha(frame.index)
    inside = alpha[patch.rect.slices]
    if (
        np.count_nonzero(alpha) != np.count_nonzero(inside)
        or ((patch.origin == UNTOUCHED) & (inside > 0)).any()
    ):
        raise VerifyError(f"the fill of frame {frame.index} leaves a part of the object open")
    white = 255.0 if info.layout.bit_depth == 8 else 65535.0
    rect = fields.blocks_of(patch.rect, info.layout, info.size, parities)
    planes = tuple(p.copy() for p in pixels.parts(frame.planes, info.layout, rect))
    inner = patch.rect.moved(-rect.top, -rect.left)
    for number, parity in enumerate(parities):
        rgb = fields.part_of(patch.rgb, patch.rect, parity) / np.float32(white)
        soft = fields.part_of(inside, patch.rect, parity)
        if grain is not None:
            source = Source(
                fields.planes_of(frame.planes, parity),
                info.layout,
                info.colour,
                fields.mask_of(alpha > 0, parity),
                len(parities) * frame.index + number,
                noises[number],
            )
            rgb = grained(source, fields.rect_of(patch.rect, parity), rgb, soft > 0, grain)
        own, place = fields.planes_of(planes, parity), fields.rect_of(inner, parity)
        pixels.compose(own, info.layout, info.colour, place, rgb, soft)
    origin = np.full(rect.size, UNTOUCHED, np.uint8)
    origin[inner.slices] = patch.origin
    sure = float(patch.confidence[patch.origin == COPIED].sum(dtype=np.float64))
    return Filled(frame.index, rect, planes, origin, sure)


def put_in(
    frame: Frame,
    filled: Filled,
    region: Region,
    info: VideoInfo,
    parities: Sequence[Parity] = (WHOLE,),
) -> tuple[pixels.Plane, ...]:
    """The planes of ``frame`` with ``filled`` in place; the frame's own stay as they are.

    Raises:
        VerifyError: A sample outside the region changed. That is a fault of ours, and no output
            may come of it.
    """
    planes = tuple(plane.copy() for plane in frame.planes)
    for place, part in zip(
        pixels.parts(planes, info.layout, filled.rect), filled.planes, strict=True
    ):
        place[...] = part
    inside = region.hole(frame.index)[filled.rect.slices]
    changed = fields.changed_outside(
        frame.planes, planes, info.layout, filled.rect, inside, parities
    )
    if changed:
        raise VerifyError(
            f"{changed} samples outside the mask changed in frame {frame.index}",
            hint="please report this with the command that you ran",
        )
    return planes


def write_cleaned(
    job: Job,
    part: Target,
    seed: int,
    progress: Progress,
    sides: Mapping[str, Path],
    *,
    grain: bool = True,
) -> FillTotals:
    """Decode, fill, compose and encode every frame, in one pass of bounded memory.

    Holes that the journal has are taken from it; every other one is written down in it.

    Args:
        job: What to write, with an output planned.
        part: The file or folder to write, or a pipe.
        seed: Decides what is invented.
        progress: Told of the stages ``motion`` and ``fill``.
        sides: The file or folder of each companion that is planned, by its kind.
        grain: Whether the source's grain is put back where it is missing.

    Raises:
        VerifyError: A frame that was to be filled was not.
        OutputError: The file cannot be written.
    """
    assert job.output is not None
    assert job.target is not None
    totals = FillTotals()
    network = _network_painter(job, seed, progress)
    surveys = _surveys(job, progress)
    fills = _fills(job, surveys, seed, network)
    first, num_frames = job.written.first, job.written.num_frames
    compose = partial(composed, region=job.region, info=job.info, parities=parities(job))
    progress.start("fill", num_frames)
    with (
        writer_of(job.info, job.written, job.output, part, job.target) as writer,
        CompanionWriter(job.info, job.written, job.companions, sides) as beside,
    ):
        pending = next(fills, None)
        for frame in job.reader.frames(first, first + num_frames):
            planes: Sequence[Any] = frame.planes
            step = Step(frame, planes, None, None)
            count = progress.advance
            if pending is not None and pending.index == frame.index:
                if isinstance(pending, Filled):
                    count = progress.skip
                else:
                    noises = _noises_at(frame.index, surveys) if grain else ()
                    made = compose(frame, pending, grain=seed if grain else None, noises=noises)
                    pending = job.journal.keep(made)
                planes = put_in(frame, pending, job.region, job.info, parities(job))
                totals.add(pending)
                if job.companions:
                    step = Step(frame, planes, job.region.alpha(frame.index), pending)
                pending = next(fills, None)
            beside.write(step)
            writer.write(frame, planes)
            count()
    totals.written, totals.sides = writer.written, beside.written
    totals.changes = () if network is None else network.changes
    if totals.frames != job.plan.hole_frames:
        raise VerifyError(
            f"{job.plan.hole_frames} frames were to be filled and {totals.frames} were",
            hint="please report this with the command that you ran",
        )
    return totals


def _surveys(job: Job, progress: Progress) -> Mapping[Shot, Sequence[Survey]]:
    """How the camera moves in every shot with holes, as each kind of pictures shows it.

    Of whole frames it is known; of fields it is measured, as far as the journal lacks it.
    """
    kinds = parities(job)
    if WHOLE in kinds:
        return {shot: (found,) for shot, found in job.light.surveys.items()}
    todo = shots_to_fill(job.plan, job.masks.span)
    shown = [[plate.index for plate in job.hand.plates_of(shot)] for shot, _ in todo]
    ranges = [surveyed(*pair, at) for pair, at in zip(todo, shown, strict=True)]
    progress.start("motion", len(kinds) * sum(stop - start for start, stop in ranges))
    found: dict[Shot, list[Survey]] = {shot: [] for shot, _ in todo}
    for (shot, windows), at, (start, stop) in zip(todo, shown, ranges, strict=True):
        for parity in kinds:
            known = job.journal.survey(shot_of(shot, parity))
            if known is None:
                pictures, hole = pictures_of(job, parity), mask_of(job.region.hole, parity)
                known = survey(pictures, hole, shot, windows, progress, at)
                job.journal.keep_survey(shot_of(shot, parity), known)
            else:
                progress.skip(stop - start)
            found[shot].append(known)
    return found


def _noises_at(index: int, surveys: Mapping[Shot, Sequence[Survey]]) -> Sequence[Noise]:
    """The noise that was measured in the shot of a frame, of each kind of pictures."""
    found = next(found for shot, found in surveys.items() if shot.start <= index < shot.stop)
    return [one.noise for one in found]


def _network_painter(job: Job, seed: int, progress: Progress) -> "NetworkPainter | None":
    """What paints by a network, with nothing loaded yet; None where none does."""
    network, plan = job.painters.network, job.plan.painting
    if network is None or plan is None:
        return None
    from remover.fill.networks import Networks
    from remover.fill.paint import NetworkPainter

    return NetworkPainter(Networks(network, plan), seed=seed, progress=progress)


def _fills(
    job: Job,
    surveys: Mapping[Shot, Sequence[Survey]],
    seed: int,
    network: "NetworkPainter | None",
) -> Iterator[Filled | Patch]:
    """The fills of all shots, in frame order: finished ones first, then what is still to do."""
    yield from job.journal.fills()
    number = 0
    for shot, windows in shots_to_fill(job.plan, job.masks.span):
        first, number = number, number + len(windows)
        todo = windows[max(0, job.journal.windows_done - first) :]
        if not todo:
            continue
        left = job.journal.left(first)
        filler = _filler(job, shot, windows, surveys[shot], left, seed, network)
        for window in todo:
            before = list(filler.painted)
            yield from filler.fill(window)
            job.journal.end_window(before, filler.left)


def _filler(
    job: Job,
    shot: Shot,
    windows: Sequence[Window],
    surveys: Sequence[Survey],
    left: Left,
    seed: int,
    network: "NetworkPainter | None",
) -> ShotFill | FieldFill:
    """What fills a shot: its frames, or both fields of each."""
    no_source, objects = _no_source(job), job.painters.objects
    kinds = parities(job)
    is_whole = WHOLE in kinds
    fills = {
        parity: ShotFill(
            pictures_of(job, parity),
            mask_of(job.region.hole, parity),
            shot,
            windows,
            found,
            seed=seed,
            no_source=None if no_source is None else mask_of(no_source, parity),
            rim=mask_of(job.region.rim, parity),
            plates=plates_of(job, shot, parity),
            left=left if is_whole else Left(),
            copies=job.painters.copies,
            network=network,
            network_part=None if objects is None else partial(job.region.hole_of, objects=objects),
            shading=job.region if parity is None else FieldShading(job.region, parity),
            judge=foreignness,
        )
        for parity, found in zip(kinds, surveys, strict=True)
    }
    if is_whole:
        return fills[WHOLE]
    earlier = kinds[0] or 0
    return FieldFill((fills[0], fills[1]), surveys[0].camera, earlier, left)


def _no_source(job: Job) -> Callable[[int], Mask] | None:
    """Pixels that are no source though they are not filled: the user's, and shadows that stay."""
    by_hand = job.hand.no_source
    if not job.region.keeps_shadows:
        return None if by_hand is None else by_hand.mask
    if by_hand is None:
        return job.region.barred
    return lambda index: by_hand.mask(index) | job.region.barred(index)
