"""Output files: checked before any work, written beside the target, published by one rename."""

import contextlib
import errno
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from remover.errors import InputError, OutputError

SPOOL_BLOCK = 1 << 20
"""Bytes that are copied at a time."""


def check_target(target: Path, source: Path | None, *, overwrite: bool) -> None:
    """Refuse a target that cannot or must not be written; writes nothing that stays.

    Raises:
        OutputError: The target is the source, exists, or its folder cannot be written.
    """
    folder = target.parent
    if not folder.is_dir():
        raise OutputError(
            f"the folder `{folder}` does not exist", hint=f"create it: mkdir -p '{folder}'"
        )
    if source is not None and target.exists() and source.exists() and target.samefile(source):
        if not overwrite:
            raise OutputError(
                f"the output `{target}` is the input itself",
                hint="choose another name with -o, or pass -y to replace the input at the end",
            )
    elif target.exists() and not overwrite:
        raise OutputError(
            f"`{target}` exists already", hint="pass -y to replace it, or choose another name"
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise OutputError(
            f"the folder `{folder}` cannot be written: {error.strerror}",
            hint="choose another place with -o",
        ) from error


@contextlib.contextmanager
def publishing(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """A hidden path beside ``target`` to write a file or folder to; published on success.

    The hidden path keeps no suffix that a tool would recognise, and is removed if the block
    fails for any reason, so that the target's name never holds half a file.

    Raises:
        OutputError: The target appeared meanwhile and must not be replaced, or the disk is full.
    """
    part = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
    try:
        yield part
        _publish(part, target, overwrite=overwrite)
    except OSError as error:
        raise from_os_error(error, target) from error
    finally:
        remove(part)


def check_folder(folder: Path, *, is_taken: bool, overwrite: bool) -> None:
    """Refuse a folder of pictures that cannot or must not be written.

    Args:
        folder: Where the pictures go; it need not exist, but the folder around it must.
        is_taken: Whether some of them, or anything where the whole folder is meant, are there.
        overwrite: Whether they may be replaced.

    Raises:
        OutputError: They are there already, or the folder cannot be written.
    """
    if is_taken and not overwrite:
        raise OutputError(
            f"`{folder}` has such pictures already",
            hint="pass -y to replace them, or choose another place",
        )
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"`{folder}` is no folder", hint="choose another place with -o")
    check_target(folder, None, overwrite=True)


@contextlib.contextmanager
def publishing_into(folder: Path, *, overwrite: bool) -> Iterator[Path]:
    """A hidden folder to write pictures to, which become ``folder`` or go into it on success.

    A folder that is not there or empty appears by one rename. Into one with other files the
    pictures are moved one by one, after all of them were written and checked.

    Raises:
        OutputError: A picture appeared meanwhile and must not be replaced, or the disk is full.
    """
    target = folder.absolute()
    part = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
    try:
        yield part
        if target.is_dir() and any(target.iterdir()):
            _move_into(part, target, overwrite=overwrite)
        else:
            if target.is_dir():
                target.rmdir()
            part.rename(target)
    except OSError as error:
        raise from_os_error(error, folder) from error
    finally:
        remove(part)


def _move_into(part: Path, folder: Path, *, overwrite: bool) -> None:
    pictures = sorted(part.iterdir())
    appeared = [p.name for p in pictures if (folder / p.name).exists()]
    if appeared and not overwrite:
        raise OutputError(
            f"`{folder / appeared[0]}` appeared while the run was going on",
            hint="pass -y to replace it, or -o for another place",
        )
    for picture in pictures:
        picture.replace(folder / picture.name)


def from_os_error(error: OSError, target: Path) -> OutputError:
    """What an operating system's refusal to write means, in a sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"the disk is full: `{target}` was not written",
            hint="free some space, or write elsewhere with -o",
        )
    reason = error.strerror or str(error)
    return OutputError(
        f"`{target}` cannot be written: {reason}", hint="choose another place with -o"
    )


def _publish(part: Path, target: Path, *, overwrite: bool) -> None:
    if part.is_dir():
        _publish_folder(part, target, overwrite=overwrite)
        return
    if overwrite:
        part.replace(target)
        return
    try:
        # A link fails if the name appeared meanwhile; a rename would replace it.
        os.link(part, target)
    except FileExistsError:
        raise OutputError(
            f"`{target}` appeared while the run was going on",
            hint="pass -y to replace it, or -o for another name",
        ) from None
    except OSError:
        # No links on this file system.
        if target.exists():
            raise OutputError(
                f"`{target}` appeared while the run was going on",
                hint="pass -y to replace it, or -o for another name",
            ) from None
        part.rename(target)


def _publish_folder(part: Path, target: Path, *, overwrite: bool) -> None:
    if target.exists():
        if not overwrite:
            raise OutputError(
                f"`{target}` appeared while the run was going on",
                hint="pass -y to replace it, or -o for another name",
            )
        retired = part.with_suffix(".old")
        target.rename(retired)
        part.rename(target)
        remove(retired)
        return
    part.rename(target)


def spooled(stream: BinaryIO, folder: Path) -> Path:
    """A file in ``folder`` with all that ``stream`` gives.

    Raises:
        InputError: That is nothing, or it cannot be read.
        OutputError: The disk is full.
    """
    path = folder / "standard-input"
    with path.open("wb") as file:
        try:
            shutil.copyfileobj(stream, file, SPOOL_BLOCK)
            file.flush()
        except OSError as error:
            raise from_os_error(error, path) from error
        if not file.tell():
            raise InputError(
                "nothing came in through the standard input",
                hint="check the command before the `|`",
            )
    return path


def remove(path: Path) -> None:
    """Delete a file or folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def work_folder() -> Iterator[Path]:
    """A private folder for masks and other working data, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="remover-") as folder:
        yield Path(folder)
