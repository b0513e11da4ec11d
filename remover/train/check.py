"""What ``remover train check`` says of a data set: what can be used, what cannot, and why.

Every frame of every clip is decoded; training decodes only those that it takes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remover.errors import InputError
from remover.geometry import shown_size
from remover.progress import Progress, Silent
from remover.train.clips import UnusableClip, own_generator
from remover.train.folders import Entry, clips_in, held_out_of, pictures_in
from remover.train.footage import CLIP, bucket, own_masks
from remover.train.latents import Skipped
from remover.train.photos import photo
from remover.train.settings import Data
from remover.types import Size, VideoInfo
from remover.video import FrameSource, look_at, reader_of


@dataclass(frozen=True, slots=True)
class Report:
    """What a data set holds."""

    clips: int
    """Clips or photographs that are there."""
    buckets: dict[str, int]
    """How many can be used, by the size that they are brought to, as ``832x480``."""
    masked: int
    """How many of those have masks that mark something."""
    held_out: int
    """How many of those are kept from training."""
    seconds: float
    """Of video that can be used."""
    frames: int
    """Likewise."""
    damaged: tuple[Skipped, ...]
    """What cannot be used, with reasons."""
    notes: tuple[Skipped, ...] = field(default=())
    """What can be used, but is not as it should be."""

    @property
    def usable(self) -> int:
        """How many can be used."""
        return sum(self.buckets.values())

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        listed = {
            name: [{"name": one.name, "reason": one.reason} for one in found]
            for name, found in (("damaged", self.damaged), ("notes", self.notes))
        }
        return {
            "clips": self.clips,
            "usable": self.usable,
            "buckets": self.buckets,
            "masked": self.masked,
            "held_out": self.held_out,
            "seconds": round(self.seconds, 3),
            "frames": self.frames,
            **listed,
        }

    def rows(self) -> list[tuple[str, str]]:
        """A table of two columns, for people."""
        return [
            ("clips", f"{self.clips}"),
            ("usable", f"{self.usable}"),
            *((f"  at {size}", f"{count}") for size, count in self.buckets.items()),
            ("with masks", f"{self.masked}"),
            ("held out", f"{self.held_out}"),
            ("material", f"{self.seconds:.1f} s, {self.frames} frames"),
            ("damaged", f"{len(self.damaged)}"),
            *((f"  {one.name}", one.reason) for one in self.damaged),
            *((f"note: {one.name}", one.reason) for one in self.notes),
        ]


@dataclass(frozen=True, slots=True)
class _Seen:
    """One clip that can be used."""

    size: Size
    frames: int
    seconds: float
    is_masked: bool
    notes: tuple[str, ...] = ()


def check(
    folder: Path | str, data: Data, seed: int = 0, progress: Progress | None = None
) -> Report:
    """Look at every clip of a folder, or at every photograph where those are the source.

    Args:
        folder: Where they lie.
        data: How they would be taken.
        seed: Of the run; sizes are drawn by it.
        progress: Told of every frame.

    Raises:
        InputError: The folder is missing, or has nothing like a clip in it.
    """
    progress = progress or Silent()
    folder = Path(folder)
    if data.source == "photos":
        return _photographs(folder, progress)
    entries = clips_in(folder)
    held_out = held_out_of(folder, tuple(entry.name for entry in entries), data.held_out)
    progress.start("check", None)
    seen: dict[int, _Seen] = {}
    damaged, notes = [], []
    for index, entry in enumerate(entries):
        try:
            found = _look(entry, index, data, seed, progress)
        except UnusableClip as error:
            damaged.append(Skipped(error.name, error.reason))
        except InputError as error:
            damaged.append(Skipped(entry.name, error.message))
        else:
            seen[index] = found
            notes += [Skipped(entry.name, note) for note in found.notes]
    return Report(
        len(entries),
        _counted([one.size for one in seen.values()], data),
        sum(one.is_masked for one in seen.values()),
        len(held_out & seen.keys()),
        sum(one.seconds for one in seen.values()),
        sum(one.frames for one in seen.values()),
        tuple(damaged),
        tuple(notes),
    )


def _look(entry: Entry, index: int, data: Data, seed: int, progress: Progress) -> _Seen:
    """Decode a clip whole, and its masks.

    Raises:
        InputError: A file cannot be read.
        UnusableClip: It is damaged, too short, or does not fit its masks.
    """
    info = look_at(entry.video)
    if info.interlaced:
        raise UnusableClip(entry.name, "it is interlaced; make it progressive first")
    reader = reader_of(info)
    for _ in reader.scan():
        progress.advance()
    count = reader.index.num_frames
    needed = (data.frames - 1) * data.stride + 1
    if count < needed:
        raise UnusableClip(entry.name, f"it has {count} frames, and {needed} are needed")
    notes = _damage(entry, reader)
    is_masked = entry.masks is not None and _is_marked(entry, info, count)
    if entry.masks is not None and not is_masked:
        notes += ("its masks mark nothing",)
    size = bucket(shown_size(info), data.sizes, own_generator(seed, CLIP, index))
    return _Seen(size, count, float(reader.index.end_s), is_masked, notes)


def _damage(entry: Entry, reader: FrameSource) -> tuple[str, ...]:
    """What is wrong with a stream that can be used all the same.

    Raises:
        UnusableClip: Pictures are damaged.
    """
    damage = reader.index.damage
    if damage.decode_errors or damage.corrupt_frames:
        raise UnusableClip(entry.name, damage.messages()[0])
    return damage.messages()


def _is_marked(entry: Entry, info: VideoInfo, count: int) -> bool:
    """Whether the masks mark anything.

    Raises:
        InputError: One cannot be read.
        UnusableClip: They are of another size or number.
    """
    number, is_marked = 0, False
    for mask in own_masks(entry, info):
        number += 1
        is_marked = is_marked or bool(mask.any())
    if number != count:
        raise UnusableClip(entry.name, f"it has {count} frames, and its masks {number}")
    return is_marked


def _photographs(folder: Path, progress: Progress) -> Report:
    paths = pictures_in(folder)
    damaged, usable = [], 0
    progress.start("check", len(paths))
    for path in paths:
        try:
            photo(path)
            usable += 1
        except UnusableClip as error:
            damaged.append(Skipped(error.name, error.reason))
        progress.advance()
    return Report(len(paths), {"any size": usable}, 0, 0, 0.0, 0, tuple(damaged))


def _counted(sizes: Sequence[Size], data: Data) -> dict[str, int]:
    counts = Counter(sizes)
    return {f"{Size(*size)}": counts[Size(*size)] for size in data.sizes}
