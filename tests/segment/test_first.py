"""First masks from boxes and clicks: motion against the background, looks, and fallbacks."""

import cv2
import numpy as np
import pytest

from remover.segment.first import First, find
from remover.segment.hints import Hints
from remover.segment.motion import half
from remover.segment.still import Around, motion_in, near
from remover.types import Rect, Size

HEIGHT, WIDTH = 144, 216


def ground(seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    total = np.full((HEIGHT, 2 * WIDTH, 3), 120, np.float32)
    for cell, contrast in ((4, 22), (12, 22)):
        coarse = rng.normal(0, contrast, (HEIGHT // cell + 2, 2 * WIDTH // cell + 2, 3))
        total += cv2.resize(coarse.astype(np.float32), (2 * WIDTH, HEIGHT))
    return np.clip(total, 0, 255).astype(np.uint8)


def inside(index: int, speed: float) -> np.ndarray:
    """A bar with a gap, so that its box is half empty."""
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    x = 70 + speed * index
    one = (abs(columns - x) <= 8) & (abs(rows - 72) <= 30)
    other = (abs(rows - 94) <= 8) & (columns >= x) & (columns <= x + 50)
    return np.asarray(one | other)


def frame(index: int, *, speed: float = 3, pan: float = 2) -> np.ndarray:
    """An object of the ground's own colours before a panning ground."""
    left = round(60 + pan * index)
    picture = ground()[:, left : left + WIDTH].copy()
    skin = ground(7)[:, :WIDTH]
    moved = np.roll(skin, round(speed * index), axis=1)
    mask = inside(index, speed)
    picture[mask] = moved[mask]
    return picture


def around(**motion: float) -> Around:
    return Around({i: half(frame(i, **motion)) for i in range(-12, 13)})


def box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    rows, columns = np.nonzero(mask)
    return tuple(map(float, (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)))


def overlap(found: First, true: np.ndarray) -> float:
    return float((found.mask & true).sum() / (found.mask | true).sum())


def test_what_moves_stands_out_from_a_panning_ground():
    true = inside(0, 3)
    left, top, right, bottom = (int(v / 2) for v in box_of(true))
    outside = np.ones((HEIGHT // 2, WIDTH // 2), np.bool_)
    outside[top:bottom, left:right] = False
    motion = motion_in(around(), Rect(0, 0, HEIGHT // 2, WIDTH // 2), outside)
    assert motion is not None
    small = cv2.resize(true.astype(np.uint8), (WIDTH // 2, HEIGHT // 2)) > 0
    assert np.median(motion.apart[small]) > 0.5
    assert np.median(motion.apart[~small]) < 0


def test_a_box_around_a_moving_object_of_the_grounds_colours_becomes_its_mask():
    true = inside(0, 3)
    found = find(frame(0), Hints(boxes=(box_of(true),)), None, around())
    assert overlap(found, true) > 0.5
    alone = find(frame(0), Hints(boxes=(box_of(true),)), None)
    assert overlap(found, true) > overlap(alone, true)


def test_what_does_not_move_is_found_by_its_look():
    still = Around({i: half(frame(0)) for i in range(-8, 9)})
    true = inside(0, 3)
    picture = frame(0)
    picture[true] = (200, 40, 40)
    found = find(picture, Hints(boxes=(box_of(true),)), None, still)
    assert overlap(found, true) > 0.6


def test_a_click_on_a_moving_object_takes_all_of_it():
    true = inside(0, 3)
    found = find(frame(0), Hints(clicks=((70.0, 60.0),)), None, around())
    assert found.mask[60, 70]
    assert overlap(found, true) > 0.6
    assert 0 < found.trust < 1


def test_a_given_mask_stays_and_is_trusted():
    true = inside(0, 3)
    found = find(frame(0), Hints(mask=true), None, around())
    assert np.array_equal(found.mask, true)
    assert found.trust == 1


def test_a_box_stays_inside_itself():
    box = (50.0, 40.0, 130.0, 110.0)
    found = find(frame(0), Hints(boxes=(box,)), None, around())
    outside = found.mask.copy()
    outside[38:112, 48:132] = False
    assert not outside.any()


@pytest.mark.parametrize(("frame", "expected"), [(3, range(12)), (30, range(10, 51))])
def test_neighbours_stay_in_the_shot(frame, expected):
    stop = 12 if frame == 3 else 80
    assert near(frame, 0, stop) == expected


def test_the_size_of_pictures_around_is_half():
    assert around().size == Size(HEIGHT // 2, WIDTH // 2)
