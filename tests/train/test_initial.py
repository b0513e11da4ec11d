"""First weights, held against the networks that they are from."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from wans import SHAPE, TEXT, in_original_names, wan, write_diffusers, write_original

from remover import tensorfile, weights
from remover.errors import WeightsError
from remover.models.config import DiTConfig
from remover.models.dit import DiT
from remover.models.load import load_dit
from remover.train.draws import generator
from remover.train.initial import (
    PATCHES,
    Start,
    at_random,
    first_weights,
    from_released,
    from_stage1,
    from_wan,
    initialise,
    without_tokens,
)
from remover.train.settings import Network

STAGE1 = replace(SHAPE, num_contrast_tokens=3)


@pytest.fixture(scope="module")
def network():
    return wan()


@pytest.fixture(scope="module")
def folders(network, tmp_path_factory):
    """The same transformer in every layout that is read."""
    root = tmp_path_factory.mktemp("wan")
    original = write_original(network, root / "original")
    packed = root / "packed.safetensors"
    names = in_original_names(network.state_dict())
    save_file({f"model.diffusion_model.{k}": v for k, v in names.items()}, packed)
    return {
        "pipeline": write_diffusers(network, root / "pipeline"),
        "transformer": write_diffusers(network, root / "other") / "transformer",
        "shards": write_diffusers(network, root / "shards", shards=3),
        "original": original,
        "file": original / "diffusion_pytorch_model.safetensors",
        "packed": packed,
    }


def new(folder, config=SHAPE):
    return from_wan(folder, config, generator(0, 0))


def test_the_names_written_here_are_those_that_diffusers_converts(network):
    import importlib

    convert = importlib.import_module(
        "diffusers.loaders.single_file_utils"
    ).convert_wan_transformer_to_diffusers
    theirs = network.state_dict()
    back = convert(dict(in_original_names(theirs)))
    assert back.keys() == theirs.keys()
    assert all(torch.equal(back[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    "layout", ["pipeline", "transformer", "shards", "original", "file", "packed"]
)
def test_the_velocity_is_that_of_wan_whatever_the_known_latents(layout, folders, network):
    start = new(folders[layout])
    ours = load_dit(SHAPE, start.tensors)
    torch.manual_seed(1)
    noisy, known = torch.randn(2, 16, 3, 4, 6), torch.randn(2, 32, 3, 4, 6)
    timestep = torch.tensor([999.0, 401.5])
    with torch.no_grad():
        wanted = network(noisy, timestep, torch.randn(2, 5, TEXT), return_dict=False)[0]
        found = ours(torch.cat([noisy, known], dim=1), timestep)
    assert wanted.std() > 0.1
    assert (found - wanted).abs().max() <= 1e-5


@pytest.mark.parametrize("layout", ["shards", "original"])
def test_what_is_dropped_and_what_is_new_is_told(layout, folders, network):
    start = new(folders[layout], STAGE1)
    theirs = network.state_dict()
    theirs = in_original_names(theirs) if layout == "original" else theirs
    words = ("attn2", "norm2", "text_embedder", "cross_attn", "norm3", "text_embedding")
    assert set(start.dropped) == {name for name in theirs if any(word in name for word in words)}
    assert start.origin == "wan"
    tokens = {name for name in DiT(STAGE1).state_dict() if name.startswith("contrast_tokens.")}
    assert set(start.new) == {PATCHES} | tokens
    assert start.tensors.keys() == DiT(STAGE1).state_dict().keys()
    assert torch.count_nonzero(start.tensors[PATCHES][:, 16:]) == 0
    assert all(tensor.dtype == torch.float32 for tensor in start.tensors.values())
    load_dit(STAGE1, start.tensors)


def test_half_precision_is_read_as_it_is(network, tmp_path):
    folder = write_original(network.to(torch.bfloat16), tmp_path / "half")
    network.to(torch.float32)
    start = new(folder)
    name = "blocks.1.ffn.net.2.weight"
    assert start.tensors[name].dtype == torch.float32
    assert torch.equal(start.tensors[name], network.state_dict()[name])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"image_dim": 20, "added_kv_proj_dim": 24}, "`image_dim` at `20`, not `None`"),
        ({"in_channels": 36}, "`in_channels` at `36`, not `16`"),
        ({"in_channels": 48, "out_channels": 48}, "`in_channels` at `48`, not `16`"),
        ({"num_attention_heads": 4}, "`num_attention_heads` at `4`, not `2`"),
        ({"num_layers": 3}, "`num_layers` at `3`, not `2`"),
        ({"ffn_dim": 48}, "`ffn_dim` at `48`, not `40`"),
    ],
    ids=["i2v", "inpainting", "wan2.2", "wider", "deeper", "feed-forward"],
)
def test_another_network_is_refused_by_its_config(changes, told, tmp_path):
    folder = write_diffusers(wan(**changes), tmp_path)
    with pytest.raises(WeightsError, match="another network") as raised:
        new(folder)
    assert told in raised.value.message
    assert "Wan2.1-T2V-1.3B" in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": "i2v", "in_dim": 36}, "`model_type` at `i2v`, not `t2v`"),
        ({"model_type": "ti2v", "in_dim": 48}, "`model_type` at `ti2v`"),
        ({"_class_name": "VaceWanModel"}, "`_class_name` at `VaceWanModel`"),
        ({"dim": 5120}, "`dim` at `5120`, not `24`"),
    ],
)
def test_another_network_is_refused_by_its_original_config(changes, told, network, tmp_path):
    folder = write_original(network, tmp_path / "wan", **changes)
    with pytest.raises(WeightsError) as raised:
        new(folder)
    assert told in raised.value.message


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"num_attention_heads": 4}, "`scale_shift_table` is `(1, 2, 48)`, not `(1, 2, 24)`"),
        (
            {"image_dim": 20, "added_kv_proj_dim": 24},
            "the unknown `blocks.0.attn2.add_k_proj.bias`",
        ),
        ({"num_layers": 3}, "the unknown `blocks.2.attn1.norm_k.weight`"),
        ({"num_layers": 1}, "lack `blocks.1.scale_shift_table`"),
    ],
    ids=["wider", "i2v", "deeper", "shallower"],
)
def test_weights_that_their_config_lies_about_are_refused(changes, told, folders, tmp_path):
    folder = write_diffusers(wan(**changes), tmp_path)
    shutil.copy(folders["pipeline"] / "transformer" / "config.json", folder / "transformer")
    with pytest.raises(WeightsError) as raised:
        new(folder)
    assert told in raised.value.message


def spoil_nan(folder):
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["proj_out.bias"][0] = float("nan")
    save_file(tensors, path)


def spoil_kind(folder):
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    tensors["proj_out.bias"] = tensors["proj_out.bias"].to(torch.float8_e4m3fn)
    save_file(tensors, path)


def spoil_names(folder):
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    save_file({"encoder.weight": torch.zeros(2)}, path)


def spoil_all(folder):
    (folder / "transformer" / "diffusion_pytorch_model.safetensors").unlink()


def spoil_end(folder):
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def spoil_copies(folder):
    path = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    shutil.copy(path, path.with_name("one.safetensors"))
    path.rename(path.with_name("two.safetensors"))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (spoil_nan, "values in `proj_out.bias` that are not finite"),
        (spoil_kind, "values of the kind `F8_E4M3`"),
        (spoil_names, "no weights of Wan 2.1: there is `encoder.weight`"),
        (spoil_all, "has no file of safetensors"),
        (spoil_end, "is no whole file of weights"),
        (spoil_copies, "2 files without an index"),
        (shutil.rmtree, "are not there"),
    ],
)
def test_damage_is_one_clear_sentence(spoil, told, folders, tmp_path):
    folder = tmp_path / "wan"
    shutil.copytree(folders["pipeline"], folder)
    spoil(folder)
    with pytest.raises(WeightsError) as raised:
        new(folder)
    assert told in raised.value.message
    assert raised.value.hint


def test_shards_must_all_be_there_and_lie_beside_their_index(folders, tmp_path):
    folder = tmp_path / "wan"
    shutil.copytree(folders["shards"], folder)
    shards = sorted((folder / "transformer").glob("*.safetensors"))
    assert len(shards) > 1
    shards[1].unlink()
    with pytest.raises(WeightsError, match=r"`.*-00002-.*`, which `.*index.json` names, is missin"):
        new(folder)
    index = folder / "transformer" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"proj_out.bias": "../../x.safetensors"}}))
    with pytest.raises(WeightsError, match="names no files of weights"):
        new(folder)


def trained(config: DiTConfig) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return {name: torch.randn_like(tensor) for name, tensor in DiT(config).state_dict().items()}


def test_without_tokens_stage_1_has_the_names_and_values_of_the_release():
    tensors = trained(STAGE1)
    start = from_stage1(tensors, STAGE1, SHAPE, generator(0, 0))
    assert list(start.tensors) == list(DiT(SHAPE).state_dict())
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in start.tensors.items())
    assert set(start.dropped) == tensors.keys() - start.tensors.keys()
    assert start.new == ()
    assert without_tokens(tensors).keys() == start.tensors.keys()
    assert start.tensors["proj_out.bias"].data_ptr() != tensors["proj_out.bias"].data_ptr()


def test_the_names_without_tokens_are_those_of_the_released_layout():
    """The reference's own miniature checkpoint tells them."""
    from oracles import ROOT

    folder = ROOT / "tests" / "data" / "oracles" / "pipeline"
    config = DiTConfig.from_json(weights.config_of(folder / weights.LAYOUT["transformer_config"]))
    staged = replace(config, num_contrast_tokens=6)
    start = from_stage1(trained(staged), staged, config, generator(0, 0))
    assert start.tensors.keys() == tensorfile.shapes(folder / weights.LAYOUT["transformer"]).keys()


