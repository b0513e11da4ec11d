"""The autoencoder of a run: Wan's, as it was released, or a small one that the run has trained."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from remover import tensorfile, weights
from remover.errors import WeightsError
from remover.files import from_os_error, publishing, write_whole
from remover.models.config import TINY, TinyConfig, vae_config
from remover.models.load import AnyVae, load_vae
from remover.models.tiny import TinyVae
from remover.train.settings import Autoencoder

CONFIG = "config.json"
WEIGHTS = "diffusion_pytorch_model.safetensors"

Fit = Callable[[], TinyVae]
"""Trains a small autoencoder."""


def autoencoder(
    settings: Autoencoder, place: Path, device: str, fit: Fit, other: Path | None = None
) -> AnyVae:
    """The autoencoder that the settings ask for, ready to encode.

    Args:
        settings: Which one.
        place: The folder where a small one of this run lies, or is put once it is trained.
        device: Where it goes.
        fit: Called if a small one is asked for and there is none yet.
        other: The folder of another run's small one, which is taken over.

    Raises:
        WeightsError: The weights are missing, damaged, or of another network.
        OutputError: A small one cannot be written.
    """
    if settings.kind == "wan":
        found = Path(settings.weights) if settings.weights else _installed()
        return loaded(found).to(device)
    if not (place / WEIGHTS).is_file():
        if other is not None:
            _copy(other, place)
        else:
            save(fit(), place)
    return loaded(place).to(device)


def none_fits() -> TinyVae:
    """For runs whose small autoencoder must be there.

    Raises:
        WeightsError: Always.
    """
    raise WeightsError(
        "the run's small autoencoder is missing", hint="begin the run again in another folder"
    )


def loaded(folder: Path) -> AnyVae:
    """The autoencoder that lies in a folder, on the CPU in float32.

    Raises:
        WeightsError: It is missing, damaged, or another network.
    """
    inner = folder if (folder / CONFIG).is_file() else folder / "vae"
    if not (inner / CONFIG).is_file():
        raise WeightsError(
            f"`{folder}` holds no autoencoder: `{CONFIG}` is missing",
            hint=f"give the folder with its `{CONFIG}` and `{WEIGHTS}`",
        )
    config = vae_config(weights.config_of(inner / CONFIG))
    return load_vae(config, tensorfile.read(inner / WEIGHTS))


def save(vae: TinyVae, place: Path) -> None:
    """Write a small autoencoder into a folder, in the layout of a checkpoint.

    Raises:
        OutputError: It cannot be written.
    """
    assert isinstance(vae.config, TinyConfig)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with publishing(place, overwrite=True) as part:
            part.mkdir()
            text = json.dumps({"_class_name": TINY, **asdict(vae.config)}, indent=2)
            write_whole(part / CONFIG, text.encode())
            tensorfile.save(part / WEIGHTS, vae.state_dict())
    except OSError as error:
        raise from_os_error(error, place) from error


def _installed() -> Path:
    """The released autoencoder where it is installed, its hash checked."""
    weights.verified("minimax/vae-config")
    return weights.verified("minimax/vae").parent


def _copy(other: Path, place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with publishing(place, overwrite=True) as part:
            shutil.copytree(other, part)
    except OSError as error:
        raise from_os_error(error, place) from error
