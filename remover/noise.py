"""Noise that belongs to places, not to the order of drawing.

Where the same latent frame and place are seen by two windows or two crops, or again after an
interruption, they get the same noise. Each value is a function of (seed, latent frame, row, column,
channel) by the counter-based generator Philox-4x32 with 10 rounds (Salmon et al., "Parallel random
numbers: as easy as 1, 2, 3", SC 2011) and the Box-Muller transform.

Legend: ``Z`` latent channels, ``t h w`` latent grid.
"""

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

_ROUNDS = 10
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = 0x9E3779B9, 0xBB67AE85
_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def philox(counter: tuple[Words, Words, Words, Words], key: tuple[int, int]) -> Words:
    """Four random words for each counter.

    Args:
        counter: Four arrays that broadcast, each of values below 2**32.
        key: Two words below 2**32.

    Returns:
        (4, ...): values below 2**32.
    """
    first, second, third, fourth = np.broadcast_arrays(*counter)
    low, high = key
    for _ in range(_ROUNDS):
        product, other = first * _MULTIPLIERS[0], third * _MULTIPLIERS[1]
        first = (other >> _HALF) ^ second ^ np.uint64(low)
        third = (product >> _HALF) ^ fourth ^ np.uint64(high)
        second, fourth = other & _MASK, product & _MASK
        low, high = (low + _WEYL[0]) & 0xFFFFFFFF, (high + _WEYL[1]) & 0xFFFFFFFF
    return np.stack([first, second, third, fourth])


def latent_noise(
    seed: int, frames: range, rows: range, columns: range, channels: int = 16
) -> npt.NDArray[np.float32]:
    """Standard normal noise for a box of the latents of a shot.

    Args:
        seed: 0 to 2**64 - 1.
        frames: Latent frames, counted from the beginning of whatever has latents of its own.
        rows: Rows of the latent grid, counted from the picture's edge, not the crop's; they may be
            negative, down to -2**31.
        columns: Columns likewise.
        channels: How many.

    Returns:
        (Z, t, h, w). Taking a part of the box gives the part of the noise; more channels leave the
        first ones as they are.

    Raises:
        ValueError: The seed is out of range.
    """
    if not 0 <= seed < 1 << 64:
        raise ValueError(f"seed {seed} is not between 0 and 2**64 - 1")
    groups = -(-channels // 4)
    counter = (
        _words(range(groups))[:, None, None, None],
        _words(columns),
        _words(rows)[:, None],
        _words(frames)[:, None, None],
    )
    words = philox(counter, (seed & 0xFFFFFFFF, seed >> 32))
    uniform = (words + 0.5) / 2.0**32  # in (0, 1), both ends left out
    radius = np.sqrt(-2.0 * np.log(uniform[0::2]))
    angle = 2.0 * np.pi * uniform[1::2]
    normal = np.stack([radius * np.cos(angle), radius * np.sin(angle)])  # (2, 2, groups, t, h, w)
    by_channel = np.moveaxis(normal.reshape(4, *words.shape[1:]), 0, 1)
    grid = words.shape[2:]
    return by_channel.reshape(4 * groups, *grid)[:channels].astype(np.float32)


def _words(places: range) -> Words:
    return np.asarray(np.array(places, np.int64).astype(np.uint64) & _MASK, np.uint64)
