"""The paper's claim at small scale: does bad noise keep objects from coming back?

Three arms start from one run of stage 1 and learn for as many steps on the same clips: plain data
with random noise, a third of curated results with random noise, and the same third with bad noise.
For each arm and seed, held-out objects are removed from ordinary noise and from noise that leads to
the object by the network's own gradient (paper, tables 3 and 5, figure 8).

Everything is kept in one folder, and goes on where it was stopped.
"""

import json
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from remover.files import write_whole
from remover.progress import Progress
from remover.train import networks, results, runs, stage
from remover.train.clips import source
from remover.train.evaluate import Evaluation, evaluate
from remover.train.latents import is_finished
from remover.train.parallel import World
from remover.train.plots import Curve, Panel
from remover.train.settings import Settings

ARMS = ("plain", "curated", "bad-noise")
ALPHAS = (0.0, 0.1, 0.2, 0.5, 0.8)
RESULTS = "results.json"
STEPS = 6

_T95 = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36}
"""Of Student's law, by the number of seeds: half a 95 % interval in standard errors."""


@dataclass(frozen=True, slots=True)
class Result:
    """One arm with one seed, from noise of which a share is bad."""

    arm: str
    seed: int
    alpha: float
    came_back: float
    """Share of the held-out clips whose object came back; see ``evaluate.BACK``."""
    leftover: float
    """Mean share of an object's pixels that are nearer to it than to the background."""
    psnr_mask: float
    """dB, mean over clips."""


@dataclass(frozen=True, slots=True)
class Mean:
    """Over seeds."""

    value: float
    half: float
    """Half of a 95 % interval by Student's law; NaN with one seed."""

    def __str__(self) -> str:
        """As ``0.12 ± 0.03``."""
        return f"{self.value:.3f}" + ("" if math.isnan(self.half) else f" ± {self.half:.3f}")


def ablation(
    settings: Settings, seeds: Sequence[int], folder: Path, device: str, progress: Progress
) -> list[Result]:
    """Train and measure every arm with every seed; what is done already is not done again.

    Args:
        settings: Of both stages; the source must know its clips' true background.
        seeds: One run of each arm for each.
        folder: Where runs and results lie.
        device: Where.
        progress: Told of each stage.
    """
    found = _read(folder)
    for seed in seeds:
        own = replace(settings, seed=seed)
        first = _run(folder / f"{seed}-stage1", own, 1, runs.Given(), device, progress)
        for arm in ARMS:
            if any((one.arm, one.seed) == (arm, seed) for one in found):
                continue
            latents = str(folder / f"{seed}-latents")
            given = runs.Given(latents, first.folder, _samples(folder, seed))
            run = _run(folder / f"{seed}-{arm}", _arm(own, arm), 2, given, device, progress)
            found += _measured(run, arm, seed, device, progress)
            text = json.dumps([asdict(one) for one in found], indent=1)
            write_whole(folder / RESULTS, text.encode())
    return found


def _arm(settings: Settings, arm: str) -> Settings:
    """The settings of an arm."""
    if arm == "plain":
        return replace(settings, bad_noise=replace(settings.bad_noise, share=0.0))
    if arm == "curated":
        return replace(settings, bad_noise=replace(settings.bad_noise, alpha="0"))
    return settings


def _samples(folder: Path, seed: int) -> Path | None:
    """The curated results of a seed, which all its arms share; None before they are made."""
    for arm in ARMS:
        there = folder / f"{seed}-{arm}" / "samples"
        if is_finished(there / results.LATENTS):
            return there
    return None


def _run(
    folder: Path,
    settings: Settings,
    number: int,
    given: runs.Given,
    device: str,
    progress: Progress,
) -> runs.Run:
    """A finished run; goes on with one that was stopped."""
    is_there = (folder / runs.CONFIG).is_file()
    run = (
        runs.resumed(folder, settings, number, given)
        if is_there
        else runs.begin(folder, settings, number, given)
    )
    tell = stage.stage1 if number == 1 else stage.stage2
    tell(run, World(device=device), progress)
    return run


def _measured(
    run: runs.Run, arm: str, seed: int, device: str, progress: Progress
) -> Iterator[Result]:
    learnt = networks.learnt(run, device)
    clips = source(run.settings.data, run.settings.seed)
    for alpha in ALPHAS:
        found = evaluate(learnt, clips, progress, steps=STEPS, guidance=None, bad=alpha)
        yield _result(found, arm, seed, alpha)


def _result(found: Evaluation, arm: str, seed: int, alpha: float) -> Result:
    back, left, psnr = found.came_back, found.mean("leftover"), found.mean("psnr_mask")
    assert back is not None
    assert left is not None
    assert psnr is not None
    return Result(arm, seed, alpha, back, left, psnr)


def _read(folder: Path) -> list[Result]:
    path = folder / RESULTS
    if not path.is_file():
        return []
    return [Result(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


def mean(found: Sequence[Result], arm: str, alpha: float, figure: str) -> Mean:
    """A figure of an arm over its seeds.

    Raises:
        ValueError: There is none.
    """
    values = [getattr(one, figure) for one in found if (one.arm, one.alpha) == (arm, alpha)]
    if not values:
        raise ValueError(f"no result of `{arm}` at {alpha}")
    if len(values) < 2:
        return Mean(values[0], math.nan)
    error = statistics.stdev(values) / math.sqrt(len(values))
    return Mean(statistics.fmean(values), _T95.get(len(values), 2.2) * error)


def picture(found: Sequence[Result]) -> list[Panel]:
    """How often objects come back, and how good the fill is, over the share of bad noise."""
    panels = []
    for figure, title in (
        ("came_back", "object came back (share of clips)"),
        ("leftover", "leftover"),
        ("psnr_mask", "PSNR mask, dB"),
    ):
        curves = {}
        for arm in ARMS:
            means = [mean(found, arm, alpha, figure) for alpha in ALPHAS]
            half = [0.0 if math.isnan(one.half) else one.half for one in means]
            curves[arm] = Curve(ALPHAS, [one.value for one in means], half)
        panels.append(Panel(title, "share of bad noise", curves))
    return panels


def to_json(found: Sequence[Result]) -> list[dict[str, Any]]:
    """For ``--json``."""
    return [asdict(one) for one in found]


def table(found: Sequence[Result]) -> str:
    """For a person, in Markdown: means over seeds with 95 % intervals."""
    lines = [
        "| arm | bad noise | came back | leftover | PSNR mask |",
        "| --- | --- | --- | --- | --- |",
    ]
    for arm in ARMS:
        for alpha in ALPHAS:
            figures = (mean(found, arm, alpha, f) for f in ("came_back", "leftover", "psnr_mask"))
            lines.append(f"| {arm} | {alpha:g} | " + " | ".join(map(str, figures)) + " |")
    return "\n".join(lines) + "\n"
