"""Grain: the source's noise, put back where averaging and painting have taken it out.

What a source's noise is like is measured around the hole, where the picture is flattest: its
strength by level, and its spectrum. What of it the fill still has is measured in the fill. Only the
difference is added, as new noise in every frame, so pixels that were copied as they are get none.

Legend: ``h w`` the region around a hole, in samples of one component.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from remover.noise import latent_noise

Float = npt.NDArray[np.float32]
Known = npt.NDArray[np.bool_]

BLOCK = 12
"""Side of the blocks that noise is measured on, in samples."""
STRIDE = 6
"""Samples between the beginnings of neighbouring blocks."""
FLATTEST = 0.1
"""Share of the blocks that are taken to hold noise alone."""
SPREAD = 1.5
"""How much stronger than the flattest a block may be to be taken for noise."""
FEWEST = 24
"""Blocks that a measurement needs."""
BINS = 6
"""Ranges of levels that noise is measured in."""
CAP = 2.0
"""How many times the live noise's power that of a range of levels may be."""
FAINT = 0.5
"""Noise with a smaller standard deviation, in 8-bit code values, is none: nobody sees it."""
CLIPPED = 0.01
"""Blocks whose mean is nearer than this share of the range to its ends are left out: noise is cut
off there."""
ROUNDING = 1 / 12
"""Variance that rounding to whole code values adds."""
DETAIL = 2.0
"""Standard deviation, in samples, of the blur that separates a fill's noise from its content."""
BOX = 21
"""Side of the box that a fill's own noise is averaged over."""


@dataclass(frozen=True, slots=True)
class Grain:
    """The noise of one component."""

    levels: Float = field(repr=False)
    """(n,): ascending levels."""
    power: Float = field(repr=False)
    """(n,): variance at each of them."""
    kernel: Float = field(repr=False)
    """(BLOCK + 1, BLOCK + 1): turns white noise of variance 1 into noise of that spectrum."""
    detail: float
    """Share of the noise's power that the blur of ``DETAIL`` takes away."""


def measured(plane: Float, known: Known, top: float, live: float) -> Grain | None:
    """The noise of a component near a hole; None where there is none or too little to see.

    The flattest blocks hold noise and little else. They are found by what a plane through each
    block leaves over, apart for dark and bright parts.

    Args:
        plane: (h, w) code values.
        known: (h, w): True outside of holes.
        top: The largest code value.
        live: Variance of what changes from frame to frame where nothing moves, in 8-bit levels:
            what is much stronger than that is texture.
    """
    scale = (top / 255.0) ** 2
    if live < FAINT**2:
        return None
    blocks = blocks_of(plane, known)
    if len(blocks) < FEWEST:
        return None
    mean = blocks.mean(axis=(1, 2))
    inside = (mean > CLIPPED * top) & (mean < (1 - CLIPPED) * top)
    mean, rest = mean[inside], detrended(blocks[inside])
    if len(rest) < FEWEST:
        return None
    power = (rest * rest).sum(axis=(1, 2)) / (BLOCK * BLOCK - 3)
    whole, flat = flattest(power)
    levels, powers = _by_level(mean, power, min(whole, live * scale), CAP * live * scale)
    if powers.max() < FAINT**2 * scale:
        return None
    spectrum = (np.abs(np.fft.fft2(rest[flat])) ** 2).mean(axis=0)
    kernel = _kernel(spectrum)
    return Grain(levels, powers, kernel, _detail_share(kernel))


def blocks_of(plane: Float, known: Known) -> Float:
    """(n, BLOCK, BLOCK): all blocks of the grid that are known as a whole."""
    if min(plane.shape) < BLOCK:
        return np.zeros((0, BLOCK, BLOCK), np.float32)
    step = (slice(None, None, STRIDE), slice(None, None, STRIDE))
    window = (BLOCK, BLOCK)
    beginnings = cv2.erode(known.astype(np.uint8), np.ones(window, np.uint8), anchor=(0, 0)) > 0
    whole = beginnings[: 1 - BLOCK, : 1 - BLOCK][step]
    return np.asarray(np.lib.stride_tricks.sliding_window_view(plane, window)[step][whole])


