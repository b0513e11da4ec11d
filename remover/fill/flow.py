"""Dense motion between neighbouring frames whose holes were filled roughly first.

Optical flow next to an object follows the object, so each frame's hole is first filled with what
the camera's motion brings there from the nearest frames. What moves behind the object is not seen
in that; ``inertia`` says where it went.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from remover.fill.align import Camera, Matrix, seen_through, to_full_size
from remover.fill.frames import Float, Frame, to_bytes, to_levels
from remover.fill.seam import membrane
from remover.fill.spread import spread
from remover.masks import bounds
from remover.plan import FLOW_SIDE
from remover.types import Rect, Shot, Size

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
PARTS = 64
"""Motion is kept in whole numbers of such parts of a pixel: a tenth of what it is measured to."""


@dataclass(frozen=True, slots=True)
class Field:
    """Where the pixels of a rectangle go until the next frame, or the one before."""

    rect: Rect
    """In pixels of the size at which motion is measured."""
    steps: npt.NDArray[np.int16] = field(repr=False)
    """(2, h, w): ``PARTS`` of such pixels along x and y."""
    hidden: npt.NDArray[np.bool_] | None = field(default=None, repr=False)
    """(h, w): where something that moves is taken to be hidden; None is nowhere."""

    @classmethod
    def of(cls, rect: Rect, shift: Float, hidden: npt.NDArray[np.bool_] | None = None) -> "Field":
        """Keep a motion (2, h, w) in pixels along x and y, which is less than 512."""
        most = np.iinfo(np.int16)
        steps = np.rint(shift * np.float32(PARTS)).clip(most.min, most.max).astype(np.int16)
        return cls(rect, steps, hidden)

    @property
    def shift(self) -> Float:
        """(2, h, w): such pixels along x and y."""
        return np.asarray(self.steps * np.float32(1 / PARTS), np.float32)


class Flows:
    """Motion around the holes of a range of frames, measured once and dropped when it has passed.

    What is measured of two frames depends on the frames within ``reach`` of them alone, never on
    the window that asked first.
    """

    def __init__(
        self,
        frame: Callable[[int], Frame],
        size: Size,
        camera: Camera,
        frames: Shot,
        reach: int,
    ) -> None:
        """Measure nothing yet.

        Args:
            frame: A frame by index.
            size: Of the frames.
            camera: Motion of the shot.
            frames: Those that may be looked at.
            reach: Frames to either side from which a hole is filled roughly.

        Attributes:
            size: That at which motion is measured.
            scale: Pixels of a frame for one of these, along x and y.
        """
        factor = max(1.0, max(size) / FLOW_SIDE)
        self.size = Size(*(max(1, round(side / factor)) for side in size))
        self.scale = size.width / self.size.width, size.height / self.size.height
        self.camera = scaled(camera, self.scale)
        self.frames = frames
        self._frame, self._reach = frame, reach
        self._luma: dict[int, Luma] = {}
        self._holes: dict[int, Luma] = {}
        self._filled: dict[int, Luma | None] = {}
        self._pairs: dict[int, tuple[Field, Field] | None] = {}

    def measure(self, frames: range) -> None:
        """Measure the motion from each of these frames to the next, several at a time."""
        todo = [index for index in frames if index not in self._pairs]
        needed = sorted({place for index in todo for place in (index, index + 1)})
        around = sorted({j for i in needed if i not in self._filled for j in self._near(i)})
        for kept, make in ((self._luma, self._bright), (self._holes, self._closed)):
            missing = [i for i in around if i not in kept]
            kept.update(zip(missing, spread(make, missing), strict=True))
        missing = [i for i in needed if i not in self._filled]
        self._filled.update(zip(missing, spread(self._rough, missing), strict=True))
        self._pairs.update(zip(todo, spread(self._measured, todo), strict=True))

    def pair(self, index: int) -> tuple[Field, Field] | None:
        """Motion from frame ``index`` to the next and back; None where neither has a hole."""
        if index not in self._pairs:
            self.measure(range(index, index + 1))
        return self._pairs[index]

    def hole(self, index: int) -> npt.NDArray[np.uint8]:
        """(H, W): 255 where nothing may be taken from frame ``index``."""
        return self._holes[index]

    def forget(self, before: int) -> None:
        """Drop what belongs to frames earlier than ``before``."""
        for kept in (self._luma, self._holes, self._filled, self._pairs):
            for index in [i for i in kept if i < before]:
                del kept[index]

    def _measured(self, index: int) -> tuple[Field, Field] | None:
        found = (bounds(self._holes[i]) for i in (index, index + 1))
        holes = [rect for rect in found if rect is not None]
        if not holes:
            return None
        rect = holes[0].union(holes[-1]).grown(AROUND, self.size)
        a, b = (self._shown(i, rect) for i in (index, index + 1))
        ahead, back = flow(a, b), flow(b, a)
        if self.camera.static:
            ahead, back = settled(ahead), settled(back)
        return Field.of(rect, ahead), Field.of(rect, back)

    def _shown(self, index: int, rect: Rect) -> Luma:
        """A rectangle of a frame's luma, its hole, if it has one, filled roughly."""
        part, filled = self._luma[index][rect.slices].copy(), self._filled[index]
        if filled is not None:
            inner = around_hole(self._holes[index]).moved(-rect.top, -rect.left)
            part[inner.slices] = filled
        return part

    def _near(self, index: int) -> range:
        """Frames from which a hole is filled roughly."""
        start, stop = index - self._reach, index + self._reach + 1
        return range(max(self.frames.start, start), min(self.frames.stop, stop))

    def _rough(self, index: int) -> Luma | None:
        if not self._holes[index].any():
            return None
        return neutral(index, self._luma, self._holes, self.camera, self._near(index))

    def _bright(self, index: int) -> Luma:
        return self._small(luma(self._frame(index)))

    def _closed(self, index: int) -> Luma:
        frame = self._frame(index)
        both = frame.hole | frame.barred
        if both.shape == tuple(self.size) and np.array_equal(both, frame.hole):
            return frame.hole
        small = self._small(both)
        return np.asarray(np.where(small > 0, np.uint8(255), np.uint8(0)))

    def _small(self, picture: Luma) -> Luma:
        if picture.shape == tuple(self.size):
            return picture
        size = (self.size.width, self.size.height)
        return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def scaled(camera: Camera, scale: tuple[float, float]) -> Camera:
    """The same motion for pixels as large as ``scale`` of these, along x and y."""
    if camera.static or scale == (1, 1):
        return camera
    inverse = 1 / scale[0], 1 / scale[1]
    return Camera(camera.first, [to_full_size(m, inverse) for m in camera.steps], static=False)


