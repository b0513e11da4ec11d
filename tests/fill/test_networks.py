"""Where networks are while they compute and while they wait."""

from dataclasses import replace

import pytest
import torch

from remover import tensorfile
from remover.fill.choose import Network, choose
from remover.fill.networks import Networks, borrowed, by_blocks
from remover.models.dit import DiT
from remover.models.load import load_dit
from remover.painting import Joins, Offload, PaintPlan

PLAN = PaintPlan(
    17, 5, 17, 10**6, Joins.HAND_OVER, 2, "fp32", "fp32", Offload.NONE, "cpu", 0, 0, None
)


@pytest.fixture(scope="module")
def network(checkpoint) -> Network:
    found = choose("small", str(checkpoint), "cpu", "auto", None)
    assert found is not None
    return found


def asked(dit: DiT) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 48, 2, 4, 4, generator=generator)
    return dit(x, torch.tensor([900]))


@pytest.mark.parametrize("offload", list(Offload))
def test_what_waits_elsewhere_computes_the_same(network, offload):
    with Networks(network, PLAN).dit() as dit:
        wanted = asked(dit)
    networks = Networks(network, replace(PLAN, offload=offload))
    for _ in range(2):
        with networks.dit() as dit:
            assert torch.equal(asked(dit), wanted)
        with networks.vae() as vae:
            assert vae.quant_conv.weight.device.type == "cpu"


def test_a_network_is_loaded_once_and_when_it_is_needed(network, monkeypatch):
    loaded = []
    real = tensorfile.read
    monkeypatch.setattr(tensorfile, "read", lambda path: (loaded.append(path), real(path))[1])
    networks = Networks(network, PLAN)
    assert loaded == []
    for _ in range(2):
        with networks.vae():
            pass
    assert loaded == [network.files.vae]


def on_device(dit: DiT) -> list[bool]:
    """Which blocks are on the other device, which here has no memory."""
    return [all(p.is_meta for p in block.parameters()) for block in dit.blocks]


def test_one_block_at_a_time_is_on_the_device(network):
    dit = load_dit(network.dit, tensorfile.read(network.files.transformer))
    own = {name: value.data_ptr() for name, value in dit.state_dict().items()}
    seen = []
    for block in dit.blocks:
        block.attn1.register_forward_pre_hook(lambda *_: seen.append(on_device(dit)))
    with by_blocks(dit, "meta"):
        assert dit.proj_out.weight.is_meta
        assert dit.scale_shift_table.is_meta
        assert on_device(dit) == [False, False]
        dit(torch.empty(1, 48, 2, 4, 4, device="meta"), torch.empty(1, device="meta"))
        assert on_device(dit) == [False, False]
    assert seen == [[True, False], [False, True]]
    assert {name: value.data_ptr() for name, value in dit.state_dict().items()} == own


def test_what_fails_on_the_device_comes_back(network):
    dit = load_dit(network.dit, tensorfile.read(network.files.transformer))
    with pytest.raises(RuntimeError), by_blocks(dit, "meta"):
        dit(torch.empty(1, 48, 2, 4, 4), torch.empty(1))  # not where the network is
    with pytest.raises(KeyError), borrowed(dit, "meta"):
        raise KeyError
    assert not any(p.is_meta for p in dit.parameters())
    asked(dit)


def test_weights_may_be_kept_in_16_bits_and_computed_in_32(network):
    kept = Networks(network, replace(PLAN, weights="bf16"))
    with kept.dit() as dit, Networks(network, PLAN).dit() as exact:
        assert dit.proj_out.weight.dtype == torch.bfloat16
        found, wanted = asked(dit), asked(exact)
    assert found.dtype == torch.float32
    assert 0 < (found - wanted).abs().max() < 0.05 * wanted.abs().max()
