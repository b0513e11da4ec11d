"""What a training run is told: frozen values with the paper's defaults, each checked when made.

A file is TOML, with a table for each class here. ``base`` names the preset that it changes; the
presets themselves lie in ``assets/presets``. Where the paper is silent, the field says so.
"""

from dataclasses import dataclass, field

from remover.models.config import DiTConfig

LATENT = 8
"""Pixels on a side of a latent; both autoencoders have it."""
GROUP = 4
"""Frames of a latent frame other than the first."""


def check(is_good: bool, text: str) -> None:  # noqa: FBT001 - a condition, as in ``assert``
    """Refuse a value.

    Raises:
        ValueError: ``is_good`` is false; with ``text``.
    """
    if not is_good:
        raise ValueError(text)


def check_choice(name: str, value: str, known: tuple[str, ...]) -> None:
    """Refuse a word that is none of ``known``; see ``check``."""
    listed = ", ".join(f"`{word}`" for word in known)
    check(value in known, f"`{name}` is `{value}`, not one of {listed}")


@dataclass(frozen=True, slots=True)
class Network:
    """``[network]``: the transformer, and where its first weights come from."""

    num_attention_heads: int = 12
    attention_head_dim: int = 128
    num_layers: int = 30
    ffn_dim: int = 8960
    freq_dim: int = 256
    num_contrast_tokens: int = 6
    """Of stage 1; stage 2 has none."""
    start: str = "random"
    """``random``, ``wan`` (Wan 2.1 T2V, diffusers' or the original layout) or ``minimax`` (a
    checkpoint in the released layout, to fine-tune). Stage 2 takes ``--init`` before this."""
    weights: str = ""
    """Folder or file of the first weights; empty with ``minimax`` means the installed ones."""
    lora_rank: int = 0
    """Above 0 only adapters of this rank learn; ``start`` must not be ``random``."""
    lora_alpha: float = 0.0
    """Scale of the adapters; 0 is the rank."""

    def __post_init__(self) -> None:
        """Check the values; see ``check``."""
        check_choice("network.start", self.start, ("random", "wan", "minimax"))
        check(self.lora_rank >= 0, f"`network.lora_rank` is `{self.lora_rank}`, below 0")
        check(
            not self.lora_rank or self.start != "random",
            "`network.lora_rank` needs weights that were trained before: set `network.start`",
        )
        check(
            self.start != "wan" or bool(self.weights),
            "`network.start` is `wan`, but `network.weights` names no folder or file",
        )

    def shape(self, z_dim: int, *, is_stage2: bool) -> DiTConfig:
        """The transformer's shape over latents of ``z_dim`` channels."""
        return DiTConfig(
            num_attention_heads=self.num_attention_heads,
            attention_head_dim=self.attention_head_dim,
            num_layers=self.num_layers,
            ffn_dim=self.ffn_dim,
            freq_dim=self.freq_dim,
            in_channels=3 * z_dim,
            out_channels=z_dim,
            num_contrast_tokens=0 if is_stage2 else self.num_contrast_tokens,
        )


@dataclass(frozen=True, slots=True)
class Autoencoder:
    """``[autoencoder]``: what makes latents."""

    kind: str = "wan"
    """``wan``, whose weights are given, or ``tiny``, which is trained before the clips are
    encoded."""
    weights: str = ""
    """Of ``wan``: a folder with ``config.json`` and the weights, or a checkpoint, whose autoencoder
    is taken, whichever it is; empty means the installed one."""
    width: int = 32
    """Of ``tiny``: channels."""
    z_dim: int = 16
    """Of ``tiny``: latent channels."""
    steps: int = 300
    """Of ``tiny``: how long it learns."""
    batch: int = 8
    lr: float = 2e-3

    def __post_init__(self) -> None:
        """Check the values; see ``check``."""
        check_choice("autoencoder.kind", self.kind, ("wan", "tiny"))
        for name in ("width", "z_dim", "steps", "batch"):
            value = getattr(self, name)
            check(value >= 1, f"`autoencoder.{name}` is `{value}`, below 1")
        check(self.lr > 0, f"`autoencoder.lr` is `{self.lr}`, not above 0")


