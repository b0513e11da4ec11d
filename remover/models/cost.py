"""What the networks compute, in floating-point operations; pure.

A multiplication and an addition count as two. Only matrix products and convolutions are counted.
"""

import math
from collections.abc import Callable, Iterator

from remover.models.config import AnyVaeConfig, DiTConfig, VaeConfig
from remover.models.layers import Conv, decoder_convs, encoder_convs


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


def encode_flop(frames: int, height: int, width: int, config: AnyVaeConfig | None = None) -> int:
    """Operations to encode one video.

    Convolutions count as they are written: Winograd's form does fewer.

    Args:
        frames: Of the video, 1 + 4k.
        height: In pixels.
        width: In pixels.
        config: The network's; None is the released one.
    """
    return _vae_flop(encoder_convs, frames, height * width, config or VaeConfig())


def decode_flop(frames: int, height: int, width: int, config: AnyVaeConfig | None = None) -> int:
    """Operations to decode one video; see ``encode_flop``."""
    return _vae_flop(decoder_convs, frames, height * width, config or VaeConfig())


def _vae_flop(
    half: Callable[..., Iterator[Conv]], frames: int, pixels: int, config: AnyVaeConfig
) -> int:
    """Operations for the first frame, which is alone, and for the groups that follow."""
    first, following = (
        sum(
            conv.taps * conv.frames * (pixels // conv.scale**2)
            for conv in half(config, is_first=is_first)
        )
        for is_first in (True, False)
    )
    num_groups = (frames - 1) // config.group
    seen = pixels // config.scale**2
    attention = 0
    if isinstance(config, VaeConfig):
        attention = 2 * seen**2 * config.base_dim * config.dim_mult[-1]
    return 2 * (first + attention + num_groups * (following + attention))
