import json
import math
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from remover.errors import ExitCode, Interrupted, OutputError, TrainingError, UsageError
from remover.models.dit import DiT
from remover.progress import Silent
from remover.train import checkpoints, initial, logs, runs
from remover.train.learner import Learner
from remover.train.loop import Material, train
from remover.train.parallel import World
from remover.train.stages import held_out_error

STEPS = 12


def trained(one, material, number, watch=None, progress=None):
    """What became of a stage that was trained to its end, its learner, and its folder."""
    learner = learner_of(one.settings, number)
    if watch is not None:
        watch(learner)
    return train(one, learner, material, progress or Silent()), learner, one.folder


@pytest.fixture(scope="module")
def material(latents, curated, held):
    return {1: Material(latents, held, None), 2: Material(latents, held, curated)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, small, material):
    """A function: what became of a stage that nothing stopped, and its folder, to be read only."""

    @cache
    def of(number):
        one = runs.begin(tmp_path_factory.mktemp("whole") / "run", small, number)
        done, _, folder = trained(one, material[number], number)
        return done, folder

    return of


@pytest.fixture
def go(tmp_path, small, material):
    """A function that trains a stage in a folder of that name, from the last checkpoint on."""

    def run(name, number=1, settings=small, *, resume=False, watch=None, progress=None):
        make = runs.resumed if resume else runs.begin
        one = make(tmp_path / name, settings, number)
        return trained(one, material[number], number, watch, progress)

    return run


@pytest.fixture
def ended(whole, tmp_path):
    """The folder `run` of a first stage that has ended."""
    return shutil.copytree(whole(1)[1], tmp_path / "run")


def learner_of(settings, number, here=None):
    config = settings.network.shape(4, is_stage2=number == 2)
    start = initial.at_random(config, torch.Generator().manual_seed(0))
    network = DiT(config)
    network.load_state_dict(start.tensors)
    stage = settings.stage1 if number == 1 else settings.stage2
    return Learner(network, lambda: DiT(config), stage, settings.compute, here or World())


def metrics(folder: Path) -> bytes:
    return (folder / runs.METRICS).read_bytes()


@pytest.mark.parametrize("number", [1, 2])
def test_a_stage_learns(go, small, number):
    longer = replace(small.stage1, steps=60, cooldown=20, lr=1e-2)
    settings = replace(small, stage1=longer, stage2=longer)
    done, learner, folder = go("run", number, settings)
    lines = logs.read(folder)
    assert [line["step"] for line in lines] == list(range(60))
    first = sum(line["loss"] for line in lines[:10])
    assert sum(line["loss"] for line in lines[-10:]) < 0.95 * first
    assert done.steps == 60
    assert math.isfinite(done.held_out)
    assert 0 <= done.waiting < 1
    assert any(p.abs().sum() > 0 for p in learner.network.proj_out.parameters())


@pytest.mark.parametrize(("number", "after"), [(1, 1), (2, 6), (1, 8), (2, 11)])
def test_a_run_that_was_killed_goes_on_to_the_same_curve_bit_by_bit(go, whole, number, after):
    straight, there = whole(number)

    class Killed(BaseException):
        pass

    class Kill(Silent):
        steps = 0

        def advance(self, _frames=1):
            self.steps += 1
            if self.steps == after:
                raise Killed

    with pytest.raises(Killed):
        go("killed", number, progress=Kill())
    done, _, folder = go("killed", number, resume=True)
    assert metrics(folder) == metrics(there)
    assert done.held_out == straight.held_out
    one, other = (checkpoints.found(f)[-1] for f in (folder, there))
    assert one.step == other.step == STEPS
    left, right = (checkpoints.weights_of(checkpoint) for checkpoint in (one, other))
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name


def test_sigterm_saves_and_leaves_with_its_code(go, whole, tmp_path):
    class Ask(Silent):
        steps = 0

        def advance(self, _frames=1):
            self.steps += 1
            if self.steps == 7:
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted) as stop:
        go("run", progress=Ask())
    assert stop.value.exit_code == ExitCode.SIGTERM
    saved = [one.step for one in checkpoints.found(tmp_path / "run")]
    assert saved == [6, 8]  # what was being done was finished first
    _, there = whole(1)
    done, _, folder = go("run", resume=True)
    assert checkpoints.found(folder)[-1].step == done.steps
    assert metrics(folder) == metrics(there)


