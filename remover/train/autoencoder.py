"""The small autoencoder of the training presets, trained on the run's own clips before anything.

Legend: ``B`` groups of frames, ``C`` colour, ``T H W`` frames and pixels, ``Z`` latent channels.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from remover.errors import TrainingError
from remover.models.config import TinyConfig
from remover.models.tiny import TinyVae
from remover.progress import Progress
from remover.train.clips import Source, UnusableClip
from remover.train.settings import GROUP, Autoencoder

CLIPS = 256
"""Most clips that are held in memory to learn from."""
NOISE = 0.05
"""Added to latents of deviation 1 while it learns, so that what the transformer makes, which is
never exact, is decoded well."""
MASKS = 0.25
"""Share of groups that are shown with blocks of mid-gray or as a black and white mask, since the
transformer's conditions are such videos."""


def fit(
    settings: Autoencoder, source: Source, indices: list[int], seed: int, progress: Progress
) -> TinyVae:
    """An autoencoder that has learnt the clips of ``source``.

    Args:
        settings: Its size, and for how long.
        source: The clips.
        indices: Which of them may be learnt from.
        seed: Decides first weights and order.
        progress: Told of each step.

    Returns:
        On the CPU, with the statistics of its latents in its configuration.

    Raises:
        TrainingError: What it learns is not finite.
    """
    groups = _groups(source, indices)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = TinyVae(TinyConfig(settings.width, settings.z_dim))
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=1e-4)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr, settings.steps + 1)
    draw = torch.Generator().manual_seed(seed)
    progress.start("autoencoder", settings.steps, "steps")
    for _ in range(settings.steps):
        loss = _error(network, _shown(groups, settings.batch, draw), draw)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss of the small autoencoder is `{loss.item()}`",
                hint="lower `autoencoder.lr`",
            )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        rate.step()
        progress.tell(f"loss {loss.item():.4f}")
        progress.advance()
    return _measured(network, groups)


def _groups(source: Source, indices: list[int]) -> dict[tuple[int, int], Tensor]:
    """Groups of four frames (B, C, 4, H, W) in [-1, 1] by their size."""
    found: dict[tuple[int, int], list[Tensor]] = {}
    for index in indices[:CLIPS]:
        try:
            frames = source.clip(index).frames
        except UnusableClip:
            continue
        video = torch.from_numpy(np.ascontiguousarray(frames)).permute(3, 0, 1, 2)
        groups = video[:, 1:].reshape(len(video), -1, GROUP, *video.shape[2:]).transpose(0, 1)
        found.setdefault((frames.shape[1], frames.shape[2]), []).append(groups)
    return {size: torch.cat(parts) for size, parts in found.items()}


def _shown(groups: dict[tuple[int, int], Tensor], batch: int, draw: torch.Generator) -> Tensor:
    """A batch of groups of one size, (B, C, 4, H, W) in [-1, 1]; some masked."""
    sizes = list(groups)
    some = groups[sizes[int(torch.randint(len(sizes), (), generator=draw))]]
    picked = some[torch.randint(len(some), (batch,), generator=draw)].float() / 127.5 - 1
    for video in picked:
        kind = float(torch.rand((), generator=draw))
        if kind < MASKS:
            hole = _hole(video.shape[-2:], draw)
            video.copy_(video * ~hole if kind < MASKS / 2 else hole * 2.0 - 1)
    return picked


def _hole(size: torch.Size, draw: torch.Generator) -> Tensor:
    """A rectangle (H, W) of a random size."""
    hole = torch.zeros(size, dtype=torch.bool)
    spans = []
    for side in size:
        length = int(torch.randint(side // 8, side, (), generator=draw))
        start = int(torch.randint(side - length + 1, (), generator=draw))
        spans.append(slice(start, start + length))
    hole[spans[0], spans[1]] = True
    return hole


def _error(network: TinyVae, video: Tensor, draw: torch.Generator) -> Tensor:
    """The absolute error of colours and of their differences, at full and at half size."""
    latents = network.latents(video)
    noise = torch.randn(latents.shape, generator=draw)
    found = network.pictures(latents + NOISE * latents.detach().std() * noise, is_first=False)
    drift = 1e-3 * latents.square().mean()  # keeps the latents from growing
    return sum((functional.l1_loss(a, b) for a, b in _views(found, video)), start=drift)


def _views(found: Tensor, video: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    yield found, video
    yield found.diff(dim=-1), video.diff(dim=-1)
    yield found.diff(dim=-2), video.diff(dim=-2)
    half = [functional.avg_pool2d(x.flatten(1, 2), 2) for x in (found, video)]
    yield half[0], half[1]


@torch.no_grad()
def _measured(network: TinyVae, groups: dict[tuple[int, int], Tensor]) -> TinyVae:
    """The same network, knowing the mean and the deviation of its latents."""
    found = []
    for some in groups.values():
        for part in torch.split(some, 64):
            found.append(network.latents(part.float() / 127.5 - 1).transpose(0, 1).flatten(1))
    values = torch.cat(found, dim=1)
    measured = replace(
        network.config,
        latents_mean=tuple(round(float(v), 4) for v in values.mean(1)),
        latents_std=tuple(round(max(float(v), 1e-3), 4) for v in values.std(1)),
    )
    whole = TinyVae(measured)
    whole.load_state_dict(network.state_dict())
    return whole.eval().requires_grad_(requires_grad=False)
