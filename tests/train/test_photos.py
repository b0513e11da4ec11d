from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.errors import InputError
from remover.train.clips import UnusableClip, source
from remover.train.photos import part_of, photo
from remover.train.scenes import seen_share
from remover.train.settings import Data
from remover.types import Size

DATA = Data(source="photos", clips=12, held_out=3, frames=5, sizes=((32, 48), (48, 32)))
LEVELS = (30, 90, 150, 210)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Data:
    """Photographs that are told apart by their red, each 120x90."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number, level in enumerate(LEVELS):
        picture = rng.integers(0, 256, (90, 120, 3), np.uint8)
        picture[..., 2] = level
        (folder / "inner").mkdir(exist_ok=True)
        place = folder / ("inner" if number % 2 else "") / f"{number}.png"
        cv2.imwrite(str(place), picture)
    return replace(DATA, folder=str(folder))


def test_what_is_behind_the_pieces_is_known(data):
    clips = source(data, 0)
    assert clips.masked == tuple(range(12))
    for index in range(12):
        clip = clips.clip(index)
        assert clip.frames.shape == (5, *data.sizes[index % 2], 3)
        assert np.array_equal(clip.frames[~clip.own], clip.background[~clip.own])
        assert np.array_equal(clips.own(index), clip.own)
        assert len(np.unique(clip.background[..., 0])) == 1  # of one photograph
        assert seen_share(clip.frames[clip.own], clip.background[clip.own]) > 0.4


def test_a_clip_depends_on_the_seed_and_its_number_alone(data):
    one, two = source(data, 5), source(data, 5)
    two.clip(1)
    assert np.array_equal(one.clip(4).frames, two.clip(4).frames)
    assert not np.array_equal(one.clip(4).frames, source(data, 6).clip(4).frames)


def test_held_out_clips_show_photographs_that_training_never_sees(data):
    for seed in range(3):
        clips = source(data, seed)
        red = [clips.clip(index).background[0, 0, 0, 0] for index in range(12)]
        held = {red[index] for index in clips.held_out}
        trained = {red[index] for index in range(12) if index not in clips.held_out}
        assert len(trained) == 3
        assert not held & trained


def test_photographs_to_hold_out_can_be_named(data, tmp_path):
    for level in LEVELS:
        cv2.imwrite(str(tmp_path / f"{level}.png"), np.full((90, 120, 3), level, np.uint8))
    (tmp_path / "held-out.txt").write_text("90\n210\n")
    clips = source(replace(data, folder=str(tmp_path)), 0)
    assert [clips.paths[i].stem for i in clips.held_out_photos] == ["90", "210"]
    assert [clips.paths[i].stem for i in clips.training_photos] == ["30", "150"]


def test_a_damaged_photograph_spoils_its_own_clips_alone(data, tmp_path):
    for level in LEVELS:
        cv2.imwrite(str(tmp_path / f"{level}.png"), np.full((90, 120, 3), level, np.uint8))
    (tmp_path / "broken.png").write_bytes(b"nothing")
    clips = source(replace(data, folder=str(tmp_path), held_out=0, clips=10), 0)
    spoilt = []
    for index in range(10):
        try:
            clips.clip(index)
        except UnusableClip as error:
            spoilt.append(error.name)
    assert spoilt == ["broken.png"] * 2  # of five photographs, each the ground of two clips


def test_what_cannot_be_read_says_why(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    (tmp_path / "empty.png").touch()
    clips = source(replace(DATA, folder=str(tmp_path)), 0)
    for path in clips.paths:
        with pytest.raises(UnusableClip, match="no picture that can be read"):
            photo(path)
    with pytest.raises(UnusableClip):
        clips.clip(0)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="no photographs"):
        source(replace(DATA, folder=str(tmp_path / "none")), 0)
    with pytest.raises(InputError, match="names no folder"):
        source(DATA, 0)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(2, 200),
    width=st.integers(2, 200),
    seed=st.integers(0, 99),
    size=st.sampled_from([Size(32, 48), Size(51, 77), Size(64, 64)]),
)
def test_a_part_fits_into_any_photograph(height, width, seed, size):
    picture = np.zeros((height, width, 3), np.uint8)
    assert part_of(np.random.default_rng(seed), picture, size).shape == (*size, 3)
