"""What is remembered and which candidate is taken, on scores that are made up."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover.segment.kalman import begun, predicted
from remover.segment.quality import (
    MOTION_SHARE,
    STEADY_FRAMES,
    Scores,
    box_of,
    is_anchor,
    is_remembered,
    motion_scores,
    share_of_joint_box,
    weighed,
)
from remover.segment.recall import ANCHORS, Course, Recall

GOOD = Scores(mask=0.9, presence=4.0, motion=0.8, area=100, share=1.0)
ANCHOR = replace(GOOD, share=0.4)
MEMORIES, POINTERS = 6, 15


@pytest.mark.parametrize(
    "worse",
    [
        {"mask": 0.5},
        {"mask": 0.1},
        {"presence": 0.0},
        {"presence": -3.0},
        {"motion": 0.0},
        {"area": 0},
    ],
)
def test_the_gate_drops_what_does_not_exceed_a_threshold(worse):
    assert is_remembered(GOOD)
    assert is_remembered(replace(GOOD, motion=None))
    assert not is_remembered(replace(GOOD, **worse))
    recall = Recall(MEMORIES, POINTERS)
    recall.saw(1, GOOD)
    recall.saw(2, replace(GOOD, **worse))
    assert recall.held == {1}


@pytest.mark.parametrize(
    ("change", "is_kept"),
    [
        ({}, True),
        ({"share": 0.7}, False),
        ({"mask": 0.8}, False),
        ({"area": 121}, False),
        ({"area": 79}, False),
        ({"area": 120}, True),
        ({"presence": -1.0}, False),
        ({"motion": 0.0}, False),
    ],
)
def test_anchors(change, is_kept):
    assert is_anchor(replace(ANCHOR, **change), [100] * 10, None) == is_kept


def test_anchors_keep_their_distance_and_want_to_know_the_usual_area():
    assert not is_anchor(ANCHOR, [], None)
    assert not is_anchor(ANCHOR, [100], 4)
    assert is_anchor(ANCHOR, [100], 5)
    assert not is_anchor(ANCHOR, [100, 300, 300], None)  # the median is the usual one


def test_candidates_are_taken_as_the_equation_says():
    expected = (10.0, 10.0, 20.0, 20.0)
    boxes = [(10.0, 10.0, 20.0, 20.0), (15.0, 10.0, 25.0, 20.0), None]
    motion = motion_scores(boxes, expected)
    assert motion == pytest.approx([1, 1 / 3, 0])
    found = weighed([0.80, 0.88, 0.95], motion)
    a = MOTION_SHARE
    assert found == pytest.approx([a + (1 - a) * 0.8, a / 3 + (1 - a) * 0.88, (1 - a) * 0.95])
    assert np.argmax(found) == 0
    assert np.argmax(weighed([0.80, 0.88, 0.99], [0.3, 1 / 3, 0.3])) == 2


def test_the_box_around_a_distractor():
    mask = np.zeros((40, 40), bool)
    mask[10:20, 10:20] = True
    other = mask.copy()
    other[10:20, 25:30] = True  # the joint box is 10 by 20
    other[38, 38] = True  # a smaller part does not count
    assert box_of(mask) == (10, 10, 20, 20)
    assert share_of_joint_box(mask, []) == 1
    assert share_of_joint_box(mask, [mask, np.zeros_like(mask)]) == 1
    assert share_of_joint_box(mask, [mask, other]) == pytest.approx(0.5)
    assert share_of_joint_box(np.zeros_like(mask), [other]) == 1


scores = st.builds(
    Scores,
    mask=st.floats(0, 1),
    presence=st.floats(-8, 8),
    motion=st.none() | st.floats(0, 1),
    area=st.integers(0, 200),
    share=st.floats(0, 1),
)


@given(st.lists(scores | st.just(ANCHOR) | st.just(GOOD), min_size=1, max_size=120), st.booleans())
def test_memory_never_exceeds_its_bound(seen, turns):
    recall = Recall(MEMORIES, POINTERS)
    tracked = {}
    for frame, one in enumerate(seen, 1):
        recall.saw(frame, one)
        tracked[frame] = f"frame {frame}"
        assert len(recall.held) <= 2 * POINTERS + ANCHORS
        tracked = {at: tracked[at] for at in tracked if at in recall.held}
    if turns:
        recall.turn()
    frame, step = (0, 1) if turns else (len(seen) + 1, -1)
    outputs = {"cond_frame_outputs": {0: "prompted"}, "non_cond_frame_outputs": tracked}
    read = recall.read(outputs, frame, backward=turns)
    anchors = read["cond_frame_outputs"].keys() - {0}
    places = {(at - frame) * step for at in read["non_cond_frame_outputs"]}
    assert places <= set(range(1, POINTERS + 1))
    assert len(anchors) + sum(place <= MEMORIES for place in places) <= MEMORIES
    assert len(anchors) <= ANCHORS
    assert read["cond_frame_outputs"][0] == "prompted"
    assert all(at in recall.held for at in anchors)


def test_the_latest_good_frame_stands_where_the_frame_before_was():
    recall = Recall(MEMORIES, POINTERS)
    for frame in range(1, 9):
        recall.saw(frame, GOOD if frame in (2, 3, 5) else replace(GOOD, presence=-1.0))
    tracked = {frame: f"frame {frame}" for frame in (2, 3, 5)}
    outputs = {"cond_frame_outputs": {0: "prompted"}, "non_cond_frame_outputs": tracked}
    assert recall.read(outputs, 9, backward=False) == {
        "cond_frame_outputs": {0: "prompted"},
        "non_cond_frame_outputs": {8: "frame 5", 7: "frame 3", 6: "frame 2"},
    }
    recall.turn()
    assert recall.read(outputs, 0, backward=True)["non_cond_frame_outputs"] == {
        1: "frame 2",
        2: "frame 3",
        3: "frame 5",
    }


def test_anchors_take_memories_and_leave_pointers():
    recall = Recall(MEMORIES, POINTERS)
    for frame in range(1, 40):
        recall.saw(frame, ANCHOR if frame in (10, 20) else GOOD)
    tracked = {frame: frame for frame in recall.held}
    outputs = {"cond_frame_outputs": {0: 0}, "non_cond_frame_outputs": tracked}
    read = recall.read(outputs, 40, backward=False)
    assert read["cond_frame_outputs"] == {0: 0, 10: 10, 20: 20}
    places = [40 - at for at in read["non_cond_frame_outputs"]]
    assert places == [1, 2, 3, 4, 7, 8, 9, 10, 11, 12, 13, 14, 15]
    assert list(read["non_cond_frame_outputs"].values()) == list(range(39, 26, -1))


def box_at(frame):
    return 5.0 + 2 * frame, 8.0, 25.0 + 2 * frame, 20.0


def test_motion_has_a_say_once_an_object_was_followed_for_a_while():
    course = Course()
    for frame in range(STEADY_FRAMES):
        assert not course.is_steady
        assert (course.expected is None) == (frame < 2)
        if frame >= 2:
            np.testing.assert_allclose(course.expected, box_at(frame), atol=1e-8)
        course.saw(box_at(frame), 0.9)
    assert course.is_steady
    np.testing.assert_allclose(course.expected, box_at(STEADY_FRAMES), atol=1e-8)


@pytest.mark.parametrize("loss", [(None, 0.9), (box_at(20), 0.3)])
def test_after_a_loss_motion_begins_anew(loss):
    course = Course()
    for frame in range(20):
        course.saw(box_at(frame), 0.9)
    course.saw(*loss)
    assert course.expected is None
    assert not course.is_steady
    course.saw(box_at(40), 0.9)
    course.saw(box_at(42), 0.9)
    assert course.expected == predicted(begun(box_at(40), box_at(42))).box
    assert not course.is_steady
