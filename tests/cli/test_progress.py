"""How far a run is: honest, in one shape for logs and one for programs."""

import json
import re
from collections import defaultdict

import pytest

from remover.cli import progress
from remover.cli.progress import JsonLines, Lines

CLEAN = ("--box", "4,10,8,8", "--box", "26,10,8,8@6", "--tracker", "builtin")


@pytest.fixture
def clock(monkeypatch):
    """The clock of the stages, as a list with the time in seconds."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def events(lines: list[str]) -> list[dict]:
    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    return [json.loads(line) for line in lines]


def test_what_an_earlier_run_did_says_nothing_about_the_speed(clock):
    said: list[str] = []
    stages = JsonLines(said.append)
    stages.start("fill", 100)
    for _ in range(60):
        clock[0] += 0.01
        stages.skip(1)
    for _ in range(20):
        clock[0] += 2.0
        stages.advance(1)
    last = events(said)[-1]
    assert (last["done"], last["frames_per_second"], last["seconds_left"]) == (80, 0.5, 40.0)
    assert {e["done"] for e in events(said)} == {0, *range(61, 81)}


def test_frames_that_are_skipped_between_others_take_no_time(clock):
    said: list[str] = []
    stages = Lines(said.append)
    stages.start("tracking", 40)
    clock[0] += 10
    stages.advance(1)
    stages.skip(29)
    clock[0] += 5
    stages.advance(5)
    clock[0] += 5
    stages.advance(5)
    assert said == [
        "tracking: 40 frames\n",
        "tracking: 80 %, 35 of 40 frames, 1.0 frames/s, 5 s left\n",
        "tracking: 100 %, 40 of 40 frames, 1.0 frames/s, 0 s left\n",
    ]


def test_a_stage_of_unknown_length_has_no_time_left(clock):
    said: list[str] = []
    stages = JsonLines(said.append)
    stages.start("verify", None)
    clock[0] += 4
    stages.advance(200)
    stages.close()
    assert [e["seconds_left"] for e in events(said)] == [None] * 3
    assert [e["done"] for e in events(said)] == [0, 200, 200]


@pytest.fixture(scope="module")
def clip(make_clip):
    return make_clip("clip.mkv", frames=10, height=32, width=48, cut_at=6).path


def test_a_whole_run_for_programs(remover, clip):
    done = remover("clean", clip, *CLEAN, "-o", "out.mkv", "--progress", "json")
    assert (done.returncode, done.stdout) == (0, b"")
    found = events(done.stderr.decode().splitlines(keepends=True))
    by_stage = defaultdict(list)
    for event in found:
        assert set(event) == (
            {"event", "message"}
            if event["event"] in ("note", "warning", "done")
            else {"event", "stage", "done", "total", "frames_per_second", "seconds_left"}
        )
        if "stage" in event:
            by_stage[event["stage"]].append(event)
    assert list(by_stage) == ["scan", "tracking", "motion", "shadows", "fill", "verify"]
    for stage, steps in by_stage.items():
        assert [steps[0]["event"], steps[-1]["event"]] == ["start", "end"]
        counts = [step["done"] for step in steps]
        assert counts == sorted(counts)
        left = [step["seconds_left"] for step in steps]
        assert left[0] is None
        if steps[0]["total"]:
            assert counts[-1] == steps[-1]["total"], stage
            assert all(seconds >= 0 for seconds in left[1:])
            assert left[-1] == 0
    assert found[-1]["event"] == "done"


def test_a_whole_run_in_a_log(remover, clip):
    done = remover("clean", clip, *CLEAN, "-o", "out.mkv")
    assert (done.returncode, done.stdout) == (0, b"")
    lines = done.stderr.decode().splitlines()
    stages = [line for line in lines if re.match(r"(scan|tracking|motion|fill|verify)\b", line)]
    heads = [line for line in stages if re.fullmatch(r"\w+(: \d+ frames)?", line)]
    tenths = [
        line
        for line in stages
        if re.fullmatch(r"\w+: \d+0 %, \d+ of \d+ frames, [\d.]+ frames/s, \d+ s left", line)
    ]
    assert len(heads) == 5
    assert len(stages) == len(heads) + len(tenths)
    assert len(set(tenths)) == len(tenths) <= 4 * 10
    assert "\r" not in done.stderr.decode()
    assert "\x1b" not in done.stderr.decode()
