from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from remover.plan import (
    MARGIN,
    PROCESS_BYTES,
    cut_to,
    hole_bytes,
    make_plan,
    picture_bytes,
    reach,
    windows_of_shot,
    work_bytes,
)
from remover.types import Cost, Rect, Shot, Size

SIZE = Size(90, 160)

box = st.builds(
    lambda y, x, h, w: Rect(y, x, min(90, y + h), min(160, x + w)),
    st.integers(0, 88),
    st.integers(0, 158),
    st.integers(1, 40),
    st.integers(1, 40),
)
boxes = st.lists(st.one_of(st.none(), box), min_size=1, max_size=120)


@given(boxes, st.integers(1, 40), st.integers(0, 40), st.data())
def test_windows_hold_every_hole_of_the_shot_once(boxes, length, radius, data):
    start = data.draw(st.integers(0, len(boxes) - 1))
    shot = Shot(start, data.draw(st.integers(start + 1, len(boxes))))
    windows = windows_of_shot(shot, boxes, SIZE, length, radius)
    held = [i for w in windows for i in range(w.start, w.stop) if boxes[i] is not None]
    assert held == [i for i in range(*shot) if boxes[i] is not None]
    for w in windows:
        assert shot.start <= w.context_start <= w.start < w.stop <= w.context_stop <= shot.stop
        assert w.stop - w.start <= length
        assert boxes[w.start] is not None
        assert boxes[w.stop - 1] is not None
        assert w.start - w.context_start <= radius
        for i in range(w.start, w.stop):
            here = boxes[i]
            assert here is None or w.crop.union(here.grown(MARGIN, SIZE)) == w.crop
        assert Rect(0, 0, *SIZE).union(w.crop) == Rect(0, 0, *SIZE)


@given(
    st.integers(16, 4320),
    st.integers(16, 7680),
    st.sampled_from([1, 2]),
    st.floats(0, 1),
    st.integers(1 << 28, 1 << 30),
)
def test_reach_stays_within_the_budget_or_at_its_least(height, width, sample, share, budget):
    hole = int(height * width * share)
    length, radius = reach(Size(height, width), sample, hole, budget)
    picture = picture_bytes(Size(height, width), sample)
    used = (length + 2 * radius) * picture + length * hole * hole_bytes(Size(height, width))
    assert used <= budget or (length, radius) == (4, 4)
    assert 4 <= length <= 32
    assert 4 <= radius <= 32


@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.data())
def test_cutting_shots_keeps_their_cuts(lengths, data):
    edges = [0]
    for n in lengths:
        edges.append(edges[-1] + n)
    shots = [Shot(a, b) for a, b in pairwise(edges)]
    start = data.draw(st.integers(0, edges[-1] - 1))
    stop = data.draw(st.integers(start + 1, edges[-1]))
    parts = cut_to(shots, start, stop)
    assert [i for p in parts for i in range(*p)] == list(range(start, stop))
    assert all(any(s.start <= p.start and p.stop <= s.stop for s in shots) for p in parts)


def test_a_plan_counts_only_frames_with_a_hole():
    boxes = [None, Rect(0, 0, 10, 10), None, Rect(5, 5, 15, 15)]
    plan = make_plan(
        [Shot(0, 4)],
        boxes,
        [0, 100, 0, 100],
        SIZE,
        span=Shot(0, 4),
        bytes_per_sample=1,
        budget_bytes=1 << 28,
    )
    assert plan.hole_frames == 2
    assert plan.hole_share == 100 / (90 * 160)
    assert plan.windows[0][:4] == (1, 4, 0, 4)


def test_no_window_looks_past_the_masked_span():
    boxes = [Rect(0, 0, 10, 10)] * 20
    plan = make_plan(
        [Shot(0, 20)],
        [b if 8 <= i < 12 else None for i, b in enumerate(boxes)],
        [100] * 20,
        SIZE,
        span=Shot(6, 14),
        bytes_per_sample=1,
        budget_bytes=1 << 28,
    )
    assert [w[:4] for w in plan.windows] == [(8, 12, 6, 14)]


def planned(tracking):
    return make_plan(
        [Shot(0, 4)],
        [Rect(0, 0, 10, 10)] * 4,
        [100] * 4,
        SIZE,
        span=Shot(0, 4),
        bytes_per_sample=1,
        budget_bytes=1 << 28,
        tracking=tracking,
    )


def test_a_plan_counts_what_filling_the_largest_hole_takes():
    plain, size = planned(Cost()).memory_bytes, Size(1080, 1920)
    assert 0 < work_bytes(size, 10_000) < work_bytes(size, 100_000)
    assert work_bytes(size, 0) == 0
    # The classic painter is shown a million pixels at most; copying has no such bound.
    assert work_bytes(size, 500_000) == work_bytes(size, 800_000) == 400_000_000
    assert work_bytes(size, 1_600_000) == 800_000_000
    assert plain > PROCESS_BYTES + work_bytes(SIZE, 42 * 42)


def test_a_plan_counts_the_tracker():
    plain, slow = planned(Cost()), planned(Cost(80.0, 3_000_000_000))
    assert slow.seconds == plain.seconds + 80
    assert plain.memory_bytes < 1_000_000_000 < 3_000_000_000 < slow.memory_bytes
    assert planned(Cost(None, 1)).seconds is None


def test_what_a_tracker_keeps_is_held_beside_the_fill():
    plain = planned(Cost()).memory_bytes
    assert planned(Cost(1.0, 10_000, 10_000)).memory_bytes == plain + 10_000
    assert planned(Cost(1.0, 3 * plain, 10_000)).memory_bytes > 3 * plain
