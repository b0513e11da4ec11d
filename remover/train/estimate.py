"""What a stage of training takes, before any data or weights are there; pure.

Counted are matrix products, as in ``models.cost``: a gradient takes twice the operations of a
velocity, and blocks whose activations are computed again take one velocity more. The search for bad
noise asks for a velocity and for the gradient of the noise alone, not of the weights.

The paper says that all its experiments took 8 A800 about two days. Its own numbers do not fit that.
With a third of the clips at each of 336x592, 480x832 and 720x1280, stage 1 alone is 2.0e21
operations without any done again: 9.4 days of 8 A800 at their whole peak, 23 at 40 % of it, and 31
with checkpointing, without which the largest clips do not fit; stage 2 is 41 more. With every clip
at 336x592, the least that the paper names, stage 1 still takes 3.8 days at 40 % without
checkpointing. So most of the paper's experiments were probably smaller or shorter than it says;
plan with the figures from here.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from remover.errors import UsageError, nearest
from remover.models.config import AnyVaeConfig, DiTConfig, TinyConfig, VaeConfig
from remover.models.cost import dit_flop
from remover.models.memory import dit_parameters, vae_parameters
from remover.train.settings import GROUP, LATENT, Settings

UTILISATION = 0.4
"""Share of the peak that training reaches; an assumption."""

_KEPT = {2: (52, 4), 4: (64, 8)}
"""Bytes that a block keeps of each token for the gradient, for each channel of the width and of the
feed-forward part, by the itemsize of what is computed in. PyTorch's hooks count the same."""

_MASTERS, _GRADIENTS, _MOMENTS, _AVERAGE = 4, 4, 8, 4
"""Bytes for each parameter: float32 always."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A device that is planned with."""

    name: str
    peak: float
    """Operations a second in bfloat16, without sparsity, as its maker states them."""
    memory: float
    """Bytes."""


GPUS = {
    gpu.name: gpu
    for gpu in (
        Gpu("A100", 312e12, 80e9),
        Gpu("A800", 312e12, 80e9),
        Gpu("H100", 989e12, 80e9),
        Gpu("H200", 989e12, 141e9),
        Gpu("L40S", 362e12, 48e9),
        Gpu("RTX4090", 165e12, 24e9),
    )
}
"""By name; the H100 and H200 with SXM."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one stage takes."""

    stage: int
    gpu: Gpu
    devices: int
    utilisation: float
    transformer: int
    """Parameters, without contrast tokens."""
    tokens: int
    """Parameters of the contrast tokens."""
    autoencoder: int
    """Parameters."""
    trained: int
    """Parameters of the transformer that learn, adapters among them."""
    state_bytes: int
    """Of a device: its share of weights, gradients, AdamW's moments and the average."""
    working_bytes: int
    """Of a device: weights and gradients as they are computed with, block by block."""
    kept_bytes: int
    """Of a device: activations of one forward pass at the largest size."""
    checkpointed_bytes: int
    """The same where blocks compute them again."""
    is_checkpointed: bool
    step_tokens: float
    """Video tokens of a step, on average."""
    step_flop: float
    """Operations of a step, on average."""
    steps: int

    @property
    def device_bytes(self) -> int:
        """What a device needs at the largest size, as it is set."""
        activations = self.checkpointed_bytes if self.is_checkpointed else self.kept_bytes
        return self.state_bytes + self.working_bytes + activations

    @property
    def total_flop(self) -> float:
        """Operations of the whole stage."""
        return self.steps * self.step_flop

    @property
    def seconds(self) -> float:
        """How long the stage takes."""
        return self.total_flop / (self.devices * self.gpu.peak * self.utilisation)


def gpu(name: str) -> Gpu:
    """The device of that name, however it is spelt.

    Raises:
        UsageError: It is not in the table.
    """
    plain = name.upper().replace(" ", "").replace("-", "")
    if plain in GPUS:
        return GPUS[plain]
    near = nearest(plain, tuple(GPUS))
    listed = ", ".join(f"`{known}`" for known in GPUS)
    raise UsageError(
        f"`{name}` is no device whose peak is known",
        hint=f"did you mean `{near}`?" if near else f"there are {listed}",
    )


