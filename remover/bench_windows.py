"""How much windows of a network show where they meet, for each way to join them.

A video is cleaned without copying, once for each way, and the change from frame to frame inside the
hole is compared between the joins and everywhere else. A seam of 1 is no seam.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from remover import pipeline
from remover.bench import open_video
from remover.errors import InputError
from remover.files import work_folder
from remover.fill.joins import adjacent, overlapping
from remover.options import CleanOptions
from remover.painting import Joins, PaintPlan
from remover.progress import Progress
from remover.segment import load_masks
from remover.segment.store import MaskStore
from remover.types import Mask, Plan, Prompt, Window

GROUP = 4
"""Frames of a latent frame."""


@dataclass(frozen=True, slots=True)
class Seam:
    """What one way to join windows gave."""

    joins: str
    num_windows: int
    """Windows of the network."""
    num_joins: int
    """Changes from frame to frame at which they meet."""
    at_joins: float
    """Mean change there, levels."""
    elsewhere: float
    """Mean change inside windows, levels."""
    seconds_per_frame: float

    @property
    def seam(self) -> float:
        """How many times more changes at joins than elsewhere."""
        return self.at_joins / self.elsewhere if self.elsewhere else float("nan")


def seams(
    source: Path, prompts: Sequence[Prompt], options: CleanOptions, progress: Progress
) -> Iterator[Seam]:
    """Clean ``source`` once for each of ``Joins``, and compare.

    Args:
        source: A video that needs more than one window.
        prompts: What to remove.
        options: Of the runs; copying is left out whatever they say.
        progress: Told of the stages.

    Raises:
        InputError: One window holds all.
        RemoverError: As for ``clean``.
    """
    with work_folder() as work:
        for joins in Joins:
            out, masks = work / f"{joins}.mkv", work / f"{joins}-masks"
            chosen = replace(options, copy="off", joins=joins.value, lossless=True, codec="ffv1")
            began = time.monotonic()
            report = pipeline.clean(source, out, prompts, chosen, progress)
            seconds = time.monotonic() - began
            pipeline.mask(source, masks, prompts, replace(chosen, feather=0))
            places = joins_of(report.plan)
            if not places:
                raise InputError(
                    f"`{source}` is too short: one window holds all that is to be painted",
                    hint="take a longer video or a longer part of it",
                )
            changes = changes_of(out, masks, work)
            here = [value for at, value in changes.items() if at in places]
            there = [value for at, value in changes.items() if at not in places]
            yield Seam(
                joins=joins.value,
                num_windows=num_windows(report.plan),
                num_joins=len(here),
                at_joins=float(np.mean(here)) if here else float("nan"),
                elsewhere=float(np.mean(there)) if there else float("nan"),
                seconds_per_frame=seconds / report.plan.num_frames,
            )


def changes_of(video: Path, masks: Path, work: Path) -> dict[int, float]:
    """Mean change (levels) from the frame before, over what is masked in both, by frame."""
    info, pictures = open_video(video)
    found: dict[int, float] = {}
    with MaskStore(work, info.size, pictures.num_frames) as store:
        count = pictures.num_frames
        load_masks(masks, info, count, store, object_id=1, invert=False, first=0, stop=count)
        last: tuple[Any, Mask] | None = None
        for i, rgb in enumerate(pictures.read(0, count)):
            mask = store.mask(i)
            levels = rgb.astype(np.float32) * (255 / np.iinfo(rgb.dtype).max)
            if last is not None and (mask & last[1]).any():
                found[i] = float(np.abs(levels - last[0])[mask & last[1]].mean())
            last = levels, mask
    return found


def joins_of(plan: Plan) -> set[int]:
    """The frames whose change from the one before crosses, or lies in, a join."""
    painting = plan.painting
    assert painting is not None
    found: set[int] = set()
    for window in plan.windows:
        start, stop = window.start - window.lead, window.stop + window.tail
        if window.tail:
            found |= {*range(window.stop, stop + 1)}
        for first, last in inner_joins(painting, window):
            found |= {*range(start + first, min(stop, start + last + 1))}
    return found


def inner_joins(painting: PaintPlan, window: Window) -> Iterator[tuple[int, int]]:
    """Where windows that are denoised together meet, in frames of theirs, both ends in."""
    count = _latents(window.lead + window.stop - window.start + window.tail)
    length, overlap = _latents(painting.frames), _latents(painting.overlap)
    if painting.joins is Joins.BLEND:
        spans = overlapping(count, length, overlap)
        pairs = [(after[0], before[1]) for before, after in pairwise(spans)]
    elif painting.joins is Joins.SHIFT:
        pairs = [(a, a) for index in (0, 1) for a, _ in adjacent(count, length, index) if a]
    else:
        pairs = []
    for first, last in pairs:
        yield _first_frame(first), _first_frame(last)


def num_windows(plan: Plan) -> int:
    """Windows of the network over the whole video, at one step."""
    painting = plan.painting
    assert painting is not None
    total = 0
    for window in plan.windows:
        count = _latents(window.lead + window.stop - window.start + window.tail)
        length, overlap = _latents(painting.frames), _latents(painting.overlap)
        if painting.joins is Joins.BLEND:
            total += len(overlapping(count, length, overlap))
        else:
            total += len(adjacent(count, length, 0))
    return total


def seam_table(results: Sequence[Seam]) -> str:
    """Markdown: one row for each way."""
    head = ["joins", "windows", "change at joins", "change elsewhere", "seam", "s/frame"]
    rows = [head, ["---"] * len(head)]
    for r in results:
        figures = (r.at_joins, r.elsewhere, r.seam, r.seconds_per_frame)
        rows.append([r.joins, str(r.num_windows), *(f"{value:.2f}" for value in figures)])
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def seams_to_json(results: Sequence[Seam]) -> list[dict[str, Any]]:
    """The results as plain values."""
    return [{**asdict(r), "seam": r.seam} for r in results]


def _latents(frames: int) -> int:
    return 1 + -(-(frames - 1) // GROUP)


def _first_frame(latent: int) -> int:
    """The first frame that a latent frame stands for."""
    return 0 if latent == 0 else 1 + GROUP * (latent - 1)
