"""`clean` with a network as its painter, from file to file: with random weights."""

import itertools
import json
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import remover
from remover import compose, pipeline
from remover.errors import DeviceError, WeightsError
from remover.fill import budget
from remover.fill import paint as painting
from remover.fill.networks import Networks
from remover.options import CleanOptions
from remover.progress import Silent
from remover.prompts import parse_box
from remover.video import Reader, RgbPictures, probe

NUM_FRAMES = 200
SIDE, TOP, LAST = 8, 10, 36
"""Of the object in the long clip: its size, its place, and where it ends."""

GROWTH = 8
"""Pixels by which boxes are widened and feathered."""


class StoppedError(Exception):
    """Ends a run in its middle."""


@pytest.fixture(scope="module")
def clip(make_clip):
    """200 frames with sound; the object crosses them."""
    return make_clip("long.mkv", frames=NUM_FRAMES, height=32, width=48, audio=True)


@pytest.fixture(scope="module")
def clean(clip, checkpoint) -> Callable[..., "remover.Report"]:
    """A function that cleans it."""

    def cleaned(out: Path, **options):
        given = {"painter": "small", "weights": str(checkpoint), "copy": "off", "steps": 2}
        boxes = [clip.box, f"{LAST},{TOP},{SIDE},{SIDE}@{NUM_FRAMES - 1}"]
        given |= {"tracker": "none", "lossless": True}
        return remover.clean(clip.path, out, box=boxes, **{**given, **options})

    return cleaned


@pytest.fixture(scope="module")
def truth(clean, tmp_path_factory):
    """A run that nobody disturbed, and its report."""
    out = tmp_path_factory.mktemp("truth") / "out.mkv"
    return out, clean(out)


def pictures(path: Path) -> list[np.ndarray]:
    reader = Reader(probe(path))
    for _ in reader.scan():
        continue
    return list(RgbPictures(reader).read(0, reader.index.num_frames))


def test_frames_times_sound_and_all_outside_hold(clip, truth):
    out, report = truth
    promises = report.promises
    assert promises.samples_changed_outside == 0
    assert promises.frames_equal
    assert promises.times_equal
    assert promises.streams_equal
    before, after = pictures(clip.path), pictures(out)
    assert len(after) == NUM_FRAMES
    for t, (old, new) in enumerate(zip(before, after, strict=True)):
        changed = (old != new).any(axis=2)
        inside = clip.masks[t]
        assert changed[inside].mean() > 0.9, f"the object is still on frame {t}"
        assert not changed[: TOP - GROWTH].any()
        assert not changed[TOP + SIDE + GROWTH :].any()


def test_the_report_says_what_painted_and_how(truth):
    _, report = truth
    assert report.painter == "small"
    assert report.painter_licence == "that of the weights"
    assert (report.copied_share, report.painted_share) == (0.0, 1.0)
    assert report.weights.keys() == {"small:transformer", "small:vae"}
    plan = json.loads(json.dumps(report.to_json()))["plan"]
    assert (plan["painting"]["frames"], plan["painting"]["joins"]) == (81, "hand-over")
    assert [(w["start"], w["tail"]) for w in plan["windows"]] == [(0, 17), (64, 17), (128, 0)]


def test_another_seed_gives_other_bytes_and_the_same_the_same(truth, clean, tmp_path):
    again = tmp_path / "again.mkv"
    clean(again)
    assert again.read_bytes() == truth[0].read_bytes()
    made = [tmp_path / f"{seed}.mkv" for seed in range(2)]
    for seed, out in enumerate(made):
        clean(out, end="12f", seed=seed)
    assert made[0].read_bytes() != made[1].read_bytes()


@pytest.fixture(scope="module")
def clean_short(clean) -> Callable[..., "remover.Report"]:
    """A function that cleans the beginning in windows of 17 frames."""

    def cleaned(out: Path, **options):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(budget, "LENGTHS", (17, 9))
            return clean(out, end="40f", **options)

    return cleaned


