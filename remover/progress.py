"""What a run tells of how far it is."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol, TypeAlias

Unit: TypeAlias = Literal["frames", "bytes", "steps", "clips"]
"""What a stage counts."""


Clock: TypeAlias = Callable[[str], AbstractContextManager[None]]
"""Makes a context that times the named part of some work."""


def untimed(_part: str) -> AbstractContextManager[None]:
    """A ``Clock`` that times nothing."""
    return nullcontext()


class Progress(Protocol):
    """Where a run says how far it is; what it counts is frames unless a stage says otherwise."""

    def start(self, stage: str, total: int | None, unit: Unit = "frames") -> None:
        """Begin a stage of ``total`` frames (None: not known yet); ends the stage before it."""
        ...

    def advance(self, frames: int = 1) -> None:
        """Count ``frames`` more of the stage as done."""
        ...

    def skip(self, frames: int = 1) -> None:
        """Count ``frames`` more as done by an earlier run: they say nothing about the speed."""
        ...

    def tell(self, detail: str) -> None:
        """Show a few words beside the running stage, in place of those before."""
        ...

    def note(self, message: str) -> None:
        """Say something worth knowing."""
        ...

    def warn(self, message: str) -> None:
        """Say something that the user should act upon."""
        ...


class Silent:
    """A ``Progress`` that says nothing."""

    def start(self, stage: str, total: int | None, unit: Unit = "frames") -> None:
        """Do nothing."""

    def advance(self, frames: int = 1) -> None:
        """Do nothing."""

    def skip(self, frames: int = 1) -> None:
        """Do nothing."""

    def tell(self, detail: str) -> None:
        """Do nothing."""

    def note(self, message: str) -> None:
        """Do nothing."""

    def warn(self, message: str) -> None:
        """Do nothing."""
