import json
import math

import cv2
import numpy as np
import pytest

from remover import bench
from remover.errors import InputError
from remover.metrics import Score


@pytest.fixture(scope="module")
def case(make_clip, tmp_path_factory):
    """A folder with one case: the synthetic clip, and its background as the truth."""
    folder = tmp_path_factory.mktemp("cases") / "square"
    folder.mkdir()
    clip = make_clip("input.mkv", codec="libx264rgb", pixel_format="rgb24", options={"qp": "0"})
    (folder / "input.mp4").write_bytes(clip.path.read_bytes())
    import av

    with av.open(str(folder / "clean.mp4"), "w", format="matroska") as container:
        stream = container.add_stream("libx264rgb", rate=24, options={"qp": "0"})
        stream.height, stream.width = clip.clean[0].shape[:2]
        stream.pix_fmt = "rgb24"
        for picture in clip.clean:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    (folder / "masks").mkdir()
    for i, mask in enumerate(clip.masks):
        cv2.imwrite(str(folder / "masks" / f"{i:05d}.png"), mask.astype(np.uint8) * 255)
    facts = {"cuts": [], "clear_box": clip.box, "clear_frame": 0}
    (folder / "case.json").write_text(json.dumps(facts))
    return folder


def test_a_case_is_cleaned_and_scored(case, tmp_path):
    assert bench.cases(case.parent) == [case]
    results = [bench.run_case(case, p, tmp_path / f"{p}.mkv") for p in ("mask", "box")]
    exact, tracked = results
    assert exact.score.psnr_mask > 25
    assert exact.score.leftover < 0.05
    assert tracked.score.recall > 0.8
    table = bench.quality_table(results)
    assert "### Exact masks" in table
    assert "### One box" in table
    assert table.count("| square |") == 2
    row = json.loads(json.dumps(bench.to_json(results)))[0]
    assert row["score"]["recall"] is None
    untouched = bench.score_video(case, case / "input.mp4", None, [])
    assert row["score"]["features"] < 0.5 < untouched.features
    bench.write_sheet(case, tmp_path / "mask.mkv", tmp_path / "sheet.png")
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (4 * 96, 3 * 128, 3)


def result(case: str, psnr: float, features: float) -> bench.CaseResult:
    score = Score(psnr, 30, 0.9, 0.1, 5, features, 0, math.nan, math.nan, math.nan)
    return bench.CaseResult(case, "mask", score, 1.0, 0.5)


def test_mean_and_median_stand_below_the_cases():
    results = [result("a", 20, 1.5), result("b", 22, 2.5), result("c", 45, math.nan)]
    head, *rows = [line.strip("| ").split(" | ") for line in table_of(results)]
    assert [row[0] for row in rows] == ["---", "a", "b", "c", "**mean**", "**median**"]
    both = head.index("PSNR mask"), head.index("features")
    shown = [tuple(row[i] for i in both) for row in rows[3:]]
    assert shown == [("45.00", "-"), ("29.00", "2.00"), ("22.00", "2.00")]


def test_mean_and_median_are_in_the_json_too():
    results = [result("a", 20, 1.5), result("b", 22, 2.5), result("c", 45, math.nan)]
    found = json.loads(json.dumps(bench.summaries_to_json(results)))
    assert set(found) == {"mask"}
    assert found["mask"]["mean"]["psnr_mask"] == 29
    assert found["mask"]["median"]["psnr_mask"] == 22
    assert found["mask"]["median"]["features"] == 2
    assert found["mask"]["mean"]["recall"] is None


def table_of(results: list[bench.CaseResult]) -> list[str]:
    return bench.quality_table(results).strip().splitlines()[2:]


def test_a_folder_without_cases_is_an_error(tmp_path):
    with pytest.raises(InputError, match="holds no benchmark case"):
        bench.cases(tmp_path)


def test_trackers_are_timed(case, monkeypatch):
    from remover.segment import sam2

    small = sam2.Config(16, 1, (1, 1, 2, 1), (3,), image_size=64, width=64, memory_width=16)
    monkeypatch.setitem(sam2.CONFIGS, "tiny", small)
    monkeypatch.setattr(bench, "NETWORK_SIDES", (64, 128))
    assert bench.clips(case / "input.mp4") == [case / "input.mp4"]
    (clip,) = bench.clips(case.parent)
    results = list(bench.track_speed(clip, 4, "cpu"))
    assert [(r.tracker, r.side) for r in results] == [
        ("builtin", None),
        ("sam2:tiny", 64),
        ("sam2:tiny", 128),
    ]
    assert all(r.clip == "square" and r.frames == 4 and r.seconds > 0 for r in results)
    assert bench.speed_table(results).count("| square | sam2:tiny |") == 2
    assert json.loads(json.dumps(bench.speeds_to_json(results)))[0]["frames_per_second"] > 0
