from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from remover.drawing import COLOURS, arranged, comparison, even, layer, legend, opaque
from remover.types import Colour, Orientation, Size, VideoInfo
from remover.video import layout_of, with_alpha

COLOUR = Colour("bt709", full_range=False)


def planes_of(name, size=(20, 26)):
    layout = layout_of(name)
    rng = np.random.default_rng(4)
    kind = np.uint8 if layout.bit_depth == 8 else np.uint16
    shape = (-(-size[0] >> layout.chroma_shift_y), -(-size[1] >> layout.chroma_shift_x))
    shapes = [size, shape, shape] if layout.family == "yuv" else [size] * len(layout.order)
    parts = [rng.integers(0, 1 << layout.bit_depth, s).astype(kind) for s in shapes]
    return arranged(parts, layout), layout


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("yuv420p", "yuva420p"),
        ("yuvj420p", "yuva420p"),
        ("yuv422p10le", "yuva422p10le"),
        ("yuv420p12le", "yuva420p16le"),
        ("yuv444p12le", "yuva444p12le"),
        ("yuv440p", "yuva444p"),
        ("rgb24", "bgra"),
        ("gbrp10le", "gbrap10le"),
        ("rgb48le", "gbrap16le"),
        ("gray", "ya8"),
        ("gray10le", "gbrap10le"),
        ("yuva420p", "yuva420p"),
    ],
)
def test_every_layout_has_one_with_alpha(name, expected):
    layout = layout_of(name)
    target = with_alpha(layout)
    assert target.name == expected
    assert target.has_alpha
    assert target.bit_depth >= layout.bit_depth


@pytest.mark.parametrize("name", ["yuv420p", "yuv440p", "yuv420p12le", "gray10le", "gray", "rgb24"])
def test_a_layer_holds_every_sample_of_its_region(name):
    planes, layout = planes_of(name)
    target = with_alpha(layout)
    hole = np.zeros((20, 26), bool)
    hole[9, 12] = True
    found = layer(planes, hole, layout, target, COLOUR)
    parts = [found[i] if target.planar else found[0][..., i] for i in target.order]
    shown = parts[-1] > 0
    assert np.array_equal(shown, opaque(hole, layout))
    luma = planes[layout.order[0]] if layout.planar else planes[0][..., layout.order[0]]
    shift = target.bit_depth - layout.bit_depth
    assert np.array_equal(parts[0][shown], luma[shown].astype(parts[0].dtype) << shift)


def test_an_empty_layer_is_black_and_transparent():
    planes, layout = planes_of("yuv420p")
    y, u, v, alpha = layer(planes, None, layout, with_alpha(layout), COLOUR)
    assert {*np.unique(y)} == {16}
    assert {*np.unique(u), *np.unique(v)} == {128}
    assert not alpha.any()


def test_opaque_pixels_are_whole_blocks_and_what_chroma_reaches():
    hole = np.zeros((40, 41), bool)
    hole[21, 20] = True
    wide = opaque(hole, layout_of("yuv420p"))
    rows, columns = np.nonzero(wide)
    assert (rows.min(), rows.max()) == (14, 27)
    assert (columns.min(), columns.max()) == (14, 27)
    columns = np.nonzero(opaque(hole, layout_of("yuv422p")).any(axis=1))[0]
    assert list(columns) == [21]
    assert np.array_equal(opaque(hole, layout_of("yuv444p")), hole)


@pytest.mark.parametrize(("width", "rows"), [(400, 24), (60, 96), (9, 96), (1920, 72)])
def test_the_legend_names_every_colour(width, rows):
    strip = legend(width)
    assert strip.shape == (rows, width, 3)
    if width > 20:
        assert {tuple(rgb) for rgb in strip.reshape(-1, 3)} > set(COLOURS.values())


def test_the_colours_differ_in_lightness():
    swatches = np.array([[COLOURS[name] for name in COLOURS]], np.uint8)
    gray = np.sort(cv2.cvtColor(swatches, cv2.COLOR_RGB2GRAY).ravel().astype(int))
    assert (np.diff(gray) > 60).all()


def test_sizes_are_even():
    assert even(np.ones((3, 5, 3), np.uint8)).shape == (4, 6, 3)


def test_deep_pictures_are_compared_in_eight_bits():
    planes, layout = planes_of("gbrp10le")
    info = VideoInfo(
        path=Path("a.mkv"),
        container="matroska",
        stream_index=0,
        codec="ffv1",
        profile=None,
        layout=layout,
        size=Size(20, 26),
        sample_aspect=Fraction(1),
        orientation=Orientation(),
        colour=Colour("rgb", full_range=True),
        time_base=Fraction(1, 24),
        rate=Fraction(24),
        num_frames_hint=1,
        duration_s=None,
    )
    canvas = comparison(planes, planes, info)
    assert canvas.dtype == np.uint8
    assert canvas.shape == (20, 54, 3)
    assert np.array_equal(canvas[:, :26], canvas[:, 28:])
