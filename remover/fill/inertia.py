"""What moves behind a hole, by inertia: it is taken to go on as it was last seen to move.

Motion is told against the camera's. What moved when it was hidden keeps its velocity and hides what
it passes over; from the frames before forwards, and from those after backwards in time. So each
layer of a scene is followed through the hole by its own motion.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from remover.fill.align import Camera
from remover.fill.flow import Field, Flows, displacement, grid, sampled
from remover.fill.frames import Float, widened
from remover.types import Rect

Barred = npt.NDArray[np.uint8]

GUARD = 8
"""Motion is not believed this near to a hole, in pixels."""
BORROWED = 14
"""It is taken from the nearest place beyond, up to this far away, in pixels."""
LEAST = 1.0
"""Pixels a frame against the camera from which on something moves."""
CRACK = 1.5
"""Gaps of this radius between pixels that were moved on are closed."""
OLDEST = 16
"""Frames after which what is hidden may be anywhere."""


@dataclass(frozen=True, slots=True)
class _State:
    """What moves in a rectangle of a frame."""

    rect: Rect
    velocity: Float = field(repr=False)
    """(2, h, w): pixels a frame against the camera, in the direction that is followed."""
    age: Float = field(repr=False)
    """(h, w): frames since it was seen."""


def followed(flows: Flows, order: Iterable[int]) -> dict[int, Field]:
    """Motion of the frames in ``order`` towards the one before each, mended in the holes.

    Args:
        flows: As measured; in holes it is that of the rough filling.
        order: Consecutive frames, forwards or backwards in time.

    Returns:
        For each frame but the first the field to its predecessor in ``order``, where one of the
        two has a hole.
    """
    found: dict[int, Field] = {}
    state: _State | None = None
    last: int | None = None
    for index in order:
        if last is not None:
            pair = flows.pair(min(index, last))
            if pair is None:
                state = None
            else:
                found[index], state = _go_on(flows, state, pair, last, index)
        last = index
    return found


def _go_on(
    flows: Flows, state: _State | None, pair: tuple[Field, Field], last: int, index: int
) -> tuple[Field, _State]:
    """The field from ``index`` back to ``last``, and what moves in ``index``."""
    measured = pair[1] if last < index else pair[0]
    rect, shift = measured.rect, measured.shift
    camera = flows.camera
    if camera.static:
        steady = np.zeros_like(shift)
    else:
        steady = displacement(camera.between(index, last), rect)
    hole = flows.hole(index)
    hidden = hole[rect.slices] > 0
    velocity = _velocities(rect, shift, steady, hole, flows.hole(last))
    age = np.zeros(hidden.shape, np.float32)
    velocity[:, hidden] = 0
    if state is None or not hidden.any():
        return measured, _State(rect, velocity, age)
    brought, ages = _moved(state, _ahead(state, camera, last, index), rect)
    moves = hidden & (_squared(brought) > LEAST**2) & (ages <= OLDEST)
    if not moves.any():
        return Field(rect, measured.steps, moves), _State(rect, velocity, age)
    shift = np.where(moves, steady - brought, shift)
    velocity[:, moves], age[moves] = brought[:, moves], ages[moves]
    return Field.of(rect, shift, moves), _State(rect, velocity, age)


def _squared(velocity: Float) -> Float:
    """Squared lengths (...) of vectors (2, ...)."""
    return np.asarray(velocity[0] ** 2 + velocity[1] ** 2)


def _ahead(state: _State, camera: Camera, last: int, index: int) -> Float:
    """Where (2, h, w) the pixels of a state are a frame later."""
    places = grid(state.rect) + state.velocity
    if camera.static:
        return places
    return places + displacement(camera.between(last, index), state.rect)


def _velocities(rect: Rect, shift: Float, steady: Float, hole: Barred, last: Barred) -> Float:
    """Velocities (2, h, w) outside the hole, near it borrowed from a little further away."""
    near = _near(hole, rect)
    places = grid(Rect(0, 0, *rect.size)) + shift
    lands = sampled(_near(last, rect), places, cv2.INTER_NEAREST, 255)
    known = (near == 0) & (lands == 0)
    velocity = steady - shift
    slow = _squared(velocity) < LEAST**2
    if (slow | ~known).all():
        return np.zeros_like(velocity)
    velocity[:, slow] = 0
    return _nearest(velocity, known, BORROWED)


def _near(hole: Barred, rect: Rect) -> Barred:
    return widened(np.ascontiguousarray(hole[rect.slices]), GUARD)


def _moved(state: _State, ahead: Float, rect: Rect) -> tuple[Float, Float]:
    """Velocities (2, h, w) and ages that a state brings into a rectangle; the faster one wins."""
    height, width = rect.size
    brought = np.zeros((3, height, width), np.float32)
    got = np.zeros((height, width), np.bool_)
    moving = _squared(state.velocity) > 0
    columns, rows = np.rint(ahead[:, moving]).astype(np.int64)
    columns, rows = columns - rect.left, rows - rect.top
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    speeds = state.velocity[:, moving][:, inside]
    order = np.argsort(_squared(speeds), kind="stable")
    columns, rows = columns[inside][order], rows[inside][order]
    brought[:2, rows, columns] = speeds[:, order]
    brought[2, rows, columns] = state.age[moving][inside][order] + 1
    got[rows, columns] = True
    brought = _nearest(brought, got, CRACK)
    return np.stack([cv2.medianBlur(axis, 5) for axis in brought[:2]]), brought[2]


def _nearest(values: Float, known: npt.NDArray[np.bool_], farthest: float) -> Float:
    """``values`` (c, h, w), elsewhere those of the nearest known pixel, not beyond ``farthest``."""
    if not known.any():
        return np.zeros_like(values)
    distance, label = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    there = np.flatnonzero(known)
    place = np.zeros(int(label.max()) + 1, np.int64)
    place[label.ravel()[there]] = there
    source, is_near = place[label], np.asarray(distance) <= farthest
    return np.stack([np.where(is_near, axis.take(source), np.float32(0)) for axis in values])
