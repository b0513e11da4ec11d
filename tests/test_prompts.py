import contextlib
import os
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover.errors import UsageError
from remover.prompts import parse_avoid, parse_box, parse_click, parse_mask, parse_moment
from remover.types import Moment

frames = st.integers(0, 10**9).map(lambda n: Moment(frame=n))
times = st.integers(0, 10**12).map(lambda n: Moment(seconds=Fraction(n, 1000)))
moments = st.one_of(frames, times)
ids = st.integers(1, 255)
numbers = st.integers(-(10**6), 10**6).map(lambda n: n / 8)
lengths = st.integers(1, 10**6).map(lambda n: n / 8)


@given(moments)
def test_moment_comes_back_from_its_own_text(moment):
    assert parse_moment(str(moment)) == moment


@given(st.integers(0, 10**6))
def test_both_frame_spellings_are_the_same(number):
    assert parse_moment(f"{number}") == parse_moment(f"{number}f") == Moment(frame=number)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59_999))
def test_clock_times(hours, minutes, milliseconds):
    text = f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"
    seconds = hours * 3600 + minutes * 60 + Fraction(milliseconds, 1000)
    assert parse_moment(text) == Moment(seconds=seconds)
    if hours == 0:
        assert parse_moment(text.partition(":")[2]) == Moment(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "seconds"), [("1.5s", "3/2"), (".5s", "1/2"), ("2.s", "2"), ("0s", "0")]
)
def test_seconds(text, seconds):
    assert parse_moment(text) == Moment(seconds=Fraction(seconds))


@given(numbers, numbers, lengths, lengths, st.none() | moments, st.none() | ids)
def test_box_round_trip(x, y, w, h, moment, object_id):
    text = f"{x},{y},{w},{h}"
    text += "" if moment is None else f"@{moment}"
    text += "" if object_id is None else f"#{object_id}"
    prompt = parse_box(text)
    assert prompt.kind == "box"
    assert prompt.values == (x, y, w, h)
    assert prompt.moment == moment
    assert prompt.object_id == (object_id or 1)
    assert prompt.text == f"--box {text}"


@given(numbers, numbers, st.none() | moments, st.none() | ids, st.sampled_from(["click", "avoid"]))
def test_point_round_trip(x, y, moment, object_id, kind):
    text = f"{x},{y}"
    text += "" if moment is None else f"@{moment}"
    text += "" if object_id is None else f"#{object_id}"
    prompt = {"click": parse_click, "avoid": parse_avoid}[kind](text)
    assert (prompt.kind, prompt.values) == (kind, (x, y))
    assert (prompt.moment, prompt.object_id) == (moment, object_id or 1)


@given(st.text(max_size=30), st.sampled_from([parse_box, parse_click, parse_avoid]))
def test_any_text_is_a_prompt_or_a_usage_error(text, parse):
    with contextlib.suppress(UsageError):
        prompt = parse(text)
        assert 1 <= prompt.object_id <= 255
        assert all(abs(value) < 1e15 for value in prompt.values)


