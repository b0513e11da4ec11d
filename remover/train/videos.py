"""Videos of samples, to be played in a browser."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from remover.video import write_frames

SMALL = 256
"""Pixels of the shorter side below which every pixel is written as four."""


def write_video(path: Path, frames: npt.NDArray[np.uint8], fps: float) -> None:
    """Write a clip as an MP4 file that browsers play.

    H.264 there has half the resolution for colour, which blurs small pictures, and even sides.
    Small or odd pictures are therefore doubled, pixel by pixel, and lose nothing.

    Args:
        path: The file; what was there is replaced.
        frames: R'G'B' (T, H, W, 3), one frame at least.
        fps: Frames a second.

    Raises:
        OutputError: The encoder or the disk refuses.
    """
    height, width = frames.shape[1:3]
    doubles = min(height, width) < SMALL or height % 2 == 1 or width % 2 == 1
    write_frames(path, _doubled(frames) if doubles else frames, fps)


def _doubled(frames: npt.NDArray[np.uint8]) -> Iterator[npt.NDArray[np.uint8]]:
    for frame in frames:
        yield frame.repeat(2, axis=0).repeat(2, axis=1)
