"""The first weights of a stage: made at random, or taken from networks that were trained before.

From Wan 2.1 the transformer is taken without text and cross-attention; the patch embedding's
channels of the noisy latents are copied, the 32 of the known video and its mask start at 0, and the
contrast tokens are new (arXiv 2505.24873, section 3.1). Stage 2 starts from stage 1 without tokens.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from remover import tensorfile, weights
from remover.errors import WeightsError
from remover.models.config import DiTConfig
from remover.models.dit import ContrastTokens, DiT
from remover.train import wan
from remover.train.settings import Network

TOKENS = "contrast_tokens."
"""What the names of the parameters start with that only stage 1 has."""
PATCHES = "patch_embedding.weight"

_SMALL = 0.02
"""Deviation of embeddings, as Wan's authors and those of DiT (arXiv 2212.09748) chose it."""

SET_SHAPE = "set `[network]` to the shape of the weights, or give others"


@dataclass(frozen=True, slots=True)
class Start:
    """The first weights of a transformer, all in float32, and where they are from."""

    config: DiTConfig
    tensors: Mapping[str, Tensor]
    origin: str = "random"
    """``random``, ``wan``, ``minimax`` or ``stage1``."""
    dropped: tuple[str, ...] = ()
    """What the source has and ours does not, by the source's names."""
    new: tuple[str, ...] = ()
    """Parameters of ours that the source lacks, in whole or in part; these learn in full, also
    where the others only get adapters."""


def first_weights(
    network: Network, z_dim: int, *, is_stage2: bool, generator: torch.Generator
) -> Start:
    """The first weights that the settings ask for.

    Args:
        network: The settings.
        z_dim: Latent channels of the autoencoder.
        is_stage2: Whether there are no contrast tokens.
        generator: Of what is made at random.

    Raises:
        WeightsError: The weights are not there, damaged, or of another network.
    """
    config = network.shape(z_dim, is_stage2=is_stage2)
    if network.start == "wan":
        return from_wan(Path(network.weights), config, generator)
    if network.start == "minimax":
        place = Path(network.weights) if network.weights else None
        return from_released(place, config, generator)
    return at_random(config, generator)


def at_random(config: DiTConfig, generator: torch.Generator) -> Start:
    """Weights that were never trained; see ``initialise``."""
    with torch.device("meta"):
        network = DiT(config)
    network.to_empty(device="cpu")
    initialise(network, generator)
    return Start(config, network.state_dict(), new=tuple(network.state_dict()))


def from_wan(place: Path, config: DiTConfig, generator: torch.Generator) -> Start:
    """The weights of Wan 2.1's text-to-video transformer, as far as ours has them.

    Args:
        place: As ``wan.find`` takes it, in the layout of diffusers or the original one.
        config: The shape of ours.
        generator: Of the contrast tokens, which are new.

    Raises:
        WeightsError: It is not there, damaged, or another network; the first thing wrong is named.
    """
    found = wan.find(place)
    shapes = {wan.unpacked(name): shape for name, shape in found.shapes.items()}
    layout = wan.layout_of(shapes)
    if found.config is not None:
        wan.check_config(found.config, layout, config)
    source = replace(config, in_channels=config.out_channels, num_contrast_tokens=0)
    naming = wan.original_name if layout == wan.ORIGINAL else str
    names = _matched(source, shapes, naming, wan.HINT)
    dropped = tuple(name for name in shapes if name not in names.values())
    for name in dropped:
        if not wan.is_text(name, layout):
            raise WeightsError(
                f"the first weights are of another network: they have the unknown `{name}`",
                hint=wan.HINT,
            )
    taken = _read(found.files, names)
    widened = taken[PATCHES].new_zeros(len(taken[PATCHES]), config.in_channels, *config.patch_size)
    widened[:, : config.out_channels] = taken[PATCHES]
    taken[PATCHES] = widened
    tokens = _new_tokens(config, generator)
    return Start(config, taken | tokens, "wan", dropped, (PATCHES, *tokens))


def from_released(place: Path | None, config: DiTConfig, generator: torch.Generator) -> Start:
    """The weights of a checkpoint in the released layout, to go on from.

    Args:
        place: Its folder, or that of its transformer; None is the installed release.
        config: The shape of ours. Contrast tokens that only it has are new; those that only the
            checkpoint has are dropped.
        generator: Of new contrast tokens.

    Raises:
        WeightsError: It is not there, damaged, or of another shape.
    """
    if place is None:
        weights.verified("minimax/transformer-config")
        place = weights.verified("minimax/transformer").parent
    found = wan.find(place)
    if found.config is None:
        raise WeightsError(
            f"`{place}` has no `config.json` beside the transformer's weights",
            hint="give a folder in the layout of MiniMax-Remover",
        )
    return _carried(
        DiTConfig.from_json(found.config),
        found.shapes,
        lambda names: _read(found.files, names),
        config,
        generator,
        "minimax",
    )


def from_stage1(
    tensors: Mapping[str, Tensor], source: DiTConfig, config: DiTConfig, generator: torch.Generator
) -> Start:
    """The transformer of stage 1 for stage 2: without tokens its names are the release's.

    Args:
        tensors: Of stage 1, averaged or live.
        source: Their shape.
        config: The shape of ours.
        generator: Of contrast tokens, where ours has some and the source has none.

    Raises:
        WeightsError: The shapes differ in more than the tokens.
    """
    return _carried(
        source,
        tensors,
        lambda names: {ours: _plain(theirs, tensors[theirs]) for ours, theirs in names.items()},
        config,
        generator,
        "stage1",
    )


