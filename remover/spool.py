"""A file with what comes through a pipe, which could be read only once."""

from pathlib import Path
from typing import BinaryIO

from remover import files
from remover.errors import InputError, OutputError


def spooled(stream: BinaryIO, folder: Path) -> Path:
    """A file in ``folder`` with all that ``stream`` gives.

    Raises:
        InputError: That is nothing, or it cannot be read.
        OutputError: The disk is full.
    """
    path = folder / "standard-input"
    try:
        with path.open("wb", buffering=0) as file:
            while block := _read_block(stream):
                files.write_all(file, block)
    except OSError as error:
        why = "the disk is full" if error.errno in files.FULL_DISK else files.reason_of(error)
        raise OutputError(
            f"the standard input cannot be copied to `{folder}`: {why}",
            hint="let `TMPDIR` name a folder with more room",
        ) from error
    if not path.stat().st_size:
        raise InputError(
            "nothing came in through the standard input",
            hint="check the command before the `|`",
        )
    return path


def _read_block(stream: BinaryIO) -> bytes:
    try:
        return stream.read(files.BLOCK)
    except OSError as error:
        raise InputError(
            f"the standard input cannot be read: {files.reason_of(error)}",
            hint="check the command before the `|`",
        ) from error
