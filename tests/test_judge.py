"""The judge of fills: what is like its surroundings looks better than what is foreign."""

import cv2
import numpy as np

from remover.judge import feature_distance, foreignness, is_looked_at


def texture(seed: int, cell: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).uniform(30, 220, (320 // cell + 2, 320 // cell + 2, 3))
    found = cv2.resize(coarse.astype(np.float32), (320, 320), interpolation=cv2.INTER_CUBIC)
    return np.clip(found, 0, 255).astype(np.uint8)


def test_another_texture_is_more_foreign_than_the_same_one():
    same = texture(1, 6)
    hole = np.zeros((320, 320), bool)
    hole[100:220, 110:230] = True
    other, smooth = same.copy(), same.copy()
    other[hole] = texture(2, 40)[hole]
    smooth[hole] = same[hole].mean(axis=0).astype(np.uint8)
    least = foreignness(same, hole)
    assert 0 <= least < foreignness(other, hole)
    assert least < foreignness(smooth, hole)
    assert foreignness(same, hole) == least


def test_nothing_to_compare_is_no_difference():
    picture = texture(1, 6)[:40, :50]
    assert foreignness(picture, np.ones((40, 50), bool)) == 0
    assert foreignness(picture, np.zeros((40, 50), bool)) == 0


def test_a_large_picture_is_looked_at_smaller():
    large = cv2.resize(texture(1, 6), (1400, 1300))
    hole = np.zeros((1300, 1400), bool)
    hole[400:900, 500:1000] = True
    assert 0 < foreignness(large, hole) < 4


def test_equal_pictures_have_no_distance():
    picture = np.random.default_rng(1).integers(0, 255, (96, 96, 3)).astype(np.uint8)
    hole = np.zeros((96, 96), bool)
    hole[30:60, 30:60] = True
    assert feature_distance(picture, picture, hole) == 0
    other = picture.copy()
    other[hole] = 90
    assert feature_distance(other, picture, hole) > 0.5


def test_a_smear_is_farther_from_the_truth_than_a_texture_of_its_kind():
    truth = texture(1, 6)
    hole = np.zeros((320, 320), bool)
    hole[100:220, 110:230] = True
    alike, smear = truth.copy(), truth.copy()
    alike[hole] = texture(3, 6)[hole]
    smear[hole] = truth[hole].mean(axis=0).astype(np.uint8)
    error = [float(((p[hole].astype(float) - truth[hole]) ** 2).mean()) for p in (alike, smear)]
    assert error[1] < error[0]
    assert feature_distance(alike, truth, hole) < feature_distance(smear, truth, hole) < 16


def test_what_lies_outside_the_hole_hardly_counts():
    truth = texture(1, 6)
    hole = np.zeros((320, 320), bool)
    hole[100:220, 110:230] = True
    far = truth.copy()
    far[:40] = 0
    assert feature_distance(far, truth, hole) == 0


def test_some_frames_with_enough_of_a_hole_are_looked_at():
    few, enough = np.zeros((20, 20), bool), np.ones((20, 20), bool)
    few[:2] = True
    assert [i for i in range(20) if is_looked_at(i, enough)] == [0, 8, 16]
    assert not is_looked_at(0, few)
