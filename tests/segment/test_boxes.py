"""Key boxes move evenly and are held outside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover.segment.boxes import fill_box, interpolate, key_boxes
from remover.types import PointPrompt, Size

coordinates = st.floats(0, 500, allow_nan=False)
boxes = st.tuples(coordinates, coordinates, coordinates, coordinates)
key_sets = st.dictionaries(st.integers(0, 100), boxes, min_size=1, max_size=6)


@given(key_sets, st.integers(-20, 120))
def test_a_box_lies_between_its_neighbouring_keys(keys, frame):
    found = interpolate(keys, frame)
    if frame in keys:
        assert found == keys[frame]
        return
    before = max((key for key in keys if key < frame), default=min(keys))
    after = min((key for key in keys if key > frame), default=max(keys))
    for value, a, b in zip(found, keys[before], keys[after], strict=True):
        assert min(a, b) - 1e-6 <= value <= max(a, b) + 1e-6


@given(key_sets, st.integers(0, 60))
def test_outside_the_keys_the_nearest_is_held(keys, distance):
    assert interpolate(keys, min(keys) - distance) == keys[min(keys)]
    assert interpolate(keys, max(keys) + distance) == keys[max(keys)]


def test_half_way_is_half_way():
    keys = {10: (0.0, 0.0, 10.0, 10.0), 20: (20.0, 10.0, 40.0, 10.0)}
    assert interpolate(keys, 15) == (10.0, 5.0, 25.0, 10.0)


def test_no_key_is_an_error():
    with pytest.raises(ValueError, match="no key"):
        interpolate({}, 0)


def test_filling_covers_every_touched_pixel():
    mask = fill_box((1.5, 2.0, 3.2, 4.0), Size(6, 6))
    truth = np.zeros((6, 6), bool)
    truth[2:4, 1:4] = True
    np.testing.assert_array_equal(mask, truth)


def test_a_box_that_leaves_the_picture_is_cut():
    assert fill_box((-5, -5, 2, 2), Size(4, 4)).sum() == 4
    assert not fill_box((10, 10, 12, 12), Size(4, 4)).any()
    assert not fill_box((-9, -9, -4, -4), Size(4, 4)).any()


def test_keys_are_sorted_by_object_and_frame():
    one, two = (0.0, 0.0, 2.0, 2.0), (4.0, 4.0, 8.0, 8.0)
    prompts = [
        PointPrompt("box", 0, 1, box=one),
        PointPrompt("box", 5, 2, box=one),
        PointPrompt("box", 0, 1, box=two),
        PointPrompt("click", 0, 1, point=(1.0, 1.0)),
    ]
    assert key_boxes(prompts) == {1: {0: two}, 2: {5: one}}
