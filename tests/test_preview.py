from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np

from remover.marking import STATES, Verdict
from remover.preview import TILE_WIDTH, choose_frames, contact_sheet, tile, write_png
from remover.types import Orientation
from remover.video import probe


def test_frames_are_spread_over_those_with_a_mask():
    has_mask = [10 <= i < 90 for i in range(100)]
    frames = choose_frames(has_mask, 5)
    assert frames[0] == 10
    assert frames[-1] == 89
    assert len(frames) == 5
    assert choose_frames([False, True, True]) == [1, 2]
    assert choose_frames([False]) == []


def test_of_each_part_the_least_sure_frame_is_shown():
    has_mask = [5 <= i < 95 for i in range(100)]
    confidence = [0.9] * 100
    for frame in (2, 6, 40, 41, 93):
        confidence[frame] = 0.1 + frame / 1000
    frames = choose_frames(has_mask, 5, confidence)
    assert frames == [5, 6, 40, 93, 94]
    assert choose_frames(has_mask, 100, confidence) == list(range(5, 95))
    even = choose_frames(has_mask, 5, [0.5] * 100)
    assert even[0] == 5
    assert even[-1] == 94
    assert max(b - a for a, b in pairwise(even)) <= 33


def test_a_tile_says_how_sure_its_mask_is(make_clip):
    info = probe(make_clip(frames=2).path)
    picture, mask = np.full((96, 128, 3), 100, np.uint8), np.zeros((96, 128), bool)
    sure, unsure = (
        tile(picture, mask, info, "frame 7", verdict=Verdict(0.4, state))
        for state in (None, "unsure")
    )
    assert tuple(unsure[200, 0]) == STATES["unsure"]
    assert tuple(sure[200, 0]) == (100, 100, 100)
    np.testing.assert_array_equal(sure[50:-10, 10:-10], unsure[50:-10, 10:-10])


def test_a_tile_is_upright_and_tinted_inside_the_mask(make_clip):
    info = replace(probe(make_clip(frames=2).path), orientation=Orientation(90))
    picture = np.full((96, 128, 3), 100, np.uint8)
    mask = np.zeros((96, 128), bool)
    mask[:48, :64] = True  # shown at the top right
    drawn = tile(picture, mask, info, "7")
    assert drawn.shape == (640, TILE_WIDTH, 3)
    assert drawn[100, 400, 0] > 150
    assert abs(int(drawn[400, 100, 0]) - 100) <= 1


def test_a_sheet_fills_rows_and_is_a_readable_png(tmp_path):
    tiles = [np.full((20, TILE_WIDTH, 3), i, np.uint8) for i in range(4)]
    sheet = contact_sheet([0, 1, 2, 3], lambda i: tiles[i])
    assert sheet.shape == (40, 3 * TILE_WIDTH, 3)
    write_png(tmp_path / "sheet", sheet)
    assert np.array_equal(cv2.imread(str(tmp_path / "sheet"))[0, ::TILE_WIDTH, 0], [0, 1, 2])
