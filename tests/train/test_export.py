"""Checkpoints as they are written, held against the release and against who takes them."""

import errno
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import remover
from remover import tensorfile, weights
from remover.errors import OutputError, WeightsError
from remover.fill.choose import choose
from remover.models.config import DiTConfig, TinyConfig, VaeConfig, vae_config
from remover.models.load import load_dit, load_vae
from remover.models.stream import Stream
from remover.models.tiny import TinyVae
from remover.models.vae import WanVae
from remover.sampling import SamplerConfig, Solver
from remover.train import presets
from remover.train.card import Card, digest
from remover.train.draws import generator
from remover.train.export import (
    DTYPES,
    export,
    save_vae,
    scheduler_json,
    transformer_json,
    vae_json,
)
from remover.train.initial import at_random, without_tokens

CARD = Card(presets.load("tiny"), 2, 150, "random", "procedural clips that were made for it")
SHAPE = DiTConfig(2, 12, num_layers=2, ffn_dim=40, freq_dim=16, in_channels=12, out_channels=4)
STAGED = replace(SHAPE, num_contrast_tokens=3)


@pytest.fixture(scope="module")
def vae():
    torch.manual_seed(0)
    return TinyVae(TinyConfig(8, 4, latents_mean=(0.1, 0, -0.2, 0.3), latents_std=(1, 2, 0.5, 1)))


@pytest.fixture(scope="module")
def tensors():
    torch.manual_seed(0)
    start = at_random(STAGED, generator(0, 0))
    return {name: t + 0.1 * torch.randn_like(t) for name, t in start.tensors.items()}


def written(values) -> bytes:
    return (json.dumps(values, indent=2, sort_keys=True) + "\n").encode()


@pytest.mark.parametrize(
    ("values", "name"),
    [
        (transformer_json(DiTConfig()), "transformer-config"),
        (vae_json(VaeConfig()), "vae-config"),
        (scheduler_json(SamplerConfig()), "scheduler-config"),
    ],
)
def test_config_files_of_the_released_shape_are_the_releases_byte_for_byte(values, name):
    known = weights.lock()[f"minimax/{name}"]
    assert len(written(values)) == known.bytes
    assert hashlib.sha256(written(values)).hexdigest() == known.sha256


@given(
    solver=st.sampled_from(list(Solver)),
    shift=st.floats(0.1, 10),
    uncorrected=st.frozensets(st.integers(0, 5)),
)
def test_samplers_are_read_as_they_were_written(solver, shift, uncorrected):
    is_unipc = solver is Solver.UNIPC
    sampler = SamplerConfig(solver, shift, uncorrected=uncorrected if is_unipc else frozenset())
    assert SamplerConfig.from_json(json.loads(written(scheduler_json(sampler)))) == sampler


def test_shapes_are_read_as_they_were_written(vae):
    for config in (SHAPE, STAGED):
        assert DiTConfig.from_json(json.loads(written(transformer_json(config)))) == config
    for config in (vae.config, VaeConfig(base_dim=8)):
        assert vae_config(json.loads(written(vae_json(config)))) == config


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("keep_tokens", [True, False])
def test_the_cleaner_takes_what_is_exported(dtype, keep_tokens, tensors, vae, tmp_path):
    folder = export(
        tmp_path / "out",
        tensors,
        STAGED,
        vae,
        SamplerConfig(shift=5.0),
        CARD,
        dtype=dtype,
        keep_tokens=keep_tokens,
    )
    found = choose("small", str(folder), "cpu", "auto", None)
    assert found is not None
    assert found.dit == (STAGED if keep_tokens else SHAPE)
    assert (found.stored, found.sampler.shift) == (dtype, 5.0)
    assert (found.guidance is None) != keep_tokens
    read = tensorfile.read(found.files.transformer)
    wanted = tensors if keep_tokens else without_tokens(tensors)
    assert read.keys() == wanted.keys()
    for name, tensor in wanted.items():
        is_kept = "time_embedder" in name or "scale_shift_table" in name
        cast = tensor if is_kept else tensor.to(DTYPES[dtype])
        assert read[name].dtype == cast.dtype
        assert torch.equal(read[name], cast), name
    dit = load_dit(found.dit, read)
    contrast = torch.tensor([0]) if keep_tokens else None
    with torch.no_grad():
        velocity = dit(torch.randn(1, 12, 1, 4, 4), torch.tensor([500.0]), contrast)
    assert bool(velocity.isfinite().all())


def test_the_autoencoder_comes_along_from_memory_or_from_a_folder(tensors, vae, tmp_path):
    once = export(tmp_path / "one", tensors, STAGED, vae, SamplerConfig(), CARD)
    again = export(tmp_path / "two", tensors, STAGED, once / "vae", SamplerConfig(), CARD)
    assert {p.name for p in (again / "vae").iterdir()} == {
        "config.json",
        "diffusion_pytorch_model.safetensors",
    }
    for path in (once / "vae").iterdir():
        assert path.read_bytes() == (again / "vae" / path.name).read_bytes()
    found = weights.released(again)
    config = vae_config(weights.config_of(found.vae_config))
    loaded = load_vae(config, tensorfile.read(found.vae))
    video = torch.rand(1, 3, 5, 16, 16)
    assert torch.equal(loaded.encode(video, Stream()), vae.encode(video, Stream()))


