"""Random Wan transformers of small size, made by diffusers, in either layout."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from upstream import diffusers_class

from remover.models.config import DiTConfig

SHAPE = DiTConfig(2, 12, num_layers=2, ffn_dim=40, freq_dim=16)
"""Of ours, as it is in stage 2."""
TEXT = 8

ORIGINAL_CONFIG = {
    "_class_name": "WanModel",
    "_diffusers_version": "0.30.0",
    "dim": SHAPE.width,
    "eps": 1e-6,
    "ffn_dim": SHAPE.ffn_dim,
    "freq_dim": SHAPE.freq_dim,
    "in_dim": 16,
    "model_type": "t2v",
    "num_heads": SHAPE.num_attention_heads,
    "num_layers": SHAPE.num_layers,
    "out_dim": 16,
    "text_len": 512,
}

_PARTS = {
    "text_embedder.linear_1": "text_embedding.0",
    "text_embedder.linear_2": "text_embedding.2",
    "time_embedder.linear_1": "time_embedding.0",
    "time_embedder.linear_2": "time_embedding.2",
    "time_proj": "time_projection.1",
}


def wan(**changes):
    """A random text-to-video transformer whose text has no effect on the result."""
    torch.manual_seed(0)
    values = {
        "num_attention_heads": SHAPE.num_attention_heads,
        "attention_head_dim": SHAPE.attention_head_dim,
        "in_channels": 16,
        "out_channels": 16,
        "text_dim": TEXT,
        "freq_dim": SHAPE.freq_dim,
        "ffn_dim": SHAPE.ffn_dim,
        "num_layers": SHAPE.num_layers,
        **changes,
    }
    network = diffusers_class("WanTransformer3DModel")(**values).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # norms and gains too
        for block in network.blocks:
            block.attn2.to_out[0].weight.zero_()
            block.attn2.to_out[0].bias.zero_()
    return network


def write_diffusers(network, folder: Path, *, shards: int = 1) -> Path:
    """The pipeline's folder, with the transformer in as many shards."""
    inner = folder / "transformer"
    size = sum(p.numel() * 4 for p in network.parameters())
    network.save_pretrained(inner, max_shard_size=size if shards == 1 else size // shards)
    return folder


def in_original_names(tensors):
    """What the original layout calls the tensors, written down part by part."""
    found = {}
    for name, tensor in tensors.items():
        part, _, kind = name.rpartition(".")
        if name == "scale_shift_table":
            found["head.modulation"] = tensor
        elif name.startswith("condition_embedder."):
            found[f"{_PARTS[part.removeprefix('condition_embedder.')]}.{kind}"] = tensor
        elif name.startswith("blocks."):
            _, index, inner = name.split(".", 2)
            found[f"blocks.{index}.{_in_block(inner)}"] = tensor
        else:
            found[name.replace("proj_out", "head.head")] = tensor
    return found


def _in_block(inner: str) -> str:
    if inner == "scale_shift_table":
        return "modulation"
    words = inner.split(".")
    if words[0] == "norm2":
        return f"norm3.{words[1]}"
    if words[0] == "ffn":
        return f"ffn.{words[2]}.{words[-1]}"
    attention = {"attn1": "self_attn", "attn2": "cross_attn"}[words[0]]
    kinds = {"to_q": "q", "to_k": "k", "to_v": "v", "to_out": "o"}
    return f"{attention}.{kinds.get(words[1], words[1])}.{words[-1]}"


def write_original(network, folder: Path, **changes) -> Path:
    """The original release's folder: one file and a config of its own kind."""
    folder.mkdir(parents=True)
    save_file(
        in_original_names(network.state_dict()), folder / "diffusion_pytorch_model.safetensors"
    )
    (folder / "config.json").write_text(json.dumps(ORIGINAL_CONFIG | changes))
    return folder
