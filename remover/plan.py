"""What is going to be done, decided before any expensive work; pure functions.

A shot is cut into windows of frames that are filled together. A window may look at the frames
around it (its context), never across a cut, and holds the rectangle that its holes need.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from remover.painting import Joins, Offload, PaintPlan, longest
from remover.types import Cost, Plan, Rect, Shot, Size, Window

WINDOW, RADIUS = 32, 32
"""Frames of a window and of its context on each side, where memory allows them."""

MARGIN = 32
"""Pixels around the holes that the fill looks at."""

SECONDS_PER_MEGAPIXEL = 2.0
"""Time to fill one megapixel of picture around a hole, on two cores of a small server."""

SECONDS_PER_FRAME = 0.12
"""Time for masks, motion, decoding and encoding of one frame of 640x360, likewise."""

SHADOW_SECONDS = 0.1
"""Time to look for a shadow in one frame with a hole, whatever its size, likewise."""

SHADOW_BYTES = 90_000_000
"""Memory that this takes, at its peak; nothing else is held then."""

PROCESS_BYTES = 220_000_000
"""What the process takes before it holds any picture."""

DRAFT_BYTES = 19
"""Memory for each pixel around a hole of a window's frames: float levels, confidence, masks."""

FLOW_BYTES = 48
"""Memory for the motion around it, both ways in time, in the window and around it as well."""

WORK_BYTES = 500
"""Memory for each pixel around the largest hole while it is copied in two threads."""

PAINT_BYTES = 400
"""Memory for each pixel that the classic painter is shown."""

PAINT_AREA, PAINT_PIXELS = 4, 1_000_000
"""How many times the pixels around a hole it is shown at most, and how many pixels at all."""

FLOW_SIDE = 960
"""Motion is measured on pictures whose longer side is at most so many pixels."""

NOTHING = Cost()
"""What masks take beyond ``SECONDS_PER_FRAME`` that nothing is tracked for."""

FAR_FRAMES, FAR_BYTES = 24, 200 << 20
"""Most frames, and most memory, of the pictures kept from all over a long shot."""