@dataclass(frozen=True, slots=True)
class Data:
    """``[data]``: clips, masks, and how they are put together."""

    source: str = "files"
    """``files``, ``photos`` (a moving view over photographs) or ``procedural`` (no data)."""
    folder: str = ""
    """Of ``files``: one that ``remover train check`` accepts. Of ``photos``: pictures."""
    masks: str = ""
    """Masks of other videos, for the unrelated ones; empty means those of the clips themselves, or
    made-up shapes where no clip has any."""
    clips: int = 64
    """Of ``photos`` and ``procedural``: how many are made."""
    held_out: int = 8
    """Clips that are kept from training, for evaluation."""
    frames: int = 81
    """Of a clip, 1 + 4k."""
    sizes: tuple[tuple[int, int], ...] = ((336, 592), (480, 832), (720, 1280))
    """(height, width) that clips are brought to, multiples of 16; each clip has one of them."""
    stride: int = 1
    """Every so many frames of a video are taken; the paper gives no rate."""
    repeats: int = 1
    """How often a clip is encoded, each time with another mask."""
    own: float = 0.1
    """Share of masks that are an object's own (the condition to generate), after Senorita-2M."""
    leading: float = 0.1
    """How often the first frames are shown without a mask, in stage 1."""
    leading_stage2: float = 0.0
    """The same in stage 2; the paper does not say."""
    leading_frames: int = 17
    """Most such frames, 1 + 4k; the paper gives no number."""
    dilate: tuple[int, int] = (0, 12)
    """Masks are grown by a random number of pixels in this range."""
    shard_mb: int = 256
    """Size of a shard, in megabytes of latents."""

    def __post_init__(self) -> None:
        """Check the values; see ``check``."""
        check_choice("data.source", self.source, ("files", "photos", "procedural"))
        for name in ("clips", "frames", "stride", "repeats", "shard_mb"):
            check(getattr(self, name) >= 1, f"`data.{name}` is `{getattr(self, name)}`, below 1")
        check(self.held_out >= 0, f"`data.held_out` is `{self.held_out}`, below 0")
        for name in ("frames", "leading_frames"):
            value = getattr(self, name)
            check(value % GROUP == 1, f"`data.{name}` is `{value}`, not 1 + 4k")
        for name in ("own", "leading", "leading_stage2"):
            value = getattr(self, name)
            check(0 <= value <= 1, f"`data.{name}` is `{value}`, not between 0 and 1")
        check(bool(self.sizes), "`data.sizes` is empty")
        for size in self.sizes:
            fits = len(size) == 2 and all(side >= 16 and side % 16 == 0 for side in size)
            check(fits, f"`data.sizes` has `{list(size)}`, not two multiples of 16")
        low, high = self.dilate if len(self.dilate) == 2 else (1, 0)
        check(0 <= low <= high, f"`data.dilate` is `{list(self.dilate)}`, no range of pixels")


@dataclass(frozen=True, slots=True)
class Times:
    """``[times]``: the law of the share of noise that a sample is trained at."""

    law: str = "logit-normal"
    """``logit-normal`` or ``uniform``."""
    mean: float = 0.0
    """Of the logit; the paper gives none."""
    std: float = 1.0
    """Of the logit; the paper gives none."""
    shift: float = 3.0
    """Towards noise, as the sampler's; 1 is none. The paper gives none for training."""

    def __post_init__(self) -> None:
        """Check the values; see ``check``."""
        check_choice("times.law", self.law, ("logit-normal", "uniform"))
        check(self.std > 0, f"`times.std` is `{self.std}`, not above 0")
        check(self.shift > 0, f"`times.shift` is `{self.shift}`, not above 0")


@dataclass(frozen=True, slots=True)
class Stage:
    """``[stage1]`` and ``[stage2]``: how long and how fast a stage learns; the paper's values."""

    steps: int = 10_000
    batch: int = 128
    """Samples of a step, over all processes."""
    micro_batch: int = 1
    """Samples of a forward pass of one process; the rest of its share is accumulated."""
    lr: float = 1e-5
    weight_decay: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: int = 0
    """Steps over which the rate rises from 0; the paper's is constant."""
    cooldown: int = 0
    """Last steps over which it falls to 0; the paper's is constant."""
    clip: float = 1.0
    """Norm that gradients are clipped to; the paper gives none."""
    ema: float = 0.999
    """Decay of the averaged weights, which are what is exported; 0 keeps none. The paper gives
    none."""

    def __post_init__(self) -> None:
        """Check the values; see ``check``."""
        for name in ("steps", "batch", "micro_batch"):
            check(getattr(self, name) >= 1, f"`{name}` is `{getattr(self, name)}`, below 1")
        for name in ("lr", "clip"):
            check(getattr(self, name) > 0, f"`{name}` is `{getattr(self, name)}`, not above 0")
        for name in ("weight_decay", "warmup", "cooldown"):
            check(getattr(self, name) >= 0, f"`{name}` is `{getattr(self, name)}`, below 0")
        check(0 <= self.ema < 1, f"`ema` is `{self.ema}`, not at least 0 and below 1")
        fits = len(self.betas) == 2 and all(0 <= beta < 1 for beta in self.betas)
        check(fits, f"`betas` is `{list(self.betas)}`, not two numbers of 0 to 1")
        check(
            self.warmup + self.cooldown <= self.steps,
            f"`warmup` {self.warmup} and `cooldown` {self.cooldown} exceed `steps` {self.steps}",
        )


