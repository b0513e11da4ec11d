"""The story: from a video and something pointed at to the same video without it.

``clean`` reads as the README does: look at the file, find the shots, make the masks, plan, fill
and write, verify, publish. ``mask``, ``preview`` and ``dry_run`` stop on the way.
"""

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from remover import device, files
from remover import preview as sheets
from remover.compose import FillTotals, apply_patch
from remover.config import CleanOptions
from remover.errors import OutputError, VerifyError
from remover.fill import PAINTER, PAINTER_LICENCE, Survey, fill_shot, survey, surveyed
from remover.masking import Masks, make_masks
from remover.pixels import thumbnail
from remover.plan import cut_to, make_plan
from remover.region import GROWTH_GIVEN, GROWTH_TRACKED, Region
from remover.report import Promises, Report, versions
from remover.resolve import check_prompts, frame_range
from remover.segment import MaskStore, write_mask_folder
from remover.shots import ShotFinder
from remover.types import (
    Moment,
    Patch,
    Plan,
    Progress,
    Prompt,
    Shot,
    Silent,
    VideoInfo,
    Window,
)
from remover.video import (
    FrameIndex,
    GrayWriter,
    OutputPlan,
    Reader,
    RgbPictures,
    Writer,
    is_video_name,
    plan_output,
    probe,
    verify,
)

THUMBNAIL_WIDTH = 256


@dataclass(frozen=True, slots=True)
class Job:
    """A video that was looked at and masked, and what is planned for it."""

    info: VideoInfo
    reader: Reader
    index: FrameIndex
    frames: Shot
    """The part to clean."""
    pictures: RgbPictures
    store: MaskStore
    masks: Masks
    region: Region
    plan: Plan
    warnings: tuple[str, ...]


def clean(
    source: Path,
    output: Path | None,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    progress: Progress | None = None,
) -> Report:
    """Write ``source`` without what ``prompts`` point at.

    Args:
        source: A video file.
        output: Where to write; None is ``<stem>.clean<suffix>`` beside the input.
        prompts: Boxes, clicks and masks.
        options: How.
        progress: Where to say how far it is.

    Returns:
        What was done, with the promises checked.

    Raises:
        RemoverError: Any error that a user can cause; nothing is left under the target's name.
    """
    began = time.monotonic()
    progress = progress or Silent()
    target = output or default_output(source)
    files.check_target(target, source, overwrite=options.overwrite)
    chosen = device.resolve(options.device)
    with _prepared(source, prompts, options, progress, target) as (job, output_plan):
        assert output_plan is not None
        with files.publishing(target, overwrite=options.overwrite) as part:
            totals = _write(job, output_plan, part, options.seed, progress)
            progress.start("verify", None)
            verified = verify(part, job.info, job.index, output_plan)
        return _report(
            job,
            "clean",
            source,
            target,
            prompts,
            options,
            began,
            painter=PAINTER,
            painter_licence=PAINTER_LICENCE,
            device=chosen,
            copied_share=totals.copied_share,
            painted_share=totals.painted_share,
            mean_confidence=totals.mean_confidence,
            promises=Promises(
                samples_changed_outside=0,
                frames_equal=verified.num_frames == job.index.num_frames,
                times_equal=verified.times_equal,
                streams_equal=verified.streams_equal,
            ),
            **_of_output(output_plan),
        )


