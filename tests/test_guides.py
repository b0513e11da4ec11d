"""The commands of the guides, run as they are written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


def commands(page: str) -> list[str]:
    text = (ROOT / "docs" / "guides" / page).read_text()
    return re.findall(r"<!-- run -->\n```sh\n(.+?)\n```", text, re.DOTALL)


def lines_of(page: Path) -> list[str]:
    """The commands `remover` of the page's shell blocks, one a line."""
    blocks = re.findall(r"```sh\n(.+?)\n```", page.read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(("remover ", "cat "))]


ALTERNATIVES = [
    line
    for page in (ROOT / "README.md", ROOT / "docs" / "guides" / "masks.md")
    for line in lines_of(page)
    if "--sam2-weights" not in line  # needs a file that nobody ships
]


@pytest.fixture
def folder(make_clip, exr, tmp_path):
    """A folder as the guide wants it, with a command `remover` beside it."""
    clip = make_clip(frames=4, audio=True)
    work = tmp_path / "work"
    (work / "shot").mkdir(parents=True)
    (work / "light").mkdir()
    (work / "clip.mkv").write_bytes(clip.path.read_bytes())
    with av.open(str(clip.path)) as container:
        for number, frame in enumerate(container.decode(video=0), 1):
            picture = frame.to_ndarray(format="bgr24")
            cv2.imwrite(str(work / "shot" / f"{number:05d}.png"), picture)
            light = (picture / 255.0).astype(np.float16)
            planes = {c: np.ascontiguousarray(light[..., i]) for i, c in enumerate("BGR")}
            (work / "light" / f"{number:05d}.exr").write_bytes(exr.make(planes))
    cv2.imwrite(str(work / "m.png"), clip.masks[0].astype("uint8") * 255)
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "remover"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m remover "$@"\n')
    script.chmod(0o755)
    return work


def shell(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("REMOVER_")}
    path = f"{folder.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    env |= {"PYTHONPATH": str(ROOT), "PATH": path, "XDG_CONFIG_HOME": "/nonexistent"}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
@pytest.mark.parametrize("line", ALTERNATIVES)
def test_a_command_of_the_readme_or_the_mask_guide(line, folder, make_clip):
    clip = make_clip(
        "clip.mp4",
        frames=50 if "@4" in line else 4,
        height=100,
        width=290,
        codec="libx264",
        pixel_format="yuv420p",
    )
    (folder / "clip.mp4").write_bytes(clip.path.read_bytes())
    cv2.imwrite(str(folder / "logo.png"), clip.masks[0].astype("uint8") * 255)
    if "--mask masks" in line:
        (folder / "masks").mkdir()
        for i, mask in enumerate(clip.masks):
            cv2.imwrite(str(folder / "masks" / f"{i:05d}.png"), mask.astype("uint8") * 255)
    before = set(folder.iterdir())
    done = shell(line.replace("ffplay -", "cat > piped.mkv"), folder)
    assert done.returncode == 0, done.stderr
    assert (set(folder.iterdir()) == before) == ("--dry-run" in line)


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
def test_the_commands_of_the_pipelines_guide(folder):
    found = commands("pipelines.md")
    assert len(found) == 5
    done = shell("\n".join(found), folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    pictures = [f"{n:05d}.png" for n in range(1, 5)]
    assert sorted(p.name for p in (folder / "out").iterdir()) == pictures
    assert sorted(p.name for p in (folder / "shot.clean").iterdir()) == pictures
    floats = [f"{n:05d}.exr" for n in range(1, 5)]
    assert sorted(p.name for p in (folder / "plates").iterdir()) == floats
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
