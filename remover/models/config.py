"""The shapes of the two networks, as their checkpoints state them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from remover.errors import WeightsError

COLOURS = 3

FEED_TOKENS = 8192
"""Tokens that pass the feed-forward layers at once: a whole window would hold 6 times its width."""

WINOGRAD_CHANNELS = 32
"""With fewer channels the transforms of Winograd's form cost more than it saves."""

_PLAIN: Mapping[str, Any] = {
    "is_residual": False,
    "patch_size": None,
    "attn_scales": [],
    "in_channels": COLOURS,
    "out_channels": COLOURS,
    "decoder_base_dim": None,
}
"""What a configuration says that tells the network apart from Wan 2.2's and from variants."""

_FIXED: Mapping[str, object] = {"qk_norm": "rms_norm_across_heads", "added_kv_proj_dim": None}
_WITHOUT_EFFECT = frozenset({"cross_attn_norm", "rope_max_seq_len"})


@dataclass(frozen=True, slots=True)
class DiTConfig:
    """The whole shape of the network; names as in ``config.json``, values those of the release."""

    num_attention_heads: int = 12
    attention_head_dim: int = 128
    num_layers: int = 30
    ffn_dim: int = 8960
    freq_dim: int = 256
    """Size of the sinusoidal embedding of a timestep."""
    in_channels: int = 48
    """Noisy latent, latent of the masked video, latent of the mask, in this order."""
    out_channels: int = 16
    patch_size: tuple[int, int, int] = (1, 2, 2)
    """Latent frames, rows and columns of a token."""
    eps: float = 1e-6
    num_contrast_tokens: int = 0
    """Tokens of a learned condition: 6 in the first training stage, none in the release."""

    def __post_init__(self) -> None:
        """Check what the modules rely on.

        Raises:
            ValueError: A size is too small, or a head or an embedding has no pairs.
        """
        sizes = {f.name: getattr(self, f.name) for f in fields(self) if f.type is int}
        sizes |= {f"patch_size[{axis}]": size for axis, size in enumerate(self.patch_size)}
        for name, size in sizes.items():
            if not isinstance(size, int) or size < (name != "num_contrast_tokens"):
                raise ValueError(f"`{name}` is `{size}`")
        if len(self.patch_size) != 3:
            raise ValueError(f"`patch_size` is `{self.patch_size}`")
        if self.attention_head_dim % 2 or self.attention_head_dim < 6 or self.freq_dim % 2:
            raise ValueError(
                f"`attention_head_dim` {self.attention_head_dim} must be even and at least 6, "
                f"`freq_dim` {self.freq_dim} even"
            )

    @property
    def width(self) -> int:
        """Channels of a token."""
        return self.num_attention_heads * self.attention_head_dim

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> "DiTConfig":
        """The config that a checkpoint's ``transformer/config.json`` holds.

        Args:
            values: The parsed file. What it leaves out is as in the release.

        Raises:
            WeightsError: It describes another architecture.
        """
        known = {f.name for f in fields(cls)}
        given = {name: value for name, value in values.items() if not name.startswith("_")}
        for name, value in given.items():
            if name not in known and name not in _WITHOUT_EFFECT and name not in _FIXED:
                raise _other_architecture(name, value)
            if name in _FIXED and value != _FIXED[name]:
                raise _other_architecture(name, value)
        chosen = {name: value for name, value in given.items() if name in known}
        patch = chosen.get("patch_size")
        if isinstance(patch, list):
            chosen["patch_size"] = tuple(patch)
        try:
            return cls(**chosen)  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise WeightsError(
                f"the transformer's config.json cannot be used: {error}", hint=HINT
            ) from None


HINT = "give a checkpoint in the layout and of the architecture of MiniMax-Remover"


def _other_architecture(name: str, value: object) -> WeightsError:
    return WeightsError(
        f"the transformer's config.json describes another architecture: `{name}` is `{value}`",
        hint=HINT,
    )


