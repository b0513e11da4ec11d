"""How well and how fast the built-in tracker follows objects whose true masks are known.

Everything is followed twice: J and F are those of the masks as tracked, recall and area those of
the masks that a removal takes.
"""

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any

import cv2
import numpy as np

from remover.bench import open_video
from remover.errors import InputError
from remover.files import work_folder
from remover.masks import dilate
from remover.metrics import boundary_accuracy, region_similarity
from remover.progress import Silent
from remover.region import GROWTH_TRACKED
from remover.segment import MaskStore, load_masks, segment
from remover.types import (
    Mask,
    MaskPrompt,
    Pictures,
    PointPrompt,
    Segmentation,
    Shot,
    VideoInfo,
)

PROMPTS = ("mask", "box", "click")
"""What a clip can be given on its first frame with the object."""

WRONG, RIGHT = 0.5, 0.7
"""Overlaps under which a frame should be flagged, and from which on it should not."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A video, or a folder of pictures, with the true mask of one object on every frame."""

    name: str
    path: Path
    masks: Path
    frame: int | None = None
    """The frame to point at; None is the first with the object."""
    box: tuple[float, float, float, float] | None = None
    """(left, top, right, bottom) on it; None is that of the mask."""
    cuts: tuple[int, ...] = ()
    """First frames of later shots."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What following one clip from one prompt gave; means over the frames."""

    clip: str
    prompt: str
    overlap: float
    """Region overlap J of Perazzi et al. (CVPR 2016)."""
    boundary: float
    """Boundary accuracy F of the same."""
    first: float
    """J on the prompted frame."""
    recall: float
    """Share of the object that is under the mask for a removal, with the default growth."""
    area: float
    """Area of those masks, as a multiple of the object's."""
    wrong: int
    """Frames with J under ``WRONG``."""
    wrong_flagged: int
    right: int
    """Frames with J of ``RIGHT`` or more."""
    right_flagged: int
    frames_per_second: float
    """Of everything for a removal, decoding counted."""


def clips(folder: Path) -> list[Clip]:
    """The clips with masks that ``clips.toml`` in a folder lists, or its cases, in order.

    Raises:
        InputError: There are none.
    """
    index = folder / "clips.toml"
    if index.is_file():
        entries = tomllib.loads(index.read_text(encoding="utf-8"))["clip"]
        found = [
            Clip(entry["name"], folder / entry["path"], folder / entry["masks"])
            for entry in entries
            if entry.get("masks")
        ]
    else:
        cases = sorted(path.parent for path in folder.glob("*/case.json"))
        found = [_case(case) for case in cases]
    if not found:
        raise InputError(
            f"`{folder}` holds no clip with masks",
            hint="it needs a `clips.toml` whose clips name `path` and `masks`, or cases",
        )
    return found


def _case(case: Path) -> Clip:
    facts = json.loads((case / "case.json").read_text(encoding="utf-8"))
    left, top, width, height = map(float, facts["clear_box"])
    return Clip(
        case.name,
        case / "input.mp4",
        case / "masks",
        frame=facts["clear_frame"],
        box=(left, top, left + width, top + height),
        cuts=tuple(facts["cuts"]),
    )


def follow(clip: Clip, prompt: str) -> Followed:
    """Follow one clip from the frame that is pointed at, both ways, and score it.

    Args:
        clip: A clip.
        prompt: One of ``PROMPTS``; a click is on the deepest point inside the object.

    Raises:
        InputError: The masks do not fit the clip, or are all empty.
    """
    info, pictures = open_video(clip.path)
    count = pictures.num_frames
    with work_folder() as work:
        true = list(_masks(clip.masks, info, count, work))
        visible = (i for i, mask in enumerate(true) if mask.any())
        begun = next(visible) if clip.frame is None else clip.frame
        given = _prompt(clip, true[begun], begun, prompt)
        with (
            MaskStore(work, info.size, count, name="tracked.bin") as tracked,
            MaskStore(work, info.size, count, name="removed.bin") as removed,
        ):
            _segment(pictures, given, clip, tracked, grow=False)
            start = monotonic()
            made = _segment(pictures, given, clip, removed, grow=True)
            seconds = monotonic() - start
            return _score(clip.name, prompt, true, begun, tracked, removed, made, seconds)


def _segment(
    pictures: Pictures,
    prompt: PointPrompt | MaskPrompt,
    clip: Clip,
    store: MaskStore,
    *,
    grow: bool,
) -> Segmentation:
    edges = (0, *clip.cuts, store.num_frames)
    shots = [Shot(*ends) for ends in pairwise(edges)]
    return segment(
        pictures, [prompt], shots, store, tracker="builtin", progress=Silent(), grow=grow
    )


