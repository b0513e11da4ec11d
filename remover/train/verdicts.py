"""What people say of stage-1 results: the samples of a folder, and verdicts as lines of JSON.

::

    SAMPLES/samples.json     the items: an id, and three videos each
    SAMPLES/verdicts.jsonl   a line a verdict; of an id's lines the last one counts

A verdict is on the disk before ``append`` returns. A line that was cut off by a crash is ignored,
and taken away by the next one.
"""

import contextlib
import json
import math
import os
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias, get_args

from remover import files
from remover.errors import InputError, nearest

SAMPLES = "samples.json"
VERDICTS = "verdicts.jsonl"
SCHEMA = 1

Choice: TypeAlias = Literal["yes", "no", "skip", "undo"]
"""``undo`` takes back what was said of the id before."""

By: TypeAlias = Literal["person", "truth"]
"""Who judged: somebody who looked, or the known background."""

KINDS = ("original", "overlay", "result")
"""The videos of an item, in the order in which they are shown."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Item:
    """A stage-1 result to be judged."""

    id: str
    clip: str
    """The name of the clip that it was made from."""
    frames: int
    size: tuple[int, int]
    """Height and width in pixels."""
    fps: float
    original: str
    """Paths of the videos within the folder, with forward slashes."""
    overlay: str
    result: str

    def video(self, kind: str) -> str:
        """The path of one of ``KINDS`` within the folder."""
        return str(getattr(self, kind))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was said of an item, by whom and when (ISO 8601, UTC)."""

    id: str
    verdict: Choice
    by: By = "person"
    time: str = field(default_factory=_now)


def items(folder: Path) -> list[Item]:
    """The items of a samples folder, in its order.

    Their videos are not looked for: one that is missing is no reason not to judge the others.

    Raises:
        InputError: It is no samples folder, or ``samples.json`` is damaged; says where.
    """
    path = folder / SAMPLES
    listed = _listed(path)
    found: dict[str, Item] = {}
    for number, entry in enumerate(listed, 1):
        item = _item(entry, f"item {number} of `{path}`")
        if item.id in found:
            raise InputError(
                f"item {number} of `{path}` has the id `{item.id}`, which an earlier one has",
                hint=_AGAIN,
            )
        found[item.id] = item
    return list(found.values())


def read(folder: Path) -> dict[str, Verdict]:
    """The verdict that counts for each id that has one; the one given last comes last.

    Raises:
        InputError: As for ``items``; a line is damaged, or its id is no item's; says which.
    """
    known = {item.id for item in items(folder)}
    path = folder / VERDICTS
    found: dict[str, Verdict] = {}
    for number, line in enumerate(_whole_lines(path), 1):
        verdict = _verdict(line, f"line {number} of `{path}`")
        if verdict.id not in known:
            raise InputError(
                f"line {number} of `{path}` is about `{verdict.id}`, which is not in `{SAMPLES}`",
                hint="the verdicts belong to other samples: move them to where those are",
            )
        found.pop(verdict.id, None)
        if verdict.verdict != "undo":
            found[verdict.id] = verdict
    return found


def accepted(folder: Path) -> set[str]:
    """The ids that were said yes to.

    Raises:
        InputError: As for ``read``.
    """
    return {key for key, verdict in read(folder).items() if verdict.verdict == "yes"}


def append(folder: Path, *verdicts: Verdict, known: Container[str] | None = None) -> None:
    """Add lines to ``verdicts.jsonl``; they are on the disk when this returns, or none is.

    Args:
        folder: The samples.
        verdicts: Each becomes a line.
        known: The ids of the folder's items, where they have been read already.

    Raises:
        InputError: As for ``items``; an id is no item's.
        OutputError: They could not be written.
    """
    if known is None:
        known = {item.id for item in items(folder)}
    for verdict in verdicts:
        if verdict.id not in known:
            raise InputError(
                f"`{verdict.id}` is no sample of `{folder}`",
                hint=f"its ids are those in `{folder / SAMPLES}`",
            )
    lines = "".join(f"{json.dumps(asdict(verdict))}\n" for verdict in verdicts)
    path = folder / VERDICTS
    try:
        _append(path, lines.encode())
    except OSError as error:
        raise files.from_os_error(error, path, "another samples folder") from error


_AGAIN = "write the samples again: `remover train sample`"


