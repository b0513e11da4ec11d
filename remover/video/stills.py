"""Image sequences by name: a pattern such as ``shot/%05d.png``, or a folder of pictures."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from remover.errors import InputError, OutputError
from remover.types import VideoInfo

CODECS = {
    ".png": "png",
    ".jpg": "mjpeg",
    ".jpeg": "mjpeg",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".dpx": "dpx",
    ".exr": "exr",
}
"""Suffixes of pictures that are read and written, and FFmpeg's codec of each."""

FLOAT_SUFFIXES = frozenset({".hdr", ".pfm", ".phm"})
"""Suffixes of other pictures whose samples are floating-point numbers."""

NUMBER = re.compile(r"%(0?)([1-9]?)d")
"""The place of the number in a pattern: ``%d``, ``%5d`` is not padded with zeros, ``%05d``."""

MAX_NAMED = 5
"""How many runs of missing frames a message names."""


class Numbered(NamedTuple):
    """A name cut around its last number."""

    before: str
    number: int
    after: str


def is_pattern(path: Path) -> bool:
    """Whether ``path`` names numbered pictures, as ``%05d.png``, and is no file itself."""
    return NUMBER.search(path.name) is not None and not path.exists()


def is_sequence(path: Path) -> bool:
    """Whether ``path`` is read as an image sequence: a pattern or a folder."""
    return path.is_dir() or is_pattern(path)


def list_pictures(path: Path) -> tuple[Path, ...]:
    """The pictures of a sequence in order.

    Args:
        path: A pattern, or a folder of pictures of one kind; hidden and other files in it are
            passed over.

    Raises:
        InputError: There are none, some are missing, or their kind is not read.
    """
    found = _of_folder(path) if path.is_dir() else _of_pattern(path)
    _check_kind(path, found)
    cut = [cut_name(picture.name) for picture in found]
    if all(cut) and len({(c.before, c.after) for c in cut if c}) == 1:
        _check_gaps(path, [c.number for c in cut if c])
    return found


def cut_name(name: str) -> Numbered | None:
    """``name`` cut around its last number, None if it has none before its suffix."""
    stem, dot, suffix = name.rpartition(".")
    found = re.fullmatch(r"(.*?)(\d+)(\D*)", stem)
    if found is None:
        return None
    return Numbered(found.group(1), int(found.group(2)), f"{found.group(3)}{dot}{suffix}")


def names_of(target: Path, info: VideoInfo, num_frames: int, first: int = 0) -> tuple[str, ...]:
    """The file names of an output sequence, in order.

    A folder takes the names of the source's pictures. A pattern takes their numbers, or counts
    from ``first`` where the source has none.
    """
    if not is_pattern_name(target):
        return tuple(picture.name for picture in info.pictures)
    cut = [cut_name(picture.name) for picture in info.pictures]
    numbers = [c.number for c in cut if c]
    if len(set(numbers)) != num_frames or len(numbers) != num_frames:
        numbers = list(range(first, first + num_frames))
    return tuple(filled(target.name, number) for number in numbers)


def is_pattern_name(path: Path) -> bool:
    """Whether the last part of ``path`` has a place for a number."""
    return NUMBER.search(path.name) is not None


def filled(pattern: str, number: int) -> str:
    """The name that ``pattern`` gives to picture ``number``."""
    place = NUMBER.search(pattern)
    assert place is not None
    width = int(place.group(2) or 0)
    text = f"{number:0{width}d}" if place.group(1) else f"{number:{width}d}"
    return f"{pattern[: place.start()]}{text}{pattern[place.end() :]}"


def is_pictures_target(target: Path, *, from_pictures: bool) -> bool:
    """Whether an output named ``target`` is an image sequence.

    Args:
        target: The output.
        from_pictures: Whether the source is one too; a folder then takes its names.

    Raises:
        OutputError: It names a single picture, or pictures of a kind that is not written.
    """
    suffix = target.suffix.lower()
    if is_pattern_name(target):
        if suffix in CODECS:
            return True
        if suffix in FLOAT_SUFFIXES:
            raise OutputError(
                f"`{target.name}`: of pictures with floating-point samples only OpenEXR is written",
                hint="write OpenEXR: -o out/%05d.exr",
            )
        return False
    if suffix in CODECS and not target.is_dir():
        raise OutputError(
            f"`{target.name}` names one picture, not a sequence",
            hint=f"leave a place for the number, as {target.stem}/%05d{target.suffix}, or name a "
            f"video: {target.stem}.mkv",
        )
    return from_pictures and (target.is_dir() or suffix in ("", ".clean"))


def folder_of(target: Path) -> Path:
    """The folder that an output sequence is written to."""
    return target.parent if is_pattern_name(target) else target


def has_pictures(target: Path) -> bool:
    """Whether something of an output sequence is there already."""
    folder = folder_of(target)
    if not folder.is_dir():
        return False
    if not is_pattern_name(target):
        return any(folder.iterdir())
    wanted = _matcher(target.name)
    return any(wanted.fullmatch(entry.name) for entry in folder.iterdir())


