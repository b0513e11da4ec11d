import re
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import assert_near, found, read
from upstream import diffusers_class

from remover.errors import WeightsError
from remover.models.attention import rotary_table, rotated
from remover.models.config import DiTConfig
from remover.models.dit import Contrast, DiT
from remover.models.load import KEPT_IN_FLOAT32, load_dit

SMALL = DiTConfig(
    num_attention_heads=2, attention_head_dim=12, num_layers=2, ffn_dim=40, freq_dim=16
)
OUTPUT_TOLERANCE, MIDDLE_TOLERANCE = 2e-5, 5e-5


@pytest.fixture(autouse=True)
def repeatable():
    torch.manual_seed(5)


def random_weights(config: DiTConfig) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        shapes = {name: value.shape for name, value in DiT(config).state_dict().items()}
    return {name: torch.randn(shape) * shape[-1] ** -0.5 for name, shape in shapes.items()}


def network(**changes) -> DiT:
    config = DiTConfig(**{f: getattr(SMALL, f) for f in SMALL.__slots__} | changes)
    return load_dit(config, random_weights(config))


def latents(*shape: int) -> torch.Tensor:
    return torch.randn(shape or (1, 48, 3, 4, 6))


@pytest.mark.reference
@pytest.mark.parametrize("path", found("dit_*.io.safetensors"))
def test_the_network_gives_the_reference_numbers(path):
    numbers, about = read(path)
    weights, _ = read(path.with_name(path.name.replace(".io.", ".weights.")))
    dit = load_dit(DiTConfig.from_json(about["config"]), weights)
    seen = watched(dit)
    for index, timestep in enumerate(numbers["input.timesteps"]):
        output = dit(numbers["input.hidden_states"], timestep[None])
        wanted = numbers["output.sample"][index]
        assert_near(output[0], wanted, OUTPUT_TOLERANCE, f"output at {timestep}")
        if index == 0:
            first = dict(seen)
    middles = {name.removeprefix("mid.") for name in numbers if name.startswith("mid.")}
    assert middles
    for name in middles:
        assert_near(first[name], numbers[f"mid.{name}"], MIDDLE_TOLERANCE, name)


def watched(dit: DiT) -> dict[str, torch.Tensor]:
    """What the parts give, by the names of the reference's files, as they are run."""
    seen: dict[str, torch.Tensor] = {}

    def keep(*names: str):
        def hook(_module, _given, output):
            parts = output if isinstance(output, tuple) else (output,)
            seen.update(zip(names, parts, strict=True))

        return hook

    dit.patch_embedding.register_forward_hook(keep("patch_embedding"))
    dit.condition_embedder.register_forward_hook(keep("temb", "timestep_proj"))
    for index, block in enumerate(dit.blocks):
        block.register_forward_hook(keep(f"block{index}"))
        block.attn1.register_forward_hook(keep(f"block{index}.attn1"))
    return seen


@pytest.mark.reference
@pytest.mark.parametrize("path", found("dit_*.weights.safetensors"))
def test_names_at_the_released_size_are_those_of_the_reference(path):
    reference, about = read(path)
    config = DiTConfig.from_json(about["config"])
    with torch.device("meta"):
        released = DiT(DiTConfig()).state_dict()
        same = {name: tuple(value.shape) for name, value in DiT(config).state_dict().items()}
    assert same == {name: tuple(value.shape) for name, value in reference.items()}

    def patterns(names):
        return {re.sub(r"^blocks\.\d+\.", "blocks.*.", name) for name in names}

    assert patterns(released) == patterns(reference)


