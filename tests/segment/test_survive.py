"""Whether a first mask survives a few frames, and what is said where it does not."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.segment.first import ALIVE
from remover.segment.stepback import Reason, StepBack, Taken
from remover.segment.still import Around
from remover.segment.survive import OFFSETS, survival, witnesses

HEIGHT, WIDTH = 96, 128


def texture(seed: int, base: tuple[int, int, int]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    total = np.tile(np.float32(base), (HEIGHT, 2 * WIDTH, 1))
    for cell, contrast in ((4, 9), (13, 14)):
        coarse = rng.normal(0, contrast, (HEIGHT // cell + 2, 2 * WIDTH // cell + 2, 3))
        total += cv2.resize(coarse.astype(np.float32), (2 * WIDTH, HEIGHT))
    return np.clip(total, 0, 255).astype(np.uint8)


def disc(index: int, x: float = 60) -> np.ndarray:
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    return np.asarray(np.hypot(rows - 48, columns - x - 2 * index) <= 14)


def picture(index: int, *, is_there: bool = True) -> np.ndarray:
    """A red disc that walks over a ground that pans."""
    shown = texture(1, (110, 140, 100))[:, 30 + index : 30 + index + WIDTH].copy()
    if is_there:
        mask = disc(index)
        shown[mask] = np.roll(texture(2, (190, 60, 50))[:, :WIDTH], 2 * index, axis=1)[mask]
    return shown


def seen(offsets=(0, *OFFSETS), *, stays: bool = True):
    around = Around({i: picture(i, is_there=stays or i == 0) for i in offsets})
    return witnesses(picture(0), around)


def test_a_mask_of_an_object_that_stays_survives():
    assert survival(disc(0), seen()) > 0.9


def test_an_object_that_is_there_for_one_frame_survives_less():
    assert survival(disc(0), seen(stays=False)) < survival(disc(0), seen()) - 0.03


def test_a_patch_that_ends_where_nothing_ends_survives_less():
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    patch = (abs(rows - 20) <= 6) & (abs(columns - 20) <= 9)
    assert survival(np.asarray(patch), seen()) < survival(disc(0), seen()) - 0.1


def test_a_speck_does_not_survive():
    speck = np.zeros((HEIGHT, WIDTH), np.bool_)
    speck[20:22, 30:33] = True
    assert survival(speck, seen()) < ALIVE


def test_an_empty_mask_does_not_survive():
    assert survival(np.zeros((HEIGHT, WIDTH), np.bool_), seen()) == 0


@pytest.mark.parametrize(("offsets", "count"), [((0,), 1), ((0, 1, 2), 1), (range(-4, 1), 2)])
def test_frames_that_are_not_there_are_not_asked(offsets, count):
    assert len(seen(offsets)) == count
    assert survival(disc(0), seen(offsets)) > 0.9


def test_without_pictures_around_its_own_is_asked():
    assert len(witnesses(picture(0), None)) == 1
    assert survival(disc(0), witnesses(picture(0), None)) > 0.9


def test_pictures_that_a_mask_is_carried_out_of_do_not_count():
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[30:60, :30] = True
    own, *others = seen()
    away = [type(own)(one.picture, np.full((HEIGHT, WIDTH, 2), 1e3, np.float32)) for one in others]
    assert survival(mask, [own, *away]) == survival(mask, [own])


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(4, 40), st.integers(4, 40)),
    seed=st.integers(0, 99),
    share=st.floats(0, 1),
)
def test_survival_is_a_share_for_every_mask(size, seed, share):
    rng = np.random.default_rng(seed)
    pictures = {i: rng.integers(0, 256, (*size, 3), np.uint8) for i in (-4, 0, 4)}
    mask = rng.random(size) < share
    found = survival(mask, witnesses(pictures[0], Around(pictures)))
    assert 0 <= found <= 1


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("taken", Taken)
def test_a_step_back_says_the_object_the_frame_and_what_was_taken(reason, taken):
    said = StepBack(reason, taken, "around its click").said(3, 17)
    assert said.startswith("object 3 on frame 17: ")
    assert said.endswith(f"; {taken}")
    assert "around its click" in said
    assert "{" not in said
