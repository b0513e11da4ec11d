"""The shape of the transformer, as its checkpoint states it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from remover.errors import WeightsError

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
