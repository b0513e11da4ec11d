import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from remover import masks
from remover.types import Rect


@given(st.integers(0, 12), st.integers(0, 6), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_growing_and_softening_only_add(radius, soft, seed):
    mask = np.random.default_rng(seed).random((30, 40)) > 0.97
    grown = masks.dilate(mask, radius)
    assert (grown >= mask).all()
    assert radius or np.array_equal(grown, mask)
    alpha = masks.feather(grown, soft)
    assert (alpha[grown] == 1).all()
    assert ((alpha > 0) == masks.dilate(grown, soft)).all() or soft > 0
    assert alpha.min() >= 0
    assert soft or np.array_equal(alpha > 0, grown)


def test_dilation_is_a_disc_of_its_radius():
    mask = np.zeros((21, 21), bool)
    mask[10, 10] = True
    y, x = np.mgrid[:21, :21] - 10
    assert np.array_equal(masks.dilate(mask, 5), np.hypot(y, x) <= 5)


def test_bounds_of_nothing_is_none():
    assert masks.bounds(np.zeros((3, 4), bool)) is None
    assert masks.bounds(np.eye(3, 4, dtype=bool)) == Rect(0, 0, 3, 3)
