"""What a run has learnt, as a network that can be asked."""

from dataclasses import dataclass

import torch
from torch import Tensor

from remover.errors import TrainingError
from remover.models.dit import DiT
from remover.models.load import AnyVae, load_dit
from remover.train import checkpoints, lora
from remover.train.checkpoints import Checkpoint
from remover.train.learner import asked_of
from remover.train.objectives import Velocity
from remover.train.runs import Run
from remover.train.settings import Settings
from remover.train.vaes import autoencoder, none_fits


@dataclass(frozen=True, slots=True)
class Learnt:
    """A transformer and its autoencoder, ready to be asked."""

    network: DiT
    vae: AnyVae
    settings: Settings
    device: str
    dtype: torch.dtype

    def ask(self, contrast: Tensor | None) -> Velocity:
        """The transformer under a contrast (B,), or without one."""
        return asked_of(self.network, self.dtype, contrast)


def last(run: Run) -> Checkpoint:
    """The best checkpoint of a run.

    Raises:
        TrainingError: It has none.
    """
    found = checkpoints.best(checkpoints.found(run.folder))
    if found is None:
        raise TrainingError(
            f"the run in `{run.folder}` has no checkpoint yet",
            hint=f"let it go on: remover train stage{run.stage} -o '{run.folder}' --resume",
        )
    return found


def transformer(run: Run, chosen: Checkpoint | None = None) -> DiT:
    """The transformer of a checkpoint, averaged, with adapters merged, on the CPU.

    Args:
        run: The run.
        chosen: Which checkpoint; None is the best.

    Raises:
        TrainingError: There is no checkpoint, or it is damaged.
    """
    settings, vae = run.settings, vae_of(run, "cpu")
    tensors = checkpoints.weights_of(chosen or last(run))
    if settings.network.lora_rank:
        rank = settings.network.lora_rank
        alpha = settings.network.lora_alpha or float(rank)
        tensors = lora.merged(tensors, lora.Adapters(rank, alpha))
    config = settings.network.shape(vae.config.z_dim, is_stage2=run.stage == 2)
    return load_dit(config, tensors)


def vae_of(run: Run, device: str) -> AnyVae:
    """The autoencoder of a run.

    Raises:
        WeightsError: It is missing or damaged.
    """
    return autoencoder(run.settings.autoencoder, run.vae, device, none_fits)


def learnt(run: Run, device: str, settings: Settings | None = None) -> Learnt:
    """What a run has learnt, on a device.

    Args:
        run: The run.
        device: Where it computes.
        settings: Of the run that asks, where that is another one.
    """
    asking = settings or run.settings
    is_half = asking.compute.precision == "bf16" and device != "cpu"
    return Learnt(
        network=transformer(run).to(device),
        vae=vae_of(run, device),
        settings=asking,
        device=device,
        dtype=torch.bfloat16 if is_half else torch.float32,
    )