def estimate(
    settings: Settings,
    *,
    stage: int,
    gpu: Gpu = GPUS["A800"],
    devices: int = 8,
    utilisation: float = UTILISATION,
) -> Estimate:
    """What a stage takes on so many devices, with everything sharded over all of them.

    Args:
        settings: A preset's or a file's; neither data nor weights need be there.
        stage: 1 or 2.
        gpu: The kind of device.
        devices: How many.
        utilisation: Share of the peak that is reached, 0 to 1.

    Raises:
        ValueError: A number is out of range.
    """
    if stage not in (1, 2) or devices < 1 or not 0 < utilisation <= 1:
        raise ValueError(f"stage {stage} on {devices} devices at {utilisation} cannot be estimated")
    values = settings.stage1 if stage == 1 else settings.stage2
    vae = _vae(settings)
    config = settings.network.shape(vae.z_dim, is_stage2=stage == 2)
    grids = [_grid(settings.data.frames, size) for size in settings.data.sizes]
    parameters = dit_parameters(config)
    contrast = parameters - dit_parameters(settings.network.shape(vae.z_dim, is_stage2=True))
    rank, checkpointing = settings.network.lora_rank, settings.compute.checkpointing
    trained = _adapters(config, rank) + _new(settings, config, contrast) if rank else parameters
    itemsize = 2 if settings.compute.precision == "bf16" else 4
    learning = _GRADIENTS + _MOMENTS + _AVERAGE * (values.ema > 0)
    held = parameters + (_adapters(config, rank) if rank else 0)
    largest = max(_tokens(config, grid) for grid in grids) * values.micro_batch
    block = _block_bytes(config, itemsize) * largest

    def mean(cost: Callable[[tuple[int, int, int]], float]) -> float:
        return sum(map(cost, grids)) / len(grids)

    return Estimate(
        stage=stage,
        gpu=gpu,
        devices=devices,
        utilisation=utilisation,
        transformer=parameters - contrast,
        tokens=contrast,
        autoencoder=vae_parameters(vae),
        trained=trained,
        state_bytes=-(-(_MASTERS * held + learning * trained) // devices),
        working_bytes=_working_bytes(config, held, devices, itemsize),
        kept_bytes=config.num_layers * block,
        checkpointed_bytes=block + config.num_layers * itemsize * config.width * largest,
        is_checkpointed=checkpointing,
        step_tokens=values.batch * mean(lambda grid: _tokens(config, grid)),
        step_flop=values.batch * mean(lambda grid: _sample_flop(settings, config, grid, stage)),
        steps=values.steps,
    )


def plain(found: Estimate) -> dict[str, Any]:
    """An estimate for JSON, with what follows from it."""
    sums = {"device_bytes": found.device_bytes, "total_flop": found.total_flop}
    return {**asdict(found), **sums, "seconds": round(found.seconds, 1)}


def rows(found: Estimate) -> tuple[tuple[str, str], ...]:
    """The estimate as lines of a table: what, and how much."""
    peak = f"{found.gpu.peak / 1e12:.0f} TFLOP/s in bf16"
    at = f"{found.utilisation:.0%} of the peak of {peak} (assumed)"
    other = found.kept_bytes if found.is_checkpointed else found.checkpointed_bytes
    word = "without" if found.is_checkpointed else "with"
    needed, room = found.device_bytes, found.gpu.memory
    fits = "fits" if needed <= room else "does not fit"
    activations = needed - found.state_bytes - found.working_bytes
    return (
        ("transformer", f"{found.transformer:,} parameters"),
        ("contrast tokens", f"{found.tokens:,} parameters"),
        ("autoencoder", f"{found.autoencoder:,} parameters"),
        ("learning", f"{found.trained:,} parameters"),
        ("devices", f"{found.devices} x {found.gpu.name}"),
        ("weights, gradients, moments, average", f"{_size(found.state_bytes)} a device"),
        ("working copies", f"{_size(found.working_bytes)} a device"),
        ("activations", f"{_size(activations)} a device; {_size(other)} {word} checkpointing"),
        ("memory", f"{_size(needed)} a device, {fits} {_size(room)}"),
        ("tokens a step", f"{found.step_tokens:,.0f}"),
        ("operations a step", f"{found.step_flop:.3g} FLOP"),
        ("operations in all", f"{found.total_flop:.3g} FLOP, {found.steps:,} steps"),
        ("time", f"{duration(found.seconds)} at {at}"),
    )


def duration(seconds: float) -> str:
    """A time as plans have it."""
    for length, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:,.0f} seconds" if seconds >= 1 else "less than a second"


