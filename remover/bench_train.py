"""How fast a stage learns, how long it waits for data, and what memory it takes."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from remover.device import peak_memory
from remover.progress import Progress
from remover.train import runs, stage
from remover.train.parallel import World
from remover.train.settings import Settings


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one stage."""

    stage: int
    steps: int
    batch: int
    samples_per_second: float
    waiting: float
    """Share of the time that was spent waiting for data."""
    peak_bytes: int
    """Largest resident size of the process so far."""


def measure(
    settings: Settings, steps: int, work: Path, device: str, progress: Progress
) -> list[Speed]:
    """Train both stages for a few steps and time them.

    Clips are encoded, and results of stage 1 are made, before the clock runs.

    Args:
        settings: What to train.
        steps: Of each stage.
        work: A folder for the runs, which is not kept.
        device: Where.
        progress: Told of both.
    """
    short = replace(
        settings,
        stage1=replace(settings.stage1, steps=steps, warmup=0, cooldown=0),
        stage2=replace(settings.stage2, steps=steps, warmup=0, cooldown=0),
        log=replace(settings.log, sheet_every=0, checkpoint_every=steps),
        curation=replace(settings.curation, success=0.0),
    )
    here, found = World(device=device), []
    for number, given in ((1, runs.Given()), (2, runs.Given(init=work / "1"))):
        run = runs.begin(work / str(number), short, number, given)
        tell = stage.stage1 if number == 1 else stage.stage2
        done = tell(run, here, progress)
        batch = (short.stage1 if number == 1 else short.stage2).batch
        speed = done.samples_per_second
        found.append(Speed(number, steps, batch, speed, done.waiting, peak_memory()))
    return found


def to_json(speeds: Sequence[Speed]) -> list[dict[str, Any]]:
    """For ``--json``."""
    return [asdict(speed) for speed in speeds]


def table(speeds: Sequence[Speed]) -> str:
    """For a person, in Markdown."""
    lines = [
        "| stage | steps | batch | samples/s | waiting for data | peak memory |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {one.stage} | {one.steps} | {one.batch} | {one.samples_per_second:.1f} | "
        f"{one.waiting:.1%} | {one.peak_bytes / 1e6:,.0f} MB |"
        for one in speeds
    ]
    return "\n".join(lines) + "\n"
