"""The seam of windows: with random weights, so only that it is measured where windows meet."""

import json
import math
from dataclasses import replace

import pytest

from remover import bench_windows
from remover.bench_windows import inner_joins, joins_of, num_windows, seam_table, seams
from remover.errors import InputError
from remover.fill import budget
from remover.options import CleanOptions
from remover.painting import Joins, Offload, PaintPlan
from remover.progress import Silent
from remover.prompts import parse_box
from remover.types import Plan, Rect, Shot, Size, Window

SHAPE = (17, 5, 17, 10**6, Joins.HAND_OVER, 2)
PLAN = PaintPlan(*SHAPE, "fp32", "fp32", Offload.NONE, "cpu", 0, 0, None)


def plan_of(painting: PaintPlan, *windows: Window) -> Plan:
    shots = (Shot(0, 100),)
    return Plan(100, Size(8, 8), shots, windows, 100, 0.1, 0, None, painting)


def test_a_hand_over_is_all_shared_frames_and_the_one_after():
    crop = Rect(0, 0, 8, 8)
    first = Window(0, 12, 0, 30, crop, tail=5)
    second = Window(12, 24, 0, 40, crop)
    assert joins_of(plan_of(PLAN, first, second)) == {12, 13, 14, 15, 16, 17}
    assert num_windows(plan_of(PLAN, first, second)) == 2


def test_windows_side_by_side_meet_where_latents_begin():
    window = Window(0, 41, 0, 41, Rect(0, 0, 8, 8))
    shift = replace(PLAN, joins=Joins.SHIFT, stretch=41)
    assert [*inner_joins(shift, window)] == [(17, 17), (37, 37), (9, 9), (29, 29)]
    assert joins_of(plan_of(shift, window)) == {9, 17, 29, 37}
    blend = replace(PLAN, joins=Joins.BLEND, stretch=41)
    assert [*inner_joins(blend, window)] == [(9, 17), (21, 29)]
    assert num_windows(plan_of(blend, window)) == 3


def test_every_way_is_measured(make_clip, checkpoint, monkeypatch):
    monkeypatch.setattr(budget, "LENGTHS", (17, 9))
    clip = make_clip("clip.mkv", frames=40, height=32, width=48)
    options = CleanOptions(tracker="none", weights=str(checkpoint), steps=1)
    found = list(seams(clip.path, [parse_box("10,10,12,12")], options, Silent()))
    assert [r.joins for r in found] == ["hand-over", "blend", "shift"]
    for result in found:
        assert result.num_windows > 1
        assert result.num_joins > 0
        assert math.isfinite(result.seam)
        assert result.seam > 0
    table = seam_table(found)
    assert table.count("\n") == 5
    assert json.dumps(bench_windows.seams_to_json(found))


def test_a_video_of_one_window_has_no_seam_to_measure(make_clip, checkpoint):
    clip = make_clip("clip.mkv", frames=6, height=32, width=48)
    options = CleanOptions(tracker="none", weights=str(checkpoint), steps=1)
    with pytest.raises(InputError, match="is too short"):
        list(seams(clip.path, [parse_box("10,10,12,12")], options, Silent()))