def _masks(path: Path, info: VideoInfo, count: int, work: Path) -> Iterator[Mask]:
    with MaskStore(work, info.size, count, name="true.bin") as store:
        load_masks(path, info, count, store, object_id=1, invert=False, first=0, stop=count)
        for i in range(count):
            yield store.mask(i)


def _prompt(clip: Clip, mask: Mask, frame: int, prompt: str) -> PointPrompt | MaskPrompt:
    if prompt == "mask":
        return MaskPrompt(frame, 1, mask)
    if prompt == "click":
        return PointPrompt("click", frame, 1, point=deepest(mask))
    if clip.box is not None:
        return PointPrompt("box", frame, 1, box=clip.box)
    rows, columns = np.nonzero(mask)
    left, top = float(columns.min()), float(rows.min())
    right, bottom = float(columns.max() + 1), float(rows.max() + 1)
    return PointPrompt("box", frame, 1, box=(left, top, right, bottom))


def deepest(mask: Mask) -> tuple[float, float]:
    """The point (x, y) of a mask (H, W) that is farthest from its border."""
    inside = np.pad(mask.astype(np.uint8), 1)
    depth = np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 5))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(column) + 0.5, float(row) + 0.5


def _score(
    name: str,
    prompt: str,
    true: Sequence[Mask],
    begun: int,
    tracked: MaskStore,
    removed: MaskStore,
    made: Segmentation,
    seconds: float,
) -> Followed:
    """Hold masks as tracked, and those for a removal, against the truth."""
    pairs = [(tracked.mask(i), mask) for i, mask in enumerate(true)]
    overlaps = np.array([region_similarity(mask, other) for mask, other in pairs])
    widened = [dilate(removed.mask(i), GROWTH_TRACKED) for i in range(len(true))]
    covered = [
        float((wide & mask).sum() / mask.sum())
        for wide, mask in zip(widened, true, strict=True)
        if mask.any()
    ]
    flagged = np.zeros(len(true), np.bool_)
    for part in (*made.unsure, *made.lost):
        flagged[part.start : part.stop] = True
    is_wrong, is_right = overlaps < WRONG, overlaps >= RIGHT
    return Followed(
        clip=name,
        prompt=prompt,
        overlap=float(overlaps.mean()),
        boundary=float(np.mean([boundary_accuracy(mask, other) for mask, other in pairs])),
        first=float(overlaps[begun]),
        recall=float(np.mean(covered)),
        area=sum(int(mask.sum()) for mask in widened) / max(1, sum(int(m.sum()) for m in true)),
        wrong=int(is_wrong.sum()),
        wrong_flagged=int((is_wrong & flagged).sum()),
        right=int(is_right.sum()),
        right_flagged=int((is_right & flagged).sum()),
        frames_per_second=len(true) / seconds,
    )


COLUMNS = (
    ("overlap", "J", ".3f"),
    ("boundary", "F", ".3f"),
    ("first", "J first", ".3f"),
    ("recall", "recall", ".3f"),
    ("area", "area", ".2f"),
    ("frames_per_second", "frames/s", ".1f"),
)


def table(results: Sequence[Followed]) -> str:
    """Markdown: for each prompt one row for each clip, with means, and what was flagged."""
    parts = []
    for prompt in dict.fromkeys(result.prompt for result in results):
        chosen = [result for result in results if result.prompt == prompt]
        head = [f"from the {prompt}", *(title for _, title, _ in COLUMNS)]
        lines = [[*head, "flagged of wrong", "flagged of right"], ["---"] * (len(head) + 2)]
        lines += [_row(result) for result in chosen]
        lines.append(_mean_row(chosen))
        parts.append("".join("| " + " | ".join(line) + " |\n" for line in lines))
    return "\n".join(parts)


def _row(result: Followed) -> list[str]:
    figures = [format(getattr(result, name), spec) for name, _, spec in COLUMNS]
    wrong = f"{result.wrong_flagged} of {result.wrong}"
    return [result.clip, *figures, wrong, f"{result.right_flagged} of {result.right}"]


def _mean_row(results: Sequence[Followed]) -> list[str]:
    figures = [
        format(float(np.mean([getattr(result, name) for result in results])), spec)
        for name, _, spec in COLUMNS
    ]
    sums = {
        name: sum(getattr(result, name) for result in results)
        for name in ("wrong", "wrong_flagged", "right", "right_flagged")
    }
    wrong = f"{sums['wrong_flagged']} of {sums['wrong']}"
    return ["**mean**", *figures, wrong, f"{sums['right_flagged']} of {sums['right']}"]


def to_json(results: Sequence[Followed]) -> list[dict[str, Any]]:
    """The results as plain values."""
    return [asdict(result) for result in results]