@pytest.fixture(scope="module")
def short_truth(clean_short, tmp_path_factory) -> bytes:
    """What that writes when nobody disturbs it; its windows begin with frames 0, 12 and 24."""
    out = tmp_path_factory.mktemp("short") / "out.mkv"
    report = clean_short(out)
    assert [w["start"] for w in report.to_json()["plan"]["windows"]] == [0, 12, 24]
    return out.read_bytes()


@pytest.fixture
def stopped(clean_short, tmp_path, monkeypatch) -> Callable[[int], Path]:
    """A function that runs and ends after so many frames; where its output would be."""

    def run(frames: int) -> Path:
        out, count, real = tmp_path / "out.mkv", itertools.count(), compose.put_in

        def stopping(*given):
            if next(count) >= frames:
                raise StoppedError
            return real(*given)

        with monkeypatch.context() as patched:
            patched.setattr(compose, "put_in", stopping)
            with pytest.raises(StoppedError):
                clean_short(out)
        assert not out.exists()
        return out

    return run


@pytest.mark.parametrize(("frames", "resumed"), [(5, 0), (20, 12), (39, 24)])
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(
    frames, resumed, short_truth, clean_short, stopped
):
    out = stopped(frames)
    assert clean_short(out, resume=True).resumed_frames == resumed
    assert out.read_bytes() == short_truth
    assert [path.name for path in out.parent.iterdir()] == ["out.mkv"]


def test_what_a_window_left_is_not_trusted_if_it_is_damaged(short_truth, clean_short, stopped):
    out = stopped(20)
    (left,) = out.parent.rglob("carried*.bin")
    left.write_bytes(left.read_bytes()[:-3])
    assert clean_short(out, resume=True).resumed_frames == 0
    assert out.read_bytes() == short_truth


