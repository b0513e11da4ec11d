"""A first look at a shot: the motion of its camera, and which of its frames are worth keeping."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from remover.fill.align import Camera, Matrix, View, is_still, step, view
from remover.fill.frames import SKIP, Frame, load
from remover.fill.live import NO_NOISE, Noise, live_noise, pairs_of, typical
from remover.fill.spread import ahead
from remover.progress import Progress
from remover.types import RGB, Mask, Pictures, Shot, Window

MAX_FAR = 24
"""Frames kept from all over the shot at most."""
FAR_BYTES = 200 * 2**20
"""Memory that the kept frames may take, in bytes."""
LEAST_APART = 6
"""Frames nearer than this are not worth keeping both."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a fill needs to know of a whole shot before it begins."""

    camera: Camera
    far: tuple[int, ...]
    """Frames from all over the shot that a fill keeps at hand, ascending."""
    noise: Noise = NO_NOISE
    """What changes from frame to frame where nothing moves."""


def surveyed(shot: Shot, windows: Sequence[Window], plates: Sequence[int] = ()) -> Shot:
    """The part of a shot that its windows may look at, and the frames that plates show."""
    return Shot(
        max(shot.start, min((*(w.context_start for w in windows), *plates))),
        min(shot.stop, max((*(w.context_stop for w in windows), *(i + 1 for i in plates)))),
    )


def survey(
    pictures: Pictures,
    hole: Callable[[int], Mask],
    shot: Shot,
    windows: Sequence[Window],
    progress: Progress,
    plates: Sequence[int] = (),
) -> Survey:
    """Measure the camera's motion over all windows of a shot; reads its pictures once.

    ``plates`` are frames of the shot to which the motion is measured too. ``progress`` is
    advanced by one for every frame of ``surveyed(shot, windows, plates)``.
    """
    start, stop = surveyed(shot, windows, plates)
    keep = kept_indices(start, stop, pictures.size.height * pictures.size.width * 4)
    chosen = pairs_of(stop - start)
    steps: list[Matrix] = []
    views: list[View] = []
    noises: list[Noise] = []

    def frames() -> Iterator[Frame]:
        for index, rgb in zip(range(start, stop), pictures.read(start, stop), strict=True):
            yield load(index, rgb, hole)

    def pairs() -> Iterator[tuple[_Seen, _Seen]]:
        last: _Seen | None = None
        for now in ahead(_seen, frames()):
            if now.frame.index in keep:
                views.append(now.view)
            if last is not None:
                yield last, now
            last = now
            progress.advance()

    def measured(pair: tuple[_Seen, _Seen]) -> tuple[Matrix, Noise | None]:
        last, now = pair
        matrix = step(last.view, now.view)
        is_chosen = now.frame.index - start in chosen
        return matrix, live_noise(last.frame, now.frame, matrix) if is_chosen else None

    for matrix, noise in ahead(measured, pairs()):
        steps.append(matrix)
        noises += [] if noise is None else [noise]
    camera = Camera(start, steps, is_static(views))
    return Survey(camera, tuple(sorted(keep)), typical(noises))


@dataclass(frozen=True, slots=True)
class _Seen:
    """A frame, and what its motion is measured on."""

    frame: Frame
    view: View


def _seen(frame: Frame) -> _Seen:
    return _Seen(frame, view(frame))


def far_frames(
    pictures: Pictures,
    hole: Callable[[int], Mask],
    no_source: Callable[[int], Mask] | None,
    rim: Callable[[int], Mask] | None,
    found: Survey,
) -> list[Frame]:
    """Load the frames that a survey chose to keep."""
    return [load(i, rgb, hole, no_source, rim) for i, rgb in _picked(pictures, found.far)]


def _picked(pictures: Pictures, indices: Sequence[int]) -> Iterator[tuple[int, RGB]]:
    """Some pictures of a video, ascending; one pass where they are near each other."""
    place, end = -1, max(indices, default=-1) + 1
    source: Iterator[RGB] = iter(())
    for index in indices:
        if not 0 <= place <= index <= place + SKIP:
            source, place = iter(pictures.read(index, end)), index
        while place < index:
            next(source)
            place += 1
        yield index, next(source)
        place += 1


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
