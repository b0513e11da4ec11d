"""How fast the painter's networks compute and what memory they take, with random weights.

Each measurement has a process of its own, so that its peak of memory is its own too.
"""

import contextlib
import importlib
import importlib.util
import math
import multiprocessing
import re
import signal
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from remover.device import is_out_of_memory
from remover.errors import DeviceError, UsageError
from remover.fill.networks import DTYPES
from remover.models.config import COLOURS, DiTConfig, VaeConfig
from remover.models.cost import decode_flop, dit_flop, encode_flop
from remover.models.dit import DiT
from remover.models.load import load_dit
from remover.models.stream import Stream
from remover.models.vae import WanVae
from remover.types import Size

PARTS = ("encode", "dit", "decode")

VAE, DIT = VaeConfig(), DiTConfig()
"""The released networks."""

_SEED = 0
_TIMESTEP = 500.0

T = TypeVar("T")
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is measured, and how often."""

    size: Size
    frames: int
    rounds: int = 1
    device: str = "cpu"
    """As ``cpu`` or ``cuda:0``."""
    dtype: str = "fp32"
    """A key of ``DTYPES``, of weights and numbers."""
    vae: VaeConfig
    dit: DiTConfig

    def __post_init__(self) -> None:
        """Refuse what the networks cannot take.

        Raises:
            UsageError: A side or the number of frames does not fit, or a word is not known.
        """
        rows, columns = (self.vae.scale * patch for patch in self.dit.patch_size[1:])
        if min(self.size) < 1 or self.size.height % rows or self.size.width % columns:
            raise UsageError(
                f"the size `{self.size}` does not fit the networks",
                hint=f"the width must be a multiple of {columns}, the height of {rows}",
            )
        if self.frames < 1 or (self.frames - 1) % self.vae.group:
            raise UsageError(
                f"`{self.frames}` frames do not fill the groups of the networks",
                hint=f"give 1 and a multiple of {self.vae.group}, as {1 + 2 * self.vae.group}",
            )
        if self.rounds < 1:
            raise UsageError(f"`{self.rounds}` rounds measure nothing", hint="give at least 1")
        if self.dtype not in DTYPES:
            raise UsageError(
                f"the type `{self.dtype}` is not known", hint=f"one of {', '.join(DTYPES)}"
            )

    @property
    def grid(self) -> tuple[int, int, int]:
        """Latent frames, rows and columns."""
        frames = 1 + (self.frames - 1) // self.vae.group
        return frames, self.size.height // self.vae.scale, self.size.width // self.vae.scale


@dataclass(frozen=True, slots=True)
class PartSpeed:
    """What a part of the networks took; seconds are the median of the rounds."""

    part: str
    """One of ``PARTS``."""
    size: str
    frames: int
    dtype: str
    device: str
    threads: int
    rounds: int
    seconds: float
    cpu_seconds: float
    """Of all threads of the process."""
    gflop: float
    """Operations in 10**9, a multiplication and an addition as two."""
    peak_bytes: int | None
    """The most memory that was in use: of the device, weights counted; on a CPU, of the process,
    PyTorch counted too. None where the system does not tell."""

    @property
    def gflop_per_second(self) -> float:
        """By the clock on the wall."""
        return self.gflop / self.seconds


@dataclass(frozen=True, slots=True)
class Comparison:
    """Half of the autoencoder beside that of diffusers, with the same weights, in turns."""

    part: str
    seconds: float
    cpu_seconds: float
    their_seconds: float
    their_cpu_seconds: float
    largest_difference: float
    """Of any number of the result."""
    largest_value: float
    """Of their result, to judge that by."""

    @property
    def ratio(self) -> float:
        """How many times as fast as diffusers' ours is by the wall."""
        return self.their_seconds / self.seconds

    @property
    def cpu_ratio(self) -> float:
        """The same by the processor's time."""
        return self.their_cpu_seconds / self.cpu_seconds


