"""Made-up textures: smooth noise, stripes, checks, blobs and gradients in two colours.

Each is a pure function of a generator and a size.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from remover.types import Size

Picture = npt.NDArray[np.uint8]
"""(H, W, 3)."""

Weights = npt.NDArray[np.float32]
"""(H, W), 0 to 1: how much of the second colour."""

APART = 60.0
"""Least mean difference of a texture's two colours, in levels."""

GRAIN = 10.0
"""Deviation of the fine noise over everything, in levels."""


def texture(rng: np.random.Generator, size: Size) -> Picture:
    """A texture of a kind drawn at random."""
    kind = KINDS[rng.integers(len(KINDS))]
    return coloured(rng, kind(rng, size), *colours(rng))


def colours(rng: np.random.Generator) -> tuple[Weights, Weights]:
    """Two colours that are well apart, each (3,), 0 to 255."""
    while True:
        one, two = rng.uniform(10, 245, (2, 3)).astype(np.float32)
        if np.abs(one - two).mean() >= APART:
            return one, two


def coloured(rng: np.random.Generator, weights: Weights, one: Weights, two: Weights) -> Picture:
    """Colour ``one`` where the weights are 0, ``two`` where they are 1, with some grain."""
    size = Size(*weights.shape)
    grain = (smooth(rng, size, 3.0) - 0.5) * np.float32(4 * GRAIN * rng.uniform(0.2, 1.0))
    picture = one + (two - one) * weights[..., None] + grain[..., None]
    return np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)


def smooth(rng: np.random.Generator, size: Size, cell: float) -> Weights:
    """Noise without detail below ``cell`` pixels."""
    grid = rng.random(tuple(math.ceil(side / cell) + 3 for side in size), np.float32)
    wide = cv2.resize(grid, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)
    top, left = int(cell), int(cell)
    part = wide[top : top + size.height, left : left + size.width]
    return np.asarray(np.clip(part, 0, 1), np.float32)


def octaves(rng: np.random.Generator, size: Size) -> Weights:
    """Noise at several octaves, as clouds and stone have it."""
    cell = min(size) * rng.uniform(0.2, 0.6)
    fall = rng.uniform(0.4, 0.8)
    total = np.zeros(tuple(size), np.float32)
    for power in range(4):
        total += smooth(rng, size, max(2.0, cell / 2**power)) * np.float32(fall**power)
    return _spread(total)


def stripes(rng: np.random.Generator, size: Size) -> Weights:
    """Parallel waves, more or less sharp, a little bent."""
    angle = rng.uniform(0, math.pi)
    wave = _along(size, angle) * (2 * math.pi / _period(rng, size))
    bend = smooth(rng, size, min(size) * 0.5) * rng.uniform(0, 3)
    return _edged(np.sin(wave + bend, dtype=np.float32), rng.uniform(1, 6))


def checks(rng: np.random.Generator, size: Size) -> Weights:
    """Two sets of stripes across each other."""
    angle, period = rng.uniform(0, math.pi), _period(rng, size)
    one = np.sin(_along(size, angle) * (2 * math.pi / period))
    two = np.sin(_along(size, angle + math.pi / 2) * (2 * math.pi / period))
    return _edged(np.asarray(one * two, np.float32), rng.uniform(3, 10))


def blobs(rng: np.random.Generator, size: Size) -> Weights:
    """Spots of one colour on another."""
    noise = smooth(rng, size, min(size) * rng.uniform(0.08, 0.25)) - np.float32(0.5)
    return _edged(noise, rng.uniform(8, 30))


def gradients(rng: np.random.Generator, size: Size) -> Weights:
    """One colour that turns into another, straight or round."""
    if rng.random() < 0.5:
        return _spread(_along(size, rng.uniform(0, 2 * math.pi)))
    rows, columns = np.indices(tuple(size), np.float32)
    top, left = rng.uniform(0.2, 0.8) * size.height, rng.uniform(0.2, 0.8) * size.width
    return _spread(np.hypot(rows - np.float32(top), columns - np.float32(left)))


KINDS: tuple[Callable[[np.random.Generator, Size], Weights], ...] = (
    octaves,
    stripes,
    checks,
    blobs,
    gradients,
)
"""Every kind of texture."""


def _along(size: Size, angle: float) -> Weights:
    """How far each pixel lies in a direction, in pixels."""
    rows, columns = np.indices(tuple(size), np.float32)
    return np.asarray(columns * math.cos(angle) + rows * math.sin(angle), np.float32)


def _period(rng: np.random.Generator, size: Size) -> float:
    return max(5.0, min(size) * rng.uniform(0.08, 0.35))


def _edged(wave: Weights, sharpness: float) -> Weights:
    return np.asarray(0.5 + 0.5 * np.tanh(wave * np.float32(sharpness)), np.float32)


def _spread(values: Weights) -> Weights:
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / max(high - low, 1e-6), np.float32)
