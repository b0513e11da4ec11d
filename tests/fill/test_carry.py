"""Painted keys in other frames: bent, blurred, faded; and what moves is kept out of them."""

import cv2
import numpy as np
import pytest

from remover.fill import patch
from remover.fill.align import Camera
from remover.fill.carry import FADE, carry, faded, lay, match_blur, slopes
from remover.fill.frames import Frame
from remover.fill.moving import moving
from remover.fill.patch import FINE, PLAIN, ROWS, paint, paint_key
from remover.types import Rect

HEIGHT, WIDTH = 120, 160
WHOLE = Rect(0, 0, HEIGHT, WIDTH)


def scene(seed: int = 1, cell: int = 5) -> np.ndarray:
    coarse = np.random.default_rng(seed).uniform(
        20, 235, (HEIGHT // cell + 2, WIDTH // cell + 2, 3)
    )
    picture = cv2.resize(coarse.astype(np.float32), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0, 255).astype(np.float32)


def hole(top: int = 50, left: int = 60, height: int = 24, width: int = 30) -> np.ndarray:
    found = np.zeros((HEIGHT, WIDTH), bool)
    found[top : top + height, left : left + width] = True
    return found


def test_a_key_that_stands_still_is_laid_as_it_is():
    picture, missing = scene(), hole()
    key = paint_key(0, WHOLE, picture, ~missing, 1)
    laid, took = lay(picture, ~missing, key, None, WHOLE)
    assert np.array_equal(took, missing)
    seen, usable, true = carry(key, None, WHOLE)
    assert np.array_equal(laid[missing], seen[missing])
    assert usable[missing].all()
    assert not true[missing].any()
    assert true[45, 60]


def test_a_key_follows_depth_that_one_matrix_does_not_hold():
    picture, missing = scene(), hole()
    key = paint_key(0, WHOLE, picture, ~missing, 1)
    rows = np.mgrid[:HEIGHT, :WIDTH][0].astype(np.float32)
    columns = np.mgrid[:HEIGHT, :WIDTH][1].astype(np.float32)
    shift = (rows - 62) * 0.05  # the nearer the faster
    there = cv2.remap(
        picture, columns - shift, rows, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    wanted = cv2.remap(missing.astype(np.float32), columns - shift, rows, cv2.INTER_LINEAR) > 0
    truth = carry(key, None, WHOLE)[0]
    truth = cv2.remap(truth, columns - shift, rows, cv2.INTER_CUBIC)
    laid, took = lay(there, ~wanted, key, np.eye(3), WHOLE)
    assert took[wanted].mean() > 0.98
    plain = carry(key, np.eye(3), WHOLE)[0]
    bent = np.abs(laid - truth)[took].mean()
    assert bent < 0.6 * np.abs(plain - truth)[took].mean()


@pytest.mark.parametrize("length", [7, 13])
@pytest.mark.parametrize("upright", [False, True])
def test_a_fill_is_blurred_as_the_pan_blurs_the_frame(length, upright):
    picture, missing = scene(cell=4), hole()
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1 / length
    blurred = cv2.filter2D(picture, -1, line.T if upright else line)
    made = match_blur(picture, blurred, missing, ~missing)
    assert np.abs(made - blurred)[missing].mean() < 0.35 * np.abs(picture - blurred)[missing].mean()


def test_a_fill_that_is_not_sharper_stays_as_it_is():
    picture, missing = scene(cell=4), hole()
    assert match_blur(picture, picture, missing, ~missing) is picture
    soft = cv2.GaussianBlur(picture, (0, 0), 2)
    assert match_blur(soft, picture, missing, ~missing) is soft
    assert match_blur(picture, soft, missing, np.zeros_like(missing)) is picture


def test_sharpness_does_not_know_where_things_are():
    picture, near = scene().mean(axis=2), ~hole()
    moved = np.roll(picture, 3, axis=1)
    assert np.abs(slopes(picture, near) - slopes(moved, near)).max() < 0.1


def test_a_fill_fades_where_it_does_not_fit_and_only_there():
    truth = np.full((HEIGHT, WIDTH, 3), 100, np.float32)
    truth[:, :60] = 230  # something stands at the left
    missing = hole()
    fill = np.full_like(truth, 100)
    made = faded(fill, truth, missing, ~missing)
    assert made[62, 60, 0] > 200
    far = np.s_[50:74, 60 + FADE + 3 : 90]
    assert np.array_equal(made[far], fill[far])
    assert faded(fill, fill, missing, ~missing) is fill


def frames_of(pictures: list[np.ndarray], missing: np.ndarray) -> list[Frame]:
    shut = missing.astype(np.uint8) * np.uint8(255)
    return [Frame(i, p.astype(np.uint8), shut, shut) for i, p in enumerate(pictures)]


def test_what_moves_of_its_own_is_told_from_the_place():
    pictures = []
    for t in range(8):
        picture = scene().copy()
        picture[20:40, 10 + 16 * t : 24 + 16 * t] = (250, 10, 10)
        pictures.append(picture)
    frames = frames_of(pictures, hole())
    camera = Camera(0, [np.eye(3)] * 7, static=True)
    found = moving(frames[3], frames, camera, WHOLE)
    assert found[20:40, 58:72].all()
    assert found.mean() < 0.06
    still = frames_of([scene()] * 8, hole())
    assert not moving(still[3], still, camera, WHOLE).any()
    assert not moving(frames[3], frames[:3], camera, WHOLE)[:, 80:].any()
    assert not moving(frames[3], frames[3:5], camera, WHOLE).any()  # too few to tell


def test_the_judge_decides_which_way_is_taken(monkeypatch):
    picture, missing = scene(), hole()
    asked = []

    def judge(shown: np.ndarray, invented: np.ndarray) -> float:
        assert shown.dtype == np.uint8
        assert np.array_equal(invented.any(), True)
        asked.append(shown)
        return [0.5, 0.2, 0.4][len(asked) - 1]

    made = patch.paint_best(picture, ~missing, 1, None, judge)
    assert np.array_equal(made, paint(picture, ~missing, 1, brush=FINE))
    assert len(asked) == 3
    handicapped = iter([0.5, 0.495, 0.5])
    made = patch.paint_best(picture, ~missing, 1, None, lambda *_: next(handicapped))
    assert np.array_equal(made, paint(picture, ~missing, 1, brush=PLAIN))
    assert np.array_equal(
        patch.paint_best(picture, ~missing, 1, None, None), paint(picture, ~missing, 1)
    )
    monkeypatch.setattr(patch, "PAINTER", "membrane")
    patch.paint_best(picture, ~missing, 1, None, judge)
    assert len(asked) == 3  # one way alone needs no judge


@pytest.mark.skipif(patch.PAINTER != "patchmatch", reason="the wheel's compiled part is missing")
def test_rows_run_on_through_the_hole():
    """Stripes at the same heights on both sides; left and right of the hole they look alike."""
    draw = np.random.default_rng(3)
    rows = np.repeat(draw.uniform(40, 220, (HEIGHT // 4, 1, 3)), 4, axis=0)
    picture = np.tile(rows, (1, WIDTH, 1)) + draw.normal(0, 2, (HEIGHT, WIDTH, 3))
    picture = np.clip(picture, 0, 255).astype(np.float32)
    missing = hole(30, 50, 60, 60)
    made = paint(picture, ~missing, 1, brush=ROWS)
    assert np.abs(made - picture)[missing].mean() < 12
