"""The blocks of Wan 2.1's video autoencoder, with the parameter names of its release.

Legend: ``B T H W`` batch, frames and pixels, ``D`` features. Features are (B, T, H, W, D).
"""

from torch import Tensor, nn
from torch.nn import functional

from remover.models.causal import (
    Cache,
    CausalConv3d,
    DoublingConv,
    HalvingConv,
    RmsNorm,
    TimeDoubler,
    TimeHalver,
)


class ResidualBlock(nn.Module):
    """Norm, SiLU, convolution, twice, and the input added."""

    def __init__(self, num_in: int, num_out: int) -> None:
        """Build the layers at random."""
        super().__init__()
        self.norm1 = RmsNorm(num_in)
        self.conv1 = CausalConv3d(num_in, num_out)
        self.norm2 = RmsNorm(num_out)
        self.conv2 = CausalConv3d(num_out, num_out)
        if num_in != num_out:
            self.conv_shortcut: CausalConv3d | None = CausalConv3d(num_in, num_out, (1, 1, 1))
        else:
            self.conv_shortcut = None

    def forward(self, features_BTHWD: Tensor, cache: Cache) -> Tensor:
        """(B, T, H, W, num_out)."""
        short = features_BTHWD
        if self.conv_shortcut is not None:
            weight = self.conv_shortcut.weight.flatten(1)
            short = functional.linear(short, weight, self.conv_shortcut.bias)
        inner = self.conv1(features_BTHWD, cache, self.norm1)
        result: Tensor = self.conv2(inner, cache, self.norm2, short)
        return result


class Attention(nn.Module):
    """Attention with one head among all pixels of a frame."""

    def __init__(self, num_features: int) -> None:
        """Build the layers at random."""
        super().__init__()
        self.norm = RmsNorm(num_features, num_axes=2)
        self.to_qkv = nn.Conv2d(num_features, 3 * num_features, 1)
        self.proj = nn.Conv2d(num_features, num_features, 1)

    def forward(self, features_BTHWD: Tensor) -> Tensor:
        """Same shape."""
        normed = self.norm(features_BTHWD).flatten(0, 1).flatten(1, 2)[:, None]
        qkv = functional.linear(normed, self.to_qkv.weight.flatten(1), self.to_qkv.bias)
        query, key, value = qkv.chunk(3, dim=-1)
        seen = functional.scaled_dot_product_attention(query, key, value)
        result = functional.linear(seen, self.proj.weight.flatten(1), self.proj.bias)
        return features_BTHWD + result.view_as(features_BTHWD)


class Middle(nn.Module):
    """The block in which a frame is seen as a whole."""

    def __init__(self, num_features: int) -> None:
        """Build the layers at random."""
        super().__init__()
        self.attentions = nn.ModuleList([Attention(num_features)])
        self.resnets = nn.ModuleList(ResidualBlock(num_features, num_features) for _ in range(2))

    def forward(self, features_BTHWD: Tensor, cache: Cache) -> Tensor:
        """Same shape."""
        features = self.resnets[0](features_BTHWD, cache)
        result: Tensor = self.resnets[1](self.attentions[0](features), cache)
        return result


class Downsampler(nn.Module):
    """Half the size, and half the frames where ``halves_time``."""

    def __init__(self, num_features: int, *, halves_time: bool) -> None:
        """Build the layers at random."""
        super().__init__()
        self.resample = nn.ModuleDict({"1": HalvingConv(num_features)})  # 0 was the padding
        self.time_conv = TimeHalver(num_features) if halves_time else None

    def forward(self, features_BTHWD: Tensor, cache: Cache) -> Tensor:
        """(B, T or T/2, H/2, W/2, D)."""
        features: Tensor = self.resample["1"](features_BTHWD)
        return features if self.time_conv is None else self.time_conv.halved(features, cache)


class Upsampler(nn.Module):
    """Twice the size with half the features, and twice the frames where ``doubles_time``."""

    def __init__(self, num_features: int, *, doubles_time: bool) -> None:
        """Build the layers at random."""
        super().__init__()
        conv = DoublingConv(num_features, num_features // 2)
        self.resample = nn.ModuleDict({"1": conv})  # 0 was the repeating of pixels
        self.time_conv = TimeDoubler(num_features) if doubles_time else None

    def forward(self, features_BTHWD: Tensor, cache: Cache) -> Tensor:
        """(B, T or 2T, 2H, 2W, D/2)."""
        features = features_BTHWD
        if self.time_conv is not None:
            features = self.time_conv.doubled(features, cache)
        result: Tensor = self.resample["1"](features, cache)
        return result
