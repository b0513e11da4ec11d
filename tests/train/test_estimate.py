"""Estimates, held against what the framework counts and against networks that are there."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from remover.errors import UsageError
from remover.models.config import DiTConfig
from remover.models.dit import DiT
from remover.train import lora, presets
from remover.train.draws import generator
from remover.train.estimate import (
    GPUS,
    duration,
    estimate,
    gpu,
    rows,
    sample_flop,
    search_flop,
)
from remover.train.initial import at_random
from remover.train.objectives import flow_matching, towards_object
from remover.train.settings import Compute, Data, Network, Settings, Stage

SHAPE = DiTConfig(2, 24, num_layers=6, ffn_dim=192, freq_dim=16)
GRID = (3, 16, 16)
A800 = gpu("a800")


class Again(nn.Module):
    """A block whose activations are computed again for the gradient."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, *values):
        return checkpoint(self.block, *values, use_reentrant=False)


def counted(work) -> int:
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        work()
    return counter.get_total_flops()


@pytest.fixture(scope="module")
def latents():
    torch.manual_seed(0)
    return {
        "clean": torch.randn(1, 16, *GRID),
        "known": torch.randn(1, 32, *GRID),
        "noise": torch.randn(1, 16, *GRID),
    }


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("rank", [0, 4])
def test_a_sample_and_a_search_cost_what_the_framework_counts(rank, checkpointing, latents):
    network = DiT(SHAPE)
    if rank:
        lora.adapt(network, lora.Adapters(rank, 1.0), generator(0, 0))
    if checkpointing:
        network.blocks = nn.ModuleList(Again(block) for block in network.blocks)

    def velocity(x, known, time):
        return network(torch.cat([x, known], dim=1), 1000 * time)

    def step():
        flow_matching(velocity, **latents, time=torch.tensor([0.5])).sum().backward()

    def search():
        towards_object(velocity, latents["clean"], latents["known"], latents["noise"])

    given = {"rank": rank, "checkpointing": checkpointing}
    assert counted(step) == pytest.approx(sample_flop(SHAPE, GRID, **given), rel=0.03)
    assert counted(search) == pytest.approx(search_flop(SHAPE, GRID, **given), rel=0.03)


@pytest.mark.parametrize(("dtype", "itemsize"), [(torch.float32, 4), (torch.bfloat16, 2)])
def test_activations_are_what_is_kept_for_the_gradient(dtype, itemsize):
    def kept(layers: int) -> int:
        network = DiT(replace(SHAPE, num_layers=layers)).to(dtype)
        own = {p.untyped_storage().data_ptr() for p in network.parameters()}
        found: dict[int, torch.Tensor] = {}

        def pack(tensor):
            found.setdefault(tensor.untyped_storage().data_ptr(), tensor)
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            network(torch.randn(1, 48, *GRID, dtype=dtype), torch.tensor([500.0]))
        return sum(t.untyped_storage().nbytes() for place, t in found.items() if place not in own)

    precision = {4: "fp32", 2: "bf16"}[itemsize]
    whole = estimate(small(compute=Compute(precision=precision)), stage=2)
    by_block = (kept(4) - kept(2)) // 2
    assert whole.kept_bytes == pytest.approx(SHAPE.num_layers * by_block, rel=0.03)
    assert whole.checkpointed_bytes < whole.kept_bytes


def small(**changes) -> Settings:
    network = Network(
        num_attention_heads=SHAPE.num_attention_heads,
        attention_head_dim=SHAPE.attention_head_dim,
        num_layers=SHAPE.num_layers,
        ffn_dim=SHAPE.ffn_dim,
        freq_dim=SHAPE.freq_dim,
    )
    data = Data(frames=9, sizes=((128, 128),), leading_frames=5)
    return replace(Settings(network=network, data=data), **changes)


def test_the_papers_network_has_its_parameters():
    found = estimate(presets.load("minimax-1.3b"), stage=1)
    assert (found.transformer, found.tokens) == (1_127_055_424, 14_168_064)
    assert found.autoencoder == 126_892_531
    assert found.trained == found.transformer + found.tokens
    second = estimate(presets.load("minimax-1.3b"), stage=2)
    assert (second.transformer, second.tokens) == (1_127_055_424, 0)


def test_the_papers_two_days_are_too_few():
    """The figures that the module's page states."""
    settings = presets.load("minimax-1.3b")
    first, second = (estimate(settings, stage=stage, gpu=A800) for stage in (1, 2))
    assert first.seconds / 86400 == pytest.approx(31.2, abs=0.1)
    assert second.seconds / 86400 == pytest.approx(41.1, abs=0.1)
    plain = replace(settings, compute=replace(settings.compute, checkpointing=False))
    found = estimate(plain, stage=1, gpu=A800)
    assert found.total_flop == pytest.approx(2.02e21, rel=0.01)
    assert found.seconds / 86400 == pytest.approx(23.4, abs=0.1)
    assert found.device_bytes > A800.memory > first.device_bytes
    whole = estimate(plain, stage=1, gpu=A800, utilisation=1.0)
    assert whole.seconds / 86400 == pytest.approx(9.4, abs=0.1)
    least = replace(plain, data=replace(plain.data, sizes=((336, 592),)))
    assert estimate(least, stage=1, gpu=A800).seconds / 86400 == pytest.approx(3.8, abs=0.1)