def mask(
    source: Path,
    output: Path,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    progress: Progress | None = None,
) -> Report:
    """Write only the masks, grown by ``dilate``: a folder of PNGs or a lossless gray video."""
    began = time.monotonic()
    progress = progress or Silent()
    files.check_target(output, source, overwrite=options.overwrite)
    if output.suffix and not is_video_name(output) and not output.is_dir():
        raise OutputError(
            f"masks cannot be written to `{output}`",
            hint="name a folder (masks/) or a video (masks.mkv, masks.mp4, masks.mov)",
        )
    with _prepared(source, prompts, options, progress, None) as (job, _):
        progress.start("write", job.index.num_frames)
        empty = np.zeros(job.info.size, bool)
        first, stop = job.frames
        shown = (
            job.region.mask(i) if first <= i < stop else empty for i in range(job.index.num_frames)
        )
        with files.publishing(output, overwrite=options.overwrite) as part:
            if is_video_name(output):
                with GrayWriter(part, output, job.info, job.index) as writer:
                    for one in shown:
                        writer.write(one)
                        progress.advance()
            else:
                part.mkdir()
                write_mask_folder(_counted(shown, progress), part, job.info, job.index.num_frames)
        return _report(job, "mask", source, output, prompts, options, began)


def dry_run(
    source: Path,
    output: Path | None,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    progress: Progress | None = None,
) -> Report:
    """Plan as ``clean`` would, write nothing."""
    began = time.monotonic()
    target = output or default_output(source)
    files.check_target(target, source, overwrite=options.overwrite)
    chosen = device.resolve(options.device)
    with _prepared(source, prompts, options, progress or Silent(), target) as (job, output_plan):
        details = _of_output(output_plan)
        return _report(
            job, "dry_run", source, target, prompts, options, began, device=chosen, **details
        )


def preview(
    source: Path,
    sheet: Path,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    progress: Progress | None = None,
) -> Report:
    """Write a contact sheet (PNG) of the region that ``clean`` would change."""
    began = time.monotonic()
    files.check_target(sheet, source, overwrite=options.overwrite)
    with _prepared(source, prompts, options, progress or Silent(), None) as (job, _):
        first, stop = job.frames
        has_mask = [
            first <= i < stop and not job.store.is_empty(i) for i in range(job.index.num_frames)
        ]

        def get_tile(i: int) -> Any:
            picture = next(iter(job.pictures.read(i, i + 1)))
            label = f"{i}  {float(job.index.time_of(i)):.2f} s"
            return sheets.tile(picture, job.region.hole(i), job.info, label)

        canvas = sheets.contact_sheet(sheets.choose_frames(has_mask), get_tile)
        with files.publishing(sheet, overwrite=options.overwrite) as part:
            sheets.write_png(part, canvas)
        return _report(job, "preview", source, sheet, prompts, options, began)


def default_output(source: Path) -> Path:
    """``<stem>.clean<suffix>`` beside the input."""
    return source.with_name(f"{source.stem}.clean{source.suffix}")


@contextlib.contextmanager
def _prepared(
    source: Path,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    progress: Progress,
    target: Path | None,
) -> Iterator[tuple[Job, OutputPlan | None]]:
    """Everything before the first picture is filled; working data goes when the block ends."""
    check_prompts(prompts, options)
    info = probe(source)
    output_plan = None
    if target is not None:
        output_plan = plan_output(
            info, target, codec=options.codec, crf=options.crf, lossless=options.lossless
        )
    with files.work_folder() as work:
        reader = Reader(info)
        shots = _scan(reader, info, progress)
        index = reader.index
        frames = frame_range(options.start, options.end, index)
        pictures = RgbPictures(reader)
        with MaskStore(work, info.size, index.num_frames) as store:
            masks = make_masks(
                pictures, info, index, prompts, shots, frames, store, options, progress
            )
            region = Region(store, grow=_growth(options, masks), soft=options.feather)
            boxes, areas = region.extents(frames, index.num_frames)
            plan = make_plan(
                shots,
                boxes,
                areas,
                info.size,
                span=masks.span,
                bytes_per_sample=1 if info.layout.bit_depth == 8 else 2,
                budget_bytes=device.picture_budget(),
            )
            warnings = (*info.warnings, *index.damage.messages(), *_doubts(masks, frames))
            if output_plan is not None:
                warnings += output_plan.warnings
            for message in warnings:
                progress.warn(message)
            for message in masks.segmentation.notes:
                progress.note(message)
            yield (
                Job(info, reader, index, frames, pictures, store, masks, region, plan, warnings),
                output_plan,
            )