def test_wans_autoencoder_may_be_exported(tmp_path):
    torch.manual_seed(0)
    made = WanVae(VaeConfig(base_dim=4, num_res_blocks=1))
    save_vae(tmp_path / "vae", made)
    start = at_random(replace(SHAPE, in_channels=48, out_channels=16), generator(0, 0))
    for name, given_as in (("one", made), ("two", tmp_path / "vae")):
        folder = tmp_path / name
        export(folder, start.tensors, start.config, given_as, SamplerConfig(), CARD)
        found = choose("small", str(folder), "cpu", "auto", None)
        assert found is not None
        assert found.vae == made.config
        assert load_vae(found.vae, tensorfile.read(found.files.vae))


def test_videos_are_cleaned_with_it(tensors, vae, tmp_path, make_clip):
    folder = export(tmp_path / "out", tensors, STAGED, vae, SamplerConfig(), CARD)
    clip = make_clip("short.mkv", frames=5, height=32, width=48)
    options = {"painter": "small", "weights": str(folder), "copy": "off", "steps": 1}
    report = remover.clean(
        clip.path, tmp_path / "cleaned.mkv", box=[clip.box], tracker="none", **options
    )
    assert report.output.stat().st_size > 0
    assert (report.painter, report.painted_share) == ("small", 1.0)


@pytest.mark.parametrize(
    ("origin", "word", "told"),
    [
        ("wan", "apache-2.0", "trained from Wan 2.1's (Apache License 2.0)"),
        ("minimax", "cc-by-nc-4.0", "CC BY-NC 4.0): no commercial use"),
        ("random", "other", "trained from nothing"),
    ],
)
def test_the_card_says_what_it_is(origin, word, told, tensors, vae, tmp_path):
    card = replace(CARD, origin=origin)
    folder = export(tmp_path / "out", tensors, STAGED, vae, SamplerConfig(), card, dtype="bf16")
    text = (folder / "README.md").read_text()
    assert text.startswith(f"---\nlicense: {word}\n")
    assert told in text
    assert "procedural clips that were made for it" in text
    assert f"`{digest(card.settings)}`" in text
    assert "3 contrast tokens" in text
    parameters = sum(tensor.numel() for tensor in tensors.values())
    assert f"{parameters:,} parameters, stored as bf16" in text
    block = text.partition("```toml\n")[2].partition("```")[0]
    saved = tmp_path / "saved.toml"
    saved.write_text(block)
    assert presets.load(str(saved)) == card.settings


def test_settings_that_differ_have_another_digest():
    settings = presets.load("tiny")
    assert digest(settings) == digest(presets.load("tiny"))
    assert digest(settings) != digest(replace(settings, seed=1))


def test_cards_of_unknown_origin_are_refused():
    with pytest.raises(ValueError, match="origin `found`"):
        replace(CARD, origin="found")


def test_what_is_there_is_replaced_only_if_asked(tensors, vae, tmp_path):
    target = tmp_path / "out"
    export(target, tensors, STAGED, vae, SamplerConfig(), CARD)
    (target / "own.txt").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        export(target, tensors, STAGED, vae, SamplerConfig(), CARD)
    assert (target / "own.txt").is_file()
    export(target, tensors, STAGED, vae, SamplerConfig(), CARD, keep_tokens=False, overwrite=True)
    assert not (target / "own.txt").exists()
    assert "num_contrast_tokens" not in weights.config_of(target / "transformer" / "config.json")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_leaves_what_was_there(tensors, vae, tmp_path, monkeypatch):
    target = tmp_path / "out"
    export(target, tensors, STAGED, vae, SamplerConfig(), CARD)
    before = {path: path.read_bytes() for path in target.rglob("*") if path.is_file()}
    save, calls = tensorfile.save, []

    def full(path: Path, *values):
        calls.append(path)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(path, *values)

    monkeypatch.setattr(tensorfile, "save", full)
    with pytest.raises(OutputError, match="the disk is full"):
        export(target, tensors, STAGED, vae, SamplerConfig(), CARD, overwrite=True)
    assert len(calls) == 2
    assert {path: path.read_bytes() for path in target.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def spoilt(name, value):
    def spoil(tensors):
        return tensors | {name: torch.full_like(tensors[name], value)}

    return spoil


@pytest.mark.parametrize(
    ("spoil", "told", "hint"),
    [
        (spoilt("proj_out.bias", float("nan")), "values that are not finite", "earlier"),
        (spoilt("proj_out.bias", 1e6), "not finite in `torch.float16`", "bf16"),
        (lambda tensors: without_tokens(tensors), "lack `contrast_tokens", ""),
        (lambda tensors: tensors | {"text": torch.zeros(1)}, "have an unknown `text`", ""),
    ],
)
def test_weights_that_cannot_be_exported_write_nothing(spoil, told, hint, tensors, vae, tmp_path):
    with pytest.raises(WeightsError) as raised:
        export(tmp_path / "o", spoil(tensors), STAGED, vae, SamplerConfig(), CARD, dtype="fp16")
    assert told in raised.value.message
    assert hint in (raised.value.hint or "")
    assert list(tmp_path.iterdir()) == []


def test_an_autoencoder_that_does_not_fit_is_refused(tensors, tmp_path):
    other = TinyVae(TinyConfig(8, 5))
    with pytest.raises(WeightsError, match="12 channels in and 4 out, for latents of 5"):
        export(tmp_path / "out", tensors, STAGED, other, SamplerConfig(), CARD)
    with pytest.raises(WeightsError, match=r"config.json` is not there"):
        export(tmp_path / "out", tensors, STAGED, tmp_path / "none", SamplerConfig(), CARD)
    assert list(tmp_path.iterdir()) == []