def detrended(blocks: Float) -> Float:
    """Blocks without the plane that fits each of them best."""
    ramp = np.arange(BLOCK, dtype=np.float32) - np.float32((BLOCK - 1) / 2)
    square = np.float32(BLOCK * (ramp * ramp).sum())
    rest = blocks - blocks.mean(axis=(1, 2), keepdims=True)
    down = (rest * ramp[:, None]).sum(axis=(1, 2), keepdims=True) / square
    right = (rest * ramp).sum(axis=(1, 2), keepdims=True) / square
    return np.asarray(rest - down * ramp[:, None] - right * ramp, np.float32)


def flattest(power: Float) -> tuple[float, Known]:
    """The noise's power among that of blocks, and which blocks it was read off."""
    least = float(np.quantile(power, FLATTEST))
    flat = power <= SPREAD * least
    return float(np.median(power[flat])), flat


def _by_level(mean: Float, power: Float, whole: float, most: float) -> tuple[Float, Float]:
    """Noise by level: levels, and its power at each, ``whole`` where no range holds enough."""
    edges = np.linspace(mean.min(), mean.max(), BINS + 1)
    levels, powers = [], []
    for low, high in pairwise(edges):
        chosen = (mean >= low) & (mean <= high)
        if np.count_nonzero(chosen) >= FEWEST:
            levels.append(float(mean[chosen].mean()))
            powers.append(min(flattest(power[chosen])[0], most))
    if not levels:
        return np.array([mean.mean()], np.float32), np.array([whole], np.float32)
    return np.array(levels, np.float32), np.array(powers, np.float32)


def _kernel(spectrum: npt.NDArray[np.floating]) -> Float:
    """The symmetric filter of unit power that gives white noise a power spectrum."""
    kernel = np.fft.fftshift(np.real(np.fft.ifft2(np.sqrt(spectrum))))
    square = np.pad(kernel, ((0, 1), (0, 1)))  # an even circle has its far row on one side only
    square[-1], square[:, -1] = square[0], square[:, 0]
    square[[0, -1]] /= 2
    square[:, [0, -1]] /= 2
    return np.asarray(square / np.sqrt((square * square).sum()), np.float32)


def _detail_share(kernel: Float) -> float:
    """Share of the power of filtered noise that is left after its blur is taken out."""
    padded = np.pad(kernel, BOX // 2)
    blurred = cv2.GaussianBlur(padded, (0, 0), DETAIL, borderType=cv2.BORDER_CONSTANT)
    return float(((padded - blurred) ** 2).sum() / (padded * padded).sum())


def missing(fill: Float, inside: Known, grain: Grain) -> Float:
    """Variance (h, w) of the noise that a fill lacks, 0 outside of it.

    Args:
        fill: (h, w) code values.
        inside: (h, w): what was filled.
        grain: The source's noise.
    """
    weight = inside.astype(np.float32)
    count = np.maximum(cv2.GaussianBlur(weight, (0, 0), DETAIL), 1e-6)
    smooth = cv2.GaussianBlur(fill * weight, (0, 0), DETAIL) / count
    detail = (fill - smooth) ** 2 * weight
    near = np.maximum(cv2.blur(weight, (BOX, BOX), borderType=cv2.BORDER_CONSTANT), 1e-6)
    own = cv2.blur(detail, (BOX, BOX), borderType=cv2.BORDER_CONSTANT) / near
    wanted = np.interp(smooth, grain.levels, grain.power).astype(np.float32)
    lacking = wanted - own / np.float32(grain.detail) - np.float32(ROUNDING)
    return np.asarray(np.where(inside, np.maximum(lacking, 0), 0), np.float32)


def drawn(grain: Grain, seed: int, frame: int, place: tuple[int, int], lack: Float) -> Float:
    """New noise (h, w) of the variance ``lack``; a function of seed, frame and place alone.

    Args:
        grain: Its spectrum.
        seed: 0 to 2**64 - 1, of the component.
        frame: Index in the video.
        place: Row and column of the first sample in the component's plane.
        lack: (h, w), variance.
    """
    reach = BLOCK // 2
    (top, left), (height, width) = place, lack.shape
    rows = range(top - reach, top + height + reach)
    columns = range(left - reach, left + width + reach)
    white = latent_noise(seed, range(frame, frame + 1), rows, columns, 1)[0, 0]
    made = cv2.filter2D(white, -1, grain.kernel, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(made[reach:-reach, reach:-reach] * np.sqrt(lack), np.float32)
