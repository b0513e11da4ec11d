"""The transformer of MiniMax-Remover: Wan 2.1's, without text and without cross-attention.

Described in "MiniMax-Remover: Taming Bad Noise Helps Video Object Removal" (arXiv 2505.24873); the
base is Wan 2.1 (arXiv 2503.20314). Attributes are spelled as in the released checkpoint, so that
strict loading is the proof of the structure.

It computes in the dtype of the latents that it is given. Weights of another dtype are cast layer by
layer, so that weights kept in bfloat16 may compute in float32. Norms, modulation and the embedding
of the timestep are float32 always.

Legend: ``B`` batch, ``Z`` latent channels, ``t h w`` latent grid, ``L`` tokens (frame by frame, row
by row), ``D`` width, ``N`` heads, ``K`` head size, ``S`` contrast tokens.
"""

import math
from enum import IntEnum
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from remover.models.attention import THETA, Attention, Linear, rotary_table
from remover.models.config import FEED_TOKENS, DiTConfig


class Contrast(IntEnum):
    """The two learned conditions of the first training stage, as indices of their embedding."""

    REMOVE = 0
    GENERATE = 1


class PatchEmbedding(nn.Conv3d):
    """Patches to tokens."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, Z, t, h, w) to (B, D, t/pt, h/ph, w/pw), in the dtype of ``x``."""
        weight, bias = self.weight.to(x.dtype), None if self.bias is None else self.bias.to(x.dtype)
        return F.conv3d(x, weight, bias, self.kernel_size)


class Modulation(NamedTuple):
    """What a timestep does to one half of a block; each (B, 1, D), float32."""

    shift: Tensor
    scale: Tensor
    gate: Tensor

    def before(self, x: Tensor, eps: float) -> Tensor:
        """``x`` (B, L, D) normed without gain, scaled and shifted, in its own dtype."""
        return _modulated(x, self.shift, self.scale, eps)

    def after(self, x: Tensor, change: Tensor) -> Tensor:
        """The residual ``x`` with the gated ``change``, both (B, L, D), in the dtype of ``x``."""
        return (change.float() * self.gate).add_(x).to(x.dtype)


def _modulated(x: Tensor, shift: Tensor, scale: Tensor, eps: float) -> Tensor:
    normed = F.layer_norm(x.float(), x.shape[-1:], eps=eps)
    return normed.mul_(1 + scale).add_(shift).to(x.dtype)


