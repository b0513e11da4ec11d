"""Files beside the output, for an editor's eyes and timeline: how each is written, and writing.

Every companion is a video like the output: the same writer gives it the source's times, tags and
timecode, and the same check reads it again.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from remover import drawing, marking
from remover.errors import OutputError
from remover.geometry import to_shown, turn
from remover.marking import Verdict
from remover.types import Colour, Filled, Labels, Orientation, PixelLayout, Size, VideoInfo
from remover.video import (
    Frame,
    FrameIndex,
    OutputPlan,
    Written,
    converted,
    layout_of,
    plan_output,
    planes_of_rgb,
    redrawn,
    verify_output,
    with_alpha,
    writer_of,
)

LOSSLESS = {"mkv": "ffv1", "nut": "ffv1", "avi": "ffv1"}
PLAYED = {"mp4": "h264", "mov": "h264"}
CODECS: Mapping[str, Mapping[str, str | None]] = {
    "layer": {"mov": "prores", **LOSSLESS, "png": None},
    "matte": {**LOSSLESS, **PLAYED, "png": None},
    "compare": {**PLAYED, "mkv": "h264"},
    "source_map": {**LOSSLESS, **PLAYED, "png": None},
    "overlay": {**PLAYED, "mkv": "h264", "png": None},
}
"""The companions, and the codec of each by its file's suffix; a picture's names its own."""

WITH_SOUND = ("compare", "overlay")
"""The companions that are played, with the source's sound."""

SDR = (1, 1)
"""FFmpeg's numbers of BT.709's matrix and of the limited range."""

FULL = 2


class Step(NamedTuple):
    """One frame of the run, as the companions see it."""

    frame: Frame
    """As decoded; its native picture is not changed."""
    planes: Sequence[npt.NDArray[Any]]
    """As composed; those of ``frame`` where nothing was filled."""
    alpha: npt.NDArray[np.float32] | None
    """How much of the fill each pixel took (H, W); None is nothing."""
    filled: Filled | None
    labels: Labels | None = None
    """Each object's mask (H, W), with its growth; None is none."""
    verdict: Verdict | None = None
    """How far the masks may be trusted; None where nobody says."""
    caption: str = ""
    """What is to stand on a picture of it: its number and its time."""


@dataclass(frozen=True, slots=True)
class Companion:
    """A file beside the output, and how it will be written."""

    kind: str
    """A key of ``CODECS``."""
    target: Path
    info: VideoInfo
    """What it is like: the source's facts with its own size and layout."""
    plan: OutputPlan


def plan_companions(info: VideoInfo, targets: Mapping[str, Path]) -> tuple[Companion, ...]:
    """Decide how the companions of a cleaned ``info`` are written.

    Args:
        info: The source.
        targets: Where each kind goes: a file, or a pattern of PNG pictures.

    Raises:
        OutputError: A suffix names nothing that can hold such a picture.
    """
    found = []
    for kind, target in targets.items():
        codecs, suffix = CODECS[kind], target.suffix.lower().removeprefix(".")
        if suffix not in codecs:
            names = [f".{s}" for s in codecs if s != "png"]
            flag = f"--{kind.replace('_', '-')}"
            raise OutputError(
                f"`{target.name}` names nothing that `{flag}` can be written as",
                hint=f"use {', '.join(names)}"
                + (", or a folder for PNG pictures" if "png" in codecs else ""),
            )
        found.append(_planned(kind, target, _described(kind, suffix, info), codecs[suffix]))
    return tuple(found)


def _planned(kind: str, target: Path, info: VideoInfo, codec: str | None) -> Companion:
    exact = codec == "ffv1" or (kind == "matte" and codec is not None)
    plan = plan_output(info, target, codec=codec, crf=None, lossless=exact)
    kept = tuple(s for s in plan.streams if kind in WITH_SOUND and s.kind == "audio")
    plan = replace(plan, streams=kept)
    if kind == "layer" and plan.layout != info.layout:
        info = replace(info, layout=plan.layout, colour=_layer_colour(info, plan.layout))
        plan = replace(plan, converts=plan.pixel_format != plan.layout.name)
    return Companion(kind, target, info, plan)


def _layer_colour(info: VideoInfo, layout: PixelLayout) -> Colour:
    """What the samples of a layer mean that is stored in another ``layout`` than it was drawn."""
    if layout.family != "yuv":
        return info.colour
    return _played(info)


def _described(kind: str, suffix: str, info: VideoInfo) -> VideoInfo:
    """What a companion of ``info`` is like."""
    if kind == "layer":
        layout = with_alpha(info.layout)
        is_new = layout.family != info.layout.family
        colour = replace(info.colour, matrix="rgb", full_range=True) if is_new else info.colour
        return replace(info, layout=layout, colour=colour)
    upright = replace(
        info,
        orientation=Orientation(),
        sample_aspect=_upright_aspect(info),
        interlaced=False,
        hdr={},
    )
    blank = np.empty((*info.size, 0), np.uint8)
    size = Size(*turn(blank, info.orientation).shape[:2])
    if kind == "matte":
        if suffix == "png":
            shown = to_shown(blank, info).shape
            upright, size = replace(upright, sample_aspect=Fraction(1)), Size(*shown[:2])
        gray = replace(info.colour, full_range=True, tags=(2, FULL, *info.colour.tags[2:]))
        return replace(upright, size=size, layout=_layout("gray"), colour=gray)
    if kind == "overlay":
        return _overlay_info(upright, size, suffix)
    if kind == "compare":
        width = 2 * size.width + drawing.LINE
        size = Size(size.height + size.height % 2, width)
        return replace(upright, size=size, layout=_layout("yuv420p"), colour=_played(info))
    height = size.height + drawing.legend(size.width).shape[0]
    size = Size(height + height % 2, size.width + size.width % 2)
    if suffix in PLAYED:
        colour = Colour("bt709", full_range=False, tags=(*SDR, 1, 1))
        return replace(upright, size=size, layout=_layout("yuv420p"), colour=colour)
    colour = Colour("rgb", full_range=True)
    return replace(upright, size=size, layout=_layout("rgb24"), colour=colour)


