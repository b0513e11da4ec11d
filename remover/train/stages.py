"""What a step of either stage sums up: samples and their draws to a loss; gradients are added up.

Legend: ``B`` samples, ``Z`` latent channels, ``t h w`` latent grid.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from remover.models.dit import Contrast
from remover.train.draws import Draws, draw
from remover.train.learner import Learner
from remover.train.objectives import flow_matching, minimax
from remover.train.parallel import dealt, share, total
from remover.train.samples import Sample
from remover.train.settings import Settings

HELD_SEED = 0x5EED
"""Of the draws that held-out samples are judged by: the same at every step of every run."""


@dataclass(frozen=True, slots=True)
class Batch:
    """This process's samples of one step."""

    step: int
    plain: Sequence[Sample]
    """For flow matching."""
    curated: Sequence[Sample] = ()
    """For stage 2's bad noise; with an accepted result each."""


def curated_count(settings: Settings) -> int:
    """How many samples of a step of stage 2 are curated ones."""
    return round(settings.stage2.batch * settings.bad_noise.share)


def accumulate(learner: Learner, batch: Batch, settings: Settings, *, is_stage2: bool) -> float:
    """Add the gradients of a step to the weights, and return its loss.

    Args:
        learner: What learns.
        batch: All processes' samples; this one's share of them is computed here.
        settings: The laws of what is drawn.
        is_stage2: Whether samples are without contrast.

    Returns:
        The mean over the samples of all processes.
    """
    here, micro = learner.here, learner.stage.micro_batch
    whole, begin = learner.stage.batch, batch.step * learner.stage.batch
    picked = curated_count(settings) if is_stage2 else 0
    kinds = ((batch.plain, whole - picked, 0), (batch.curated, picked, whole - picked))
    found = torch.zeros((), device=here.device)
    for samples, count, offset in kinds:
        numbers = range(begin + offset, begin + offset + count)[share(here)]
        for part in dealt(list(zip(samples, numbers, strict=True)), count, here, micro):
            is_curated = offset > 0
            stack = Stack.of(part, learner, settings)
            error = (
                stack.minimax(settings) if is_curated else stack.flow(has_contrast=not is_stage2)
            )
            loss = (error * stack.weight).sum() / whole
            (loss * here.size).backward()  # type: ignore[no-untyped-call]
            found += loss.detach()
    return float(total(found, here))


@dataclass(frozen=True, slots=True)
class Stack:
    """Samples that pass the network together, with what they drew."""

    learner: Learner
    clean: Tensor
    """(B, Z, t, h, w)."""
    known: Tensor
    """(B, 2 Z, t, h, w)."""
    accepted: Tensor | None
    """(B, Z, t, h, w)."""
    contrast: Tensor
    """(B,)."""
    noise: Tensor
    """(B, Z, t, h, w)."""
    fresh: Tensor
    """Likewise."""
    time: Tensor
    """(B,)."""
    alpha: Tensor
    """(B,)."""
    weight: Tensor
    """(B,), 0 for what only fills up."""

    @classmethod
    def of(
        cls,
        part: Sequence[tuple[tuple[Sample, int], float]],
        learner: Learner,
        settings: Settings,
        seed: int | None = None,
    ) -> "Stack":
        """Stack numbered, weighted samples on the device."""
        device = learner.here.device
        samples = [sample for (sample, _), _ in part]
        seed = settings.seed if seed is None else seed
        shape, size = tuple(samples[0].clean.shape), learner.stage.batch
        drawn: list[Draws] = [
            draw(seed, number, size, shape, settings.times, settings.bad_noise)
            for (_, number), _ in part
        ]
        accepted = [sample.accepted for sample in samples if sample.accepted is not None]
        return cls(
            learner=learner,
            clean=torch.stack([s.clean for s in samples]).to(device),
            known=torch.stack([torch.cat([s.masked, s.mask]) for s in samples]).to(device),
            accepted=torch.stack(accepted).to(device) if len(accepted) == len(samples) else None,
            contrast=torch.tensor([s.contrast for s in samples], device=device),
            noise=torch.stack([d.noise for d in drawn]).to(device),
            fresh=torch.stack([d.fresh for d in drawn]).to(device),
            time=torch.tensor([d.time for d in drawn], device=device),
            alpha=torch.tensor([d.alpha for d in drawn], device=device),
            weight=torch.tensor([weight for _, weight in part], device=device),
        )

    def flow(self, *, has_contrast: bool, averaged: bool = False) -> Tensor:
        """The error of plain flow matching, (B,)."""
        contrast = self.contrast if has_contrast else None
        velocity = self.learner.velocity(contrast, averaged=averaged)
        return flow_matching(velocity, self.clean, self.known, self.noise, self.time)

    def minimax(self, settings: Settings) -> Tensor:
        """The error of curated samples under bad noise, (B,)."""
        assert self.accepted is not None
        velocity = self.learner.velocity()
        if settings.bad_noise.alpha != "uniform" and float(settings.bad_noise.alpha) == 0:
            return flow_matching(velocity, self.accepted, self.known, self.noise, self.time)
        return minimax(
            velocity,
            self.accepted,
            self.clean,
            self.known,
            self.noise,
            self.fresh,
            self.alpha,
            self.time,
            self.learner.velocity(averaged=settings.bad_noise.search == "ema"),
        )


@torch.no_grad()
def held_out_error(
    learner: Learner, held: Sequence[Sample], settings: Settings, *, is_stage2: bool
) -> float:
    """The mean error of the averaged weights on samples that are not learnt from.

    Only samples that are to be removed count; their draws are always the same.
    """
    kept = [(s, i) for i, s in enumerate(held) if s.contrast == Contrast.REMOVE]
    if not kept:
        return float("nan")
    found = torch.zeros((), device=learner.here.device)
    for shape in sorted({tuple(sample.shape) for sample, _ in kept}):
        like = [(s, i) for s, i in kept if tuple(s.shape) == shape]
        own = like[share(learner.here)] or like[:1]
        weight = float(len(like) > learner.here.rank)
        for part in dealt(own, len(like), learner.here, learner.stage.micro_batch):
            stack = Stack.of(part, learner, settings, seed=HELD_SEED)
            error = stack.flow(has_contrast=not is_stage2, averaged=True)
            found += weight * (error * stack.weight).sum()
    return float(total(found, learner.here)) / len(kept)
