"""Short gaps in masks."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from remover.segment.holes import LONGEST, between, gaps, is_leaving


@given(st.sets(st.integers(0, 60)))
def test_gaps_are_short_and_lie_between_neighbours(seen):
    for before, after in gaps(seen):
        assert {before, after} <= seen
        assert not seen & set(range(before + 1, after))
        assert 1 <= after - before - 1 <= LONGEST


def test_every_short_gap_is_found():
    assert list(gaps({0, 1, 4, 5 + LONGEST, 7 + 2 * LONGEST})) == [(1, 4), (4, 5 + LONGEST)]


def block(top: int, left: int) -> np.ndarray:
    mask = np.zeros((40, 60), np.bool_)
    mask[top : top + 6, left : left + 8] = True
    return mask


def test_the_nearer_mask_moves_evenly():
    one, other = block(4, 4), block(12, 24)
    assert np.array_equal(between(one, other, 0.25), block(6, 9))
    assert np.array_equal(between(one, other, 0.75), block(10, 19))


def test_only_a_small_rest_at_the_border_is_leaving():
    mask = block(12, 52)
    assert is_leaving(mask, 2.5 * mask.sum())
    assert not is_leaving(mask, 1.5 * mask.sum())
    assert not is_leaving(block(12, 24), 100 * mask.sum())
