import io
import json
import sys

import pytest

from remover.cli.progress import Bars, JsonLines, Lines, Measure


@pytest.mark.parametrize(
    ("unit", "total", "count", "text"),
    [
        ("frames", 300, 48, "48 frames"),
        ("frames", None, 48, "48 frames"),
        ("bytes", 422, 422, "0.4 kB"),
        ("bytes", 156_008_466, 15_600_847, "15.6 MB"),
        ("bytes", None, 15_600_847, "15.6 MB"),
    ],
)
def test_amounts_have_a_unit_that_suits_the_whole(unit, total, count, text):
    by = Measure.of(unit, total)
    assert f"{by.amount(count)} {by.name}" == text


def test_lines_of_bytes():
    said = []
    lines = Lines(said.append)
    lines.start("pull net", 20_000_000, "bytes")
    lines.skip(1_000_000)
    lines.advance(1_000_000)
    assert said[0] == "pull net: 20.0 MB\n"
    assert said[1].startswith("pull net: 10 %, 2.0 of 20.0 MB, ")
    assert " MB/s, " in said[1]


def test_objects_of_bytes():
    said = []
    lines = JsonLines(said.append)
    lines.start("pull net", 200, "bytes")
    lines.advance(200)
    assert json.loads(said[-1])["bytes_per_second"] > 0
    lines.start("fill", 20)
    assert "frames_per_second" in json.loads(said[-1])


def test_bars_of_frames_and_bytes(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "100")
    bars = Bars(color=False)
    bars.start("fill", 20)
    bars.advance(20)
    bars.start("pull net", 20_000_000, "bytes")
    bars.advance(5_000_000)
    bars.close()
    assert "20/20" in screen.getvalue()
    assert " 5.0/20.0 MB" in screen.getvalue()
