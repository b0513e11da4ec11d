"""Adapters of low rank (arXiv 2106.09685) on the transformer's linear layers, by ``peft``.

A linear layer ``W`` becomes ``W + (alpha / rank) B A``, of which only ``A`` and ``B`` learn. They
sit on the projections of the attention and on both layers of the feed-forward part of every block.
Adapters compute in their own dtype, float32 as they are made, and give the dtype of the layer.
"""

import importlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from remover import tensorfile
from remover.errors import UsageError, WeightsError
from remover.models.dit import DiT

TARGETS = r"blocks\.\d+\.(attn1\.(to_[qkv]|to_out\.0)|ffn\.net\.(0\.proj|2))"
"""The layers that get adapters."""

_BASE, _NAMED = ".base_layer.", ".default."
"""What peft puts into the names of what it wraps, and into those of adapters."""
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"
_ABOUT = "adapters"


@dataclass(frozen=True, slots=True)
class Adapters:
    """The shape of a network's adapters."""

    rank: int
    alpha: float
    new: tuple[str, ...] = ()
    """Other parameters that learn, in full: those that the first weights lacked."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: One is too small.
        """
        if self.rank < 1 or self.alpha <= 0:
            raise ValueError(f"adapters of rank {self.rank} and scale {self.alpha} cannot be used")

    @property
    def scale(self) -> float:
        """What the product of both halves is multiplied by."""
        return self.alpha / self.rank


def adapt(network: DiT, adapters: Adapters, generator: torch.Generator) -> None:
    """Put adapters on a network, in place, and hold everything else but what is new.

    The velocity stays as it was: the second half of each adapter starts at 0.

    Args:
        network: The transformer.
        adapters: Their shape.
        generator: Of the first halves, on the CPU.

    Raises:
        UsageError: The extra ``train`` is not installed.
        ValueError: A name in ``new`` is none of the network's.
    """
    peft = _peft()
    unknown = set(adapters.new) - set(network.state_dict())
    if unknown:
        raise ValueError(f"the network has no `{min(unknown)}`")
    config = peft.LoraConfig(
        r=adapters.rank, lora_alpha=adapters.alpha, lora_dropout=0.0, target_modules=TARGETS
    )
    peft.inject_adapter_in_model(config, network)
    for name, parameter in network.named_parameters():
        plain = name.replace(_NAMED, ".")
        parameter.requires_grad_(plain in adapters.new or plain.endswith((_DOWN, _UP)))
        if plain.endswith(_DOWN):
            first = torch.empty(parameter.shape)
            nn.init.kaiming_uniform_(first, a=5**0.5, generator=generator)
            parameter.data.copy_(first)


def trainable(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that learn, by name."""
    return {name: p for name, p in network.named_parameters() if p.requires_grad}


def split(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The state of an adapted network, as that of the network alone and that of its adapters.

    Args:
        tensors: As the adapted network names them.

    Returns:
        The network's own, by the names that it had, and the adapters', as
        ``blocks.0.attn1.to_q.lora_A.weight``.
    """
    base, learned = {}, {}
    for name, tensor in tensors.items():
        plain = name.replace(_NAMED, ".")
        if plain.endswith((_DOWN, _UP)):
            learned[plain] = tensor
        else:
            base[name.replace(_BASE, ".")] = tensor
    return base, learned


def merged(tensors: Mapping[str, Tensor], adapters: Adapters) -> dict[str, Tensor]:
    """The state of an adapted network as plain weights, which compute the same.

    Args:
        tensors: As the adapted network names them, averaged or live.
        adapters: Their shape.
    """
    return applied(*split(tensors), adapters)


def applied(
    base: Mapping[str, Tensor], learned: Mapping[str, Tensor], adapters: Adapters
) -> dict[str, Tensor]:
    """Plain weights with what adapters learned.

    Args:
        base: The weights that the adapters were trained on, by the network's names.
        learned: As from ``split`` or ``load``: adapters, and whole parameters that were new.
        adapters: Their shape.

    Raises:
        WeightsError: The adapters belong to another network.
    """
    found = dict(base)
    for name, tensor in learned.items():
        layer = name.removesuffix(_DOWN)
        target = f"{layer}.weight" if layer != name else name
        if name.endswith(_UP) and name.replace(_UP, _DOWN) in learned:
            continue  # with its other half
        if target not in base:
            raise _another(f"there is no `{target}`")
        if layer == name:
            found[name] = tensor
            continue
        up = learned.get(f"{layer}{_UP}")
        if up is None or (len(up), tensor.shape[1]) != tuple(base[target].shape):
            raise _another(f"`{target}` has another shape")
        change = adapters.scale * (up.float() @ tensor.float())
        found[target] = (base[target].float() + change).to(base[target].dtype)
    return found


def state(tensors: Mapping[str, Tensor], adapters: Adapters) -> dict[str, Tensor]:
    """What the training of an adapted network changed: the adapters, and what is new."""
    base, learned = split(tensors)
    return learned | {name: base[name] for name in adapters.new}


def save(path: Path, tensors: Mapping[str, Tensor], adapters: Adapters) -> None:
    """Write what ``state`` gives to a file of safetensors.

    Raises:
        OSError: The system refuses.
    """
    told = {"rank": adapters.rank, "alpha": adapters.alpha, "new": list(adapters.new)}
    tensorfile.save(path, tensors, {_ABOUT: json.dumps(told)})


def load(path: Path) -> tuple[Adapters, dict[str, Tensor]]:
    """Adapters from a file, and their shape.

    Raises:
        WeightsError: It cannot be read, or holds no adapters.
    """
    try:
        told = json.loads(tensorfile.metadata(path)[_ABOUT])
        adapters = Adapters(told["rank"], told["alpha"], tuple(told["new"]))
    except (KeyError, ValueError, TypeError):
        raise WeightsError(
            f"`{path}` holds no adapters", hint="give a file that a run with adapters wrote"
        ) from None
    return adapters, tensorfile.read(path)


def restore(network: DiT, tensors: Mapping[str, Tensor]) -> None:
    """Give an adapted network the values that ``load`` read, in place.

    Raises:
        WeightsError: The adapters belong to another network.
    """
    own = {name.replace(_NAMED, "."): p for name, p in network.named_parameters()}
    for name, tensor in tensors.items():
        if name not in own or own[name].shape != tensor.shape:
            raise _another(f"`{name}` is not there or has another shape")
    missing = {n for n, p in own.items() if p.requires_grad} - tensors.keys()
    if missing:
        raise _another(f"they lack `{min(missing)}`")
    for name, tensor in tensors.items():
        own[name].data.copy_(tensor)


def _another(reason: str) -> WeightsError:
    return WeightsError(
        f"the adapters belong to another network: {reason}",
        hint="give the weights that they were trained on, and the same `[network]`",
    )


def _peft() -> ModuleType:
    """The library, told that there is no torchvision.

    It needs none, and a build of it that does not fit PyTorch's cannot be imported.

    Raises:
        UsageError: It is not installed.
    """
    known = sys.modules.get("torchvision")
    if known is None:
        sys.modules["torchvision"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("peft")
    except ImportError as error:
        raise UsageError(
            f"`network.lora_rank` needs `peft`, which cannot be loaded: {error}",
            hint='install it: `pip install "remover[train]"`',
        ) from None
    finally:
        if known is None:
            sys.modules.pop("torchvision", None)
