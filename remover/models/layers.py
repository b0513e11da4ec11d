"""The autoencoder's convolutions as a list, without building the network; pure.

What it costs, what it weighs and what memory it takes are sums over these lists.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from remover.models.config import COLOURS, AnyVaeConfig, TinyConfig, VaeConfig


@dataclass(frozen=True, slots=True)
class Conv:
    """One convolution, as it works on one group of frames."""

    num_in: int
    num_out: int
    time: int
    """Taps in time."""
    side: int
    """Taps in height and in width."""
    frames: int
    """How many it makes; 0 where the first frame passes it by."""
    scale: int
    """Pixels of the picture on a side of one of its results."""
    past: int = 0
    """Frames of its input that are kept for the next group."""
    is_normed: bool = False
    """Whether its input is normed first, with a gain for each channel."""
    halves: bool = False
    """Whether its input is twice as high and wide."""

    @property
    def taps(self) -> int:
        """Weights, less the bias."""
        return self.num_in * self.num_out * self.time * self.side**2


def encoder_convs(config: AnyVaeConfig, *, is_first: bool) -> Iterator[Conv]:
    """Those of the encoder, and the one after it, in order.

    Args:
        config: The network's.
        is_first: Whether the group is the first frame alone.
    """
    if isinstance(config, TinyConfig):
        yield from _tiny_convs(config, is_decoder=False)
    else:
        yield from _wan_encoder_convs(config, is_first=is_first)


def decoder_convs(config: AnyVaeConfig, *, is_first: bool) -> Iterator[Conv]:
    """Those of the decoder, and the one before it; see ``encoder_convs``."""
    if isinstance(config, TinyConfig):
        yield from _tiny_convs(config, is_decoder=True)
    else:
        yield from _wan_decoder_convs(config, is_first=is_first)


def _wan_encoder_convs(config: VaeConfig, *, is_first: bool) -> Iterator[Conv]:
    frames, scale = 1 if is_first else config.group, 1
    num_in = config.base_dim * config.dim_mult[0]
    yield _causal(COLOURS, num_in, frames, scale)
    for factor, halves_time in zip(
        config.dim_mult, (*config.temperal_downsample, None), strict=True
    ):
        width = config.base_dim * factor
        yield from _residual(num_in, width, config.num_res_blocks, frames, scale)
        num_in = width
        if halves_time is not None:
            scale *= 2
            yield Conv(width, width, 1, 3, frames, scale, halves=True)
        if halves_time:
            frames = frames if is_first else frames // 2
            yield Conv(width, width, 3, 1, 0 if is_first else frames, scale, past=1)
    yield from _middle(num_in, frames, scale)
    yield _causal(num_in, 2 * config.z_dim, frames, scale, is_normed=True)
    yield Conv(2 * config.z_dim, 2 * config.z_dim, 1, 1, frames, scale)


def _wan_decoder_convs(config: VaeConfig, *, is_first: bool) -> Iterator[Conv]:
    widths = [config.base_dim * factor for factor in reversed(config.dim_mult)]
    frames, scale, num_in = 1, config.scale, widths[0]
    yield Conv(config.z_dim, config.z_dim, 1, 1, frames, scale)
    yield _causal(config.z_dim, num_in, frames, scale)
    yield from _middle(num_in, frames, scale)
    for width, doubles_time in zip(
        widths, (*reversed(config.temperal_downsample), None), strict=True
    ):
        yield from _residual(num_in, width, config.num_res_blocks + 1, frames, scale)
        num_in = width // 2
        if doubles_time:
            yield Conv(width, 2 * width, 3, 1, 0 if is_first else frames, scale, past=2)
            frames = frames if is_first else 2 * frames
        if doubles_time is not None:
            scale //= 2
            yield Conv(width, num_in, 1, 3, frames, scale)
    yield _causal(widths[-1], COLOURS, frames, scale, is_normed=True)


def _causal(num_in: int, num_out: int, frames: int, scale: int, *, is_normed: bool = False) -> Conv:
    return Conv(num_in, num_out, 3, 3, frames, scale, past=2, is_normed=is_normed)


def _residual(num_in: int, width: int, num_blocks: int, frames: int, scale: int) -> Iterator[Conv]:
    """Those of residual blocks, the first of which may change the width."""
    for _ in range(num_blocks):
        if num_in != width:
            yield Conv(num_in, width, 1, 1, frames, scale)
        yield _causal(num_in, width, frames, scale, is_normed=True)
        yield _causal(width, width, frames, scale, is_normed=True)
        num_in = width


def _middle(width: int, frames: int, scale: int) -> Iterator[Conv]:
    """Those of the block that sees a frame as a whole; its attention is no convolution."""
    yield from _residual(width, width, 1, frames, scale)
    yield Conv(width, 3 * width, 1, 1, frames, scale, is_normed=True)
    yield Conv(width, width, 1, 1, frames, scale)
    yield from _residual(width, width, 1, frames, scale)


def _tiny_convs(config: TinyConfig, *, is_decoder: bool) -> Iterator[Conv]:
    """Those of one half of the small autoencoder, for which a group is one picture."""
    ends, quarter, eighth = config.group * COLOURS * 16, config.width, 2 * config.width
    inner = 3 if is_decoder else 1
    across = ((ends, quarter, 3, 4), (4 * quarter, eighth, 1, 8), (eighth, config.z_dim, inner, 8))
    for outer, near, side, scale in across:
        num_in, num_out = (near, outer) if is_decoder else (outer, near)
        yield Conv(num_in, num_out, 1, side, 1, scale)
    yield from (Conv(quarter, quarter, 1, 3, 1, 4) for _ in range(2))
    yield from (Conv(eighth, eighth, 1, 3, 1, 8) for _ in range(4))