@pytest.mark.parametrize("name", presets.names())
@pytest.mark.parametrize("stage", [1, 2])
def test_every_preset_is_estimated(name, stage):
    settings = presets.load(name)
    found = estimate(settings, stage=stage, devices=4, gpu=gpu("H100"))
    table = dict(rows(found))
    assert table["devices"] == "4 x H100"
    assert "40% of the peak of 989 TFLOP/s in bf16 (assumed)" in table["time"]
    assert table["transformer"] == f"{found.transformer:,} parameters"
    assert found.steps == (settings.stage1 if stage == 1 else settings.stage2).steps


def test_tokens_are_those_of_the_latents_on_average():
    data = Data(frames=9, sizes=((64, 64), (128, 128)), leading_frames=5)
    found = estimate(small(data=data, stage1=Stage(batch=6, steps=1)), stage=1)
    assert found.step_tokens == 6 * (3 * 4 * 4 + 3 * 8 * 8) / 2


def test_more_devices_share_the_state_and_the_time():
    settings = small(stage1=Stage(ema=0.0))
    one, four = (estimate(settings, stage=1, devices=count) for count in (1, 4))
    parameters = sum(p.numel() for p in DiT(replace(SHAPE, num_contrast_tokens=6)).parameters())
    assert one.state_bytes == 16 * parameters
    assert four.state_bytes == pytest.approx(one.state_bytes / 4, abs=1)
    assert four.seconds == pytest.approx(one.seconds / 4)
    averaged = estimate(small(), stage=1, devices=1)
    assert averaged.state_bytes == 20 * parameters


def test_working_copies_of_one_device_are_all_weights():
    found = estimate(small(), stage=2, devices=1)
    assert found.working_bytes == 2 * found.transformer
    assert estimate(small(compute=Compute(precision="fp32")), stage=2, devices=1).working_bytes == 0
    many = estimate(presets.load("minimax-1.3b"), stage=2, devices=64)
    assert many.working_bytes < 0.2 * 2 * many.transformer


def test_the_search_is_on_the_curated_share_alone():
    settings = small()
    none = replace(settings, bad_noise=replace(settings.bad_noise, share=0.0))
    whole = replace(settings, bad_noise=replace(settings.bad_noise, share=1.0))
    costs = [estimate(each, stage=2).step_flop for each in (none, settings, whole)]
    assert costs[1] - costs[0] == pytest.approx((costs[2] - costs[0]) / 3)
    without = replace(SHAPE, num_contrast_tokens=0)
    searched = settings.stage2.batch * search_flop(without, GRID, checkpointing=True)
    assert costs[2] - costs[0] == pytest.approx(searched)


def test_adapters_are_what_learns_with_them():
    settings = small()
    network = replace(settings.network, start="wan", weights="wan", lora_rank=4)
    found = estimate(replace(settings, network=network), stage=1)
    config = network.shape(16, is_stage2=False)
    start = at_random(config, generator(0, 0))
    made = DiT(config)
    new = (
        "patch_embedding.weight",
        *(name for name in start.tensors if name.startswith("contrast_tokens.")),
    )
    lora.adapt(made, lora.Adapters(4, 4.0, new), generator(0, 0))
    assert found.trained == sum(p.numel() for p in lora.trainable(made).values())
    full = estimate(settings, stage=1)
    assert found.step_flop < full.step_flop
    assert found.state_bytes < full.state_bytes


def test_devices_are_known_by_name():
    assert gpu("rtx 4090") is GPUS["RTX4090"]
    assert gpu("h-100").peak == 989e12
    with pytest.raises(UsageError, match="`H10` is no device") as raised:
        gpu("H10")
    assert raised.value.hint == "did you mean `H100`?"
    with pytest.raises(UsageError) as raised:
        gpu("abacus")
    assert "`L40S`" in (raised.value.hint or "")


def test_times_are_told_in_the_unit_that_fits():
    told = [duration(seconds) for seconds in (0.01, 59.0, 600, 7200, 3 * 86400)]
    assert told == ["less than a second", "59 seconds", "10.0 minutes", "2.0 hours", "3.0 days"]


@pytest.mark.parametrize("given", [{"stage": 3}, {"devices": 0}, {"utilisation": 0.0}])
def test_numbers_out_of_range_are_refused(given):
    with pytest.raises(ValueError, match="cannot be estimated"):
        estimate(small(), **{"stage": 1, **given})
