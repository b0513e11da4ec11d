"""How windows of the network meet: pure functions over frames and velocities.

::

    hand-over   ......|=====            = finished, shown as they are; the new version fades in
                      |=====......
    blend       ......=====             velocities of both windows, mixed at every step
                      =====......
    shift       ......|.......|....     one step
                ...|.......|.......     the next one

Legend: ``Z`` latent channels, ``t h w`` latent grid.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from remover.sampling import Step, Velocity

PartVelocity = Callable[[Tensor, Tensor, Step], Tensor]
"""(noisy latents of a window, what is known of it, where) to their velocity."""

Span = tuple[int, int]
"""Latent frames from the first up to, not including, the second."""


def fading(place: int, shared: int) -> float:
    """Weight of the newer of two versions of a shared frame, strictly between 0 and 1.

    Args:
        place: Which of the shared frames, from 0; the newer version weighs the more the later.
        shared: How many there are.
    """
    return (place + 1) / (shared + 1)


def whole(part: PartVelocity, known: Tensor) -> Velocity:
    """One window holds all latents."""

    def velocity(x: Tensor, step: Step) -> Tensor:
        return part(x, known, step)

    return velocity


def blended(part: PartVelocity, known: Tensor, length: int, overlap: int) -> Velocity:
    """Windows that overlap; where they do, the velocity is a mixture that changes frame by frame.

    As states of the solvers are sums of velocities, this mixes the latents of both windows at every
    step (Bar-Tal et al., MultiDiffusion, ICML 2023, along time).

    Args:
        part: The velocity of a window.
        known: (1, Z, t, h, w), of all frames.
        length: Latent frames of a window.
        overlap: Latent frames that neighbours share, fewer than ``length``.
    """
    spans = overlapping(known.shape[2], length, overlap)

    def velocity(x: Tensor, step: Step) -> Tensor:
        total = torch.zeros_like(x)
        weight = x.new_zeros(x.shape[2])
        for start, stop in spans:
            share = ramp(stop - start, overlap).to(x)
            found = part(x[:, :, start:stop], known[:, :, start:stop], step)
            total[:, :, start:stop] += found.to(x) * share[:, None, None]
            weight[start:stop] += share
        return total / weight[:, None, None]

    return velocity


def shifted(part: PartVelocity, known: Tensor, length: int) -> Velocity:
    """Windows side by side whose bounds lie elsewhere at every other step.

    Args:
        part: The velocity of a window.
        known: (1, Z, t, h, w), of all frames.
        length: Latent frames of a window.
    """

    def velocity(x: Tensor, step: Step) -> Tensor:
        spans = adjacent(known.shape[2], length, step.index)
        parts = [part(x[:, :, a:b], known[:, :, a:b], step) for a, b in spans]
        return torch.cat(parts, dim=2)

    return velocity


def overlapping(count: int, length: int, overlap: int) -> list[Span]:
    """Windows over ``count`` latent frames; the last one is moved back to end with them."""
    starts = [*range(0, max(1, count - length), length - overlap)]
    if count > length:
        starts.append(count - length)
    return [(start, min(count, start + length)) for start in starts]


def adjacent(count: int, length: int, index: int) -> list[Span]:
    """Windows over ``count`` latent frames at step ``index``: moved by a half at odd ones."""
    first = length if index % 2 == 0 else (length + 1) // 2
    bounds = [0, *range(first, count, length), count]
    return list(pairwise(bounds))


def ramp(length: int, overlap: int) -> Tensor:
    """(length,): 1 in the middle of a window, falling towards both of its ends."""
    place = torch.arange(1, length + 1)
    return torch.minimum(place, place.flip(0)).clamp(max=overlap + 1) / (overlap + 1)
