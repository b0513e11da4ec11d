"""The shadows of a whole video on disk, and finding them before anything is planned."""

import io
import threading
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from remover import files
from remover.errors import OutputError
from remover.fill import Shade, Survey, find_shadows
from remover.progress import Progress
from remover.types import Mask, Pictures, Rect, Shot

NAME, INDEX = "shades.bin", "shades.npz"
LEVEL = 1
"""Deflate level."""

# A file has one place at which it is read and written, whatever the number of threads.
_PLACE = threading.Lock()
LEFT, SURE_SHARE = 1.0, 0.5
"""A shadow is sure if the object leaves its own place (in parts of its longer side), and if it is
found in this part of the frames with the object."""


class ShadeStore:
    """Shades by frame index; frames never put have none.

    Attributes:
        path: The file that holds them; it goes with ``close`` unless it was saved.
    """

    def __init__(self, folder: Path, num_frames: int) -> None:
        """Create an empty store in ``folder``, which exists.

        Raises:
            OutputError: The file cannot be made.
        """
        self.path = folder / NAME
        try:
            (folder / INDEX).unlink(missing_ok=True)
            self._file = self.path.open("w+b", buffering=0)
        except OSError as error:
            raise files.from_os_error(error, self.path) from error
        self._place = np.zeros((num_frames, 2), np.int64)
        self._rect = np.zeros((num_frames, 4), np.int32)
        self._facts = np.zeros((num_frames, 3), np.float64)
        self._end, self._is_saved = 0, False

    @classmethod
    def reopened(cls, folder: Path, num_frames: int) -> Self | None:
        """The store as it was saved; None if there is none that fits."""
        try:
            with np.load(folder / INDEX) as found:
                place, rect, facts = found["place"], found["rect"], found["facts"]
            end = int(place.sum(axis=1).max(initial=0))
            if len(place) != num_frames or (folder / NAME).stat().st_size < end:
                return None
            file = (folder / NAME).open("r+b", buffering=0)
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            return None
        store = cls.__new__(cls)
        store.path, store._file, store._end, store._is_saved = folder / NAME, file, end, True
        store._place, store._rect, store._facts = place, rect, facts
        return store

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, and delete it unless it was saved."""
        self._file.close()
        if not self._is_saved:
            files.discard(self.path)

    def put(self, shade: Shade) -> None:
        """Keep the shade of a frame.

        Raises:
            OutputError: The disk is full or gone.
        """
        packed = zlib.compress(shade.gain.tobytes() + shade.ceiling.tobytes(), LEVEL)
        try:
            with _PLACE:
                self._file.seek(self._end)
                files.write_all(self._file, packed)
        except OSError as error:
            raise files.from_os_error(error, self.path) from error
        self._place[shade.index] = self._end, len(packed)
        self._rect[shade.index] = shade.rect
        self._facts[shade.index] = *shade.scale, shade.travel
        self._end += len(packed)

    def save(self) -> None:
        """Make everything put so far what ``reopened`` gives back.

        Raises:
            OutputError: The disk is full or gone.
        """
        buffer = io.BytesIO()
        np.savez(buffer, place=self._place, rect=self._rect, facts=self._facts)
        try:
            files.write_whole(self.path.with_name(INDEX), buffer.getvalue())
        except OSError as error:
            raise files.from_os_error(error, self.path) from error
        self._is_saved = True

    def has(self, index: int) -> bool:
        """Whether a frame has a shade; reads no file."""
        return bool(self._place[index, 1])

    def travel(self, index: int) -> float:
        """How far the object goes around a frame, in parts of its size; reads no file."""
        return float(self._facts[index, 2])

    def get(self, index: int) -> Shade | None:
        """The shade of a frame; None if it has none.

        Raises:
            OutputError: The disk does not give back what was written.
        """
        if not self.has(index):
            return None
        start, length = (int(value) for value in self._place[index])
        rect = Rect(*(int(value) for value in self._rect[index]))
        try:
            with _PLACE:
                self._file.seek(start)
                packed = self._file.read(length)
            raw = np.frombuffer(zlib.decompress(packed), np.float16)
        except (OSError, zlib.error) as error:
            raise OutputError(
                f"the shadows in `{self.path}` cannot be read again: the disk may be failing",
                hint="pass `-y` to begin anew, or choose another disk with `--work DIR`",
            ) from error
        gain, ceiling = np.split(raw, [3 * rect.size.height * rect.size.width])
        across, down, travel = (float(value) for value in self._facts[index])
        shape = rect.size
        scale = across, down
        return Shade(index, rect, gain.reshape(*shape, 3), ceiling.reshape(shape), scale, travel)


@dataclass(frozen=True, slots=True)
class Shades:
    """What was found, and what becomes of it."""

    store: ShadeStore
    lit: frozenset[int]
    """Frames whose shadow is removed."""
    kept: frozenset[int]
    """Frames whose shadow stays."""

    @property
    def counts(self) -> dict[str, int]:
        """In how many frames a shadow is removed and kept, for the report."""
        return {"removed": len(self.lit), "kept": len(self.kept)}

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found and done, in a sentence, if there is something to say."""
        parts = [
            f"{len(frames)} frames and {done}"
            for frames, done in ((self.lit, "removed"), (self.kept, "kept"))
            if frames
        ]
        if not parts:
            return ()
        text = f"a shadow of the object was found in {', in '.join(parts)}"
        if self.kept:
            text += "; `--shadows remove` takes what is found out of all of them"
        return (text,)


def find_shades(
    store: ShadeStore,
    pictures: Pictures,
    hole: Callable[[int], Mask],
    parts: Sequence[tuple[Shot, Survey]],
    progress: Progress,
) -> None:
    """Put the shadows of some parts of the video into ``store``, and save it.

    Args:
        store: An empty one.
        pictures: Of the video.
        hole: Pixels of a frame (H, W) that the object hides.
        parts: Frames to look at, and the motion of the camera there.
        progress: Told of the stage ``shadows``.
    """
    progress.start("shadows", sum(part.stop - part.start for part, _ in parts))
    for part, survey in parts:
        for shade in find_shadows(pictures, hole, part, survey.camera, progress):
            store.put(shade)
    store.save()


def decided(store: ShadeStore, shots: Sequence[Shot], holes: Sequence[bool], mode: str) -> Shades:
    """What becomes of the shadows that were found.

    Args:
        store: What was found.
        shots: Of the video.
        holes: For each frame, whether it has a hole.
        mode: ``remove``, ``keep``, or ``sure``: remove in shots where it is sure.
    """
    lit: set[int] = set()
    kept: set[int] = set()
    for shot in shots:
        found = [i for i in range(shot.start, shot.stop) if store.has(i) and holes[i]]
        there = sum(holes[shot.start : shot.stop])
        travel = float(np.median([store.travel(i) for i in found])) if found else 0.0
        is_sure = travel >= LEFT and len(found) >= SURE_SHARE * there
        (lit if mode == "remove" or (mode == "sure" and is_sure) else kept).update(found)
    return Shades(store, frozenset(lit), frozenset(kept))
