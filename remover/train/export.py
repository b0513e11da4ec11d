"""Checkpoints in the released layout, which ``remover clean --weights DIR`` takes."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from remover import files, tensorfile, weights
from remover.errors import WeightsError
from remover.models.config import TINY, AnyVaeConfig, DiTConfig, TinyConfig, vae_config
from remover.models.load import KEPT_IN_FLOAT32, AnyVae, empty_dit, empty_vae
from remover.sampling import SamplerConfig, Solver
from remover.train.card import Card
from remover.train.initial import without_tokens

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

CARD = "README.md"
_DIFFUSERS = "0.33.0.dev0"
"""The version that the released config files name; readers look for it."""


def export(
    target: Path,
    tensors: Mapping[str, Tensor],
    config: DiTConfig,
    vae: Path | AnyVae,
    sampler: SamplerConfig,
    card: Card,
    *,
    dtype: str = "fp32",
    keep_tokens: bool = True,
    overwrite: bool = False,
) -> Path:
    """Write a checkpoint; its folder appears whole, by one rename.

    Args:
        target: The folder.
        tensors: The transformer's plain parameters by name, averaged or live.
        config: Their shape.
        vae: A folder with the autoencoder's ``config.json`` and weights, or the autoencoder.
        sampler: How it is to be sampled.
        card: What ``README.md`` says.
        dtype: ``fp32``, ``fp16`` or ``bf16``, of the transformer; what ``models.load`` keeps in
            float32 stays so.
        keep_tokens: Whether contrast tokens come along, where there are any.
        overwrite: Whether what is there may be replaced.

    Returns:
        The folder.

    Raises:
        WeightsError: Names, shapes or the two networks do not fit together, or values are not
            finite in ``dtype``.
        OutputError: The folder is there already or cannot be written, or the disk is full.
    """
    files.check_target(target.absolute(), None, overwrite=overwrite)
    if not keep_tokens:
        tensors, config = without_tokens(tensors), _plain(config)
    empty_dit(config, tensors)
    placed = _cast(tensors, DTYPES[dtype])
    shape = _vae_shape(vae)
    _check_fit(config, shape)
    files.reclaim(target)
    with files.publishing(target.absolute(), overwrite=overwrite) as part:
        for name in {Path(path).parent for path in weights.LAYOUT.values()}:
            (part / name).mkdir(parents=True)
        _write_json(part / weights.LAYOUT["transformer_config"], transformer_json(config))
        tensorfile.save(part / weights.LAYOUT["transformer"], placed, {"format": "pt"})
        _write_vae(part, vae)
        _write_json(part / weights.LAYOUT["scheduler_config"], scheduler_json(sampler))
        (part / CARD).write_text(card.text(config, dtype), encoding="utf-8")
    return target


def transformer_json(config: DiTConfig) -> dict[str, Any]:
    """The fields of ``transformer/config.json``; for the released shape, its own."""
    own = {item.name: getattr(config, item.name) for item in fields(config)}
    if not config.num_contrast_tokens:
        del own["num_contrast_tokens"]
    return own | {
        "_class_name": "Transformer3DModel",
        "_diffusers_version": _DIFFUSERS,
        "added_kv_proj_dim": None,
        "cross_attn_norm": False,
        "qk_norm": "rms_norm_across_heads",
        "rope_max_seq_len": 1024,
    }


def vae_json(config: AnyVaeConfig) -> dict[str, Any]:
    """The fields of ``vae/config.json``; for the released shape, its own."""
    own = {item.name: getattr(config, item.name) for item in fields(config)}
    if isinstance(config, TinyConfig):
        return own | {"_class_name": TINY}
    kind = {"_class_name": "AutoencoderKLWan", "_diffusers_version": _DIFFUSERS}
    return own | kind | {"attn_scales": [], "dropout": 0.0}


def scheduler_json(sampler: SamplerConfig) -> dict[str, Any]:
    """The fields of ``scheduler/scheduler_config.json``; for the released sampler, its own."""
    common = {
        "_diffusers_version": _DIFFUSERS,
        "num_train_timesteps": sampler.num_train_timesteps,
        "use_beta_sigmas": False,
        "use_exponential_sigmas": False,
        "use_karras_sigmas": False,
    }
    if sampler.solver is Solver.EULER:
        kind = {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": sampler.shift}
        return common | kind | {"use_dynamic_shifting": False}
    return common | {
        "_class_name": "UniPCMultistepScheduler",
        "beta_end": 0.02,
        "beta_schedule": "linear",
        "beta_start": 0.0001,
        "disable_corrector": sorted(sampler.uncorrected),
        "dynamic_thresholding_ratio": 0.995,
        "final_sigmas_type": "zero",
        "flow_shift": sampler.shift,
        "lower_order_final": True,
        "predict_x0": True,
        "prediction_type": "flow_prediction",
        "rescale_betas_zero_snr": False,
        "sample_max_value": 1.0,
        "solver_order": sampler.order,
        "solver_p": None,
        "solver_type": "bh2",
        "steps_offset": 0,
        "thresholding": False,
        "timestep_spacing": "linspace",
        "trained_betas": None,
        "use_flow_sigmas": True,
    }


def save_vae(folder: Path, vae: AnyVae) -> None:
    """Write an autoencoder's ``config.json`` and weights to a folder, which is made.

    Raises:
        OSError: The system refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / Path(weights.LAYOUT["vae_config"]).name, vae_json(vae.config))
    tensorfile.save(folder / Path(weights.LAYOUT["vae"]).name, vae.state_dict(), {"format": "pt"})


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _plain(config: DiTConfig) -> DiTConfig:
    values = {item.name: getattr(config, item.name) for item in fields(config)}
    return DiTConfig(**values | {"num_contrast_tokens": 0})


