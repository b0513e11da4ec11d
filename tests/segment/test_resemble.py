"""Objects that resemble known ones, in whole pictures."""

import cv2
import numpy as np
import pytest

from remover.segment.resemble import LEAST_COLOUR, colours_of, known, look_for, same_colours

HEIGHT, WIDTH = 200, 320


def surface(seed: int, base: tuple[int, int, int], height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    total = np.tile(np.float32(base), (height, width, 1))
    for cell, contrast in ((5, 20), (17, 40)):
        coarse = rng.normal(0, contrast, (height // cell + 2, width // cell + 2, 3))
        total += cv2.resize(coarse.astype(np.float32), (width, height))
    return np.clip(total, 0, 255).astype(np.uint8)


def scene(place: int, left: int, top: int, side: int, *, thing: int | None = 9, mirrored=False):
    """A picture with a thing on it, and the thing's mask."""
    picture = surface(place, (110, 130, 100), HEIGHT, WIDTH)
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    if thing is not None:
        skin = cv2.resize(surface(thing, (180, 90, 70), 80, 80), (side, side))
        rows, columns = np.ogrid[:side, :side]
        own = np.hypot(rows - side / 2, (columns - side / 2) * 1.3) < side / 2
        mask[top : top + side, left : left + side] = own
        shown = skin[:, ::-1] if mirrored else skin
        picture[top : top + side, left : left + side][own] = shown[own]
    return picture, mask


@pytest.mark.parametrize(("side", "mirrored"), [(80, False), (80, True), (60, True), (104, False)])
def test_an_object_is_found_elsewhere_mirrored_and_of_another_size(side, mirrored):
    object_ = known([scene(1, 40, 60, 80)])
    picture, mask = scene(2, 190, 50, side, mirrored=mirrored)
    seen = look_for(object_, picture)
    assert seen.is_sure
    middle = ((seen.box[0] + seen.box[2]) / 2, (seen.box[1] + seen.box[3]) / 2)
    assert middle == pytest.approx((190 + side / 2, 50 + side / 2), abs=0.15 * side)
    assert seen.box[3] - seen.box[1] == pytest.approx(side, rel=0.25)
    assert same_colours(object_, picture, mask) > LEAST_COLOUR


@pytest.mark.parametrize("thing", [None, 31])
def test_what_is_not_there_is_not_sure(thing):
    object_ = known([scene(1, 40, 60, 80)])
    seen = look_for(object_, scene(2, 190, 50, 80, thing=thing)[0])
    assert seen is None or not seen.is_sure


def test_other_colours_do_not_overlap():
    picture, mask = scene(1, 40, 60, 80)
    object_ = known([(picture, mask)])
    assert same_colours(object_, picture, mask) == pytest.approx(1, abs=1e-4)
    assert same_colours(object_, 255 - picture, mask) < LEAST_COLOUR / 2
    assert colours_of(picture, mask).sum() == pytest.approx(1, abs=1e-4)


def test_a_tiny_object_is_not_known():
    picture = scene(1, 40, 60, 80)[0]
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    assert known([(picture, mask)]) is None
    mask[50:53, 70:73] = True
    assert known([(picture, mask)]) is None


def test_a_mask_on_a_piece_of_the_place_is_no_view_of_the_object():
    """Tracking went astray: the place itself must not be found for the object."""
    one = scene(1, 40, 60, 80)
    place, mask = scene(1, 190, 50, 80, thing=None)
    mask[50:130, 190:270] = True
    alone, both = known([one]), known([one, (place, mask)])
    assert len(both.guises) == len(alone.guises) == 2
    assert not look_for(both, place).is_sure
