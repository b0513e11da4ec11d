import av
import numpy as np
import pytest

from remover.types import Size
from remover.video import layouts
from remover.video.layouts import convert, held_format, layout_of, read_planes, write_planes

NAMES = [
    "yuv420p",
    "yuvj422p",
    "yuv410p",
    "yuv440p12le",
    "yuva444p10le",
    "gray",
    "gray12le",
    "gbrp",
    "gbrap16le",
    "rgb24",
    "bgra",
    "argb",
    "0bgr",
    "rgb48le",
    "rgba64le",
    "ya8",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [Size(48, 64), Size(37, 53)])
def test_planes_come_back_as_they_were_written(name, size, studio):
    layout = layout_of(name)
    frame = av.VideoFrame(size.width, size.height, name)
    planes = studio.planes(layout, size, 3)
    write_planes(frame, layout, planes)
    for wrote, read in zip(planes, read_planes(frame, layout), strict=True):
        np.testing.assert_array_equal(wrote, read)
        assert not read.flags.writeable


def test_planes_do_not_change_when_the_frame_does(studio):
    size, layout = Size(48, 64), layout_of("yuv420p")
    frame = studio.frame("yuv420p", size, 0)
    before = read_planes(frame, layout)
    kept = [plane.copy() for plane in before]
    write_planes(frame, layout, studio.planes(layout, size, 9))
    for old, now in zip(kept, before, strict=True):
        np.testing.assert_array_equal(old, now)


@pytest.mark.parametrize(
    ("name", "order", "family"),
    [
        ("gbrp", (2, 0, 1), "rgb"),
        ("bgra", (2, 1, 0, 3), "rgb"),
        ("argb", (1, 2, 3, 0), "rgb"),
        ("yuva420p", (0, 1, 2, 3), "yuv"),
        ("gray10le", (0,), "gray"),
    ],
)
def test_order_says_where_each_component_lies(name, order, family):
    layout = layout_of(name)
    assert (layout.order, layout.family) == (order, family)


def test_red_is_where_the_layout_says():
    for name in ("rgb24", "bgr24", "argb", "abgr", "gbrp", "0rgb"):
        red = av.VideoFrame.from_ndarray(np.full((4, 4, 3), (200, 0, 0), np.uint8), "rgb24")
        layout = layout_of(name)
        planes = read_planes(convert(red, name, 5, full_range=True), layout)
        place = layout.order[0]
        assert (planes[place] if layout.planar else planes[0][..., place]).min() == 200


@pytest.mark.parametrize("name", ["nv12", "p010le", "uyvy422", "yuv420p10be", "pal8", "gbrpf32be"])
def test_formats_that_cannot_be_given_as_arrays_are_not_held(name):
    assert layout_of(name) is None
    assert layout_of(held_format(name)[0]) is not None


PAIRS = [(name, to) for name, to in layouts.EXACT.items() if layout_of(to).family == "yuv"]


@pytest.mark.parametrize(("name", "held"), [*PAIRS, ("yuv420p10be", "yuv420p10le")])
def test_conversion_to_the_held_format_changes_no_sample(name, held, studio):
    size = Size(48, 64)
    frame = studio.frame(held, size, 5)
    there = convert(frame, name, 5, full_range=False)
    back = convert(there, held, 5, full_range=False)
    layout = layout_of(held)
    for old, new in zip(read_planes(frame, layout), read_planes(back, layout), strict=True):
        np.testing.assert_array_equal(old, new)


def test_full_range_frames_change_their_label_without_changing_samples(studio):
    frame = studio.frame("yuvj420p", Size(48, 64), 2)
    other = convert(frame, "yuv420p", 5, full_range=True)
    for old, new in zip(
        read_planes(frame, layout_of("yuvj420p")),
        read_planes(other, layout_of("yuv420p")),
        strict=True,
    ):
        np.testing.assert_array_equal(old, new)


def test_unknown_formats_are_refused():
    with pytest.raises(KeyError):
        held_format("vaapi")
