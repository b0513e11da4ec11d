"""The story: from a video and something pointed at to the same video without it.

``clean`` reads as the README does: look at the file, find the shots, make the masks, plan, fill
and write, verify, publish. ``mask``, ``preview`` and ``dry_run`` stop on the way.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Concatenate, ParamSpec, TypeVar

from remover import delivery, device, files
from remover import preview as sheets
from remover.companions import verify_companions
from remover.compose import FillTotals, write_cleaned
from remover.config import CleanOptions
from remover.errors import InputError, OutputError, RemoverError, WeightsError, memory_ran_out
from remover.job import Job, prepared
from remover.marking import is_judged, verdict_of
from remover.mask_output import write_masks
from remover.progress import Progress, Silent
from remover.report import Promises, Report, versions
from remover.types import Moment, Prompt, Shot
from remover.video import Pipe, RgbPictures, Target, is_video_name, verify_output

NO_SIDES: Mapping[str, Path] = MappingProxyType({})


_Output = TypeVar("_Output")
_More = ParamSpec("_More")
_Verb = Callable[Concatenate[Path, _Output, Sequence[Prompt], CleanOptions, _More], Report]


def _in_words(verb: _Verb[_Output, _More]) -> _Verb[_Output, _More]:
    """Let ``verb`` say in a sentence what the machine refuses and nobody on the way could say."""

    @functools.wraps(verb)
    def said(
        source: Path,
        output: _Output,
        prompts: Sequence[Prompt],
        options: CleanOptions,
        /,
        *rest: _More.args,
        **more: _More.kwargs,
    ) -> Report:
        try:
            return verb(source, output, prompts, options, *rest, **more)
        except (RemoverError, BrokenPipeError):
            raise
        except Exception as error:
            if device.is_out_of_memory(error):
                raise memory_ran_out() from error
            if isinstance(error, OSError) and isinstance(error.filename, str | Path):
                raise _refused(error, Path(error.filename), source, prompts, options) from error
            raise

    return said


def _refused(
    error: OSError,
    place: Path,
    source: Path,
    prompts: Sequence[Prompt],
    options: CleanOptions,
) -> RemoverError:
    """What it means that the system refuses ``place``: an input, a checkpoint or an output."""
    inputs = {source, *(prompt.path for prompt in prompts if prompt.path is not None)}
    here = {place, *place.parents}
    reason, hint = files.reason_of(error), "check that it is there and who may read it"
    if here & inputs:
        return InputError(f"`{place}` cannot be read: {reason}", hint=hint)
    if options.sam2_weights is not None and Path(options.sam2_weights) in here:
        return WeightsError(f"the checkpoint `{place}` cannot be read: {reason}", hint=hint)
    return files.from_os_error(error, place)


@_in_words
def clean(
    source: Path,
    output: Target | None,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    progress: Progress | None = None,
    sides: Mapping[str, Path] = NO_SIDES,
) -> Report:
    """Write ``source`` without what ``prompts`` point at.

    Args:
        source: A video file, or an image sequence: a pattern (``shot/%05d.png``) or a folder.
        output: Where to write: a file, a pattern or folder of pictures, or a pipe; None is
            beside the input, ``<stem>.clean<suffix>`` or ``<folder>.clean``.
        prompts: Boxes, clicks and masks.
        options: How.
        progress: Where to say how far it is.
        sides: Files to write beside the output by their kind: ``layer``, ``matte``, ``compare``,
            ``source_map``.

    Returns:
        What was done, with the promises checked.

    Raises:
        RemoverError: Any error that a user can cause; nothing is left under the target's name.
    """
    began = time.monotonic()
    progress = progress or Silent()
    target = output or delivery.default_output(source)
    sides = delivery.side_targets(sides)
    options = delivery.settled(target, sides, source, options)
    _check(target, source, sides, options)
    with prepared(source, prompts, options, progress, target, sides) as job:
        assert job.output is not None
        delivery.say_format(target, job.output.container, progress)
        with delivery.delivering_all(target, source, sides, options, progress) as (part, parts):
            grain = options.grain == "auto"
            totals = write_cleaned(job, part, options.seed, progress, parts, grain=grain)
            progress.start("verify", None)
            times_equal, streams_equal = verify_output(
                part, job.info, job.written, job.output, totals.written
            )
            verify_companions(job.companions, job.written, parts, totals.sides)
            job.reader.check_unchanged()  # sound and tags were copied from it meanwhile
            job.journal.begin_publishing(
                {target: part, **{sides[kind]: written for kind, written in parts.items()}}
            )
        return _report(
            job,
            "clean",
            source,
            target,
            prompts,
            options,
            began,
            sides=_said(sides),
            **_filled(job, totals),
            promises=Promises(
                samples_changed_outside=0,
                frames_equal=True,
                times_equal=times_equal,
                streams_equal=streams_equal,
            ),
        )


@_in_words
def mask(
    source: Path,
    output: Target,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    progress: Progress | None = None,
    sides: Mapping[str, Path] = NO_SIDES,
) -> Report:
    """Write only the masks, grown by ``dilate``: a folder of PNGs or a lossless gray video.

    Args:
        source: As of ``clean``.
        output: A folder, a video file or a pipe.
        prompts: As of ``clean``.
        options: How.
        progress: Where to say how far it is.
        sides: Files to write beside the masks by their kind: ``overlay``.
    """
    began = time.monotonic()
    progress = progress or Silent()
    sides = delivery.side_targets(sides)
    container = options.format or ("matroska" if isinstance(output, Pipe) else None)
    is_video = container is not None or (isinstance(output, Path) and is_video_name(output))
    if isinstance(output, Path):
        files.check_target(output, source, overwrite=options.overwrite)
    if isinstance(output, Path) and output.suffix and not is_video and not output.is_dir():
        raise OutputError(
            f"masks cannot be written to `{output}`",
            hint="name a folder (masks/) or a video (masks.mkv, masks.mp4, masks.mov)",
        )
    delivery.check_sides(sides, output, source, options)
    with prepared(source, prompts, options, progress, None, sides, fills=False) as job:
        with (
            files.undoing() as undo,
            _publishing_masks(output, options, progress) as part,
            delivery.delivering_sides(sides, undo, options, progress) as parts,
        ):
            written = write_masks(job, part, output, progress, parts, container, is_video=is_video)
            verify_companions(job.companions, job.index, parts, written)
            if sides:
                job.reader.check_unchanged()  # sound and tags were copied from it meanwhile
        return _report(job, "mask", source, output, prompts, options, began, sides=_said(sides))


@_in_words
def dry_run(
    source: Path,
    output: Target | None,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    progress: Progress | None = None,
    sides: Mapping[str, Path] = NO_SIDES,
) -> Report:
    """Plan as ``clean`` would, write nothing."""
    began = time.monotonic()
    target = output or delivery.default_output(source)
    sides = delivery.side_targets(sides)
    _check(target, source, sides, options)
    with prepared(
        source, prompts, options, progress or Silent(), target, sides, writes=False
    ) as job:
        return _report(job, "dry_run", source, target, prompts, options, began, device=job.device)


@_in_words
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
    with prepared(source, prompts, options, progress or Silent(), None) as job:
        pictures = RgbPictures(job.reader, shown=True)
        first, stop = job.frames
        segmentation = job.masks.segmentation
        verdicts = [verdict_of(segmentation, i) for i in range(job.index.num_frames)]
        is_shown = [
            first <= i < stop and (not job.store.is_empty(i) or (one and one.state) == "lost")
            for i, one in enumerate(verdicts)
        ]
        confidence = segmentation.confidence.tolist() if is_judged(segmentation) else None

        hand = job.hand

        def get_tile(i: int) -> Any:
            picture = next(iter(pictures.read(i, i + 1)))
            label = f"frame {i}, {float(job.index.time_of(i)):.2f} s"
            marked = [
                (store.mask(i), tint)
                for store, tint in ((hand.keep, sheets.KEPT), (hand.no_source, sheets.NO_SOURCE))
                if store is not None
            ]
            if job.region.kept(i) is not None:
                marked.append((job.region.barred(i), sheets.NO_SOURCE))
            hole, shadow = job.region.object_hole(i), job.region.shadow(i)
            if shadow is not None:
                marked.append((shadow & ~hole, sheets.SHADOW))
            return sheets.tile(picture, hole, job.info, label, marked, verdicts[i])

        frames = sheets.choose_frames(is_shown, confidence=confidence)
        canvas = sheets.contact_sheet(frames, get_tile)
        with files.publishing(sheet, overwrite=options.overwrite) as part:
            sheets.write_png(part, canvas)
        return _report(job, "preview", source, sheet, prompts, options, began)


def _check(target: Target, source: Path, sides: Mapping[str, Path], options: CleanOptions) -> None:
    """Refuse what cannot or must not be written, before any work."""
    delivery.check(target, source, options)
    delivery.check_sides(sides, target, source, options)


@contextlib.contextmanager
def _publishing_masks(
    output: Target, options: CleanOptions, progress: Progress
) -> Iterator[Target]:
    """Where to write masks now: a hidden path that is published in the end, or the pipe."""
    if isinstance(output, Pipe):
        yield output
        return
    delivery.reclaim(output, progress)
    with files.publishing(output, overwrite=options.overwrite) as part:
        yield part


def _said(sides: Mapping[str, Path]) -> dict[str, str]:
    return {kind: str(path) for kind, path in sides.items()}


def _report(
    job: Job,
    command: str,
    source: Path,
    target: Target,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    began: float,
    **details: Any,
) -> Report:
    segmentation = job.masks.segmentation
    return Report(
        command=command,
        input=source,
        output=target if isinstance(target, Path) else Path(target.name),
        options={k: _plain(v) for k, v in asdict(options).items()},
        prompts=tuple(p.text for p in prompts),
        plan=job.plan,
        written=Shot(job.written.first, job.written.first + job.written.num_frames),
        tracker=segmentation.tracker,
        objects={
            str(number): {
                "tracker": name,
                "painter": job.painters.names.get(number) if "painter" in details else None,
            }
            for number, name in segmentation.trackers.items()
        },
        span=job.masks.span,
        frames_without_mask=sum(job.store.is_empty(i) for i in range(job.index.num_frames)),
        unsure=segmentation.unsure,
        lost=segmentation.lost,
        shadows={} if job.light.shades is None else job.light.shades.counts,
        warnings=(*job.warnings, *details.pop("changes", ())),
        notes=(*segmentation.notes, *job.light.notes),
        seconds=time.monotonic() - began,
        peak_memory_bytes=device.peak_memory(),
        versions=versions(),
        weights={**segmentation.weights, **_network_weights(job)},
        codec=None if job.output is None else job.output.encoder,
        pixel_format=None if job.output is None else job.output.layout.name,
        encoder_threads=None if job.output is None else job.output.threads,
        **details,
    )


def _filled(job: Job, totals: FillTotals) -> dict[str, Any]:
    """What a report says of the fill."""
    return {
        "painter": job.painters.name,
        "painter_licence": job.painters.licence,
        "device": job.device,
        "changes": tuple(totals.changes),
        "copied_share": totals.copied_share,
        "painted_share": totals.painted_share,
        "relit_share": totals.relit_share,
        "mean_confidence": totals.mean_confidence,
        "resumed_frames": job.journal.frames_done,
    }


def _network_weights(job: Job) -> Mapping[str, str]:
    return {} if job.painters.network is None else job.painters.network.sha256


def _plain(value: Any) -> Any:
    """A moment's fields as they are written on the command line; other values as they are."""
    if isinstance(value, dict):
        return str(Moment(**value))
    return value
