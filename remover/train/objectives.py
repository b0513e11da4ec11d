"""What the two stages minimise, as pure functions of a velocity and tensors.

Flow matching between noise ``e`` and clean latents ``z``: at ``x = t e + (1 - t) z`` the network is
asked for ``v = e - z`` (arXiv 2505.24873, section 3.2). Stage 2 first looks for noise that brings
the object back (equations 9 to 11), then learns to remove it from there (equation 12).

Legend: ``B`` samples, ``Z`` latent channels, ``t h w`` latent grid.
"""

from collections.abc import Callable

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(latents (B, Z, t, h, w), known (B, 2 Z, t, h, w), share of noise (B,)) to (B, Z, t, h, w)."""


def noised(clean: Tensor, noise: Tensor, time: Tensor) -> Tensor:
    """``t noise + (1 - t) clean``, (B, Z, t, h, w).

    Args:
        clean: (B, Z, t, h, w).
        noise: Likewise, standard normal.
        time: (B,), the share of noise, 0 to 1.
    """
    share = time.view(-1, 1, 1, 1, 1)
    return share * noise + (1 - share) * clean


def flow_matching(
    velocity: Velocity, clean: Tensor, known: Tensor, noise: Tensor, time: Tensor
) -> Tensor:
    """The squared error of the velocity from ``noise`` to ``clean``, (B,): a mean for each sample.

    Stage 1 whole, and the outer step of stage 2 with bad noise and an accepted result as ``clean``.

    Args:
        velocity: The network.
        clean: (B, Z, t, h, w), where to.
        known: (B, 2 Z, t, h, w), latents of the masked video and of the mask.
        noise: (B, Z, t, h, w), where from.
        time: (B,), the share of noise.
    """
    found = velocity(noised(clean, noise, time), known, time)
    return (found.float() - (noise - clean).float()).square().flatten(1).mean(1)


def towards_object(velocity: Velocity, original: Tensor, known: Tensor, noise: Tensor) -> Tensor:
    """The gradient, with regard to the noise, of the error against the *bad* target (equation 9).

    At t = 1 the state is the noise itself. The target is the way to the original video, object and
    all, with the noise in it held fixed; where the error falls, the object comes back. Weights get
    no gradient from this.

    Args:
        velocity: The network.
        original: (B, Z, t, h, w), latents of the video as it was.
        known: (B, 2 Z, t, h, w).
        noise: (B, Z, t, h, w).

    Returns:
        (B, Z, t, h, w).
    """
    with torch.enable_grad():
        searched = noise.detach().clone().requires_grad_()
        whole = searched.new_ones(len(searched))
        found = velocity(searched, known, whole)
        error = (found.float() - (noise.detach() - original).float()).square().sum()
        (gradient,) = torch.autograd.grad(error, searched)
    return gradient.detach()


def bad_noise(noise: Tensor, gradient: Tensor, fresh: Tensor, alpha: Tensor) -> Tensor:
    """Noise moved towards where the object comes back (equation 11), still nearly standard normal.

    Only the sign of the gradient counts; the size of each move is that of fresh noise.

    Args:
        noise: (B, Z, t, h, w), standard normal.
        gradient: Likewise, from ``towards_object``.
        fresh: Likewise, standard normal, independent of both.
        alpha: (B,), how much of the noise is bad, 0 to 1.
    """
    share = alpha.view(-1, 1, 1, 1, 1)
    return (1 - share).sqrt() * noise - share.sqrt() * gradient.sign() * fresh.abs()


def minimax(
    velocity: Velocity,
    accepted: Tensor,
    original: Tensor,
    known: Tensor,
    noise: Tensor,
    fresh: Tensor,
    alpha: Tensor,
    time: Tensor,
    search: Velocity | None = None,
) -> Tensor:
    """The error of a curated sample under bad noise (equations 9 to 12), (B,).

    Args:
        velocity: The network that learns.
        accepted: (B, Z, t, h, w), latents of the result that a person accepted.
        original: Likewise, of the video as it was.
        known: (B, 2 Z, t, h, w).
        noise: (B, Z, t, h, w), standard normal.
        fresh: Likewise, independent of it.
        alpha: (B,), how much of the noise is bad.
        time: (B,), the share of noise that the outer step is taken at.
        search: Whose gradient is followed; None is ``velocity``.
    """
    gradient = towards_object(search or velocity, original, known, noise)
    bad = bad_noise(noise, gradient, fresh, alpha)
    return flow_matching(velocity, accepted, known, bad, time)
