"""How the times of frames are written where a container's clock is coarse."""

from fractions import Fraction

import numpy as np

from remover.errors import OutputError
from remover.video.values import FrameIndex, Ticks

COARSE = {
    "matroska": Fraction(1, 1000),
    "webm": Fraction(1, 1000),
    "flv": Fraction(1, 1000),
    "gif": Fraction(1, 100),
    "mpegts": Fraction(1, 90000),
}
"""The clocks of muxers that do not take just any."""

MAX_MULTIPLE = 8
"""How many times finer than the frame rate an AVI's grid may be."""


def rounded_times(index: FrameIndex, container: str) -> None:
    """Make sure that every frame keeps a time of its own.

    Raises:
        OutputError: Two frames are closer than the container's clock ticks.
    """
    clock = COARSE.get(container)
    if clock is None or clock <= index.time_base:
        return
    ratio = index.time_base / clock
    scaled = np.rint(index.pts * float(ratio)).astype(np.int64)
    same = np.flatnonzero(np.diff(scaled) <= 0)
    if len(same):
        raise OutputError(
            f"frames {same[0]} and {same[0] + 1} are closer than {container} can tell apart "
            f"({float(clock) * 1000:g} ms)",
            hint="write to .mp4 or .mov",
        )


def grid_of(container: str, index: FrameIndex, rate: Fraction) -> tuple[Fraction, Ticks | None]:
    """The time base to write in, and each frame's place where that is a grid.

    AVI stores no times: a frame's place in the file is its time. The grid is the frame rate, or
    a small multiple of it, if every frame lies on it but for rounding; else the smallest
    distance of two frames.

    Y4M stores none either and has no room for gaps.

    Raises:
        OutputError: The frames do not follow each other steadily, and the container needs that.

    Returns:
        The time base, and int64 (N,) strictly increasing places from 0, or None if times are
        stored as they are.
    """
    if container == "yuv4mpegpipe":
        return 1 / rate, _steady_places(index, rate)
    if container != "avi":
        return index.time_base, None
    elapsed = (index.pts - index.pts[0]).astype(np.float64) * float(index.time_base)
    for multiple in range(1, MAX_MULTIPLE + 1):
        step = 1 / (rate * multiple)
        places = np.rint(elapsed / float(step)).astype(np.int64)
        off = np.abs(places * float(step) - elapsed).max(initial=0)
        if off <= 1.01 * float(index.time_base) and (np.diff(places) > 0).all():
            return step, places
    step = int(np.diff(index.pts).min(initial=index.durations.max())) * index.time_base
    return step, np.rint(elapsed / float(step)).astype(np.int64)


def _steady_places(index: FrameIndex, rate: Fraction) -> Ticks:
    """0, 1, 2 ... for frames that are shown at such steps of 1/``rate``, but for rounding."""
    places = np.arange(index.num_frames, dtype=np.int64)
    elapsed = (index.pts - index.pts[0]).astype(np.float64) * float(index.time_base)
    off = np.abs(places / float(rate) - elapsed) > 1.01 * float(index.time_base)
    if off.any():
        raise OutputError(
            f"frame {int(off.argmax())} is not at its place on a grid of {float(rate):g} frames a "
            "second, and Y4M keeps no times",
            hint="write to .mkv, or with `--format matroska` or `--format nut`",
        )
    return places
