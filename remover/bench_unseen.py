"""Never-seen pixels alone, with all else as it truly is: what painting and carrying are worth.

A pixel of the exact mask, widened by two, counts as never seen if it is masked or out of the
picture in every other frame, as the measured motion of the camera has it. Only these are a hole;
what lies around them is the truth, so the painter is judged apart from masks and copying.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from remover import bench
from remover.files import work_folder
from remover.fill.align import Camera
from remover.fill.copy import MARGIN
from remover.fill.draft import Draft
from remover.fill.engine import fill_unseen
from remover.fill.frames import Frame, to_bytes, to_levels, widened
from remover.fill.patch import Painted
from remover.fill.survey import survey
from remover.judge import feature_distance, foreignness, is_looked_at
from remover.masks import bounds
from remover.metrics import psnr
from remover.preview import write_png
from remover.progress import Silent
from remover.types import Mask, Rect, Shot, Window

GROW = 2
"""Pixels that exact masks are widened by."""
SEEDS = 3
"""Seeds that figures are means over: a fill depends on chance by some tenths of a dB."""

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Unseen:
    """What one case gave."""

    case: str
    share: float
    """Of the masks' pixels that are never seen."""
    psnr: float
    """dB, squared error pooled over all never-seen pixels."""
    features: float
    """Distance of deep features to the truth's, 0 to 16: what an eye minds more than psnr tells."""
    sharpness: float
    """Spread of the Laplacian in the hole against the truth's; 1 is as sharp."""
    dtssd: float
    """Levels by which the change from frame to frame differs from the true one."""
    keys: float
    """Frames that were painted."""
    seconds: float
    """For all frames together, decoding and scoring left out."""


def run_case(case: Path, sheet: Path | None = None, seeds: int = SEEDS) -> Unseen | None:
    """Fill the never-seen pixels of one case and score them; None where all are seen at some time.

    Args:
        case: As of ``bench.run_case``.
        sheet: A PNG to write: result and truth on three frames, with the first seed.
        seeds: How many seeds of the painter the figures are means over.
    """
    info, source = bench.open_video(case / "input.mp4")
    count = source.num_frames
    with work_folder() as work:
        true = bench.masks_of(case / "masks", info, count, work / "true")
        holes = [widened(mask.astype(np.uint8), GROW) > 0 for mask in true]
    window = Window(0, count, 0, count, Rect(0, 0, *info.size))
    camera = survey(source, holes.__getitem__, Shot(0, count), [window], Silent()).camera
    cuts = json.loads((case / "case.json").read_text())["cuts"]
    unseen = [never_seen(holes, i, camera, shot_of(i, cuts, count)) for i in range(count)]
    clean = [bench.as_8_bit(p) for p in bench.open_video(case / "clean.mp4")[1].read(0, count)]
    if not any(one.any() for one in unseen):
        return None
    shots, rows = shots_of(cuts, count), []
    for seed in range(seeds):
        drafts = [draft_of(i, clean[i], unseen[i]) for i in range(count) if unseen[i].any()]
        began = time.monotonic()
        keys = [_paint(drafts, shot, camera, seed) for shot in shots]
        seconds = time.monotonic() - began
        rows.append((*_scores(drafts), sum(keys), seconds))
        if sheet is not None and seed == 0:
            _write_sheet(drafts, sheet)
    share = sum(u.sum() for u in unseen) / sum(h.sum() for h in holes)
    return Unseen(case.name, float(share), *(float(v) for v in np.mean(rows, axis=0)))


def _paint(drafts: Sequence[Draft], shot: Shot, camera: Camera, seed: int) -> int:
    """Fill the drafts of a shot; how many keys that took."""
    own = [item for item in drafts if shot.start <= item.frame.index < shot.stop]
    keys: list[Painted] = []
    fill_unseen(own, camera, keys, seed, foreignness)
    return len(keys)


def _write_sheet(drafts: Sequence[Draft], sheet: Path) -> None:
    places = np.linspace(0, len(drafts) - 1, 5).round().astype(int)[1:-1]
    rows = [np.hstack([filled(drafts[p]), drafts[p].frame.rgb]) for p in places]
    write_png(sheet, np.vstack(rows))


