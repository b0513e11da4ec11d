"""``remover bench unseen``: never-seen pixels of a case whose truth is known."""

import json

import av
import cv2
import numpy as np
import pytest

from remover import bench_unseen
from remover.bench_unseen import Unseen, draft_of, filled, never_seen, table
from remover.cli.main import main
from remover.fill.align import Camera
from remover.types import Shot


@pytest.fixture(scope="module")
def case(make_clip, tmp_path_factory):
    """A square that stands still before a still texture, for ever."""
    folder = tmp_path_factory.mktemp("cases") / "parked"
    (folder / "masks").mkdir(parents=True)
    clip = make_clip(frames=1, height=96, width=128)
    clean = clip.clean[0]
    shown, mask = clean.copy(), np.zeros(clean.shape[:2], bool)
    mask[40:60, 50:75] = True
    shown[mask] = (230, 20, 20)
    for name, picture in (("input", shown), ("clean", clean)):
        with av.open(str(folder / f"{name}.mp4"), "w", format="matroska") as container:
            stream = container.add_stream("ffv1", rate=24)
            stream.height, stream.width = clean.shape[:2]
            stream.pix_fmt = "yuv444p"
            for _ in range(9):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    for i in range(9):
        cv2.imwrite(str(folder / "masks" / f"{i:05d}.png"), mask.astype(np.uint8) * 255)
    (folder / "case.json").write_text(json.dumps({"cuts": []}))
    return folder


def test_a_case_is_painted_and_scored(case, tmp_path):
    found = bench_unseen.run_case(case, tmp_path / "sheet.png", seeds=2)
    assert found.case == "parked"
    assert found.share == 1
    assert found.keys == 1
    assert found.dtssd < 0.1
    assert 10 < found.psnr < 60
    assert 0 < found.features < 16
    assert cv2.imread(str(tmp_path / "sheet.png")).shape == (3 * 96, 2 * 128, 3)


def test_the_command_prints_what_was_measured(case, capfd):
    with pytest.raises(SystemExit) as stop:
        main(["bench", "unseen", str(case.parent), "--json"])
    assert stop.value.code == 0
    (row,) = json.loads(capfd.readouterr().out)["cases"]
    assert row["case"] == "parked"
    assert set(row) == {*bench_unseen.COLUMNS, "case"}


def test_a_pixel_that_any_frame_shows_is_seen():
    holes = [np.zeros((20, 30), bool) for _ in range(3)]
    for i, hole in enumerate(holes):
        hole[5:15, 8 + 4 * i : 18 + 4 * i] = True
    still = Camera(0, [np.eye(3)] * 2, static=True)
    found = never_seen(holes, 1, still, Shot(0, 3))
    assert np.array_equal(found, holes[0] & holes[1] & holes[2])
    assert np.array_equal(never_seen(holes, 1, still, Shot(1, 2)), holes[1])


def test_nothing_but_the_hole_is_missing():
    clean = np.random.default_rng(1).integers(0, 255, (60, 80, 3)).astype(np.uint8)
    hole = np.zeros((60, 80), bool)
    hole[20:30, 30:44] = True
    item = draft_of(0, clean, hole)
    assert item.missing == 140
    item.rgb[item.hole] = 7
    picture = filled(item)
    assert (picture[hole] == 7).all()
    assert np.array_equal(picture[~hole], clean[~hole])


def test_the_table_has_a_row_for_each_case():
    lines = table([Unseen("a", 0.5, 20, 3, 1, 2, 1, 4)]).splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("| a | 0.50 | 20.00 |")


def test_figures_that_do_not_apply_are_left_open():
    few = Unseen("a", 0.01, 40, float("nan"), float("nan"), 2, 1, 4)
    assert "| 40.00 | - | - |" in table([few])
    (row,) = bench_unseen.to_json([few])
    assert row["features"] is row["sharpness"] is None
