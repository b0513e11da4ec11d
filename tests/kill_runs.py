"""Kill runs of ``remover clean`` at random moments, go on with them, and compare the results.

::

    python tests/kill_runs.py --runs 50

Every run is killed (SIGKILL) somewhere in its scan, tracking, motion, fill or in the end, where the
output is checked and published; some are killed again while they are gone on with. All must end
with the bytes of a run that nobody killed, and leave nothing else behind. Exits with 1 if one does
not.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

STAGES = ("scan", "tracking", "motion", "fill", "verify")
BOXES = ("--box", "15,15,12,12", "--box", "27,15,12,12@36")

FRAMES, CUT, SIZE = 44, 36, (64, 48)


@dataclass(frozen=True)
class Outcome:
    """What became of one run."""

    stages: tuple[str, ...]
    """Where it was killed, once or more."""
    is_equal: bool
    leftovers: tuple[str, ...]
    errors: str


def write_clip(path: Path) -> None:
    """A clip with a cut, sound, and a thing that moves too little to show all that it hides."""
    rng = np.random.default_rng(5)
    scenes = []
    for seed in (1, 2):
        coarse = rng.normal(120, 40, (13 * seed, 17 * seed, 3)).astype(np.float32)
        scenes.append(np.clip(cv2.resize(coarse, SIZE), 20, 235).astype(np.uint8))
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=24, options={"crf": "12"})
        (video.width, video.height), video.pix_fmt = SIZE, "yuv420p"
        sound = container.add_stream("aac", rate=16000, layout="mono")
        for t in range(FRAMES):
            picture = scenes[t >= CUT].copy()
            x = 15 + t // 3
            picture[15:27, x : x + 12] = (230, 30, 40)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = t, Fraction(1, 24)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        tone = (np.sin(np.arange(16000 * FRAMES // 24) * 0.1) * 8000).astype(np.int16)
        block = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
        block.sample_rate, block.pts, block.time_base = 16000, 0, Fraction(1, 16000)
        container.mux(sound.encode(block))
        container.mux(sound.encode())


def start(clip: Path, folder: Path, *extra: str) -> subprocess.Popen[str]:
    """Begin a run that writes ``out.mp4`` into ``folder``, with a cache of its own."""
    command = [sys.executable, "-m", "remover", "clean", str(clip), *BOXES, "-o", "out.mp4"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder.parent / "cache")}
    environment["TMPDIR"] = str(folder.parent / "tmp")
    for name in ("cache", "tmp"):
        (folder.parent / name).mkdir(exist_ok=True)
    return subprocess.Popen(
        [*command, "--progress", "json", *extra],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def timed(clip: Path, folder: Path) -> dict[str, float]:
    """Run to the end; how many seconds each stage took."""
    process = start(clip, folder)
    began: dict[str, float] = {}
    assert process.stderr is not None
    for line in process.stderr:
        event = json.loads(line)
        if event.get("event") == "start":
            began[event["stage"]] = time.monotonic()
    if process.wait() != 0:
        raise SystemExit("the run that nobody kills failed")
    moments = [*began.values(), time.monotonic()]
    return {stage: moments[i + 1] - moments[i] for i, stage in enumerate(began)}


def killed(process: subprocess.Popen[str], stage: str, wait_s: float) -> bool:
    """Kill a run ``wait_s`` after a stage began; False if it ended first."""
    assert process.stderr is not None
    for line in process.stderr:
        if f'"stage": "{stage}"' in line:
            break
    try:
        process.wait(wait_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.stderr.close()
    return process.wait() == -signal.SIGKILL


def one_run(
    clip: Path,
    folder: Path,
    truth: bytes,
    stage: str,
    seconds: dict[str, float],
    rng: random.Random,
) -> Outcome:
    """Kill a run in ``stage``, perhaps again later, go on with it and look at what there is."""
    met = []
    # The last moments, in which the output appears, are short: aim at them more often.
    low = 0.6 if stage == "verify" and rng.random() < 0.7 else 0.0
    extra: tuple[str, ...] = ()
    while True:
        process = start(clip, folder, *extra)
        if not killed(process, stage, seconds[stage] * rng.uniform(low, 1.02)):
            break
        met.append(stage)
        extra = ("--resume",)
        later = STAGES[STAGES.index(stage) :]
        if rng.random() < 0.7:
            break
        stage = rng.choice(later)
    out = folder / "out.mp4"
    is_done = out.is_file() and [*folder.iterdir()] == [out]
    errors = ""
    if not is_done:
        last = start(clip, folder, "--resume")
        _, errors = last.communicate()
        errors = errors if last.returncode else ""
    rest = {*folder.iterdir(), *(folder.parent / "tmp").iterdir()} - {out}
    return Outcome(
        stages=tuple(met) or ("not killed",),
        is_equal=out.is_file() and out.read_bytes() == truth,
        leftovers=tuple(sorted(path.name for path in rest)),
        errors=errors,
    )


def main() -> int:
    """Run as a command; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    met: Counter[str] = Counter()
    bad = 0
    with tempfile.TemporaryDirectory() as place:
        clip, home = Path(place) / "clip.mp4", Path(place) / "truth" / "home"
        write_clip(clip)
        home.mkdir(parents=True)
        seconds = timed(clip, home)
        truth = (home / "out.mp4").read_bytes()
        for number in range(given.runs):
            folder = Path(place) / str(number) / "home"
            folder.mkdir(parents=True)
            stage = STAGES[number % len(STAGES)]
            outcome = one_run(clip, folder, truth, stage, seconds, rng)
            met.update(outcome.stages)
            if not outcome.is_equal or outcome.leftovers or outcome.errors:
                bad += 1
                print(f"run {number}: {outcome}")
    kills = ", ".join(f"{count} in {stage}" for stage, count in sorted(met.items()))
    print(f"{given.runs} runs, {given.runs - bad} equal and clean; killed: {kills}")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
