"""MiniMax-Remover on one window: pictures with a hole to latents, noise to clean ones, and back.

The arithmetic is that of the release (arXiv 2505.24873, section 3; the published pipeline): the
hole is mid-gray, the mask is a black and white video, both go through the autoencoder, and the
transformer is asked for the velocity of (noise, masked video, mask).

Legend: ``C`` colour, ``T H W`` frames and pixels, ``Z`` latent channels, ``t h w`` latent grid.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from remover.fill.joins import PartVelocity
from remover.models.causal import Cache
from remover.models.config import COLOURS
from remover.models.dit import Contrast, DiT
from remover.models.load import AnyVae
from remover.models.stream import Stream
from remover.sampling import Step, contrast_guided
from remover.types import Rect, Size

SOUND_REDUCTION = 2
"""Between two pixels of a picture that is reduced further, bilinear sampling misses some."""


def masked(video: Tensor, hole_THW: Tensor) -> Tensor:
    """``video`` (C, T, H, W) in [-1, 1] with mid-gray in the hole."""
    return video * (1 - hole_THW.to(video))


def mask_video(hole_THW: Tensor, like: Tensor) -> Tensor:
    """The mask as a video (C, T, H, W) of the dtype of ``like``: 1 in the hole, -1 elsewhere."""
    return (2 * hole_THW.to(like) - 1).expand(COLOURS, *hole_THW.shape)


def resized_hole(hole_THW: Tensor, size: Size) -> Tensor:
    """A hole (T, H, W) at another size; whatever it touches is in it.

    The reference samples bilinearly and takes everything above 0. That misses pixels where a
    picture is made less than half as large; there, every pixel that shows a part of it counts.

    Returns:
        (T, h, w) bool.
    """
    wide = hole_THW[:, None].float()
    sides = zip(hole_THW.shape[1:], size, strict=True)
    if all(side <= SOUND_REDUCTION * target for side, target in sides):
        small = functional.interpolate(wide, tuple(size), mode="bilinear", align_corners=False)
    else:
        small = functional.adaptive_max_pool2d(wide, tuple(size))
    return small[:, 0] > 0


def union_of_groups(hole_THW: Tensor, group: int) -> Tensor:
    """A hole whose frames are the union of those that share a latent: the first, then groups."""
    first, rest = hole_THW[:1], hole_THW[1:]
    joined = rest.view(-1, group, *rest.shape[1:]).any(1, keepdim=True)
    return torch.cat([first, joined.expand(-1, group, -1, -1).flatten(0, 1)])


def known_latents(
    vae: AnyVae, pieces: Iterable[tuple[Tensor, Tensor]], near: Rect | None
) -> Tensor:
    """What the transformer is told: latents of the masked video, then of the mask.

    Args:
        vae: The autoencoder.
        pieces: Consecutive frames (C, T, H, W) in [-1, 1] and their hole (T, H, W); 1 + 4k in all.
        near: All holes lie in it; what follows of the mask outside is not computed anew.

    Returns:
        (1, 2 Z, t, h, w), normalised.
    """
    kernels: dict[torch.nn.Module, Tensor] = {}
    picture = Stream(cache=Cache(kernels=kernels))
    outline = Stream(near=near, cache=Cache(kernels=kernels))
    weight = vae.weight
    found = []
    for video, hole in pieces:
        frames = video.to(weight)
        latents = vae.encode(masked(frames, hole.to(weight.device))[None], picture)
        mask = vae.encode(mask_video(hole, frames)[None], outline)
        found.append(torch.cat([latents, mask], dim=1))
    return torch.cat(found, dim=2)


def part_velocity(dit: DiT, dtype: torch.dtype, guidance: float) -> PartVelocity:
    """The transformer as the velocity of a window.

    Args:
        dit: With contrast tokens (first training stage) or without.
        dtype: What it computes in.
        guidance: How far to go from making an object to removing it; only for contrast tokens.
    """

    def asked(x: Tensor, known: Tensor, step: Step, contrast: Contrast | None) -> Tensor:
        latents = torch.cat([x.to(dtype), known.to(dtype)], dim=1)
        timestep = torch.tensor([step.timestep], device=x.device)
        index = None if contrast is None else torch.tensor([int(contrast)], device=x.device)
        found: Tensor = dit(latents, timestep, index)
        return found.float()

    def velocity(x: Tensor, known: Tensor, step: Step) -> Tensor:
        if not dit.config.num_contrast_tokens:
            return asked(x, known, step, None)
        if guidance == 1:
            return asked(x, known, step, Contrast.REMOVE)
        guided = contrast_guided(
            lambda x, step: asked(x, known, step, Contrast.REMOVE),
            lambda x, step: asked(x, known, step, Contrast.GENERATE),
            guidance,
        )
        return guided(x, step)

    return velocity


def decoded(vae: AnyVae, latents: Tensor, near: Rect | None) -> Iterator[Tensor]:
    """The pictures of clean latents (1, Z, t, h, w), one latent frame at a time.

    Args:
        vae: The autoencoder.
        latents: Normalised.
        near: The only part that is wanted.

    Yields:
        (C, T, H, W) of ``near`` in [-1, 1], float32.
    """
    stream = Stream(near=near)
    for piece in torch.split(latents.to(vae.weight), 1, dim=2):
        yield vae.decode(piece, stream)[0].float()
