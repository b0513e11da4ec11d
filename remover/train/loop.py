"""The loop of both stages: draw, accumulate, check, clip, step, write down; from any step on.

Nothing of a step depends on what came before but the weights and the optimiser's moments, so a run
that was stopped goes on to the same numbers.
"""

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from remover.errors import TrainingError, UsageError
from remover.progress import Progress
from remover.train import checkpoints, presets
from remover.train.clock import Clock
from remover.train.latents import Latents
from remover.train.learner import Learner
from remover.train.logs import Log
from remover.train.parallel import World, agreed, share, wait
from remover.train.runs import Run
from remover.train.samples import Sample
from remover.train.shards import batches
from remover.train.stages import Batch, accumulate, curated_count, held_out_error
from remover.train.stopping import requests

CURATED_SEED = 1
"""Added to the run's seed for the order of curated samples."""


@dataclass(frozen=True, slots=True)
class Material:
    """What a run learns from."""

    plain: Latents
    held: Sequence[Sample]
    """Never learnt from."""
    curated: Latents | None = None
    """Of stage 2: samples with an accepted result."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a run came to."""

    steps: int
    loss: float
    """Mean of the last tenth of the steps of this call; NaN where there was none."""
    held_out: float
    samples_per_second: float
    waiting: float
    """Share of the time that was spent waiting for data."""


Look = Callable[[int], None]
"""Draws a sheet of samples after so many steps."""


def train(
    run: Run, learner: Learner, material: Material, progress: Progress, look: Look | None = None
) -> Done:
    """Learn until the stage's last step; goes on from the run's last checkpoint, if there is one.

    Raises:
        TrainingError: A loss or gradient is not finite; checkpoints stay as they are.
        Interrupted: SIGINT or SIGTERM came; what was learnt is saved.
        OutputError: The disk is full; older checkpoints are untouched.
    """
    stage, here = learner.stage, learner.here
    first = _resume(run, learner)
    progress.start(f"stage {run.stage}", stage.steps, "steps")
    if first:
        progress.skip(first)
    log = Log(run.folder, first) if here.is_main else None
    wait(here)
    clock = Clock()
    with requests() as stop:
        try:
            for batch in _batches(run, material, first, here, clock):
                values = _step(run, learner, batch)
                clock.count(stage.batch, values["loss"])
                is_stopped = agreed(bool(stop), here)
                values |= _after(run, learner, material, batch.step + 1, look, saves=is_stopped)
                if log is not None:
                    _write(log, run, batch.step, values, clock, progress)
                if is_stopped:
                    raise stop.error
        finally:
            if log is not None:
                log.close()
    held = held_out_error(learner, material.held, run.settings, is_stage2=run.stage == 2)
    return Done(stage.steps, clock.loss, held, clock.rate, clock.waiting)


def _resume(run: Run, learner: Learner) -> int:
    """Load the last checkpoint; how many steps were made."""
    there = checkpoints.found(run.folder)
    if not there:
        return 0
    checkpoints.load(there[-1], learner)
    return there[-1].step


def _batches(
    run: Run, material: Material, first: int, here: World, clock: Clock
) -> Iterator[Batch]:
    """This process's samples of the steps that are left.

    Raises:
        UsageError: There are more processes than samples.
    """
    settings, is_stage2 = run.settings, run.stage == 2
    stage = settings.stage2 if is_stage2 else settings.stage1
    count = curated_count(settings) if is_stage2 else 0
    fewest = min(n for n in (stage.batch - count, count) if n)
    if fewest < here.size:
        raise UsageError(
            f"a step has {fewest} samples of a kind, and there are {here.size} processes",
            hint=f"raise `stage{run.stage}.batch`, or start fewer",
        )
    span = (first, stage.steps, share(here))
    plain = _read(material.plain, stage.batch - count, settings.seed, *span)
    curated = _read(material.curated, count, settings.seed + CURATED_SEED, *span)
    with closing(plain), closing(curated):
        for step in range(first, stage.steps):
            with clock.waits():
                one, other = next(plain), next(curated)
            yield Batch(step, one, other)


def _read(
    latents: Latents | None, size: int, seed: int, first: int, stop: int, part: slice
) -> Generator[list[Sample], None, None]:
    """The samples of each step; none where none are asked for."""
    if latents is None or not size:
        for _ in range(first, stop):
            yield []
        return
    with closing(
        batches(latents, size=size, seed=seed, first=first, stop=stop, part=part)
    ) as source:
        yield from source


def _step(run: Run, learner: Learner, batch: Batch) -> dict[str, float]:
    """One step; what is written down of it.

    Raises:
        TrainingError: The loss or the gradient is not finite. The weights are as before.
    """
    loss = accumulate(learner, batch, run.settings, is_stage2=run.stage == 2)
    norm = learner.clipped()
    for name, value in (("loss", loss), ("gradient's norm", norm)):
        if not math.isfinite(value):
            raise TrainingError(
                f"the {name} is `{value}` at step {batch.step} of stage {run.stage}",
                hint="`--resume` goes on from the last checkpoint; a lower `lr` or `clip`, or "
                '`compute.precision = "fp32"`, may help',
            )
    learner.learn(batch.step)
    return {"loss": loss, "grad_norm": norm, "lr": learner.rate(batch.step)}


def _after(
    run: Run,
    learner: Learner,
    material: Material,
    done: int,
    look: Look | None,
    *,
    saves: bool,
) -> dict[str, float]:
    """Save and look where it is time to, or where ``saves`` asks for it, after ``done`` steps."""
    settings, steps, values = run.settings, learner.stage.steps, dict[str, float]()
    is_last = done == steps
    if is_last or saves or done % settings.log.checkpoint_every == 0:
        error = held_out_error(learner, material.held, settings, is_stage2=run.stage == 2)
        told = presets.plain(settings)
        state = {"step": done, "held_out": error, "stage": run.stage, "settings": told}
        checkpoints.save(run.folder, learner, state, settings.log.keep)
        values = {"held_out": error} if done % settings.log.checkpoint_every == 0 else {}
    sheet = settings.log.sheet_every
    if look is not None and sheet and (is_last or done % sheet == 0):
        look(done)
    return values


def _write(
    log: Log, run: Run, step: int, values: dict[str, float], clock: Clock, progress: Progress
) -> None:
    """Write a step down, and tell of it."""
    log.step(step, values)
    progress.tell(f"loss {values['loss']:.4f}")
    progress.advance()
    if (step + 1) % run.settings.log.every == 0:
        speed = {"samples_per_second": clock.rate, "waiting": clock.waiting}
        log.show(step, {**values, **speed})