def test_a_release_is_taken_as_it_is_or_gets_tokens(make_checkpoint, tmp_path):
    folder = make_checkpoint(tmp_path)
    config = DiTConfig.from_json(weights.config_of(folder / "transformer" / "config.json"))
    whole = from_released(folder, config, generator(0, 0))
    stored = load_file(folder / weights.LAYOUT["transformer"])
    assert whole.tensors.keys() == stored.keys()
    assert all(torch.equal(whole.tensors[name], stored[name].float()) for name in stored)
    assert (whole.new, whole.dropped, whole.origin) == ((), (), "minimax")
    staged = replace(config, num_contrast_tokens=6)
    more = from_released(folder / "transformer", staged, generator(0, 0))
    assert {name.partition(".")[0] for name in more.new} == {"contrast_tokens"}
    load_dit(staged, more.tensors)
    other = replace(config, num_layers=config.num_layers + 1)
    with pytest.raises(WeightsError, match="their `num_layers` is `"):
        from_released(folder, other, generator(0, 0))


def test_settings_choose_the_source(folders):
    shape = {
        name: getattr(SHAPE, name)
        for name in (
            *("num_attention_heads", "attention_head_dim", "num_layers", "ffn_dim", "freq_dim"),
        )
    }

    def first(is_stage2=False, **values) -> Start:
        made = Network(**shape, num_contrast_tokens=3, **values)
        return first_weights(made, 16, is_stage2=is_stage2, generator=generator(0, 0))

    assert first().origin == "random"
    assert first().config == STAGE1
    assert first(is_stage2=True).config == SHAPE
    assert first(start="wan", weights=str(folders["pipeline"])).origin == "wan"
    with pytest.raises(WeightsError, match="is not installed"):
        first(start="minimax")


@pytest.mark.parametrize("config", [SHAPE, STAGE1])
def test_every_parameter_is_initialised_and_the_seed_decides(config):
    network = DiT(config)
    for parameter in network.parameters():
        parameter.data.fill_(float("nan"))
    initialise(network, generator(7, 0))
    assert all(bool(parameter.isfinite().all()) for parameter in network.parameters())
    again = at_random(config, generator(7, 0)).tensors
    assert all(torch.equal(tensor, again[name]) for name, tensor in network.state_dict().items())
    other = at_random(config, generator(8, 0)).tensors
    assert not torch.equal(again["blocks.0.attn1.to_q.weight"], other["blocks.0.attn1.to_q.weight"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_untrained_velocity_is_zero_and_soon_learns(dtype):
    network = DiT(STAGE1)
    initialise(network, generator(0, 0))
    torch.manual_seed(2)
    latents, wanted = torch.randn(2, 48, 2, 4, 4, dtype=dtype), torch.randn(2, 16, 2, 4, 4)
    told = torch.tensor([999.0, 300.0]), torch.tensor([0, 1])
    assert torch.count_nonzero(network(latents, *told)) == 0
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        loss = (network(latents, *told).float() - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())