def test_the_released_size_has_the_released_number_of_parameters():
    with torch.device("meta"):
        released, first_stage = DiT(DiTConfig()), DiT(DiTConfig(num_contrast_tokens=6))
    shapes = {name: tuple(value.shape) for name, value in released.state_dict().items()}
    assert count(released) == 1_127_055_424
    assert count(first_stage) - count(released) == 14_168_064
    assert shapes["patch_embedding.weight"] == (1536, 48, 1, 2, 2)
    assert shapes["condition_embedder.time_embedder.linear_1.weight"] == (1536, 256)
    assert shapes["condition_embedder.time_proj.weight"] == (6 * 1536, 1536)
    assert shapes["blocks.29.ffn.net.0.proj.weight"] == (8960, 1536)
    assert shapes["blocks.29.attn1.norm_q.weight"] == (1536,)
    assert shapes["proj_out.weight"] == (64, 1536)
    assert len(shapes) == 30 * 15 + 11


def count(dit: DiT) -> int:
    return sum(parameter.numel() for parameter in dit.parameters())


RELEASED_JSON = {
    "_class_name": "Transformer3DModel",
    "_diffusers_version": "0.33.0.dev0",
    "num_attention_heads": 12,
    "attention_head_dim": 128,
    "num_layers": 30,
    "ffn_dim": 8960,
    "freq_dim": 256,
    "in_channels": 48,
    "out_channels": 16,
    "patch_size": [1, 2, 2],
    "qk_norm": "rms_norm_across_heads",
    "cross_attn_norm": False,
    "added_kv_proj_dim": None,
    "eps": 1e-6,
    "rope_max_seq_len": 1024,
}


def test_the_released_config_is_the_default():
    assert DiTConfig.from_json(RELEASED_JSON) == DiTConfig()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("qk_norm", None),
        ("added_kv_proj_dim", 1280),
        ("text_dim", 4096),
        ("num_layers", 0),
        ("attention_head_dim", 7),
        ("patch_size", [1, 0, 2]),
    ],
)
def test_another_architecture_is_refused_by_name(name, value):
    with pytest.raises(WeightsError) as caught:
        DiTConfig.from_json(RELEASED_JSON | {name: value})
    assert "config.json" in caught.value.message
    assert caught.value.hint


def test_wrong_weights_are_refused_by_name():
    weights = random_weights(SMALL)
    less = {name: value for name, value in weights.items() if "blocks.1." not in name}
    with pytest.raises(WeightsError, match=r"lack `blocks\.1\.attn1\..*` and 14 more"):
        load_dit(SMALL, less)
    with pytest.raises(WeightsError, match="have an unknown `ema`"):
        load_dit(SMALL, weights | {"ema": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"`proj_out\.bias` has the shape `\(3,\)`"):
        load_dit(SMALL, weights | {"proj_out.bias": torch.zeros(3)})


def test_loading_takes_the_tensors_as_they_are():
    weights = random_weights(SMALL)
    dit = load_dit(SMALL, weights)
    assert dit.proj_out.weight.data_ptr() == weights["proj_out.weight"].data_ptr()
    assert not any(parameter.requires_grad for parameter in dit.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_keeps_time_and_tables_in_float32(dtype):
    dit = load_dit(SMALL, random_weights(SMALL), dtype=dtype)
    kept = {name for name, value in dit.state_dict().items() if value.dtype == torch.float32}
    assert kept == {
        name
        for name in dit.state_dict()
        if "time_embedder" in name or name.endswith("scale_shift_table")
    }


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.04), (torch.float16, 0.006)])
def test_half_precision_comes_near(dtype, tolerance):
    weights, x, timestep = random_weights(SMALL), latents(), torch.tensor([749])
    exact = load_dit(SMALL, weights)(x, timestep)
    half = load_dit(SMALL, weights, dtype=dtype)
    output = half(x.to(dtype), timestep)
    assert output.dtype == dtype
    assert (output.float() - exact).abs().max() < tolerance * exact.abs().max()
    # Weights that are only kept in half precision compute in the dtype of the latents.
    rounded = {name: value.float() for name, value in half.state_dict().items()}
    assert torch.equal(half(x, timestep), load_dit(SMALL, rounded)(x, timestep))