@dataclass(frozen=True, slots=True)
class BadNoise:
    """``[bad_noise]``: the inner step of stage 2 (paper, equations 9 to 11)."""

    share: float = 1 / 3
    """Of the samples that are curated ones with bad noise; the rest is plain flow matching."""
    alpha: str = "uniform"
    """Law of how much of the noise is bad: ``uniform`` in 0 to 1, or a number; the paper gives no
    law. ``0`` trains on curated samples with random noise."""
    alpha_for: str = "sample"
    """Whether each ``sample`` or each ``batch`` draws it; the paper does not say."""
    search: str = "live"
    """Whose gradient is followed: the ``live`` weights, as the equations are written, or those of
    the ``ema``."""

    def __post_init__(self) -> None:
        """Check the values; see ``check``."""
        check(0 <= self.share <= 1, f"`bad_noise.share` is `{self.share}`, not between 0 and 1")
        check_choice("bad_noise.alpha_for", self.alpha_for, ("sample", "batch"))
        check_choice("bad_noise.search", self.search, ("live", "ema"))
        try:
            fits = self.alpha == "uniform" or 0 <= float(self.alpha) <= 1
        except ValueError:
            fits = False
        check(fits, f"`bad_noise.alpha` is `{self.alpha}`, neither `uniform` nor between 0 and 1")


@dataclass(frozen=True, slots=True)
class Curation:
    """``[curation]``: results of stage 1 that stage 2 learns from."""

    clips: int = 0
    """How many training clips are sampled; 0 is all that have own masks."""
    steps: int = 50
    guidance: float = 3.0
    """Away from generating; the paper has it tuned by video."""
    success: float = 0.5
    """Where the truth is known: a result is taken if at least this share of the object's pixels is
    nearer to the background than to the object."""

    def __post_init__(self) -> None:
        """Check the values; see ``check``."""
        check(self.clips >= 0, f"`curation.clips` is `{self.clips}`, below 0")
        check(self.steps >= 1, f"`curation.steps` is `{self.steps}`, below 1")
        check(self.guidance >= 0, f"`curation.guidance` is `{self.guidance}`, below 0")
        check(0 <= self.success <= 1, f"`curation.success` is `{self.success}`, not of 0 to 1")


@dataclass(frozen=True, slots=True)
class Compute:
    """``[compute]``: how it is computed; the paper gives no precision."""

    precision: str = "bf16"
    """``bf16`` over float32 masters, or ``fp32``."""
    checkpointing: bool = True
    """Whether blocks compute their activations again for the gradient."""
    compile: bool = False
    """Whether blocks go through ``torch.compile``."""

    def __post_init__(self) -> None:
        """Check the values; see ``check``."""
        check_choice("compute.precision", self.precision, ("bf16", "fp32"))


@dataclass(frozen=True, slots=True)
class Log:
    """``[log]``: what is written while it runs."""

    every: int = 10
    """Steps between lines of ``metrics.jsonl``."""
    checkpoint_every: int = 500
    keep: int = 3
    """Last checkpoints that are kept, beside the best."""
    sheet_every: int = 500
    """Steps between sheets of samples; 0 makes none."""

    def __post_init__(self) -> None:
        """Check the values; see ``check``."""
        for name in ("every", "checkpoint_every", "keep"):
            check(getattr(self, name) >= 1, f"`log.{name}` is `{getattr(self, name)}`, below 1")
        check(self.sheet_every >= 0, f"`log.sheet_every` is `{self.sheet_every}`, below 0")


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole file."""

    name: str = "run"
    seed: int = 0
    network: Network = field(default_factory=Network)
    autoencoder: Autoencoder = field(default_factory=Autoencoder)
    data: Data = field(default_factory=Data)
    times: Times = field(default_factory=Times)
    stage1: Stage = field(default_factory=Stage)
    stage2: Stage = field(default_factory=Stage)
    bad_noise: BadNoise = field(default_factory=BadNoise)
    curation: Curation = field(default_factory=Curation)
    compute: Compute = field(default_factory=Compute)
    log: Log = field(default_factory=Log)

    def __post_init__(self) -> None:
        """Check the values; see ``check``."""
        check(0 <= self.seed < 1 << 32, f"`seed` is `{self.seed}`, not below 2**32")
