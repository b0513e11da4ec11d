"""What lies in a folder of training data: videos, image sequences, and their masks.

A clip is ``NAME.mp4`` (or another kind of video) or a folder ``NAME/`` of pictures. Its masks, if
it has any, are ``NAME.mask.mp4`` or ``NAME.mask/`` beside it. Folders without pictures are gone
into. ``held-out.txt`` may name the clips that are kept from training, one a line.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from remover.errors import InputError, nearest
from remover.files import reason_of
from remover.train.clips import chosen
from remover.video import is_video_name, natural_key

MASK = ".mask"
"""Ends the names, without their suffix, of masks."""

HELD_OUT = "held-out.txt"
"""Names the clips that are kept from training."""

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dpx", ".exr")
"""Suffixes of the pictures of an image sequence, lower case."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One clip of a folder."""

    name: str
    """Its path below the folder, without a video's suffix."""
    video: Path
    """The file, or the folder of pictures."""
    masks: Path | None
    """Likewise of its masks."""


def clips_in(folder: Path) -> tuple[Entry, ...]:
    """The clips in a folder and the folders in it, in natural order.

    Raises:
        InputError: It is missing, cannot be read, or has no clips.
    """
    found = dict(_videos(folder, folder))
    masks = {name.removesuffix(MASK): path for name, path in found.items() if name.endswith(MASK)}
    entries = [
        Entry(name, path, masks.get(name))
        for name, path in found.items()
        if not name.endswith(MASK)
    ]
    if not entries:
        raise InputError(
            f"`{folder}` has no videos and no folders of pictures in it",
            hint="put NAME.mp4 or a folder NAME of pictures there, with NAME.mask.mp4 or a folder "
            "NAME.mask where there are masks",
        )
    return tuple(sorted(entries, key=lambda entry: natural_key(entry.name)))


def masks_in(folder: Path) -> tuple[Entry, ...]:
    """The mask videos and folders of masks in a folder; if some are named ``.mask``, those alone.

    Raises:
        InputError: It is missing, cannot be read, or has none.
    """
    found = dict(_videos(folder, folder))
    named = {name: path for name, path in found.items() if name.endswith(MASK)} or found
    if not named:
        raise InputError(
            f"`{folder}` has no videos and no folders of masks in it",
            hint="`data.masks` names a folder of mask videos, or of folders of masks",
        )
    entries = [Entry(name, path, path) for name, path in named.items()]
    return tuple(sorted(entries, key=lambda entry: natural_key(entry.name)))


def pictures_in(folder: Path) -> tuple[Path, ...]:
    """The photographs in a folder and the folders in it, in natural order.

    Raises:
        InputError: It is missing, cannot be read, or has none.
    """
    found = [
        inner / name
        for inner, _, names in _walk(folder)
        for name in names
        if Path(name).suffix.lower() in PICTURES[:3]
    ]
    if not found:
        raise InputError(
            f"`{folder}` has no photographs in it", hint="put PNG or JPEG pictures there"
        )
    return tuple(sorted(found, key=lambda path: natural_key(str(path))))


def held_out_of(folder: Path, names: tuple[str, ...], wanted: int) -> frozenset[int]:
    """The clips that are kept from training: those that ``held-out.txt`` names, else ``wanted``.

    Args:
        folder: Where the file may lie.
        names: Of all clips, in order.
        wanted: How many are taken where there is no such file.

    Raises:
        InputError: The file names a clip that is not there.
    """
    path = folder / HELD_OUT
    if not path.is_file():
        return chosen(len(names), wanted)
    places = {name: place for place, name in enumerate(names)}
    try:
        listed = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "it is not text in UTF-8"
        raise InputError(
            f"`{path}` cannot be read: {reason}", hint="write the names of clips, one a line"
        ) from None
    for name in listed:
        if name and name not in places:
            near = nearest(name, names)
            raise InputError(
                f"`{path}` names `{name}`, which is not there",
                hint=f"did you mean `{near}`?" if near else "give the names without suffix",
            )
    return frozenset(places[name] for name in listed if name)


def _videos(folder: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """The videos and folders of pictures below ``folder``, each by its name."""
    for inner, folders, names in _walk(folder):
        place = inner.relative_to(root)
        if inner != root and any(Path(name).suffix.lower() in PICTURES for name in names):
            folders.clear()  # nothing within a clip is one of its own
            yield str(place), inner
            continue
        for name in names:
            if is_video_name(Path(name)):
                yield str(place / Path(name).stem), inner / name


def _walk(folder: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Folders below ``folder`` and itself, without what is hidden.

    Raises:
        InputError: It is missing or cannot be read.
    """
    if not folder.is_dir():
        raise InputError(
            f"the folder `{folder}` does not exist", hint="set `data.folder` to a folder of clips"
        )

    def refuse(error: OSError) -> None:
        raise InputError(
            f"the folder `{error.filename}` cannot be read: {reason_of(error)}",
            hint="check who may read it",
        ) from error

    for inner, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield Path(inner), folders, [name for name in names if not name.startswith(".")]