def without_tokens(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parameters but for those that only stage 1 has."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(TOKENS)}


def initialise(network: DiT, generator: torch.Generator) -> None:
    """Give every parameter its initial value, in place; the velocity is then 0 everywhere.

    Linear layers are spread evenly by their widths (Glorot), embeddings are small, and what
    modulates the blocks and the last layer start at 0, so that each block passes on what it is
    given (DiT, arXiv 2212.09748, section 3.2).

    Args:
        network: On any device that holds values.
        generator: For that device.
    """
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight, generator=generator)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=_SMALL, generator=generator)
    patches = network.patch_embedding
    nn.init.xavier_uniform_(patches.weight.view(len(patches.weight), -1), generator=generator)
    if patches.bias is not None:
        nn.init.zeros_(patches.bias)
    embedder = network.condition_embedder
    for layer in (embedder.time_embedder.linear_1, embedder.time_embedder.linear_2):
        nn.init.normal_(layer.weight, std=_SMALL, generator=generator)
    for layer in (embedder.time_proj, network.proj_out):
        nn.init.zeros_(layer.weight)
    for name, parameter in network.named_parameters():
        if name.endswith("scale_shift_table"):
            nn.init.zeros_(parameter)
        elif name.endswith(("norm_q.weight", "norm_k.weight")):
            nn.init.ones_(parameter)


def _new_tokens(config: DiTConfig, generator: torch.Generator) -> dict[str, Tensor]:
    """Contrast tokens at random by name, where the network has any."""
    if not config.num_contrast_tokens:
        return {}
    with torch.device("meta"):
        tokens = ContrastTokens(config)
    tokens.to_empty(device="cpu")
    nn.init.normal_(tokens.embedding.weight, std=_SMALL, generator=generator)
    nn.init.xavier_uniform_(tokens.proj.weight, generator=generator)
    nn.init.zeros_(tokens.proj.bias)
    return {f"{TOKENS}{name}": tensor for name, tensor in tokens.state_dict().items()}


def _carried(
    source: DiTConfig,
    shapes: Mapping[str, Tensor],
    read: Callable[[Mapping[str, str]], dict[str, Tensor]],
    config: DiTConfig,
    generator: torch.Generator,
    origin: str,
) -> Start:
    """Weights in our own names, with or without tokens on either side."""
    for item in fields(DiTConfig):
        found, wanted = getattr(source, item.name), getattr(config, item.name)
        is_tokens = item.name == "num_contrast_tokens"
        if found != wanted and not (is_tokens and 0 in (found, wanted)):
            raise WeightsError(
                f"the first weights are of another shape: their `{item.name}` is `{found}`, "
                f"not `{wanted}`",
                hint=SET_SHAPE,
            )
    names = _matched(source, shapes, str, SET_SHAPE)
    unknown = shapes.keys() - names.keys()
    if unknown:
        raise WeightsError(
            f"the first weights have the unknown `{min(unknown)}`",
            hint="give a folder in the layout of MiniMax-Remover",
        )
    dropped = () if config.num_contrast_tokens else _tokens_of(names)
    taken = read({name: name for name in names if name not in dropped})
    is_new = config.num_contrast_tokens and not source.num_contrast_tokens
    tokens = _new_tokens(config, generator) if is_new else {}
    return Start(config, taken | tokens, origin, dropped, tuple(tokens))


def _tokens_of(names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(name for name in names if name.startswith(TOKENS))


def _matched(
    config: DiTConfig, shapes: Mapping[str, Tensor], naming: Callable[[str], str], hint: str
) -> dict[str, str]:
    """The source's name of each parameter of a network of the shape ``config``, by ours.

    Raises:
        WeightsError: One is missing or of another shape; the first is named.
    """
    with torch.device("meta"):
        wanted = DiT(config).state_dict()
    names = {}
    for ours, parameter in wanted.items():
        theirs = names[ours] = naming(ours)
        if theirs not in shapes:
            raise WeightsError(f"the first weights lack `{theirs}`", hint=hint)
        found = tuple(shapes[theirs].shape)
        if found != tuple(parameter.shape):
            raise WeightsError(
                f"the first weights are of another shape: `{theirs}` is `{found}`, "
                f"not `{tuple(parameter.shape)}`",
                hint=hint,
            )
    return names


def _read(files: tuple[Path, ...], names: Mapping[str, str]) -> dict[str, Tensor]:
    """The values of ``names`` from files, by our names, in float32."""
    ours = {theirs: name for name, theirs in names.items()}
    found = {}
    for file in files:
        for packed, tensor in tensorfile.read(file).items():
            theirs = wan.unpacked(packed)
            if theirs in ours:
                found[ours[theirs]] = _plain(theirs, tensor)
    return {name: found[name] for name in names}


def _plain(name: str, tensor: Tensor) -> Tensor:
    """A copy in float32 of what must be finite.

    Raises:
        WeightsError: It is not.
    """
    if not math.isfinite(float(tensor.abs().max())):
        raise WeightsError(
            f"the first weights have values in `{name}` that are not finite",
            hint="take them again from where they were published",
        )
    return tensor.detach().to("cpu", torch.float32, copy=True)