def older_pictures(target: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Pictures where an output sequence goes that are like its own but not among ``names``.

    Args:
        target: A pattern, or a folder; there it is all pictures of the kinds in ``names``.
        names: The files that will be written.

    Returns:
        Names in natural order.
    """
    folder = folder_of(target)
    if not folder.is_dir():
        return ()
    wanted = _matcher(target.name) if is_pattern_name(target) else None
    kinds = {Path(name).suffix.lower() for name in names}
    found = [
        entry.name
        for entry in folder.iterdir()
        if (wanted.fullmatch(entry.name) if wanted else entry.suffix.lower() in kinds)
        and not entry.name.startswith(".")
    ]
    return tuple(sorted(set(found) - set(names), key=natural_key))


def ranges(names: Sequence[str]) -> str:
    """Names in order in short: ``00025.png to 00036.png, 00040.png``."""
    runs: list[list[str]] = []
    last = None
    for name in names:
        cut = cut_name(name)
        if last and cut and cut == Numbered(last.before, last.number + 1, last.after):
            runs[-1][1:] = [name]
        else:
            runs.append([name])
        last = cut
    shown = [" to ".join(f"`{name}`" for name in run) for run in runs[:MAX_NAMED]]
    return ", ".join(shown) + (" and more" if len(runs) > MAX_NAMED else "")


def _matcher(pattern: str) -> re.Pattern[str]:
    """What the names of a pattern look like; the number is group 1."""
    place = NUMBER.search(pattern)
    assert place is not None
    width = place.group(2) or "1"
    digits = rf"(\d{{{width},}})" if place.group(1) else r" *(\d+)"
    return re.compile(
        re.escape(pattern[: place.start()]) + digits + re.escape(pattern[place.end() :])
    )


def _of_pattern(path: Path) -> tuple[Path, ...]:
    if not path.parent.is_dir():
        raise InputError(
            f"the folder `{path.parent}` does not exist", hint="check the spelling of the pattern"
        )
    wanted = _matcher(path.name)
    found = {}
    for entry in path.parent.iterdir():
        number = wanted.fullmatch(entry.name)
        if number and entry.is_file() and filled(path.name, int(number.group(1))) == entry.name:
            found[int(number.group(1))] = entry
    if not found:
        raise InputError(
            f"no picture is named as `{path}` says",
            hint="`%05d` stands for a number of five digits, `%d` for one of any length",
        )
    return tuple(found[number] for number in sorted(found))


def _of_folder(path: Path) -> tuple[Path, ...]:
    known = {*CODECS, *FLOAT_SUFFIXES}
    found = [
        entry
        for entry in path.iterdir()
        if entry.suffix.lower() in known and not entry.name.startswith(".") and entry.is_file()
    ]
    if not found:
        raise InputError(
            f"the folder `{path}` has no pictures in it",
            hint=f"give a video, or a folder of {', '.join(CODECS)} pictures",
        )
    return tuple(sorted(found, key=lambda entry: natural_key(entry.name)))


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """A sorting key by which ``2.png`` comes before ``10.png``."""
    parts = re.split(r"(\d+)", name.lower())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)


def _check_kind(path: Path, pictures: Sequence[Path]) -> None:
    suffixes = sorted({picture.suffix.lower() for picture in pictures})
    floating = [p for p in pictures if p.suffix.lower() in FLOAT_SUFFIXES]
    if floating:
        raise InputError(
            f"`{floating[0]}`: of pictures with floating-point samples only OpenEXR is read",
            hint="convert the sequence to OpenEXR first",
        )
    kinds = {CODECS.get(suffix) for suffix in suffixes}
    if None in kinds:
        raise InputError(
            f"pictures named as `{path}` are not read",
            hint=f"use one of {', '.join(CODECS)}",
        )
    if len(kinds) > 1:
        raise InputError(
            f"the folder `{path}` has pictures of several kinds: {', '.join(suffixes)}",
            hint=f"name those of one kind by a pattern, as {path}/%05d{suffixes[0]}",
        )


def _check_gaps(path: Path, numbers: Sequence[int]) -> None:
    """Refuse a sequence from which frames are missing."""
    gaps = [(a + 1, b - 1) for a, b in pairwise(numbers) if b - a > 1]
    if not gaps:
        return
    runs = [str(a) if a == b else f"{a}-{b}" for a, b in gaps[:MAX_NAMED]]
    more = f" and {len(gaps) - MAX_NAMED} more gaps" if len(gaps) > MAX_NAMED else ""
    is_one = len(gaps) == 1 and gaps[0][0] == gaps[0][1]
    verb = "is" if is_one else "are"
    raise InputError(
        f"{'frame' if is_one else 'frames'} {', '.join(runs)}{more} {verb} missing in `{path}`",
        hint="put them back, or number the pictures without gaps",
    )
