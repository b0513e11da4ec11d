"""What is drawn over pictures, read from their pixels."""

import numpy as np
import pytest

from remover.marking import (
    FRAME,
    OBJECTS,
    STATES,
    Verdict,
    badge,
    captioned,
    is_judged,
    scale_of,
    tint_of,
    verdict_of,
    with_objects,
)
from remover.types import Segmentation, Shot

GROUND = 90


def picture(height=240, width=320):
    return np.full((height, width, 3), GROUND, np.uint8)


def judged(trackers, tracker="builtin"):
    confidence = np.array([0.9, 0.4, 0.0, 0.8], np.float32)
    return Segmentation(tracker, (Shot(1, 2),), (Shot(2, 3),), confidence, trackers=trackers)


def test_verdicts():
    segmentation = judged({1: "builtin"})
    assert [str(verdict_of(segmentation, i)) for i in range(4)] == [
        "confidence 0.90",
        "unsure 0.40",
        "lost",
        "confidence 0.80",
    ]
    assert verdict_of(segmentation, 2).state == "lost"
    assert verdict_of(segmentation, 0).state is None


@pytest.mark.parametrize(
    ("trackers", "tracker", "is_said"),
    [
        ({1: "mask"}, "mask", False),
        ({1: "none", 2: "mask"}, "none", False),
        ({1: "mask", 2: "sam2:tiny"}, "sam2:tiny", True),
        ({}, "mask", False),
        ({}, "builtin", True),
    ],
)
def test_masks_that_a_user_made_have_no_verdict(trackers, tracker, is_said):
    segmentation = judged(trackers, tracker)
    assert is_judged(segmentation) == is_said
    assert (verdict_of(segmentation, 1) is not None) == is_said


def test_objects_have_colours_of_their_own_and_numbers_where_there_are_several():
    labels = np.zeros((240, 320), np.uint8)
    labels[60:120, 40:100] = 1
    before = picture()
    alone = with_objects(before, labels)
    assert (before == GROUND).all()
    tint = np.array(tint_of(1))
    np.testing.assert_allclose(alone[90, 70], GROUND + 0.45 * (tint - GROUND), atol=1)
    assert tuple(alone[60, 70]) == tint_of(1)
    changed = (alone != GROUND).any(axis=-1)
    np.testing.assert_array_equal(changed, labels > 0)
    labels[150:200, 200:260] = 2
    both = with_objects(before, labels)
    assert tuple(both[150, 230]) == tint_of(2)
    assert tuple(both[60, 40]) == tint_of(1)  # the corner of its number's field
    assert (both[60:80, 40:70] == 0).all(axis=-1).any()  # and ink on it


def test_colours_differ_and_begin_again():
    assert len(set(OBJECTS)) == len(OBJECTS)
    assert tint_of(1) == tint_of(1 + len(OBJECTS))
    assert not set(OBJECTS) & set(STATES.values())


@pytest.mark.parametrize("state", [None, *STATES])
def test_what_is_to_be_checked_is_framed(state):
    canvas = picture()
    captioned(canvas, "frame 7, 0.29 s", Verdict(0.4, state))
    edge = [tuple(canvas[200, 0]), tuple(canvas[-1, 200]), tuple(canvas[200, -FRAME])]
    assert set(edge) == {STATES[state] if state else (GROUND,) * 3}
    assert tuple(canvas[200, FRAME]) == (GROUND,) * 3
    assert (canvas[:15] == 255).all(axis=-1).any()
    if state:
        assert (canvas[5:15, 100:250] == STATES[state]).all(axis=-1).any()


def test_without_a_verdict_only_the_caption_is_there():
    one, other = picture(), picture()
    captioned(one, "frame 7", None)
    badge(other, "frame 7", (0, 0), (0, 0, 0))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("width", [64, 320, 1920, 3840])
def test_badges_stay_in_the_picture_and_grow_with_it(width):
    canvas = picture(width * 9 // 16, width)
    right, bottom = badge(canvas, "#1", (10**6, 10**6), (0, 0, 0))
    assert (right, bottom) == (width, canvas.shape[0])
    assert scale_of(1920) == 2
    captioned(canvas, "frame 123456, 5143.21 s", Verdict(0.0, "lost"))
    assert canvas.shape == (width * 9 // 16, width, 3)
