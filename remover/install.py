"""Bring the files of ``weights.lock`` to their places: from the network or from a disk."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from remover import download, files, weights
from remover.errors import InputError, OutputError, WeightsError
from remover.partial import claimed, kept_bytes
from remover.progress import Progress
from remover.weights import Licence, WeightFile, size_text

SPARE_BYTES = 32_000_000
"""What is left free on the disk."""

Consent = Callable[[Licence, Sequence[WeightFile]], None]
"""Asks whether a licence without commercial use is accepted; raises if it is not."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A file that is at its place, its hash checked."""

    entry: WeightFile
    path: Path
    is_new: bool
    """Whether it was brought there now."""


def pull(
    entries: Sequence[WeightFile],
    consent: Consent,
    progress: Progress,
    waits_s: Sequence[float] = download.WAITS_S,
) -> tuple[Installed, ...]:
    """Fetch the files that are not installed, or damaged, one after the other.

    Args:
        entries: Files of the lock.
        consent: Asked before anything is fetched, once for each licence that needs it.
        progress: Told of each file.
        waits_s: Pauses before further tries of a transfer that broke.

    Raises:
        UsageError: A licence is not accepted.
        WeightsError: A file cannot be fetched, or is not what the lock says.
        OutputError: There is no room, or another process fetches the same file.
    """
    wanted = [entry for entry in entries if not _is_sound(entry, progress)]
    for name in dict.fromkeys(entry.licence for entry in wanted):
        licence = weights.licences()[name]
        if not licence.commercial:
            consent(licence, [entry for entry in wanted if entry.licence == name])
    _check_room(wanted)
    for entry in wanted:
        _fetch(entry, progress, waits_s)
    return tuple(Installed(e, weights.place(e.name), e in wanted) for e in entries)


def add(sources: Iterable[Path], progress: Progress) -> tuple[Installed, ...]:
    """Copy the files that the lock knows by their hash, whatever their names, to their places.

    Args:
        sources: Files, each of which must be known, and folders, in which known ones are looked
            for at every depth.
        progress: Told of each file.

    Raises:
        InputError: A source is not there.
        WeightsError: A file is not known, or no file of a folder is.
        OutputError: There is no room.
    """
    found: dict[WeightFile, Path] = {}
    for source in sources:
        found |= _known(source, progress)
    wanted = [entry for entry in found if not _is_sound(entry, progress)]
    _check_room(wanted)
    for entry in wanted:
        _copy(found[entry], entry, progress)
    return tuple(Installed(e, weights.place(e.name), e in wanted) for e in found)


def verify(entries: Sequence[WeightFile], progress: Progress) -> tuple[Installed, ...]:
    """Hash installed files anew, all of them before any is complained of.

    Raises:
        WeightsError: Some are missing or are not the files that the lock names.
    """
    sound, wrong, names = [], [], []
    for entry in entries:
        path = weights.place(entry.name)
        progress.start(f"verify {entry.name}", entry.bytes, "bytes")
        try:
            sound.append(Installed(entry, weights.verified(entry.name), is_new=False))
        except WeightsError as error:
            wrong.append(error.message)
            names.append(entry.name)
        if path.is_file():
            progress.advance(path.stat().st_size)
    if wrong:
        raise WeightsError(
            "; ".join(wrong), hint=f"fetch again: `remover weights pull {' '.join(names)}`"
        )
    return tuple(sound)


def _is_sound(entry: WeightFile, progress: Progress) -> bool:
    """Whether the file is installed and is what it must be."""
    path = weights.place(entry.name)
    if not weights.is_installed(entry.name):
        return False
    progress.start(f"check {entry.name}", entry.bytes, "bytes")
    if weights.sha256(path) == entry.sha256:
        progress.advance(entry.bytes)
        return True
    progress.warn(f"`{path}` is damaged and will be replaced")
    return False


