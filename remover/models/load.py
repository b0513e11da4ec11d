"""Networks with the weights of a checkpoint; every name and shape is checked.

Nothing is held twice: a network is built without memory and takes the tensors as they are, where
they need no cast.
"""

from collections.abc import Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

from remover.errors import WeightsError
from remover.models.config import HINT, AnyVaeConfig, DiTConfig, TinyConfig
from remover.models.dit import DiT
from remover.models.tiny import TinyVae
from remover.models.vae import WanVae

AnyVae = WanVae | TinyVae
"""Either autoencoder; both encode, decode and normalise alike."""

_Network = TypeVar("_Network", bound=nn.Module)

KEPT_IN_FLOAT32 = ("condition_embedder.time_embedder.", "scale_shift_table")
"""Parts of the names of the transformer's parameters that are float32 in half precision too, as in
the reference."""


def load_dit(
    config: DiTConfig,
    tensors: Mapping[str, Tensor],
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> DiT:
    """The transformer, ready to be asked.

    Args:
        config: The checkpoint's.
        tensors: Its parameters by name.
        dtype: Of the weights, but for what is kept in float32.
        device: Where they go.

    Raises:
        WeightsError: A name or a shape is not the network's.
    """
    network = empty_dit(config, tensors)
    placed = {
        name: tensors[name].to(device, torch.float32 if _is_kept(name) else dtype)
        for name in network.state_dict()
    }
    return _with(network, placed)


def load_vae(
    config: AnyVaeConfig,
    tensors: Mapping[str, Tensor],
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> AnyVae:
    """The autoencoder, ready to be asked; arguments and errors as for ``load_dit``."""
    network = empty_vae(config, tensors)
    return _with(network, {name: t.to(device, dtype) for name, t in tensors.items()})


def empty_dit(config: DiTConfig, tensors: Mapping[str, Tensor]) -> DiT:
    """The transformer without values, once its parameters are known to be those of ``tensors``.

    Raises:
        WeightsError: A name or a shape is not the network's.
    """
    with torch.device("meta"):
        network = DiT(config)
    _check(network.state_dict(), tensors, "the transformer's")
    return network


def empty_vae(config: AnyVaeConfig, tensors: Mapping[str, Tensor]) -> AnyVae:
    """The autoencoder without values; as ``empty_dit``."""
    with torch.device("meta"):
        network = TinyVae(config) if isinstance(config, TinyConfig) else WanVae(config)
    _check(network.state_dict(), tensors, "the VAE's")
    return network


def _with(network: _Network, placed: Mapping[str, Tensor]) -> _Network:
    network.load_state_dict(placed, assign=True)
    return network.eval().requires_grad_(requires_grad=False)


def _is_kept(name: str) -> bool:
    return any(part in name for part in KEPT_IN_FLOAT32)


def _check(wanted: Mapping[str, Tensor], given: Mapping[str, Tensor], whose: str) -> None:
    for verb, names in (
        ("lack", wanted.keys() - given),
        ("have an unknown", given.keys() - wanted),
    ):
        if names:
            first, rest = min(names), len(names) - 1
            more = f" and {rest} more" if rest else ""
            raise WeightsError(f"{whose} weights {verb} `{first}`{more}", hint=HINT)
    for name, parameter in wanted.items():
        if parameter.shape != given[name].shape:
            raise WeightsError(
                f"{whose} `{name}` has the shape `{tuple(given[name].shape)}` "
                f"instead of `{tuple(parameter.shape)}`",
                hint="check that config.json belongs to these weights",
            )
