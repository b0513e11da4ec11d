import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover import pixels
from remover.types import Colour, PixelLayout, Rect, Size

YUV = [
    PixelLayout("yuv420p", "yuv", 8, True, (0, 1, 2), 1, 1),
    PixelLayout("yuv422p10le", "yuv", 10, True, (0, 1, 2), 0, 1),
    PixelLayout("yuv444p12le", "yuv", 12, True, (0, 1, 2)),
    PixelLayout("yuva420p", "yuv", 8, True, (0, 1, 2, 3), 1, 1, True),
    PixelLayout("yuv410p", "yuv", 8, True, (0, 1, 2), 2, 2),
]
FLOATS = [
    PixelLayout("gbrapf32le", "rgb", 32, True, (2, 0, 1, 3), has_alpha=True, sample="float"),
    PixelLayout("gbrpf16le", "rgb", 16, True, (2, 0, 1), sample="float"),
    PixelLayout("grayf16le", "gray", 16, True, (0,), sample="float"),
]
OTHER = [
    PixelLayout("rgb24", "rgb", 8, False, (0, 1, 2)),
    PixelLayout("bgra", "rgb", 8, False, (2, 1, 0, 3), has_alpha=True),
    PixelLayout("gbrp10le", "rgb", 10, True, (2, 0, 1)),
    PixelLayout("gray", "gray", 8, True, (0,)),
]
MATRICES = ["bt601", "bt709", "bt2020", "smpte240m", "fcc"]


