"""What the transformer's blocks are made of: layers that cast, a norm, and attention in space-time.

Legend: ``B`` batch, ``L`` tokens (frame by frame, row by row), ``D`` width, ``N`` heads, ``K`` head
size, ``S`` contrast tokens.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from remover.models.config import DiTConfig

THETA = 10_000.0
"""Base of the wavelengths, of places and of timesteps."""


class Linear(nn.Linear):
    """A linear layer whose weights are cast to the dtype of what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out), in the dtype of ``x``."""
        return F.linear(x, self.weight.to(x.dtype), self.bias.to(x.dtype))


class RMSNorm(nn.Module):
    """Root mean square norm over the whole width, across heads, in float32."""

    def __init__(self, width: int, eps: float) -> None:
        """Learn a gain for each of ``width`` channels."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D), in the dtype of ``x``."""
        normed = F.rms_norm(x.float(), self.weight.shape, self.weight.float(), self.eps)
        return normed.to(x.dtype)


def rotary_table(
    head_size: int, grid: tuple[int, int, int], device: torch.device | None = None
) -> Tensor:
    """The turn of every pair of channels at every token, as (L, K/2) complex64.

    A head's pairs are split between time, height and width; a third of them, rounded down, is for
    each of height and width. Scores depend only on how far apart two tokens are, so it makes no
    difference where in a shot a window lies: its frames are counted from 0, as in training.

    Args:
        head_size: Channels of a head, even.
        grid: Tokens along time, height and width.
        device: Where the table will be used. It is computed on the CPU, in float64.
    """
    side = head_size // 6
    axes = []
    for axis, pairs in enumerate((head_size // 2 - 2 * side, side, side)):
        wavenumbers = THETA ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
        angles = torch.outer(torch.arange(grid[axis], dtype=torch.float64), wavenumbers)
        place = [1, 1, 1, pairs]
        place[axis] = grid[axis]
        axes.append(angles.view(place).expand(*grid, pairs))
    angles = torch.cat(axes, dim=-1).flatten(0, 2)
    return torch.polar(torch.ones_like(angles), angles).to(torch.complex64).to(device)


def rotated(x: Tensor, table: Tensor) -> Tensor:
    """``x`` (B, L, N, K) with each pair of neighbouring channels turned by ``table`` (L, K/2)."""
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * table.unsqueeze(1)).flatten(-2).to(x.dtype)


class Attention(nn.Module):
    """Self-attention of all tokens of a window."""

    def __init__(self, config: DiTConfig) -> None:
        """Build the four projections and two norms."""
        super().__init__()
        width = config.width
        self.num_heads = config.num_attention_heads
        self.to_q = Linear(width, width)
        self.to_k = Linear(width, width)
        self.to_v = Linear(width, width)
        self.norm_q = RMSNorm(width, config.eps)
        self.norm_k = RMSNorm(width, config.eps)
        self.to_out = nn.ModuleList([Linear(width, width)])

    def forward(self, x: Tensor, table: Tensor, contrast: Tensor | None = None) -> Tensor:
        """What each token takes from the others.

        Args:
            x: (B, L, D).
            table: As from ``rotary_table``, (L, K/2).
            contrast: (B, S, D): tokens that are only looked at, after those of the video. They have
                no place, so they are not rotated.

        Returns:
            (B, L, D).
        """
        out: Tensor = self.to_out[0](self._seen(x, table, contrast))
        return out

    def _seen(self, x: Tensor, table: Tensor, contrast: Tensor | None) -> Tensor:
        """The values that each token takes, (B, L, D)."""
        query = rotated(self._by_head(self.norm_q(self.to_q(x))), table)
        key = rotated(self._by_head(self.norm_k(self.to_k(x))), table)
        value = self._by_head(self.to_v(x))
        if contrast is not None:
            key = torch.cat([key, self._by_head(self.norm_k(self.to_k(contrast)))], dim=1)
            value = torch.cat([value, self._by_head(self.to_v(contrast))], dim=1)
        seen = F.scaled_dot_product_attention(
            query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
        )
        return seen.transpose(1, 2).flatten(2)

    def _by_head(self, x: Tensor) -> Tensor:
        """(B, L, D) to (B, L, N, K)."""
        return x.view(*x.shape[:2], self.num_heads, -1)