class Widening(nn.Module):
    """The first layer of the feed-forward part, with its activation."""

    def __init__(self, width: int, inner: int) -> None:
        """From ``width`` to ``inner`` channels."""
        super().__init__()
        self.proj = Linear(width, inner)

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) to (B, L, inner)."""
        widened: Tensor = torch.ops.aten.gelu_(self.proj(x), approximate="tanh")
        return widened


class FeedForward(nn.Module):
    """Two linear layers that treat each token alone."""

    def __init__(self, config: DiTConfig) -> None:
        """Build both layers; the place between them is the reference's dropout."""
        super().__init__()
        widening = Widening(config.width, config.ffn_dim)
        self.net = nn.Sequential(widening, nn.Identity(), Linear(config.ffn_dim, config.width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D), some tokens at a time."""
        if x.shape[1] <= FEED_TOKENS:
            return self._fed(x)
        fed = torch.empty_like(x)
        for start in range(0, x.shape[1], FEED_TOKENS):
            part = slice(start, start + FEED_TOKENS)
            fed[:, part] = self._fed(x[:, part])
        return fed

    def _fed(self, x: Tensor) -> Tensor:
        fed: Tensor = self.net(x)
        return fed


class Block(nn.Module):
    """Attention and feed-forward, each modulated by the timestep, gated and added."""

    def __init__(self, config: DiTConfig) -> None:
        """Build both halves and the table of the block's own modulation."""
        super().__init__()
        self.eps = config.eps
        self.attn1 = Attention(config)
        self.ffn = FeedForward(config)
        self.scale_shift_table = nn.Parameter(torch.zeros(1, 6, config.width))

    def forward(
        self, x: Tensor, time: Tensor, table: Tensor, contrast: Tensor | None = None
    ) -> Tensor:
        """One block's work.

        Args:
            x: (B, L, D).
            time: (B, 6, D): the timestep's shift, scale and gate for either half.
            table: As from ``rotary_table``, (L, K/2).
            contrast: (B, S, D), or None.

        Returns:
            (B, L, D).
        """
        parts = (self.scale_shift_table.float() + time.float()).chunk(6, dim=1)
        attention, feed = Modulation(*parts[:3]), Modulation(*parts[3:])
        x = attention.after(x, self.attn1(attention.before(x, self.eps), table, contrast))
        return feed.after(x, self.ffn(feed.before(x, self.eps)))


class TimestepMLP(nn.Module):
    """Two layers over the sinusoids of a timestep."""

    def __init__(self, frequencies: int, width: int) -> None:
        """From ``frequencies`` to ``width`` channels."""
        super().__init__()
        self.linear_1 = Linear(frequencies, width)
        self.linear_2 = Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, frequencies) to (B, D)."""
        out: Tensor = self.linear_2(F.silu(self.linear_1(x)))
        return out


class ConditionEmbedder(nn.Module):
    """A timestep as numbers: for the head, and for the modulation in every block."""

    def __init__(self, config: DiTConfig) -> None:
        """Build the embedding and its projection for the blocks."""
        super().__init__()
        self.freq_dim = config.freq_dim
        self.time_embedder = TimestepMLP(config.freq_dim, config.width)
        self.time_proj = Linear(config.width, 6 * config.width)

    def forward(self, timestep: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """The embedding (B, D) and its projection (B, 6 D), in ``dtype``.

        Args:
            timestep: (B,), from 0 to 1000.
            dtype: Of the tokens.
        """
        half = self.freq_dim // 2
        # Rounded to float32 where the reference does: at timestep 999 the last bit of a frequency
        # moves the output by 1e-5. That bit of the exponential depends on the processor.
        exponents = -math.log(THETA) * torch.arange(half).float() / half
        angles = timestep.float()[:, None] * exponents.exp().to(timestep.device)
        sinusoids = torch.cat([angles.cos(), angles.sin()], dim=-1)
        embedded = self.time_embedder(sinusoids).to(dtype)
        return embedded, self.time_proj(F.silu(embedded))


class ContrastTokens(nn.Module):
    """The learned conditions of the first training stage, shared by all blocks."""

    def __init__(self, config: DiTConfig) -> None:
        """Embed either condition and spread it over the tokens."""
        super().__init__()
        self.num_tokens = config.num_contrast_tokens
        self.embedding = nn.Embedding(len(Contrast), config.width)
        self.proj = Linear(config.width, self.num_tokens * config.width)

    def forward(self, contrast: Tensor, dtype: torch.dtype) -> Tensor:
        """Indices (B,) of ``Contrast`` to tokens (B, S, D) in ``dtype``."""
        tokens: Tensor = self.proj(F.silu(self.embedding(contrast).to(dtype)))
        return tokens.view(len(contrast), self.num_tokens, -1)


class DiT(nn.Module):
    """The velocity of noisy latents, given the masked video and the mask."""

    def __init__(self, config: DiTConfig) -> None:
        """Build the network with the framework's own initial values."""
        super().__init__()
        self.config = config
        patch, width = config.patch_size, config.width
        self.patch_embedding = PatchEmbedding(config.in_channels, width, patch, stride=patch)
        self.condition_embedder = ConditionEmbedder(config)
        if config.num_contrast_tokens:
            self.contrast_tokens = ContrastTokens(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_layers))
        self.scale_shift_table = nn.Parameter(torch.zeros(1, 2, width))
        self.proj_out = Linear(width, config.out_channels * math.prod(patch))

    def forward(self, latents: Tensor, timestep: Tensor, contrast: Tensor | None = None) -> Tensor:
        """The velocity, noise minus clean latents.

        Args:
            latents: (B, Z, t, h, w), Z being ``in_channels``: the noisy latents, those of the video
                with a gray hole, and those of the mask. Sides are multiples of the patch.
            timestep: (B,), 0 to 1000: a thousand times the share of noise.
            contrast: (B,), indices of ``Contrast``; for networks with contrast tokens only.

        Returns:
            (B, out_channels, t, h, w) in the dtype of ``latents``.

        Raises:
            ValueError: The shape does not fit, or ``contrast`` is missing or too much.
        """
        grid = self._grid(latents)
        if (contrast is None) != (self.config.num_contrast_tokens == 0):
            raise ValueError("contrast is given exactly where the network has contrast tokens")
        tokens = None if contrast is None else self.contrast_tokens(contrast, latents.dtype)
        table = rotary_table(self.config.attention_head_dim, grid, latents.device)
        embedded, time = self.condition_embedder(timestep, latents.dtype)
        x = self.patch_embedding(latents).flatten(2).transpose(1, 2).contiguous()
        for block in self.blocks:
            x = block(x, time.view(len(time), 6, -1), table, tokens)
        shift, scale = (self.scale_shift_table.float() + embedded.float()[:, None]).chunk(2, dim=1)
        x = self.proj_out(_modulated(x, shift, scale, self.config.eps))
        return self._unpatched(x, grid)

    def _grid(self, latents: Tensor) -> tuple[int, int, int]:
        """Tokens along time, height and width."""
        patch, shape = self.config.patch_size, tuple(latents.shape)
        fits = len(shape) == 5 and shape[1] == self.config.in_channels
        if not fits or any(side % step for side, step in zip(shape[2:], patch, strict=True)):
            raise ValueError(
                f"latents of shape {shape} do not fit {self.config.in_channels} channels "
                f"in patches of {patch}"
            )
        t, h, w = (side // step for side, step in zip(shape[2:], patch, strict=True))
        return t, h, w

    def _unpatched(self, x: Tensor, grid: tuple[int, int, int]) -> Tensor:
        """(B, L, patch * Z) back to (B, Z, t, h, w)."""
        x = x.view(len(x), *grid, *self.config.patch_size, -1)
        x = x.permute(0, 7, 1, 4, 2, 5, 3, 6)  # B Z t pt h ph w pw
        return x.flatten(6, 7).flatten(4, 5).flatten(2, 3)
