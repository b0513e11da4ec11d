from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover import geometry
from remover.types import Colour, Orientation, PixelLayout, Size, VideoInfo

PLAIN = VideoInfo(
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
    time_base=Fraction(1, 24),
    rate=Fraction(24),
    num_frames_hint=24,
    duration_s=1.0,
)
TURNS = [Orientation(turn, flip) for turn in (0, 90, 180, 270) for flip in (False, True)]


@given(
    st.sampled_from(TURNS),
    st.sampled_from([Fraction(1), Fraction(4, 3), Fraction(8, 9)]),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_points_go_there_and_back(orientation, aspect, u, v):
    info = replace(PLAIN, orientation=orientation, sample_aspect=aspect)
    shown = geometry.shown_size(info)
    x, y = geometry.to_coded_point(u * shown.width, v * shown.height, info)
    back = geometry.to_shown_point(x, y, info)
    assert np.allclose(back, (u * shown.width, v * shown.height), atol=1e-6)


@pytest.mark.parametrize("orientation", TURNS)
def test_points_and_pictures_turn_the_same_way(orientation):
    info = replace(PLAIN, orientation=orientation)
    coded = np.zeros(PLAIN.size, bool)
    coded[30:50, 200:260] = True
    shown = geometry.to_shown_mask(coded, info)
    assert shown.shape == geometry.shown_size(info)
    rows, columns = np.nonzero(shown)
    box = geometry.to_coded_box(
        columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1, info
    )
    assert np.allclose(box, (200, 30, 260, 50))


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(4, 3)])
def test_masks_go_there_and_back(orientation, aspect):
    info = replace(PLAIN, orientation=orientation, sample_aspect=aspect)
    mask = np.random.default_rng(1).random(PLAIN.size) > 0.5
    back = geometry.to_coded_mask(geometry.to_shown_mask(mask, info), info)
    assert np.array_equal(back, mask)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(ValueError, match="100x50"):
        geometry.to_coded_mask(np.zeros((50, 100), bool), PLAIN)


def test_a_phone_video_is_shown_upright():
    info = replace(PLAIN, orientation=Orientation(90))
    assert geometry.shown_size(info) == Size(320, 240)
    # The coded top left corner is shown at the top right.
    assert geometry.to_shown_point(0, 0, info) == (240, 0)


def test_anamorphic_width_is_stretched():
    info = replace(PLAIN, size=Size(240, 240), sample_aspect=Fraction(4, 3))
    assert geometry.shown_size(info) == Size(240, 320)
    assert geometry.to_coded_box(160, 0, 40, 10, info) == (120, 0, 150, 10)
