"""Measurements that anybody can repeat: quality against known truth, speed of the trackers."""

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import numpy.typing as npt

from remover import pipeline
from remover.config import CleanOptions
from remover.errors import InputError
from remover.files import work_folder
from remover.judge import feature_distance, is_looked_at
from remover.metrics import Score, Scorer
from remover.preview import write_png
from remover.progress import Silent
from remover.prompts import parse_box, parse_mask
from remover.segment import MaskStore, load_masks, segment
from remover.types import RGB, Mask, MaskPrompt, Prompt, Shot, VideoInfo
from remover.video import RgbPictures, look_at, reader_of

COLUMNS = (
    ("psnr_mask", "PSNR mask", ".2f"),
    ("features", "features", ".2f"),
    ("psnr_box", "PSNR box", ".2f"),
    ("ssim_box", "SSIM box", ".3f"),
    ("leftover", "leftover", ".3f"),
    ("dtssd", "dtSSD", ".1f"),
    ("psnr_effects", "PSNR shadow", ".2f"),
    ("outside", "outside", ".3f"),
    ("recall", "recall", ".3f"),
    ("similarity", "J", ".3f"),
    ("copied_share", "copied", ".2f"),
    ("seconds_per_frame", "s/frame", ".2f"),
)
"""Figures of a case: name, title in the table, format."""

SUMMARIES: Mapping[str, Callable[[Sequence[float]], float]] = {"mean": fmean, "median": median}
"""Rows of the table below the cases."""

NETWORK_SIDES = (512, 1024)
"""Sides of SAM 2's input that are timed."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What one case gave."""

    case: str
    prompt: str
    """``mask`` or ``box``."""
    score: Score
    copied_share: float
    seconds_per_frame: float


def cases(folder: Path) -> list[Path]:
    """The case folders below ``folder``, in name order.

    Raises:
        InputError: There is none.
    """
    found = sorted(p.parent for p in folder.glob("*/case.json"))
    if not found:
        raise InputError(
            f"`{folder}` holds no benchmark case",
            hint="a case is a folder with case.json, input.mp4, clean.mp4 and masks/",
        )
    return found


def run_case(case: Path, prompt: str, output: Path) -> CaseResult:
    """Clean one case losslessly to ``output`` and score it.

    Args:
        case: A folder with ``case.json``, ``input.mp4``, ``clean.mp4`` and ``masks/``.
        prompt: ``mask`` for the exact masks, ``box`` for the box of ``case.json``.
        output: The cleaned video; replaced if it is there.
    """
    facts = json.loads((case / "case.json").read_text())
    prompts = [_prompt(case, facts, prompt)]
    options = CleanOptions(lossless=True, overwrite=True, shadows="remove")
    report = pipeline.clean(case / "input.mp4", output, prompts, options)
    with work_folder() as work:
        predicted = None
        if prompt == "box":
            predicted = work / "masks"
            ungrown = CleanOptions(dilate=0, feather=0)
            pipeline.mask(case / "input.mp4", predicted, prompts, ungrown)
        score = score_video(case, output, predicted, facts["cuts"])
    return CaseResult(
        case=case.name,
        prompt=prompt,
        score=score,
        copied_share=report.copied_share or 0.0,
        seconds_per_frame=report.seconds / report.plan.num_frames,
    )


def _prompt(case: Path, facts: dict[str, Any], prompt: str) -> Prompt:
    if prompt == "mask":
        return parse_mask(str(case / "masks"))
    box = ",".join(str(v) for v in facts["clear_box"])
    return parse_box(f"{box}@{facts['clear_frame']}")


