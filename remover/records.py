"""An append-only file of records that survives being cut off anywhere.

Each record is a kind (one byte), named arrays, and a checksum. Reading stops at the first record
that is not whole: it and everything after it is what an interrupted writer left.
"""

import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from remover import files

_HEAD = struct.Struct("<4scIQ")
"""Mark, kind, CRC-32 of kind and content, length of the content."""
_MARK = b"rec1"
LEVEL = 1
"""Deflate level: pictures hardly shrink more at higher ones."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record."""

    kind: bytes
    """One byte."""
    arrays: Mapping[str, Any] = field(repr=False)
    end: int = 0
    """Where the next record begins in the file."""


class RecordFile:
    """Appends records to a file."""

    def __init__(self, path: Path, keep: int) -> None:
        """Open ``path``, cut to its first ``keep`` bytes; it is created if it is not there."""
        path.touch()
        self._file = path.open("r+b", buffering=0)
        self._file.truncate(keep)
        self._file.seek(keep)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def append(self, kind: bytes, arrays: Mapping[str, Any]) -> None:
        """Write a record and hand it to the operating system.

        Raises:
            OSError: The disk is full or gone.
        """
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        content = zlib.compress(buffer.getvalue(), LEVEL)
        head = _HEAD.pack(_MARK, kind, zlib.crc32(kind + content), len(content))
        files.write_all(self._file, head + content)


def read(path: Path, stop: int | None = None) -> Iterator[Record]:
    """Yield the whole records of a file in order, up to byte ``stop`` or the first broken one."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        end, size = 0, path.stat().st_size
        while stop is None or end < stop:
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return
            mark, kind, checksum, length = _HEAD.unpack(head)
            is_whole = mark == _MARK and length <= size - file.tell()
            content = file.read(length) if is_whole else b""
            if not is_whole or zlib.crc32(kind + content) != checksum:
                return
            with np.load(io.BytesIO(zlib.decompress(content))) as found:
                arrays = dict(found)
            end = file.tell()
            yield Record(kind, arrays, end)
