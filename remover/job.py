"""A video looked at, masked and planned for: everything that comes before the fill."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from remover import delivery, device, files
from remover.config import CleanOptions
from remover.masking import Masks, make_masks
from remover.pixels import thumbnail
from remover.plan import cut_to, make_plan
from remover.region import GROWTH_GIVEN, GROWTH_TRACKED, Region
from remover.resolve import check_prompts, frame_range
from remover.segment import Choice, MaskStore, Sam2, choose
from remover.shots import ShotFinder
from remover.types import Plan, Progress, Prompt, Shot, VideoInfo
from remover.video import (
    FrameIndex,
    FrameSource,
    OutputPlan,
    RgbPictures,
    Target,
    look_at,
    plan_output,
    reader_of,
)

THUMBNAIL_WIDTH = 256


@dataclass(frozen=True, slots=True)
class Job:
    """A video that was looked at and masked, and what is planned for it."""

    info: VideoInfo
    reader: FrameSource
    index: FrameIndex
    frames: Shot
    """The part to clean."""
    pictures: RgbPictures
    store: MaskStore
    masks: Masks
    region: Region
    plan: Plan
    target: Target | None
    """Where an output goes; None where none is asked."""
    output: OutputPlan | None
    """How the output is written; None where none is asked."""
    warnings: tuple[str, ...]
    device: str
    """Where the masks were computed; everything else runs on the CPU."""


@contextlib.contextmanager
def prepared(
    source: Path,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    progress: Progress,
    target: Target | None,
) -> Iterator[Job]:
    """Do everything that comes before the first picture is filled.

    Args:
        source: A video, or an image sequence: a pattern or a folder.
        prompts: What was pointed at.
        options: Of the run.
        progress: Told of the stages, of warnings and of notes.
        target: Where an output would go; None if none is planned.

    Yields:
        The job; its working data is deleted when the block ends.
    """
    check_prompts(prompts, options)
    tracker, chosen = _tracker(prompts, options)
    info = look_at(source, options.fps)
    output_plan = None if target is None else _planned(info, target, options)
    with files.work_folder() as work:
        reader = reader_of(info)
        shots = _scan(reader, info, progress)
        index = reader.index
        frames = frame_range(options.start, options.end, index)
        pictures, seen = RgbPictures(reader), RgbPictures(reader, shown=True)
        with MaskStore(work, info.size, index.num_frames) as store:
            masks = make_masks(
                seen, info, index, prompts, shots, frames, store, options, tracker, progress
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
            warnings += _of_output(output_plan, target, info, index)
            for message in warnings:
                progress.warn(message)
            for message in masks.segmentation.notes:
                progress.note(message)
            yield Job(
                info=info,
                reader=reader,
                index=index,
                frames=frames,
                pictures=pictures,
                store=store,
                masks=masks,
                region=region,
                plan=plan,
                target=target,
                output=output_plan,
                warnings=warnings,
                device=chosen,
            )


def _tracker(prompts: Sequence[Prompt], options: CleanOptions) -> tuple[Choice, str]:
    """What follows the objects and where that is computed.

    Masks that hold as they are need no tracker, and so nothing that could be missing.
    """
    chosen = device.resolve(options.device)
    if all(prompt.kind == "mask" and prompt.moment is None for prompt in prompts):
        return "builtin", chosen
    tracker = choose(options.tracker, options.sam2_weights, options.device)
    return tracker, tracker.device if isinstance(tracker, Sam2) else chosen


def _planned(info: VideoInfo, target: Target, options: CleanOptions) -> OutputPlan:
    return plan_output(
        info,
        target,
        codec=options.codec,
        crf=options.crf,
        lossless=options.lossless,
        container=options.format,
    )


def _of_output(
    plan: OutputPlan | None, target: Target | None, info: VideoInfo, index: FrameIndex
) -> tuple[str, ...]:
    """What is to be said of how the output differs, and of what lies where it goes."""
    if plan is None or target is None:
        return ()
    if not plan.is_sequence:
        return plan.warnings
    return (*plan.warnings, *delivery.leftovers(target, info, index.num_frames))


def _scan(reader: FrameSource, info: VideoInfo, progress: Progress) -> tuple[Shot, ...]:
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
