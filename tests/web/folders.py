"""A samples folder, small and with videos that are told apart, and a process that serves it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

COLOURS = {"original": (200, 40, 40), "overlay": (40, 40, 200), "result": (40, 170, 40)}
"""The background of each video."""

FRAMES, SIDE, FPS = 9, 64, 8.0


def numbered(colour: tuple[int, int, int]) -> np.ndarray:
    """Frames (9, 64, 64, 3) with a white bar that is as long as the number of the frame."""
    frames = np.empty((FRAMES, SIDE, SIDE, 3), np.uint8)
    frames[:] = colour
    for number in range(FRAMES):
        frames[number, 48:, : (number + 1) * 7] = 255
    return frames


def item(number: int) -> dict[str, object]:
    key = f"{number:08d}-0"
    videos = {kind: f"videos/{key}.{kind}.mp4" for kind in COLOURS}
    return {
        "id": key,
        "clip": f"clip {number}",
        "frames": FRAMES,
        "size": [SIDE, SIDE],
        "fps": FPS,
        **videos,
    }


def write_samples(folder: Path, videos: dict[str, bytes]) -> Path:
    """Three samples to be judged; what was said of them before goes."""
    (folder / "videos").mkdir(parents=True, exist_ok=True)
    (folder / "verdicts.jsonl").unlink(missing_ok=True)
    items = [item(number) for number in range(3)]
    (folder / "samples.json").write_text(json.dumps({"schema": 1, "items": items}))
    for entry in items:
        for kind, content in videos.items():
            (folder / str(entry[kind])).write_bytes(content)
    return folder


SERVE = """\
import sys
from pathlib import Path

from remover.errors import Interrupted
from remover.web import serve

try:
    serve(Path(sys.argv[1]), on_ready=lambda url: print(url, flush=True))
except Interrupted as error:
    sys.exit(error.exit_code)
"""


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """Serve a folder; the process and the page's address."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    url = process.stdout.readline().strip()
    if not url.startswith("http://"):
        process.kill()
        pytest.fail(process.communicate()[1])
    return process, url
