"""Masks made ready for a removal: filled in time, widened where they are unsure."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover.segment.cut import discs
from remover.segment.hints import Hints
from remover.segment.refine import enlarge
from remover.segment.widen import (
    AHEAD,
    BREADTH,
    DOUBTFUL,
    REACH,
    Glimpse,
    doubtful,
    steadied,
    widened,
    with_clicks,
    with_motion,
)
from remover.types import Size

SIZE = Size(40, 60)
STILL = np.zeros((20, 30, 2), np.float32)


def block(left: float, *, level: float = 1.0, top: int = 12) -> np.ndarray:
    soft = np.zeros(SIZE, np.float32)
    soft[top : top + 14, int(left) : int(left) + 14] = level
    return soft


def glimpses(softs, *, flow=(0.0, 0.0), fixed=()):
    """Frames in a row over which everything moves by ``flow`` pixels, x and y."""
    forth = STILL + np.float32(flow) / 2
    for index, soft in enumerate(softs):
        motion = (-forth, forth) if index else (None, None)
        yield Glimpse(index, soft, index in fixed, *motion)


def blobs(seed: int, count: int) -> list[np.ndarray]:
    """Soft masks of every level, in blobs and ramps."""
    grids = np.random.default_rng(seed).choice([0, 0, 20, 40, 120, 140, 255], (count, 6, 8))
    softs = (cv2.resize(grid.astype(np.float32), (SIZE.width, SIZE.height)) for grid in grids)
    return [np.clip(soft / 255, 0, 1) for soft in softs]


soft_masks = st.builds(blobs, st.integers(0, 2**32 - 1), st.integers(1, 6))


@given(soft_masks, st.sets(st.integers(0, 5)), st.floats(-6, 6), st.floats(-6, 6))
def test_nothing_is_taken_out_and_fixed_frames_stay(softs, fixed, x, y):
    found = list(steadied(glimpses(softs, flow=(x, y), fixed=fixed)))
    assert [index for index, _ in found] == list(range(len(softs)))
    for (index, after), before in zip(found, softs, strict=True):
        assert (after >= before).all()
        if index in fixed or index in (0, len(softs) - 1):
            np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("missing", [(3,), (3, 4), (2, 5), (2, 3, 5, 6)])
def test_a_part_that_is_missing_for_one_or_two_frames_is_filled_where_it_went(missing):
    softs = [block(4 + 3 * t) for t in range(9)]
    for index in missing:
        softs[index] = softs[index] * (np.arange(SIZE.width) < 4 + 3 * index + 5)
    found = dict(steadied(glimpses(softs, flow=(3.0, 0.0))))
    for index in range(9):
        np.testing.assert_array_equal(found[index] > 0.5, block(4 + 3 * index) > 0.5)


@pytest.mark.parametrize("softs", [[0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 1, 1]])
def test_what_comes_goes_or_is_away_for_longer_is_not_made_up(softs):
    softs = [block(20, level=level) for level in softs]
    for index, after in steadied(glimpses(softs)):
        np.testing.assert_array_equal(after, softs[index])


def test_few_frames_are_held():
    read = []

    def counted():
        for glimpse in glimpses([block(20)] * 12):
            read.append(glimpse.index)
            yield glimpse

    for index, _ in steadied(counted()):
        assert len(read) <= index + 1 + AHEAD


def test_motion_is_found_only_between_frames_with_the_object():
    rng = np.random.default_rng(1)
    ground = cv2.GaussianBlur(rng.integers(0, 255, (40, 80, 3)).astype(np.uint8), (0, 0), 1.5)
    softs = [block(20), block(20), np.zeros(SIZE, np.float32), block(20)]
    pictures = [np.ascontiguousarray(ground[:, 2 * t : 2 * t + 60]) for t in range(4)]
    frames = zip(range(4), softs, [True, False, False, False], pictures, strict=True)
    found = list(with_motion(frames))
    assert [glimpse.back is not None for glimpse in found] == [False, True, False, False]
    assert [glimpse.is_fixed for glimpse in found] == [True, False, False, False]
    assert np.median(found[1].back[..., 0]) == pytest.approx(1, abs=0.3)
    assert np.median(found[1].forth[..., 0]) == pytest.approx(-1, abs=0.3)


@given(soft_masks, st.sampled_from([SIZE, Size(80, 120), Size(53, 71), Size(20, 30)]))
def test_a_widened_mask_holds_the_mask_and_stays_near(softs, size):
    for soft in softs:
        wide, mask = widened(soft, size), enlarge(soft, size)
        assert (wide >= mask).all()
        more = doubtful(soft)
        assert (soft[more] >= DOUBTFUL).all()
        assert not (more & (soft > 0.5)).any()
        if not (soft > 0.5).any():
            assert not more.any()


def test_a_blurred_rim_costs_nothing_and_a_broad_doubt_counts():
    sharp = cv2.GaussianBlur(block(20), (0, 0), 1.5)
    np.testing.assert_array_equal(widened(sharp, SIZE), enlarge(sharp, SIZE))
    held = block(10) + block(24, level=2 * DOUBTFUL)
    np.testing.assert_array_equal(doubtful(held)[14:24, 26:36], True)


def test_doubt_far_from_the_mask_does_not_count():
    soft = np.zeros((40, 120), np.float32)
    soft[10:30, 10:30] = 1
    soft[10:30, 30 + REACH + BREADTH :] = 0.4
    assert not doubtful(soft).any()


points = st.tuples(st.floats(0, SIZE.width), st.floats(0, SIZE.height))


@given(st.lists(points, max_size=3), st.lists(points, max_size=2), st.integers(1, 3))
def test_what_was_clicked_is_inside_and_what_was_avoided_adds_nothing(clicks, avoids, scale):
    size = Size(SIZE.height * scale, SIZE.width * scale)
    mask = enlarge(block(3), size)
    found = with_clicks(mask, Hints(clicks=tuple(clicks), avoids=tuple(avoids)), SIZE)
    assert (found >= mask).all()
    if scale == 1:
        clicked = discs(clicks, SIZE) & ~discs(avoids, SIZE)
        np.testing.assert_array_equal(found, mask | clicked)
