"""A video looked at, masked and planned for: everything that comes before the fill."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from remover import delivery, device, keys, maskcache, workplace
from remover.byhand import ByHand, by_hand
from remover.companions import Companion, plan_companions
from remover.config import CleanOptions
from remover.errors import VerifyError
from remover.fill import Scene as PaintScene
from remover.fill import paint_plan
from remover.journal import Journal
from remover.keys import Key
from remover.light import Light, Scene, lit
from remover.masking import Masks, make_masks
from remover.painters import Painters, choose_painters, idle_settings
from remover.painting import Joins
from remover.pixels import thumbnail
from remover.plan import cut_to, make_plan
from remover.progress import Progress
from remover.region import GROWTH_GIVEN, GROWTH_TRACKED, Region
from remover.report import time_text
from remover.resolve import check_prompts, frame_range, with_handles
from remover.segment import Choice, MaskStore, Sam2, Style, choose
from remover.shots import ShotFinder
from remover.types import Plan, Prompt, Shot, VideoInfo
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
    hand: ByHand
    """What the user brought; what is to be kept is out of the region already."""
    painters: Painters
    light: Light
    """How the camera moves, and the shadows of what is removed."""
    plan: Plan
    target: Target | None
    """Where an output goes; None where none is asked."""
    output: OutputPlan | None
    """How the output is written; None where none is asked."""
    companions: tuple[Companion, ...]
    """The files that are written beside it."""
    warnings: tuple[str, ...]
    device: str
    """Where the masks were computed; everything else but a painting network runs on the CPU."""
    journal: Journal
    """What an interrupted run has done of this, and where what this one does is written down."""


@dataclass(frozen=True, slots=True)
class _Scanned:
    """What one decode of the whole video tells."""

    reader: FrameSource
    """With its index."""
    shots: tuple[Shot, ...]
    frames: Shot
    """The part to clean."""


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
    fills: bool = True,
) -> Iterator[Job]:
    """Do everything that comes before the first picture is filled, and yield the job.

    Its working data is deleted when the block ends well, else kept for a run that goes on with it.

    Args:
        source: A video, or an image sequence: a pattern or a folder.
        prompts: What was pointed at.
        options: Of the run.
        progress: Told of the stages, of warnings and of notes.
        target: Where an output would go; None if none is planned.
        sides: Where each kind of file beside it would go.
        writes: Whether they are going to be written, so that a journal is kept.
        fills: Whether what the fill needs is looked at; the masks alone do not need it.
    """
    trackers, chosen = _trackers(prompts, options)
    info = look_at(source, options.fps)
    output_plan = None if target is None else _planned(info, target, options)
    companions = plan_companions(info, sides)
    reader = reader_of(info)  # knows from here on whether the input changes
    painters = Painters() if target is None else choose_painters(prompts, options)
    masks_key = keys.mask_key(info, prompts, options, trackers, chosen)
    key = keys.result_key(masks_key, prompts, options, painters.key)
    with contextlib.ExitStack() as open_things:
        enter = open_things.enter_context
        journal = enter(_journal(key, target if writes else None, options, progress))
        found = _scan(reader, options, progress)
        index, frames = reader.index, found.frames
        written, short = _written(options, frames, index)
        hand = enter(by_hand(prompts, info, index, frames.start, journal.folder))
        work = journal.folder, masks_key
        store, masks = enter(_masked(found, prompts, options, trackers, hand, work, progress))
        keys.check_read(journal.key, prompts)
        warnings = (*info.warnings, *index.damage.messages(), *_doubts(masks, frames, options))
        region = Region(store, grow=_growth(options, masks), soft=options.feather, keep=hand.keep)
        planned = partial(_plan_of, region, found, masks, painters, options)
        scene = Scene(RgbPictures(reader), region, masks, hand, planned)
        seen, plan = enter(lit(scene, options.shadows, journal, progress, fills=fills))
        warnings += (*hand.doubts(plan), *_idle(prompts, options, painters, trackers))
        warnings += (*_of_output(output_plan, target, info, written), *short)
        _say(progress, warnings, (*masks.segmentation.notes, *seen.notes, *_cost_of(plan)))
        yield Job(
            info=info,
            reader=reader,
            index=index,
            frames=frames,
            written=written,
            pictures=scene.pictures,
            store=store,
            masks=masks,
            region=region,
            hand=hand,
            painters=painters,
            light=seen,
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
    key: Key,
    target: Target | None,
    options: CleanOptions,
    progress: Progress,
) -> Iterator[Journal]:
    """The journal for ``target``; where none can be kept, a place that goes with the block."""
    if isinstance(target, Path):
        with workplace.journaled(target, key, options, progress) as journal:
            yield journal
        return
    with workplace.temporary(options.work) as folder, Journal(folder, key, is_kept=False) as empty:
        yield empty


@contextlib.contextmanager
def _masked(
    found: _Scanned,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    trackers: Mapping[int, Choice],
    hand: ByHand,
    place: tuple[Path, Key],
    progress: Progress,
) -> Iterator[tuple[MaskStore, Masks]]:
    """The masks, in a store in the folder of ``place``, or from the cache under its key."""
    info, index = found.reader.info, found.reader.index
    folder, key = place
    store, facts = _store(folder, info, index, key, progress)
    with store:
        masks = make_masks(
            RgbPictures(found.reader, shown=True),
            info,
            index,
            prompts,
            found.shots,
            found.frames,
            store,
            options,
            trackers,
            progress,
            facts=facts,
            also=hand.frames_beside(found.frames, found.shots),
        )
        if store.is_saved:
            maskcache.keep(key, store.path)
        yield store, masks


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


def _trackers(prompts: Sequence[Prompt], options: CleanOptions) -> tuple[dict[int, Choice], str]:
    """What follows each object and where that is computed.

    Masks that hold as they are need no tracker, and so nothing that could be missing.
    """
    check_prompts(prompts, options)
    names = {p.object_id: options.tracker_of(p.object_id) for p in prompts if p.is_tracked}
    style = Style(options.sam2_memory, options.sam2_motion, options.sam2_refine)
    found = {
        name: choose(name, options.sam2_weights, options.device, style)
        for name in dict.fromkeys(names.values())
    }
    devices = [choice.device for choice in found.values() if isinstance(choice, Sam2)]
    chosen = devices[0] if devices else device.resolve(options.device)
    return {object_id: found[name] for object_id, name in sorted(names.items())}, chosen


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


def _of_output(
    plan: OutputPlan | None, target: Target | None, info: VideoInfo, written: FrameIndex
) -> tuple[str, ...]:
    """What is to be said of how the output differs, and of what lies where it goes."""
    if plan is None or target is None:
        return ()
    if not plan.is_sequence:
        return plan.warnings
    return (*plan.warnings, *delivery.leftovers(target, info, written))


def _scan(reader: FrameSource, options: CleanOptions, progress: Progress) -> _Scanned:
    """Decode everything once: count the frames, keep their times, find the cuts."""
    info, finder = reader.info, ShotFinder()
    progress.start("scan", info.num_frames_hint or None)
    for frame in reader.scan():
        finder.push(thumbnail(frame.planes, info.layout, info.colour, THUMBNAIL_WIDTH))
        progress.advance()
    return _Scanned(reader, finder.finish(), frame_range(options.start, options.end, reader.index))


def _plan_of(
    region: Region, found: _Scanned, masks: Masks, painters: Painters, options: CleanOptions
) -> Plan:
    info, shots = found.reader.info, found.shots
    boxes, areas = region.extents(found.frames, shots[-1].stop)
    usable = cut_to(shots, masks.span.start, masks.span.stop)
    depth = 1 if info.layout.bit_depth == 8 else 2
    painting = None
    if painters.network is not None:
        painting = paint_plan(
            painters.network,
            PaintScene(usable, boxes, info.size, depth),
            steps=options.steps,
            joins=Joins(options.joins),
        )
    return make_plan(
        shots,
        boxes,
        areas,
        info.size,
        span=masks.span,
        bytes_per_sample=depth,
        budget_bytes=device.picture_budget(),
        tracking=masks.segmentation.cost,
        painting=painting,
    )


def _cost_of(plan: Plan) -> Iterator[str]:
    """What a network on the CPU is going to take, since that may be hours."""
    painting = plan.painting
    if painting is not None and painting.device == "cpu" and painting.seconds is not None:
        yield (
            f"painting with a network on the CPU takes up to about {time_text(painting.seconds)} "
            f"and {painting.memory_bytes / 1e9:.1f} GB"
        )


def _say(progress: Progress, warnings: Sequence[str], notes: Sequence[str]) -> None:
    for message in warnings:
        progress.warn(message)
    for message in notes:
        progress.note(message)


def _growth(options: CleanOptions, masks: Masks) -> int:
    if options.dilate is not None:
        return options.dilate
    return GROWTH_GIVEN if masks.segmentation.tracker == "mask" else GROWTH_TRACKED


def _doubts(masks: Masks, frames: Shot, options: CleanOptions) -> tuple[str, ...]:
    """What the user should look at before trusting the masks.

    Raises:
        VerifyError: There is something, and no doubt is allowed.
    """
    found = []
    for parts, what in (
        (masks.segmentation.unsure, "the object may be lost, or its mask wrong"),
        (masks.segmentation.lost, "the object was not found"),
    ):
        for part in cut_to(parts, frames.start, frames.stop):
            found.append(
                f"check frames {part.start} to {part.stop - 1}: {what}; "
                f"correct it there with --box x,y,w,h@{part.start}"
            )
    if options.strict and found:
        raise _too_unsure(found)
    return tuple(found)


def _too_unsure(doubts: Sequence[str]) -> VerifyError:
    """What ``--strict`` makes of masks that may be wrong."""
    first, _, way_out = doubts[0].partition("; ")
    more = f", and {len(doubts) - 1} more like it" if len(doubts) > 1 else ""
    return VerifyError(
        f"`--strict` allows no doubtful mask: {first}{more}",
        hint=f"{way_out}, or leave `--strict` out",
    )


def _idle(
    prompts: Sequence[Prompt],
    options: CleanOptions,
    painters: Painters,
    trackers: Mapping[int, Choice],
) -> Iterator[str]:
    """Settings of objects that nothing points at, and of networks where none paints or tracks."""
    yield from idle_settings(painters, options)
    if not any(isinstance(tracker, Sam2) for tracker in trackers.values()):
        asked = {"--sam2-memory gated": options.sam2_memory == "gated"}
        asked |= {"--sam2-motion": options.sam2_motion, "--sam2-refine": options.sam2_refine}
        for flag in (flag for flag, is_on in asked.items() if is_on):
            yield f"`{flag}` changes nothing: no object is followed by SAM 2"
    known = {prompt.object_id for prompt in prompts if prompt.is_target}
    for one in options.objects:
        if one.number not in known:
            yield f"`[object.{one.number}]` is set, but no prompt names the object `#{one.number}`"
