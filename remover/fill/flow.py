"""Dense motion between neighbouring frames whose holes were filled roughly first.

Optical flow next to an object follows the object, so each frame's hole is first filled with what
the camera's motion brings there from the nearest frames. What moves behind the object is not seen
in that; ``inertia`` says where it went.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from remover.fill.align import Camera, Matrix, seen_through
from remover.fill.frames import Float, Frame, to_bytes, to_levels
from remover.fill.seam import membrane
from remover.masks import bounds
from remover.types import Rect

Luma = npt.NDArray[np.uint8]

NEAREST = (1, 2, 3, 4, 6, 9, 12, 16)
"""Distances in time at which a hole's first filling is looked for, nearest first."""
FINEST = 1
"""Motion is measured down to half the size; the preset stops at a quarter, and takes what is next
to the border of something that moves for slower than it is."""
STILL = 0.5
"""Pixels that something moves by at least where the camera stands still; less is the measure's
own error, and what stands still is copied as it is."""
AROUND = 64
"""Pixels around the holes in which motion is measured."""


@dataclass(frozen=True, slots=True)
class Field:
    """Where the pixels of a rectangle go until the next frame, or the one before."""

    rect: Rect
    shift: Float = field(repr=False)
    """(h, w, 2): pixels along x and y."""
    hidden: npt.NDArray[np.bool_] | None = field(default=None, repr=False)
    """(h, w): where something that moves is taken to be hidden; None is nowhere."""


class Flows:
    """Motion around the holes of a range of frames, measured once and dropped when it has passed.

    What is measured of two frames depends on the frames within ``reach`` of them alone, never on
    the window that asked first.
    """

    def __init__(
        self, frame: Callable[[int], Frame], camera: Camera, first: int, last: int, reach: int
    ) -> None:
        """Measure nothing yet.

        Args:
            frame: A frame by index.
            camera: Motion of the shot.
            first: First frame that may be looked at.
            last: Last frame that may be looked at.
            reach: Frames to either side from which a hole is filled roughly.
        """
        self.camera, self.first, self.last = camera, first, last
        self._frame, self._reach = frame, reach
        self._luma: dict[int, Luma] = {}
        self._filled: dict[int, Luma] = {}
        self._pairs: dict[int, tuple[Field, Field] | None] = {}

    def pair(self, index: int) -> tuple[Field, Field] | None:
        """Motion from frame ``index`` to the next and back; None where neither has a hole."""
        if index not in self._pairs:
            self._pairs[index] = self._measured(index)
        return self._pairs[index]

    def hole(self, index: int) -> npt.NDArray[np.uint8]:
        """(H, W): 255 where nothing may be taken from frame ``index``."""
        return self._frame(index).barred

    def forget(self, before: int) -> None:
        """Drop what belongs to frames earlier than ``before``."""
        for kept in (self._luma, self._filled, self._pairs):
            for index in [i for i in kept if i < before]:
                del kept[index]

    def _measured(self, index: int) -> tuple[Field, Field] | None:
        here, there = (self._frame(i) for i in (index, index + 1))
        holes = [found for f in (here, there) if (found := bounds(f.barred)) is not None]
        if not holes:
            return None
        rect = holes[0].union(holes[-1]).grown(AROUND, here.size)
        a, b = (np.ascontiguousarray(self._neutral(i)[rect.slices]) for i in (index, index + 1))
        ahead, back = flow(a, b), flow(b, a)
        if self.camera.static:
            ahead, back = settled(ahead), settled(back)
        return Field(rect, ahead), Field(rect, back)

    def _neutral(self, index: int) -> Luma:
        if index not in self._filled:
            near = range(
                max(self.first, index - self._reach), min(self.last, index + self._reach) + 1
            )
            self._filled[index] = neutral(index, self._frame, self._luma_of, self.camera, near)
        return self._filled[index]

    def _luma_of(self, index: int) -> Luma:
        if index not in self._luma:
            self._luma[index] = luma(self._frame(index))
        return self._luma[index]