def test_the_last_checkpoints_and_the_best_are_kept(go, small, monkeypatch):
    errors = iter([3.0, 1.0, 2.0, 2.5, 2.2, 2.1, 0.0])
    monkeypatch.setattr("remover.train.loop.held_out_error", lambda *_, **__: next(errors))
    settings = replace(small, log=replace(small.log, checkpoint_every=2, keep=2))
    _, _, folder = go("run", settings=settings)
    kept = checkpoints.found(folder)
    assert [one.step for one in kept] == [4, 10, 12]
    best = checkpoints.best(kept)
    assert best is not None
    assert best.step == 4


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_what_is_not_finite_ends_the_run_and_loses_nothing(go, tmp_path, where):
    def poison(learner):
        count = 0
        real = learner.clipped

        def clipped():
            nonlocal count
            count += 1
            if count == 9:
                for _, parameter in learner.learning():
                    parameter.grad.fill_(math.inf)
            return real()

        learner.clipped = clipped

    def spoil(learner):
        real = learner.learn

        def learn(step):
            real(step)
            if step == 7:
                with torch.no_grad():
                    learner.network.proj_out.bias.fill_(math.nan)

        learner.learn = learn

    with pytest.raises(TrainingError, match=f"the {where}.* at step 8 of stage 1"):
        go("run", watch=poison if where == "gradient" else spoil)
    assert [one.step for one in checkpoints.found(tmp_path / "run")] == [6]


def test_a_full_disk_leaves_older_checkpoints(go, monkeypatch, tmp_path):
    real = checkpoints._write
    count = 0

    def full(part, learner):
        nonlocal count
        count += 1
        if count == 2:
            raise OSError(28, "No space left on device")
        real(part, learner)

    monkeypatch.setattr(checkpoints, "_write", full)
    with pytest.raises(OutputError, match=r"no space left|disk is full"):
        go("run")
    folder = tmp_path / "run"
    assert [one.step for one in checkpoints.found(folder)] == [6]
    assert not list((folder / checkpoints.FOLDER).glob(".*"))
    monkeypatch.setattr(checkpoints, "_write", real)
    done, _, _ = go("run", resume=True)
    assert done.steps == STEPS


def test_a_damaged_checkpoint_is_named(go, ended):
    last = checkpoints.found(ended)[-1]
    (part,) = last.path.glob("*.distcp")
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(TrainingError, match=rf"{last.path.name}.* cannot be used") as error:
        go("run", resume=True)
    assert "delete that folder" in (error.value.hint or "")


def test_a_checkpoint_without_its_state_is_named(go, ended):
    (checkpoints.found(ended)[-1].path / checkpoints.STATE).write_text("{")
    with pytest.raises(TrainingError, match="cannot be read"):
        go("run", resume=True)


@pytest.mark.usefixtures("ended")
def test_a_run_is_not_begun_over_another(go):
    with pytest.raises(OutputError, match="holds a run already") as error:
        go("run")
    assert "--resume" in (error.value.hint or "")


def test_a_run_does_not_go_on_as_another(ended, small, tmp_path):
    other = replace(small, stage1=replace(small.stage1, lr=1.0))
    with pytest.raises(UsageError, match=r"has `stage1\.lr` at `0.003`, .* says `1.0`"):
        runs.resumed(ended, other, 1)
    with pytest.raises(TrainingError, match="a run of stage 1, not of stage 2"):
        runs.resumed(ended, small, 2)
    with pytest.raises(TrainingError, match="holds no run"):
        runs.opened(tmp_path)
    fewer = replace(small, log=replace(small.log, every=5))
    assert runs.resumed(ended, fewer, 1).settings == fewer
    assert runs.resumed(ended, None, 1).settings == small


