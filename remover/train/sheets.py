"""Sheets of what a network in training makes: what it was shown, and its results."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from remover.files import from_os_error
from remover.models.load import AnyVae
from remover.preview import write_png
from remover.train.draws import generator
from remover.train.learner import Learner
from remover.train.runs import Run
from remover.train.samples import Sample
from remover.train.solve import pictures, solved

SAMPLES = 6
"""Columns of a sheet."""
SMALLEST = 160
"""Pixels: smaller frames are shown enlarged by a whole factor."""
STEPS = {1: 25, 2: 6}
"""Of the solver, by stage."""
SEED = 0x5117


def look(run: Run, learner: Learner, held: Sequence[Sample], vae: AnyVae, done: int) -> Path | None:
    """Write a sheet of the averaged weights' results after ``done`` steps.

    Every process takes part, the first one writes.

    Returns:
        Where it lies; None where there is nothing to show, and in the other processes.

    Raises:
        OutputError: It cannot be written.
    """
    picked = list(held)[:SAMPLES]
    if not picked:
        return None
    results = made(learner, picked, run)
    if not learner.here.is_main:
        return None
    path = run.folder / "sheets" / f"step-{done:08d}.png"
    try:
        path.parent.mkdir(exist_ok=True)
        write_png(path, sheet(vae, picked, results))
    except OSError as error:
        raise from_os_error(error, run.folder) from error
    return path


def made(learner: Learner, samples: Sequence[Sample], run: Run) -> list[torch.Tensor]:
    """A result (Z, t, h, w) for each sample, one after the other."""
    is_stage1 = run.stage == 1
    found = []
    for number, one in enumerate(samples):
        device = learner.here.device
        known = torch.cat([one.masked, one.mask])[None].to(device)
        noise = torch.randn(one.shape, generator=generator(SEED, number))[None].to(device)
        latents = solved(
            lambda contrast: learner.velocity(contrast, averaged=True),
            known,
            noise,
            steps=STEPS[run.stage],
            guidance=run.settings.curation.guidance if is_stage1 else None,
        )
        found.append(latents[0].cpu())
    return found


def sheet(
    vae: AnyVae, samples: Sequence[Sample], results: Sequence[torch.Tensor]
) -> npt.NDArray[np.uint8]:
    """The middle frame of each sample: original, masked, result, one above the other."""
    columns = []
    for one, result in zip(samples, results, strict=True):
        rows = []
        for latents in (one.clean, one.masked, result):
            frames = pictures(vae, latents[None])[0]
            rows.append(_enlarged(frames[len(frames) // 2]))
        columns.append(np.vstack(rows))
    height = max(column.shape[0] for column in columns)
    padded = [np.pad(column, ((0, height - column.shape[0]), (0, 4), (0, 0))) for column in columns]
    return np.hstack(padded)


def _enlarged(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    factor = max(1, -(-SMALLEST // min(picture.shape[:2])))
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)
