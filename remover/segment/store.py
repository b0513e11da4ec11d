"""The masks of a whole video on disk: one label map a frame, compact, in any order.

Each map is cut to the bounding box of its objects, packed to bits where it holds one object, and
deflated. Only a few numbers a frame stay in memory, and they answer what a plan asks. What was
saved is never written over, so that it stays true whatever is put after it.
"""

import io
import threading
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from remover import files
from remover.errors import OutputError
from remover.masks import bounds
from remover.types import Labels, Mask, Rect, Size

LEVEL = 1
"""Deflate level; masks are smooth, higher ones cost more time than they save."""

# A file has one place at which it is read and written, whatever the number of threads.
_PLACE = threading.Lock()


class MaskStore:
    """Label maps by frame index; frames never put are empty, the latest put wins.

    Attributes:
        size: Size of every map.
        num_frames: Number of frames.
        path: The one file that holds the maps; it goes with ``close`` unless it was saved.
    """

    def __init__(
        self, folder: Path, size: Size, num_frames: int, *, name: str = "masks.bin"
    ) -> None:
        """Create an empty store as the file ``name`` in ``folder``, which exists.

        Raises:
            OutputError: The file cannot be made.
        """
        self.size = size
        self.num_frames = num_frames
        self.path = folder / name
        try:
            _index_of(self.path).unlink(missing_ok=True)
            self._file = self.path.open("w+b", buffering=0)
        except OSError as error:
            raise files.from_os_error(error, self.path) from error
        self._end = 0
        self._offset = np.zeros(num_frames, np.int64)
        self._length = np.zeros(num_frames, np.int64)
        self._room = np.zeros(num_frames, np.int64)
        self._area = np.zeros(num_frames, np.int64)
        self._single = np.zeros(num_frames, np.uint8)
        self._box = np.zeros((num_frames, 4), np.int32)
        self._saved = 0
        self._is_saved = False

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store."""
        self.close()

    def close(self) -> None:
        """Close the file, and delete it unless it was saved; may be called twice."""
        self._file.close()
        if not self._is_saved:
            files.discard(self.path)

    def save(self, facts: Mapping[str, Any]) -> None:
        """Make everything put so far, and ``facts`` (arrays), what ``reopened`` gives back.

        Raises:
            OutputError: The disk is full or gone; what was saved before holds.
        """
        buffer = io.BytesIO()
        own = {name: getattr(self, f"_{name}") for name in _SAVED}
        np.savez(buffer, shape=(*self.size, self.num_frames, self._end), **own, **facts)
        try:
            files.write_whole(_index_of(self.path), buffer.getvalue())
        except OSError as error:
            raise files.from_os_error(error, self.path) from error
        self._saved, self._is_saved = self._end, True

    def forget(self) -> None:
        """Let nothing that was saved be found again."""
        _index_of(self.path).unlink(missing_ok=True)
        self._is_saved = False

    @classmethod
    def reopened(
        cls, folder: Path, size: Size, num_frames: int, *, name: str = "masks.bin"
    ) -> tuple[Self, dict[str, Any]] | None:
        """The store as it was last saved, and the facts; None if there is none that fits."""
        path = folder / name
        try:
            with np.load(_index_of(path)) as found:
                facts = dict(found)
            *shape, end = (int(value) for value in facts.pop("shape"))
            own = {name: facts.pop(name) for name in _SAVED}
            if shape != [*size, num_frames] or path.stat().st_size < end:
                return None
            file = path.open("r+b", buffering=0)
            file.truncate(end)
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            return None
        store = cls.__new__(cls)
        store.size, store.num_frames, store.path, store._file = size, num_frames, path, file
        store._end = store._saved = end
        store._is_saved = True
        store._room = own["length"].copy()
        for key, array in own.items():
            setattr(store, f"_{key}", array)
        return store, facts

    @property
    def is_saved(self) -> bool:
        """Whether some of it was saved."""
        return self._is_saved

    def put(self, index: int, labels: Labels) -> None:
        """Keep the label map (H, W) of a frame in place of what was there.

        Raises:
            ValueError: The map has another size.
        """
        if labels.shape != tuple(self.size):
            raise ValueError(f"labels of shape {labels.shape} in a store of {self.size}")
        self._check(index)
        rect = bounds(labels)
        if rect is None:
            self._length[index] = self._area[index] = 0
            return
        inner = labels[rect.slices]
        first = int(inner.max())
        is_single = bool(np.all((inner == 0) | (inner == first)))
        raw = np.packbits(inner != 0).tobytes() if is_single else inner.tobytes()
        packed = zlib.compress(raw, LEVEL)
        self._write(index, packed)
        self._area[index] = np.count_nonzero(inner)
        self._single[index] = first if is_single else 0
        self._box[index] = rect

    def get(self, index: int) -> Labels:
        """Return the label map (H, W) of a frame; the caller may write into it.

        Raises:
            OutputError: The disk does not give back what was written.
        """
        labels: Labels = np.zeros(self.size, np.uint8)
        rect = self.box(index)
        if rect is None:
            return labels
        try:
            with _PLACE:
                self._file.seek(int(self._offset[index]))
                packed = self._file.read(int(self._length[index]))
            raw = np.frombuffer(zlib.decompress(packed), np.uint8)
        except (OSError, zlib.error) as error:
            raise OutputError(
                f"the masks in `{self.path}` cannot be read again: the disk may be failing",
                hint="pass `-y` to begin anew, or choose another disk with `--work DIR`",
            ) from error
        height, width = rect.size
        if self._single[index]:
            raw = np.unpackbits(raw, count=height * width) * self._single[index]
        labels[rect.slices] = raw.reshape(height, width)
        return labels

    def mask(self, index: int) -> Mask:
        """Return the union (H, W) of a frame's objects."""
        return np.asarray(self.get(index) != 0)

    def area(self, index: int) -> int:
        """Return the number of masked pixels of a frame; reads no file."""
        self._check(index)
        return int(self._area[index])

    def box(self, index: int) -> Rect | None:
        """Return the bounding box of a frame's objects, None if empty; reads no file."""
        if self.is_empty(index):
            return None
        top, left, bottom, right = (int(value) for value in self._box[index])
        return Rect(top, left, bottom, right)

    def is_empty(self, index: int) -> bool:
        """Tell whether a frame has no masked pixel; reads no file."""
        return self.area(index) == 0

    def _check(self, index: int) -> None:
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of {self.num_frames}")

    def _write(self, index: int, packed: bytes) -> None:
        """Write into the frame's own room where it fits and is not saved, else at the end."""
        if len(packed) > self._room[index] or self._offset[index] < self._saved:
            self._offset[index] = self._end
            self._room[index] = len(packed)
            self._end += len(packed)
        try:
            with _PLACE:
                self._file.seek(int(self._offset[index]))
                files.write_all(self._file, packed)
        except OSError as error:
            raise files.from_os_error(error, self.path) from error
        self._length[index] = len(packed)


def add(store: MaskStore, index: int, mask: Mask, object_id: int) -> None:
    """Add an object's mask (H, W) to a frame; what other objects hold stays theirs."""
    labels: Labels = store.get(index)
    labels[mask & (labels == 0)] = object_id
    store.put(index, labels)


_SAVED = ("offset", "length", "area", "single", "box")
"""The arrays that tell where each map is and what it holds."""


def _index_of(path: Path) -> Path:
    return path.with_suffix(".npz")
