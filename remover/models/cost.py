"""What the networks compute, in floating-point operations; pure.

A multiplication and an addition count as two. Only matrix products and convolutions are counted.
"""

import math
from collections.abc import Callable

from remover.models.config import COLOURS, DiTConfig, VaeConfig


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


def encode_flop(frames: int, height: int, width: int, config: VaeConfig | None = None) -> int:
    """Operations to encode one video.

    Convolutions count as they are written: Winograd's form does fewer.

    Args:
        frames: Of the video, 1 + 4k.
        height: In pixels.
        width: In pixels.
        config: The network's; None is the released one.
    """
    return _by_group(_encoder, frames, height * width, config)


def decode_flop(frames: int, height: int, width: int, config: VaeConfig | None = None) -> int:
    """Operations to decode one video; see ``encode_flop``."""
    return _by_group(_decoder, frames, height * width, config)


def _by_group(
    count: Callable[[VaeConfig, int, int], int], frames: int, pixels: int, config: VaeConfig | None
) -> int:
    """Operations for the first frame, which is alone, and for the groups that follow."""
    config = config or VaeConfig()
    following = (frames - 1) // config.group
    return 2 * (count(config, 1, pixels) + following * count(config, config.group, pixels))


def _encoder(config: VaeConfig, frames: int, pixels: int) -> int:
    """Multiplications to encode the first frame, or the ``config.group`` frames of another."""
    widths = [config.base_dim * factor for factor in config.dim_mult]
    total, num_in, is_first = frames * pixels * 27 * COLOURS * widths[0], widths[0], frames == 1
    for width, halves_time in zip(widths, (*config.temperal_downsample, None), strict=True):
        total += frames * pixels * _residual(num_in, width, config.num_res_blocks)
        num_in = width
        if halves_time is not None:
            pixels //= 4
            total += frames * pixels * 9 * width**2
        if halves_time and not is_first:
            frames //= 2
            total += frames * pixels * 3 * width**2
    ends = 27 * num_in * 2 * config.z_dim + (2 * config.z_dim) ** 2
    return total + frames * (_middle(num_in, pixels) + pixels * ends)


def _decoder(config: VaeConfig, frames: int, pixels: int) -> int:
    """Multiplications to decode a latent frame into that many frames of ``pixels``."""
    widths = [config.base_dim * factor for factor in reversed(config.dim_mult)]
    pixels, is_first, frames = pixels // config.scale**2, frames == 1, 1
    num_in = widths[0]
    total = pixels * (config.z_dim**2 + 27 * config.z_dim * num_in) + _middle(num_in, pixels)
    for width, doubles_time in zip(
        widths, (*reversed(config.temperal_downsample), None), strict=True
    ):
        total += frames * pixels * _residual(num_in, width, config.num_res_blocks + 1)
        num_in = width // 2
        if doubles_time and not is_first:
            total += frames * pixels * 3 * width * 2 * width
            frames *= 2
        if doubles_time is not None:
            pixels *= 4
            total += frames * pixels * 9 * width * num_in
    return total + frames * pixels * 27 * widths[-1] * COLOURS


def _residual(num_in: int, width: int, num_blocks: int) -> int:
    """Multiplications by pixel of residual blocks; the first may change the width."""
    shortcut = num_in * width if num_in != width else 0
    return 27 * (num_in * width + (2 * num_blocks - 1) * width**2) + shortcut


def _middle(width: int, pixels: int) -> int:
    """Multiplications by frame of the block that sees a frame as a whole."""
    projections = 4 * width**2
    return pixels * (_residual(width, width, 2) + projections) + 2 * pixels**2 * width
