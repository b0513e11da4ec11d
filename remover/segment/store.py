"""The masks of a whole video on disk: one label map a frame, compact, in any order.

Each map is cut to the bounding box of its objects, packed to bits where it holds one object, and
deflated. Only a few numbers a frame stay in memory, and they answer what a plan asks.
"""

import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from remover.pixels import bounds
from remover.types import Labels, Mask, Rect, Size

LEVEL = 1
"""Deflate level; masks are smooth, higher ones cost more time than they save."""


class MaskStore:
    """Label maps by frame index; frames never put are empty, the latest put wins.

    Attributes:
        size: Size of every map.
        num_frames: Number of frames.
        path: The one file that holds the maps; it goes with ``close``.
    """

    def __init__(
        self, folder: Path, size: Size, num_frames: int, *, name: str = "masks.bin"
    ) -> None:
        """Create an empty store as the file ``name`` in ``folder``, which exists."""
        self.size = size
        self.num_frames = num_frames
        self.path = folder / name
        self._file = self.path.open("w+b")
        self._end = 0
        self._offset = np.zeros(num_frames, np.int64)
        self._length = np.zeros(num_frames, np.int64)
        self._room = np.zeros(num_frames, np.int64)
        self._area = np.zeros(num_frames, np.int64)
        self._single = np.zeros(num_frames, np.uint8)
        self._box = np.zeros((num_frames, 4), np.int32)

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
        """Close and delete the file; may be called twice."""
        self._file.close()
        self.path.unlink(missing_ok=True)

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
        """Return the label map (H, W) of a frame; the caller may write into it."""
        labels: Labels = np.zeros(self.size, np.uint8)
        rect = self.box(index)
        if rect is None:
            return labels
        self._file.seek(int(self._offset[index]))
        raw = np.frombuffer(zlib.decompress(self._file.read(int(self._length[index]))), np.uint8)
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
        """Write into the frame's own room where it fits, else at the end of the file."""
        if len(packed) > self._room[index]:
            self._offset[index] = self._end
            self._room[index] = len(packed)
            self._end += len(packed)
        self._file.seek(int(self._offset[index]))
        self._file.write(packed)
        self._length[index] = len(packed)
