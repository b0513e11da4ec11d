from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover.errors import OutputError
from remover.video.times import grid_of, rounded_times
from remover.video.values import Damage, FrameIndex, repair_times

times = st.lists(st.one_of(st.none(), st.integers(-1000, 5000)), min_size=1, max_size=40)


@given(times, st.integers(1, 50), st.data())
def test_repaired_times_always_rise(pts, step, data):
    durations = data.draw(st.lists(st.integers(0, 60), min_size=len(pts), max_size=len(pts)))
    repaired, lengths, changed = repair_times(pts, durations, step)
    assert (np.diff(repaired) > 0).all()
    assert (lengths > 0).all()
    kept = sum(new == old for new, old in zip(repaired, pts, strict=True))
    assert kept >= len(pts) - changed


@given(st.lists(st.integers(1, 90), min_size=1, max_size=40), st.integers(-50, 50))
def test_sound_times_are_never_touched(steps, start):
    pts = list(np.cumsum([start, *steps]))
    repaired, lengths, changed = repair_times(pts, [7] * len(pts), 5)
    assert list(repaired) == pts
    assert list(lengths) == [*steps, 7]
    assert changed == 0


def test_missing_and_repeated_times_are_put_between_their_neighbours():
    repaired, _, changed = repair_times([0, 10, None, 30, 30, 50], [10] * 6, 10)
    assert list(repaired) == [0, 10, 20, 30, 40, 50]
    assert changed == 2


def test_frames_share_the_room_that_is_left():
    repaired, _, _ = repair_times([0, None, None, 9], [10] * 4, 10)
    assert list(repaired) == [0, 3, 6, 9]


def index_of(pts, base=Fraction(1, 1000), last=40):
    pts = np.array(pts, np.int64)
    return FrameIndex(pts, np.diff(pts, append=pts[-1] + last), base)


def test_the_frame_on_screen_at_a_time():
    index = index_of([500, 540, 620])
    moments = (-1, 0, 0.0399, Fraction(40, 1000), 0.119, Fraction(12, 100), 99)
    assert [index.frame_at(t) for t in moments] == [0, 0, 0, 1, 1, 2, 2]
    assert index.time_of(2) == Fraction(120, 1000)
    assert index.end_s == Fraction(160, 1000)


def test_damage_says_each_thing_once():
    assert Damage().messages() == ()
    said = Damage(2, (3, 4, 5, 9), 1.5, 1).messages()
    assert len(said) == 4
    assert "3-5, 9" in said[1]


def test_times_closer_than_the_containers_clock_are_refused():
    index = index_of([0, 1, 2], Fraction(1, 90000))
    with pytest.raises(OutputError, match="frames 0 and 1"):
        rounded_times(index, "matroska")
    rounded_times(index, "mp4")


def test_the_grid_of_avi_is_the_frame_rate_despite_rounded_times():
    index = index_of([0, 42, 83, 125, 167])
    step, places = grid_of("avi", index, Fraction(24))
    assert step == Fraction(1, 24)
    assert list(places) == [0, 1, 2, 3, 4]


def test_the_grid_of_uneven_times_is_their_smallest_distance():
    step, places = grid_of("avi", index_of([0, 100, 350, 550]), Fraction(7))
    assert step == Fraction(1, 10)
    assert list(places) == [0, 1, 4, 6] or list(places) == [0, 1, 3, 5]
