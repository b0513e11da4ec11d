"""What a network is trained on: one sample, as tensors.

Legend: ``Z`` latent channels, ``t h w`` latent grid.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Sample:
    """Latents of one clip with one mask, float32, normalised, each (Z, t, h, w)."""

    key: str
    """Unique in its data set, as ``00000012-1``: the clip's number, then which of its masks."""
    clean: Tensor
    """Of the original video."""
    masked: Tensor
    """Of the video with mid-grey in the hole."""
    mask: Tensor
    """Of the mask as a video, 1 in the hole and -1 elsewhere."""
    contrast: int
    """A ``models.dit.Contrast``: to remove under unrelated masks, to generate under own ones."""
    accepted: Tensor | None = None
    """Of a result of the first stage, where there is one."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(Z, t, h, w)."""
        channels, frames, height, width = self.clean.shape
        return channels, frames, height, width
