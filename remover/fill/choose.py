"""Which painter runs: from what was asked for, what is installed and what computes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from remover import tensorfile, weights
from remover.device import resolve
from remover.errors import UsageError, WeightsError
from remover.models.config import AnyVaeConfig, DiTConfig, vae_config

if TYPE_CHECKING:  # PyTorch is loaded only where a network paints
    from torch import Tensor

    from remover.sampling import SamplerConfig

GROUP = "minimax"
"""What the files of the released checkpoint are called in ``weights.lock``."""

OWN_LICENCE = "that of the weights"
"""What is said of a checkpoint that no lock names."""

GUIDANCE = 3.0
"""Of weights with contrast tokens, where none is asked for; the paper has it tuned by video."""

HALF = ("bf16", "fp16")
_STORED = {"torch.float32": "fp32", "torch.bfloat16": "bf16", "torch.float16": "fp16"}


@dataclass(frozen=True, slots=True)
class Network:
    """A checkpoint that paints, and where it computes."""

    name: str
    """``minimax`` or ``small``."""
    files: weights.Released
    dit: DiTConfig
    vae: AnyVaeConfig
    sampler: "SamplerConfig"
    stored: str
    """What most of the transformer's weights are stored in: ``fp32``, ``bf16`` or ``fp16``."""
    device: str
    dtype: str
    """What is computed in, likewise."""
    guidance: float | None
    """For weights with contrast tokens; None for others."""
    licence: str
    sha256: Mapping[str, str] = field(repr=False)
    """Of the two files of weights, by name."""


def choose(
    painter: str, folder: str | None, device: str, dtype: str, guidance: float | None
) -> Network | None:
    """The checkpoint that paints; None where nothing but the classic painter does.

    Args:
        painter: ``auto``, ``classic``, ``minimax`` or ``small``.
        folder: The folder of a checkpoint that the user named; it is taken as it is.
        device: As ``--device`` takes it.
        dtype: As ``--dtype`` takes it.
        guidance: As ``--guidance`` takes it.

    Raises:
        WeightsError: Weights are missing, damaged, or of another architecture.
        DeviceError: The device is not there.
        UsageError: The weights take no guidance.
    """
    if painter == "classic":
        return None
    if folder is not None:
        name = "small" if painter == "auto" else painter
        return _network(name, weights.released(Path(folder)), {}, device, dtype, guidance)
    if painter == "auto":
        is_there = all(weights.is_installed(entry.name) for entry in weights.select([GROUP]))
        if not is_there or resolve(device, prefer_gpu=True) == "cpu":
            return None
    return _network("minimax", *_installed(), device, dtype, guidance)


def _installed() -> tuple[weights.Released, Mapping[Path, str]]:
    """The released files where they are installed, and the hashes that were checked.

    Raises:
        WeightsError: One is missing, or is not the file that the lock names.
    """
    entries = weights.select([GROUP])
    missing = [entry for entry in entries if not weights.place(entry.name).is_file()]
    if missing:
        size = weights.size_text(sum(entry.bytes for entry in missing))
        raise WeightsError(
            f"the weights of `minimax` ({size}) are not installed: "
            f"`{weights.place(missing[0].name)}` is missing",
            hint=f"`remover weights pull {GROUP}` fetches them, `--weights DIR` takes others; "
            "`--painter classic` needs none",
        )
    known = {weights.verified(entry.name): entry.sha256 for entry in entries}
    return weights.released(weights.folder() / weights.REMOVER), known


def _network(
    name: str,
    files: weights.Released,
    known: Mapping[Path, str],
    device: str,
    dtype: str,
    guidance: float | None,
) -> Network:
    """The checkpoint ``files``, its configs read and its names and shapes checked."""
    from remover.models.load import empty_dit, empty_vae
    from remover.sampling import SamplerConfig

    dit = DiTConfig.from_json(weights.config_of(files.transformer_config))
    vae = vae_config(weights.config_of(files.vae_config))
    sampler = SamplerConfig.from_json(weights.config_of(files.scheduler_config))
    shapes = tensorfile.shapes(files.transformer)
    empty_dit(dit, shapes)
    empty_vae(vae, tensorfile.shapes(files.vae))
    _check_fit(dit, vae)
    stored = _most(list(shapes.values()))
    where = resolve(device, prefer_gpu=True)
    hashes = {
        part: known.get(path) or weights.sha256(path)
        for part, path in (("transformer", files.transformer), ("vae", files.vae))
    }
    return Network(
        name=name,
        files=files,
        dit=dit,
        vae=vae,
        sampler=sampler,
        stored=stored,
        device=where,
        dtype=_computed_in(dtype, stored, where),
        guidance=_guidance(guidance, dit),
        licence=_licence(hashes["transformer"]),
        sha256={f"{name}:{part}": digest for part, digest in hashes.items()},
    )


def _check_fit(dit: DiTConfig, vae: AnyVaeConfig) -> None:
    """Refuse networks that do not work together, or not in our crops and windows.

    Raises:
        WeightsError: As said.
    """
    wanted = {
        "in_channels": (dit.in_channels, 3 * vae.z_dim),
        "out_channels": (dit.out_channels, vae.z_dim),
        "patch_size": (dit.patch_size, (1, 2, 2)),
        "pixels of a latent": (vae.scale, 8),
        "frames of a latent": (vae.group, 4),
    }
    for what, (found, needed) in wanted.items():
        if found != needed:
            raise WeightsError(
                f"transformer and VAE do not fit together: `{what}` is `{found}`, not `{needed}`",
                hint="give a checkpoint in the layout and of the architecture of MiniMax-Remover",
            )


def _most(tensors: Sequence["Tensor"]) -> str:
    """The dtype of most of the values."""
    counts: dict[str, int] = {}
    for tensor in tensors:
        name = _STORED.get(str(tensor.dtype), "fp32")
        counts[name] = counts.get(name, 0) + math.prod(tensor.shape)
    return max(counts, key=lambda name: counts[name])


def _computed_in(dtype: str, stored: str, device: str) -> str:
    """On a GPU the 16 bits of the weights; a CPU is several times slower in 16 bits."""
    if dtype != "auto":
        return dtype
    if device == "cpu":
        return "fp32"
    return stored if stored in HALF else "fp16" if device == "mps" else "bf16"


def _guidance(asked: float | None, dit: DiTConfig) -> float | None:
    """How far to go away from making an object; None where the weights were taught no such thing.

    Raises:
        UsageError: It was asked for all the same.
    """
    if dit.num_contrast_tokens:
        return GUIDANCE if asked is None else asked
    if asked is not None:
        raise UsageError(
            f"`--guidance {asked:g}` is for weights of the first training stage, and these have "
            "no contrast tokens",
            hint="leave it out",
        )
    return None


def _licence(digest: str) -> str:
    for entry in weights.lock().values():
        if entry.sha256 == digest:
            return weights.licences()[entry.licence].title
    return OWN_LICENCE
