"""Writing to a pipe: bytes in order, never back."""

from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from remover.video.sources import locator


class Pipe:
    """A stream that a muxer writes to and cannot seek in.

    Once its reader is gone it takes everything and keeps nothing, so that a muxer can let go.
    """

    name = "-"

    def __init__(self, stream: BinaryIO) -> None:
        """Write to ``stream``, which stays open."""
        self._stream = stream
        self._has_reader = True

    def write(self, content: bytes) -> int:
        """Write all of ``content``; its length.

        Raises:
            BrokenPipeError: The reader is gone; said once.
        """
        rest = memoryview(content)
        while self._has_reader and rest:
            try:
                rest = rest[self._stream.write(rest) or 0 :]
            except BrokenPipeError:
                self._has_reader = False
                raise
        return len(content)

    def __str__(self) -> str:
        """As it is written on the command line."""
        return self.name


Target: TypeAlias = Path | Pipe
"""Where an output goes."""


def opened_by(target: Target) -> Any:
    """``target`` as the media library wants it."""
    return target if isinstance(target, Pipe) else locator(target)
