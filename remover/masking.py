"""From everything a user pointed at to one mask a frame in a store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from remover.config import CleanOptions
from remover.errors import InputError
from remover.plan import cut_to
from remover.progress import Progress
from remover.resolve import frame_of, point_prompts
from remover.segment import Choice, MaskStore, load_masks, read_mask_image, segment
from remover.types import MaskPrompt, PointPrompt, Prompt, Segmentation, Shot, VideoInfo
from remover.video import FrameIndex, RgbPictures


@dataclass(frozen=True, slots=True)
class Masks:
    """Where the masks came from and which frames they speak for."""

    segmentation: Segmentation
    span: Shot
    """Frames whose masks are known. Others are neither filled nor looked at."""


def make_masks(
    pictures: RgbPictures,
    info: VideoInfo,
    index: FrameIndex,
    prompts: Sequence[Prompt],
    shots: Sequence[Shot],
    frames: Shot,
    store: MaskStore,
    options: CleanOptions,
    trackers: Mapping[int, Choice],
    progress: Progress,
    *,
    facts: Mapping[str, Any] | None = None,
    also: Sequence[int] = (),
) -> Masks:
    """Fill ``store`` from the user's masks, by tracking, or both (then their union).

    Args:
        pictures: The video.
        info: Its facts.
        index: Its frames.
        prompts: What the user pointed at; at least one.
        shots: Of the whole video.
        frames: The part to clean; tracking does not go further than it and the prompts need.
        store: Where the masks go.
        options: Of the run.
        trackers: What follows each object that is not given by masks for all frames.
        progress: Where to say how far it is.
        facts: What was saved with ``store`` by an earlier run with the same arguments.
        also: Frames that are looked at too, and so need masks.

    Raises:
        InputError: Nothing is masked in ``frames``.
    """
    given = [p for p in prompts if p.kind == "mask" and p.moment is None]
    tracked = _tracked(prompts, info, index, frames.start)
    whole = Shot(0, index.num_frames)
    for prompt in given if facts is None else ():
        assert prompt.path is not None
        load_masks(
            prompt.path,
            info,
            index.num_frames,
            store,
            object_id=prompt.object_id,
            invert=options.invert_mask,
            first=whole.start,
            stop=whole.stop,
        )
    if not tracked:
        result = Masks(_of_given(given, index.num_frames), whole)
    else:
        span = _span(frames, [*(p.frame for p in tracked), *also])
        found = segment(
            pictures,
            tracked,
            cut_to(shots, span.start, span.stop),
            store,
            tracker=trackers,
            progress=progress,
            facts=facts,
            grow=options.dilate != 0,
        )
        of_given = {prompt.object_id: "mask" for prompt in given}
        result = Masks(
            replace(found, trackers=dict(sorted({**of_given, **found.trackers}.items()))), span
        )
    if all(store.is_empty(i) for i in range(frames.start, frames.stop)):
        store.forget()  # the same prompts would end here again
        raise InputError(
            f"no frame from {frames.start} to {frames.stop - 1} has anything masked",
            hint="look at the masks with --preview sheet.png, and point at the object on a frame "
            "where it is in clear view, as in --box x,y,w,h@45",
        )
    return result


def _tracked(
    prompts: Sequence[Prompt], info: VideoInfo, index: FrameIndex, default_frame: int
) -> list[PointPrompt | MaskPrompt]:
    found: list[PointPrompt | MaskPrompt] = list(point_prompts(prompts, info, index, default_frame))
    for prompt in prompts:
        if prompt.kind == "mask" and prompt.moment is not None and prompt.path is not None:
            frame = frame_of(prompt.moment, index, f"`{prompt.text}`")
            mask = read_mask_image(prompt.path, info)
            found.append(MaskPrompt(frame, prompt.object_id, mask))
    return found


def _of_given(given: Sequence[Prompt], num_frames: int) -> Segmentation:
    of_object = {prompt.object_id: "mask" for prompt in given}
    return Segmentation("mask", (), (), np.ones(num_frames, np.float32), trackers=of_object)


def _span(frames: Shot, prompted: Sequence[int]) -> Shot:
    """The frames to track through: the part to clean and every prompted frame."""
    return Shot(min(frames.start, *prompted), max(frames.stop, *(f + 1 for f in prompted)))
