"""The two networks of a checkpoint: loaded when first needed, and on the device in turn."""

import contextlib
import gc
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from remover import tensorfile
from remover.fill.choose import Network
from remover.models.dit import DiT
from remover.models.load import AnyVae, load_dit, load_vae
from remover.painting import Offload, PaintPlan

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

HOST = "cpu"


class Networks:
    """A checkpoint's transformer and autoencoder.

    Attributes:
        network: Which checkpoint, where.
        plan: What is kept where, in what.
        dtype: What the transformer computes in.
    """

    def __init__(self, network: Network, plan: PaintPlan) -> None:
        """Load nothing yet."""
        self.network, self.plan = network, plan
        self.dtype = DTYPES[plan.dtype]
        self._dit: DiT | None = None
        self._vae: AnyVae | None = None

    @contextlib.contextmanager
    def vae(self) -> Iterator[AnyVae]:
        """The autoencoder on its device, for the block.

        Raises:
            WeightsError: The file cannot be read.
        """
        if self._vae is None:
            found = tensorfile.read(self.network.files.vae)
            self._vae = load_vae(self.network.vae, found, dtype=self.dtype, device=self._resting)
        with self._placed(self._vae), _exact():
            yield self._vae

    @contextlib.contextmanager
    def dit(self) -> Iterator[DiT]:
        """The transformer on its device, for the block; see ``vae``."""
        if self._dit is None:
            found = tensorfile.read(self.network.files.transformer)
            kept = DTYPES[self.plan.weights]
            self._dit = load_dit(self.network.dit, found, dtype=kept, device=self._resting)
        is_by_blocks = self.plan.offload is Offload.LAYERS
        device = self.network.device
        placed = by_blocks(self._dit, device) if is_by_blocks else self._placed(self._dit)
        with placed, _exact():
            yield self._dit

    def release(self) -> None:
        """Give back what a GPU's allocator keeps for later."""
        gc.collect()
        if self.network.device.startswith("cuda"):
            torch.cuda.empty_cache()
        elif self.network.device == "mps":
            torch.mps.empty_cache()

    @property
    def _resting(self) -> str:
        """Where networks are that do not compute."""
        return self.network.device if self.plan.offload is Offload.NONE else HOST

    @contextlib.contextmanager
    def _placed(self, module: nn.Module) -> Iterator[None]:
        if self.plan.offload is Offload.NONE:
            yield
            return
        with borrowed(module, self.network.device):
            yield


@contextlib.contextmanager
def _exact() -> Iterator[None]:
    """Compute without gradients; on a GPU the same way every time, and without TF32."""
    flags = torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
    with flags, torch.inference_mode():
        yield


@contextlib.contextmanager
def borrowed(module: nn.Module, device: str) -> Iterator[None]:
    """Have a module's parameters on ``device`` for the block; those on the host are kept."""
    kept = [(part, *named) for part in module.modules() for named in part._parameters.items()]
    with _put_back(kept):
        for part, name, parameter in kept:
            _put(part, name, parameter, device)
        yield


@contextlib.contextmanager
def by_blocks(dit: DiT, device: str) -> Iterator[None]:
    """Have each of a transformer's blocks on ``device`` only while it computes."""
    with contextlib.ExitStack() as rest:
        for name, module in dit.named_children():
            if name != "blocks":
                rest.enter_context(borrowed(module, device))
        own: list[_Place] = [(dit, *named) for named in dit._parameters.items()]
        rest.enter_context(_put_back(own))
        for place in own:
            _put(*place, device)
        for block in dit.blocks:
            before, after = _visitor(block, device)
            rest.callback(block.register_forward_pre_hook(before).remove)
            rest.callback(block.register_forward_hook(after, always_call=True).remove)
        yield


_Place = tuple[nn.Module, str, nn.Parameter | None]
"""A module, the name of a parameter of its own, and that parameter on the host."""


def _put(module: nn.Module, name: str, parameter: nn.Parameter | None, device: str) -> None:
    if parameter is not None:
        there = parameter.detach().to(device, non_blocking=True)
        setattr(module, name, nn.Parameter(there, requires_grad=False))


@contextlib.contextmanager
def _put_back(places: list[_Place]) -> Iterator[None]:
    try:
        yield
    finally:
        for module, name, parameter in places:
            setattr(module, name, parameter)


def _visitor(block: nn.Module, device: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """What brings a block to the device before it computes, and takes it away after."""
    stay = contextlib.ExitStack()

    def before(_module: nn.Module, _given: tuple[Tensor, ...]) -> None:
        stay.enter_context(borrowed(block, device))

    def after(_module: nn.Module, _given: tuple[Tensor, ...], _result: Tensor) -> None:
        stay.close()

    return before, after
