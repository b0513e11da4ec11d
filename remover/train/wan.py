"""Weights of Wan 2.1's text-to-video transformer, by the names of ours.

Two layouts are read: that of diffusers, whose names are ours but for text and cross-attention, and
that of the original release. The text embedding, the cross-attention and its norm are left out.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from remover import tensorfile, weights
from remover.errors import WeightsError
from remover.models.config import DiTConfig

HINT = (
    "give the transformer of Wan2.1-T2V-1.3B, or set `[network]` to its shape; image-to-video, "
    "VACE and Wan 2.2 are other networks"
)

SINGLE = "diffusion_pytorch_model.safetensors"
"""What both layouts call a transformer that is one file."""

DIFFUSERS, ORIGINAL = "diffusers", "original"

_PACKED = "model.diffusion_model."
"""What some tools put before the names of the original layout."""

_WHOLE_PARTS = {
    "condition_embedder.time_embedder.linear_1": "time_embedding.0",
    "condition_embedder.time_embedder.linear_2": "time_embedding.2",
    "condition_embedder.time_proj": "time_projection.1",
    "proj_out": "head.head",
    "patch_embedding": "patch_embedding",
}
_BLOCK_PARTS = {
    "attn1.to_q": "self_attn.q",
    "attn1.to_k": "self_attn.k",
    "attn1.to_v": "self_attn.v",
    "attn1.to_out.0": "self_attn.o",
    "attn1.norm_q": "self_attn.norm_q",
    "attn1.norm_k": "self_attn.norm_k",
    "ffn.net.0.proj": "ffn.0",
    "ffn.net.2": "ffn.2",
}

_TEXT = {
    DIFFUSERS: re.compile(
        r"condition_embedder\.text_embedder\.linear_[12]\.(weight|bias)|blocks\.\d+\."
        r"(attn2\.(to_[qkv]|to_out\.0|norm_[qk])|norm2)\.(weight|bias)"
    ),
    ORIGINAL: re.compile(
        r"text_embedding\.[02]\.(weight|bias)|blocks\.\d+\."
        r"(cross_attn\.([qkvo]|norm_[qk])|norm3)\.(weight|bias)"
    ),
}
"""What each layout calls the text embedding, the cross-attention and its norm."""


@dataclass(frozen=True, slots=True)
class Found:
    """A transformer on the disk, not yet read."""

    config: Mapping[str, Any] | None
    """What lies beside it as ``config.json``, if anything does."""
    shapes: Mapping[str, Tensor]
    """Of all its files, without values."""
    files: tuple[Path, ...]


def original_name(name: str) -> str:
    """What the original layout calls our parameter ``name``."""
    block = re.fullmatch(r"(blocks\.\d+\.)(.+)", name)
    if block is None:
        if name == "scale_shift_table":
            return "head.modulation"
        part, _, kind = name.rpartition(".")
        return f"{_WHOLE_PARTS[part]}.{kind}"
    start, inner = block.groups()
    if inner == "scale_shift_table":
        return f"{start}modulation"
    part, _, kind = inner.rpartition(".")
    return f"{start}{_BLOCK_PARTS[part]}.{kind}"


def layout_of(names: Mapping[str, Tensor]) -> str:
    """Which layout the names belong to.

    Raises:
        WeightsError: Neither.
    """
    marks = {"condition_embedder.time_proj.weight": DIFFUSERS, "time_projection.1.weight": ORIGINAL}
    for mark, layout in marks.items():
        if mark in names:
            return layout
    first = min(names, default="nothing")
    raise WeightsError(
        f"these are no weights of Wan 2.1: there is `{first}`, but neither "
        f"`{min(marks)}` nor `{max(marks)}`",
        hint=HINT,
    )


def is_text(name: str, layout: str) -> bool:
    """Whether a parameter belongs to what reads text, which the remover does without."""
    return _TEXT[layout].fullmatch(name) is not None


def unpacked(name: str) -> str:
    """A name without what some tools put before it."""
    return name.removeprefix(_PACKED)


def find(place: Path) -> Found:
    """The transformer at ``place``.

    Args:
        place: A file of safetensors; a folder with one, or with shards and their index; or a folder
            with such a folder as ``transformer``.

    Raises:
        WeightsError: Nothing of the kind is there, or it cannot be read.
    """
    if not place.exists():
        raise WeightsError(
            f"the first weights `{place}` are not there",
            hint="`network.weights` names a folder or a file of safetensors",
        )
    inner = place / "transformer"
    folder = inner if inner.is_dir() else place if place.is_dir() else place.parent
    parts = (place,) if place.is_file() else _files_of(folder)
    config = folder / "config.json"
    shapes: dict[str, Tensor] = {}
    for part in parts:
        shapes |= tensorfile.shapes(part)
    return Found(weights.config_of(config) if config.is_file() else None, shapes, parts)


def _files_of(folder: Path) -> tuple[Path, ...]:
    """The files that hold the weights of a folder.

    Raises:
        WeightsError: There are none, several without an index, or a shard is missing.
    """
    indices = sorted(folder.glob("*.safetensors.index.json"))
    if not indices:
        single = sorted(folder.glob("*.safetensors"))
        if len(single) == 1 or folder / SINGLE in single:
            return (folder / SINGLE if len(single) > 1 else single[0],)
        count = "no file" if not single else f"{len(single)} files without an index"
        raise WeightsError(
            f"`{folder}` has {count} of safetensors",
            hint="`network.weights` names the folder of the transformer, or its file",
        )
    mapped = weights.config_of(indices[0]).get("weight_map")
    named = set(mapped.values()) if isinstance(mapped, dict) else set()
    if not named or any(not isinstance(n, str) or Path(n).name != n for n in named):
        raise WeightsError(
            f"`{indices[0]}` names no files of weights", hint="copy the folder again, all of it"
        )
    for name in sorted(named):
        if not (folder / name).is_file():
            raise WeightsError(
                f"`{folder / name}`, which `{indices[0].name}` names, is missing",
                hint="copy the folder again, all of it",
            )
    return tuple(folder / name for name in sorted(named))


def check_config(values: Mapping[str, Any], layout: str, config: DiTConfig) -> None:
    """Refuse the ``config.json`` of another network.

    Args:
        values: Its fields; what it leaves out is not looked at.
        layout: Of the weights beside it.
        config: The shape of ours.

    Raises:
        WeightsError: It tells of another network; the first difference is named.
    """
    expected = _expected(layout, config)
    for name, wanted in expected:
        found = values.get(name, wanted)
        found = tuple(found) if isinstance(found, list) else found
        if found != wanted:
            raise WeightsError(
                f"the first weights are of another network: their config.json has `{name}` "
                f"at `{found}`, not `{wanted}`",
                hint=HINT,
            )


def _expected(layout: str, config: DiTConfig) -> Iterator[tuple[str, object]]:
    """Fields and values of the config, what tells kinds of networks apart first."""
    if layout == DIFFUSERS:
        yield "_class_name", "WanTransformer3DModel"
        yield "image_dim", None
        yield "added_kv_proj_dim", None
        yield "qk_norm", "rms_norm_across_heads"
        yield "in_channels", config.out_channels
        for name in (
            *("out_channels", "num_attention_heads", "attention_head_dim", "num_layers"),
            *("ffn_dim", "freq_dim", "patch_size", "eps"),
        ):
            yield name, getattr(config, name)
        return
    yield "_class_name", "WanModel"
    yield "model_type", "t2v"
    yield "in_dim", config.out_channels
    yield "out_dim", config.out_channels
    yield "dim", config.width
    yield "num_heads", config.num_attention_heads
    for name in ("num_layers", "ffn_dim", "freq_dim", "patch_size", "eps"):
        yield name, getattr(config, name)
