"""What is going to be done, decided before any expensive work; pure functions.

A shot is cut into windows of frames that are filled together. A window may look at the frames
around it (its context), never across a cut, and holds the rectangle that its holes need.
"""

from collections.abc import Sequence

from remover.types import Plan, Rect, Shot, Size, Window

WINDOW, RADIUS = 32, 32
"""Frames of a window and of its context on each side, where memory allows them."""

MARGIN = 32
"""Pixels around the holes that the fill looks at."""

SECONDS_PER_MEGAPIXEL = 0.55
"""Time to fill one megapixel of crop on one core of a small server."""

SECONDS_PER_FRAME = 0.03
"""Time for motion, decoding and encoding of one frame of 640x360, likewise."""


def reach(size: Size, bytes_per_sample: int, budget_bytes: int) -> tuple[int, int]:
    """How many frames a window and one side of its context may have within a budget.

    Returns:
        Window length and context radius in frames, each at least 4.
    """
    per_frame = size.height * size.width * 3 * bytes_per_sample
    frames = max(12, budget_bytes // per_frame)
    length = min(WINDOW, max(4, frames // 3))
    return length, min(RADIUS, max(4, (frames - length) // 2))


def cut_to(shots: Sequence[Shot], start: int, stop: int) -> tuple[Shot, ...]:
    """The parts of ``shots`` that lie in ``start`` to ``stop``."""
    parts = (Shot(max(s.start, start), min(s.stop, stop)) for s in shots)
    return tuple(p for p in parts if p.start < p.stop)


def windows_of_shot(
    shot: Shot, boxes: Sequence[Rect | None], size: Size, length: int, radius: int
) -> tuple[Window, ...]:
    """Windows over the frames of ``shot`` that have a hole.

    Args:
        shot: The shot; its frames may be looked at, others not.
        boxes: For each frame of the video, where its hole is, or None.
        size: Of the pictures.
        length: Most frames of a window.
        radius: Frames of context on each side.

    Returns:
        Windows in order. Together they hold every frame of the shot with a hole once; each
        begins and ends with such a frame.
    """
    windows = []
    frame = shot.start
    while frame < shot.stop:
        box = boxes[frame]
        if box is None:
            frame += 1
            continue
        start, last = frame, frame
        crop = box
        for i in range(start + 1, min(start + length, shot.stop)):
            here = boxes[i]
            if here is not None:
                crop, last = crop.union(here), i
        context = max(shot.start, start - radius), min(shot.stop, last + 1 + radius)
        windows.append(Window(start, last + 1, *context, crop.grown(MARGIN, size)))
        frame = last + 1
    return tuple(windows)


def make_plan(
    shots: Sequence[Shot],
    boxes: Sequence[Rect | None],
    areas: Sequence[int],
    size: Size,
    *,
    span: Shot,
    bytes_per_sample: int,
    budget_bytes: int,
) -> Plan:
    """Plan the fill of a video.

    Args:
        shots: Of the whole video.
        boxes: For each frame, where its hole is, or None if it has none.
        areas: For each frame, the pixels of its hole.
        size: Of the pictures.
        span: The frames whose masks are known; others are never looked at.
        bytes_per_sample: 1 or 2.
        budget_bytes: Memory for the pictures of a window and its context.
    """
    length, radius = reach(size, bytes_per_sample, budget_bytes)
    usable = cut_to(shots, span.start, span.stop)
    windows = tuple(w for s in usable for w in windows_of_shot(s, boxes, size, length, radius))
    holes = [areas[i] for i, box in enumerate(boxes) if box is not None]
    per_frame = size.height * size.width * 3 * bytes_per_sample
    held = max((w.context_stop - w.context_start for w in windows), default=0)
    crop = max((w.crop.size.height * w.crop.size.width for w in windows), default=0)
    seconds = SECONDS_PER_FRAME * len(boxes) * size.height * size.width / (640 * 360)
    for window in windows:
        pixels = window.crop.size.height * window.crop.size.width
        seconds += SECONDS_PER_MEGAPIXEL * (window.stop - window.start) * pixels / 1e6
    return Plan(
        num_frames=len(boxes),
        size=size,
        shots=tuple(shots),
        windows=windows,
        hole_frames=len(holes),
        hole_share=sum(holes) / len(holes) / (size.height * size.width) if holes else 0.0,
        memory_bytes=held * per_frame + 40 * crop * 4,
        seconds=seconds,
    )