def _scan(reader: Reader, info: VideoInfo, progress: Progress) -> tuple[Shot, ...]:
    """Decode everything once: count the frames, keep their times, find the cuts."""
    progress.start("scan", info.num_frames_hint or None)
    finder = ShotFinder()
    for frame in reader.scan():
        finder.push(thumbnail(frame.planes, info.layout, info.colour, THUMBNAIL_WIDTH))
        progress.advance()
    return finder.finish()


def _growth(options: CleanOptions, masks: Masks) -> int:
    if options.dilate is not None:
        return options.dilate
    return GROWTH_GIVEN if masks.segmentation.tracker == "mask" else GROWTH_TRACKED


def _doubts(masks: Masks, frames: Shot) -> Iterator[str]:
    """What the user should look at before trusting the masks."""
    for parts, what in (
        (masks.segmentation.unsure, "the mask may be wrong"),
        (masks.segmentation.lost, "the object was not found"),
    ):
        for part in cut_to(parts, frames.start, frames.stop):
            yield (
                f"check frames {part.start} to {part.stop - 1}: {what}; "
                f"correct it there with --box x,y,w,h@{part.start}"
            )


def _write(
    job: Job, output_plan: OutputPlan, part: Path, seed: int, progress: Progress
) -> FillTotals:
    """Decode, fill, compose and encode every frame, in one pass of bounded memory."""
    totals = FillTotals()
    patches = _patches(job, _survey(job, progress), seed)
    progress.start("fill", job.index.num_frames)
    with Writer(job.info, job.index, output_plan, part) as writer:
        pending = next(patches, None)
        for frame in job.reader.frames():
            planes: Sequence[Any] = frame.planes
            if pending is not None and pending.index == frame.index:
                planes = apply_patch(frame, pending, job.region, job.info)
                totals.add(pending)
                pending = next(patches, None)
            writer.write(frame, planes)
            progress.advance()
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
    ranges = [surveyed(shot, windows) for shot, windows in todo]
    progress.start("motion", sum(stop - start for start, stop in ranges))
    return [
        survey(job.pictures, job.region.hole, shot, windows, progress) for shot, windows in todo
    ]


def _patches(job: Job, surveys: Sequence[Survey], seed: int) -> Iterator[Patch]:
    """The fills of all shots, in frame order."""
    for (shot, windows), found in zip(_shots_to_fill(job), surveys, strict=True):
        yield from fill_shot(job.pictures, job.region.hole, shot, windows, found, seed=seed)


def _counted(masks: Iterator[Any], progress: Progress) -> Iterator[Any]:
    for one in masks:
        yield one
        progress.advance()


def _of_output(output_plan: OutputPlan | None) -> dict[str, Any]:
    assert output_plan is not None
    return {
        "codec": output_plan.encoder,
        "pixel_format": output_plan.layout.name,
        "encoder_threads": output_plan.threads,
    }


def _report(
    job: Job,
    command: str,
    source: Path,
    target: Path,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    began: float,
    **details: Any,
) -> Report:
    segmentation = job.masks.segmentation
    return Report(
        command=command,
        input=source,
        output=target,
        options={k: _plain(v) for k, v in asdict(options).items()},
        prompts=tuple(p.text for p in prompts),
        plan=job.plan,
        tracker=segmentation.tracker,
        span=job.masks.span,
        frames_without_mask=sum(job.store.is_empty(i) for i in range(job.index.num_frames)),
        unsure=segmentation.unsure,
        lost=segmentation.lost,
        warnings=job.warnings,
        notes=segmentation.notes,
        seconds=time.monotonic() - began,
        peak_memory_bytes=device.peak_memory(),
        versions=versions(),
        **details,
    )


def _plain(value: Any) -> Any:
    """A moment's fields as they are written on the command line; other values as they are."""
    if isinstance(value, dict):
        return str(Moment(**value))
    return value
