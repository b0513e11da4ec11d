"""Cuts are found where they are, and nowhere else."""

from itertools import pairwise

import av
import cv2
import numpy as np
import pytest

from remover.shots import ShotFinder
from remover.types import Shot


def scene(seed: int, height: int = 90, width: int = 400) -> np.ndarray:
    """A wide textured picture with its own colours."""
    rng = np.random.default_rng(seed)
    base = rng.integers(40, 200, 3).astype(np.float32)
    total = np.tile(base, (height, width, 1))
    for cell, contrast in ((6, 15), (25, 45)):
        coarse = rng.normal(0, contrast, (height // cell + 2, width // cell + 2, 3))
        total += cv2.resize(coarse.astype(np.float32), (width, height))
    return np.clip(total, 0, 255).astype(np.uint8)


def pan(seed: int, frames: int, speed: float = 1.0) -> list[np.ndarray]:
    wide = scene(seed)
    return [wide[:, round(speed * t) : round(speed * t) + 160] for t in range(frames)]


def shots_of(frames: list[np.ndarray]) -> tuple[Shot, ...]:
    finder = ShotFinder()
    for frame in frames:
        finder.push(frame)
    return finder.finish()


def test_no_frame_has_no_shot():
    assert shots_of([]) == ()


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 9])
def test_a_single_take_of_any_length_is_one_shot(frames):
    assert shots_of(pan(1, frames)) == (Shot(0, frames),)


@pytest.mark.parametrize("lengths", [(20, 24), (5, 5, 5), (7, 30), (3, 20), (20, 3), (12, 5, 12)])
def test_every_cut_is_found_and_the_shots_leave_no_gap(lengths):
    frames = [f for seed, n in enumerate(lengths) for f in pan(seed + 10, n)]
    edges = np.cumsum((0, *lengths))
    assert shots_of(frames) == tuple(Shot(int(a), int(b)) for a, b in pairwise(edges))


@pytest.mark.parametrize("speed", [3, 8])
def test_a_fast_pan_is_no_cut(speed):
    assert len(shots_of(pan(4, 30, speed))) == 1


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_is_no_cut(length):
    frames = [frame.copy() for frame in pan(5, 30)]
    for t in range(12, 12 + length):
        frames[t] = np.clip(frames[t].astype(int) + 110, 0, 255).astype(np.uint8)
    assert len(shots_of(frames)) == 1


def test_a_cut_to_an_object_that_moves_is_found_beside_a_still_background():
    still = [scene(2)[:, :160]] * 10
    assert shots_of([*still, *pan(3, 10)]) == (Shot(0, 10), Shot(10, 20))


def decoded(path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.shared
def test_the_only_cut_of_the_bench_is_found(shared):
    found = {
        case.name: [shot.start for shot in shots_of(decoded(case / "input.mp4"))[1:]]
        for case in sorted((shared / "bench").iterdir())
        if (case / "input.mp4").exists()
    }
    assert found.pop("scene-cut") == [20]
    assert not any(found.values())