def luma(frame: Frame) -> Luma:
    """(H, W) brightness of a frame, 8 bits."""
    rgb = frame.rgb if frame.rgb.dtype == np.uint8 else to_bytes(to_levels(frame.rgb))
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def flow(a: Luma, b: Luma) -> Float:
    """Motion (h, w, 2) from ``a`` to ``b``: dense inverse search (Kroeger et al., ECCV 2016)."""
    if min(a.shape) < 16:
        return np.zeros((*a.shape, 2), np.float32)
    measure = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    measure.setFinestScale(FINEST)
    return np.asarray(measure.calc(a, b, np.zeros((*a.shape, 2), np.float32)), np.float32)


def settled(shift: Float) -> Float:
    """Motion (h, w, 2) seen by a camera that stands still: less than ``STILL`` is none."""
    moves = shift[..., 0] ** 2 + shift[..., 1] ** 2 >= STILL**2
    return np.where(moves[..., None], shift, np.float32(0))


def neutral(
    index: int,
    frame: Callable[[int], Frame],
    luma_of: Callable[[int], Luma],
    camera: Camera,
    near: range,
) -> Luma:
    """A frame's luma (H, W) with its hole filled from the nearest frames that show it.

    Before and after are mixed by nearness; what no frame of ``near`` shows is continued smoothly.
    """
    target = frame(index)
    rect = bounds(target.barred)
    picture = luma_of(index)
    if rect is None:
        return picture
    rect = rect.grown(4, target.size)
    hole = target.barred[rect.slices] > 0
    total, weight = np.zeros((2, *hole.shape), np.float32)
    for sign in (-1, 1):
        open_ = hole.copy()
        for distance in NEAREST:
            place = index + sign * distance
            if place not in near or not open_.any():
                break
            matrix = None if camera.static else camera.between(place, index)
            shown, hidden = _through(luma_of(place), frame(place).barred, matrix, rect)
            take = open_ & (hidden == 0)
            total[take] += shown[take] / np.float32(distance)
            weight[take] += np.float32(1 / distance)
            open_ &= ~take
    known = ~hole | (weight > 0)
    mixed = np.where(hole, total / np.maximum(weight, 1e-6), picture[rect.slices])
    full = picture.copy()
    full[rect.slices] = to_bytes(membrane(mixed.astype(np.float32)[..., None], known)[..., 0])
    return full


def _through(picture: Luma, barred: Luma, matrix: Matrix | None, rect: Rect) -> tuple[Luma, Luma]:
    if matrix is None:
        return picture[rect.slices], barred[rect.slices]
    return (
        seen_through(picture, matrix, rect, cv2.INTER_LINEAR, None),
        seen_through(barred, matrix, rect, cv2.INTER_LINEAR, 255),
    )


def displacement(matrix: Matrix, rect: Rect) -> Float:
    """How far (h, w, 2) the pixels of a rectangle go under a homography."""
    places = grid(rect)
    moved = cv2.perspectiveTransform(places.reshape(-1, 1, 2), matrix).reshape(places.shape)
    return np.asarray(moved - places, np.float32)


def grid(rect: Rect) -> Float:
    """The places (h, w, 2) along x and y of a rectangle's pixels."""
    rows, columns = np.mgrid[rect.top : rect.bottom, rect.left : rect.right].astype(np.float32)
    return np.dstack([columns, rows])


def sampled(
    picture: npt.NDArray[Any], places: Float, sampling: int, outside: int | None
) -> npt.NDArray[Any]:
    """A picture at places (h, w, 2) along x and y.

    Beyond its border it is ``outside``, or goes on with its last pixels where that is None.
    """
    x, y = cv2.split(places)
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    values = (float(outside or 0),) * 4
    return np.asarray(cv2.remap(picture, x, y, sampling, borderMode=border, borderValue=values))
