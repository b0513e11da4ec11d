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


def hole(t: int) -> tuple[slice, slice]:
    """A square that crosses: what it hides is seen before and after."""
    return np.s_[40:84, 4 + 8 * t : 48 + 8 * t]


def write(path: Path, pixel_format: str = "yuv420p") -> Path:
    """A still slope under noise that is new in every frame; a square crosses it."""
    draw = np.random.default_rng(2)
    slope = np.tile(np.linspace(70, 170, WIDTH), (HEIGHT, 1))
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=24)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, pixel_format
        for t in range(FRAMES):
            gray = slope + draw.normal(0, SIGMA, slope.shape)
            gray[hole(t)] = 235
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
    (folder / "masks").mkdir()
    for t in range(FRAMES):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[hole(t)] = 255
        cv2.imwrite(str(folder / "masks" / f"{t:05d}.png"), mask)
    found = {"source": luma(clip)}
    for grain in ("auto", "off"):
        out = folder / f"{grain}.mkv"
        remover.clean(clip, out, mask=[folder / "masks"], lossless=True, grain=grain)
        found[grain] = luma(out)
    return found


def inside(pictures: list[np.ndarray]) -> float:
    """Strength of fine detail in the hole, in frames where both sides show what it hides."""
    found = [detail(pictures[t])[hole(t)][6:-6, 6:-6].std() for t in range(6, 9)]
    return float(np.mean(found))


def test_the_fill_is_as_grainy_as_the_source(cleaned):
    outside = np.mean([detail(p)[5:30].std() for p in cleaned["source"]])
    assert inside(cleaned["off"]) < 0.8 * outside
    assert inside(cleaned["auto"]) == pytest.approx(outside, rel=0.15)


def test_grain_is_new_in_every_frame(cleaned):
    added = [a - b for a, b in zip(cleaned["auto"], cleaned["off"], strict=True)]
    shared = np.s_[48:76, 74:88]  # in the holes of both frames
    first, second = added[6][shared].ravel(), added[7][shared].ravel()
    assert first.std() > 1
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.2


def test_what_was_not_filled_is_as_it_was(cleaned):
    for source, shown in zip(cleaned["source"], cleaned["auto"], strict=True):
        assert np.array_equal(source[:30], shown[:30])
