"""The processes of a run: one alone, or many that share the weights.

The door to ``torch.distributed``, but for checkpoints.

``torchrun -m remover train ...`` starts the processes. Weights, gradients, moments and averages are
sharded over all of them (FSDP2, ``fully_shard``); each step's samples are dealt out so that every
process asks the network equally often, and the numbers do not depend on how many there are.
"""

import contextlib
import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor

from remover.device import resolve

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class World:
    """Which process this is, of how many, and where it computes."""

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def is_main(self) -> bool:
        """Whether this is the process that talks and writes what is written once."""
        return self.rank == 0


@contextlib.contextmanager
def world(device: str) -> Iterator[World]:
    """The processes that were started together; one where none were.

    Args:
        device: As ``--device`` takes it. With ``auto`` or ``cuda`` each process on a machine has a
            GPU of its own.

    Raises:
        DeviceError: The device is not there.
    """
    if not dist.is_torchelastic_launched():
        yield World(device=resolve(device, prefer_gpu=True))
        return
    own = dist.get_node_local_rank(fallback_rank=0)
    named = f"cuda:{own}" if device in ("auto", "cuda") and torch.cuda.is_available() else device
    place = resolve(named, prefer_gpu=True)
    if place.startswith("cuda"):
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if place.startswith("cuda") else "gloo")
    try:
        yield World(dist.get_rank(), dist.get_world_size(), place)
    finally:
        gc.collect()  # sharded networks hold the group, and abort the process if they outlive it
        dist.destroy_process_group()


def sharded(network: nn.Module, blocks: Sequence[nn.Module], here: World, *, is_half: bool) -> None:
    """Move a network to the device and share it out between the processes.

    Args:
        network: Changed in place.
        blocks: The parts that are gathered one at a time.
        here: The processes; one alone keeps the network whole.
        is_half: Whether blocks are gathered in bfloat16. What remembers and learns is float32, and
            so are the embedding of the timestep and the ends of the network.
    """
    network.to(here.device)
    if here.size == 1:
        return
    mesh = init_device_mesh(here.device.partition(":")[0], (here.size,))
    gathered = torch.bfloat16 if is_half else None
    policy = MixedPrecisionPolicy(
        param_dtype=gathered, reduce_dtype=torch.float32, cast_forward_inputs=False
    )
    for block in blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(network, mesh=mesh, mp_policy=MixedPrecisionPolicy(cast_forward_inputs=False))


def share(here: World) -> slice:
    """The places in a list of all processes that this one takes."""
    return slice(here.rank, None, here.size)


def dealt(
    own: Sequence[_Item], count: int, here: World, micro: int
) -> list[list[tuple[_Item, float]]]:
    """This process's items in equal parts, each item with its weight.

    Every process gets as many parts, all of one length; where items run out, the last one is
    repeated with weight 0.

    Args:
        own: This process's ``share``, at least one of them unless there are none at all.
        count: Items of all processes.
        here: The processes.
        micro: Most items of a part.
    """
    if not count:
        return []
    each = -(-count // here.size)
    size = min(micro, each)
    padded = -(-each // size) * size
    whole = [(item, 1.0) for item in own] + [(own[-1], 0.0)] * (padded - len(own))
    return [whole[start : start + size] for start in range(0, padded, size)]


def total(value: Tensor, here: World) -> Tensor:
    """The sum of a tensor over all processes."""
    if here.size > 1:
        value = value.clone()
        dist.all_reduce(value)
    return value


def agreed(flag: bool, here: World) -> bool:  # noqa: FBT001 - one word of many processes
    """Whether any process says so, in all of them."""
    if here.size == 1:
        return flag
    found = torch.tensor(float(flag), device=here.device)
    dist.all_reduce(found, op=dist.ReduceOp.MAX)
    return bool(found.item())


def wait(here: World) -> None:
    """Until all processes are here."""
    if here.size > 1:
        dist.barrier()


def whole(value: Tensor) -> Tensor:
    """A sharded tensor put together, in every process; others as they are."""
    return value.full_tensor() if isinstance(value, DTensor) else value
