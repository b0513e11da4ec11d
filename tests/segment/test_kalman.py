"""The filter against what is known of boxes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover.segment.kalman import SMALLEST, area, begun, joint, overlap, predicted, updated

numbers = st.floats(-40, 40)
sides = st.floats(4, 60)
boxes = st.tuples(numbers, numbers, sides, sides).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@given(boxes, st.tuples(*[st.floats(-3, 3)] * 2, *[st.floats(0, 2)] * 2), st.integers(1, 30))
def test_a_constant_velocity_is_followed_exactly(box, speed, num_frames):
    left, top, right, bottom = speed[0], speed[1], speed[0] + speed[2], speed[1] + speed[3]
    change = np.array([left, top, right, bottom])

    def at(frame):
        return tuple(np.array(box) + frame * change)

    motion = begun(at(0), at(1))
    for frame in range(2, 2 + num_frames):
        motion = predicted(motion)
        np.testing.assert_allclose(motion.box, at(frame), atol=1e-8)
        motion = updated(motion, at(frame))
        np.testing.assert_allclose(motion.box, at(frame), atol=1e-8)


def test_what_is_seen_counts_the_less_the_surer_the_motion_is():
    motion = begun((0, 0, 20, 20), (0, 0, 20, 20))
    gains = []
    for _ in range(12):
        motion = predicted(motion)
        moved = updated(motion, (10, 0, 30, 20))
        gains.append((moved.mean[0] - motion.mean[0]) / 10)
        motion = updated(motion, motion.box)
        assert np.linalg.eigvalsh(motion.covariance).min() > 0
    assert all(0 < later < sooner < 1 for sooner, later in pairwise(gains))


def test_the_gain_is_the_one_of_the_equations():
    """K = P H' inv(H P H' + R), x + K (z - H x), (I - K H) P, written out."""
    motion = predicted(begun((3, 4, 23, 14), (5, 4, 27, 15)))
    z = np.array([18.0, 10.0, 20.0, 12.0])
    h = np.eye(4, 8)
    noise = np.diag((np.array([20, 12, 20, 12]) / 20) ** 2)
    p = motion.covariance
    gain = p @ h.T @ np.linalg.inv(h @ p @ h.T + noise)
    found = updated(motion, (8, 4, 28, 16))
    np.testing.assert_allclose(found.mean, motion.mean + gain @ (z - h @ motion.mean))
    np.testing.assert_allclose(found.covariance, (np.eye(8) - gain @ h) @ p, atol=1e-12)


def test_a_box_that_shrinks_stays_a_box():
    motion = begun((0, 0, 20, 20), (4, 4, 16, 16))
    for _ in range(10):
        motion = predicted(motion)
    assert area(motion.box) == pytest.approx(SMALLEST**2)


@given(boxes, boxes)
def test_overlap(one, other):
    assert overlap(one, other) == pytest.approx(overlap(other, one))
    assert 0 <= overlap(one, other) <= 1
    assert overlap(one, one) == pytest.approx(1)
    assert area(joint(one, other)) >= max(area(one), area(other)) - 1e-9


def test_overlap_of_known_boxes():
    assert overlap((0, 0, 4, 4), (2, 0, 6, 4)) == pytest.approx(8 / 24)
    assert overlap((0, 0, 4, 4), (4, 0, 8, 4)) == 0
