"""Grain from file to file: a noisy clip whose background is known."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import remover
from remover.video import Reader, probe

HEIGHT, WIDTH, FRAMES, SIGMA = 120, 160, 14, 5.0
HOLE = np.s_[40:80, 50:110]


def write(path: Path, pixel_format: str = "yuv420p") -> Path:
    """A still slope under noise that is new in every frame; a square crosses it."""
    draw = np.random.default_rng(2)
    slope = np.tile(np.linspace(70, 170, WIDTH), (HEIGHT, 1))
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=24)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, pixel_format
        for t in range(FRAMES):
            gray = slope + draw.normal(0, SIGMA, slope.shape)
            gray[HOLE] = np.where((np.arange(60) // 6 + t) % 2, 40, 220)
            picture = np.dstack([np.clip(np.rint(gray), 0, 255).astype(np.uint8)] * 3)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format=pixel_format
            )
            frame.pts, frame.time_base = t, Fraction(1, 24)
            container.mux(video.encode(frame))
        container.mux(video.encode())
    return path


def luma(path: Path) -> list[np.ndarray]:
    return [frame.planes[0].astype(np.float32) for frame in Reader(probe(path)).scan()]


def detail(picture: np.ndarray) -> np.ndarray:
    return picture - cv2.GaussianBlur(picture, (0, 0), 2.0)


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grain")
    clip = write(folder / "clip.mkv")
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[HOLE] = 255
    cv2.imwrite(str(folder / "mask.png"), mask)
    found = {}
    for grain in ("auto", "off"):
        out = folder / f"{grain}.mkv"
        remover.clean(clip, out, mask=[folder / "mask.png"], lossless=True, grain=grain)
        found[grain] = luma(out)
    found["source"] = luma(clip)
    return found


def test_the_fill_is_as_grainy_as_the_source(cleaned):
    outside = np.mean([detail(p)[5:30].std() for p in cleaned["auto"]])
    inside = np.mean([detail(p)[46:74, 58:102].std() for p in cleaned["auto"]])
    assert inside == pytest.approx(outside, rel=0.15)


def test_what_was_not_filled_is_as_it_was(cleaned):
    for source, shown in zip(cleaned["source"], cleaned["auto"], strict=True):
        assert np.array_equal(source[:30], shown[:30])


def test_off_adds_nothing(cleaned):
    changed = [np.abs(a - b).max() for a, b in zip(cleaned["auto"], cleaned["off"], strict=True)]
    assert min(changed) >= 0
    assert not np.array_equal(cleaned["auto"][0], cleaned["off"][0]) or max(changed) == 0
