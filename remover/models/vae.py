"""Wan 2.1's causal video autoencoder: pictures to latents an eighth of the size, and back.

The network of "Wan: Open and Advanced Large-Scale Video Generative Models" (arXiv 2503.20314),
section 4.1, with the parameter names of its release in diffusers' layout (``AutoencoderKLWan``), so
that ``load_state_dict(strict=True)`` reads the released file. The first frame has a latent frame of
its own, then every four have one. Frames are encoded and decoded in these groups whatever the
pieces are in which they come: any division of a video gives the same numbers, bit for bit.

Legend: ``B`` batch, ``C`` colour, ``T H W`` frames and pixels, ``Z`` latent channels, ``t h w``
latent grid, ``D`` features. Inside, features are (B, T, H, W, D).
"""

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from remover.models.blocks import Downsampler, Middle, ResidualBlock, Upsampler
from remover.models.causal import Cache, CausalConv3d, RmsNorm
from remover.models.config import COLOURS, VaeConfig
from remover.models.latents import Normalising
from remover.models.near import Reach, constant_reach, decoder_reach, encoder_reach
from remover.models.stream import Stream
from remover.types import Rect, Size


class Encoder(nn.Module):
    """Pictures to the mean and the logarithm of the variance of their latents."""

    def __init__(self, config: VaeConfig) -> None:
        """Build the layers at random."""
        super().__init__()
        widths = [config.base_dim * factor for factor in config.dim_mult]
        self.num_sizes = len(widths)
        self.conv_in = CausalConv3d(COLOURS, widths[0])
        self.down_blocks = nn.ModuleList()
        num_in = widths[0]
        for index, width in enumerate(widths):
            for _ in range(config.num_res_blocks):
                self.down_blocks.append(ResidualBlock(num_in, width))
                num_in = width
            if index < len(config.temperal_downsample):
                halves_time = config.temperal_downsample[index]
                self.down_blocks.append(Downsampler(width, halves_time=halves_time))
        self.mid_block = Middle(num_in)
        self.norm_out = RmsNorm(num_in)
        self.conv_out = CausalConv3d(num_in, 2 * config.z_dim)
        self._per_size = config.num_res_blocks + 1
        self.margins = tuple(
            2 * config.num_res_blocks + (index == 0) for index in range(self.num_sizes - 1)
        )
        """How far the convolutions at each size reach; the last size sees the whole frame."""

    def forward(self, features_BTHWC: Tensor, stream: Stream) -> Tensor:
        """(B, t, h, w, 2Z), of the next group of frames.

        Raises:
            ValueError: Pixels outside the stream's rectangle differ.
        """
        rect = stream.part_of(Size(*features_BTHWC.shape[2:4]))
        if rect is not None:
            return self._near(features_BTHWC, stream, rect)
        features = features_BTHWC
        for index in range(self.num_sizes - 1):
            features = self.local(index, features, stream.cache)
        return self.whole(features, stream.cache)

    def _near(self, features_BTHWC: Tensor, stream: Stream, rect: Rect) -> Tensor:
        """The same where only ``rect`` differs from a constant.

        At each size three pictures meet: the part that differs, a small constant picture, and from
        both of them what lies around the part.
        """
        size = Size(*features_BTHWC.shape[2:4])
        constant = constant_reach(size, self.margins)
        part = _part(features_BTHWC, rect)
        small = _colour_outside(features_BTHWC, rect).expand(-1, -1, *constant.small, -1)
        for index, reach in enumerate(encoder_reach(rect, size, self.margins)):
            around = constant.stretched(small, index, size, reach.read)
            _part(around, rect.moved(-reach.read.top, -reach.read.left)).copy_(part)
            part = self.local(index, around, stream.cache)
            small = self.local(index, small, stream.background)
            rect, size = reach.result, Size(size.height // 2, size.width // 2)
            part = _part(part, rect.moved(-(reach.read.top // 2), -(reach.read.left // 2)))
        whole = constant.stretched(small, self.num_sizes - 1, size, Rect(0, 0, *size))
        _part(whole, rect).copy_(part)
        return self.whole(whole, stream.cache)

    def local(self, index: int, features_BTHWD: Tensor, cache: Cache) -> Tensor:
        """The layers at one size, which see only what is near, and the halving after them."""
        features = self.conv_in(features_BTHWD, cache) if index == 0 else features_BTHWD
        start = index * self._per_size
        for block in self.down_blocks[start : start + self._per_size]:
            features = block(features, cache)
        return features

    def whole(self, features_BthwD: Tensor, cache: Cache) -> Tensor:
        """The layers at the smallest size, (B, t, h, w, 2Z)."""
        features = self.local(self.num_sizes - 1, features_BthwD, cache)
        features = self.mid_block(features, cache)
        result: Tensor = self.conv_out(features, cache, self.norm_out)
        return result


class UpBlock(nn.Module):
    """The residual blocks at one size of the decoder, and the doubling after them."""

    def __init__(self, num_in: int, num_out: int, num_blocks: int, up: Upsampler | None) -> None:
        """Build the layers at random."""
        super().__init__()
        widths = [num_in] + [num_out] * num_blocks
        self.resnets = nn.ModuleList(ResidualBlock(*pair) for pair in pairwise(widths))
        self.upsamplers = nn.ModuleList([] if up is None else [up])

    @property
    def layers(self) -> Iterator[nn.Module]:
        """Each (B, T, H, W, D) to the same or, the last, (B, T or 2T, 2H, 2W, D/2).

        They are called one by one by the decoder: a ``forward`` would keep what it was given alive
        to its end, where memory peaks.
        """
        yield from self.resnets
        yield from self.upsamplers


class Decoder(nn.Module):
    """Latents to pictures."""

    def __init__(self, config: VaeConfig) -> None:
        """Build the layers at random."""
        super().__init__()
        widths = [config.base_dim * factor for factor in reversed(config.dim_mult)]
        num_blocks = config.num_res_blocks + 1
        self.conv_in = CausalConv3d(config.z_dim, widths[0])
        self.mid_block = Middle(widths[0])
        self.up_blocks = nn.ModuleList()
        num_in = widths[0]
        for width, doubles_time in zip(
            widths, (*reversed(config.temperal_downsample), None), strict=True
        ):
            up = None if doubles_time is None else Upsampler(width, doubles_time=doubles_time)
            self.up_blocks.append(UpBlock(num_in, width, num_blocks, up))
            num_in = width // 2
        self.norm_out = RmsNorm(widths[-1])
        self.conv_out = CausalConv3d(widths[-1], COLOURS)
        last = len(widths) - 1
        self.margins = tuple(2 * num_blocks + (index == last) for index in range(len(widths)))
        """How far the convolutions at each size reach, smallest size first."""

    def forward(self, latents_BthwZ: Tensor, cache: Cache, reach: list[Reach]) -> Tensor:
        """The next frames of the latents, (B, T, H, W, C).

        Args:
            latents_BthwZ: The next latent frames.
            cache: The video's own.
            reach: What each size computes; empty for whole frames.
        """
        features = self.mid_block(self.conv_in(latents_BthwZ, cache), cache)
        if reach:
            features = _part(features, reach[0].read)
        for index, block in enumerate(self.up_blocks):
            assert isinstance(block, UpBlock)
            for layer in block.layers:
                features = layer(features, cache)
            if reach and index < len(reach) - 1:
                read, result = reach[index].read, reach[index].result
                features = _part(features, result.moved(-2 * read.top, -2 * read.left))
        pixels: Tensor = self.conv_out(features, cache, self.norm_out)
        if reach:
            read, result = reach[-1].read, reach[-1].result
            pixels = _part(pixels, result.moved(-read.top, -read.left))
        return pixels


class WanVae(Normalising):
    """The autoencoder, for videos of 1 + 4k frames with sides that are multiples of 8.

    Weights may be float32, float16 or bfloat16; on a CPU float32 is by far the fastest. Neither
    method keeps gradients.
    """

    config: VaeConfig

    def __init__(self, config: VaeConfig) -> None:
        """Build the layers at random."""
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.quant_conv = nn.Conv3d(2 * config.z_dim, 2 * config.z_dim, 1)
        self.post_quant_conv = nn.Conv3d(config.z_dim, config.z_dim, 1)
        self.decoder = Decoder(config)

    @property
    def weight(self) -> Tensor:
        """A parameter, which has the device and the dtype of all of them."""
        return self.quant_conv.weight

    def encode(self, video_BCTHW: Tensor, stream: Stream) -> Tensor:
        """The normalised latents of all groups of frames that are complete.

        Args:
            video_BCTHW: The next frames, any number, in [-1, 1].
            stream: The video's own. Where it has a rectangle, all pixels of a frame outside it have
                one colour, and what follows from that is not computed; the latents are the same.

        Returns:
            (B, Z, t, h, w), the most likely latents, mean 0 and deviation 1 over many videos; t may
            be 0.

        Raises:
            ValueError: A side is no multiple of 8, or pixels outside the rectangle differ.
        """
        mean = self.moments(video_BCTHW, stream)[:, : self.config.z_dim]
        return self.normalised(mean)

    @torch.no_grad()
    def moments(self, video_BCTHW: Tensor, stream: Stream) -> Tensor:
        """Mean and logarithm of the variance of the latents as they are, (B, 2Z, t, h, w).

        Arguments and errors are those of :meth:`encode`.
        """
        size = Size(*video_BCTHW.shape[3:])
        if size.height % self.config.scale or size.width % self.config.scale:
            raise ValueError(f"sides of {size} are no multiples of {self.config.scale}")
        weight = self.quant_conv.weight.flatten(1)
        found = []
        for piece in stream.groups(video_BCTHW, self.config.group):
            pixels = piece.permute(0, 2, 3, 4, 1).contiguous()
            features = self.encoder(pixels, stream)
            found.append(functional.linear(features, weight, self.quant_conv.bias))
        if not found:
            height, width = size.height // self.config.scale, size.width // self.config.scale
            return video_BCTHW.new_empty(len(video_BCTHW), len(weight), 0, height, width)
        return torch.cat(found, dim=1).permute(0, 4, 1, 2, 3).contiguous()

    @torch.no_grad()
    def decode(self, latents_BZthw: Tensor, stream: Stream) -> Tensor:
        """The frames of the next latents.

        Args:
            latents_BZthw: Normalised, as :meth:`encode` gives them; any number of frames.
            stream: The video's own. Where it has a rectangle, only that part of the frames is
                decoded, to the same numbers.

        Returns:
            (B, C, T, H, W) in [-1, 1]; four frames a latent frame, one for the first.
        """
        scale = self.config.scale
        size = Size(scale * latents_BZthw.shape[3], scale * latents_BZthw.shape[4])
        rect = stream.part_of(size)
        reach = [] if rect is None else decoder_reach(rect, size, self.decoder.margins)
        weight = self.post_quant_conv.weight.flatten(1)
        frames = []
        for piece in stream.groups(self.denormalised(latents_BZthw), 1):
            pixels = piece.permute(0, 2, 3, 4, 1).contiguous()
            features = functional.linear(pixels, weight, self.post_quant_conv.bias)
            decoded = self.decoder(features, stream.cache, reach)
            frames.append(decoded.clamp_(-1, 1).permute(0, 4, 1, 2, 3))
        return torch.cat(frames, dim=2)


def _part(features_BTHWD: Tensor, rect: Rect) -> Tensor:
    """A view of some rows and columns."""
    return features_BTHWD[:, :, rect.top : rect.bottom, rect.left : rect.right]


def _colour_outside(features_BTHWC: Tensor, rect: Rect) -> Tensor:
    """The one colour of each frame outside ``rect``, (B, T, 1, 1, C).

    Raises:
        ValueError: There are several.
    """
    at = 0 if rect.top or rect.left else -1
    colour = features_BTHWC[:, :, at, at][:, :, None, None]
    is_same = (features_BTHWC == colour).all(-1)
    is_same[:, :, rect.top : rect.bottom, rect.left : rect.right] = True
    if not is_same.all():
        raise ValueError("pixels outside the rectangle differ")
    return colour