def score_video(case: Path, output: Path, predicted: Path | None, cuts: Sequence[int]) -> Score:
    """Score a cleaned video against the truth of its case, frame by frame."""
    with work_folder() as work:
        info, source = open_video(case / "input.mp4")
        count = source.num_frames
        true = list(masks_of(case / "masks", info, count, work / "true"))
        effects = _optional_masks(case / "effects", info, count, work / "effects")
        held = _optional_masks(predicted, info, count, work / "predicted")
        scorer = Scorer()
        streams = (open_video(p)[1].read(0, count) for p in (output, case / "clean.mp4"))
        for i, pictures in enumerate(zip(*streams, source.read(0, count), strict=True)):
            shown, clean, original = (as_8_bit(picture) for picture in pictures)
            scorer.add(
                shown,
                clean,
                original,
                true[i],
                effects=effects[i],
                predicted=held[i],
                features=feature_distance(shown, clean, true[i])
                if is_looked_at(i, true[i])
                else None,
                is_cut=i in cuts,
            )
    return scorer.result()


def open_video(path: Path) -> tuple[VideoInfo, RgbPictures]:
    """A video, or an image sequence, with its frames counted."""
    info = look_at(path)
    reader = reader_of(info)
    for _ in reader.scan():
        continue
    return info, RgbPictures(reader)


def masks_of(path: Path, info: VideoInfo, count: int, work: Path) -> Iterator[Mask]:
    """The masks of all frames of a video, in order."""
    work.mkdir()
    with MaskStore(work, info.size, count) as store:
        load_masks(path, info, count, store, object_id=1, invert=False, first=0, stop=count)
        for i in range(count):
            yield store.mask(i)


def _optional_masks(
    path: Path | None, info: VideoInfo, count: int, work: Path
) -> Sequence[Mask | None]:
    if path is None or not path.is_dir():
        return [None] * count
    return list(masks_of(path, info, count, work))


def as_8_bit(picture: RGB) -> npt.NDArray[np.uint8]:
    """The picture with 8 bits a sample."""
    return np.asarray(picture if picture.dtype == np.uint8 else picture >> 8, np.uint8)


def write_sheet(case: Path, output: Path, sheet: Path, rows: int = 4) -> None:
    """Write a PNG: input, result and truth side by side, ``rows`` frames spread over the clip."""
    shown = [open_video(p)[1] for p in (case / "input.mp4", output, case / "clean.mp4")]
    places = np.linspace(0, shown[0].num_frames - 1, rows + 2).round().astype(int)[1:-1]
    lines = []
    for place in places:
        tiles = [as_8_bit(next(iter(clip.read(place, place + 1)))) for clip in shown]
        lines.append(np.hstack(tiles))
    write_png(sheet, np.vstack(lines))


def quality_table(results: Sequence[CaseResult]) -> str:
    """Markdown: one table for each kind of prompt, with means and medians."""
    parts = []
    for prompt, title in (("mask", "Exact masks"), ("box", "One box")):
        chosen = [r for r in results if r.prompt == prompt]
        if not chosen:
            continue
        parts.append(f"### {title}\n\n" + "\n".join(_table_lines(chosen, prompt)))
    return "\n\n".join(parts) + "\n"


def _table_lines(results: Sequence[CaseResult], prompt: str) -> list[str]:
    columns = [c for c in COLUMNS if prompt == "box" or c[0] not in ("recall", "similarity")]
    lines = [(result.case, _figures(result)) for result in results]
    lines += [(f"**{name}**", _over_cases(results, how)) for name, how in SUMMARIES.items()]
    rows = [["case", *(title for _, title, _ in columns)], ["---"] * (1 + len(columns))]
    rows += [[name, *(_text(f[key], spec) for key, _, spec in columns)] for name, f in lines]
    return ["| " + " | ".join(row) + " |" for row in rows]


def _figures(result: CaseResult) -> dict[str, float]:
    """The figures of ``COLUMNS`` of a case by name."""
    every = {**asdict(result), **asdict(result.score)}
    return {name: every[name] for name, _, _ in COLUMNS}


def _over_cases(
    results: Sequence[CaseResult], how: Callable[[Sequence[float]], float]
) -> dict[str, float]:
    """Each figure over the cases to which it applies; NaN where it applies to none."""
    found = {}
    for name, _, _ in COLUMNS:
        known = [f for f in (_figures(r)[name] for r in results) if not math.isnan(f)]
        found[name] = float(how(known)) if known else math.nan
    return found


