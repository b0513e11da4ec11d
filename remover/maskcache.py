"""Tracked masks of earlier runs, so that a run with other fill options does not track again.

An entry is a folder named by its key, with the two files of a saved ``MaskStore``. The cache is
bounded: the entries that were not used for the longest time go first. It is only ever a help, so
a disk that is full or read-only is no error here.
"""

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from remover import files
from remover.config import cache_folder
from remover.keys import Key, short

LARGEST = 1 << 30
"""Bytes that all entries together may take."""


def fetch(key: Key, folder: Path) -> bool:
    """Copy the masks that were tracked with ``key`` into ``folder``; False if there are none."""
    place = _place()
    entry = None if place is None else place / short(key)
    if entry is None or not entry.is_dir():
        return False
    try:
        for path in sorted(entry.iterdir()):
            shutil.copyfile(path, folder / path.name)
        os.utime(entry)
    except OSError:
        return False
    return True


def keep(key: Key, store: Path) -> None:
    """Keep a copy of the saved store whose file is ``store``."""
    place = _place()
    if place is None or (place / short(key)).exists():
        return
    part = place / f"{secrets.token_hex(8)}.part"
    try:
        part.mkdir(parents=True)
        for path in (store, store.with_suffix(".npz")):
            shutil.copyfile(path, part / path.name)
        part.rename(place / short(key))
        _prune(place)
    except OSError:
        with contextlib.suppress(OSError):
            files.remove(part)


def _prune(place: Path) -> None:
    entries = sorted(place.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    total = 0
    for entry in entries:
        total += sum(path.stat().st_size for path in entry.iterdir())
        if total > LARGEST:
            files.remove(entry)


def _place() -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / "masks"
