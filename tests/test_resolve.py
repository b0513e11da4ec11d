from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from remover.config import CleanOptions
from remover.errors import InputError, UsageError
from remover.prompts import parse_avoid, parse_box, parse_click, parse_mask, parse_moment
from remover.resolve import check_prompts, frame_of, frame_range, point_prompts
from remover.types import Colour, Orientation, PixelLayout, Shot, Size, VideoInfo
from remover.video import FrameIndex

INFO = VideoInfo(
    path=Path("a.mp4"),
    container="mp4",
    stream_index=0,
    codec="h264",
    profile=None,
    layout=PixelLayout("yuv420p", "yuv", 8, True, (0, 1, 2), 1, 1),
    size=Size(240, 320),
    sample_aspect=Fraction(1),
    orientation=Orientation(),
    colour=Colour("bt709", full_range=False),
    time_base=Fraction(1, 1000),
    rate=Fraction(10),
    num_frames_hint=10,
    duration_s=1.0,
)
INDEX = FrameIndex(
    pts=np.array([500, 600, 700, 900, 1000], np.int64),
    durations=np.array([100, 100, 200, 100, 100], np.int64),
    time_base=Fraction(1, 1000),
)


@pytest.mark.parametrize(
    ("text", "frame"), [("0", 0), ("4f", 4), ("0s", 0), ("0.2s", 2), ("0.39s", 2), ("0.4s", 3)]
)
def test_moments_are_counted_from_the_first_frame(text, frame):
    assert frame_of(parse_moment(text), INDEX, "`--box`") == frame


@pytest.mark.parametrize("text", ["5", "99f", "0.6s", "00:01:00"])
def test_a_moment_past_the_end_is_an_error_with_the_values(text):
    with pytest.raises(UsageError, match=r"5 frames .* ends at 0.600 s"):
        frame_of(parse_moment(text), INDEX, "`--box`")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, (0, 5)),
        ("1", None, (1, 5)),
        (None, "3", (0, 3)),
        (None, "0.2s", (0, 2)),
        (None, "0.25s", (0, 3)),
        ("0.4s", "0.6s", (3, 5)),
        ("2f", "5", (2, 5)),
    ],
)
def test_a_range_holds_the_frames_that_begin_in_it(start, end, expected):
    moments = (None if t is None else parse_moment(t) for t in (start, end))
    assert frame_range(*moments, INDEX) == Shot(*expected)


@pytest.mark.parametrize(
    ("start", "end"), [("3", "0.2s"), ("0.4s", "2"), (None, "6"), (None, "9s")]
)
def test_an_empty_or_too_long_range_is_an_error(start, end):
    moments = [None if t is None else parse_moment(t) for t in (start, end)]
    with pytest.raises(UsageError, match="--end"):
        frame_range(*moments, INDEX)


def test_boxes_and_points_land_in_coded_pixels():
    info = replace(INFO, orientation=Orientation(90))
    prompts = [parse_box("10,20,30,40"), parse_click("0,0@3#2"), parse_avoid("239,319")]
    box, click, avoid = point_prompts(prompts, info, INDEX, 1)
    assert box.box == pytest.approx((20, 200, 60, 230))
    assert (box.frame, box.object_id, click.frame, click.object_id) == (1, 1, 3, 2)
    assert click.point == pytest.approx((0, 239))
    assert avoid.point == pytest.approx((319, 1))


def test_a_box_over_the_border_is_cut():
    (box,) = point_prompts([parse_box("300,200,100,100")], INFO, INDEX, 0)
    assert box.box == (300, 200, 320, 240)


@pytest.mark.parametrize("prompt", [parse_box("320,0,5,5"), parse_click("0,240")])
def test_outside_the_picture_is_an_error(prompt):
    with pytest.raises(UsageError, match="outside the picture, which is shown at 320x240"):
        point_prompts([prompt], INFO, INDEX, 0)


def test_prompts_are_checked_before_the_video_is_opened(tmp_path):
    with pytest.raises(UsageError, match="nothing to remove"):
        check_prompts([parse_avoid("1,1")], CleanOptions())
    with pytest.raises(UsageError, match="no mask to invert"):
        check_prompts([parse_box("1,1,2,2")], CleanOptions(invert_mask=True))
    given = parse_mask(str(tmp_path / "a.png"))
    with pytest.raises(InputError, match=r"mask `.*a.png` does not exist"):
        check_prompts([given], CleanOptions())
    (tmp_path / "a.png").touch()
    check_prompts([given], CleanOptions(invert_mask=True))
