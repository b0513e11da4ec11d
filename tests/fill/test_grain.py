"""Grain: measured where the truth is known, put back by the missing amount alone."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.fill.align import step, view
from remover.fill.frames import Frame
from remover.fill.grain import drawn, measured, missing
from remover.fill.live import NO_NOISE, Noise, live_noise, pairs_of, typical

HEIGHT, WIDTH = 180, 240
RAMP = np.tile(np.linspace(60, 190, WIDTH, dtype=np.float32), (HEIGHT, 1))
KNOWN = np.ones((HEIGHT, WIDTH), bool)
KNOWN[60:140, 70:170] = False
INNER = np.s_[75:125, 85:155]


def noise(sigma: float, blur: float = 0.0, seed: int = 1) -> np.ndarray:
    found = np.random.default_rng(seed).normal(0, 1, (HEIGHT, WIDTH)).astype(np.float32)
    if blur:
        found = cv2.GaussianBlur(found, (0, 0), blur)
        found /= found.std()
    return np.float32(sigma) * found


def fine(picture: np.ndarray) -> np.ndarray:
    return picture - cv2.GaussianBlur(picture, (0, 0), 2.0)


@pytest.mark.parametrize("blur", [0.0, 0.8])
@pytest.mark.parametrize("sigma", [1.5, 4.0, 8.0])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_fill_gets_what_it_lacks_and_no_more(sigma, blur, share):
    own = noise(sigma, blur)
    grain = measured(np.rint(RAMP + own), KNOWN, 255.0, sigma**2)
    assert grain is not None
    fill = RAMP + np.float32(share) * own
    lack = missing(fill, ~KNOWN, grain)
    made = drawn(grain, 5, 9, (0, 0), lack)
    assert not made[KNOWN].any()
    inside = fine(np.rint(fill + made) - RAMP)[INNER].std()
    assert inside == pytest.approx(fine(own)[INNER].std(), rel=0.12)
    if share == 1.0:
        assert made[~KNOWN].std() < 0.3 * sigma


def test_its_spectrum_is_that_of_the_source():
    def neighbour(values: np.ndarray) -> float:
        return float(np.corrcoef(values[:, 1:].ravel(), values[:, :-1].ravel())[0, 1])

    own = noise(6, 0.8)
    grain = measured(RAMP + own, KNOWN, 255.0, 36.0)
    made = drawn(grain, 5, 9, (0, 0), np.full((HEIGHT, WIDTH), 36, np.float32))
    assert neighbour(made) == pytest.approx(neighbour(own), abs=0.15)
    white = measured(RAMP + noise(6), KNOWN, 255.0, 36.0)
    made = drawn(white, 5, 9, (0, 0), np.full((HEIGHT, WIDTH), 36, np.float32))
    assert abs(neighbour(made)) < 0.1


def test_bright_parts_may_have_more_of_it_than_dark_ones():
    strength = 1 + (RAMP - 60) / 30
    grain = measured(RAMP + noise(1) * strength, KNOWN, 255.0, 9.0)
    low, high = np.sqrt(np.interp([80, 170], grain.levels, grain.power))
    assert 1.2 < low < 2.1
    assert high > 2 * low


def test_texture_is_no_grain():
    texture = RAMP + noise(9, 1.0)
    assert measured(texture, KNOWN, 255.0, 0.0) is None
    still = measured(texture, KNOWN, 255.0, 1.0)
    assert still.power.max() <= 2.0  # as much as moves, and a little more where levels differ


def test_a_clean_source_has_none():
    assert measured(RAMP, KNOWN, 255.0, 4.0) is None
    assert measured(RAMP[:20, :20], KNOWN[:20, :20], 255.0, 4.0) is None


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 10**6),
    st.tuples(st.integers(0, 40), st.integers(0, 40)),
)
@settings(max_examples=15, deadline=None)
def test_grain_belongs_to_places(seed, frame, cut):
    grain = measured(RAMP + noise(4), KNOWN, 255.0, 16.0)
    lack = np.full((60, 70), 16, np.float32)
    whole = drawn(grain, seed, frame, (100, 200), lack)
    down, right = cut
    part = drawn(grain, seed, frame, (100 + down, 200 + right), lack[down:, right:])
    assert np.allclose(part, whole[down:, right:], atol=1e-4)
    next_one = drawn(grain, seed, frame + 1, (100, 200), lack)
    assert abs(np.corrcoef(whole.ravel(), next_one.ravel())[0, 1]) < 0.1


def frame(luma: np.ndarray, index: int = 0) -> Frame:
    shut = np.zeros(luma.shape, np.uint8)
    rgb = np.clip(np.rint(luma), 0, 255).astype(np.uint8)
    return Frame(index, np.dstack([rgb] * 3), shut, shut)


def test_live_noise_is_what_changes_where_nothing_moves():
    texture = RAMP + noise(12, 1.5, seed=3)
    before, after = frame(texture + noise(3, seed=4)), frame(texture + noise(3, seed=5), 1)
    found = live_noise(before, after, None)
    assert np.sqrt(found.luma) == pytest.approx(3, rel=0.15)
    assert found.blue < 0.2
    assert found.red < 0.2
    frozen = live_noise(before, before, None)
    assert frozen == NO_NOISE


def test_motion_is_not_noise():
    scene = RAMP + noise(25, 2.0, seed=3)
    moved = np.roll(scene, 5, axis=1)
    before, after = frame(scene), frame(moved, 1)
    found = live_noise(before, after, step(view(before), view(after)))
    assert np.sqrt(found.luma) < 0.7


def test_a_shot_has_the_usual_noise_of_its_pairs():
    assert typical([]) == NO_NOISE
    assert typical([Noise(1, 2, 3), Noise(9, 2, 3), Noise(2, 2, 4)]) == Noise(2, 2, 3)
    assert pairs_of(1) == frozenset()
    assert pairs_of(2) == {1}
    assert len(pairs_of(1000)) == 12
