"""The store gives back the latest map of every frame, and its statistics agree with the maps."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.masks import bounds
from remover.segment.store import MaskStore
from remover.types import Rect, Size

SIZE = Size(13, 21)


@st.composite
def label_maps(draw):
    labels = np.zeros(SIZE, np.uint8)
    for _ in range(draw(st.integers(0, 3))):
        top, left = draw(st.integers(0, 12)), draw(st.integers(0, 20))
        bottom, right = draw(st.integers(top, 13)), draw(st.integers(left, 21))
        labels[top:bottom, left:right] = draw(st.integers(0, 255))
    return labels


@given(st.lists(st.tuples(st.integers(0, 4), label_maps()), max_size=12))
@settings(max_examples=80, deadline=None)
def test_the_latest_put_wins(tmp_path_factory, puts):
    latest = {}
    with MaskStore(tmp_path_factory.mktemp("store"), SIZE, 5) as store:
        for index, labels in puts:
            store.put(index, labels)
            latest[index] = labels
        for index in reversed(range(5)):
            truth = latest.get(index, np.zeros(SIZE, np.uint8))
            np.testing.assert_array_equal(store.get(index), truth)
            np.testing.assert_array_equal(store.mask(index), truth > 0)
            assert store.area(index) == np.count_nonzero(truth)
            assert store.box(index) == bounds(truth > 0)
            assert store.is_empty(index) == (not truth.any())


def test_a_frame_never_put_is_empty(tmp_path):
    with MaskStore(tmp_path, SIZE, 2) as store:
        assert store.is_empty(1)
        assert store.box(1) is None
        assert not store.mask(1).any()


def test_what_get_returns_may_be_written_into(tmp_path):
    with MaskStore(tmp_path, SIZE, 1) as store:
        store.put(0, np.full(SIZE, 7, np.uint8))
        store.get(0)[:] = 0
        assert store.area(0) == SIZE.height * SIZE.width


def test_it_is_one_small_file_that_goes_with_the_store(tmp_path):
    size = Size(270, 480)
    labels = np.zeros(size, np.uint8)
    labels[100:200, 100:300] = 1
    with MaskStore(tmp_path, size, 50) as store:
        for index in range(50):
            store.put(index, labels)
        files = list(tmp_path.iterdir())
        assert len(files) == 1
        store.mask(49)
        assert store.path.stat().st_size < 50 * labels.size / 100
    assert not list(tmp_path.iterdir())
    store.close()


def test_putting_again_does_not_grow_the_file(tmp_path):
    labels = np.zeros(SIZE, np.uint8)
    labels[2:9, 3:8] = 1
    with MaskStore(tmp_path, SIZE, 1) as store:
        for _ in range(100):
            store.put(0, labels)
        store.get(0)
        assert store.path.stat().st_size < 200


def test_a_map_of_another_size_or_a_frame_outside_is_refused(tmp_path):
    with MaskStore(tmp_path, SIZE, 1) as store:
        with pytest.raises(ValueError, match="21x13"):
            store.put(0, np.zeros((3, 3), np.uint8))
        with pytest.raises(IndexError):
            store.get(-1)
        with pytest.raises(IndexError):
            store.put(1, np.zeros(SIZE, np.uint8))


def test_the_bounding_box_is_half_open():
    mask = np.zeros(SIZE, bool)
    mask[2:5, 7] = True
    assert bounds(mask) == Rect(2, 7, 5, 8)
    assert bounds(~mask & mask) is None


def test_threads_that_read_at_once_do_not_get_each_others_masks(tmp_path):
    """Masks that were read by several threads could not be read again, as if the disk failed."""
    rng = np.random.default_rng(1)
    size = Size(40, 50)
    maps = [(rng.random(size) < 0.4).astype(np.uint8) for _ in range(8)]
    with MaskStore(tmp_path, size, 8) as store, ThreadPoolExecutor(4) as workers:
        for index, labels in enumerate(maps):
            store.put(index, labels)
        order = [index for _ in range(150) for index in range(8)]
        found = workers.map(store.get, order)
        assert all(np.array_equal(one, maps[i]) for i, one in zip(order, found, strict=True))