def test_samples_of_a_batch_do_not_meet():
    dit, x, timestep = network(), latents(2, 48, 2, 4, 4), torch.tensor([999, 374])
    together = dit(x, timestep)
    for index in range(2):
        alone = dit(x[index : index + 1], timestep[index : index + 1])
        assert_near(alone[0], together[index], 1e-5, f"sample {index}")


def test_feeding_tokens_in_parts_changes_nothing(monkeypatch):
    dit, x, timestep = network(), latents(), torch.tensor([500])
    whole = dit(x, timestep)
    monkeypatch.setattr(sys.modules[DiT.__module__], "FEED_TOKENS", 5)
    assert_near(dit(x, timestep), whole, 1e-6, "output")


def test_other_patches_come_back_in_place():
    dit = network(patch_size=(2, 1, 2), in_channels=3, out_channels=3)
    x, timestep = latents(1, 3, 4, 3, 4), torch.tensor([9])
    assert dit(x, timestep).shape == x.shape
    # Identity in place of the blocks: each token's values are those of its own patch.
    dit.blocks = torch.nn.ModuleList()
    changed = x.clone()
    changed[0, :, 2:4, 1, 2:4] += 1
    moved = (dit(changed, timestep) - dit(x, timestep)).abs().amax(dim=(0, 1)) > 0
    wanted = torch.zeros(4, 3, 4, dtype=torch.bool)
    wanted[2:4, 1, 2:4] = True
    assert torch.equal(moved, wanted)


@pytest.mark.parametrize(
    "shape", [(1, 47, 1, 4, 4), (1, 48, 1, 5, 4), (1, 48, 1, 4, 3), (48, 4, 4)]
)
def test_latents_that_do_not_fit_are_refused(shape):
    with pytest.raises(ValueError, match=re.escape(str(shape))):
        network()(torch.zeros(shape), torch.tensor([1]))


def test_contrast_tokens_are_looked_at_and_tell_the_conditions_apart():
    dit, x, timestep = network(num_contrast_tokens=6), latents(), torch.tensor([600])
    remove, generate = (dit(x, timestep, torch.tensor([c])) for c in Contrast)
    assert remove.shape == (1, 16, 3, 4, 6)
    assert not torch.allclose(remove, generate)
    both = dit(x.repeat(2, 1, 1, 1, 1), timestep.repeat(2), torch.tensor([0, 1]))
    assert_near(both, torch.cat([remove, generate]), 1e-5, "both in a batch")


def test_contrast_tokens_are_keys_and_values_only():
    dit, x = network(num_contrast_tokens=3), torch.randn(1, 8, 24)
    attention, tokens = dit.blocks[0].attn1, torch.randn(1, 3, 24)
    table = rotary_table(12, (2, 2, 2))
    seen = attention(x, table, tokens)
    # As the paper's appendix does it: tokens among the hidden states, their own outputs dropped.
    still = torch.cat([table, torch.ones(3, 6, dtype=table.dtype)])
    assert_near(seen, attention(torch.cat([x, tokens], dim=1), still)[:, :8], 1e-5, "attention")


def test_contrast_is_given_exactly_where_it_is_learned():
    condition = torch.tensor([0])
    with pytest.raises(ValueError, match="contrast"):
        network()(latents(), torch.tensor([1]), condition)
    with pytest.raises(ValueError, match="contrast"):
        network(num_contrast_tokens=2)(latents(), torch.tensor([1]))


def test_a_head_of_the_release_is_split_44_42_42():
    table = rotary_table(128, (3, 4, 5)).view(3, 4, 5, 64)
    assert torch.equal(table[1, :1, :1, :22].expand(4, 5, 22), table[1, :, :, :22])
    assert torch.equal(table[:1, 2, :1, 22:43].expand(3, 5, 21), table[:, 2, :, 22:43])
    assert torch.equal(table[:1, :1, 3, 43:].expand(3, 4, 21), table[:, :, 3, 43:])
    assert table[2, 0, 0, 0].item() == pytest.approx(complex(torch.tensor(2j).exp()))


