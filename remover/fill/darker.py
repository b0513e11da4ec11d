"""How a frame differs in light from the background that other frames show around its object.

All of it is done on small pictures, in natural logarithms of levels: there a shadow is a
difference, whatever it falls on.

Legend: h, w rows and columns of small pictures; full size is that of the video.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from remover.fill.align import Camera, Matrix, to_full_size
from remover.fill.frames import Float, Frame, to_levels
from remover.fill.seam import Known
from remover.masks import bounds
from remover.types import Rect, Size

WORK_WIDTH = 320
"""Light is compared on pictures of at most this width."""
STRIDE = 4
"""Every so many frames of a shot one is a source of the background."""
REACH = 48
"""Frames to either side that are looked at."""
AROUND = 0.6
"""How far around the object is looked, in parts of its longer side."""
DARKEST = 4.0
"""Levels below this are taken for it: their logarithms are noise."""
LOW, HIGH = 0.6, 0.9
"""Which part of the frames that show a place makes its background, from dark to light: the
object's own shadow may lie on it in more than half of them, a flash in some."""
STEADY = 0.05
"""Largest standard deviation in that part; beyond it the place itself changes."""
LEAST_SOURCES, LEAST_SHARED = 4, 100
"""Frames that must show a place, and pixels by which two frames are brought to one exposure."""


@dataclass(frozen=True, slots=True)
class Small:
    """A frame reduced to what its light is compared by."""

    index: int
    logs: npt.NDArray[np.float16] = field(repr=False)
    """(h, w, 3): logarithms of local mean levels, the hole left out."""
    hidden: Known = field(repr=False)
    """(h, w): touched by the hole."""
    scale: tuple[float, float]
    """Full-size pixels for one of these, along x and y."""

    @property
    def box(self) -> Rect | None:
        """Where the object is."""
        return bounds(self.hidden)

    @property
    def centre(self) -> tuple[float, float] | None:
        """(y, x) of the object."""
        rows, columns = np.nonzero(self.hidden)
        return (float(rows.mean()), float(columns.mean())) if len(rows) else None


@dataclass(frozen=True, slots=True)
class Change:
    """How much darker or lighter a frame is than its background, around its object."""

    index: int
    rect: Rect
    """Of the small picture."""
    hidden: Known = field(repr=False)
    """(h, w): touched by the hole."""
    known: Known = field(repr=False)
    """(h, w): where the background is known and steady."""
    logs: Float = field(repr=False)
    """(h, w, 3): logarithm of frame over background; 0 where it is not known."""
    frame: Float = field(repr=False)
    """(h, w): mean logarithm of the frame itself."""
    centre: tuple[float, float]
    """(y, x) of the object in the small picture."""
    scale: tuple[float, float]
    travel: float
    """How far the object goes against the background within the sources, in parts of its longer
    side; infinite if it is not there in one of them."""


def small(frame: Frame) -> Small:
    """Reduce a frame."""
    height, width = frame.hole.shape
    wide = min(width, WORK_WIDTH)
    size = (wide, max(1, round(height * wide / width)))
    levels = to_levels(frame.rgb)
    hole = frame.hole.astype(np.float32)
    if width != wide:
        levels = np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_AREA), np.float32)
        hole = np.asarray(cv2.resize(hole, size, interpolation=cv2.INTER_AREA), np.float32)
    hidden = hole > 0
    means = local_mean(levels, ~hidden)
    logs = np.log(np.maximum(means, np.float32(DARKEST))).astype(np.float16)
    return Small(frame.index, logs, hidden, (width / size[0], height / size[1]))


def local_mean(values: Float, known: Known, side: int = 3) -> Float:
    """Means over boxes of ``side`` pixels, of the known ones alone; 0 where there is none."""
    weight = known.astype(np.float32)
    total = cv2.blur(weight, (side, side))
    sums = cv2.blur(values * (weight if values.ndim == 2 else weight[..., None]), (side, side))
    safe = np.maximum(total, 1e-6)
    return np.asarray(sums / (safe if values.ndim == 2 else safe[..., None]), np.float32)


