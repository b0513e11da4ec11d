"""Adapters: what learns, what they compute, and how they become plain weights."""

import sys
from dataclasses import replace

import pytest
import torch
from wans import SHAPE

from remover import tensorfile
from remover.errors import UsageError, WeightsError
from remover.models.dit import DiT
from remover.models.load import load_dit
from remover.train import lora
from remover.train.draws import generator
from remover.train.initial import at_random
from remover.train.lora import Adapters

STAGE1 = replace(SHAPE, num_contrast_tokens=3)
NEW = ("patch_embedding.weight", "contrast_tokens.proj.bias")
ADAPTERS = Adapters(rank=4, alpha=6.0, new=NEW)


def inputs(dtype):
    torch.manual_seed(1)
    latents = torch.randn(2, 48, 2, 4, 4, dtype=dtype)
    return latents, torch.tensor([999.0, 300.0]), torch.tensor([0, 1])


@pytest.fixture(scope="module")
def base():
    """Weights that were trained before, so that no velocity is 0."""
    torch.manual_seed(0)
    start = at_random(STAGE1, generator(0, 0))
    return {name: t + 0.1 * torch.randn_like(t) for name, t in start.tensors.items()}


@pytest.fixture
def network(base):
    made = load_dit(STAGE1, {name: tensor.clone() for name, tensor in base.items()})
    lora.adapt(made, ADAPTERS, generator(0, 1))
    return made


@pytest.fixture
def taught(network):
    """After a few steps of training."""
    optimizer = torch.optim.Adam(lora.trainable(network).values(), 1e-2)
    wanted = torch.randn(2, 16, 2, 4, 4)
    for _ in range(5):
        optimizer.zero_grad()
        (network(*inputs(torch.float32)) - wanted).square().mean().backward()
        optimizer.step()
    return network


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_new_adapters_change_nothing(dtype, base, network):
    plain = load_dit(STAGE1, base)
    assert torch.equal(network(*inputs(dtype)), plain(*inputs(dtype)))


def test_adapters_and_what_is_new_learn_and_nothing_else(base, taught):
    learns = lora.trainable(taught)
    others = {name for name in learns if ".lora_" not in name}
    assert others == set(NEW)
    layers = {name.partition(".lora_")[0] for name in learns if ".lora_" in name}
    kinds = ("attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0", "ffn.net.0.proj")
    wanted = {f"blocks.{i}.{kind}" for i in range(2) for kind in (*kinds, "ffn.net.2")}
    assert layers == wanted
    held, _ = lora.split(taught.state_dict())
    assert held.keys() == base.keys()
    changed = {name for name in base if not torch.equal(held[name], base[name])}
    assert changed == set(NEW)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
def test_gradients_reach_every_adapter(dtype, stored, network):
    """Also where weights and adapters are cast, as mixed precision does it."""
    for name, parameter in lora.trainable(network).items():
        if ".lora_B." in name:
            torch.nn.init.normal_(parameter, std=0.1)
    network.to(stored)
    velocity = network(*inputs(dtype))
    assert velocity.dtype == dtype
    velocity.float().square().mean().backward()
    learns = lora.trainable(network)
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in learns.values())
    assert all(p.grad is None for n, p in network.named_parameters() if n not in learns)


def test_merged_weights_compute_what_the_adapted_network_does(base, taught):
    plain = load_dit(STAGE1, lora.merged(taught.state_dict(), ADAPTERS))
    with torch.no_grad():
        wanted, found = taught(*inputs(torch.float32)), plain(*inputs(torch.float32))
        before = load_dit(STAGE1, base)(*inputs(torch.float32))
    assert (wanted - before).abs().max() > 0.01
    assert (found - wanted).abs().max() <= 1e-5


def test_merging_is_that_of_the_library(taught):
    ours = lora.merged(taught.state_dict(), ADAPTERS)
    for module in taught.modules():
        if hasattr(module, "merge"):
            module.merge()
    theirs, _ = lora.split(taught.state_dict())
    assert ours.keys() == theirs.keys()
    assert all(torch.allclose(ours[name], theirs[name], atol=1e-7) for name in ours)


def test_what_was_learned_is_kept_in_a_small_file(base, taught, tmp_path):
    path = tmp_path / "adapters.safetensors"
    lora.save(path, lora.state(taught.state_dict(), ADAPTERS), ADAPTERS)
    adapters, learned = lora.load(path)
    assert adapters == ADAPTERS
    assert "blocks.0.attn1.to_q.lora_A.weight" in learned
    again = load_dit(STAGE1, {name: tensor.clone() for name, tensor in base.items()})
    lora.adapt(again, adapters, generator(5, 5))
    lora.restore(again, learned)
    with torch.no_grad():
        assert torch.equal(again(*inputs(torch.float32)), taught(*inputs(torch.float32)))
    whole = lora.applied(base, learned, adapters)
    merged = lora.merged(taught.state_dict(), ADAPTERS)
    assert whole.keys() == merged.keys()
    assert all(torch.equal(whole[name], merged[name]) for name in whole)


def test_the_seed_decides_the_adapters(base):
    def first(seed):
        made = load_dit(STAGE1, {name: tensor.clone() for name, tensor in base.items()})
        lora.adapt(made, ADAPTERS, generator(seed, 0))
        return lora.split(made.state_dict())[1]["blocks.1.ffn.net.2.lora_A.weight"]

    assert torch.equal(first(3), first(3))
    assert not torch.equal(first(3), first(4))


def test_adapters_of_another_network_are_refused(base, taught, tmp_path):
    learned = lora.state(taught.state_dict(), ADAPTERS)
    shorter = {name: t for name, t in base.items() if not name.startswith("blocks.1.")}
    with pytest.raises(WeightsError, match=r"another network: there is no `blocks.1"):
        lora.applied(shorter, learned, ADAPTERS)
    narrow = base | {"blocks.0.attn1.to_q.weight": torch.zeros(8, 8)}
    with pytest.raises(WeightsError, match=r"to_q.weight` has another shape"):
        lora.applied(narrow, learned, ADAPTERS)
    half = {name: t for name, t in learned.items() if not name.endswith("lora_A.weight")}
    with pytest.raises(WeightsError, match=r"there is no `.*lora_B.weight`"):
        lora.applied(base, half, ADAPTERS)
    with pytest.raises(WeightsError, match=r"they lack `blocks.0.attn1.to_k.lora_A.weight`"):
        lora.restore(taught, {})
    with pytest.raises(WeightsError, match=r"`blocks.9` is not there"):
        lora.restore(taught, {"blocks.9": torch.zeros(1)})
    tensorfile.save(tmp_path / "plain.safetensors", base)
    with pytest.raises(WeightsError, match="holds no adapters"):
        lora.load(tmp_path / "plain.safetensors")


def test_shapes_that_cannot_be_used_are_refused():
    with pytest.raises(ValueError, match="rank 0"):
        Adapters(0, 1.0)
    with pytest.raises(ValueError, match="no `text`"):
        lora.adapt(DiT(STAGE1), Adapters(1, 1.0, ("text",)), generator(0, 0))


def test_without_the_extra_there_is_a_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(UsageError, match="needs `peft`") as raised:
        lora.adapt(DiT(STAGE1), Adapters(1, 1.0), generator(0, 0))
    assert "remover[train]" in (raised.value.hint or "")
    assert sys.modules.get("torchvision", "left out") is not None