def make_planes(layout: PixelLayout, size: Size, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    kind = np.uint8 if layout.bit_depth == 8 else np.uint16
    top = 1 << layout.bit_depth
    if not layout.planar:
        return [rng.integers(0, top, (*size, max(len(layout.order), 3)), dtype=kind)]
    planes = [np.empty(0, kind)] * len(layout.order)
    for c, place in enumerate(layout.order):
        planes[place] = rng.integers(0, top, pixels.plane_size(size, layout, c), dtype=kind)
    return planes


@pytest.mark.parametrize("layout", YUV + OTHER, ids=lambda layout: layout.name)
@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", MATRICES)
def test_there_and_back_changes_no_sample(layout, matrix, full_range):
    colour = Colour(matrix, full_range)
    planes = make_planes(layout, Size(13, 21))
    kept = [plane.copy() for plane in planes]
    rgb = pixels.to_rgb(planes, layout, colour)
    if layout.family == "gray":
        assert np.allclose(rgb[..., 0], rgb[..., 1])
    pixels.compose(planes, layout, colour, Rect(0, 0, 13, 21), rgb, np.ones((13, 21), np.float32))
    for before, after in zip(kept, planes, strict=True):
        assert np.array_equal(before, after)


@pytest.mark.parametrize("layout", YUV + OTHER, ids=lambda layout: layout.name)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_composing_never_touches_a_sample_outside_the_region(layout, data):
    size = Size(17, 23)
    top = data.draw(st.integers(0, 15))
    left = data.draw(st.integers(0, 20))
    rect = Rect(
        top,
        left,
        data.draw(st.integers(top + 1, size.height)),
        data.draw(st.integers(left + 1, size.width)),
    )
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    alpha = (rng.random(rect.size) * (rng.random(rect.size) > 0.5)).astype(np.float32)
    planes = make_planes(layout, size)
    after = [plane.copy() for plane in planes]
    colour = Colour("bt709", full_range=False)
    pixels.compose(after, layout, colour, rect, rng.random((*rect.size, 3), np.float32), alpha)
    assert pixels.changed_outside(planes, after, layout, rect, alpha > 0) == 0


def test_a_changed_sample_outside_the_region_is_counted():
    layout = YUV[0]
    planes = make_planes(layout, Size(8, 8))
    after = [plane.copy() for plane in planes]
    after[0][0, 0] ^= 1
    after[1][3, 3] ^= 1
    region = np.zeros((8, 8), bool)
    assert pixels.changed_outside(planes, after, layout, Rect(0, 0, 8, 8), region) == 2
    region[7, 7] = True  # the chroma sample (3, 3) covers the pixel (7, 7)
    assert pixels.changed_outside(planes, after, layout, Rect(0, 0, 8, 8), region) == 1


def test_an_alpha_plane_never_changes():
    layout = YUV[3]
    planes = make_planes(layout, Size(8, 8))
    after = [plane.copy() for plane in planes]
    after[3][2, 2] ^= 1
    everything = np.ones((8, 8), bool)
    assert pixels.changed_outside(planes, after, layout, Rect(0, 0, 8, 8), everything) == 1


def test_limited_range_white_and_black_are_one_and_zero():
    layout = YUV[2]
    planes = [np.array([[256, 3760]], np.uint16), *[np.full((1, 2), 2048, np.uint16)] * 2]
    rgb = pixels.to_rgb(planes, layout, Colour("bt709", full_range=False))
    assert np.allclose(rgb, [[[0, 0, 0], [1, 1, 1]]], atol=1e-6)


def test_bt709_red_is_red():
    layout = PixelLayout("yuv444p", "yuv", 8, True, (0, 1, 2))
    planes = [np.array([[v]], np.uint8) for v in (63, 102, 240)]
    rgb = pixels.to_rgb(planes, layout, Colour("bt709", full_range=False))
    assert np.allclose(rgb, [[[1, 0, 0]]], atol=0.01)


@pytest.mark.parametrize("layout", YUV + OTHER, ids=lambda layout: layout.name)
def test_a_picture_is_the_rounded_clipped_float_picture(layout):
    colour = Colour("bt709", full_range=False)
    planes = make_planes(layout, Size(12, 14))
    exact = pixels.from_float(pixels.to_rgb(planes, layout, colour), layout.bit_depth)
    quick = pixels.picture(planes, layout, colour)
    assert quick.dtype == exact.dtype
    assert np.abs(quick.astype(int) - exact.astype(int)).max() <= 1


def test_thumbnail_keeps_colour_and_shape():
    layout = YUV[0]
    planes = [np.full((90, 160), 63, np.uint8), np.full((45, 80), 102, np.uint8)]
    planes.append(np.full((45, 80), 240, np.uint8))
    small = pixels.thumbnail(planes, layout, Colour("bt709", full_range=False), 32)
    assert small.shape == (18, 32, 3)
    assert np.abs(small.astype(int) - [255, 0, 0]).max() <= 3


def any_floats(layout: PixelLayout, size: Size, seed: int) -> list[np.ndarray]:
    """Planes of any bits: NaN, infinities and denormals are among them."""
    whole, kind = (np.uint16, np.float16) if layout.bit_depth == 16 else (np.uint32, np.float32)
    rng = np.random.default_rng(seed)
    top = 1 << layout.bit_depth
    return [rng.integers(0, top, size, dtype=whole).view(kind) for _ in layout.order]


@pytest.mark.parametrize("layout", FLOATS, ids=lambda layout: layout.name)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_floats_outside_the_mask_keep_their_bits(layout, seed):
    size, rect = Size(12, 17), Rect(2, 3, 9, 14)
    planes = any_floats(layout, size, seed)
    before = [plane.copy() for plane in planes]
    rng = np.random.default_rng(seed)
    alpha = (rng.random(rect.size) * (rng.random(rect.size) > 0.5)).astype(np.float32)
    alpha[0, 0] = 1
    rgb = rng.random((*rect.size, 3)).astype(np.float32)
    pixels.compose(planes, layout, Colour("rgb", full_range=True), rect, rgb, alpha)
    region = np.zeros(size, bool)
    region[rect.slices] = alpha > 0
    for number, (old, new) in enumerate(zip(before, planes, strict=True)):
        assert old[~region].tobytes() == new[~region].tobytes()
        is_alpha = layout.has_alpha and number == layout.order[-1]
        assert is_alpha == (old.tobytes() == new.tobytes())
        assert is_alpha or np.isfinite(new[region]).all()
    assert pixels.changed_outside(before, planes, layout, rect, alpha > 0) == 0
    assert pixels.changed_outside(before, before, layout, rect, alpha > 0) == 0
    other = [plane.copy() for plane in planes]
    other[-1].view(f"u{other[-1].itemsize}")[0, 0] ^= 1
    assert pixels.changed_outside(before, other, layout, rect, alpha > 0) == 1


@pytest.mark.parametrize("layout", FLOATS[:2], ids=lambda layout: layout.name)
def test_a_fill_comes_back_as_the_light_it_was_copied_from(layout):
    light = np.geomspace(1e-3, 900, 35, dtype=np.float32).reshape(5, 7)
    light[0, 0] = -0.01
    planes = [light.astype(np.float16 if layout.bit_depth == 16 else np.float32)] * 3
    planes += [np.ones_like(planes[0])] * (len(layout.order) - 3)
    levels = pixels.picture(planes, layout, Colour("rgb", full_range=True))
    assert levels.dtype == np.uint16
    target = [np.full_like(plane, np.nan) for plane in planes]
    rgb = levels.astype(np.float32) / np.float32(65535)
    whole = Rect(0, 0, 5, 7)
    pixels.compose(target, layout, Colour("rgb", True), whole, rgb, np.ones((5, 7), np.float32))
    for plane, source in zip(target[:3], planes[:3], strict=True):
        assert np.allclose(plane, source, rtol=5e-4, atol=6e-5)


def test_a_thumbnail_of_floats_is_srgb_whatever_they_hold():
    layout = FLOATS[1]
    planes = [np.full((40, 60), 0.5, np.float16) for _ in range(3)]
    planes[0][:20], planes[0][0, :3] = 400, [np.nan, np.inf, -np.inf]
    small = pixels.thumbnail(planes, layout, Colour("rgb", full_range=True), 6)
    assert small.shape == (4, 6, 3)
    assert small[-1, -1].tolist() == [188, 188, 188]
    assert small[1, 1].tolist() == [188, 255, 188]