def part_speed(part: str, case: Case) -> PartSpeed:
    """Measure one of ``PARTS`` in a process of its own.

    Raises:
        DeviceError: The memory ran out, or the process ended in another way.
    """
    return _in_fresh_process(_measure, part, case)


def require_diffusers() -> None:
    """Check that there is something to compare with.

    Raises:
        UsageError: diffusers is not installed.
    """
    if importlib.util.find_spec("diffusers") is None:
        raise UsageError(
            "`--compare` needs diffusers, which is not installed",
            hint="pip install diffusers, or leave out `--compare`",
        )


def compare(part: str, case: Case) -> Comparison:
    """Measure ``encode`` or ``decode`` beside diffusers' autoencoder, in a process of their own.

    Raises:
        DeviceError: The memory ran out, or the process ended in another way.
    """
    return _in_fresh_process(_compare, part, case)


def to_json(results: list[PartSpeed] | list[Comparison]) -> list[dict[str, Any]]:
    """The results as plain values, with what follows from them."""
    derived = ("gflop_per_second", "ratio", "cpu_ratio")
    return [
        asdict(result) | {name: getattr(result, name) for name in derived if hasattr(result, name)}
        for result in results
    ]


def _in_fresh_process(task: Callable[[str, Case], T], part: str, case: Case) -> T:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(sender, task, part, case), daemon=True)
    process.start()
    sender.close()
    try:
        answer = receiver.recv()
    except EOFError:
        process.join()
        raise DeviceError(
            f"the process that measured `{part}` ended with code {process.exitcode}",
            hint="if the memory ran out, give a smaller `--size`",
        ) from None
    finally:
        process.kill()
        process.join()
        receiver.close()
    if isinstance(answer, BaseException):
        raise answer
    result: T = answer
    return result


def _answer(sender: Connection, task: Callable[[str, Case], T], part: str, case: Case) -> None:
    """What the process does: send the result, or what went wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is ended by who started it
    try:
        with torch.inference_mode():
            sender.send(task(part, case))
    except Exception as error:
        if is_out_of_memory(error):
            sender.send(
                DeviceError(
                    f"the memory ran out while `{part}` was measured",
                    hint="give a smaller `--size` or fewer `--frames`",
                )
            )
        else:
            sender.send(error)


def _measure(part: str, case: Case) -> PartSpeed:
    work, flop = _work(part, case)
    if case.device != "cpu":
        _timed(work, case.device)  # loads and chooses kernels
    _reset_peak(case.device)
    spent = [_timed(work, case.device)[1:] for _ in range(case.rounds)]
    seconds, cpu_seconds = (statistics.median(values) for values in zip(*spent, strict=True))
    return PartSpeed(
        part,
        str(case.size),
        case.frames,
        case.dtype,
        case.device,
        torch.get_num_threads(),
        case.rounds,
        seconds,
        cpu_seconds,
        flop / 1e9,
        _peak(case.device),
    )


def _work(part: str, case: Case) -> tuple[Callable[[], Tensor], int]:
    """A call that does a part's work once, and its operations."""
    frames, (height, width) = case.frames, case.size
    if part == "dit":
        dit = load_dit(case.dit, _weights(lambda: DiT(case.dit), case), dtype=DTYPES[case.dtype])
        latents = _noise(case, case.dit.in_channels, *case.grid)
        timestep = torch.tensor([_TIMESTEP], device=case.device)
        return lambda: dit(latents, timestep), dit_flop(case.dit, *case.grid)
    vae = _loaded(lambda: WanVae(case.vae), _weights(lambda: WanVae(case.vae), case))
    if part == "encode":
        video = _noise(case, COLOURS, frames, height, width)
        flop = encode_flop(frames, height, width, case.vae)
        return lambda: vae.encode(video, Stream()), flop
    latents = _noise(case, case.vae.z_dim, *case.grid)
    return lambda: vae.decode(latents, Stream()), decode_flop(frames, height, width, case.vae)


