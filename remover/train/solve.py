"""Latents from noise with a network in training: for sheets, for curation, for evaluation.

Legend: ``B`` samples, ``Z`` latent channels, ``t h w`` latent grid, ``C`` colour, ``T H W`` frames
and pixels.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from remover.models.dit import Contrast
from remover.models.load import AnyVae
from remover.models.stream import Stream
from remover.sampling import SamplerConfig, Step, contrast_guided, sample, schedule
from remover.sampling import Velocity as Solved
from remover.train.objectives import Velocity

Ask = Callable[[Tensor | None], Velocity]
"""The network under a contrast (B,), or without one."""


@torch.no_grad()
def solved(
    ask: Ask,
    known: Tensor,
    noise: Tensor,
    *,
    steps: int,
    guidance: float | None,
    shift: float = 3.0,
) -> Tensor:
    """Clean latents (B, Z, t, h, w).

    Args:
        ask: The network.
        known: (B, 2 Z, t, h, w).
        noise: (B, Z, t, h, w), standard normal.
        steps: Of UniPC.
        guidance: Away from generating, with contrast tokens; None without any.
        shift: Of the solver's noise levels.
    """
    config = SamplerConfig(shift=shift)

    def under(contrast: Contrast | None) -> Solved:
        index = None
        if contrast is not None:
            index = torch.full((len(noise),), int(contrast), device=noise.device)
        velocity = ask(index)

        def asked(x: Tensor, step: Step) -> Tensor:
            share = step.timestep / config.num_train_timesteps
            return velocity(x, known, x.new_full((len(x),), share))

        return asked

    if guidance is None:
        velocity = under(None)
    elif guidance == 1:
        velocity = under(Contrast.REMOVE)
    else:
        velocity = contrast_guided(under(Contrast.REMOVE), under(Contrast.GENERATE), guidance)
    *_, latents = sample(velocity, noise, config, schedule(config, steps))
    return latents


def pictures(vae: AnyVae, latents: Tensor) -> npt.NDArray[np.uint8]:
    """Frames (B, T, H, W, 3) of latents (B, Z, t, h, w)."""
    video = vae.decode(latents.to(vae.weight), Stream()).float()
    levels = ((video + 1) * 127.5).round().clamp(0, 255).byte()
    return np.ascontiguousarray(levels.permute(0, 2, 3, 4, 1).cpu().numpy())
