"""The judge of fills: what is like its surroundings looks better than what is foreign."""

import cv2
import numpy as np

from remover.judge import foreignness


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