def shots_of(cuts: Sequence[int], count: int) -> list[Shot]:
    """The shots between cuts."""
    bounds_of = [0, *cuts, count]
    return [Shot(a, b) for a, b in pairwise(bounds_of)]


def shot_of(index: int, cuts: Sequence[int], count: int) -> Shot:
    """The shot of a frame."""
    return next(s for s in shots_of(cuts, count) if s.start <= index < s.stop)


def never_seen(holes: Sequence[Mask], index: int, camera: Camera, shot: Shot) -> Mask:
    """Pixels of a frame's hole (H, W) that no other frame of the shot shows."""
    height, width = holes[index].shape
    left = holes[index].copy()
    for other in range(shot.start, shot.stop):
        if other == index or not left.any():
            continue
        hidden = holes[other].astype(np.uint8) * np.uint8(255)
        matrix = camera.between(other, index)
        there = cv2.warpPerspective(
            hidden, matrix, (width, height), flags=cv2.INTER_LINEAR, borderValue=255
        )
        left &= np.asarray(there) > 0
    return left


def draft_of(index: int, clean: Picture, unseen: Mask) -> Draft:
    """The true frame with nothing but never-seen pixels missing."""
    shut = unseen.astype(np.uint8) * np.uint8(255)
    frame = Frame(index, clean, shut, shut)
    found = bounds(unseen)
    assert found is not None
    rect = found.grown(MARGIN, frame.size)
    hole = unseen[rect.slices]
    rgb = to_levels(clean[rect.slices])
    rgb[hole] = 0
    nothing = np.zeros_like(hole)
    sure = np.zeros(hole.shape, np.float32)
    return Draft(frame, rect, hole, nothing, sure, rgb, ~hole, nothing)


def filled(item: Draft) -> Picture:
    """The whole picture with its fill."""
    picture = np.array(item.frame.rgb, np.uint8)
    picture[item.rect.slices] = np.where(
        item.hole[..., None], to_bytes(item.rgb), picture[item.rect.slices]
    )
    return picture


def _scores(drafts: Sequence[Draft]) -> tuple[float, float, float, float]:
    error = change = 0.0
    count = 0
    deep, sharp = [], []
    last: npt.NDArray[np.float32] | None = None
    for item in drafts:
        hole, truth = item.frame.hole > 0, np.asarray(item.frame.rgb, np.uint8)
        made = filled(item)
        gap = made.astype(np.float32) - truth
        error += float(np.square(gap[hole]).sum(dtype=np.float64))
        count += 3 * int(hole.sum())
        if last is not None:
            change += float(np.square((gap - last)[hole]).sum(dtype=np.float64))
        last = gap
        if is_looked_at(item.frame.index, hole):
            deep.append(feature_distance(made, truth, hole))
            sharp.append(_edges(made)[hole].std() / max(float(_edges(truth)[hole].std()), 1e-6))
    mean = [float(np.mean(values)) if values else float("nan") for values in (deep, sharp)]
    return psnr(error / count), mean[0], mean[1], float(np.sqrt(change / count))


def _edges(picture: Picture) -> npt.NDArray[np.float32]:
    gray = picture.astype(np.float32).mean(axis=2)
    return np.asarray(cv2.Laplacian(gray, cv2.CV_32F), np.float32)


COLUMNS: Mapping[str, tuple[str, str]] = {
    "share": ("never seen", ".2f"),
    "psnr": ("PSNR", ".2f"),
    "features": ("features", ".2f"),
    "sharpness": ("sharpness", ".2f"),
    "dtssd": ("dtSSD", ".1f"),
    "keys": ("keys", ".1f"),
    "seconds": ("seconds", ".1f"),
}


def table(results: Sequence[Unseen]) -> str:
    """Markdown: one row for each case."""
    rows = [["case", *(title for title, _ in COLUMNS.values())], ["---"] * (1 + len(COLUMNS))]
    for result in results:
        values = [(getattr(result, name), spec) for name, (_, spec) in COLUMNS.items()]
        written = ["-" if np.isnan(value) else format(value, spec) for value, spec in values]
        rows.append([result.case, *written])
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def to_json(results: Sequence[Unseen]) -> list[dict[str, Any]]:
    """The results as plain values; figures that do not apply are None."""
    return [
        {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in asdict(result).items()}
        for result in results
    ]