def _overlay_info(upright: VideoInfo, size: Size, suffix: str) -> VideoInfo:
    """What the video with its masks on it is like; pictures are of any size."""
    if suffix == "png":
        colour = Colour("rgb", full_range=True)
        return replace(upright, size=size, layout=_layout("rgb24"), colour=colour)
    size = Size(size.height + size.height % 2, size.width + size.width % 2)
    return replace(upright, size=size, layout=_layout("yuv420p"), colour=_played(upright))


def _layout(name: str) -> PixelLayout:
    found = layout_of(name)
    assert found is not None
    return found


def _upright_aspect(info: VideoInfo) -> Fraction:
    """The shape of a pixel once the picture is turned."""
    is_turned = info.orientation.clockwise in (90, 270)
    return 1 / info.sample_aspect if is_turned else info.sample_aspect


def _played(info: VideoInfo) -> Colour:
    """The source's colours in the range that players expect."""
    if info.layout.family != "yuv":
        return Colour("bt709", full_range=False, tags=(*SDR, *info.colour.tags[2:]))
    space, _, primaries, transfer = info.colour.tags
    return replace(info.colour, full_range=False, tags=(space, SDR[1], primaries, transfer))


def _layer(step: Step, source: VideoInfo, info: VideoInfo) -> Sequence[npt.NDArray[Any]]:
    hole = None if step.alpha is None else step.alpha > 0
    layout = with_alpha(source.layout)
    planes = drawing.layer(step.planes, hole, source.layout, layout, source.colour)
    if layout == info.layout:
        return planes
    return converted(step.frame, planes, layout, source.colour, info)


def _matte(step: Step, source: VideoInfo, info: VideoInfo) -> Sequence[npt.NDArray[Any]]:
    turned = turn(drawing.matte(step.alpha, source.size), source.orientation)
    if turned.shape != info.size:
        turned = to_shown(drawing.matte(step.alpha, source.size), source)
    return [np.ascontiguousarray(turned)]


def _compare(step: Step, source: VideoInfo, info: VideoInfo) -> Sequence[npt.NDArray[Any]]:
    after = step.frame.planes if step.alpha is None else step.planes
    return planes_of_rgb(drawing.comparison(step.frame.planes, after, source), info)


def _source_map(step: Step, source: VideoInfo, info: VideoInfo) -> Sequence[npt.NDArray[Any]]:
    return planes_of_rgb(drawing.source_map(step.alpha, step.filled, source), info)


def _overlay(step: Step, source: VideoInfo, info: VideoInfo) -> Sequence[npt.NDArray[Any]]:
    canvas = drawing.upright(step.frame.planes, source)
    if step.labels is not None:
        labels = np.ascontiguousarray(turn(step.labels, source.orientation))
        canvas = marking.with_objects(canvas, labels)
    marking.captioned(canvas, step.caption, step.verdict)
    if canvas.shape[:2] != info.size:
        canvas = drawing.even(canvas)
    return planes_of_rgb(canvas, info)


DRAW: Mapping[str, Callable[[Step, VideoInfo, VideoInfo], Sequence[npt.NDArray[Any]]]] = {
    "layer": _layer,
    "matte": _matte,
    "compare": _compare,
    "source_map": _source_map,
    "overlay": _overlay,
}
"""From a step, the source and the companion's own facts to the companion's planes."""


class CompanionWriter:
    """The companions of one run in the making, as a context manager."""

    def __init__(
        self,
        source: VideoInfo,
        index: FrameIndex,
        companions: Sequence[Companion],
        parts: Mapping[str, Path],
    ) -> None:
        """Prepare to write ``companions`` to ``parts``, by kind; nothing is opened yet."""
        self._source, self._index = source, index
        self._companions, self._parts = companions, parts
        self._open = contextlib.ExitStack()
        self._writers: dict[str, Any] = {}

    def __enter__(self) -> Self:
        """Create the files.

        Raises:
            OutputError: One cannot be created.
        """
        with contextlib.ExitStack() as opening:
            for one in self._companions:
                part = self._parts[one.kind]
                writer = writer_of(one.info, self._index, one.plan, part, one.target)
                self._writers[one.kind] = opening.enter_context(writer)
            self._open = opening.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the files, or let go of them after an exception."""
        self._open.__exit__(kind, error, trace)

    def write(self, step: Step) -> None:
        """Draw and encode one frame of each companion.

        Raises:
            OutputError: An encoder or the disk refuses.
        """
        for one in self._companions:
            planes = DRAW[one.kind](step, self._source, one.info)
            new = redrawn(step.frame, planes, one.info, is_alike=one.kind == "layer")
            self._writers[one.kind].write(new, new.planes)

    @property
    def written(self) -> dict[str, Written]:
        """What each writer counted, by kind."""
        return {kind: writer.written for kind, writer in self._writers.items()}


def verify_companions(
    companions: Sequence[Companion],
    index: FrameIndex,
    parts: Mapping[str, Path],
    written: Mapping[str, Written],
) -> None:
    """Read every companion again and compare its frames, times and sound with the source's.

    Raises:
        VerifyError: One is not as planned.
    """
    for one in companions:
        verify_output(parts[one.kind], one.info, index, one.plan, written[one.kind])
