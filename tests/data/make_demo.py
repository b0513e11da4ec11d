"""Make `docs/media/demo.mp4`: a ball rolls before a wall while the camera pans.

    python tests/data/make_demo.py TEXTURES docs/media/demo.mp4

TEXTURES is a folder with `brick.png`, `gravel.png` and `coffee.png`, the CC0 pictures of
scikit-image's sample data. The sound is made here.
"""

import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

WIDTH, HEIGHT, FRAMES, FPS = 480, 270, 60, 24
RADIUS, RATE = 33, 48000


def read(folder: Path, name: str) -> np.ndarray:
    return cv2.imread(str(folder / name), cv2.IMREAD_COLOR).astype(np.float32)


def make_scene(folder: Path) -> np.ndarray:
    """A wall above a ground in perspective, (360, 900, 3)."""
    bricks = cv2.rotate(read(folder, "brick.png"), cv2.ROTATE_90_CLOCKWISE)
    brick = np.tile(cv2.resize(bricks, (300, 300)), (1, 3, 1))[:230]
    brick *= np.array([0.75, 0.9, 1.15], np.float32)
    gravel = np.tile(read(folder, "gravel.png"), (1, 2, 1))[:300, :1024]
    corners = np.float32([[0, 0], [1024, 0], [1024, 300], [0, 300]])
    spread = np.float32([[0, 0], [900, 0], [1250, 130], [-350, 130]])
    ground = cv2.warpPerspective(
        gravel, cv2.getPerspectiveTransform(corners, spread), (900, 130), flags=cv2.INTER_AREA
    )
    scene = np.vstack([brick, ground])
    light = np.linspace(1.1, 0.75, 900, dtype=np.float32)[None, :, None]
    return np.clip(scene * light, 0, 255)


def make_ball(folder: Path) -> np.ndarray:
    coffee = read(folder, "coffee.png")
    cut = coffee[40:340, 130:430]
    return cv2.resize(cut, (2 * RADIUS + 1, 2 * RADIUS + 1), interpolation=cv2.INTER_AREA)


def draw_ball(picture: np.ndarray, ball: np.ndarray, x: float, y: float, angle: float) -> None:
    y_grid, x_grid = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    dx, dy = (x_grid - x) / RADIUS, (y_grid - y) / RADIUS
    radius = np.hypot(dx, dy)
    cos, sin = np.cos(angle), np.sin(angle)
    u = (dx * cos + dy * sin + 1) * RADIUS
    v = (dy * cos - dx * sin + 1) * RADIUS
    maps = u.astype(np.float32), v.astype(np.float32)
    surface = cv2.remap(ball, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    shade = 1.15 - 0.75 * np.clip(np.hypot(dx + 0.35, dy + 0.4), 0, 1.4) ** 2
    cover = np.clip((1 - radius) * RADIUS + 0.5, 0, 1)[..., None]
    picture += cover.astype(np.float32) * (
        np.clip(surface * shade[..., None], 0, 255).astype(np.float32) - picture
    )


def make_frame(scene: np.ndarray, ball: np.ndarray, t: int) -> np.ndarray:
    left = 40 + 3.2 * t
    top = 58 + 3 * np.sin(t / 9)
    shift = np.float32([[1, 0, -left], [0, 1, -top]])
    picture = cv2.warpAffine(scene, shift, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
    x = 470 - 7.0 * t
    draw_ball(picture, ball, x + 3, 196 - abs(26 * np.cos(t / 5)), -t * 7.0 / RADIUS)
    grain = np.random.default_rng(t).normal(0, 1.5, picture.shape)
    return np.clip(picture + grain, 0, 255).round().astype(np.uint8)


def make_sound() -> np.ndarray:
    """A low rumble with a knock at each bounce, (samples,) int16."""
    rng = np.random.default_rng(0)
    count = RATE * FRAMES // FPS
    rumble = np.convolve(rng.normal(0, 1, count), np.ones(200) / 200, "same")
    sound = 0.4 * rumble
    for t in range(FRAMES):
        if abs(np.cos(t / 5)) < 0.1:
            start = t * RATE // FPS
            tail = np.arange(min(6000, count - start))
            sound[start : start + len(tail)] += np.sin(tail * 0.02) * np.exp(-tail / 900) * 0.5
    return np.clip(sound * 20000, -32768, 32767).astype(np.int16)


def main() -> None:
    textures, target = Path(sys.argv[1]), Path(sys.argv[2])
    scene, ball = make_scene(textures), make_ball(textures)
    with av.open(str(target), "w", options={"fflags": "+bitexact"}) as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.options = {"crf": "23", "preset": "slow"}
        audio = container.add_stream("aac", rate=RATE, layout="mono", bit_rate=48000)
        for t in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(make_frame(scene, ball, t), format="bgr24")
            frame.pts, frame.time_base = t, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        sound = make_sound()
        for start in range(0, len(sound), 1024):
            block = av.AudioFrame.from_ndarray(
                sound[None, start : start + 1024], format="s16", layout="mono"
            )
            block.sample_rate, block.pts, block.time_base = RATE, start, Fraction(1, RATE)
            container.mux(audio.encode(block))
        container.mux(audio.encode())


if __name__ == "__main__":
    main()
