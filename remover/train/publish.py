"""A run, or one of its checkpoints, as a checkpoint in the released layout."""

from pathlib import Path

from remover.errors import TrainingError
from remover.sampling import SamplerConfig
from remover.train import checkpoints, networks
from remover.train.card import Card
from remover.train.export import export
from remover.train.runs import Run, opened


def publish(place: Path, target: Path, *, dtype: str, overwrite: bool) -> None:
    """Write what a run has learnt where ``remover clean --weights`` takes it.

    Args:
        place: A run's folder, whose best checkpoint is taken, or that of a checkpoint.
        target: The folder to write.
        dtype: ``fp32``, ``fp16`` or ``bf16``.
        overwrite: Whether what is there may be replaced.

    Raises:
        TrainingError: There is no checkpoint, or it is damaged.
        OutputError: The target is there already, or cannot be written.
    """
    run, chosen = _found(place)
    network = networks.transformer(run, chosen)
    export(
        target,
        network.state_dict(),
        network.config,
        networks.vae_of(run, "cpu"),
        SamplerConfig(),
        Card(run.settings, run.stage, chosen.step, run.settings.network.start, _told(run)),
        dtype=dtype,
        overwrite=overwrite,
    )


def _told(run: Run) -> str:
    """What a run was trained on, in a sentence."""
    data = run.settings.data
    if data.source == "procedural":
        return f"{data.clips} made-up clips: textures, moving shapes, a moving camera."
    kind = "clips of moving views over photographs" if data.source == "photos" else "clips"
    return f"{kind} from `{Path(data.folder).name}`; whoever trained it can say more."


def _found(place: Path) -> tuple[Run, checkpoints.Checkpoint]:
    if (place / checkpoints.STATE).is_file():
        run = opened(place.absolute().parent.parent)
        return run, checkpoints.read(place)
    if not place.is_dir():
        raise TrainingError(f"`{place}` is not there", hint="give the folder of a run")
    run = opened(place)
    return run, networks.last(run)
