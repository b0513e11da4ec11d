"""Output files: checked before any work, written beside the target, published by one rename."""

import contextlib
import errno
import glob
import hashlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from remover.errors import OutputError, RemoverError, memory_ran_out
from remover.owner import Life, Owner

FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What a system says where a file cannot grow any more."""

BLOCK = 1 << 20
"""Bytes that are copied at a time."""

LONGEST_NAME = 120
"""Bytes of a name that others can be made of; file systems take 255."""

_PART = re.compile(r"(?P<owner>.+)\.[0-9a-f]{8}\.(?P<kind>part|old)")
_TEMPORARY = "remover-"


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


def hidden(target: Path, suffix: str) -> Path:
    """A hidden name beside ``target`` that tells which target it belongs to."""
    name = target.name
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return target.with_name(f".{name}{suffix}")


def reclaim(target: Path) -> tuple[tuple[Path, Owner], ...]:
    """Remove what dead processes of this host left beside ``target`` while they wrote it.

    What such a process had taken from the target's place, to put a new one there, goes back.

    Returns:
        Part files of other hosts' processes, and these; they stay.
    """
    others = []
    target = target.absolute()
    start = f"{hidden(target, '').name}."
    for path in sorted(target.parent.glob(f"{glob.escape(start)}*")):
        found = _PART.fullmatch(path.name.removeprefix(start))
        owner = None if found is None else Owner.parse(found["owner"])
        if found is None or owner is None:
            continue
        if owner.life is Life.ELSEWHERE:
            others.append((path, owner))
        elif owner.life is Life.DEAD and found["kind"] == "old" and not target.exists():
            path.rename(target)
        elif owner.life is Life.DEAD:
            remove(path)
    return tuple(others)


def _part_of(target: Path) -> Path:
    return hidden(target, f".{Owner.here()}.{secrets.token_hex(4)}.part")


class Undo:
    """What was published in one go, so that all of it can be taken back.

    Until ``forget`` is called, what was replaced is kept beside its name.
    """

    def __init__(self) -> None:
        """Nothing was published yet."""
        self._steps: list[tuple[Path, Path, tuple[int, int]]] = []

    def publish(self, part: Path, target: Path, aside: Path, *, overwrite: bool) -> None:
        """Put ``part`` in the place of ``target``.

        Args:
            part: The finished file or folder.
            target: Where it is to be.
            aside: A free name on the same disk for what is there now.
            overwrite: Whether that may be replaced.

        Raises:
            OSError: The system refuses.
            OutputError: Something is there, and may not be replaced.
        """
        self._steps.append((target, aside, _identity(part)))
        if overwrite and target.exists():
            _set_aside(target, aside)
        _publish(part, target, overwrite=overwrite)

    def roll_back(self) -> None:
        """Take everything back, and put what was replaced where it was."""
        while self._steps:
            target, aside, published = self._steps.pop()
            with contextlib.suppress(OSError):
                if target.exists() and _identity(target) == published:
                    remove(target)
            with contextlib.suppress(OSError):
                if aside.exists() and not target.exists():
                    aside.rename(target)
            _let_go(aside)

    def forget(self) -> None:
        """Let what was published stay, and delete what it replaced."""
        for _, aside, _ in self._steps:
            _let_go(aside)
        self._steps.clear()


def _let_go(aside: Path) -> None:
    """Delete what was replaced, and the hidden folder that it was kept in, if it was the last."""
    discard(aside)
    if aside.parent.suffix == ".old":
        with contextlib.suppress(OSError):
            aside.parent.rmdir()


@contextlib.contextmanager
def undoing() -> Iterator[Undo]:
    """Take back what is published within the block if it fails for any reason."""
    undo = Undo()
    try:
        yield undo
    except BaseException:
        undo.roll_back()
        raise
    undo.forget()


@contextlib.contextmanager
def publishing(target: Path, *, overwrite: bool, undo: Undo | None = None) -> Iterator[Path]:
    """A hidden path beside ``target`` to write a file or folder to; published on success.

    The hidden path names its owner, keeps no suffix that a tool would recognise, and is removed
    if the block fails for any reason, so that the target's name never holds half a file, and holds
    what was there before if the last step fails too.

    Args:
        target: The name that it gets.
        overwrite: Whether what is there may be replaced.
        undo: What takes this back too, if something fails after the block.

    Raises:
        OutputError: The target appeared meanwhile and must not be replaced, or the disk is full.
    """
    part = _part_of(target)
    try:
        with undoing() if undo is None else contextlib.nullcontext(undo) as undo:
            yield part
            undo.publish(part, target, part.with_suffix(".old"), overwrite=overwrite)
    except OSError as error:
        raise from_os_error(error, target) from error
    finally:
        discard(part)


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
def publishing_into(folder: Path, *, overwrite: bool, undo: Undo | None = None) -> Iterator[Path]:
    """A hidden folder to write pictures to, which become ``folder`` or go into it on success.

    A folder that is not there or empty appears by one rename. Into one with other files the
    pictures are moved one by one, after all of them were written and checked; if one cannot be
    moved, the others go, and what they replaced comes back.

    Args:
        folder: Where the pictures go.
        overwrite: Whether pictures of the same names may be replaced.
        undo: What takes this back too, if something fails after the block.

    Raises:
        OutputError: A picture appeared meanwhile and must not be replaced, or the disk is full.
    """
    target = folder.absolute()
    part = _part_of(target)
    aside = part.with_suffix(".old")
    try:
        with undoing() if undo is None else contextlib.nullcontext(undo) as undo:
            yield part
            if target.is_dir() and any(target.iterdir()):
                _move_into(part, target, undo, aside, overwrite=overwrite)
            else:
                undo.publish(part, target, aside, overwrite=True)
    except OSError as error:
        raise from_os_error(error, folder) from error
    finally:
        discard(part)


def _move_into(part: Path, folder: Path, undo: Undo, aside: Path, *, overwrite: bool) -> None:
    pictures = sorted(part.iterdir())
    appeared = [p.name for p in pictures if (folder / p.name).exists()]
    if appeared and not overwrite:
        raise _appeared(folder / appeared[0])
    aside.mkdir()
    for picture in pictures:
        undo.publish(picture, folder / picture.name, aside / picture.name, overwrite=overwrite)


def from_os_error(error: OSError, target: Path, flag: str = "-o") -> RemoverError:
    """What a system's refusal to write means, in a sentence; ``flag`` names another place."""
    if error.errno == errno.ENOMEM:
        return memory_ran_out()
    if error.errno in FULL_DISK:
        return OutputError(
            f"the disk is full: `{target}` was not written",
            hint=f"free some space, or write elsewhere with {flag}",
        )
    return OutputError(
        f"`{target}` cannot be written: {reason_of(error)}",
        hint=f"choose another place with {flag}",
    )


