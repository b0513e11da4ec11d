"""A small video autoencoder for the training presets: groups of frames, each on its own.

The layout of latents is Wan's: an eighth of the size, the first frame alone, then four frames a
latent frame; so windows, crops and the transformer need not know which of both it is. A group is a
picture of 12 channels to two-dimensional convolutions, the first frame being repeated to fill one.
Nothing is carried from group to group, so that any division of a video gives the same numbers.

Legend: ``B`` batch, ``C`` colour, ``T H W`` frames and pixels, ``Z`` latent channels, ``t h w``
latent grid.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from remover.models.config import COLOURS, TinyConfig
from remover.models.latents import Normalising
from remover.models.stream import Stream
from remover.types import Rect, Size

FIRST, SECOND = 4, 2
"""What the sides are divided by, in two steps."""


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, width: int) -> None:
        """Build the layers at random."""
        super().__init__()
        self.conv_1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, h, w) to the same."""
        inner = functional.silu(self.conv_1(functional.silu(x)))
        changed: Tensor = x + self.conv_2(inner)
        return changed


class TinyVae(Normalising):
    """The autoencoder, for videos of 1 + 4k frames with sides that are multiples of 8."""

    config: TinyConfig

    def __init__(self, config: TinyConfig) -> None:
        """Build the layers at random."""
        super().__init__()
        self.config = config
        group, width = config.group * COLOURS, config.width
        wide, latent = 2 * width, config.z_dim
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(FIRST),
            nn.Conv2d(group * FIRST**2, width, 3, padding=1),
            Residual(width),
            nn.PixelUnshuffle(SECOND),
            nn.Conv2d(width * SECOND**2, wide, 1),
            Residual(wide),
            Residual(wide),
            nn.Conv2d(wide, latent, 1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(latent, wide, 3, padding=1),
            Residual(wide),
            Residual(wide),
            nn.Conv2d(wide, width * SECOND**2, 1),
            nn.PixelShuffle(SECOND),
            Residual(width),
            nn.Conv2d(width, group * FIRST**2, 3, padding=1),
            nn.PixelShuffle(FIRST),
        )

    @property
    def weight(self) -> Tensor:
        """A parameter, which has the device and the dtype of all of them."""
        first = self.encoder[1].weight
        assert isinstance(first, Tensor)
        return first

    def encode(self, video_BCTHW: Tensor, stream: Stream) -> Tensor:
        """The normalised latents (B, Z, t, h, w) of all groups of frames that are complete.

        Args:
            video_BCTHW: The next frames, any number, in [-1, 1].
            stream: The video's own. Its rectangle saves nothing here.

        Raises:
            ValueError: A side is no multiple of 8.
        """
        size = Size(*video_BCTHW.shape[3:])
        scale = self.config.scale
        if size.height % scale or size.width % scale:
            raise ValueError(f"sides of {size} are no multiples of {scale}")
        pieces = stream.groups(video_BCTHW, self.config.group)
        if not pieces:
            empty = (self.config.z_dim, 0, size.height // scale, size.width // scale)
            return video_BCTHW.new_empty(len(video_BCTHW), *empty)
        with torch.no_grad():
            found = [self.latents(piece) for piece in pieces]
        return self.normalised(torch.stack(found, dim=2))

    def decode(self, latents_BZthw: Tensor, stream: Stream) -> Tensor:
        """The frames (B, C, T, H, W) in [-1, 1] of the next latents; see ``WanVae.decode``."""
        height, width = (side * self.config.scale for side in latents_BZthw.shape[3:])
        rect = stream.part_of(Size(height, width)) or Rect(0, 0, height, width)
        frames = []
        is_first = not stream.is_begun
        with torch.no_grad():
            for piece in stream.groups(self.denormalised(latents_BZthw), 1):
                pixels = self.pictures(piece[:, :, 0], is_first=is_first).clamp(-1, 1)
                frames.append(pixels[..., rect.top : rect.bottom, rect.left : rect.right])
                is_first = False
        return torch.cat(frames, dim=2)

    def latents(self, group_BCTHW: Tensor) -> Tensor:
        """One group of frames, the first alone or four, to latents as they are, (B, Z, h, w)."""
        video = group_BCTHW
        if video.shape[2] == 1:
            video = video.expand(-1, -1, self.config.group, -1, -1)
        found: Tensor = self.encoder(video.flatten(1, 2))
        return found

    def pictures(self, latents_BZhw: Tensor, *, is_first: bool) -> Tensor:
        """The inverse of ``latents``: (B, C, 1 or 4, H, W), in [-1, 1] but for errors."""
        wide = self.decoder(latents_BZhw).unflatten(1, (COLOURS, self.config.group))
        video: Tensor = wide.mean(2, keepdim=True) if is_first else wide
        return video