def _text(figure: float, spec: str) -> str:
    return "-" if math.isnan(figure) else format(figure, spec)


def to_json(results: Sequence[CaseResult]) -> list[dict[str, Any]]:
    """The results as plain values; figures that do not apply are None."""
    return [{**asdict(result), "score": _plain(asdict(result.score))} for result in results]


def summaries_to_json(results: Sequence[CaseResult]) -> dict[str, dict[str, dict[str, Any]]]:
    """Mean and median over the cases, by kind of prompt; figures that do not apply are None."""
    return {
        prompt: {
            name: _plain(_over_cases([r for r in results if r.prompt == prompt], how))
            for name, how in SUMMARIES.items()
        }
        for prompt in dict.fromkeys(r.prompt for r in results)
    }


def _plain(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {k: None if math.isnan(v) else v for k, v in figures.items()}


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast a tracker followed one object through the first frames of a clip."""

    clip: str
    tracker: str
    side: int | None
    """Side of the network's input in pixels; None where there is no network."""
    device: str
    frames: int
    """The prompted one counted."""
    seconds: float
    """Decoding counted, building the network not."""

    @property
    def frames_per_second(self) -> float:
        """Frames a second."""
        return self.frames / self.seconds


def clips(path: Path) -> list[Path]:
    """The videos to time trackers on: ``path`` itself, or the inputs of the cases below it.

    Raises:
        InputError: A folder holds no case.
    """
    return [case / "input.mp4" for case in cases(path)] if path.is_dir() else [path]


def track_speed(path: Path, num_frames: int, device: str) -> Iterator[Speed]:
    """Time the built-in tracker, then SAM 2 tiny with random weights at each of its sides.

    The object is the middle of the first frame; what is found there does not count.

    Args:
        path: A video.
        num_frames: How many frames to follow through, at most.
        device: Where SAM 2 computes, as ``cpu`` or ``cuda:0``.
    """
    from remover.segment import sam2
    from remover.segment.follow import Task, follow
    from remover.segment.hints import Hints
    from remover.segment.judgement import Judgement

    info, pictures = open_video(path)
    shot = Shot(0, min(num_frames, pictures.num_frames))
    middle: Mask = np.zeros(info.size, np.bool_)
    top, left = info.size.height // 3, info.size.width // 3
    middle[top : 2 * top + 1, left : 2 * left + 1] = True

    def speed(tracker: str, side: int | None, where: str, began: float) -> Speed:
        return Speed(
            path.parent.name if path.name == "input.mp4" else path.name,
            tracker,
            side,
            where,
            shot.stop,
            time.monotonic() - began,
        )

    with work_folder() as work, MaskStore(work, info.size, pictures.num_frames) as store:
        prompts = [MaskPrompt(0, 1, middle)]
        began = time.monotonic()
        segment(pictures, prompts, [shot], store, tracker="builtin", progress=Silent())
        yield speed("builtin", None, "cpu", began)
        task = Task(shot, {1: {0: Hints(mask=middle)}})
        for side in NETWORK_SIDES:
            network = sam2.build(replace(sam2.CONFIGS["tiny"], image_size=side), device)
            judgement = Judgement(
                np.ones(pictures.num_frames, np.float32), np.zeros(pictures.num_frames, np.bool_)
            )
            began = time.monotonic()
            follow(network, pictures, [task], store, judgement, Silent())
            yield speed("sam2:tiny", side, device, began)


def speed_table(results: Sequence[Speed]) -> str:
    """Markdown: one row for each clip and tracker."""
    rows = [["clip", "tracker", "side", "device", "frames", "frames/s"], ["---"] * 6]
    for result in results:
        side = "-" if result.side is None else str(result.side)
        rate = format(result.frames_per_second, ".3g")
        rows.append([result.clip, result.tracker, side, result.device, str(result.frames), rate])
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def speeds_to_json(results: Sequence[Speed]) -> list[dict[str, Any]]:
    """The results as plain values."""
    return [{**asdict(r), "frames_per_second": r.frames_per_second} for r in results]