def change(now: Small, near: Sequence[Small], camera: Camera) -> Change | None:
    """Compare the surroundings of an object with what other frames show there.

    Sources are brought to the frame's exposure. Of those that show a place, the lighter ones make
    its background, if they agree.

    Args:
        now: The frame.
        near: Frames around it, itself perhaps among them; every ``STRIDE``-th is a source.
        camera: Motion of the shot.

    Returns:
        None where there is no object, or too few sources.
    """
    box, centre = now.box, now.centre
    if box is None or centre is None:
        return None
    rect = box.grown(round(AROUND * max(box.size)), Size(*now.hidden.shape))
    free = ~now.hidden[rect.slices]
    here = now.logs[rect.slices].astype(np.float32)
    shown, seen = [], []
    travel = 0.0
    for source in near:
        if source.index == now.index or (source.index - camera.first) % STRIDE:
            continue
        logs, visible = seen_through(source, now, camera, rect)
        both = visible & free
        if np.count_nonzero(both) >= LEAST_SHARED:
            gap = np.ascontiguousarray((here[both] - logs[both]).T)  # sorted channel by channel
            shown.append(logs + np.median(gap, axis=1))
            seen.append(visible)
            travel = max(travel, way(source, now, camera) / max(box.size))
    if len(shown) < LEAST_SOURCES:
        return None
    background, known = lit(np.stack(shown), np.stack(seen))
    known &= free
    logs = np.where(known[..., None], here - background, 0).astype(np.float32)
    light = here.mean(axis=2)
    return Change(now.index, rect, ~free, known, logs, light, centre, now.scale, travel)


def way(source: Small | Change, now: Small | Change, camera: Camera) -> float:
    """How far the object goes against the background between two frames, in pixels of ``now``."""
    there, here = source.centre, now.centre
    if there is None or here is None:
        return np.inf
    v, u = there
    if not camera.static:
        matrix = to_small(camera.between(source.index, now.index), now.scale)
        u, v, depth = (float(value) for value in matrix @ (u, v, 1.0))
        u, v = u / depth, v / depth
    return float(np.hypot(u - here[1], v - here[0]))


def lit(shown: Float, seen: Known) -> tuple[Float, Known]:
    """The background as it is lit, from all that frames show of it.

    Args:
        shown: (n, h, w, 3) logarithms.
        seen: (n, h, w).

    Returns:
        (h, w, 3) logarithms, and (h, w) where enough frames show it and agree.
    """
    count = seen.sum(axis=0)
    light = np.where(seen, shown[..., 0] + shown[..., 1] + shown[..., 2], np.inf)
    order = np.argsort(light, axis=0, kind="stable")
    place = (np.arange(len(shown))[:, None, None] + 0.5) / np.maximum(count, 1)
    part = (place >= LOW) & (place <= HIGH)
    ranks = np.flatnonzero(part.any(axis=(1, 2)))  # the others make no part of any background
    part = part[ranks].astype(np.float32)
    pixels = np.arange(light[0].size).reshape(light.shape[1:])
    flat = shown.reshape(-1, 3)
    ordered = [flat.take(order[rank] * light[0].size + pixels, axis=0) for rank in ranks]
    given = part.sum(axis=0)
    total = np.maximum(given, 1)
    mean = np.zeros(shown.shape[1:], np.float32)
    for levels, share in zip(ordered, part, strict=True):
        mean += levels * cv2.merge([share] * 3)
    mean /= cv2.merge([total] * 3)
    square = np.zeros_like(given)
    for levels, share in zip(ordered, part, strict=True):
        square += _mean_square(levels - mean) * share
    spread = np.sqrt(square / total)
    return mean, (count >= LEAST_SOURCES) & (given > 0) & (spread < STEADY)


def _mean_square(gap: Float) -> Float:
    """(...): mean over the channels of squared (..., 3)."""
    squares = gap * gap
    return np.asarray((squares[..., 0] + squares[..., 1] + squares[..., 2]) / 3)


def seen_through(source: Small, now: Small, camera: Camera, rect: Rect) -> tuple[Float, Known]:
    """What ``source`` shows of a rectangle of ``now``: (h, w, 3) logarithms, (h, w) where."""
    if camera.static:
        return source.logs[rect.slices].astype(np.float32), ~source.hidden[rect.slices]
    shift = np.array([[1.0, 0, -rect.left], [0, 1.0, -rect.top], [0, 0, 1.0]])
    total = shift @ to_small(camera.between(source.index, now.index), now.scale)
    size = (rect.size.width, rect.size.height)
    logs = cv2.warpPerspective(
        source.logs.astype(np.float32), total, size, borderMode=cv2.BORDER_REPLICATE
    )
    hidden = source.hidden.astype(np.uint8) * np.uint8(255)
    barred = cv2.warpPerspective(hidden, total, size, borderValue=255)
    return np.asarray(logs, np.float32), np.asarray(barred) == 0


def to_small(matrix: Matrix, scale: tuple[float, float]) -> Matrix:
    """A motion of full-size pixels as one of small ones."""
    return to_full_size(matrix, (1 / scale[0], 1 / scale[1]))
