"""A first look at a shot: the motion of its camera, and a few frames kept from all over it."""

from collections.abc import Callable, Sequence

from remover.fill.align import Camera, View, is_still, step, view
from remover.fill.frames import Frame, load
from remover.types import Mask, Pictures, Shot, Window

MAX_FAR = 24
"""Frames kept from all over the shot at most."""
FAR_BYTES = 200 * 2**20
"""Memory that the kept frames may take, in bytes."""
LEAST_APART = 6
"""Frames nearer than this are not worth keeping both."""


def survey(
    pictures: Pictures,
    hole: Callable[[int], Mask],
    shot: Shot,
    windows: Sequence[Window],
) -> tuple[Camera, list[Frame]]:
    """Measure the camera's motion over all windows and keep frames evenly from the range.

    Returns:
        The camera, and at most ``MAX_FAR`` frames in ascending order.
    """
    start = max(shot.start, min(w.context_start for w in windows))
    stop = min(shot.stop, max(w.context_stop for w in windows))
    keep = kept_indices(start, stop, pictures.size.height * pictures.size.width * 4)
    steps, far, views = [], [], []
    last: View | None = None
    for index, rgb in zip(range(start, stop), pictures.read(start, stop), strict=True):
        frame = load(index, rgb, hole)
        now = view(frame)
        if last is not None:
            steps.append(step(last, now))
        last = now
        if index in keep:
            far.append(frame)
            views.append(now)
    return Camera(start, steps, is_static(views)), far


def kept_indices(start: int, stop: int, frame_bytes: int) -> frozenset[int]:
    """Which frames of a range are kept: evenly spread, ends in, bounded in number and memory."""
    length = stop - start
    wanted = min(MAX_FAR, FAR_BYTES // max(1, frame_bytes), length // LEAST_APART + 1)
    count = max(min(2, length), wanted)
    if count <= 1:
        return frozenset({start}) if length else frozenset()
    return frozenset(start + round(i * (length - 1) / (count - 1)) for i in range(count))


def is_static(views: Sequence[View]) -> bool:
    """Whether no two frames a third of the range apart show a camera that moved."""
    apart = max(1, len(views) // 3)
    pairs = zip(views, views[apart:], strict=False)
    answers = [answer for answer in (is_still(a, b) for a, b in pairs) if answer is not None]
    return bool(answers) and all(answers)
