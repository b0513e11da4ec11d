"""Tracked masks of earlier runs, so that a run with other fill options does not track again.

An entry is a folder named by its key, with the two files of a saved ``MaskStore`` and what they
hash to; one that was damaged counts as none. The cache is
bounded: the entries that were not used for the longest time go first. It is only ever a help, so
a disk that is full or read-only is no error here.
"""

import json
import os
import secrets
import shutil
from pathlib import Path

from remover import files
from remover.config import cache_folder
from remover.keys import Key, short

DIGESTS = "sha256.json"
"""The file of an entry that says what the others hold."""

LARGEST = 1 << 30
"""Bytes that all entries together may take."""


def fetch(key: Key, folder: Path) -> bool:
    """Copy the masks that were tracked with ``key`` into ``folder``; False if there are none."""
    place = _place()
    if place is None:
        return False
    entry = place / short(key)
    try:
        wanted = json.loads((entry / DIGESTS).read_text())
        for name in wanted:
            shutil.copyfile(entry / name, folder / name)
        os.utime(entry)
        is_whole = all(files.digest(folder / name) == sha for name, sha in wanted.items())
    except (OSError, ValueError):
        return False
    if not is_whole:
        files.discard(entry)
    return is_whole


def keep(key: Key, store: Path) -> None:
    """Keep a copy of the saved store whose file is ``store``."""
    place = _place()
    if place is None:
        return
    part = place / f"{secrets.token_hex(8)}.part"
    try:
        if (place / short(key)).exists():
            return
        part.mkdir(parents=True)
        digests = {}
        for path in (store, store.with_suffix(".npz")):
            digests[path.name] = files.digest(path)
            shutil.copyfile(path, part / path.name)
        (part / DIGESTS).write_text(json.dumps(digests))
        part.rename(place / short(key))
        _prune(place)
    except OSError:
        files.discard(part)


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