def luma(frame: Frame) -> Luma:
    """(H, W) brightness of a frame, 8 bits."""
    rgb = frame.rgb if frame.rgb.dtype == np.uint8 else to_bytes(to_levels(frame.rgb))
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)


def flow(a: Luma, b: Luma) -> Float:
    """Motion (2, h, w) from ``a`` to ``b``: dense inverse search (Kroeger et al., ECCV 2016)."""
    if min(a.shape) < 16:
        return np.zeros((2, *a.shape), np.float32)
    measure = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    measure.setFinestScale(FINEST)
    return np.stack(cv2.split(measure.calc(a, b, np.zeros((*a.shape, 2), np.float32))))


def settled(shift: Float) -> Float:
    """Motion (2, h, w) seen by a camera that stands still: less than ``STILL`` is none."""
    moves = shift[0] ** 2 + shift[1] ** 2 >= STILL**2
    return np.where(moves, shift, np.float32(0))


def neutral(
    index: int,
    lumas: Mapping[int, Luma],
    holes: Mapping[int, Luma],
    camera: Camera,
    near: range,
) -> Luma:
    """A frame's luma (h, w) around its hole, filled from the nearest frames that show it.

    Before and after are mixed by nearness; what no frame of ``near`` shows is continued smoothly.

    Args:
        index: The frame, which has a hole.
        lumas: (H, W) of it and of the frames ``near``.
        holes: (H, W): 255 where nothing may be taken from.
        camera: Motion of the shot.
        near: Frames to look at.
    """
    rect = around_hole(holes[index])
    hole = holes[index][rect.slices] > 0
    total, weight = np.zeros((2, *hole.shape), np.float32)
    for sign in (-1, 1):
        open_ = hole.copy()
        for distance in NEAREST:
            place = index + sign * distance
            if place not in near or not open_.any():
                break
            matrix = None if camera.static else camera.between(place, index)
            shown, hidden = _through(lumas[place], holes[place], matrix, rect)
            take = open_ & (hidden == 0)
            total[take] += shown[take] / np.float32(distance)
            weight[take] += np.float32(1 / distance)
            open_ &= ~take
    known = ~hole | (weight > 0)
    mixed = np.where(hole, total / np.maximum(weight, 1e-6), lumas[index][rect.slices])
    return to_bytes(membrane(mixed.astype(np.float32)[..., None], known)[..., 0])


def around_hole(hole: Luma) -> Rect:
    """Where a hole (H, W) lies, with a little of what is around it."""
    rect = bounds(hole)
    assert rect is not None
    return rect.grown(4, Size(*hole.shape))


def _through(picture: Luma, barred: Luma, matrix: Matrix | None, rect: Rect) -> tuple[Luma, Luma]:
    if matrix is None:
        return picture[rect.slices], barred[rect.slices]
    return (
        seen_through(picture, matrix, rect, cv2.INTER_LINEAR, None),
        seen_through(barred, matrix, rect, cv2.INTER_LINEAR, 255),
    )


def displacement(matrix: Matrix, rect: Rect) -> Float:
    """How far (2, h, w) the pixels of a rectangle go under a homography."""
    places = grid(rect)
    moved = cv2.perspectiveTransform(cv2.merge([*places]), matrix)
    return np.asarray(np.stack(cv2.split(moved)) - places, np.float32)


def grid(rect: Rect) -> Float:
    """The places (2, h, w) along x and y of a rectangle's pixels."""
    rows = np.arange(rect.top, rect.bottom, dtype=np.float32)[:, None]
    columns = np.arange(rect.left, rect.right, dtype=np.float32)[None]
    return np.stack(np.broadcast_arrays(columns, rows))


def sampled(
    picture: npt.NDArray[Any], places: Float, sampling: int, outside: int | None
) -> npt.NDArray[Any]:
    """A picture at places (2, h, w) along x and y.

    Beyond its border it is ``outside``, or goes on with its last pixels where that is None.
    """
    x, y = places
    border = cv2.BORDER_REPLICATE if outside is None else cv2.BORDER_CONSTANT
    values = (float(outside or 0),) * 4
    return np.asarray(cv2.remap(picture, x, y, sampling, borderMode=border, borderValue=values))
