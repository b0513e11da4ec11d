"""A part file that outlives its process, so that the next one can go on with it."""

import contextlib
import glob
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from remover.errors import OutputError
from remover.files import hidden, remove
from remover.owner import Life, Owner
from remover.progress import Progress

_PART = re.compile(r"(?:(?P<owner>.+)\.)?(?P<mark>[0-9a-f]{8})\.part")
_PAUSE_S = (0.02, 0.1)


class _Left(NamedTuple):
    """A part file beside the target."""

    path: Path
    mark: str
    owner: Owner | None
    """None: its process let go of it in an orderly way."""


@contextlib.contextmanager
def claimed(target: Path, mark: str, progress: Progress) -> Iterator[Path]:
    """A hidden part file beside ``target`` that this process alone writes; it stays on failure.

    It holds what an earlier process left of the same content, or nothing. While the block runs,
    its name names the owner; afterwards, if it is still there, anybody may go on with it.

    Args:
        target: What the part is to become; the block does that, by a rename.
        mark: Eight hexadecimal digits of what the whole content will be.
        progress: Who hears of parts that belong to other hosts.

    Raises:
        OutputError: Another process writes such a part now.
    """
    own = hidden(target, f".{Owner.here()}.{mark}.part")
    while not _taken(target, mark, own):
        time.sleep(random.uniform(*_PAUSE_S))
    for left in _parts(target):
        if left.owner is not None and left.owner.life is Life.ELSEWHERE:
            progress.warn(f"`{left.path}` is of {left.owner.said}, which cannot be seen from here")
    try:
        yield own
    finally:
        _let_go(target, mark, own)


def kept_bytes(target: Path, mark: str) -> int:
    """How much of the content nobody holds and the next process can go on with, in bytes."""
    sizes = [_size(left) for left in _parts(target) if left.mark == mark and _is_free(left)]
    return max(sizes, default=0)


def _taken(target: Path, mark: str, own: Path) -> bool:
    """Take the longest part that is free under our name; False if another took one meanwhile."""
    _refuse_rival(target, None)
    free = sorted((left for left in _parts(target) if _is_free(left)), key=_size)
    useful = [left for left in free if left.mark == mark]
    try:
        if useful:
            useful[-1].path.rename(own)
        else:
            own.touch()
    except FileNotFoundError:
        return False
    try:
        _refuse_rival(target, own)
    except OutputError:
        # Both of two that begin at once may see each other: both let go, and look again.
        _let_go(target, mark, own)
        return False
    for left in free:
        remove(left.path)
    return True


def _let_go(target: Path, mark: str, own: Path) -> None:
    """Leave our part to anybody, unless it is empty or a longer one is left already."""
    if own.is_file() and own.stat().st_size > kept_bytes(target, mark):
        own.replace(hidden(target, f".{mark}.part"))
    remove(own)


def _refuse_rival(target: Path, own: Path | None) -> None:
    for left in _parts(target):
        if left.path != own and left.owner is not None and left.owner.life is Life.ALIVE:
            raise OutputError(
                f"{left.owner.said} is writing `{target}` now", hint="wait until it is done"
            )


def _is_free(left: _Left) -> bool:
    return left.owner is None or left.owner.life is Life.DEAD


def _size(left: _Left) -> int:
    try:
        return left.path.stat().st_size
    except FileNotFoundError:
        return 0


def _parts(target: Path) -> list[_Left]:
    start = f"{hidden(target, '').name}."
    found = []
    for path in sorted(target.parent.glob(f"{glob.escape(start)}*")):
        name = _PART.fullmatch(path.name.removeprefix(start))
        if name is None:
            continue
        owner = None if name["owner"] is None else Owner.parse(name["owner"])
        if name["owner"] is None or owner is not None:
            found.append(_Left(path, name["mark"], owner))
    return found
