"""A small SAM 2 with random weights, and something for it to look at."""

from collections.abc import Iterator

import cv2
import numpy as np
import torch

from remover.segment import sam2
from remover.types import Size

SMALL = sam2.Config(16, 1, (1, 1, 2, 1), (3,), image_size=128, width=64, memory_width=16)
SIZE = Size(90, 140)
BOX = (30.0, 20.0, 90.0, 70.0)


class Noise:
    """Blobs that drift over noise; implements ``Pictures``."""

    def __init__(self, num_frames: int, *, dtype=np.uint8):
        self.num_frames, self.size, self.dtype = num_frames, SIZE, dtype
        self.reads: list[tuple[int, int]] = []

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        self.reads.append((start, stop))
        for index in range(start, stop):
            rng = np.random.default_rng(index)
            picture = rng.integers(60, 120, (*SIZE, 3)).astype(np.uint8)
            cv2.circle(picture, (50 + index, 45), 22, (220, 60, 30), -1)
            yield picture if self.dtype == np.uint8 else picture.astype(np.uint16) * 257


def build() -> sam2.Network:
    """A small network that takes every object to be in the picture."""
    with torch.random.fork_rng():
        torch.manual_seed(4)
        built = sam2.build(SMALL)
    with torch.no_grad():
        built.predictor.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(3.0)
    return built
