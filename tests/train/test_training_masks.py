import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.models.dit import Contrast
from remover.train.clips import UnusableClip, own_generator
from remover.train.masks import (
    LEAST,
    MOST,
    drawn,
    emptied,
    grown,
    leading_frames,
    made_up,
    placed,
    unrelated,
)
from remover.train.pools import OwnMasks
from remover.train.procedural import Procedural
from remover.train.settings import Data
from remover.types import Size

DATA = Data(
    source="procedural",
    clips=6,
    held_out=1,
    frames=9,
    sizes=((32, 32),),
    leading_frames=5,
    dilate=(0, 3),
)


class Fixed:
    """A pool with one mask."""

    def __init__(self, mask, owner=None):
        self.mask, self.owner = mask, owner

    def __len__(self):
        return 1

    def read(self, _number):
        if self.mask is None:
            raise UnusableClip("it", "is broken")
        return self.mask

    def belongs_to(self, _number):
        return self.owner


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["nothing", "everything", "broken", "sound"]),
    size=st.sampled_from([Size(16, 16), Size(32, 48), Size(48, 32)]),
    length=st.integers(1, 12),
)
def test_unrelated_masks_are_neither_empty_nor_everything(seed, kind, size, length):
    mask = {
        "nothing": np.zeros((length, 20, 30), bool),
        "everything": np.ones((length, 60, 80), bool),
        "broken": None,
        "sound": np.pad(np.ones((length, 8, 8), bool), ((0, 0), (6, 6), (10, 12))),
    }[kind]
    hole = unrelated(np.random.default_rng(seed), Fixed(mask), None, 9, size)
    assert hole.shape == (9, *size)
    assert LEAST <= hole.mean() <= MOST


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), frames=st.sampled_from([1, 5, 9]))
def test_made_up_masks_are_of_sound_size(seed, frames):
    hole = made_up(np.random.default_rng(seed), frames, Size(32, 48))
    assert hole.shape == (frames, 32, 48)
    assert LEAST <= hole.mean() <= MOST


def test_a_clip_gets_no_mask_of_its_own_as_an_unrelated_one():
    own = np.zeros((9, 32, 32), bool)
    own[:, 10:20, 10:20] = True
    rng = np.random.default_rng(0)
    made = made_up(np.random.default_rng(0), 9, Size(32, 32))

    def forbidden(_number):
        raise AssertionError("read")

    pool = Fixed(own, owner=4)
    pool.read = forbidden
    assert unrelated(rng, pool, 4, 9, Size(32, 32)).shape == made.shape


def test_masks_of_held_out_clips_are_not_used():
    clips = Procedural(DATA, 0)
    pool = OwnMasks(clips)
    owners = {pool.belongs_to(number) for number in range(len(pool))}
    assert owners == set(range(6)) - clips.held_out
    assert np.array_equal(pool.read(0), clips.own(pool.belongs_to(0)))


@settings(max_examples=30, deadline=None)
@given(radius=st.integers(0, 5), seed=st.integers(0, 1000))
def test_grown_masks_hold_the_old_ones(radius, seed):
    hole = np.random.default_rng(seed).random((3, 12, 14)) > 0.97
    found = grown(hole, radius)
    assert (found >= hole).all()
    dot = np.zeros((1, 21, 21), bool)
    dot[0, 10, 10] = True
    assert grown(dot, radius)[0, 10].sum() == 2 * radius + 1


@given(most=st.integers(-3, 81), seed=st.integers(0, 100))
def test_emptied_frames_fill_latent_frames(most, seed):
    count = leading_frames(np.random.default_rng(seed), most)
    assert count <= max(0, most)
    assert count == 0 or count % 4 == 1
    assert (count > 0) == (most >= 1)


def test_emptying_leaves_something():
    hole = np.zeros((9, 4, 4), bool)
    hole[3, 1, 1] = True
    assert np.array_equal(emptied(hole, 5), hole)
    hole[7, 2, 2] = True
    rest = emptied(hole, 5)
    assert rest.sum() == 1
    assert hole.sum() == 2
    assert rest[7, 2, 2]


def test_short_masks_run_to_and_fro():
    mask = np.zeros((3, 64, 64), bool)
    for frame in range(3):
        mask[frame, 22 + 8 * frame : 30 + 8 * frame, 20:44] = True
    for seed in range(6):
        hole = placed(np.random.default_rng(seed), mask, 9, Size(64, 64))
        rows = [int(np.nonzero(frame.any(1))[0].min()) for frame in hole]
        steps = np.sign(np.diff(rows))
        assert set(steps) == {-1, 1}
        assert rows[0] == rows[4] == rows[8]


@pytest.mark.parametrize(("own", "contrast"), [(0.0, Contrast.REMOVE), (1.0, Contrast.GENERATE)])
def test_own_masks_ask_to_generate(own, contrast):
    clips = Procedural(DATA, 0)
    clip = clips.clip(2)
    found = drawn(own_generator(1, 2), clip, 2, OwnMasks(clips), DATA, own=own, leading=0.0)
    assert found.contrast == contrast
    assert (found.hole >= clip.own).all() == (own == 1)


def test_the_shares_are_those_of_the_settings():
    clips = Procedural(DATA, 0)
    clip, pool = clips.clip(2), OwnMasks(clips)
    found = [
        drawn(own_generator(1, n), clip, 2, pool, DATA, own=0.25, leading=0.4) for n in range(300)
    ]
    share = np.mean([one.contrast == Contrast.GENERATE for one in found])
    assert abs(share - 0.25) < 4 * (0.25 * 0.75 / 300) ** 0.5
    empty = np.mean([not one.hole[0].any() for one in found if one.contrast == Contrast.GENERATE])
    assert abs(empty - 0.4) < 4 * (0.4 * 0.6 / 75) ** 0.5
    assert all(one.hole.any() for one in found)