def _listed(path: Path) -> list[Any]:
    """The entries of ``samples.json``, not yet looked at."""
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"`{path.parent}` is no samples folder: it has no `{SAMPLES}`",
            hint="`remover train sample RUN` writes one",
        ) from None
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {files.reason_of(error)}") from error
    except (ValueError, RecursionError) as error:  # not JSON, or not text
        raise InputError(f"`{path}` is damaged: {str(error).lower()}", hint=_AGAIN) from None
    if not isinstance(content, dict) or not isinstance(content.get("items"), list):
        raise InputError(f"`{path}` is damaged: it has no list `items`", hint=_AGAIN)
    if content.get("schema") != SCHEMA:
        raise InputError(
            f"`{path}` has the schema `{content.get('schema')}`, and this version reads `{SCHEMA}`",
            hint="read it with the version that wrote it",
        )
    listed: list[Any] = content["items"]
    if not listed:
        raise InputError(f"`{path}` lists no samples", hint=_AGAIN)
    return listed


def _item(entry: Any, where: str) -> Item:
    names = [item.name for item in fields(Item)]
    if not isinstance(entry, dict):
        raise InputError(f"{where} is `{entry}`, not a table", hint=_AGAIN)
    for name in names:
        if name not in entry:
            raise InputError(f"{where} has no `{name}`", hint=_AGAIN)
        if not _FITS[name](entry[name]):
            raise InputError(f"`{name}` of {where} is `{entry[name]}`", hint=_SHAPES[name])
    values = {name: entry[name] for name in names}
    return Item(**values | {"size": tuple(entry["size"]), "fps": float(entry["fps"])})


def _verdict(line: bytes, where: str) -> Verdict:
    try:
        entry = json.loads(line)
        verdict = Verdict(**entry)
        hash(verdict)  # no lists
    except (ValueError, RecursionError, TypeError):
        raise InputError(
            f"{where} is damaged: `{line[:80].decode(errors='replace')}`",
            hint='take the line out, or mend it, as `{"id": "7", "verdict": "yes", "by": '
            '"person", "time": "2025-01-31T12:00:00+00:00"}`',
        ) from None
    for name, value, choices in (
        ("verdict", verdict.verdict, get_args(Choice)),
        ("by", verdict.by, get_args(By)),
    ):
        if value not in choices:
            near = nearest(str(value), choices)
            listed = ", ".join(f"`{choice}`" for choice in choices)
            raise InputError(
                f"`{name}` in {where} is `{value}`",
                hint=f"did you mean `{near}`?" if near else f"it is one of {listed}",
            )
    return verdict


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _is_rate(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value > 0


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_whole, value))


def _is_video(value: Any) -> bool:
    """Whether it is a relative path of a video that stays within the folder."""
    if not isinstance(value, str) or "\\" in value or ":" in value or not value.endswith(".mp4"):
        return False
    path = PurePosixPath(value)
    return value.isprintable() and not path.is_absolute() and ".." not in path.parts


_FITS: Mapping[str, Any] = {
    "id": lambda value: isinstance(value, str) and _ID.fullmatch(value) is not None,
    "clip": lambda value: isinstance(value, str),
    "frames": _is_whole,
    "size": _is_size,
    "fps": _is_rate,
    **dict.fromkeys(KINDS, _is_video),
}

_SHAPES: Mapping[str, str] = {
    "id": "an id has letters, digits, `.`, `_` and `-`, and begins with a letter or a digit",
    "clip": "it is a name in quotes",
    "frames": "it is a whole number above 0",
    "size": "it is a height and a width, as [64, 96]",
    "fps": "it is a number above 0",
    **dict.fromkeys(KINDS, "it is the relative path of an .mp4 within the folder"),
}


def _whole_lines(path: Path) -> Iterator[bytes]:
    """The lines of ``verdicts.jsonl``, less a last one that was cut off."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {files.reason_of(error)}") from error
    *lines, tail = content.split(b"\n")
    yield from lines
    if _is_complete(tail):
        yield tail


def _is_complete(line: bytes) -> bool:
    """Whether all of a line is there but for its end: no part of a table is a table."""
    with contextlib.suppress(ValueError, RecursionError):
        return isinstance(json.loads(line), dict)
    return False


def _append(path: Path, lines: bytes) -> None:
    is_new = not path.exists()
    if not is_new:
        lines = _mended(path) + lines
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    try:
        length = os.fstat(descriptor).st_size
        try:
            if os.write(descriptor, lines) != len(lines):
                raise OSError(files.FULL_DISK[0], os.strerror(files.FULL_DISK[0]))
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, length)
            raise
    finally:
        os.close(descriptor)
    if is_new and os.name == "posix":  # the name has to be on the disk too
        above = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(above)
        finally:
            os.close(above)


def _mended(path: Path) -> bytes:
    """What has to come before the next line; takes away a last line that was cut off."""
    with path.open("rb+") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - (1 << 16)))
        tail = file.read().rpartition(b"\n")[2]
        if not tail:
            return b""
        if _is_complete(tail):
            return b"\n"
        file.truncate(length - len(tail))
    return b""
