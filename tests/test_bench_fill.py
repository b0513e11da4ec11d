"""``remover bench fill``: where the time of a removal goes."""

import json

import cv2
import numpy as np
import pytest

from remover.bench_fill import FillTimes, Stopwatch, table, time_case
from remover.cli.main import main


@pytest.fixture(scope="module")
def case(make_clip, tmp_path_factory):
    """A case as ``bench quality`` takes it, without its truth."""
    folder = tmp_path_factory.mktemp("cases") / "tiny"
    (folder / "masks").mkdir(parents=True)
    clip = make_clip(frames=8)
    (folder / "input.mp4").write_bytes(clip.path.read_bytes())
    for index, mask in enumerate(clip.masks):
        cv2.imwrite(str(folder / "masks" / f"{index:05d}.png"), mask.astype(np.uint8) * 255)
    (folder / "case.json").write_text(json.dumps({"cuts": []}))
    return folder


def test_every_stage_and_every_part_of_the_fill_is_timed(case, tmp_path):
    found = time_case(case, tmp_path / "out.mkv")
    assert (found.case, found.frames) == ("tiny", 8)
    assert {"scan", "motion", "shadows", "fill", "verify"} <= set(found.stages)
    assert set(found.parts) == {"flow", "copy", "paint"}
    assert all(seconds >= 0 for seconds in (*found.stages.values(), *found.parts.values()))
    assert found.frames_per_second > 0
    assert 0 < found.hole_share < 1


def test_stages_follow_each_other_and_parts_add_up():
    watch = Stopwatch()
    watch.start("one", 3)
    watch.start("two", None)
    watch.stop()
    watch.stop()
    for _ in range(2):
        with watch.part("inner"):
            pass
    assert list(watch.seconds) == ["one", "two", "inner"]


def test_the_command_prints_json(case, capfd):
    with pytest.raises(SystemExit) as end:
        main(["bench", "fill", str(case.parent), "--json"])
    assert end.value.code in (0, None)
    printed = json.loads(capfd.readouterr().out)
    assert [one["case"] for one in printed["times"]] == ["tiny"]


def test_the_table_has_a_column_for_each_stage_and_part():
    one = FillTimes("a", 10, 64, 48, 0.1, 8.0, {"scan": 0.1, "fill": 1.0}, {"copy": 0.5})
    lines = table([one]).splitlines()
    assert lines[0] == "| case | frames | size | hole | frames/s | scan | fill | (copy) |"
    assert lines[2] == "| a | 10 | 64x48 | 0.100 | 8.0 | 0.10 | 1.00 | 0.50 |"
