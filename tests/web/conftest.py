"""Samples, and the page over them."""

import subprocess
from pathlib import Path

import pytest
from folders import COLOURS, FPS, numbered, start, write_samples

from remover.train.videos import write_video


@pytest.fixture(scope="session")
def made_videos(tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("videos")
    found = {}
    for kind, colour in COLOURS.items():
        write_video(folder / "video.mp4", numbered(colour), FPS)
        found[kind] = (folder / "video.mp4").read_bytes()
    return found


@pytest.fixture
def samples(tmp_path, made_videos) -> Path:
    """Three samples to be judged."""
    return write_samples(tmp_path / "samples", made_videos)


@pytest.fixture
def served():
    """``start``, with an end when the test is over."""
    processes = []

    def start_one(folder: Path) -> tuple[subprocess.Popen[str], str]:
        process, url = start(folder)
        processes.append(process)
        return process, url

    yield start_one
    for process in processes:
        process.kill()
        process.communicate()
