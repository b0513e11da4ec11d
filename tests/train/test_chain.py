"""``remover train`` as a user runs it, on made-up clips: from nothing to a checkpoint."""

import contextlib
import io
import json
import os
import shutil
import tempfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import remover
from remover.cli.main import main
from remover.progress import Silent
from remover.train import checkpoints, logs, networks, results, runs, verdicts
from remover.train.latents import Latents
from remover.weights import LAYOUT

SMALL = {
    "data.clips": "16",
    "data.held_out": "4",
    "data.sizes": "[[32, 32]]",
    "data.frames": "5",
    "data.leading_frames": "1",
    "autoencoder.width": "8",
    "autoencoder.steps": "50",
    "autoencoder.z_dim": "8",
    "network.num_attention_heads": "2",
    "network.attention_head_dim": "12",
    "network.num_layers": "2",
    "network.ffn_dim": "48",
    "stage1.steps": "24",
    "stage1.batch": "8",
    "stage1.micro_batch": "8",
    "stage1.warmup": "4",
    "stage1.cooldown": "4",
    "stage2.steps": "12",
    "stage2.batch": "6",
    "stage2.micro_batch": "6",
    "stage2.warmup": "2",
    "stage2.cooldown": "2",
    "curation.clips": "6",
    "curation.steps": "4",
    "curation.success": "0.0",
    "log.checkpoint_every": "12",
    "log.sheet_every": "12",
}


def config(**changes: str) -> list[str]:
    words = ["--config", "tiny"]
    for key, value in {**SMALL, **changes}.items():
        words += ["--set", f"{key}={value}"]
    return words


