"""Crops on their lattice."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.crops import (
    CONTEXT,
    LEAST_PIXELS,
    LEAST_SIDE,
    TRAINED_PIXELS,
    UNIT,
    Crop,
    crop_around,
    snapped,
)
from remover.types import Rect, Size


@st.composite
def holes(draw) -> tuple[Rect, Size]:
    size = Size(draw(st.integers(1, 1200)), draw(st.integers(1, 2200)))
    top, left = draw(st.integers(0, size.height - 1)), draw(st.integers(0, size.width - 1))
    bottom = draw(st.integers(top + 1, size.height))
    right = draw(st.integers(left + 1, size.width))
    return Rect(top, left, bottom, right), size


@settings(deadline=None)
@given(holes(), st.sampled_from([0, 50_000, 400_000, TRAINED_PIXELS]))
def test_a_crop_holds_its_hole_and_is_never_stretched(case, pixels):
    hole, size = case
    crop = crop_around(hole, size, pixels)
    assert crop.rect.union(hole) == crop.rect
    assert crop.step >= UNIT
    for side, working, edge in zip(crop.rect.size, crop.size, crop.rect[:2], strict=True):
        assert working % UNIT == 0
        assert side * UNIT == working * crop.step  # one scale for both axes
        assert edge % crop.step == 0
    assert crop.rect.top >= 0
    assert crop.rect.left >= 0
    assert crop.rect.bottom < size.height + crop.step
    assert crop.rect.right < size.width + crop.step
    height, width = crop.size
    assert height * width <= max(pixels, LEAST_PIXELS)


@settings(deadline=None)
@given(holes())
def test_a_crop_has_context_where_the_picture_has_it(case):
    hole, size = case
    crop = crop_around(hole, size, 10**9)
    assert crop.step == UNIT
    for side, length, found in zip(hole.size, size, crop.rect.size, strict=True):
        assert found >= min(length, max(LEAST_SIDE, CONTEXT * side))


@settings(deadline=None)
@given(holes())
def test_the_same_place_has_the_same_latents_in_every_crop(case):
    hole, size = case
    small, large = crop_around(hole, size, 10**9), crop_around(Rect(0, 0, *size), size, 10**9)
    assert small.latent_rows.start * 8 == small.rect.top
    assert large.latent_rows.start == 0
    assert len(small.latent_rows) * 8 == small.size.height
    assert len(small.latent_columns) * 8 == small.size.width


@settings(deadline=None)
@given(holes(), st.sampled_from([60_000, TRAINED_PIXELS]))
def test_working_pixels_come_back_to_what_they_show(case, pixels):
    hole, size = case
    crop = crop_around(hole, size, pixels)
    near = snapped(crop.working(hole), crop.size)
    source = crop.source(near)
    assert source.union(hole) == source
    assert near.union(Rect(0, 0, *crop.size)) == Rect(0, 0, *crop.size)
    assert source.size.height * UNIT == near.size.height * crop.step


@pytest.mark.parametrize("size", [Size(1080, 1920), Size(481, 855), Size(17, 31)])
def test_odd_sizes_are_worked_on_with_less_than_a_step_beyond_them(size):
    crop = crop_around(Rect(0, 0, *size), size, 10**9)
    assert crop == Crop(Rect(0, 0, -(-size.height // 16) * 16, -(-size.width // 16) * 16), 16)


def test_the_largest_pictures_are_worked_on_smaller():
    crop = crop_around(Rect(0, 0, 2160, 3840), Size(2160, 3840), TRAINED_PIXELS)
    assert crop.size.height * crop.size.width <= TRAINED_PIXELS
    assert crop.size.height > 700
