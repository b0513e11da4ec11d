"""Made-up scenes: a camera that moves over a picture, and shapes that move before it.

What moves where (``Scene``) is drawn apart from what it looks like, so that masks cost no pictures.
Edges are antialiased and cast no shadow: outside the mask a frame is its background, bit for bit.

Legend: ``T H W`` frames and pixels.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from remover.masks import bounds
from remover.train.clips import Masks, Video
from remover.train.textures import Picture, coloured, octaves
from remover.types import Rect, Size

Points = npt.NDArray[np.float64]
"""(N, 2), x and y."""

Track = npt.NDArray[np.float64]
"""(T, ...), a value for each frame."""

ROOM = 1.6
"""Sides of the picture that a camera moves over, in sides of its view."""

STILL = 0.25
"""Share of cameras, and of shapes, that do not move."""

SEEN = 32
"""A pixel of a shape is seen where its largest channel differs by so many levels."""

SEEN_SHARE = 0.85
"""Share of a shape's pixels that are seen."""

TRIES = 4
"""Looks that are tried before a plain one that is sure to be seen."""

_SHIFT = 4
_SIDE = 64
"""Pixels of a look on a side, before it is brought to size."""


class Looks(Protocol):
    """What a shape may look like."""

    def __call__(self, rng: np.random.Generator, size: Size) -> Picture:
        """A picture of a size."""
        ...


@dataclass(frozen=True, slots=True)
class Shape:
    """Something that moves."""

    outline: Points
    """Its corners, at most 1 from its centre."""
    centre: Track
    """(T, 2), x and y in pixels."""
    angle: Track
    """(T,), radians."""
    radius: Track
    """(T,), pixels."""

    def corners(self, frame: int) -> Points:
        """Where its corners are, (N, 2) in pixels."""
        turned = self.outline @ _turned(self.angle[frame]).T
        return np.asarray(turned * self.radius[frame] + self.centre[frame], np.float64)


@dataclass(frozen=True, slots=True)
class Scene:
    """What moves where."""

    size: Size
    camera: Track
    """(T, 2, 3), from pixels of the view to those of a picture ``ROOM`` times as large."""
    shapes: tuple[Shape, ...]


def scene(rng: np.random.Generator, frames: int, size: Size) -> Scene:
    """A camera and one or two shapes."""
    path = camera(rng, frames, size)
    count = int(rng.integers(1, 3))
    return Scene(size, path, tuple(shape(rng, frames, size, (0.12, 0.26)) for _ in range(count)))


def camera(rng: np.random.Generator, frames: int, size: Size) -> Track:
    """A path of pan, zoom and a slight turn, within the picture that it looks at."""
    ease = np.zeros(frames) if rng.random() < STILL else _ease(rng, frames)
    zoom = _between(rng.uniform(0.85, 1.15, 2), ease)
    angle = _between(rng.uniform(-0.05, 0.05, 2), ease)
    view = np.array([size.width, size.height], float)
    ends = rng.uniform(-0.22, 0.22, (2, 2)) * view
    centre = view * ROOM / 2 + _between(ends, ease)
    path = np.empty((frames, 2, 3))
    for number in range(frames):
        turn = _turned(angle[number]) * zoom[number]
        path[number, :, :2] = turn
        path[number, :, 2] = centre[number] - turn @ (view / 2)
    return path


def shape(rng: np.random.Generator, frames: int, size: Size, radius: tuple[float, float]) -> Shape:
    """A shape and its way through the view.

    Args:
        rng: Where it is drawn from.
        frames: How many.
        size: Of the view.
        radius: Range of its radius, in the view's shorter side.
    """
    ease = np.zeros(frames) if rng.random() < STILL else _ease(rng, frames)
    view = np.array([size.width, size.height], float)
    sway = np.sin(np.linspace(0, rng.uniform(0, 6), frames) + rng.uniform(0, 6))[:, None]
    centre = _between(rng.uniform(0.15, 0.85, (2, 2)), ease) + sway * rng.uniform(0, 0.03, 2)
    middle = rng.uniform(*radius) * min(size)
    return Shape(
        outline(rng),
        centre * view,
        _between(rng.uniform(-math.pi, math.pi) + rng.uniform(-0.6, 0.6, 2), ease),
        _between(middle * rng.uniform(0.85, 1.15, 2), ease),
    )


def outline(rng: np.random.Generator) -> Points:
    """The corners of a blob, a polygon or a box, at most 1 from the centre."""
    kind = rng.integers(3)
    if kind == 0:
        turns = np.linspace(0, 2 * math.pi, 40, endpoint=False)
        waves = rng.normal(0, 0.22, (3, 2)) / np.arange(1, 4)[:, None]
        bumps = [a * np.cos(k * turns) + b * np.sin(k * turns) for k, (a, b) in enumerate(waves, 2)]
        reach = np.clip(1 + np.sum(bumps, axis=0), 0.35, None)
        points = np.column_stack([np.cos(turns), np.sin(turns)]) * reach[:, None]
    elif kind == 1:
        count = int(rng.integers(3, 9))
        turns = (np.arange(count) + rng.uniform(-0.3, 0.3, count)) * 2 * math.pi / count
        reach = rng.uniform(0.55, 1, count)
        points = np.column_stack([np.cos(turns), np.sin(turns)]) * reach[:, None]
    else:
        narrow = rng.uniform(0.4, 1)
        points = np.array([[-1, -narrow], [1, -narrow], [1, narrow], [-1, narrow]])
    return np.asarray(points / np.abs(np.hypot(*points.T)).max(), np.float64)