def test_accumulated_gradients_are_those_of_the_whole_batch(small, go):
    """Samples that pass one by one add up to the curve of all at once."""
    whole = replace(small, stage2=replace(small.stage2, micro_batch=6))
    single = replace(small, stage2=replace(small.stage2, micro_batch=1))
    losses = []
    for name, settings in (("whole", whole), ("single", single)):
        _, _, folder = go(name, 2, settings)
        losses.append([line["loss"] for line in logs.read(folder)])
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_checkpointed_blocks_learn_the_same(small, go, whole):
    plain = whole(1)[1]
    settings = replace(small, compute=replace(small.compute, checkpointing=True))
    again = go("again", settings=settings)[2]
    assert metrics(plain) == metrics(again)


def test_bfloat16_learns_over_float32_masters(small, go):
    settings = replace(small, compute=replace(small.compute, precision="bf16"))
    done, learner, _ = go("run", settings=settings)
    assert math.isfinite(done.loss)
    assert all(p.dtype == torch.float32 for p in learner.network.parameters())


def test_held_out_clips_may_be_of_several_sizes(small, make_sample):
    """Their error is the mean over all of them, as if each had been asked alone."""
    wide, ignored = make_sample(8), make_sample(7)  # to be removed, and to be generated
    tall = replace(wide, **{n: getattr(wide, n)[..., :2] for n in ("clean", "masked", "mask")})
    learner = learner_of(small, 1)
    torch.nn.init.normal_(learner.best.proj_out.weight)

    def error(*held):
        return held_out_error(learner, held, small, is_stage2=False)

    alone = error(wide), error(ignored, tall), error(ignored, ignored, wide)
    assert len(set(alone)) == 3
    assert error(wide, tall, wide) == pytest.approx(sum(alone) / 3)


def test_the_rate_rises_and_falls(small):
    learner = learner_of(small, 1)
    rates = [learner.rate(step) / small.stage1.lr for step in range(STEPS)]
    assert rates[:3] == pytest.approx([0.5, 1.0, 1.0])
    assert rates[-5:] == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])


def test_tensorboard_can_read_what_was_written(whole):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, folder = whole(1)
    events = EventAccumulator(str(folder / logs.TENSORBOARD)).Reload()
    losses = [event.value for event in events.Scalars("loss")]
    written = [line["loss"] for line in logs.read(folder)][1::2]
    assert losses == pytest.approx(written, rel=1e-5)


PROGRAM = """
import json, sys
from pathlib import Path
import tests.train.test_loop as t
from tests.train.conftest import sample
from remover.models.dit import Contrast
from remover.progress import Silent
from remover.train import presets, runs
from remover.train.loop import Material, train
from remover.train.parallel import world
from remover.train.latents import Latents

folders, plain, picked = sys.argv[1:3], *sys.argv[3:]
held = tuple(sample(200 + n, contrast=Contrast.REMOVE) for n in range(4))

def learn(number, folder, here):
    run = runs.opened(Path(folder))
    learner = t.learner_of(run.settings, number, here)
    curated = Latents.read(picked) if number == 2 else None
    train(run, learner, Material(Latents.read(plain), held, curated), Silent())

with world("cpu") as here:
    for number, folder in enumerate(folders, 1):
        learn(number, folder, here)
"""


def test_two_processes_learn_what_one_does(whole, tmp_path, small, latents, curated):
    """Both stages, in one start of the processes."""
    folders = [runs.begin(tmp_path / str(number), small, number).folder for number in (1, 2)]
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
    arguments = [*map(str, folders), latents.url, curated.url]
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "2", str(program), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for number, two in enumerate(folders, 1):
        _, one = whole(number)
        for kind in ("loss", "grad_norm", "held_out"):
            curves = [[line.get(kind) for line in logs.read(folder)] for folder in (one, two)]
            assert curves[0] == pytest.approx(curves[1], abs=1e-5), kind
        left, right = (checkpoints.weights_of(checkpoints.found(f)[-1]) for f in (one, two))
        for name, tensor in left.items():
            assert torch.allclose(tensor, right[name], atol=1e-5), name
        assert json.loads((two / runs.METRICS).read_text().splitlines()[0])["step"] == 0
        resumed = runs.resumed(two, small, number)
        checkpoints.load(checkpoints.found(two)[-1], learner_of(resumed.settings, number))
