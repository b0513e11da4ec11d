"""What learns: the transformer, the average of its weights, and the optimiser."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from remover.models.config import DiTConfig
from remover.models.dit import DiT
from remover.train.objectives import Velocity
from remover.train.parallel import World, sharded, whole
from remover.train.settings import Compute, Stage

TIMESTEPS = 1000
"""What a share of noise of 1 is called in the network."""


class Learner:
    """The state of a run, but for the number of its step.

    Attributes:
        network: The transformer with the weights that learn, sharded over the processes.
        average: The same with averaged weights, or None.
        optimizer: AdamW over what learns.
        dtype: What is computed in.
    """

    def __init__(
        self, network: DiT, make: Callable[[], DiT], stage: Stage, compute: Compute, here: World
    ) -> None:
        """Share the networks out and prepare them.

        Args:
            network: With its first weights, on the CPU; parameters that need no gradient stay.
            make: Makes another transformer of the same structure.
            stage: How it learns.
            compute: How it is computed.
            here: The processes.
        """
        self.config: DiTConfig = network.config
        self.stage, self.here = stage, here
        self.dtype = torch.bfloat16 if compute.precision == "bf16" else torch.float32
        self.network, self.average = network.train(), None
        is_half = compute.precision == "bf16"
        if stage.ema:
            self.average = make()
            self.average.load_state_dict(network.state_dict())
            self.average.requires_grad_(requires_grad=False).eval()
            sharded(self.average, list(self.average.blocks), here, is_half=is_half)
        sharded(network, list(network.blocks), here, is_half=is_half)
        for block in network.blocks:
            if compute.compile:
                block.compile()
            if compute.checkpointing:
                _checkpointed(block)
        self.optimizer = torch.optim.AdamW(
            [parameter for _, parameter in self.learning()],
            lr=stage.lr,
            betas=stage.betas,
            weight_decay=stage.weight_decay,
        )

    @property
    def best(self) -> DiT:
        """The averaged weights where there are any, else those that learn."""
        return self.network if self.average is None else self.average

    def learning(self) -> Iterator[tuple[str, nn.Parameter]]:
        """The parameters that learn, by name."""
        return ((n, p) for n, p in self.network.named_parameters() if p.requires_grad)

    def velocity(self, contrast: Tensor | None = None, *, averaged: bool = False) -> Velocity:
        """The transformer as objectives and solvers ask for it.

        Args:
            contrast: (B,), where it has contrast tokens.
            averaged: Whether the averaged weights answer, if there are any.
        """
        return asked_of(self.best if averaged else self.network, self.dtype, contrast)

    def rate(self, step: int) -> float:
        """The learning rate of step ``step``, counted from 0."""
        stage = self.stage
        rising = (step + 1) / stage.warmup if step < stage.warmup else 1.0
        left = stage.steps - step
        falling = left / (stage.cooldown + 1) if left <= stage.cooldown else 1.0
        return stage.lr * min(rising, falling)

    def learn(self, step: int) -> None:
        """One step along the gradients that are there; they are gone then."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate(step)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self._average(step)

    def clipped(self) -> float:
        """Clip the gradients of all weights together; their norm before."""
        parameters = [parameter for _, parameter in self.learning()]
        norm = nn.utils.clip_grad_norm_(parameters, self.stage.clip)
        return float(whole(norm))

    def _average(self, step: int) -> None:
        """Move the averaged weights; in the first steps faster, so that they forget the start."""
        assert self.average is not None
        decay = min(self.stage.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for kept, new in zip(self.average.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(new, 1 - decay)


def asked_of(network: DiT, dtype: torch.dtype, contrast: Tensor | None) -> Velocity:
    """A transformer as objectives and solvers ask for it, computing in ``dtype``."""

    def asked(x: Tensor, known: Tensor, time: Tensor) -> Tensor:
        latents = torch.cat([x, known], dim=1).to(dtype)
        found: Tensor = network(latents, TIMESTEPS * time.float(), contrast)
        return found.float()

    return asked


def _checkpointed(block: nn.Module) -> None:
    """Have a block compute its activations again when gradients are asked for."""
    forward = block.forward

    def again(*given: Tensor | None) -> Tensor:
        if not torch.is_grad_enabled():
            found: Tensor = forward(*given)
            return found
        kept: Tensor = checkpoint(forward, *given, use_reentrant=False)
        return kept

    block.forward = again
