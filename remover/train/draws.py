"""What a training sample draws at random, as a function of the seed and its number alone.

So a run that is resumed, or is spread over more processes, draws the same.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from remover.train.settings import BadNoise, Times

_MIX = 0x9E3779B97F4A7C15
_WORD = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Draws:
    """Of one sample."""

    time: float
    """The share of noise, in (0, 1)."""
    alpha: float
    """How much of the noise is bad, 0 to 1."""
    noise: Tensor
    """(Z, t, h, w), standard normal, float32."""
    fresh: Tensor
    """Likewise, independent."""


def draw(
    seed: int, number: int, batch: int, shape: tuple[int, ...], times: Times, bad: BadNoise
) -> Draws:
    """What sample ``number`` of a run draws.

    Args:
        seed: Of the run.
        number: Counted from 0 over all steps.
        batch: Samples of a step.
        shape: (Z, t, h, w).
        times: The law of the share of noise.
        bad: The law of the share of bad noise.
    """
    own = generator(seed, number)
    time = _time(torch.rand((), generator=own).item(), torch.randn((), generator=own).item(), times)
    drawn = torch.rand((), generator=own).item()
    if bad.alpha_for == "batch":
        drawn = torch.rand((), generator=generator(seed + 1, number // batch)).item()
    alpha = drawn if bad.alpha == "uniform" else float(bad.alpha)
    noise = torch.randn(shape, generator=own)
    return Draws(time, alpha, noise, torch.randn(shape, generator=own))


def generator(seed: int, number: int) -> torch.Generator:
    """A source of randomness that belongs to ``number``."""
    mixed = ((seed + 1) * _MIX + (number + 1) * 0xD1342543DE82EF95) & ((1 << 64) - 1)
    mixed ^= mixed >> 29
    mixed = (mixed * _MIX) & ((1 << 64) - 1)
    return torch.Generator().manual_seed((mixed ^ mixed >> 32) & _WORD)


def _time(uniform: float, normal: float, times: Times) -> float:
    """The share of noise of one draw, shifted towards noise as the sampler's levels are."""
    if times.law == "logit-normal":
        uniform = 1 / (1 + math.exp(-(times.mean + times.std * normal)))
    share = times.shift * uniform / (1 + (times.shift - 1) * uniform)
    return min(max(share, 1e-5), 1 - 1e-5)
