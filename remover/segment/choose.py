"""Which tracker runs: from what was asked for, what is installed and what computes."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias

from remover import weights
from remover.device import resolve
from remover.errors import WeightsError

SIZES = ("tiny", "small", "base-plus", "large")
"""The sizes of SAM 2, the quickest first."""

PREFIX = "sam2:"


@dataclass(frozen=True, slots=True)
class Style:
    """How SAM 2 is driven; as upstream does it, unless something is asked for."""

    memory: str = "recent"
    """``recent``, the latest frames, or ``gated``, the latest good ones and those that tell the
    object from what is like it."""
    motion: bool = False
    """Whether the way that the object went weighs the candidates for its mask."""
    refine: bool = False
    """Whether the mask that a box gave is shown to the network once more with the box."""

    def __str__(self) -> str:
        """What is other than upstream, as ``" gated, motion"``; empty if nothing is."""
        said = {"gated": self.memory == "gated", "motion": self.motion, "refine": self.refine}
        parts = ", ".join(name for name, is_on in said.items() if is_on)
        return f" {parts}" if parts else ""


@dataclass(frozen=True, slots=True)
class Sam2:
    """SAM 2 with a checkpoint, where it computes."""

    size: str | None
    """One of ``SIZES``; None is whatever the checkpoint holds."""
    checkpoint: Path
    device: str
    style: Style = Style()


UPSTREAM = Style()

Choice: TypeAlias = Literal["builtin", "none"] | Sam2


def choose(tracker: str, checkpoint: str | None, device: str, style: Style = UPSTREAM) -> Choice:
    """The tracker that runs; loads PyTorch only where SAM 2 is asked for or could run.

    Args:
        tracker: ``auto``, ``builtin``, ``none`` or ``sam2:SIZE`` (``auto`` among the sizes).
        checkpoint: A checkpoint of SAM 2 that the user named; it is taken as it is.
        device: As ``--device`` takes it.
        style: How SAM 2 is driven, where it is.

    Raises:
        WeightsError: A checkpoint is missing, or an installed one is damaged.
        DeviceError: The device is not there.
    """
    if tracker == "builtin":
        return "builtin"
    if tracker == "none":
        return "none"
    if tracker == "auto":
        if checkpoint is None and not installed():
            return "builtin"
        chosen = resolve(device, prefer_gpu=True)
        if not chosen.startswith("cuda"):
            return "builtin"
        found = _sam2("auto", checkpoint, chosen)
    else:
        size = tracker.removeprefix(PREFIX)
        found = _sam2(size, checkpoint, resolve(device, prefer_gpu=True))
    return replace(found, style=style)


def installed() -> tuple[str, ...]:
    """The sizes of SAM 2 whose checkpoint is installed, the quickest first."""
    return tuple(size for size in SIZES if weights.is_installed(lock_name(size)))


def lock_name(size: str) -> str:
    """The name that ``weights.lock`` has for the checkpoint of a size."""
    return f"sam2.1/{size}"


def _sam2(size: str, checkpoint: str | None, device: str) -> Sam2:
    known = None if size == "auto" else size
    if checkpoint is not None:
        path = Path(checkpoint)
        if not path.is_file():
            raise WeightsError(
                f"the checkpoint `{path}` is not there{_meant(known)}",
                hint="give the file of the checkpoint with `--sam2-weights FILE`",
            )
        return Sam2(known, path, device)
    if known is None:
        # A GPU runs the best at a good speed; a processor needs the quickest.
        found = installed()
        known = (found[0] if device == "cpu" else found[-1]) if found else SIZES[0]
    name = lock_name(known)
    if not weights.place(name).is_file():
        entry = weights.lock()[name]
        raise WeightsError(
            f"the checkpoint of `{PREFIX}{known}` is not installed: `{weights.place(name)}` "
            f"({entry.size_text}) is missing",
            hint=f"`remover weights pull {name}` fetches it, `--sam2-weights FILE` takes another; "
            "`--tracker builtin` needs none",
        )
    return Sam2(known, weights.verified(name), device)


def _meant(size: str | None) -> str:
    if size is None:
        return ""
    entry = weights.lock()[lock_name(size)]
    return f" (`{PREFIX}{size}` is `{Path(entry.path).name}`, {entry.size_text})"
