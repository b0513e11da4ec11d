"""A video looked at, masked and planned for: everything that comes before the fill."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from remover import device, keys, maskcache, workplace
from remover.companions import Companion, plan_companions
from remover.config import CleanOptions
from remover.journal import Journal
from remover.keys import Key
from remover.masking import Masks, make_masks
from remover.pixels import thumbnail
from remover.plan import cut_to, make_plan
from remover.region import GROWTH_GIVEN, GROWTH_TRACKED, Region
from remover.resolve import check_prompts, frame_range, with_handles
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
    plan_of_part,
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
    written: FrameIndex
    """The frames that are written, which are all of them unless a part is written alone."""
    pictures: RgbPictures
    store: MaskStore
    masks: Masks
    region: Region
    plan: Plan
    target: Target | None
    """Where an output goes; None where none is asked."""
    output: OutputPlan | None
    """How the output is written; None where none is asked."""
    companions: tuple[Companion, ...]
    """The files that are written beside it."""
    warnings: tuple[str, ...]
    device: str
    """Where the masks were computed; everything else runs on the CPU."""
    journal: Journal
    """What an interrupted run has done of this, and where what this one does is written down."""


@contextlib.contextmanager
def prepared(
    source: Path,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    progress: Progress,
    target: Target | None,
    sides: Mapping[str, Path] = MappingProxyType({}),
    *,
    writes: bool = True,
) -> Iterator[Job]:
    """Do everything that comes before the first picture is filled.

    Args:
        source: A video, or an image sequence: a pattern or a folder.
        prompts: What was pointed at.
        options: Of the run.
        progress: Told of the stages, of warnings and of notes.
        target: Where an output would go; None if none is planned.
        sides: Where each kind of file beside it would go.
        writes: Whether they are going to be written, so that a journal is kept.

    Yields:
        The job; its working data is deleted when the block ends well. When it does not, what a
        later run can go on with stays.
    """
    check_prompts(prompts, options)
    tracker, chosen = _tracker(prompts, options)
    info = look_at(source, options.fps)
    output_plan = None if target is None else _planned(info, target, options)
    companions = plan_companions(info, sides)
    masks_key = keys.mask_key(info, prompts, options, tracker, chosen)
    with contextlib.ExitStack() as open_things:
        journal = open_things.enter_context(
            _journal(masks_key, target if writes else None, options, progress)
        )
        reader = reader_of(info)
        shots = _scan(reader, info, progress)
        index = reader.index
        frames = frame_range(options.start, options.end, index)
        written, short = _written(options, frames, index)
        pictures = RgbPictures(reader)
        store, facts = _store(journal.folder, info, index, masks_key, progress)
        open_things.enter_context(store)
        masks = make_masks(
            pictures, info, index, prompts, shots, frames, store, options, tracker, progress, facts
        )
        if store.is_saved:
            maskcache.keep(masks_key, store.path)
        region = Region(store, grow=_growth(options, masks), soft=options.feather)
        plan = journal.plan or _plan(region, shots, frames, masks, info, index)
        journal.keep_plan(plan)
        warnings = (*info.warnings, *index.damage.messages(), *_doubts(masks, frames))
        warnings += (output_plan.warnings if output_plan else ()) + short
        _say(progress, warnings, masks.segmentation.notes)
        yield Job(
            info=info,
            reader=reader,
            index=index,
            frames=frames,
            written=written,
            pictures=pictures,
            store=store,
            masks=masks,
            region=region,
            plan=plan,
            target=target,
            output=output_plan,
            companions=companions,
            warnings=warnings,
            device=chosen,
            journal=journal,
        )


@contextlib.contextmanager
def _journal(
    masks_key: Key, target: Target | None, options: CleanOptions, progress: Progress
) -> Iterator[Journal]:
    """The journal for ``target``; where none can be kept, a place that goes with the block."""
    key = keys.result_key(masks_key, options)
    if isinstance(target, Path):
        with workplace.journaled(target, key, options, progress) as journal:
            yield journal
        return
    with workplace.temporary(options.work) as folder, Journal(folder, key, is_kept=False) as empty:
        yield empty


def _store(
    folder: Path, info: VideoInfo, index: FrameIndex, key: Key, progress: Progress
) -> tuple[MaskStore, dict[str, Any] | None]:
    """The masks that are there already, with what is known of them, or an empty store."""
    found = MaskStore.reopened(folder, info.size, index.num_frames)
    if found is None and maskcache.fetch(key, folder):
        found = MaskStore.reopened(folder, info.size, index.num_frames)
        if found is not None:
            progress.note("the masks are those of an earlier run with the same prompts")
    return found or (MaskStore(folder, info.size, index.num_frames), None)


def _plan(
    region: Region,
    shots: Sequence[Shot],
    frames: Shot,
    masks: Masks,
    info: VideoInfo,
    index: FrameIndex,
) -> Plan:
    boxes, areas = region.extents(frames, index.num_frames)
    return make_plan(
        shots,
        boxes,
        areas,
        info.size,
        span=masks.span,
        bytes_per_sample=1 if info.layout.bit_depth == 8 else 2,
        budget_bytes=device.picture_budget(),
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
    plan = plan_output(
        info,
        target,
        codec=options.codec,
        crf=options.crf,
        lossless=options.lossless,
        container=options.format,
    )
    return plan_of_part(plan) if options.trim else plan


def _written(
    options: CleanOptions, frames: Shot, index: FrameIndex
) -> tuple[FrameIndex, tuple[str, ...]]:
    """The frames to write, and what is to be said about them."""
    if not options.trim:
        return index, ()
    part, message = with_handles(frames, options.handles, index.num_frames)
    return index.part(part.start, part.stop), (message,) if message else ()


def _scan(reader: FrameSource, info: VideoInfo, progress: Progress) -> tuple[Shot, ...]:
    """Decode everything once: count the frames, keep their times, find the cuts."""
    progress.start("scan", info.num_frames_hint or None)
    finder = ShotFinder()
    for frame in reader.scan():
        finder.push(thumbnail(frame.planes, info.layout, info.colour, THUMBNAIL_WIDTH))
        progress.advance()
    return finder.finish()


def _say(progress: Progress, warnings: Sequence[str], notes: Sequence[str]) -> None:
    for message in warnings:
        progress.warn(message)
    for message in notes:
        progress.note(message)


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