@given(
    head=st.sampled_from([6, 12, 24, 128]),
    shift=st.tuples(*[st.integers(0, 3)] * 3),
    seed=st.integers(0, 99),
)
def test_scores_depend_on_distances_only(head, shift, seed):
    grid = (5, 5, 5)
    rng = torch.Generator().manual_seed(seed)
    query, key = torch.randn(2, 1, 8, 1, head, generator=rng)
    t, h, w = shift
    table = rotary_table(head, grid).view(*grid, -1)
    near = table[:2, :2, :2].reshape(8, -1)
    far = table[t : t + 2, h : h + 2, w : w + 2].reshape(8, -1)
    scores = [
        torch.einsum("blnk,bmnk->lm", rotated(query, part), rotated(key, part))
        for part in (near, far)
    ]
    assert_near(scores[1], scores[0], 1e-4, "scores")


@st.composite
def small_configs(draw) -> DiTConfig:
    return DiTConfig(
        num_attention_heads=draw(st.integers(1, 3)),
        attention_head_dim=draw(st.sampled_from([6, 10, 12, 20, 44])),
        num_layers=draw(st.integers(1, 2)),
        ffn_dim=draw(st.integers(1, 70)),
        freq_dim=draw(st.sampled_from([2, 8, 30])),
        in_channels=draw(st.integers(1, 9)),
        out_channels=draw(st.integers(1, 5)),
        patch_size=draw(st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 2))),
    )


def text_free(config: DiTConfig):
    """Wan 2.1's transformer as diffusers has it, its cross-attention put to silence."""
    sizes = {f: getattr(config, f) for f in config.__slots__ if f != "num_contrast_tokens"}
    whole = diffusers_class("WanTransformer3DModel")(
        **sizes, text_dim=4, cross_attn_norm=False
    ).eval()
    with torch.no_grad():
        for name, parameter in whole.named_parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
            if "attn2.to_out" in name:
                parameter.zero_()
    left_out = ("attn2.", "text_embedder.")
    state = whole.state_dict()
    return whole, {k: v for k, v in state.items() if not any(part in k for part in left_out)}


@settings(deadline=None, max_examples=20)
@given(
    config=small_configs(),
    grid=st.tuples(*[st.integers(1, 4)] * 3),
    timestep=st.integers(0, 999),
    batch=st.integers(1, 2),
)
def test_it_is_wan_without_text(config, grid, timestep, batch):
    whole, weights = text_free(config)
    shape = [tokens * step for tokens, step in zip(grid, config.patch_size, strict=True)]
    x, timesteps = latents(batch, config.in_channels, *shape), torch.tensor([timestep] * batch)
    with torch.no_grad():
        wanted = whole(x, timesteps, torch.randn(batch, 3, 4)).sample
    scale = max(1.0, wanted.abs().max().item())
    assert_near(load_dit(config, weights)(x, timesteps), wanted, 1e-4 * scale, "output")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_rounds_where_wan_does(dtype):
    config, x, timestep = DiTConfig(2, 12, 3, 40, 16), latents(), torch.tensor([856])
    whole, weights = text_free(config)
    exact = load_dit(config, weights)(x, timestep)
    half = load_dit(config, weights, dtype=dtype)
    for name, parameter in whole.named_parameters():
        kept = any(part in name for part in KEPT_IN_FLOAT32)
        parameter.data = parameter.data.to(torch.float32 if kept else dtype)
    with torch.no_grad():
        wanted = whole(x.to(dtype), timestep, torch.zeros(1, 3, 4, dtype=dtype)).sample.float()
    apart = (half(x.to(dtype), timestep).float() - wanted).abs().mean()
    assert apart < (wanted - exact).abs().mean() / 4
