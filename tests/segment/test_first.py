"""First masks from boxes and clicks: motion against the background, looks, and fallbacks."""

import cv2
import numpy as np
import pytest

from remover.segment.first import ALIVE, GUESS_TRUST, SCRAPS_TRUST, First, find
from remover.segment.hints import Hints
from remover.segment.motion import half
from remover.segment.stepback import Reason, StepBack, Taken
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


@pytest.fixture
def surviving(monkeypatch):
    """Answers in place of what is measured, in the order of the questions; then none survives."""
    answers: list[float] = []
    monkeypatch.setattr(
        "remover.segment.first.survival", lambda *_: answers.pop(0) if answers else 0.0
    )
    return answers


def red(index: int = 0) -> np.ndarray:
    """The object in a colour of its own."""
    picture = frame(index)
    picture[inside(index, 3)] = (200, 40, 40)
    return picture


@pytest.mark.parametrize("kind", ["box", "click"])
def test_what_holds_is_no_step_back(kind):
    true = inside(0, 3)
    hints = Hints(boxes=(box_of(true),)) if kind == "box" else Hints(clicks=((70.0, 60.0),))
    assert find(frame(0), hints, None, around()).steps == ()


def test_where_scraps_stand_out_in_a_box_grab_cut_is_taken_and_that_is_said():
    true = inside(0, 3)
    found = find(red(), Hints(boxes=(box_of(true),)), None)
    assert found.steps == (StepBack(Reason.SCRAPS, Taken.CUT),)
    assert found.trust == SCRAPS_TRUST
    assert overlap(found, true) > 0.6


def test_where_a_box_leads_to_nothing_that_survives_grab_cut_is_taken_if_that_does(surviving):
    true = inside(0, 3)
    surviving += [ALIVE - 0.01, ALIVE]
    moving = Around({i: half(red(i)) for i in range(-12, 13)})
    found = find(red(), Hints(boxes=(box_of(true),)), None, moving)
    assert found.steps == (StepBack(Reason.PERISHED, Taken.CUT),)
    assert found.trust == SCRAPS_TRUST
    assert overlap(found, true) > 0.6


@pytest.mark.usefixtures("surviving")
def test_where_grab_cut_does_not_survive_either_the_ellipse_is_taken():
    true = inside(0, 3)
    found = find(frame(0), Hints(boxes=(box_of(true),)), None, around())
    assert found.steps == (StepBack(Reason.PERISHED, Taken.ELLIPSE),)
    assert found.trust == GUESS_TRUST
    left, top, right, bottom = box_of(true)
    rows, columns = np.ogrid[:HEIGHT, :WIDTH]
    y = (2 * rows + 1 - top - bottom) / (bottom - top)
    x = (2 * columns + 1 - left - right) / (right - left)
    assert overlap(found, np.asarray(x * x + y * y <= 1)) > 0.85


@pytest.mark.usefixtures("surviving")
def test_where_a_click_leads_to_nothing_that_survives_grab_cut_is_taken():
    true = inside(0, 3)
    found = find(red(), Hints(clicks=((70.0, 60.0),)), None)
    assert found.steps == (StepBack(Reason.PERISHED, Taken.CUT, "around its click"),)
    assert found.trust == SCRAPS_TRUST
    assert overlap(found, true) > 0.6


@pytest.mark.parametrize("kind", ["box", "click"])
def test_the_more_of_a_mask_survives_the_more_it_is_trusted(surviving, kind):
    true = inside(0, 3)
    hints = Hints(boxes=(box_of(true),)) if kind == "box" else Hints(clicks=((70.0, 60.0),))
    trusts = []
    for alive in (0.6, 0.8, 1.0):
        surviving[:] = [alive] * 9
        trusts.append(find(frame(0), hints, None, around()).trust)
    assert np.all(np.diff(trusts) > 0)


def test_a_box_without_room_is_taken_whole_and_that_is_said():
    found = find(frame(0), Hints(boxes=((50.0, 40.0, 54.0, 44.0),)), None)
    assert found.steps == (StepBack(Reason.TINY, Taken.BOX),)
    expected = np.zeros((HEIGHT, WIDTH), np.bool_)
    expected[40:44, 50:54] = True
    assert np.array_equal(found.mask, expected)