@given(st.text(max_size=30))
def test_any_text_is_a_moment_or_a_usage_error(text):
    with contextlib.suppress(UsageError):
        moment = parse_moment(text)
        assert (moment.frame is None) != (moment.seconds is None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "`--box ` needs 4 numbers `x,y,w,h`, not 0"),
        ("10,20,80", "`--box 10,20,80` needs 4 numbers `x,y,w,h`, not 3"),
        ("1,2,3,4,5", "`--box 1,2,3,4,5` needs 4 numbers `x,y,w,h`, not 5"),
        ("1,,3,4", "`--box 1,,3,4` has an empty place between its commas"),
        ("1;2;3;4", "`--box 1;2;3;4` needs 4 numbers `x,y,w,h`, not 1"),
        ("a,2,3,4", "`a` in `--box a,2,3,4` is not a number"),
        ("1e3,2,3,4", "`1e3` in `--box 1e3,2,3,4` is not a number"),
        ("nan,2,3,4", "`nan` in `--box nan,2,3,4` is not a finite number"),
        ("1,2,inf,4", "`inf` in `--box 1,2,inf,4` is not a finite number"),
        ("1,2,0,4", "`--box 1,2,0,4` has no area: its width is `0` and its height `4`"),
        ("1,2,3,-4", "`--box 1,2,3,-4` has no area: its width is `3` and its height `-4`"),
        (
            "1,2,3,4@-1",
            "`-1` in `--box 1,2,3,4@-1` lies before the first frame, which is `0`",
        ),
        ("1,2,3,4@1.5", "`1.5` in `--box 1,2,3,4@1.5` is neither a frame nor a time"),
        ("1,2,3,4@", "`` in `--box 1,2,3,4@` is neither a frame nor a time"),
        (
            "1,2,3,4@00:75:00",
            "`00:75:00` in `--box 1,2,3,4@00:75:00` is neither a frame nor a time",
        ),
        ("1,2,3,4#0", "`#0` in `--box 1,2,3,4#0` is not an object number of 1 to 255"),
        ("1,2,3,4#256", "`#256` in `--box 1,2,3,4#256` is not an object number of 1 to 255"),
        ("1,2,3,4#a", "`#a` in `--box 1,2,3,4#a` is not an object number of 1 to 255"),
    ],
)
def test_bad_boxes(text, message):
    with pytest.raises(UsageError) as caught:
        parse_box(text)
    assert caught.value.message == message
    assert caught.value.hint


def test_a_decimal_frame_gets_the_hint_for_a_time():
    with pytest.raises(UsageError) as caught:
        parse_moment("1.5")
    assert caught.value.hint == "frames are whole numbers; write `1.5s` for a time"


def test_spaces_round_numbers_are_ignored():
    assert parse_box("10, 20, 80, 60@3").values == (10, 20, 80, 60)


def test_mask_with_moment_and_object():
    prompt = parse_mask("masks/first.png@00:00:01.500#7")
    assert prompt.path == Path("masks/first.png")
    assert prompt.moment == Moment(seconds=Fraction(3, 2))
    assert prompt.object_id == 7
    assert parse_mask("logo.png").moment is None


@pytest.mark.parametrize("name", ["logo.png@3", "logo#2", "a@b#c.png", "x@1s#3"])
def test_a_mask_that_exists_as_typed_wins(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    prompt = parse_mask(name)
    assert (prompt.path, prompt.moment, prompt.object_id) == (Path(name), None, 1)


def test_mask_suffixes_after_a_path_with_signs_in_it(tmp_path):
    (tmp_path / "shot@2x.png").touch()
    prompt = parse_mask(f"{tmp_path / 'shot@2x.png'}#3")
    assert prompt.path == tmp_path / "shot@2x.png"
    assert (prompt.moment, prompt.object_id) == (None, 3)
    prompt = parse_mask("me@home/mask.png#3")
    assert (prompt.path, prompt.object_id) == (Path("me@home/mask.png"), 3)


def test_a_sign_that_is_no_suffix_belongs_to_the_path():
    assert parse_mask("shot@2x.png").path == Path("shot@2x.png")


def test_a_wrong_suffix_after_an_existing_mask_is_an_error(tmp_path):
    (tmp_path / "logo.png").touch()
    with pytest.raises(UsageError, match="is neither a frame nor a time"):
        parse_mask(f"{tmp_path / 'logo.png'}@1.5")
    with pytest.raises(UsageError, match="is not an object number"):
        parse_mask(f"{tmp_path / 'logo.png'}#0")


@pytest.mark.parametrize("text", ["", "  ", "@3", "#2"])
def test_mask_without_a_path(text):
    with pytest.raises(UsageError):
        parse_mask(text)


def test_a_mask_path_too_long_for_the_system_is_left_to_whoever_opens_it():
    text = "a" * 5000 + os.sep + "b"
    assert parse_mask(text).path == Path(text)
