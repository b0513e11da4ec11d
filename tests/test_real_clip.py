"""The reference's miniature checkpoint on a real clip, by the command, killed and gone on with."""

import json
import os
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import pytest

NUM_FRAMES, SIZE = 200, (80, 60)

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def clip(shared, tmp_path_factory) -> Path:
    """A handheld clip with its sound, played forwards and backwards until it has 200 frames."""
    path = tmp_path_factory.mktemp("clip") / "plant.mp4"
    with av.open(str(shared / "clips" / "window-plant.mp4")) as source:
        frames = [f.to_ndarray(format="rgb24") for f in source.decode(video=0)]
    small = [cv2.resize(f, SIZE, interpolation=cv2.INTER_AREA) for f in frames]
    loop = [*small, *small[-2:0:-1]]
    with (
        av.open(str(shared / "clips" / "window-plant.mp4")) as source,
        av.open(str(path), "w") as container,
    ):
        video = container.add_stream("libx264", rate=30, options={"crf": "12"})
        video.width, video.height = SIZE
        video.pix_fmt = "yuv420p"
        sound = container.add_stream_from_template(source.streams.audio[0])
        for t in range(NUM_FRAMES):
            frame = av.VideoFrame.from_ndarray(loop[t % len(loop)], format="rgb24")
            frame.pts, frame.time_base = t, Fraction(1, 30)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = sound
                container.mux(packet)
    return path


def start(clip: Path, shared: Path, out: Path, *extra: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "remover", "clean", str(clip), "-o", str(out)]
    command += ["--box", "30,32,20,18", "--box", "30,32,20,18@199", "--tracker", "none"]
    command += ["--weights", str(shared / "oracles" / "pipeline"), "--copy", "off"]
    command += ["--steps", "2", "--lossless", "--json", "--progress", "json", *extra]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ}
    )


def report_of(process: subprocess.Popen[str]) -> dict:
    out, err = process.communicate()
    assert process.returncode == 0, err
    return json.loads(out)


def test_it_paints_200_frames_and_goes_on_where_it_was_killed(clip, shared, tmp_path):
    truth, out = tmp_path / "truth.mp4", tmp_path / "out.mp4"
    report = report_of(start(clip, shared, truth))
    assert report["painter"] == "small"
    assert len(report["plan"]["windows"]) == 3
    assert report["promises"] == {
        "samples_changed_outside": 0,
        "frames_equal": True,
        "times_equal": True,
        "streams_equal": True,
    }
    process = start(clip, shared, out)
    assert process.stderr is not None
    for line in process.stderr:
        event = json.loads(line)
        if event.get("stage") == "fill" and event.get("done", 0) >= 70:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not out.exists()
    resumed = report_of(start(clip, shared, out, "--resume"))
    assert resumed["resumed_frames"] in (64, 128)
    assert out.read_bytes() == truth.read_bytes()

    with av.open(str(clip)) as before, av.open(str(out)) as after:
        pairs = list(zip(before.decode(video=0), after.decode(video=0), strict=True))
        assert len(pairs) == NUM_FRAMES
        for old, new in pairs:
            assert new.time == old.time
            changed = old.to_ndarray(format="rgb24") != new.to_ndarray(format="rgb24")
            assert changed[36:46, 34:46].any(axis=2).mean() > 0.9
            changed[20:62, 18:62] = False
            assert not changed.any()
    sounds = []
    for path in (clip, out):
        with av.open(str(path)) as container:
            sounds.append([bytes(p) for p in container.demux(audio=0) if p.size])
    assert sounds[0] == sounds[1]
    assert len(sounds[0]) > 10