def masks(shapes: tuple[Shape, ...], frames: int, size: Size) -> Masks:
    """Every pixel that a shape touches."""
    drawn = np.zeros((frames, *size), np.uint8)
    for number in range(frames):
        for one in shapes:
            _draw(drawn[number], one, number)
    return np.asarray(drawn > 0)


def backdrop(ground: Picture, plan: Scene) -> Video:
    """What the camera sees of ``ground``, a picture ``ROOM`` times as large as the view."""
    height, width = plan.size
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = np.empty((len(plan.camera), height, width, 3), np.uint8)
    for number, path in enumerate(plan.camera):
        cv2.warpAffine(ground, path, (width, height), seen[number], flags, cv2.BORDER_REFLECT_101)
    return seen


def room_of(size: Size) -> Size:
    """The size of the picture that a camera with this view moves over."""
    return Size(round(size.height * ROOM), round(size.width * ROOM))


def before(rng: np.random.Generator, background: Video, plan: Scene, looks: Looks) -> Video:
    """The background with the shapes before it, each of a look that is clearly seen."""
    video = background.copy()
    for one in plan.shapes:
        alphas = _alphas(one, len(video), plan.size)
        look = _seen_look(rng, video, one, alphas, looks)
        for number, alpha in enumerate(alphas):
            box = bounds(alpha)
            if box is not None:
                part = alpha[box.slices]
                _paste(video[number][box.slices], part, _placed(look, one, number, box))
    return video


def _alphas(one: Shape, frames: int, size: Size) -> npt.NDArray[np.uint8]:
    drawn = np.zeros((frames, *size), np.uint8)
    for number in range(frames):
        _draw(drawn[number], one, number)
    return drawn


def _draw(canvas: npt.NDArray[np.uint8], one: Shape, frame: int) -> None:
    points = np.rint(one.corners(frame) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(canvas, [points], (255,), cv2.LINE_AA, _SHIFT)


def _paste(picture: Picture, alpha: npt.NDArray[np.uint8], look: Picture) -> None:
    share = alpha[..., None].astype(np.float32) / 255
    mixed = np.rint(picture + (look.astype(np.float32) - picture) * share)
    np.copyto(picture, mixed.astype(np.uint8), where=alpha[..., None] > 0)


def _placed(look: Picture, one: Shape, frame: int, box: Rect) -> Picture:
    """A look that turns and grows with its shape, in a part of the view."""
    turn = _turned(one.angle[frame]) * (2 * one.radius[frame] / _SIDE)
    start = one.centre[frame] - turn @ np.full(2, _SIDE / 2) - (box.left, box.top)
    size = box.size.width, box.size.height
    path = np.column_stack([turn, start])
    placed = cv2.warpAffine(look, path, size, None, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)
    return np.asarray(placed, np.uint8)


def _seen_look(
    rng: np.random.Generator,
    video: Video,
    one: Shape,
    alphas: npt.NDArray[np.uint8],
    looks: Looks,
) -> Picture:
    """A look of which nearly every pixel differs from what is behind it."""
    frames = sorted({0, len(video) // 2, len(video) - 1})
    inside = [alphas[number] == 255 for number in frames]
    behind = np.concatenate([video[n][m] for n, m in zip(frames, inside, strict=True)])
    whole = Rect(0, 0, *alphas.shape[1:])
    for _ in range(TRIES):
        look = looks(rng, Size(_SIDE, _SIDE))
        placed = [_placed(look, one, n, whole) for n in frames]
        found = np.concatenate([p[m] for p, m in zip(placed, inside, strict=True)])
        if seen_share(found, behind) >= SEEN_SHARE:
            return look
    corners = np.indices((2, 2, 2)).reshape(3, -1).T * 215.0 + 20.0
    best = max(corners, key=lambda c: seen_share(c[None], behind)).astype(np.float32)
    other = best + (128 - best) * np.float32(0.2)
    return coloured(rng, octaves(rng, Size(_SIDE, _SIDE)), best, other)


def seen_share(one: npt.NDArray[np.generic], two: npt.NDArray[np.generic]) -> float:
    """The share of pixels (N, 3) that differ by ``SEEN`` levels in some channel."""
    if not len(two):
        return 1.0
    apart = np.abs(one.astype(np.float32) - two.astype(np.float32)).max(axis=-1)
    return float((apart >= SEEN).mean())


def _turned(angle: float) -> npt.NDArray[np.float64]:
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def _between(ends: npt.NDArray[np.float64], ease: Track) -> Track:
    """From the first of ``ends`` (2, ...) to the second."""
    share = ease.reshape(-1, *([1] * (ends.ndim - 1)))
    return np.asarray(ends[0] + (ends[1] - ends[0]) * share, np.float64)


def _ease(rng: np.random.Generator, frames: int) -> Track:
    """A way from 0 to 1, even or with a slow start and end."""
    even = np.linspace(0, 1, frames)
    soft = even * even * (3 - 2 * even)
    return np.asarray(even + (soft - even) * rng.random(), np.float64)