@contextlib.contextmanager
def standard_output(file):
    """Send descriptor 1 and what Python writes there."""
    kept = os.dup(1)
    os.dup2(file.fileno(), 1)
    stream = io.TextIOWrapper(os.fdopen(os.dup(1), "wb"), write_through=True)
    try:
        with stream, contextlib.redirect_stdout(stream):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Every command in turn, in one process; what each printed on stdout."""
    folder = tmp_path_factory.mktemp("chain")
    printed = {}

    def run(name, *words):
        with tempfile.TemporaryFile() as file:
            with standard_output(file), pytest.raises(SystemExit) as stop:
                main(["train", *map(str, words), "--json", "--progress", "none"])
            file.seek(0)
            printed[name] = json.loads(file.read() or b"{}")
        assert stop.value.code == 0, printed[name]

    at = SimpleNamespace(
        latents=folder / "latents",
        one=folder / "one",
        samples=folder / "samples",
        two=folder / "two",
        checkpoint=folder / "checkpoint",
        printed=printed,
        run=run,
    )
    run("encode", "encode", *config(), "-o", at.latents)
    run("stage1", "stage1", *config(), "--latents", at.latents, "-o", at.one)
    run("sample", "sample", at.one, "-o", at.samples)
    run("stage2", "stage2", *config(), "--init", at.one, "--samples", at.samples, "-o", at.two)
    run("evaluate", "evaluate", at.two, "--steps", "2")
    run("export", "export", at.two, "-o", at.checkpoint)
    return at


def test_every_command_says_what_it_made(chain):
    found = chain.printed
    assert (found["encode"]["samples"], found["encode"]["held_out"]) == (24, 4)
    assert (found["stage1"]["steps"], found["stage2"]["steps"]) == (24, 12)
    assert found["sample"]["count"] == found["sample"]["accepted"] == 6
    assert len(found["evaluate"]["clips"]) == 4
    assert found["export"]["checkpoint"] == str(chain.checkpoint)


def test_runs_hold_what_their_page_says(chain):
    for folder, steps in ((chain.one, 24), (chain.two, 12)):
        run = runs.opened(folder)
        assert len(logs.read(folder)) == steps
        assert checkpoints.found(folder)[-1].settings == json.loads(
            json.dumps(checkpoints.found(folder)[-1].settings)
        )
        assert (folder / "sheets" / f"step-{steps:08d}.png").stat().st_size > 500
        assert networks.vae_of(run, "cpu").config.z_dim == 8
    assert (chain.latents / "vae" / "config.json").is_file()


def test_the_autoencoder_is_trained_once_and_carried_along(chain):
    files = [
        folder / "vae" / "diffusion_pytorch_model.safetensors"
        for folder in (chain.latents, chain.one, chain.two, chain.checkpoint)
    ]
    first, *others = (load_file(path) for path in files)
    for other in others:
        assert first.keys() == other.keys()
        assert all(torch.equal(first[name], other[name]) for name in first)


def test_results_are_there_to_be_looked_at_with_verdicts_of_the_truth(chain):
    items = verdicts.items(chain.samples)
    assert len(items) == 6
    for item in items:
        for kind in verdicts.KINDS:
            assert (chain.samples / item.video(kind)).stat().st_size > 300
    given = verdicts.read(chain.samples)
    assert {one.by for one in given.values()} == {"truth"}
    latents = Latents.read(chain.samples / results.LATENTS)
    assert {key for shard in latents.shards for key in shard.keys} == {item.id for item in items}
    assert all(sample.accepted is not None for sample in latents.samples())


def test_the_second_stage_has_no_tokens_and_starts_where_the_first_ended(chain):
    one, two = (networks.transformer(runs.opened(f)) for f in (chain.one, chain.two))
    names = set(one.state_dict()) - set(two.state_dict())
    assert names == {
        "contrast_tokens.embedding.weight",
        "contrast_tokens.proj.weight",
        "contrast_tokens.proj.bias",
    }
    moved = (one.proj_out.weight - two.proj_out.weight).norm() / one.proj_out.weight.norm()
    assert 0 < moved < 1


def test_the_checkpoint_cleans_a_video(chain, make_clip, tmp_path):
    assert all((chain.checkpoint / path).is_file() for path in LAYOUT.values())
    clip = make_clip(frames=6, height=48, width=64)
    report = remover.clean(
        clip.path,
        tmp_path / "out.mkv",
        box=[(10, 10, 16, 16)],
        painter="small",
        weights=str(chain.checkpoint),
        tracker="none",
        copy="off",
        steps=2,
    )
    assert report.painter == "small"
    assert report.painted_share == 1.0


def test_stopped_sampling_goes_on(chain, tmp_path, monkeypatch):
    """Killed in the middle, what was finished is kept, and the rest comes to the same."""
    target, real, made = tmp_path / "samples", results._one, []

    def one(maker, clips, index, listed, writer, progress):
        if len(made) == 4:
            raise KeyboardInterrupt
        made.append(index)
        real(maker, clips, index, listed, writer, progress)

    first = runs.opened(chain.one)
    learnt = networks.learnt(first, "cpu")
    clips = results_source(first)
    monkeypatch.setattr(results, "_one", one)
    monkeypatch.setattr("remover.train.shards.ShardWriter.is_due", True)
    with pytest.raises(KeyboardInterrupt):
        results.make(learnt, clips, target, Silent())
    monkeypatch.setattr(results, "_one", real)
    latents = results.make(learnt, clips, target, Silent())
    assert [item.id for item in verdicts.items(target)] == [
        item.id for item in verdicts.items(chain.samples)
    ]
    again = {sample.key: sample for sample in latents.samples()}
    for sample in Latents.read(chain.samples / results.LATENTS).samples():
        assert torch.equal(again[sample.key].accepted, sample.accepted)


def results_source(run):
    from remover.train.clips import source

    return source(run.settings.data, run.settings.seed)


def test_parts_of_the_samples_add_up(chain, tmp_path):
    found = []
    for part in (1, 2):
        folder = tmp_path / str(part)
        chain.run(f"part {part}", "sample", chain.one, "-o", folder, "--part", f"{part}/2")
        found += [item.id for item in verdicts.items(folder)]
    assert sorted(found) == sorted(item.id for item in verdicts.items(chain.samples))


def test_stage_two_makes_its_own_samples_where_the_truth_is_known(chain, tmp_path):
    folder = tmp_path / "two"
    chain.run(
        "alone", "stage2", *config(**{"stage2.steps": "4"}), "--init", chain.one, "-o", folder
    )
    assert len(verdicts.accepted(folder / "samples")) == 6


def test_success_is_nearness_to_the_truth():
    own = np.zeros((1, 2, 2), bool)
    own[0, 0] = True
    original, background = np.full((1, 2, 2, 3), 200, np.uint8), np.full((1, 2, 2, 3), 20, np.uint8)
    result = background.copy()
    assert results.success(result, original, background, own) == 1.0
    result[0, 0, 0] = 190
    assert results.success(result, original, background, own) == 0.5
    assert results.success(result, original, background, np.zeros_like(own)) == 1.0


@pytest.fixture
def refused(capfd):
    """A function that runs a command that must fail; its code and what it said."""

    def run(*words):
        with pytest.raises(SystemExit) as stop:
            main(["train", *map(str, words), "--progress", "none", "--color", "never"])
        return stop.value.code, capfd.readouterr().err

    return run


def test_what_is_wrong_is_said_in_one_sentence(chain, refused, tmp_path):
    two = ("stage2", *config(), "-o", tmp_path / "x")
    cases = [
        (("stage1", "--config", "tinny", "-o", tmp_path / "x"), 3, "did you mean `tiny`"),
        (("stage1", "--config", "tiny", "--set", "stage1.stepz=3", "-o", "x"), 2, "stage1.steps"),
        (("stage1", "-o", tmp_path / "x"), 2, "no configuration was given"),
        (("stage1", *config()), 2, "no folder for the run was named"),
        (("stage1", *config(), "-o", chain.one), 4, "holds a run already"),
        (("stage1", "-o", chain.two, "--resume"), 8, "a run of stage 2, not of stage 1"),
        (("stage1", "-o", tmp_path / "x", "--resume"), 8, "holds no run"),
        ((*two, "--init", tmp_path), 8, "holds no run"),
        ((*two, "--set", "stage2.batch=1", "--init", chain.one), 2, "holds no curated sample"),
        (("sample", chain.two, "-o", tmp_path / "x"), 2, "holds a run of stage 2"),
        (("sample", chain.one, "-o", tmp_path / "x", "--part", "3/2"), 2, "is no part"),
        (("export", tmp_path, "-o", tmp_path / "x"), 8, "holds no run"),
        (("export", chain.two, "-o", chain.checkpoint), 4, "exists already"),
        (("export", chain.two, "-o", tmp_path / "x", "--dtype", "int8"), 2, "is not known"),
        (("stage1", *config(), "--dry-run", "--gpu", "a900"), 2, "no device whose peak"),
    ]
    for words, code, text in cases:
        found, said = refused(*words)
        assert (found, text in said) == (code, True), (words, found, said)
        assert said.count("error:") == 1, said
        assert "Traceback" not in said


def test_nothing_accepted_is_an_error_and_not_a_run_on_nothing(chain, refused, tmp_path):
    folder = tmp_path / "samples"
    shutil.copytree(chain.samples, folder)
    for item in verdicts.items(folder):
        verdicts.append(folder, verdicts.Verdict(item.id, "no"))
    words = ("stage2", *config(), "--init", chain.one, "--samples", folder, "-o", tmp_path / "x")
    code, said = refused(*words)
    assert code == 8
    assert "none of the 6 results" in said


def test_a_dry_run_needs_nothing(chain):
    chain.run("estimate", "stage2", "--config", "minimax-1.3b", "--dry-run", "--devices", "8")
    assert chain.printed["estimate"]["transformer"] == 1_127_055_424
    chain.run("estimate", "stage1", "-o", chain.one, "--resume", "--dry-run")
    assert chain.printed["estimate"]["steps"] == 24


def test_a_run_that_has_ended_resumes_to_the_same(chain):
    before = (chain.one / runs.METRICS).read_bytes()
    chain.run("again", "stage1", "-o", chain.one, "--resume", "--latents", chain.latents)
    assert (chain.one / runs.METRICS).read_bytes() == before


def test_latents_of_other_settings_are_refused(chain, refused, tmp_path):
    other = config(**{"data.repeats": "3"})
    code, said = refused("stage1", *other, "--latents", chain.latents, "-o", tmp_path / "x")
    assert code == 4
    assert "`data.repeats` is `2` there and `3` now" in said


def test_a_released_checkpoint_is_fine_tuned_by_adapters(chain, tmp_path):
    """Only adapters learn, and what is exported has them merged."""
    folder, target = tmp_path / "tuned", tmp_path / "checkpoint"
    tuned = config(
        **{
            "autoencoder.kind": "wan",
            "autoencoder.weights": str(chain.checkpoint),
            "network.start": "minimax",
            "network.weights": str(chain.checkpoint),
            "network.lora_rank": "2",
            "bad_noise.share": "0",
            "stage2.steps": "4",
        }
    )
    chain.run("tune", "stage2", *tuned, "-o", folder)
    chain.run("publish", "export", folder, "-o", target)
    before, after = (
        load_file(place / LAYOUT["transformer"]) for place in (chain.checkpoint, target)
    )
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(".attn1.to_" in name or ".ffn.net." in name for name in changed)


def test_a_second_stage_that_was_killed_at_once_knows_what_it_was_given(chain, tmp_path):
    """Before its first checkpoint, it starts anew from the first stage, and not at random."""
    folder = tmp_path / "two"
    shutil.copytree(chain.two, folder)
    shutil.rmtree(folder / checkpoints.FOLDER)
    chain.run("killed", "stage2", "-o", folder, "--resume")
    assert (folder / runs.METRICS).read_bytes() == (chain.two / runs.METRICS).read_bytes()
    given = runs.opened(folder).given
    assert (given.init, given.samples) == (chain.one, chain.samples)


def test_a_run_goes_on_only_from_where_it_began(chain, refused):
    code, said = refused("stage2", "-o", chain.two, "--resume", "--init", chain.samples)
    assert code == 2
    assert "began with" in said
