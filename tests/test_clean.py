"""The whole tool from file to file, on clips made here."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import remover
from remover.cli.main import main
from remover.video import Reader, RgbPictures, probe


def read(path: Path) -> list[np.ndarray]:
    reader = Reader(probe(path))
    count = sum(1 for _ in reader.scan())
    return list(RgbPictures(reader).read(0, count))


def planes(path: Path) -> list[tuple[np.ndarray, ...]]:
    return [frame.planes for frame in Reader(probe(path)).scan()]


def write_masks(folder: Path, masks: list[np.ndarray]) -> Path:
    folder.mkdir()
    for i, mask in enumerate(masks):
        cv2.imwrite(str(folder / f"{i:05d}.png"), mask.astype(np.uint8) * 255)
    return folder


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_object_is_gone_and_the_rest_is_untouched(make_clip, tmp_path):
    clip = make_clip(pan=1.5, audio=True)
    out = tmp_path / "out.mkv"
    masks = write_masks(tmp_path / "masks", clip.masks)
    report = remover.clean(clip.path, out, mask=[masks], lossless=True, dilate=1, feather=1)
    errors = [
        np.abs(a.astype(int) - b)[m].mean()
        for a, b, m in zip(read(out), clip.clean, clip.masks, strict=True)
    ]
    assert np.mean(errors) < 6
    for i, (old, new) in enumerate(zip(planes(clip.path), planes(out), strict=True)):
        near = cv2.dilate(clip.masks[i].astype(np.uint8), np.ones((7, 7))) > 0
        for a, b in zip(old, new, strict=True):
            assert np.array_equal(a[~near], b[~near])
    assert report.copied_share > 0.9
    assert report.promises.samples_changed_outside == 0
    assert report.promises.streams_equal
    assert report.promises.times_equal


def test_a_box_is_enough(make_clip, tmp_path):
    clip = make_clip()
    out = tmp_path / "out.mkv"
    report = remover.clean(clip.path, out, box=[clip.box], lossless=True)
    errors = [
        np.abs(a.astype(int) - b)[m].mean()
        for a, b, m in zip(read(out), clip.clean, clip.masks, strict=True)
    ]
    assert np.median(errors) < 6
    assert report.tracker == "builtin"


def test_nothing_is_copied_across_a_cut(make_clip, tmp_path):
    clip = make_clip(frames=40, cut_at=20)
    out = tmp_path / "out.mkv"
    masks = write_masks(tmp_path / "masks", clip.masks)
    report = remover.clean(clip.path, out, mask=[masks], lossless=True)
    assert [tuple(s) for s in report.plan.shots] == [(0, 20), (20, 40)]
    for a, b, m in zip(read(out), clip.clean, clip.masks, strict=True):
        assert np.abs(a.astype(int) - b)[m].mean() < 25


def test_same_input_same_bytes(make_clip, tmp_path):
    clip = make_clip("clip.mp4", codec="libx264", pixel_format="yuv420p")
    digests = set()
    for name in ("a.mp4", "b.mp4"):
        remover.clean(clip.path, tmp_path / name, box=[clip.box], tracker="none", seed=5)
        digests.add(digest(tmp_path / name))
    assert len(digests) == 1


def test_only_the_asked_part_is_cleaned(make_clip, tmp_path):
    clip = make_clip()
    out = tmp_path / "out.mkv"
    masks = write_masks(tmp_path / "masks", clip.masks)
    remover.clean(clip.path, out, mask=[masks], lossless=True, start="8", end="0.5s")
    for i, (old, new) in enumerate(zip(planes(clip.path), planes(out), strict=True)):
        same = all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))
        assert same != (8 <= i < 12)


def test_masks_go_out_and_back_in(make_clip, tmp_path):
    clip = make_clip()
    given = write_masks(tmp_path / "given", clip.masks)
    for name in ("masks", "masks.mkv", "masks.mp4"):
        remover.mask(clip.path, tmp_path / name, mask=[given], dilate=3)
        remover.mask(clip.path, tmp_path / f"again-{name}", mask=[tmp_path / name], dilate=0)
    remover.mask(clip.path, tmp_path / "plain", mask=[tmp_path / "masks.mkv"], dilate=0)
    first = sorted((tmp_path / "masks").iterdir())
    again = sorted((tmp_path / "again-masks").iterdir())
    assert [p.name for p in first] == [f"{i:05d}.png" for i in range(24)]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in again]
    plain = sorted((tmp_path / "plain").iterdir())
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in plain]


def test_masks_outside_the_asked_part_are_empty(make_clip, tmp_path):
    clip = make_clip()
    given = write_masks(tmp_path / "given", clip.masks)
    remover.mask(clip.path, tmp_path / "masks", mask=[given], start="8", end="12")
    for i, path in enumerate(sorted((tmp_path / "masks").iterdir())):
        assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED).any() == (8 <= i < 12)


def test_dilate_0_grows_nothing(make_clip, tmp_path):
    clip = make_clip()
    given = write_masks(tmp_path / "given", clip.masks)
    remover.mask(clip.path, tmp_path / "masks", mask=[given], dilate=0)
    for i, mask in enumerate(clip.masks):
        written = cv2.imread(str(tmp_path / "masks" / f"{i:05d}.png"), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(written, mask.astype(np.uint8) * 255)


def test_an_empty_mask_is_an_error_and_leaves_nothing(make_clip, tmp_path):
    clip = make_clip()
    empty = write_masks(tmp_path / "empty", [np.zeros_like(m) for m in clip.masks])
    with pytest.raises(remover.InputError):
        remover.clean(clip.path, tmp_path / "out.mkv", mask=[empty])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty"]


def run(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "remover", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_command_does_what_the_function_does(make_clip, tmp_path):
    clip = make_clip("clip.mp4", codec="libx264", pixel_format="yuv420p", frames=8)
    x, y, w, h = clip.box
    done = run(
        "clean", clip.path, "--box", f"{x},{y},{w},{h}", "-o", "a.mp4", "--json", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["schema"] == 1
    assert result["promises"]["samples_changed_outside"] == 0
    remover.clean(clip.path, tmp_path / "b.mp4", box=[clip.box])
    assert digest(tmp_path / "a.mp4") == digest(tmp_path / "b.mp4")


def test_a_dry_run_writes_nothing(make_clip, tmp_path):
    clip = make_clip()
    done = run(
        *("clean", clip.path, "--box", "4,32,24,24", "--tracker", "none"),
        *("-o", "out.mkv", "--dry-run"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "window" in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_preview_is_a_picture(make_clip, tmp_path):
    clip = make_clip()
    given = ("--box", "4,32,24,24", "--tracker", "none", "--preview", "sheet.png")
    done = run("clean", clip.path, *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    sheet = cv2.imread(str(tmp_path / "sheet.png"))
    assert sheet.shape[1] == 3 * 480
    assert [p.name for p in tmp_path.iterdir()] == ["sheet.png"]


BAD = [
    (["--box", "500,500,10,10"], 2, "outside the picture"),
    (["--box", "nan,1,10,10"], 2, "nan"),
    (["--box", "1,1,0,10"], 2, "0"),
    (["--box", "1;2;3;4"], 2, "1;2;3;4"),
    (["--box", "1,1,10,10@99"], 2, "99"),
    (["--box", "1,1,10,10@9s"], 2, "9"),
    (["--click", "500,5"], 2, "outside the picture"),
    (["--box", "1,1,10,10", "--start", "20", "--end", "10"], 2, "--end"),
    (["--box", "1,1,10,10", "-o", "no/out.mkv"], 4, "does not exist"),
    (["--box", "1,1,10,10", "-o", "taken.mkv"], 4, "exists already"),
    (["--box", "1,1,10,10", "-o", "clip.mkv"], 4, "is the input itself"),
    (["--box", "1,1,10,10", "-o", "out.xyz"], 4, "out.xyz"),
    (["--mask", "small.png"], 3, "10x10"),
    (["--mask", "black.png"], 3, "empty"),
    (["--mask", "few"], 3, "2 images"),
    (["--mask", "missing.png"], 3, "missing.png"),
    (["--box", "1,1,10,10", "--config", "bad.toml"], 2, "dilat"),
    (["--box", "1,1,10,10", "--device", "cuda:7"], 6, "cuda:7"),
    ([], 2, "--box"),
]


@pytest.fixture(scope="module")
def six_frames(make_clip) -> bytes:
    return make_clip(frames=6).path.read_bytes()


@pytest.mark.parametrize(("flags", "code", "said"), BAD, ids=[" ".join(b[0]) for b in BAD])
def test_bad_input_gets_one_sentence_and_a_hint(
    flags, code, said, six_frames, tmp_path, monkeypatch, capfd
):
    (tmp_path / "clip.mkv").write_bytes(six_frames)
    (tmp_path / "taken.mkv").touch()
    (tmp_path / "bad.toml").write_text("dilat = 3\n")
    cv2.imwrite(str(tmp_path / "small.png"), np.full((10, 10), 255, np.uint8))
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((96, 128), np.uint8))
    (tmp_path / "few").mkdir()
    for i in range(2):
        cv2.imwrite(str(tmp_path / "few" / f"{i}.png"), np.full((96, 128), 255, np.uint8))
    before = sorted(p.name for p in tmp_path.iterdir())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:  # in this process: 20 starts would take long
        main(["clean", "clip.mkv", *flags])
    shown = capfd.readouterr()
    assert stopped.value.code == code, shown.err
    assert said in shown.err
    assert shown.err.count("error:") == 1
    assert "hint:" in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "content"),
    [("empty.mp4", b""), ("text.mp4", b"no video " * 99), ("cut.mp4", None), ("sound.wav", None)],
)
def test_an_unreadable_input_is_named(name, content, make_clip, tmp_path):
    path = tmp_path / name
    if name == "cut.mp4":
        clip = make_clip("a.mp4", codec="libx264", pixel_format="yuv420p")
        path.write_bytes(clip.path.read_bytes()[:4000])
    elif name == "sound.wav":
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
            block = av.AudioFrame.from_ndarray(
                np.zeros((1, 800), np.int16), format="s16", layout="mono"
            )
            block.sample_rate = 8000
            container.mux(stream.encode(block))
    else:
        path.write_bytes(content)
    done = run("clean", name, "--box", "1,1,9,9", cwd=tmp_path)
    assert done.returncode == 3, done.stderr
    assert name in done.stderr
    assert "Traceback" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that root cannot write")
def test_an_unwritable_folder_is_named(make_clip, tmp_path):
    clip = make_clip()
    done = run("clean", clip.path, "--box", "1,1,9,9", "-o", "/proc/self/out.mkv", cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    assert "`/proc/self` cannot be written" in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("stage", ["scan", "tracking", "fill"])
def test_a_stopped_run_leaves_nothing_but_its_work(
    number, code, stage, make_clip, tmp_path, quick_python
):
    clip = make_clip(frames=48)
    command = [*quick_python, "-m", "remover", "clean", str(clip.path)]
    command += ["--box", "4,32,24,24", "-o", "out.mkv", "--progress", "json"]
    command += ["--tracker", "none"] if stage == "fill" else []
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        event = json.loads(line)
        if (event["event"], event.get("stage")) == ("progress", stage):
            break  # its first frames are done, and others are not
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    left = [path.name for path in tmp_path.iterdir()]
    assert left in ([], [".out.mkv.remover"])
    assert ("`--resume` goes on" in errors) == bool(left)


def peak_memory(clip: Path, out: Path) -> int:
    code = (
        "import sys, cv2, remover; cv2.setNumThreads(1); "  # several overlap now so, now so
        "r = remover.clean(sys.argv[1], sys.argv[2], box=['4,21,16,16'], tracker='none'); "
        "print(r.peak_memory_bytes)"
    )
    command = [sys.executable, "-c", code, str(clip), str(out)]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def test_memory_does_not_grow_with_length(make_clip, tmp_path):
    short = make_clip("s.mp4", codec="libx264", pixel_format="yuv420p", frames=80, height=64)
    long = make_clip("l.mp4", codec="libx264", pixel_format="yuv420p", frames=200, height=64)
    few = peak_memory(short.path, tmp_path / "s.mp4")
    many = peak_memory(long.path, tmp_path / "l.mp4")
    assert many < 1.04 * few