def _check_room(entries: Sequence[WeightFile]) -> None:
    """Refuse to begin what the disk cannot hold."""
    if not entries:
        return
    folder = weights.folder()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    kept = sum(kept_bytes(weights.place(entry.name), _mark(entry)) for entry in entries)
    needed = sum(entry.bytes for entry in entries) - kept
    free = shutil.disk_usage(there).free
    if needed + SPARE_BYTES > free:
        raise OutputError(
            f"`{folder}` has room for {size_text(max(0, free - SPARE_BYTES))}, and "
            f"{size_text(needed)} are needed",
            hint="free some space, or point `XDG_CACHE_HOME` to another disk",
        )


def _fetch(entry: WeightFile, progress: Progress, waits_s: Sequence[float]) -> None:
    target = weights.place(entry.name)
    remote = download.Remote(entry.name, entry.url, entry.bytes, entry.sha256)
    try:
        with _writing(target), claimed(target, _mark(entry), progress) as part:
            download.fetch(remote, part, progress, waits_s)
            _sync(part)
            part.replace(target)
    except (KeyboardInterrupt, SystemExit):
        kept = kept_bytes(target, _mark(entry))
        if kept:
            progress.note(
                f"{size_text(kept)} of `{entry.name}` are kept: the next pull goes on there"
            )
        raise


def _known(source: Path, progress: Progress) -> dict[WeightFile, Path]:
    """The files of the lock that are in ``source``, each with where it was found."""
    if not source.exists():
        raise InputError(f"`{source}` is not there", hint="name a file, or a folder with files")
    if not source.is_dir():
        return _matches(source, _digest_of(source, progress))
    sizes = {entry.bytes for entry in weights.lock().values()}
    candidates = sorted(path for path in source.rglob("*") if path.is_file())
    found: dict[WeightFile, Path] = {}
    for path in candidates:
        if path.stat().st_size in sizes:
            digest = _digest_of(path, progress)
            found |= {e: path for e in weights.lock().values() if e.sha256 == digest}
    if not found:
        raise WeightsError(
            f"`{source}` has no file that `weights.lock` names, among {len(candidates)}",
            hint="`remover weights list` names them; they are known by their sha256, not by their "
            "names",
        )
    return found


def _digest_of(path: Path, progress: Progress) -> str:
    size = path.stat().st_size
    progress.start(f"look at {path.name}", size, "bytes")
    digest = weights.sha256(path)
    progress.advance(size)
    return digest


def _matches(path: Path, digest: str) -> dict[WeightFile, Path]:
    found = {entry: path for entry in weights.lock().values() if entry.sha256 == digest}
    if not found:
        raise WeightsError(
            f"`{path}` is no file that `weights.lock` names: its sha256 is `{digest}`",
            hint="check that the copy is whole; own checkpoints are not installed, but given where "
            "they are used",
        )
    return found


def _copy(source: Path, entry: WeightFile, progress: Progress) -> None:
    target = weights.place(entry.name)
    progress.start(f"add {entry.name}", entry.bytes, "bytes")
    digest = hashlib.sha256()
    with _writing(target), files.publishing(target, overwrite=True) as part:
        with source.open("rb") as original, part.open("wb") as copy:
            while block := original.read(files.BLOCK):
                copy.write(block)
                digest.update(block)
                progress.advance(len(block))
        if digest.hexdigest() != entry.sha256:
            raise WeightsError(
                f"`{source}` changed while it was copied: its sha256 is now "
                f"`{digest.hexdigest()}`, not `{entry.sha256}`",
                hint="check the disk that it is on, and run it again",
            )
        _sync(part)


@contextlib.contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Make the folders above ``target``, and say what the system refuses in the block.

    Raises:
        OutputError: Something cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise _not_written(target, error) from error
    except OutputError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        raise _not_written(target, error.__cause__) from error.__cause__


def _not_written(target: Path, error: OSError) -> OutputError:
    return OutputError(
        files.from_os_error(error, target).message,
        hint="free some space, or point `XDG_CACHE_HOME` to another place",
    )


def _mark(entry: WeightFile) -> str:
    return entry.sha256[:8]


def _sync(path: Path) -> None:
    """See that the content is on the disk before the name says so."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())
