"""Where a run keeps its work: one folder for each output, held by one process at a time."""

import contextlib
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

from remover import files
from remover.config import CleanOptions
from remover.errors import OutputError, UsageError
from remover.journal import Journal, facts_of, holds_work
from remover.keys import Key, difference
from remover.owner import Life, Owner
from remover.progress import Progress
from remover.video import folder_of

SUFFIX = ".remover"
OWNER = "owner"
UNSIGNED_S = 2.0
"""An owner's file without a name in it for so long is what a killed process left."""


def folder_for(target: Path, work: str | None) -> Path:
    """The work folder of an output: hidden beside it, or in the folder ``--work`` names.

    That of an image sequence lies beside the sequence's own folder.

    Raises:
        OutputError: That cannot be made.
    """
    target = target.absolute()
    folder = folder_of(target)
    if folder != target:
        target = folder.with_name(f"{folder.name}.{target.name}")
    if work is None:
        return files.hidden(target, SUFFIX)
    mark = hashlib.sha256(str(target).encode()).hexdigest()[:8]
    return _made(Path(work)) / f"{target.name[:100]}.{mark}{SUFFIX}"


@contextlib.contextmanager
def temporary(work: str | None) -> Iterator[Path]:
    """A folder for what no later run can use; it goes with the block.

    Raises:
        OutputError: The folder that ``--work`` names cannot be made.
    """
    with files.work_folder(None if work is None else _made(Path(work))) as folder:
        yield folder


@contextlib.contextmanager
def journaled(
    target: Path, key: Key, options: CleanOptions, progress: Progress
) -> Iterator[Journal]:
    """The journal of the run that makes ``target``, with what an interrupted one left in it.

    The folder goes if the block ends well, or if nothing in it is worth keeping.

    Raises:
        OutputError: Another process works there, or work is left there and neither ``--resume``
            nor ``-y`` says what to do with it.
        UsageError: The work there was done with other options, or for another input.
    """
    folder = folder_for(target, options.work)
    with _held(folder):
        _settle(folder, key, options, progress)
        try:
            with Journal(folder, key, is_kept=True) as journal:
                if journal.frames_done:
                    progress.note(f"going on after {journal.frames_done} filled frames")
                yield journal
        except BaseException:
            if holds_work(folder):
                progress.note(f"the work so far is kept in `{folder}`: `--resume` goes on with it")
            else:
                files.discard(folder)
            raise
        try:
            files.remove(folder)
        except OSError as error:
            why = files.reason_of(error)
            progress.warn(f"`{folder}` is not needed any more and cannot be deleted: {why}")


def _settle(folder: Path, key: Key, options: CleanOptions, progress: Progress) -> None:
    """Decide what becomes of the work that an earlier run left."""
    left = facts_of(folder)
    differs = None if left is None else difference(left["key"], key)
    if options.resume and left is not None and differs is not None:
        raise UsageError(
            f"the work in `{folder}` cannot be gone on with: {differs}",
            hint="run it as it was begun, or leave `--resume` out to begin anew",
        )
    if options.resume and left is not None:
        return
    if left is not None and differs is None and holds_work(folder) and not options.overwrite:
        raise OutputError(
            f"an interrupted run left its work in `{folder}`",
            hint="pass `--resume` to go on with it, or `-y` to begin anew",
        )
    if left is not None and holds_work(folder):
        progress.note(f"the work of an earlier run in `{folder}` is not used")
    try:
        for inner in folder.iterdir():
            if inner.name != OWNER:
                files.remove(inner)
    except OSError as error:
        raise files.from_os_error(error, folder) from error


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a work folder, which is made if it is not there.

    Raises:
        OutputError: Another process holds it, or it cannot be made.
    """
    here = folder / OWNER
    while not _signed(folder, here):
        _check_owner(folder, here)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # the disk may be what failed
            here.unlink(missing_ok=True)
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _signed(folder: Path, here: Path) -> bool:
    """Put this process's name into a new owner's file; False if there is one."""
    _made(folder)
    try:
        with here.open("xb", buffering=0) as file:
            try:
                files.write_all(file, str(Owner.here()).encode())
            except OSError:
                files.discard(here)
                raise
    except (FileExistsError, FileNotFoundError):
        return False
    except OSError as error:
        raise files.from_os_error(error, folder) from error
    return True


def _check_owner(folder: Path, here: Path) -> None:
    """Take the owner's file away if its owner is dead.

    Raises:
        OutputError: It lives, or is of another host.
    """
    try:
        owner = Owner.parse(here.read_text())
        age = time.time() - here.stat().st_mtime
    except FileNotFoundError:
        return
    if owner is None and age < UNSIGNED_S:
        time.sleep(0.05)
        return
    if owner is not None and owner.life is Life.ALIVE:
        raise OutputError(
            f"{owner.said} is writing this output now; its work is in `{folder}`",
            hint="wait until it is done, or choose another place with -o",
        )
    if owner is not None and owner.life is Life.ELSEWHERE:
        raise OutputError(
            f"{owner.said} works in `{folder}`, and cannot be seen from here",
            hint=f"if it is dead, delete `{here}` and run again",
        )
    # Only one of two processes that see a dead owner can take its file away.
    aside = here.with_name(f"{OWNER}.{Owner.here()}")
    with contextlib.suppress(FileNotFoundError):
        here.rename(aside)
        aside.unlink()


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder `{folder}` cannot be made: {(error.strerror or 'refused').lower()}",
            hint="choose another place with `--work DIR`",
        ) from error
    return folder
