import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.train.clips import chosen, own_generator, source
from remover.train.procedural import Procedural
from remover.train.scenes import SEEN_SHARE, outline, seen_share
from remover.train.settings import Data
from remover.train.textures import KINDS, colours, texture
from remover.types import Size

DATA = Data(source="procedural", clips=12, held_out=3, frames=5, sizes=((32, 48), (48, 32)))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), index=st.integers(0, 11))
def test_outside_its_mask_a_clip_is_its_background(seed, index):
    clip = Procedural(DATA, seed).clip(index)
    assert clip.frames.shape == clip.background.shape == (5, *DATA.sizes[index % 2], 3)
    assert np.array_equal(clip.frames[~clip.own], clip.background[~clip.own])
    assert 0.005 < clip.own.mean() < 0.6


def test_objects_are_seen_against_their_background():
    clips = [Procedural(DATA, seed).clip(0) for seed in range(30)]
    inner = [  # without the antialiased edges, which are half background
        np.stack([cv2.erode(mask.astype(np.uint8), np.ones((3, 3))) > 0 for mask in clip.own])
        for clip in clips
    ]
    shares = [
        seen_share(clip.frames[inside], clip.background[inside])
        for clip, inside in zip(clips, inner, strict=True)
    ]
    assert np.mean(shares) > SEEN_SHARE
    assert min(shares) > 0.6


def test_a_clip_depends_on_the_seed_and_its_number_alone():
    one, two = Procedural(DATA, 7), source(DATA, 7)
    two.clip(3)
    assert np.array_equal(one.clip(5).frames, two.clip(5).frames)
    assert np.array_equal(one.clip(5).own, two.own(5))
    assert not np.array_equal(one.clip(5).frames, Procedural(DATA, 8).clip(5).frames)
    assert not np.array_equal(one.clip(5).frames, one.clip(7).frames)


def test_draws_of_different_things_are_not_the_same():
    numbers = [(1,), (1, 0), (1, 0, 0), (1, 0, 0, 0), (0, 1), (1, 1)]
    assert len({own_generator(*each).random() for each in numbers}) == len(numbers)
    assert own_generator(1, 2).random() == own_generator(1, 2).random()


def test_clips_move():
    clips = [Procedural(DATA, 0).clip(index) for index in range(12)]
    assert sum(not np.array_equal(c.background[0], c.background[-1]) for c in clips) >= 6
    assert sum(not np.array_equal(c.own[0], c.own[-1]) for c in clips) >= 6


def test_held_out_clips_are_the_same_for_every_seed():
    assert Procedural(DATA, 0).held_out == Procedural(DATA, 1).held_out == chosen(12, 3)
    assert len(chosen(12, 3)) == 3
    assert len(chosen(2, 8)) == 1  # something is left to learn from
    assert chosen(5, 0) == frozenset()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_texture_has_both_colours(kind):
    for seed in range(5):
        weights = kind(np.random.default_rng(seed), Size(40, 60))
        assert weights.shape == (40, 60)
        assert weights.min() >= 0
        assert weights.max() <= 1
        assert weights.max() - weights.min() > 0.5


def test_textures_vary_and_colours_are_apart():
    rng = np.random.default_rng(0)
    found = {texture(rng, Size(16, 16)).tobytes() for _ in range(10)}
    assert len(found) == 10
    one, two = colours(rng)
    assert np.abs(one - two).mean() >= 60


@given(seed=st.integers(0, 10**6))
def test_outlines_reach_one_from_their_centre(seed):
    points = outline(np.random.default_rng(seed))
    assert np.hypot(*points.T).max() == pytest.approx(1)
