"""Plates and pixels that are no source, in the fill of a shot."""

import cv2
import numpy as np
import pytest
from test_fill_engine import HEIGHT, WIDTH, Clip, parked, texture, window

from remover.fill import ShotFill, survey
from remover.fill.patch import paint
from remover.progress import Silent
from remover.types import COPIED, PAINTED, Patch, Plate, Shot


def fill(clip, holes, *, no_source=None, plates=(), shot=None, windows=None) -> list[Patch]:
    shot = shot or Shot(0, clip.num_frames)
    windows = windows or [window(shot.start, shot.stop, shot)]
    at = [plate.index for plate in plates]
    found = survey(clip, holes.__getitem__, shot, windows, Silent(), at)
    get = None if no_source is None else no_source.__getitem__
    filler = ShotFill(
        clip, holes.__getitem__, shot, windows, found, seed=1, no_source=get, plates=plates
    )
    return [patch for window in windows for patch in filler.fill(window)]


def plate(index: int, rgb: np.ndarray, known: np.ndarray | None = None) -> Plate:
    return Plate(index, rgb, np.ones(rgb.shape[:2], bool) if known is None else known)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def inside(patch: Patch, picture: np.ndarray) -> np.ndarray:
    return picture[patch.rect.slices][patch.origin > 0].astype(np.float32)


@pytest.mark.parametrize("step", [0, 2])
def test_a_painted_frame_comes_out_as_painted_and_others_follow_it(step):
    clip, holes = parked(12, step)
    scene = texture(HEIGHT, WIDTH + 12 * step + 1, 6)
    painted = cv2.GaussianBlur(noise(5), (0, 0), 2)
    patches = fill(clip, holes, plates=[plate(4, painted)])
    own = patches[4]
    assert np.array_equal(own.rgb[own.origin > 0], inside(own, painted))
    truth = scene[:, 4 * step : 4 * step + WIDTH].copy()
    for patch in fill(clip, holes, plates=[plate(4, truth)]):
        assert (patch.origin[patch.origin > 0] == COPIED).all()
        assert patch.confidence[patch.origin > 0].min() > 0.9
        shown = scene[:, patch.index * step : patch.index * step + WIDTH]
        assert np.abs(patch.rgb[patch.origin > 0] - inside(patch, shown)).mean() < 2


def test_a_plate_of_another_exposure_is_matched_at_the_seam():
    clip, holes = parked(4, 0)
    truth = texture(HEIGHT, WIDTH + 1, 6)[:, :WIDTH]
    brighter = (truth.astype(np.int16) + 15).clip(0, 255).astype(np.uint8)
    patches = fill(clip, holes, plates=[plate(0, brighter)])
    assert np.abs(patches[0].rgb[patches[0].origin > 0] - inside(patches[0], brighter)).max() == 0
    for patch in patches[1:]:
        assert np.abs(patch.rgb[patch.origin > 0] - inside(patch, truth)).mean() < 2


def test_where_a_plate_says_nothing_the_rest_of_the_fill_goes_on():
    clip, holes = parked(4, 0)
    known = np.zeros((HEIGHT, WIDTH), bool)
    known[:, :100] = True  # half of the hole
    for patch in fill(clip, holes, plates=[plate(2, noise(3), known)]):
        left = known[patch.rect.slices] & (patch.origin > 0)
        assert (patch.origin[left] == COPIED).all()
        assert (patch.origin[~left & (patch.origin > 0)] == PAINTED).all()


def test_the_nearest_plate_in_time_is_taken():
    clip, holes = parked(9, 0)
    truth = texture(HEIGHT, WIDTH + 1, 6)[:, :WIDTH]
    other = truth.copy()
    other[44:56, 96:108] = 250
    for patch in fill(clip, holes, plates=[plate(0, truth), plate(8, other)]):
        middle = patch.rgb[50 - patch.rect.top, 102 - patch.rect.left]
        assert (middle.min() > 200) == (patch.index > 4)


def test_a_plate_outside_the_windows_is_reached_by_the_camera():
    clip, holes = parked(30, 2)
    for hole in holes[:20]:
        hole[:] = False
    scene = texture(HEIGHT, WIDTH + 30 * 2 + 1, 6)
    shot = Shot(0, 30)
    only = [window(26, 30, shot, context=2)]
    (first, *_) = fill(clip, holes, shot=shot, windows=only, plates=[plate(3, scene[:, 6:150])])
    assert first.index == 26
    truth = scene[:, 52 : 52 + WIDTH]
    assert np.abs(first.rgb[first.origin > 0] - inside(first, truth)).mean() < 4


def test_what_is_no_source_is_neither_copied_nor_painted_from():
    """A blue actor stands where the object was, and beside it: it must not get into the hole."""
    scene = texture(HEIGHT, WIDTH, 5) // 2 + 60
    blue = np.array([0, 0, 255])
    frames, holes, actors = [], [], []
    for t in range(10):
        frame = scene.copy()
        hole, actor = np.zeros((2, HEIGHT, WIDTH), bool)
        left = 30 if t < 5 else 90
        hole[38:62, left : left + 22] = True
        actor[30:70, 52:68] = True
        if t >= 5:
            actor[30:70, 28:54] = True
        frame[hole] = (240, 20, 30)
        frame[actor] = blue
        frames.append(frame)
        holes.append(hole)
        actors.append(actor)
    for patch in fill(Clip(frames), holes, no_source=actors):
        colours = patch.rgb[patch.origin > 0]
        assert np.array_equal(patch.origin > 0, holes[patch.index][patch.rect.slices])
        assert (np.abs(colours - blue).max(axis=1) > 60).all()
        assert np.abs(colours - inside(patch, scene)).mean() < 40


def test_the_painter_takes_nothing_from_what_is_barred():
    rgb = np.full((60, 60, 3), 90, np.float32)
    known, barred = np.ones((2, 60, 60), bool)
    known[20:40, 20:40] = False
    barred[:] = False
    barred[10:50, 5:18] = True
    rgb[barred] = (0, 0, 255)
    made = paint(rgb, known, 3, barred)
    assert np.abs(made[~known] - 90).max() <= 2
    assert np.array_equal(made[known], rgb[known])
    only = paint(rgb, known, 3, known)
    assert np.array_equal(only[known], rgb[known])