@pytest.fixture
def one_thread():
    """How far threads overlap, and so what is held at once, would otherwise differ each time."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.mark.usefixtures("one_thread")
def test_memory_does_not_grow_with_the_length(clean, tmp_path, monkeypatch):
    monkeypatch.setattr(budget, "LENGTHS", (17, 9))
    latents: set[int] = set()
    real = painting.known_latents

    def watched(vae, pieces, near):
        known = real(vae, pieces, near)
        latents.add(known.shape[2])
        return known

    monkeypatch.setattr(painting, "known_latents", watched)
    peaks = []
    for number, end in enumerate((20, 90, 140)):  # the first one imports and compiles
        tracemalloc.start()
        clean(tmp_path / f"{number}.mkv", end=f"{end}f", start="0f", steps=1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.05 * peaks[1]
    assert max(latents) == 5


def test_what_other_frames_show_is_copied_and_not_painted(make_clip, checkpoint, tmp_path):
    """The object uncovers all that it hides, so that nothing is left to paint."""
    clip, out = make_clip("short.mkv", frames=24, height=64, width=96), tmp_path / "out.mkv"
    boxes = [clip.box, "76,21,16,16@23"]
    report = remover.clean(clip.path, out, box=boxes, tracker="none", weights=str(checkpoint))
    assert report.copied_share > 0.99
    assert report.painter == "small"
    for t, shown in enumerate(pictures(out)):
        gap = np.abs(shown[clip.masks[t]].astype(int) - clip.clean[t][clip.masks[t]])
        assert gap.mean() < 5


def test_memory_that_runs_out_shortens_windows_and_is_reported(clean, tmp_path, monkeypatch):
    real = painting.working_hole

    def tight(take, crop):
        if take.frames.stop - take.frames.start > 30:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return real(take, crop)

    monkeypatch.setattr(painting, "working_hole", tight)
    report = clean(tmp_path / "out.mkv", end="90f")
    assert report.promises.samples_changed_outside == 0
    assert [text for text in report.warnings if "ran out" in text] == [
        "the memory of `cpu` ran out at windows of 81 frames; going on with 41",
        "the memory of `cpu` ran out at windows of 41 frames; going on with 21",
    ]


def test_memory_that_holds_nothing_leaves_no_output(clean, tmp_path, monkeypatch):
    def never(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(painting, "known_latents", never)
    with pytest.raises(DeviceError, match="the memory ran out"):
        clean(tmp_path / "out.mkv", end="20f")
    assert not (tmp_path / "out.mkv").exists()


def test_weights_that_cannot_be_read_any_more_end_the_run(clean, tmp_path, monkeypatch):
    def gone(_):
        raise WeightsError("`w.safetensors` cannot be read: input/output error")

    monkeypatch.setattr(Networks, "dit", gone)
    with pytest.raises(WeightsError, match="input/output error"):
        clean(tmp_path / "out.mkv", end="20f")
    assert not (tmp_path / "out.mkv").exists()


def test_other_weights_are_never_mixed_with_the_work_of_these(
    clean, make_checkpoint, tmp_path, monkeypatch
):
    out = tmp_path / "out.mkv"
    with monkeypatch.context() as patched:
        patched.setattr(compose, "put_in", lambda *_: (_ for _ in ()).throw(StoppedError))
        with pytest.raises(StoppedError):
            clean(out, end="20f")
    other = make_checkpoint(tmp_path / "other", seed=5)
    with pytest.raises(remover.UsageError, match="the painter changed"):
        clean(out, end="20f", resume=True, weights=str(other))


def test_each_object_has_its_own_painter(make_clip, checkpoint, tmp_path):
    clip = make_clip("two.mkv", frames=6, height=64, width=96)
    report = remover.clean(
        clip.path,
        tmp_path / "out.mkv",
        box=["4,21,16,16", "60,40,10,10#2", "60,40,10,10@5#2"],
        tracker="none",
        copy="off",
        painter="classic",
        weights=str(checkpoint),
        objects={2: {"painter": "small"}},
        steps=1,
    )
    assert [report.objects[n]["painter"] for n in ("1", "2")] == ["patchmatch", "small"]
    assert report.painter == "patchmatch, small"
    assert report.promises.samples_changed_outside == 0


class Listening(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def test_the_plan_tells_how_the_network_works_and_what_it_takes(clip, checkpoint):
    options = CleanOptions(tracker="none", weights=str(checkpoint), steps=3)
    told = Listening()
    report = pipeline.dry_run(clip.path, None, [parse_box("4,10,8,8")], options, told)
    text = "\n".join(report.summary())
    assert re.search(r"painting  windows of 81 frames, 17 shared \(hand-over\), .* 3 steps", text)
    assert "network   on cpu in fp32, weights in fp32, both parts stay there, about" in text
    assert any("painting with a network on the CPU takes up to about" in n for n in told.notes)


def test_settings_without_effect_are_told(make_clip):
    clip = make_clip(frames=6, height=32, width=48)
    options = CleanOptions(tracker="none", steps=3)
    report = pipeline.dry_run(clip.path, None, [parse_box("4,10,8,8")], options)
    assert "`--steps 3` has no effect: no network paints" in report.warnings
    assert not any(line.startswith("network") for line in report.summary())


@pytest.mark.parametrize("copy", ["on", "off"])
def test_the_classic_painter_never_loads_pytorch(make_clip, tmp_path, copy):
    clip = make_clip(frames=24, height=64, width=96)
    (tmp_path / "masks").mkdir()
    for index, mask in enumerate(clip.masks):
        cv2.imwrite(str(tmp_path / "masks" / f"{index:05d}.png"), mask.astype(np.uint8) * 255)
    code = (
        "import sys, remover; report = remover.clean(sys.argv[1], sys.argv[2], "
        "mask=[sys.argv[3]], copy=sys.argv[4]); "
        "print(report.painted_share, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            str(clip.path),
            str(tmp_path / "out.mkv"),
            str(tmp_path / "masks"),
            copy,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["0.0" if copy == "on" else "1.0", "False"]