def _cast(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """The parameters in ``dtype``, but for what half precision keeps in float32.

    Raises:
        WeightsError: A value is not finite, before or after.
    """
    placed = {}
    for name, tensor in tensors.items():
        is_kept = any(part in name for part in KEPT_IN_FLOAT32)
        cast = tensor.detach().to("cpu", torch.float32 if is_kept else dtype)
        if not bool(cast.isfinite().all()):
            before = "" if not bool(tensor.isfinite().all()) else f" in `{dtype}`"
            raise WeightsError(
                f"the transformer's `{name}` has values that are not finite{before}",
                hint="export as bf16 or fp32" if before else "export an earlier checkpoint",
            )
        placed[name] = cast
    return placed


def _vae_files(folder: Path) -> tuple[Path, Path]:
    """The config and the weights of an autoencoder's folder."""
    names = (Path(weights.LAYOUT["vae_config"]).name, Path(weights.LAYOUT["vae"]).name)
    config, values = (folder / name for name in names)
    for path in (config, values):
        if not path.is_file():
            raise WeightsError(
                f"the autoencoder's `{path}` is not there",
                hint=f"give the folder that holds `{names[0]}` and `{names[1]}`",
            )
    return config, values


def _vae_shape(vae: Path | AnyVae) -> AnyVaeConfig:
    """The autoencoder's shape, its names and shapes checked where they come from a folder."""
    if not isinstance(vae, Path):
        return vae.config
    config, values = _vae_files(vae)
    shape = vae_config(weights.config_of(config))
    empty_vae(shape, tensorfile.shapes(values))
    return shape


def _write_vae(part: Path, vae: Path | AnyVae) -> None:
    if not isinstance(vae, Path):
        save_vae(part / Path(weights.LAYOUT["vae"]).parent, vae)
        return
    for source, key in zip(_vae_files(vae), ("vae_config", "vae"), strict=True):
        shutil.copyfile(source, part / weights.LAYOUT[key])


def _check_fit(config: DiTConfig, vae: AnyVaeConfig) -> None:
    """Refuse networks that do not work together.

    Raises:
        WeightsError: The channels differ.
    """
    wanted = (3 * vae.z_dim, vae.z_dim)
    if (config.in_channels, config.out_channels) != wanted:
        raise WeightsError(
            f"transformer and VAE do not fit together: {config.in_channels} channels in and "
            f"{config.out_channels} out, for latents of {vae.z_dim}",
            hint="give the VAE whose latents it was trained on",
        )
