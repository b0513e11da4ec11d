"""Shadows of a video on disk, what becomes of them, and the region with them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.errors import OutputError
from remover.fill import Shade
from remover.region import Region
from remover.segment import MaskStore
from remover.shades import INDEX, NAME, ShadeStore, decided
from remover.types import Rect, Shot, Size

SIZE, PLACE = Size(60, 90), Rect(20, 30, 34, 60)


def shade(index: int, travel: float = 2.0, rect: Rect = PLACE) -> Shade:
    rng = np.random.default_rng(index)
    gain = rng.uniform(0.1, 0.6, (*rect.size, 3)).astype(np.float16)
    ceiling = rng.uniform(4, 5, rect.size).astype(np.float16)
    return Shade(index, rect, gain, ceiling, (1.0, 1.0), travel)


def equal(a: Shade | None, b: Shade) -> bool:
    if a is None:
        return False
    facts = (a.index, a.rect, a.scale, a.travel) == (b.index, b.rect, b.scale, b.travel)
    return facts and np.array_equal(a.gain, b.gain) and np.array_equal(a.ceiling, b.ceiling)


def test_what_is_put_comes_back(tmp_path):
    with ShadeStore(tmp_path, 6) as store:
        for index in (1, 4):
            store.put(shade(index, travel=index / 2))
        assert equal(store.get(1), shade(1, 0.5))
        assert equal(store.get(4), shade(4, 2.0))
        assert store.get(0) is None
        assert [store.has(i) for i in range(6)] == [False, True, False, False, True, False]
        assert store.travel(4) == 2.0
    assert not (tmp_path / NAME).exists()


def test_a_saved_store_is_found_again(tmp_path):
    with ShadeStore(tmp_path, 6) as store:
        store.put(shade(2))
        store.save()
    again = ShadeStore.reopened(tmp_path, 6)
    assert again is not None
    with again:
        assert equal(again.get(2), shade(2))
        assert again.get(1) is None
    assert ShadeStore.reopened(tmp_path, 7) is None


@pytest.mark.parametrize("damage", ["no index", "short file", "broken index"])
def test_what_was_cut_off_is_not_taken(damage, tmp_path):
    with ShadeStore(tmp_path, 3) as store:
        store.put(shade(1))
        store.save()
    if damage == "no index":
        (tmp_path / INDEX).unlink()
    elif damage == "short file":
        (tmp_path / NAME).write_bytes((tmp_path / NAME).read_bytes()[:-3])
    else:
        (tmp_path / INDEX).write_bytes(b"PK")
    assert ShadeStore.reopened(tmp_path, 3) is None


def test_a_new_store_forgets_the_old_one(tmp_path):
    with ShadeStore(tmp_path, 3) as store:
        store.put(shade(1))
        store.save()
    with ShadeStore(tmp_path, 3) as store:
        assert store.get(1) is None
        assert ShadeStore.reopened(tmp_path, 3) is None


def test_a_failing_disk_is_said(tmp_path):
    with ShadeStore(tmp_path, 3) as store:
        store.put(shade(1))
        (tmp_path / NAME).write_bytes(b"\0" * (tmp_path / NAME).stat().st_size)
        with pytest.raises(OutputError, match="cannot be read again"):
            store.get(1)


SHOTS = [Shot(0, 10), Shot(10, 20)]


def made(folder, found: dict[int, float]) -> ShadeStore:
    store = ShadeStore(folder, 20)
    for index, travel in found.items():
        store.put(shade(index, travel))
    return store


def test_a_shadow_is_sure_where_the_object_leaves_its_place(tmp_path):
    found = {**dict.fromkeys(range(2, 10), 1.5), **dict.fromkeys(range(10, 20), 0.4)}
    with made(tmp_path, found) as store:
        assert decided(store, SHOTS, [True] * 20, "sure").counts == {"removed": 8, "kept": 10}
        assert decided(store, SHOTS, [True] * 20, "remove").counts == {"removed": 18, "kept": 0}
        assert decided(store, SHOTS, [True] * 20, "keep").counts == {"removed": 0, "kept": 18}


def test_a_shadow_that_is_seldom_found_is_not_sure(tmp_path):
    with made(tmp_path, dict.fromkeys(range(4), 3.0)) as store:
        assert decided(store, SHOTS, [True] * 20, "sure").lit == frozenset()
        holes = [index < 4 for index in range(20)]
        assert decided(store, SHOTS, holes, "sure").lit == frozenset(range(4))


def test_what_is_said_of_it(tmp_path):
    with made(tmp_path, dict.fromkeys(range(8), 3.0)) as store:
        removed = decided(store, SHOTS, [True] * 20, "remove")
        assert removed.notes == ("a shadow of the object was found in 8 frames and removed",)
        kept = decided(store, SHOTS, [True] * 20, "keep")
        assert kept.notes[0].startswith("a shadow of the object was found in 8 frames and kept; ")
        assert "`--shadows remove`" in kept.notes[0]
        assert decided(store, SHOTS, [False] * 20, "remove").notes == ()


@pytest.fixture
def masks(tmp_path):
    with MaskStore(tmp_path, SIZE, 20) as store:
        labels = np.zeros(SIZE, np.uint8)
        labels[10:24, 24:40] = 1
        store.put(1, labels)
        store.put(2, labels)
        yield store


def region_of(masks: MaskStore, store: ShadeStore, mode: str, soft: int = 2, **more) -> Region:
    region = Region(masks, grow=1, soft=soft, **more)
    holes = [region.has_object(index) for index in range(20)]
    region.join(decided(store, SHOTS, holes, mode))
    return region


def test_a_removed_shadow_is_part_of_the_region(masks, tmp_path):
    with made(tmp_path, {1: 2.0, 5: 2.0}) as store:
        alone = Region(masks, grow=1, soft=2)
        region = region_of(masks, store, "remove")
        shadow = region.shadow(1)
        assert shadow is not None
        assert np.array_equal(region.hole(1), alone.hole(1) | shadow)
        assert (region.alpha(1)[shadow] == 1).all()
        assert np.array_equal(region.alpha(1)[~shadow], alone.alpha(1)[~shadow])
        assert np.array_equal(region.hole(2), alone.hole(2))
        assert not region.hole(5).any()  # there is no object
        assert region.kept(1) is None


def test_a_kept_shadow_is_no_part_of_the_region_but_no_source(masks, tmp_path):
    with made(tmp_path, {1: 2.0}) as store:
        region = region_of(masks, store, "keep")
        assert np.array_equal(region.hole(1), Region(masks, grow=1, soft=2).hole(1))
        assert region.shadow(1) is None
        assert region.barred(1)[25:32, 35:55].all()
        assert not region.barred(2).any()
        assert region.keeps_shadows
        assert region.ground(1, Rect(0, 0, *SIZE), np.full((*SIZE, 3), 90, np.float32)) is None


def test_what_is_to_be_kept_stays_out_of_the_shadow(masks, tmp_path):
    (tmp_path / "keep").mkdir()
    with (
        made(tmp_path, {1: 2.0}) as store,
        MaskStore(tmp_path / "keep", SIZE, 20) as keep,
    ):
        labels = np.zeros(SIZE, np.uint8)
        labels[28:, :] = 1
        keep.put(1, labels)
        region = region_of(masks, store, "remove", keep=keep)
        assert not region.hole(1)[28:].any()
        assert region.hole(1)[26, 50]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), soft=st.integers(0, 4))
def test_the_lit_ground_fills_what_the_mask_leaves(seed, soft, tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("shades"), np.random.default_rng(seed)
    with MaskStore(folder, SIZE, 20) as masks, ShadeStore(folder, 20) as store:
        labels = np.zeros(SIZE, np.uint8)
        top, left = rng.integers(0, 30, 2)
        labels[top : top + 15, left : left + 20] = 1
        masks.put(1, labels)
        down, right = (int(value) for value in rng.integers(0, 40, 2))
        store.put(shade(1, rect=Rect(down, right, down + 14, right + 30)))
        region = region_of(masks, store, "remove", soft=soft)
        rect = Rect(0, 0, *SIZE)
        levels = rng.uniform(0, 255, (*SIZE, 3)).astype(np.float32)
        ground = region.ground(1, rect, levels)
        assert ground is not None
        own = Region(masks, grow=1, soft=soft).alpha(1)
        shadow = region.shadow(1)
        assert np.allclose(ground.share, np.where(shadow, 1 - own, 0))
        assert (ground.levels >= levels - 1e-3).all()
        assert np.array_equal(region.alpha(1) > 0, (own > 0) | (ground.share > 0) | (shadow))


def test_threads_that_read_at_once_do_not_get_each_others_shadows(tmp_path):
    with ShadeStore(tmp_path, 8) as store, ThreadPoolExecutor(4) as workers:
        made = [shade(index) for index in range(8)]
        for one in made:
            store.put(one)
        order = [index for _ in range(150) for index in range(8)]
        found = workers.map(store.get, order)
        assert all(equal(one, made[i]) for i, one in zip(order, found, strict=True))