def reason_of(error: OSError) -> str:
    """What the system says, to stand within a sentence."""
    return (error.strerror or str(error)).lower()


def _appeared(target: Path) -> OutputError:
    return OutputError(
        f"`{target}` appeared while the run was going on",
        hint="pass -y to replace it, or -o for another name",
    )


def _identity(path: Path) -> tuple[int, int]:
    """What tells a file or folder from every other one, whatever it is called."""
    facts = path.stat(follow_symlinks=False)
    return facts.st_dev, facts.st_ino


def _set_aside(target: Path, aside: Path) -> None:
    """Keep ``target`` as ``aside``; a file keeps its own name too, where links are possible."""
    if not target.is_dir():
        with contextlib.suppress(OSError):
            os.link(target, aside)
            return
    target.rename(aside)


def _publish(part: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        part.replace(target)
        return
    if not part.is_dir():
        # A link fails if the name appeared meanwhile; a rename would replace it.
        with contextlib.suppress(OSError):
            os.link(part, target)
            return
    if target.exists() or target.is_symlink():
        raise _appeared(target)
    part.rename(target)  # a folder, or no links on this file system


def write_all(file: BinaryIO, content: bytes) -> None:
    """Write all of ``content`` to an unbuffered file, which may take less at a time.

    Nothing is left in a buffer that would be tried again, and fail again, when the file is closed.

    Raises:
        OSError: The disk is full or gone; the file may hold a part of it.
    """
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file so that readers see the old content or the new one, never a part."""
    part = path.with_name(f"{path.name}.new")
    part.write_bytes(content)
    part.replace(path)


def digest(path: Path) -> str:
    """The sha256 of a file's content, or of the names and contents of a folder's files.

    Raises:
        OSError: Something cannot be read.
    """
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    total = hashlib.sha256()
    for inner in sorted(p for p in path.rglob("*") if p.is_file()):
        total.update(f"{inner.relative_to(path)}\0{digest(inner)}\n".encode())
    return total.hexdigest()


def digests(path: Path) -> dict[str, str]:
    """The sha256 of each file of a folder by name, or of one file under the name ``""``.

    Raises:
        OSError: Something cannot be read.
    """
    if not path.is_dir():
        return {"": digest(path)}
    return {inner.name: digest(inner) for inner in sorted(path.iterdir())}


def remove(path: Path) -> None:
    """Delete a file or folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def discard(path: Path) -> None:
    """Delete what must not get into the way of an error; if it stays, a later run takes it."""
    with contextlib.suppress(OSError):
        remove(path)


@contextlib.contextmanager
def work_folder(parent: Path | None = None) -> Iterator[Path]:
    """A private folder for working data, removed at the end; those of dead processes go too.

    Args:
        parent: Where; the system's place for such folders if None.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        place = Path(tempfile.gettempdir()) if parent is None else parent
        made = tempfile.TemporaryDirectory(
            prefix=f"{_TEMPORARY}{Owner.here()}.", dir=place, ignore_cleanup_errors=True
        )
    except OSError as error:
        raise OutputError(
            f"no folder for working data can be made: {reason_of(error)}",
            hint="let `TMPDIR` name a folder that can be written to and has room",
        ) from error
    for path in place.glob(f"{_TEMPORARY}*"):
        owner = Owner.parse(path.name.removeprefix(_TEMPORARY).rpartition(".")[0])
        if owner is not None and owner.life is Life.DEAD:
            discard(path)  # if it is not another user's
    with made as folder:
        yield Path(folder)