def _compare(part: str, case: Case) -> Comparison:
    weights = _weights(lambda: WanVae(case.vae), case)
    ours, theirs = _loaded(lambda: WanVae(case.vae), weights), _their_vae(case.vae, weights)
    if part == "encode":
        video = _noise(case, COLOURS, case.frames, *case.size)
        works = (
            lambda: ours.denormalised(ours.encode(video, Stream())),
            lambda: theirs.encode(video).latent_dist.mode(),
        )
    else:
        latents = _noise(case, case.vae.z_dim, *case.grid)
        raw = ours.denormalised(latents)
        works = lambda: ours.decode(latents, Stream()), lambda: theirs.decode(raw).sample
    spent: tuple[list[list[float]], ...] = ([], [])
    results: list[Tensor] = [torch.empty(0)] * 2
    for round_ in range(case.rounds + (case.device != "cpu")):
        for which in (0, 1) if round_ % 2 else (1, 0):
            results[which], *clocks = _timed(works[which], case.device)
            spent[which].append(clocks)
    (seconds, cpu_seconds), (their_seconds, their_cpu_seconds) = (
        [statistics.median(clock) for clock in zip(*clocks[-case.rounds :], strict=True)]
        for clocks in spent
    )
    found, wanted = (result.float() for result in results)
    return Comparison(
        part,
        seconds,
        cpu_seconds,
        their_seconds,
        their_cpu_seconds,
        largest_difference=(found - wanted).abs().max().item(),
        largest_value=wanted.abs().max().item(),
    )


def _their_vae(config: VaeConfig, weights: Mapping[str, Tensor]) -> Any:
    """That of diffusers, told that there is no torchvision: some builds of it cannot be loaded."""
    sys.modules["torchvision"] = None  # type: ignore[assignment]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        build = importlib.import_module("diffusers").AutoencoderKLWan
    values = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in ((f.name, getattr(config, f.name)) for f in fields(config))
    }
    return _loaded(lambda: build(**values), weights)


def _loaded(build: Callable[[], Network], weights: Mapping[str, Tensor]) -> Network:
    """A network around tensors that are there, built without memory of its own."""
    with torch.device("meta"):
        network = build()
    network.load_state_dict(weights, assign=True)
    return network.eval()


def _weights(build: Callable[[], nn.Module], case: Case) -> dict[str, Tensor]:
    """Random ones for a network, of the size that keeps numbers in range; gains are 1."""
    with torch.device("meta"):
        wanted = build().state_dict()
    torch.manual_seed(_SEED)
    found = {}
    for name, like in wanted.items():
        tensor = torch.empty(like.shape, dtype=DTYPES[case.dtype], device=case.device)
        is_gain = name.endswith("gamma") or (like.ndim == 1 and name.endswith("weight"))
        bound = math.prod(like.shape[1:]) ** -0.5 if like.ndim > 1 else 0.0
        found[name] = tensor.fill_(1.0) if is_gain else tensor.uniform_(-bound, bound)
    return found


def _noise(case: Case, *shape: int) -> Tensor:
    """One sample of (1, ``shape``), -1 to 1."""
    torch.manual_seed(_SEED)
    noise = torch.empty((1, *shape), dtype=DTYPES[case.dtype], device=case.device)
    return noise.uniform_(-1, 1)


def _timed(work: Callable[[], Tensor], device: str) -> tuple[Tensor, float, float]:
    """What ``work`` gives, and its seconds by the wall and by the processor."""
    _wait(device)
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    _wait(device)
    return result, time.perf_counter() - wall, time.process_time() - processor


def _wait(device: str) -> None:
    """Until a GPU has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device == "mps":
        torch.mps.synchronize()


def _reset_peak(device: str) -> None:
    """Forget what was in use while the network was built, where the system can."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    elif device == "cpu":
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")


def _peak(device: str) -> int | None:
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated(device)
    if device == "cpu":
        with contextlib.suppress(OSError):
            found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
            return int(found[1]) << 10 if found else None
    return None
