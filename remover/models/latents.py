"""Latents as the transformer takes them, and as an autoencoder makes them.

Legend: ``B`` batch, ``Z`` latent channels, ``t h w`` latent grid.
"""

from torch import Tensor, nn

from remover.models.config import AnyVaeConfig


class Normalising(nn.Module):
    """What both autoencoders know of the statistics of their latents.

    Attributes:
        config: With the mean and the deviation of each latent channel.
    """

    config: AnyVaeConfig

    def normalised(self, latents_BZthw: Tensor) -> Tensor:
        """Latents as the transformer takes them: mean 0 and deviation 1 over many videos."""
        mean, deviation = self._statistics(latents_BZthw)
        return (latents_BZthw - mean) / deviation

    def denormalised(self, latents_BZthw: Tensor) -> Tensor:
        """The inverse of :meth:`normalised`."""
        mean, deviation = self._statistics(latents_BZthw)
        return latents_BZthw * deviation + mean

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        mean, deviation = self.config.latents_mean, self.config.latents_std
        shape = (1, -1, 1, 1, 1)
        return like.new_tensor(mean).view(shape), like.new_tensor(deviation).view(shape)
