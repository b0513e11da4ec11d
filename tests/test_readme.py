"""The README's commands, run as they are written."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import remover
from remover.train.results import success

ROOT = Path(__file__).resolve().parent.parent


def command(name: str) -> str:
    """The shell block that follows the marker ``name``."""
    text = (ROOT / "README.md").read_text()
    found = re.search(rf"<!-- {name} -->\n```sh\n(.+?)\n```", text, re.DOTALL)
    assert found, f"the README has no block {name}"
    return found.group(1)


FRAMES = 16
"""Of the demo that are cleaned here, where time matters; the command points at frame 12."""


def shorten(video: Path) -> None:
    """Keep the packets of the first frames, and of the sound beside them."""
    whole = video.rename(video.with_name("whole.mp4"))
    with av.open(str(whole)) as source, av.open(str(video), "w") as target:
        copies = {s.index: target.add_stream_from_template(s) for s in source.streams}
        end = (FRAMES - 2) / source.streams.video[0].average_rate  # packets come 2 frames early
        for packet in source.demux():
            if packet.dts is not None and packet.dts * packet.time_base < end:
                packet.stream = copies[packet.stream.index]
                target.mux(packet)
    whole.unlink()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the tree whose `.venv` sees this environment's packages.

    The commands then run as written without fetching what is installed already.
    """
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "README.md", "LICENSE", "weights.lock", "remover", "docs"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    shorten(folder / "docs" / "media" / "demo.mp4")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_one.py").write_text("def test_one():\n    assert True\n")
    venv.create(folder / ".venv", with_pip=True)
    paths = {"base": str(folder / ".venv"), "platbase": str(folder / ".venv")}
    packages = Path(sysconfig.get_path("purelib", "venv", vars=paths))
    (packages / "outer.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def shell(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
def test_the_first_command_cleans_the_demo(checkout):
    done = shell(command("try"), checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    with av.open(str(checkout / "demo.clean.mp4")) as container:
        kinds = [stream.type for stream in container.streams]
        assert kinds == ["video", "audio"]
        assert sum(1 for _ in container.decode(video=0)) == FRAMES


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
def test_the_second_command_runs_tests(checkout):
    done = shell(command("tests"), checkout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_every_link_of_the_readme_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text()):
        if "://" not in target:
            assert (ROOT / target).exists(), target


def pictures(path: Path) -> np.ndarray:
    """All frames, R'G'B' (T, H, W, 3)."""
    with av.open(str(path)) as container:
        return np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])


@pytest.mark.skipif(sys.platform == "win32", reason="the commands are for a POSIX shell")
def test_the_training_commands_end_with_a_checkpoint_that_removes(tmp_path, make_clip):
    """The preset `tiny` as a user runs it; the extra is installed here already."""
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "remover"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m remover "$@"\n')
    script.chmod(0o755)
    lines = command("train").splitlines()
    assert lines[0].startswith("pip install")
    path = f'export PATH="{tmp_path}/bin:$PATH" PYTHONPATH="{ROOT}"\n'
    done = shell(path + "\n".join(lines[1:]), tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    clip = make_clip(frames=9, height=96, width=128)
    masks = tmp_path / "masks"
    masks.mkdir()
    for index, mask in enumerate(clip.masks):
        cv2.imwrite(str(masks / f"{index:05d}.png"), mask.astype(np.uint8) * 255)
    report = remover.clean(
        clip.path,
        tmp_path / "out.mkv",
        mask=[masks],
        weights=str(tmp_path / "checkpoint"),
        copy="off",
        lossless=True,
    )
    assert report.painter == "small"
    original, result = pictures(clip.path), pictures(tmp_path / "out.mkv")
    gone = success(result, original, np.stack(clip.clean), np.stack(clip.masks))
    assert gone > 0.7
