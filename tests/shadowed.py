"""Small clips of a thing that goes over textured ground with its shadow, and their truth."""

from dataclasses import dataclass

import cv2
import numpy as np

HEIGHT, WIDTH = 120, 176


@dataclass(frozen=True)
class Scene:
    """Pictures (H, W, 3) and masks (H, W) by frame."""

    frames: list[np.ndarray]
    clean: list[np.ndarray]
    masks: list[np.ndarray]
    shadows: list[np.ndarray]
    """(H, W): share of the light that is left."""


def ground(height: int, width: int, seed: int = 3) -> np.ndarray:
    """A floor with large and small patches, 60 to 230 levels."""
    rng = np.random.default_rng(seed)
    total = np.full((height, width, 3), 150.0, np.float32)
    for cell, contrast in ((2, 6), (7, 10), (40, 18)):
        noise = rng.normal(0, contrast, (height // cell + 2, width // cell + 2, 1))
        total += cv2.resize(noise.astype(np.float32), (width, height))[..., None]
    return np.clip(total * (1.0, 0.96, 0.9), 60, 230).astype(np.float32)


def scene(num: int = 30, *, pan: float = 0.0, depth: float = 0.45, moves: bool = True) -> Scene:
    """A box goes from left to right; its soft shadow lies to the right of its foot.

    Args:
        num: How many frames.
        pan: Pixels a frame by which the camera goes to the right.
        depth: Share of the light that the shadow takes.
        moves: Whether the box goes; else it stands still on the ground.
    """
    floor = ground(HEIGHT, WIDTH + int(pan * num) + 2)
    found = Scene([], [], [], [])
    for t in range(num):
        shift = np.float32([[1, 0, -pan * t], [0, 1, 0]])
        clean = cv2.warpAffine(floor, shift, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        x = 10 + (t * (WIDTH - 70) // (num - 1) if moves else 40)
        mask = np.zeros((HEIGHT, WIDTH), bool)
        mask[34:76, x : x + 22] = True
        dark = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.ellipse(dark, (x + 24, 76), (26, 7), -4, 0, 360, 1.0, -1)
        light = 1 - depth * cv2.GaussianBlur(dark, (0, 0), 1.5)
        picture = clean * light[..., None]
        picture[mask] = (200, 60, 50)
        found.frames.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
        found.clean.append(np.clip(np.rint(clean), 0, 255).astype(np.uint8))
        found.masks.append(mask)
        found.shadows.append(np.where(mask, 1, light))
    return found
