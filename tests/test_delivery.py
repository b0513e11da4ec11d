"""Where outputs go, and image sequences through the whole tool."""

import io
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import remover
from remover import delivery
from remover.config import CleanOptions
from remover.video import look_at, reader_of


@pytest.fixture
def shot(make_clip, tmp_path):
    """A folder of 16-bit PNGs with alpha made of a clip, and the clip."""
    clip = make_clip(frames=8)
    folder = tmp_path / "shot"
    folder.mkdir()
    with av.open(str(clip.path)) as container:
        for n, frame in enumerate(container.decode(video=0)):
            deep = frame.to_ndarray(format="bgr24").astype(np.uint16) * 257
            alpha = np.full((*deep.shape[:2], 1), 40000 + n, np.uint16)
            cv2.imwrite(str(folder / f"{101 + n:04d}.png"), np.concatenate([deep, alpha], axis=2))
    return folder, clip


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_a_sequence_is_cleaned_beside_itself(shot, tmp_path):
    folder, clip = shot
    report = remover.clean(folder, box=[clip.box], tracker="none", dilate=0, feather=0)
    out = tmp_path / "shot.clean"
    assert report.output == out
    names = [f"{101 + n:04d}.png" for n in range(8)]
    assert sorted(p.name for p in out.iterdir()) == names
    x, y, w, h = clip.box
    for name in names:
        old, new = read(folder / name), read(out / name)
        assert new.dtype == np.uint16
        assert new.shape[2] == 4
        changed = (old != new).any(axis=2)
        assert changed[y : y + h, x : x + w].any()
        changed[y : y + h, x : x + w] = False
        assert not changed.any()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shot", "shot.clean"]
    with pytest.raises(remover.OutputError, match="already"):
        remover.clean(folder, box=[clip.box], tracker="none")
    remover.clean(folder, box=[clip.box], tracker="none", overwrite=True)


def test_a_pattern_keeps_the_numbers(shot, tmp_path):
    folder, clip = shot
    target = tmp_path / "out" / "c_%06d.tif"
    remover.clean(folder / "%04d.png", target, box=[clip.box], tracker="none", fps="23.976")
    assert sorted(p.name for p in target.parent.iterdir())[0] == "c_000101.tif"


def test_other_files_in_the_folder_stay(shot, tmp_path):
    folder, clip = shot
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    target = tmp_path / "out" / "%d.png"
    remover.clean(folder, target, box=[clip.box], tracker="none")
    assert len(list(target.parent.iterdir())) == 9
    with pytest.raises(remover.OutputError, match="already"):
        remover.clean(folder, target, box=[clip.box], tracker="none")
    remover.clean(folder, target, box=[clip.box], tracker="none", overwrite=True)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_pictures_of_a_longer_run_are_named(shot, tmp_path):
    folder, clip = shot
    target = tmp_path / "out" / "%04d.png"
    target.parent.mkdir()
    for number in (99, *range(105, 113)):
        (target.parent / f"{number:04d}.png").touch()
    options = {"box": [clip.box], "tracker": "none", "overwrite": True}
    report = remover.clean(folder, target, **options)
    (text,) = (text for text in report.warnings if "older" in text)
    assert "keeps 5 older pictures: `0099.png`, `0109.png` to `0112.png`;" in text
    assert len(list(target.parent.iterdir())) == 13
    for number in (99, *range(109, 113)):
        (target.parent / f"{number:04d}.png").unlink()
    assert not remover.clean(folder, target, **options).warnings


def test_a_failed_run_leaves_no_pictures(shot, tmp_path, monkeypatch):
    folder, clip = shot

    def fail(*_):
        raise remover.VerifyError("no")

    monkeypatch.setattr("remover.video.look.check_pictures", fail)
    with pytest.raises(remover.VerifyError):
        remover.clean(folder, tmp_path / "out" / "%d.png", box=[clip.box], tracker="none")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".out.%d.png.remover", "shot"]


def test_an_open_stream_is_an_output(shot):
    folder, clip = shot
    stream = io.BytesIO()
    report = remover.clean(folder, stream, box=[clip.box], tracker="none", codec="ffv1", fps=30)
    stream.seek(0)
    with av.open(stream) as container:
        assert container.streams.video[0].average_rate == 30
        assert sum(1 for _ in container.decode(video=0)) == 8
    assert str(report.output) == "-"
    assert report.promises.frames_equal
    assert report.promises.times_equal


def test_names_that_follow_from_the_input(tmp_path, monkeypatch):
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    for source, expected in [
        ("b.mp4", "b.clean.mp4"),
        ("../a", "../a.clean"),
        ("../a/%d.png", "../a.clean/%d.png"),
        (".", str(tmp_path / "a.clean")),
        ("%d.png", str(tmp_path / "a.clean" / "%d.png")),
    ]:
        assert delivery.default_output(Path(source)) == Path(expected)


def test_a_folder_that_cannot_be_written_to_is_refused_first(shot, tmp_path):
    folder, _ = shot
    for target, message in [
        (tmp_path / "no" / "out" / "%d.png", "does not exist"),
        (folder / "0101.png" / "%d.png", "is no folder"),
    ]:
        with pytest.raises(remover.OutputError, match=message):
            delivery.check(target, folder, CleanOptions())


def floats_of(folder: Path) -> list[list[np.ndarray]]:
    reader = reader_of(look_at(folder))
    return [list(frame.planes) for frame in reader.scan()]


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_floats_outside_the_mask_are_identical_in_the_file(make_clip, exr, tmp_path, kind):
    clip = make_clip(frames=6)
    folder = tmp_path / "shot"
    folder.mkdir()
    rng = np.random.default_rng(3)
    with av.open(str(clip.path)) as container:
        for n, frame in enumerate(container.decode(video=0)):
            light = (frame.to_ndarray(format="rgb24") / 255.0) ** 2.2 * 3
            light += rng.normal(0, 0.02, light.shape)
            light[0, :4] = np.array([np.nan, np.inf, -np.inf, -0.25])[:, None]
            light[1, :4] = 600
            channels = {c: np.ascontiguousarray(light[..., i], kind) for i, c in enumerate("RGB")}
            channels["A"] = np.full(light.shape[:2], 0.75, kind)
            picture = exr.make(channels, is_zip=True, more=exr.attribute("shot", "string", b"a1"))
            (folder / f"{101 + n:05d}.exr").write_bytes(picture)
    mask = tmp_path / "m.png"
    cv2.imwrite(str(mask), clip.masks[0].astype(np.uint8) * 255)
    report = remover.clean(folder / "%05d.exr", tmp_path / "out" / "%05d.exr", mask=[mask])
    assert report.warnings == ()
    assert report.promises.samples_changed_outside == 0
    region = cv2.dilate(clip.masks[0].astype(np.uint8), np.ones((11, 11), np.uint8)) > 0
    before, after = floats_of(folder), floats_of(tmp_path / "out")
    assert len(after) == 6
    for old, new in zip(before, after, strict=True):
        for number, (a, b) in enumerate(zip(old, new, strict=True)):
            assert b.dtype == kind
            assert a[~region].tobytes() == b[~region].tobytes()
            assert (a.tobytes() == b.tobytes()) == (number == 3)
            assert np.isfinite(b[region]).all()
    assert b"shot\0string" in (tmp_path / "out" / "00101.exr").read_bytes()
