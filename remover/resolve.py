"""Prompts and times as a user gave them, resolved against the video they are about; pure."""

from collections.abc import Sequence
from typing import Literal

from remover.config import CleanOptions
from remover.errors import InputError, UsageError
from remover.geometry import shown_size, to_coded_box, to_coded_point
from remover.types import Moment, PointPrompt, Prompt, Shot, VideoInfo
from remover.video import FrameIndex

NOUNS = {"plate": "plate"}
"""What the files of prompts are called; all others are masks."""


def check_prompts(prompts: Sequence[Prompt], options: CleanOptions) -> None:
    """Check what can be checked of prompts before the video is opened.

    Raises:
        UsageError: Nothing is pointed at, or an option has nothing to act upon.
        InputError: A file that is named is not there.
    """
    for prompt in prompts:
        if prompt.path is not None and not prompt.path.exists():
            raise InputError(
                f"{NOUNS.get(prompt.kind, 'mask')} `{prompt.path}` does not exist",
                hint=f"check the path of `--{prompt.kind}`",
            )
    if not any(prompt.is_target for prompt in prompts):
        raise UsageError(
            "nothing to remove was pointed at",
            hint="show the object with --box x,y,w,h or --click x,y, or pass --mask FILE",
        )
    if options.invert_mask and not any(_is_given(prompt) for prompt in prompts):
        raise UsageError(
            "`--invert-mask` has no mask to invert", hint="pass the mask with --mask FILE"
        )


def _is_given(prompt: Prompt) -> bool:
    """Whether the prompt is a mask that holds as it is, not the start of a track."""
    return prompt.kind == "mask" and prompt.moment is None


def frame_of(moment: Moment, index: FrameIndex, flag: str) -> int:
    """The frame that ``moment`` names.

    Raises:
        UsageError: It lies past the end.
    """
    last = index.num_frames - 1
    frame = moment.frame if moment.frame is not None else index.frame_at(moment.seconds or 0)
    end = index.end_s
    if frame > last or (moment.seconds is not None and moment.seconds >= end):
        raise UsageError(
            f"{flag} names {_said(moment)}, but the video has {index.num_frames} frames "
            f"(0 to {last}) and ends at {float(end):.3f} s",
            hint="frames are counted from 0; write times with a unit, as in 1.5s",
        )
    return frame


def _said(moment: Moment) -> str:
    return f"frame {moment.frame}" if moment.frame is not None else f"time {moment}"


def frame_range(start: Moment | None, end: Moment | None, index: FrameIndex) -> Shot:
    """The frames that ``--start`` and ``--end`` name; the end frame is not in it.

    Raises:
        UsageError: A time is past the end, or nothing lies between the two.
    """
    first = 0 if start is None else frame_of(start, index, "--start")
    stop = index.num_frames if end is None else _stop_of(end, index)
    if stop <= first:
        raise UsageError(
            f"--start {start} to --end {end} holds no frame", hint="let --end be after --start"
        )
    return Shot(first, stop)


def with_handles(frames: Shot, handles: int, num_frames: int) -> tuple[Shot, str | None]:
    """``frames`` and ``handles`` frames on both sides; what to say where there are fewer."""
    part = Shot(max(0, frames.start - handles), min(num_frames, frames.stop + handles))
    before, after = frames.start - part.start, part.stop - frames.stop
    if before == after == handles:
        return part, None
    return part, (
        f"the video has {before} frames before the part and {after} after it to leave as handles, "
        f"not {handles}"
    )


def _stop_of(end: Moment, index: FrameIndex) -> int:
    """The first frame at or after ``end``; the video's own end is allowed."""
    if end.frame is not None:
        if end.frame > index.num_frames:
            raise UsageError(
                f"--end names frame {end.frame}, but the video has {index.num_frames} frames",
                hint="leave --end out to go to the end of the video",
            )
        return end.frame
    seconds = end.seconds or 0
    total = index.end_s
    if seconds > total:
        raise UsageError(
            f"--end names {float(seconds):g} s, but the video ends at {float(total):.3f} s",
            hint="leave --end out to go to the end of the video",
        )
    if seconds > index.time_of(index.num_frames - 1):
        return index.num_frames
    frame = index.frame_at(seconds)
    return frame if index.time_of(frame) == seconds else frame + 1


def point_prompts(
    prompts: Sequence[Prompt], info: VideoInfo, index: FrameIndex, default_frame: int
) -> list[PointPrompt]:
    """Boxes, clicks and avoided points in coded pixels on known frames.

    Args:
        prompts: As given; those with a file are left out.
        info: The video.
        index: Its frames.
        default_frame: Where a prompt without a moment goes.

    Raises:
        UsageError: A prompt lies outside the picture or past the end.
    """
    resolved = []
    for prompt in prompts:
        if prompt.kind not in ("box", "click", "avoid"):
            continue
        flag = f"`{prompt.text}`"
        frame = default_frame
        if prompt.moment is not None:
            frame = frame_of(prompt.moment, index, flag)
        if prompt.kind == "box":
            box = _box(prompt, info, flag)
            resolved.append(PointPrompt("box", frame, prompt.object_id, box=box))
        else:
            point = _point(prompt, info, flag)
            kind: Literal["click", "avoid"] = "click" if prompt.kind == "click" else "avoid"
            resolved.append(PointPrompt(kind, frame, prompt.object_id, point=point))
    return resolved


def _box(prompt: Prompt, info: VideoInfo, flag: str) -> tuple[float, float, float, float]:
    x, y, width, height = prompt.values
    left, top, right, bottom = to_coded_box(x, y, width, height, info)
    left, right = max(left, 0.0), min(right, float(info.size.width))
    top, bottom = max(top, 0.0), min(bottom, float(info.size.height))
    if right - left < 1 or bottom - top < 1:
        raise _outside(flag, info)
    return left, top, right, bottom


def _point(prompt: Prompt, info: VideoInfo, flag: str) -> tuple[float, float]:
    shown = shown_size(info)
    x, y = prompt.values
    if not (0 <= x < shown.width and 0 <= y < shown.height):
        raise _outside(flag, info)
    u, v = to_coded_point(x, y, info)
    return min(u, info.size.width - 1.0), min(v, info.size.height - 1.0)


def _outside(flag: str, info: VideoInfo) -> UsageError:
    return UsageError(
        f"{flag} lies outside the picture, which is shown at {shown_size(info)}",
        hint="coordinates are those of the picture as a player shows it, from its top left corner",
    )