def sample_flop(
    config: DiTConfig, grid: tuple[int, int, int], *, rank: int = 0, checkpointing: bool = False
) -> int:
    """Operations of one sample's velocity and gradient.

    Args:
        config: The transformer's shape.
        grid: Latent frames, rows and columns.
        rank: Of adapters, the rest being held; 0 is none, and everything learns.
        checkpointing: Whether blocks compute their activations again.
    """
    forward, again = dit_flop(config, *grid), checkpointing * _block_flop(config, grid)
    if not rank:
        return 3 * forward + again
    adapters = 2 * _tokens(config, grid) * _adapters(config, rank)
    return 2 * forward + _attention_flop(config, grid) + again + (3 + checkpointing) * adapters


def search_flop(
    config: DiTConfig, grid: tuple[int, int, int], *, rank: int = 0, checkpointing: bool = False
) -> int:
    """Operations of one search for bad noise; see ``sample_flop``."""
    forward, again = dit_flop(config, *grid), checkpointing * _block_flop(config, grid)
    adapters = 2 * _tokens(config, grid) * _adapters(config, rank) if rank else 0
    both = 2 * forward + (2 + checkpointing) * adapters
    return both + _attention_flop(config, grid) + again


def _sample_flop(
    settings: Settings, config: DiTConfig, grid: tuple[int, int, int], stage: int
) -> float:
    """Operations of a sample of a stage, on average."""
    rank, checkpointing = settings.network.lora_rank, settings.compute.checkpointing
    plain = sample_flop(config, grid, rank=rank, checkpointing=checkpointing)
    if stage == 1:
        return plain
    search = search_flop(config, grid, rank=rank, checkpointing=checkpointing)
    return plain + settings.bad_noise.share * search


def _vae(settings: Settings) -> AnyVaeConfig:
    own = settings.autoencoder
    return TinyConfig(own.width, own.z_dim) if own.kind == "tiny" else VaeConfig()


def _grid(frames: int, size: tuple[int, int]) -> tuple[int, int, int]:
    """Latent frames, rows and columns of a clip."""
    return 1 + (frames - 1) // GROUP, size[0] // LATENT, size[1] // LATENT


def _tokens(config: DiTConfig, grid: tuple[int, int, int]) -> int:
    return math.prod(grid) // math.prod(config.patch_size)


def _attention_flop(config: DiTConfig, grid: tuple[int, int, int]) -> int:
    """Operations of scores and of what is seen, whose gradient needs both their factors'."""
    tokens = _tokens(config, grid)
    seen = tokens + config.num_contrast_tokens
    return 4 * config.num_layers * tokens * seen * config.width


def _block_flop(config: DiTConfig, grid: tuple[int, int, int]) -> int:
    """Operations of all blocks, without what comes before and after them."""
    channels = math.prod(config.patch_size) * (config.in_channels + config.out_channels)
    return dit_flop(config, *grid) - 2 * _tokens(config, grid) * config.width * channels


def _layers(config: DiTConfig) -> Iterator[tuple[int, int]]:
    """Width in and out of each layer of a block that adapters sit on."""
    yield from [(config.width, config.width)] * 4
    yield config.width, config.ffn_dim
    yield config.ffn_dim, config.width


def _adapters(config: DiTConfig, rank: int) -> int:
    """Parameters of adapters on every block."""
    return config.num_layers * rank * sum(wide + high for wide, high in _layers(config))


def _new(settings: Settings, config: DiTConfig, contrast: int) -> int:
    """Parameters that learn in full beside adapters: those that the first weights lack."""
    patches = config.in_channels * math.prod(config.patch_size) * config.width
    return contrast + (patches if settings.network.start == "wan" else 0)


def _block_bytes(config: DiTConfig, itemsize: int) -> int:
    """What a block keeps of each token for the gradient."""
    by_width, by_inner = _KEPT[itemsize]
    return by_width * config.width + by_inner * config.ffn_dim


def _working_bytes(config: DiTConfig, held: int, devices: int, itemsize: int) -> int:
    """Weights as they are computed with, and their gradients before these are shared out.

    One device casts every weight. Several gather two blocks at a time, and the ends.
    """
    if devices == 1:
        return itemsize * held if itemsize == 2 else 0
    block = sum(wide * high + high for wide, high in _layers(config)) + 8 * config.width
    ends = held - config.num_layers * block
    return 2 * itemsize * (2 * block + ends)


def _size(num_bytes: float) -> str:
    return f"{num_bytes / 1e9:,.1f} GB" if num_bytes >= 1e9 else f"{num_bytes / 1e6:,.1f} MB"
