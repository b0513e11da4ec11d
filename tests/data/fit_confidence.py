"""Fit what ``remover/fill/confidence.py`` goes by, and print how well it is calibrated.

    python tests/data/fit_confidence.py CASES

CASES is a folder of cases as ``remover bench quality`` takes them. Every case weighs the same. The
table is of pixels of cases that the fit had not seen: each case in turn is left out.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

import remover.fill.copy as copying
from remover.bench import cases
from remover.config import CleanOptions
from remover.fill import ShotFill
from remover.fill.confidence import counted
from remover.job import prepared
from remover.light import shots_to_fill
from remover.progress import Silent
from remover.prompts import parse_mask
from remover.types import COPIED
from remover.video import Reader, RgbPictures, probe

WITHIN = 10
"""Levels, in the worst channel, within which a pixel counts as right."""
FROM_EACH = 1500
"""Pixels taken of a frame at most."""
EDGES = (0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 1.000001)


def terms(error: Any, spread: Any, nearest: Any, count: Any, texture: Any) -> np.ndarray:
    """What odds are a linear function of: (n, 6)."""
    parts = (np.log1p(error), np.log1p(spread), *counted(nearest, count), np.log1p(texture))
    return np.stack([np.ones_like(error), *parts], axis=-1)


def samples(case: Path, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Terms (n, 6) of copied pixels of a case, and whether each is right (n,)."""
    seen: list[np.ndarray] = []

    def noted(*evidence: Any) -> np.ndarray:
        seen.append(terms(*evidence))
        return np.ones(evidence[0].shape, np.float32)

    reader = Reader(probe(case / "clean.mp4"))
    list(reader.scan())
    truth = list(RgbPictures(reader).read(0, reader.index.num_frames))
    prompts, options = [parse_mask(str(case / "masks"))], CleanOptions(shadows="remove")
    found, right = [], []
    original, copying.confidence = copying.confidence, noted
    try:
        with prepared(
            case / "input.mp4", prompts, options, Silent(), Path("none.mkv"), writes=False
        ) as job:
            for shot, windows in shots_to_fill(job.plan, job.masks.span):
                survey, region = job.light.surveys[shot], job.region
                fill = ShotFill(
                    job.pictures,
                    region.hole,
                    shot,
                    windows,
                    survey,
                    seed=0,
                    rim=region.rim,
                    shading=region,
                )
                for window in windows:
                    seen.clear()
                    patches = list(fill.fill(window))
                    assert len(seen) == len(patches), "OpenCV must work with one thread"
                    for patch, evidence in zip(patches, seen, strict=True):
                        # Evidence lies on the hole's rectangle with a margin.
                        box = patch.rect.grown(copying.MARGIN, job.info.size)
                        inner = patch.rect.moved(-box.top, -box.left)
                        copied = (patch.origin == COPIED) & job.region.mask(patch.index)[
                            patch.rect.slices
                        ]
                        rows, columns = np.nonzero(copied)
                        some = rng.permutation(len(rows))[:FROM_EACH]
                        rows, columns = rows[some], columns[some]
                        gap = np.abs(patch.rgb - truth[patch.index][patch.rect.slices])
                        found.append(evidence[inner.slices][rows, columns])
                        right.append(gap.max(axis=2)[rows, columns] <= WITHIN)
    finally:
        copying.confidence = original
    return np.concatenate(found).astype(np.float64), np.concatenate(right).astype(np.float64)


def fitted(inputs: np.ndarray, right: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Weights of a logistic regression, by Newton's method."""
    found = np.zeros(inputs.shape[1])
    for _ in range(30):
        likely = 1 / (1 + np.exp(-inputs @ found))
        curve = (inputs * (weight * likely * (1 - likely) + 1e-12)[:, None]).T @ inputs
        found += np.linalg.solve(
            curve + 1e-7 * np.eye(len(found)), inputs.T @ (weight * (right - likely))
        )
    return found


def main() -> None:
    """Sample, fit with each case left out, and print."""
    import cv2

    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    names = cases(Path(sys.argv[1]))
    data = [samples(case, rng) for case in names]
    weights = [np.full(len(right), 1 / len(right)) for _, right in data]

    def fit_of(chosen: list[int]) -> np.ndarray:
        return fitted(
            *(
                np.concatenate([part[i] for i in chosen])
                for part in ([inputs for inputs, _ in data], [right for _, right in data], weights)
            )
        )

    likely = []
    for place, (inputs, right) in enumerate(data):
        found = fit_of([i for i in range(len(data)) if i != place])
        likely.append(1 / (1 + np.exp(-inputs @ found)))
        print(f"{names[place].name}: {likely[-1].mean():.2f} expected, {right.mean():.2f} right")
    expected, true, weight = (
        np.concatenate(part) for part in (likely, [right for _, right in data], weights)
    )
    print("| confidence | share | expected | right |\n| --- | --- | --- | --- |")
    for low, high in pairwise(EDGES):
        inside = (expected >= low) & (expected < high)
        share = weight[inside].sum() / weight.sum()
        values = [np.average(v[inside], weights=weight[inside]) for v in (expected, true)]
        print(
            f"| {low:.2f} to {min(high, 1):.2f} | {share:.2f} | {values[0]:.2f} | {values[1]:.2f} |"
        )
    tenth = np.minimum((expected * 10).astype(int), 9)
    error = (
        sum(abs((weight * (expected - true))[tenth == k].sum()) for k in range(10)) / weight.sum()
    )
    print(f"expected calibration error {error:.3f}")
    print("weights", json.dumps(fit_of(list(range(len(data)))).round(3).tolist()))


if __name__ == "__main__":
    main()
