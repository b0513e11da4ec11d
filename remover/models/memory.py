"""How many weights the networks have, and what memory they take while they compute; pure.

Bytes are upper estimates: what PyTorch holds at the worst moment, and an allowance for what
allocators and libraries hold beside it. The factors count the tensors that are alive at once; they
were read from the networks and are held against what PyTorch allocates.
"""

import math
from collections.abc import Iterator

from remover.models.config import (
    COLOURS,
    FEED_TOKENS,
    WINOGRAD_CHANNELS,
    AnyVaeConfig,
    DiTConfig,
)
from remover.models.layers import Conv, decoder_convs, encoder_convs

VAE_ALLOWANCE = 768 << 20
"""Measured in float32 on two CPU threads with glibc's allocator, 160x256 to 320x544 pixels: the
resident size grew by 190 to 740 MiB more than the tensors, with no clear dependence on the size."""

DIT_ALLOWANCE = 64 << 20
"""The same for the transformer at 2048 to 16384 tokens: 0 to 60 MiB."""

_FLOAT32 = 4


def vae_parameters(config: AnyVaeConfig) -> int:
    """Weights of the autoencoder, both halves."""
    convs = (*encoder_convs(config, is_first=False), *decoder_convs(config, is_first=False))
    return sum(conv.taps + conv.num_out + conv.is_normed * conv.num_in for conv in convs)


def dit_parameters(config: DiTConfig) -> int:
    """Weights of the transformer."""
    d, inner, patch = config.width, config.ffn_dim, math.prod(config.patch_size)
    ends = (config.in_channels * patch + 1) * d + (d + 1) * config.out_channels * patch + 2 * d
    time = (config.freq_dim + 1) * d + 7 * (d + 1) * d
    attention = 4 * (d + 1) * d + 2 * d
    feed_forward = (d + 1) * inner + (inner + 1) * d
    tokens = config.num_contrast_tokens
    contrast = 2 * d + (d + 1) * tokens * d if tokens else 0
    return ends + time + contrast + config.num_layers * (attention + feed_forward + 6 * d)


def vae_bytes(config: AnyVaeConfig, height: int, width: int, itemsize: int) -> int:
    """Memory to encode two videos one after the other, then to decode one, without the weights.

    It does not depend on the length, as long as frames come and go by the group. In float32 the
    transformed taps of Winograd's form are counted, which a GPU does without.

    Args:
        config: The network's.
        height: In pixels.
        width: In pixels.
        itemsize: Bytes of a number: 4, or 2 in half precision.
    """
    halves = (encoder_convs, decoder_convs)
    pixels = height * width
    most = max(_half_bytes(half(config, is_first=False), pixels, itemsize) for half in halves)
    frames = (1 + config.group) * pixels * (3 * COLOURS * itemsize + _FLOAT32)  # and their norms
    return most + frames + VAE_ALLOWANCE


def _half_bytes(convs: Iterator[Conv], pixels: int, itemsize: int) -> int:
    """What is kept between groups of frames, and the most that a layer works with."""
    kept, working = 0, 0
    for conv in convs:
        results = pixels // conv.scale**2
        samples = results * 4 if conv.halves else results
        kept += itemsize * conv.past * samples * conv.num_in
        if itemsize == _FLOAT32:
            kept += _transformed_bytes(conv)
        working = max(working, _working_bytes(conv, samples, results, itemsize))
    return kept + working


def _working_bytes(conv: Conv, samples: int, results: int, itemsize: int) -> int:
    """What is alive while a convolution works.

    Where it is normed: what the block was given, its shortcut and what is between its convolutions,
    and the past and present frames twice in float32, or once so and twice in half precision.
    """
    given = samples * conv.num_in
    made = conv.frames * results * conv.num_out
    if conv.is_normed:
        beside = 3 * conv.frames * results * max(conv.num_in, conv.num_out)
        return itemsize * beside + 8 * (conv.frames + conv.past) * given
    return itemsize * 4 * (made + given)


def _transformed_bytes(conv: Conv) -> int:
    is_wide = min(conv.num_in, conv.num_out) >= WINOGRAD_CHANNELS
    is_transformed = conv.side == 3 and not conv.halves and is_wide
    return 4 * _FLOAT32 * conv.taps if is_transformed else 0


def dit_bytes(config: DiTConfig, frames: int, height: int, width: int, itemsize: int) -> int:
    """Memory of one velocity and of the solver that asks for it, without the weights.

    Args:
        config: The network's.
        frames: Latent frames.
        height: Rows of the latent grid.
        width: Columns of the latent grid.
        itemsize: Bytes of a number: 4, or 2 in half precision.
    """
    patch, d = math.prod(config.patch_size), config.width
    tokens = frames * height * width // patch
    attention = tokens * d * _attention_bytes(config, itemsize)
    chunk = min(tokens, FEED_TOKENS)
    feed_forward = itemsize * (3 * tokens * d + chunk * (config.ffn_dim + d))
    table = 4 * tokens * config.attention_head_dim
    latents = itemsize * patch * tokens * (config.in_channels + 3 * config.out_channels)
    solver = 10 * _FLOAT32 * patch * tokens * config.out_channels
    cast = max(itemsize * d * config.ffn_dim, _FLOAT32 * d * d)
    rest = table + latents + solver + cast + 2 * _FLOAT32 * 6 * d  # and the modulation of a block
    return max(attention, feed_forward) + rest + DIT_ALLOWANCE


def _attention_bytes(config: DiTConfig, itemsize: int) -> int:
    """For each channel of a token: the residual, its norm, query, key, value and what is seen.

    In half precision more is alive where the key is turned, in float32. Contrast tokens cost a
    copy of the values.
    """
    seen = itemsize * (6 + (config.num_contrast_tokens > 0))
    return seen if itemsize == _FLOAT32 else max(seen, 5 * itemsize + 2 * _FLOAT32)
