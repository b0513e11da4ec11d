"""How good a run is on clips that it never learnt from: the painter's scores, and the paper's.

The paper measures PSNR and SSIM *outside* the mask, against the original (METHOD: its authors say
so): how well the autoencoder and the network keep what was never to change. Where the true
background is known, what counts is measured too: the error inside the object's mask, and how often
the object comes back.

Legend: ``T H W`` frames and pixels.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from remover.errors import InputError
from remover.metrics import luma, psnr, ssim
from remover.progress import Progress
from remover.train.clips import Clip, Masks, Source, UnusableClip, Video
from remover.train.draws import generator
from remover.train.encode import clean_latents, hole_latents
from remover.train.masks import grown
from remover.train.networks import Learnt
from remover.train.objectives import bad_noise, towards_object
from remover.train.results import success
from remover.train.solve import pictures, solved

SEED = 0xE7A1
BACK = 0.5
"""An object came back where more than this share of it is nearer to it than to the truth."""


@dataclass(frozen=True, slots=True)
class Row:
    """One clip."""

    clip: str
    psnr_outside: float
    """dB, outside the mask against the original, as the paper's."""
    ssim_outside: float
    psnr_mask: float | None
    """dB, of the object's pixels against the true background; None where it is not known."""
    leftover: float | None
    """Share of the object's pixels that are nearer to the object than to the background."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All held-out clips."""

    rows: tuple[Row, ...]
    steps: int

    @property
    def came_back(self) -> float | None:
        """How often the object came back, 0 to 1; None where no truth is known."""
        known = [row.leftover for row in self.rows if row.leftover is not None]
        return sum(share > BACK for share in known) / len(known) if known else None

    def mean(self, name: str) -> float | None:
        """The mean of a column over the clips that have it."""
        values = [value for row in self.rows if (value := getattr(row, name)) is not None]
        return float(np.mean(values)) if values else None

    def to_json(self) -> dict[str, Any]:
        """For ``--json``."""
        names = ("psnr_outside", "ssim_outside", "psnr_mask", "leftover")
        return {
            "clips": [asdict(row) for row in self.rows],
            "mean": {name: self.mean(name) for name in names},
            "came_back": self.came_back,
            "steps": self.steps,
        }

    def table(self) -> str:
        """For a person."""
        lines = [
            "| clip | PSNR outside | SSIM outside | PSNR mask | leftover |",
            "| --- | --- | --- | --- | --- |",
        ]
        means = Row(
            "**mean**",
            self.mean("psnr_outside") or 0.0,
            self.mean("ssim_outside") or 0.0,
            self.mean("psnr_mask"),
            self.mean("leftover"),
        )
        lines += [_line(row) for row in (*self.rows, means)]
        if self.came_back is not None:
            lines.append(f"\nThe object came back in {self.came_back:.0%} of the clips.")
        return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    def shown(value: float | None, digits: int) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    return (
        f"| {row.clip} | {row.psnr_outside:.2f} | {row.ssim_outside:.3f} | "
        f"{shown(row.psnr_mask, 2)} | {shown(row.leftover, 3)} |"
    )


def evaluate(
    run: Learnt,
    clips: Source,
    progress: Progress,
    *,
    steps: int,
    guidance: float | None,
    bad: float = 0.0,
) -> Evaluation:
    """Remove the own object of every held-out clip, and measure.

    Args:
        run: The network.
        clips: Where held-out clips come from.
        progress: Told of each clip.
        steps: Of the solver.
        guidance: For networks with contrast tokens.
        bad: How much of the noise leads to the object, as the network itself sees it (paper,
            figure 8); for networks without contrast tokens.

    Raises:
        InputError: No held-out clip has a mask of its own.
    """
    numbers = sorted(clips.held_out & set(clips.masked))
    progress.start("evaluate", len(numbers), "clips")
    rows = []
    for index in numbers:
        try:
            rows.append(_row(run, clips.clip(index), index, steps, guidance, bad))
        except UnusableClip as error:
            progress.warn(f"skipped `{error.name}`: {error.reason}")
        progress.advance()
    if not rows:
        raise InputError(
            "no held-out clip has a mask of its own object, so there is nothing to measure",
            hint="raise `data.held_out`, or add masks",
        )
    return Evaluation(tuple(rows), steps)


def _row(
    run: Learnt, clip: Clip, index: int, steps: int, guidance: float | None, bad: float
) -> Row:
    assert clip.own is not None
    hole = grown(clip.own, run.settings.data.dilate[1])
    masked, mask = hole_latents(run.vae, clip.frames, hole)
    known = torch.cat([masked, mask])[None].to(run.device)
    noise = _noise(run, clip, known, index, bad)
    latents = solved(run.ask, known, noise, steps=steps, guidance=guidance)
    result = pictures(run.vae, latents)[0]
    outside = list(_outside(result, clip.frames, hole))
    is_known = clip.background is not None and clip.own.any()
    return Row(
        clip=clip.name,
        psnr_outside=float(np.mean([a for a, _ in outside])),
        ssim_outside=float(np.mean([b for _, b in outside])),
        psnr_mask=_inside(result, clip) if is_known else None,
        leftover=1 - success(result, clip.frames, clip.background, clip.own)
        if clip.background is not None
        else None,
    )


def _noise(run: Learnt, clip: Clip, known: torch.Tensor, index: int, bad: float) -> torch.Tensor:
    """Where sampling begins, (1, Z, t, h, w)."""
    shape = (2, 1, known.shape[1] // 2, *known.shape[2:])
    noise, fresh = torch.randn(shape, generator=generator(SEED, index)).to(run.device).unbind()
    if not bad:
        return noise
    original = clean_latents(run.vae, clip.frames)[None].to(run.device)
    gradient = towards_object(run.ask(None), original, known, noise)
    return bad_noise(noise, gradient, fresh, torch.tensor([bad], device=run.device))


def _outside(result: Video, original: Video, hole: Masks) -> Iterator[tuple[float, float]]:
    """PSNR and SSIM outside the mask, frame by frame."""
    for made, true, inside in zip(result, original, hole, strict=True):
        kept = ~inside
        if not kept.any():
            continue
        error = (made.astype(np.float32) - true) ** 2
        yield psnr(float(error[kept].mean())), float(ssim(luma(made), luma(true))[kept].mean())


def _inside(result: Video, clip: Clip) -> float:
    assert clip.background is not None
    assert clip.own is not None
    error = (result[clip.own].astype(np.float32) - clip.background[clip.own]) ** 2
    return psnr(float(error.mean()))
