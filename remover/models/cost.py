"""What the networks compute, in floating-point operations; pure.

A multiplication and an addition count as two. Only matrix products and convolutions are counted.
"""

import math
from dataclasses import dataclass

from remover.models.config import DiTConfig


def dit_flop(config: DiTConfig, frames: int, height: int, width: int) -> int:
    """Operations of one velocity.

    Args:
        config: The network's.
        frames: Latent frames.
        height: Rows of the latent grid.
        width: Columns of the latent grid.
    """
    patch = math.prod(config.patch_size)
    tokens, d = frames * height * width // patch, config.width
    seen = tokens + config.num_contrast_tokens
    projections = 2 * tokens * d * d + 2 * seen * d * d  # query and output; key and value
    attention = 2 * tokens * seen * d
    feed_forward = 2 * tokens * d * config.ffn_dim
    ends = tokens * d * patch * (config.in_channels + config.out_channels)
    return 2 * (config.num_layers * (projections + attention + feed_forward) + ends)


@dataclass(frozen=True, slots=True)
class _Half:
    """Operations by pixel of one half of the VAE, the first frame and each four that follow."""

    first: float
    following: float


# Counted on Wan 2.1's VAE at 480x832: 2.7 and 4.4 TFLOP for one frame, 163.8 and 275.4 for 81.
_ENCODER = _Half(2.7e12 / (480 * 832), (163.8e12 - 2.7e12) / 20 / (480 * 832))
_DECODER = _Half(4.4e12 / (480 * 832), (275.4e12 - 4.4e12) / 20 / (480 * 832))


def encode_flop(frames: int, height: int, width: int) -> float:
    """Operations to encode one video with Wan 2.1's VAE at its released size, within 1 %.

    Args:
        frames: Of the video, 1 + 4k.
        height: In pixels.
        width: In pixels.
    """
    return _flop(_ENCODER, frames, height, width)


def decode_flop(frames: int, height: int, width: int) -> float:
    """Operations to decode one video; see ``encode_flop``."""
    return _flop(_DECODER, frames, height, width)


def _flop(half: _Half, frames: int, height: int, width: int) -> float:
    return height * width * (half.first + half.following * ((frames - 1) // 4))
