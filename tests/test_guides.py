"""The commands of the guides, run as they are written."""

import os
import re
import shlex
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


BY_LINE = ("masks.md", "by-hand.md")
"""Guides each of whose lines is run by itself."""

PAGES = (ROOT / "README.md", *(ROOT / "docs" / "guides" / n for n in BY_LINE))

ALTERNATIVES = dict.fromkeys(  # each once, whatever the remark behind it
    " ".join(line.partition(" # ")[0].split())
    for page in PAGES
    for line in lines_of(page)
    if "--sam2-weights" not in line and "minimax" not in line  # need files that nobody ships
    if not line.startswith("remover train")  # go on from each other: see test_readme
)


IS_STARTED = ("cat ", "--resume")
"""What is in lines whose command is started anew; the others are spared the imports."""


@pytest.fixture
def folder(make_clip, exr, tmp_path, quick_python):
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
    put_command(work, quick_python)
    return work


def put_command(folder: Path, python: list[str]) -> None:
    """Have `remover` in the shell of a folder, run by these words."""
    script = folder.parent / "bin" / "remover"
    script.parent.mkdir(exist_ok=True)
    script.write_text(f'#!/bin/sh\nexec {shlex.join(python)} -m remover "$@"\n')
    script.chmod(0o755)


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


@pytest.fixture
def kept_masks(tmp_path_factory, monkeypatch):
    """A cache of masks for all tests of a worker: many lines point at the same in one clip."""
    folder = tmp_path_factory.getbasetemp() / "masks-of-the-guides"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
@pytest.mark.usefixtures("kept_masks")
@pytest.mark.parametrize("line", ALTERNATIVES)
def test_a_command_of_the_readme_or_of_a_guide_about_one_thing(line, folder, make_clip):
    clip = make_clip(
        "clip.mp4",
        frames=50 if "@4" in line else 2,
        height=100,
        width=290 if "200,30" in line else 144,
        codec="libx264",
        pixel_format="yuv420p",
    )
    (folder / "clip.mp4").write_bytes(clip.path.read_bytes())
    cv2.imwrite(str(folder / "logo.png"), clip.masks[0].astype("uint8") * 255)
    if "plate.png" in line:
        cv2.imwrite(str(folder / "plate.png"), clip.clean[0][..., ::-1])
    for name in ("actor.png", "hand.png"):
        if name in line:
            part = clip.masks[0].copy()
            part[part.shape[0] // 2 :] = False
            cv2.imwrite(str(folder / name), part.astype("uint8") * 255)
    if "#2" in line:
        text = (ROOT / "docs" / "guides" / "by-hand.md").read_text()
        table = re.search(r"```toml\n(.+?)\n```", text, re.DOTALL)
        (folder / "remover.toml").write_text(table[1])
    if "--mask masks" in line:
        (folder / "masks").mkdir()
        for i, mask in enumerate(clip.masks):
            cv2.imwrite(str(folder / "masks" / f"{i:05d}.png"), mask.astype("uint8") * 255)
    if any(part in line for part in IS_STARTED):
        put_command(folder, [sys.executable])
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


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
def test_the_commands_of_the_guide_to_long_runs(folder):
    found = commands("long-runs.md")
    assert len(found) == 3
    before = {p.name for p in folder.iterdir()}
    done = shell("\n".join(found), folder)
    assert done.returncode == 0, done.stderr
    assert "the masks are those of an earlier run" in done.stderr
    written = {"clip.clean.mkv", "other.mkv", "sheet.png", "wider.mkv", "widest.mkv", "scratch"}
    assert {p.name for p in folder.iterdir()} - before == written
    assert not list((folder / "scratch").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
def test_the_commands_of_the_round_trip_guide(folder, make_clip):
    clip = make_clip(frames=30, audio=True)
    (folder / "clip.mkv").write_bytes(clip.path.read_bytes())
    found = commands("round-trip.md")
    assert len(found) == 3
    done = shell("\n".join(found), folder)
    assert done.returncode == 0, done.stderr
    videos = {
        "part.mkv": 18,
        **dict.fromkeys(("cleaned.mkv", "fill.mov", "fill.mkv", "matte.mkv"), 30),
        **dict.fromkeys(("look.mp4", "map.mkv", "map.mp4"), 30),
    }
    for name, count in videos.items():
        with av.open(str(folder / name)) as container:
            assert sum(1 for _ in container.decode(video=0)) == count
    assert len(list((folder / "fill").iterdir())) == 30
