"""Which device computes, and how much memory a run may use."""

import errno
import os
import sys

from remover.errors import DeviceError

WORDS = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
"""How libraries without a type for it say that memory is used up, lower case."""

CV_NO_MEMORY = -4
"""OpenCV's code for it."""

BUDGET_LARGEST = 1 << 30
BUDGET_SMALLEST = 1 << 28

GPU_SHARE, CPU_SHARE = 0.85, 0.6
"""Shares of the memory of a GPU, and of a machine, that a network is planned with."""


def total_memory() -> int:
    """Physical memory of this machine in bytes; 8 GiB where it cannot be read."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 << 30


def picture_budget() -> int:
    """Bytes for what a window of the fill holds: a twelfth of the memory, within bounds.

    Total memory is taken, not free memory, so that the same machine makes the same plan.
    """
    return min(BUDGET_LARGEST, max(BUDGET_SMALLEST, total_memory() // 12))


def network_budget(device: str) -> int:
    """Bytes that a network may take on ``device``.

    Total memory again, so that the same machine makes the same plan.
    """
    if device == "cpu":
        return int(total_memory() * CPU_SHARE)
    import torch

    if device == "mps":
        return int(torch.mps.recommended_max_memory() * GPU_SHARE)
    return int(torch.cuda.get_device_properties(device).total_memory * GPU_SHARE)


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes; 0 where it cannot be read."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def resolve(wanted: str, *, prefer_gpu: bool = False) -> str:
    """The device that ``--device`` names: ``cpu``, ``cuda:N`` or ``mps``.

    A GPU that is named is checked, so that a script finds out at once.

    Args:
        wanted: As ``--device`` takes it.
        prefer_gpu: Whether ``auto`` is the first CUDA device where there is one, since a network
            runs. Copying, the built-in tracker and the patch fill have no GPU path, so that
            ``auto`` is the CPU for them, and PyTorch is not loaded to find out.

    Raises:
        DeviceError: The device is not there.
    """
    if wanted == "cpu" or (wanted == "auto" and not prefer_gpu):
        return "cpu"
    import torch

    if wanted == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    kind, _, index = wanted.partition(":")
    if kind == "cuda" and torch.cuda.is_available() and int(index or 0) < torch.cuda.device_count():
        return f"cuda:{int(index or 0)}"
    if kind == "mps" and torch.backends.mps.is_available():
        return "mps"
    raise DeviceError(
        f"the device `{wanted}` is not available here",
        hint="pass --device cpu; `remover info` lists the devices",
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is used up, a GPU's or the machine's.

    PyTorch has a type of its own only for GPUs; what its CPU allocator and the libraries below it
    raise, and what OpenCV raises, can be told by their words alone.
    """
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    is_open_cv = type(error).__module__ == "cv2" and getattr(error, "code", 0) == CV_NO_MEMORY
    said = str(error).lower()
    return is_open_cv or (isinstance(error, RuntimeError) and any(w in said for w in WORDS))
