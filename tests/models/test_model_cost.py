"""Against what was counted on the modules of the reference, in units of 10**12."""

import pytest
import torch
from configs import vaes
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from remover.models.config import DiTConfig
from remover.models.cost import decode_flop, dit_flop, encode_flop
from remover.models.dit import DiT
from remover.models.stream import Stream
from remover.models.vae import WanVae


@pytest.mark.parametrize(
    ("frames", "height", "width", "counted"), [(5, 30, 52, 5.03), (21, 60, 104, 270.5)]
)
def test_a_step_of_the_released_network_costs_what_was_counted(frames, height, width, counted):
    assert dit_flop(DiTConfig(), frames, height, width) / 1e12 == pytest.approx(counted, rel=0.005)


@pytest.mark.parametrize("tokens", [0, 6])
def test_a_small_network_costs_what_the_framework_counts(tokens):
    config = DiTConfig(2, 12, num_layers=3, ffn_dim=40, num_contrast_tokens=tokens)
    with torch.device("meta"):
        dit, latents = DiT(config), torch.zeros(1, 48, 3, 4, 6)
        contrast = torch.zeros(1, dtype=torch.long) if tokens else None
        timestep = torch.zeros(1)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        dit(latents, timestep, contrast)
    by_part = counter.get_flop_counts()
    without = sum(
        sum(by_part.get(f"DiT.{part}", {}).values())
        for part in ("condition_embedder", "contrast_tokens")
    )
    assert dit_flop(config, 3, 4, 6) == counter.get_total_flops() - without


@pytest.mark.parametrize(
    ("size", "encode", "decode"),
    [
        ((17, 240, 416), 8.68, 14.58),
        ((81, 240, 416), 40.7, 68.6),
        ((5, 480, 832), 10.8, 17.9),
        ((9, 96, 160), 0.72, 1.20),
    ],
)
def test_the_vae_costs_what_was_counted(size, encode, decode):
    assert encode_flop(*size) / 1e12 == pytest.approx(encode, rel=0.01)
    assert decode_flop(*size) / 1e12 == pytest.approx(decode, rel=0.01)


@settings(max_examples=15, deadline=None)
@given(vaes(), st.integers(0, 2), st.integers(1, 3), st.integers(1, 3))
def test_any_vae_costs_what_the_framework_counts(config, groups, rows, columns):
    frames, height, width = 1 + config.group * groups, config.scale * rows, config.scale * columns
    with torch.device("meta"):
        vae = WanVae(config)
        video = torch.zeros(1, 3, frames, height, width)
        latents = torch.zeros(1, config.z_dim, 1 + groups, rows, columns)
    with FlopCounterMode(display=False) as counter:
        vae.encode(video, Stream())
    assert encode_flop(frames, height, width, config) == counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        vae.decode(latents, Stream())
    assert decode_flop(frames, height, width, config) == counter.get_total_flops()
