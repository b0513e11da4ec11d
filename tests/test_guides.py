"""The commands of the guides, run as they are written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import av
import cv2
import pytest

ROOT = Path(__file__).resolve().parent.parent


def commands(page: str) -> list[str]:
    text = (ROOT / "docs" / "guides" / page).read_text()
    return re.findall(r"<!-- run -->\n```sh\n(.+?)\n```", text, re.DOTALL)


@pytest.fixture
def folder(make_clip, tmp_path):
    """A folder as the guide wants it, with a command `remover` beside it."""
    clip = make_clip(frames=4, audio=True)
    work = tmp_path / "work"
    (work / "shot").mkdir(parents=True)
    (work / "clip.mkv").write_bytes(clip.path.read_bytes())
    with av.open(str(clip.path)) as container:
        for number, frame in enumerate(container.decode(video=0), 1):
            picture = frame.to_ndarray(format="bgr24")
            cv2.imwrite(str(work / "shot" / f"{number:05d}.png"), picture)
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "remover"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m remover "$@"\n')
    script.chmod(0o755)
    return work


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
def test_the_commands_of_the_pipelines_guide(folder):
    found = commands("pipelines.md")
    assert len(found) == 4
    env = {k: v for k, v in os.environ.items() if not k.startswith("REMOVER_")}
    path = f"{folder.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    env |= {"PYTHONPATH": str(ROOT), "PATH": path, "XDG_CONFIG_HOME": "/nonexistent"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(found)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    pictures = [f"{n:05d}.png" for n in range(1, 5)]
    assert sorted(p.name for p in (folder / "out").iterdir()) == pictures
    assert sorted(p.name for p in (folder / "shot.clean").iterdir()) == pictures
    assert [p.name for p in sorted((folder / "frames").iterdir())] == [
        f"{n:04d}.tif" for n in range(4)
    ]
    for name, kind in [
        ("cleaned.mkv", "matroska"),
        ("cleaned.mp4", "mp4"),
        ("masks.mkv", "matroska"),
        ("result.tmp", "nut"),
        ("shot.mkv", "matroska"),
    ]:
        with av.open(str(folder / name)) as container:
            assert kind in container.format.name
            assert sum(1 for _ in container.decode(video=0)) == 4