@dataclass(frozen=True, slots=True)
class VaeConfig:
    """The shape of the network; as it stands, the released one."""

    base_dim: int = 96
    """Features of a pixel at full size."""
    dim_mult: tuple[int, ...] = (1, 2, 4, 4)
    """Features at each size, full size first, as multiples of ``base_dim``."""
    num_res_blocks: int = 2
    """Residual blocks at each size of the encoder; the decoder has one more."""
    temperal_downsample: tuple[bool, ...] = (False, True, True)
    """Whether time is halved with each halving of the size; spelt as in the release."""
    z_dim: int = 16
    latents_mean: tuple[float, ...] = (
        *(-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508),
        *(0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921),
    )
    """Of each latent channel, over many videos."""
    latents_std: tuple[float, ...] = (
        *(2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743),
        *(3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160),
    )

    def __post_init__(self) -> None:
        """Refuse shapes that do not fit together.

        Raises:
            ValueError: As said, with the numbers.
        """
        if len(self.temperal_downsample) != len(self.dim_mult) - 1:
            sizes = len(self.dim_mult)
            raise ValueError(f"{len(self.temperal_downsample)} halvings between {sizes} sizes")
        for name in ("latents_mean", "latents_std"):
            if len(getattr(self, name)) != self.z_dim:
                raise ValueError(f"{len(getattr(self, name))} values of {name} for {self.z_dim}")

    @property
    def scale(self) -> int:
        """Pixels on a side of a latent."""
        return 1 << len(self.temperal_downsample)

    @property
    def group(self) -> int:
        """Frames of a latent frame other than the first."""
        return 1 << sum(self.temperal_downsample)

    @classmethod
    def from_release(cls, values: Mapping[str, Any]) -> "VaeConfig":
        """The shape that a released ``vae/config.json`` tells.

        Args:
            values: The file's fields; what is missing is as in the first release.

        Raises:
            WeightsError: It is another kind of network, or its numbers do not fit together.
        """
        for name, value in _PLAIN.items():
            if values.get(name, value) != value:
                raise WeightsError(
                    f"the VAE's configuration has `{name}` at `{values[name]}`, not `{value}`",
                    hint="take the VAE of Wan 2.1; that of Wan 2.2 is another network",
                )
        own = {item.name for item in fields(cls)}
        kept: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in own
        }
        try:
            return cls(**kept)
        except (TypeError, ValueError) as error:
            raise WeightsError(
                f"the VAE's configuration does not fit together: `{error}`",
                hint="take `vae/config.json` from the same place as the weights",
            ) from error


TINY = "TinyVae"
"""What ``vae/config.json`` calls the small autoencoder of the training presets."""


@dataclass(frozen=True, slots=True)
class TinyConfig:
    """The shape of the small autoencoder."""

    width: int = 32
    """Channels at a quarter of the size; twice as many at an eighth."""
    z_dim: int = 16
    latents_mean: tuple[float, ...] = ()
    """Of each latent channel, over the clips that it was trained on; 0 where it is left out."""
    latents_std: tuple[float, ...] = ()
    """Likewise; 1 where it is left out."""

    def __post_init__(self) -> None:
        """Fill in the statistics, and refuse shapes that do not fit together.

        Raises:
            ValueError: As said, with the numbers.
        """
        if self.width < 1 or self.z_dim < 1:
            raise ValueError(f"width {self.width} or {self.z_dim} latent channels cannot be used")
        for name, usual in (("latents_mean", 0.0), ("latents_std", 1.0)):
            given = getattr(self, name) or (usual,) * self.z_dim
            object.__setattr__(self, name, tuple(given))
            if len(given) != self.z_dim:
                raise ValueError(f"{len(given)} values of {name} for {self.z_dim}")

    @property
    def scale(self) -> int:
        """Pixels on a side of a latent."""
        return 8

    @property
    def group(self) -> int:
        """Frames of a latent frame other than the first."""
        return 4

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TinyConfig":
        """The shape that a checkpoint's ``vae/config.json`` tells.

        Raises:
            WeightsError: It has unknown fields, or its numbers do not fit together.
        """
        kept = {name: value for name, value in values.items() if not name.startswith("_")}
        kept = {k: tuple(v) if isinstance(v, list) else v for k, v in kept.items()}
        try:
            return cls(**kept)
        except (TypeError, ValueError) as error:
            raise WeightsError(
                f"the small autoencoder's configuration cannot be used: `{error}`",
                hint="take `vae/config.json` from the same place as the weights",
            ) from error


AnyVaeConfig = VaeConfig | TinyConfig
"""Either autoencoder's shape."""


def vae_config(values: Mapping[str, Any]) -> AnyVaeConfig:
    """The autoencoder that a checkpoint's ``vae/config.json`` describes; errors of either."""
    kind = TinyConfig.from_json if values.get("_class_name") == TINY else VaeConfig.from_release
    found: AnyVaeConfig = kind(values)
    return found