def reach(
    size: Size,
    bytes_per_sample: int,
    largest_hole: int,
    budget_bytes: int,
    fixed: int | None = None,
) -> tuple[int, int]:
    """How many frames a window and one side of its context may have within a budget.

    Args:
        size: Of the pictures.
        bytes_per_sample: 1 or 2.
        largest_hole: Pixels of the largest rectangle around a hole, with its margin.
        budget_bytes: Memory for the pictures and for the fill in the making.
        fixed: The length, where it is decided already.

    Returns:
        Window length and context radius in frames, each at least 4.
    """
    picture = picture_bytes(size, bytes_per_sample)
    length = WINDOW if fixed is None else fixed
    while (
        fixed is None
        and length > 4
        and 3 * length * picture + length * largest_hole * hole_bytes(size) > budget_bytes
    ):
        length -= 1
    left = budget_bytes - length * (picture + largest_hole * hole_bytes(size))
    return length, min(RADIUS, max(4, left // (2 * picture)))


def picture_bytes(size: Size, bytes_per_sample: int) -> int:
    """A picture with its hole and what is barred in it, and what its motion is measured on."""
    return round(size.height * size.width * (3 * bytes_per_sample + 2 + 2 * flow_share(size)))


def hole_bytes(size: Size) -> int:
    """What a pixel around a hole takes."""
    return round(DRAFT_BYTES + FLOW_BYTES * flow_share(size))


def work_bytes(size: Size, largest_hole: int) -> int:
    """What filling one frame takes beside what a window holds: copying, or painting after it.

    Args:
        size: Of the pictures.
        largest_hole: Pixels of the largest rectangle around a hole, with its margin.
    """
    shown = min(PAINT_AREA * largest_hole, size.height * size.width, PAINT_PIXELS)
    return max(WORK_BYTES * largest_hole, PAINT_BYTES * shown)


def flow_share(size: Size) -> float:
    """Pixels on which motion is measured, for one of a picture."""
    return min(1.0, FLOW_SIDE / max(size)) ** 2


def cut_to(shots: Sequence[Shot], start: int, stop: int) -> tuple[Shot, ...]:
    """The parts of ``shots`` that lie in ``start`` to ``stop``."""
    parts = (Shot(max(s.start, start), min(s.stop, stop)) for s in shots)
    return tuple(p for p in parts if p.start < p.stop)


def windows_of_shot(
    shot: Shot,
    boxes: Sequence[Rect | None],
    size: Size,
    length: int,
    radius: int,
    overlap: int = 0,
) -> tuple[Window, ...]:
    """Windows over the frames of ``shot`` that have a hole.

    Args:
        shot: The shot; its frames may be looked at, others not.
        boxes: For each frame of the video, where its hole is, or None.
        size: Of the pictures.
        length: Most frames of a window, those that it shares with its neighbours counted.
        radius: Frames of context on each side.
        overlap: Frames that a window shares with the one before and the next; 0, or 1 + 4j where
            ``length`` is 1 + 4k, so that frames have the same groups in both.

    Returns:
        Windows in order. Together they hold every frame of the shot with a hole once; each
        begins with such a frame unless it goes on where the one before ended: then its first
        ``overlap`` frames are the tail of that one.
    """
    windows: list[Window] = []
    holes = [i for i in range(shot.start, shot.stop) if boxes[i] is not None]
    number, goes_on = 0, False
    while number < len(holes):
        start = windows[-1].stop if goes_on else holes[number]
        lead = 0 if goes_on else longest(min(overlap, _free_before(start, shot, boxes)))
        limit = start - lead + length
        beyond = bisect_left(holes, limit)
        last = holes[beyond - 1]
        goes_on = (
            beyond < len(holes) and last >= limit - overlap and holes[beyond] < limit + overlap
        )
        stop, tail = (limit - overlap, overlap) if goes_on else (last + 1, 0)
        around = reduce(Rect.union, (b for b in boxes[start : stop + tail] if b is not None))
        context = (
            max(shot.start, start - max(lead, radius)),
            min(shot.stop, stop + tail + radius),
        )
        windows.append(Window(start, stop, *context, around.grown(MARGIN, size), lead, tail))
        number = bisect_left(holes, stop)
    return tuple(windows)


def _free_before(start: int, shot: Shot, boxes: Sequence[Rect | None]) -> int:
    """How many frames of the shot right before ``start`` have no hole."""
    first = start
    while first > shot.start and boxes[first - 1] is None:
        first -= 1
    return start - first


def make_plan(
    shots: Sequence[Shot],
    boxes: Sequence[Rect | None],
    areas: Sequence[int],
    size: Size,
    *,
    span: Shot,
    bytes_per_sample: int,
    budget_bytes: int,
    tracking: Cost = NOTHING,
    painting: PaintPlan | None = None,
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
        tracking: What the tracker takes that makes the masks, before the fill begins.
        painting: How a network paints; its windows are the fill's.
    """
    around = [0 if b is None else _area(b.grown(MARGIN, size)) for b in boxes]
    largest = max(around, default=0)
    fixed = None if painting is None else painting.stretch
    length, radius = reach(size, bytes_per_sample, largest, budget_bytes, fixed)
    overlap = 0 if painting is None else painting.overlap
    usable = cut_to(shots, span.start, span.stop)
    windows = tuple(
        w for s in usable for w in windows_of_shot(s, boxes, size, length, radius, overlap)
    )
    holes = [areas[i] for i, box in enumerate(boxes) if box is not None]
    picture = picture_bytes(size, bytes_per_sample)
    held = max((w.context_stop - w.context_start for w in windows), default=0)
    drafts = max((sum(around[w.start : w.stop + w.tail]) for w in windows), default=0)
    far = min(FAR_BYTES, FAR_FRAMES * picture) if held > RADIUS else 0
    scale = size.height * size.width / (640 * 360)
    seconds = SECONDS_PER_FRAME * len(boxes) * scale + SECONDS_PER_MEGAPIXEL * sum(around) / 1e6
    seconds += SHADOW_SECONDS * len(holes)
    filling = held * picture + drafts * hole_bytes(size) + far + work_bytes(size, largest)
    if painting is not None:
        filling += painting.host_bytes
    parts = [seconds, tracking.seconds, 0.0 if painting is None else painting.seconds]
    return Plan(
        num_frames=len(boxes),
        size=size,
        shots=tuple(shots),
        windows=windows,
        hole_frames=len(holes),
        hole_share=sum(holes) / len(holes) / (size.height * size.width) if holes else 0.0,
        memory_bytes=PROCESS_BYTES
        + max(max(filling, SHADOW_BYTES) + tracking.kept_bytes, tracking.memory_bytes),
        seconds=_sum(parts),
        painting=painting,
    )


def _sum(parts: Sequence[float | None]) -> float | None:
    """The sum, None where a part is not known."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def plan_of(values: Mapping[str, Any]) -> Plan:
    """The plan whose fields ``values`` are, as JSON gives them back."""
    windows = tuple(
        Window(a, b, c, d, Rect(*crop), lead, tail)
        for a, b, c, d, crop, lead, tail in values["windows"]
    )
    painting = values["painting"]
    if painting is not None:
        own = {"joins": Joins(painting["joins"]), "offload": Offload(painting["offload"])}
        painting = PaintPlan(**{**painting, **own})
    found = {
        "size": Size(*values["size"]),
        "shots": tuple(Shot(*shot) for shot in values["shots"]),
        "windows": windows,
        "painting": painting,
    }
    return Plan(**{**values, **found})


def _area(rect: Rect) -> int:
    return rect.size.height * rect.size.width
