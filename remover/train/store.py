"""Where shards lie: a local folder or an object store, and how a sample lies in a shard.

The only door to fsspec and webdataset. A file appears whole or not at all: locally by a rename,
in object stores because they show nothing before an upload is finished. All samples of a shard
take the same number of bytes, so any one can be read alone.
"""

import contextlib
import io
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from remover.errors import InputError, UsageError
from remover.files import from_os_error, reason_of, write_all
from remover.tensorfile import packed, unpacked
from remover.train.samples import Sample

DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
"""What latents are kept in."""

PART = ".part"
"""Ends the names of local files that are not finished."""


def _fsspec() -> Any:
    try:
        import fsspec
    except ImportError:
        raise _missing() from None
    return fsspec


def _webdataset() -> Any:
    try:
        import webdataset
    except ImportError:
        raise _missing() from None
    return webdataset


def _missing() -> UsageError:
    return UsageError(
        "training data needs packages that are not installed",
        hint='install them: pip install "remover[train]"',
    )


@dataclass(frozen=True, slots=True)
class Place:
    """A folder, local or in an object store."""

    url: str
    system: Any
    """The fsspec file system."""
    root: str
    """The folder as the file system names it."""
    is_local: bool

    @classmethod
    def of(cls, url: Path | str) -> "Place":
        """The folder at a path or URL, as ``s3://bucket/latents``.

        Raises:
            UsageError: fsspec is not installed, or what it needs for this kind of URL is not.
        """
        fsspec = _fsspec()
        try:
            system, root = fsspec.core.url_to_fs(str(url))
        except (ImportError, ValueError) as error:
            raise UsageError(
                f"`{url}` cannot be reached: {str(error).splitlines()[0].lower()}",
                hint="install what this kind of place needs, as `pip install s3fs` for s3://",
            ) from None
        is_local = "file" in (system.protocol if isinstance(system.protocol, tuple) else ())
        return cls(str(url), system, root.rstrip("/"), is_local)

    def name_of(self, name: str) -> str:
        """The full name of a file in it, for people."""
        return f"{self.url.rstrip('/')}/{name}"

    def path_of(self, name: str) -> str:
        """The full name of a file in it, for the file system."""
        return f"{self.root}/{name}"

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return bool(self.system.exists(self.path_of(name)))

    def size_of(self, name: str) -> int:
        """Bytes of a file; 0 if it is not there."""
        return int(self.system.size(self.path_of(name))) if self.has(name) else 0

    def read(self, name: str, start: int | None = None, stop: int | None = None) -> bytes:
        """The bytes ``start`` to ``stop`` (half open) of a file; fewer if it ends before.

        Raises:
            InputError: It is missing or cannot be read.
        """
        try:
            return bytes(self.system.cat_file(self.path_of(name), start=start, end=stop))
        except FileNotFoundError:
            raise InputError(
                f"`{self.name_of(name)}` does not exist",
                hint="check the folder, or make it with `remover train encode`",
            ) from None
        except OSError as error:
            raise InputError(
                f"`{self.name_of(name)}` cannot be read: {reason_of(error)}",
                hint="check who may read it, and whether the store can be reached",
            ) from error

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole.

        Raises:
            OutputError: The disk is full, or the place refuses.
        """
        with self.writing(name) as file:
            file.write(content)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """A file that gets its name when the block ends well, and leaves nothing if it does not.

        Raises:
            OutputError: The disk is full, or the place refuses.
        """
        with self.saying(name):
            self.system.makedirs(self.root, exist_ok=True)
            if self.is_local:
                with _whole(Path(self.path_of(name))) as file:
                    yield file
            else:
                with _uploaded(
                    self.system.open(self.path_of(name), "wb", autocommit=False)
                ) as sent:
                    yield sent

    @contextlib.contextmanager
    def saying(self, name: str) -> Iterator[None]:
        """Say in a sentence why a file cannot be written.

        Raises:
            OutputError: The disk is full, or the place refuses.
        """
        try:
            yield
        except OSError as error:
            raise from_os_error(error, Path(self.name_of(name))) from error

    def remove(self, name: str) -> None:
        """Delete a file if it is there."""
        if self.has(name):
            self.system.rm_file(self.path_of(name))


class _Unbuffered(io.RawIOBase):
    """A file that keeps nothing back, so that a full disk is said once and at once."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb", buffering=0)

    def write(self, content: Any) -> int:
        write_all(self._file, content)
        return len(content)

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()


@contextlib.contextmanager
def _uploaded(file: Any) -> Iterator[BinaryIO]:
    try:
        yield file
        file.close()
        file.commit()
    except BaseException:
        with contextlib.suppress(Exception):
            file.discard()
        raise


@contextlib.contextmanager
def _whole(target: Path) -> Iterator[BinaryIO]:
    part = target.with_name(f".{target.name}{PART}")
    try:
        with _Unbuffered(part) as file:
            yield file  # type: ignore[misc]
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def tar_writer(file: BinaryIO) -> Any:
    """A webdataset writer; the same samples give the same bytes."""
    return _webdataset().TarWriter(file, encoder=False, mtime=0, user="", group="")


def record_of(sample: Sample, dtype: str) -> dict[str, Any]:
    """What a webdataset writer takes: the latents, and what else is known, with a checksum."""
    parts = {"clean": sample.clean, "masked": sample.masked, "mask": sample.mask}
    if sample.accepted is not None:
        parts["accepted"] = sample.accepted
    body = packed({name: part.cpu().to(DTYPES[dtype]) for name, part in parts.items()})
    head = {"contrast": sample.contrast, "crc32": zlib.crc32(body)}
    return {"__key__": sample.key, "json": json.dumps(head).encode(), "safetensors": body}


def sample_in(content: bytes) -> Sample:
    """The sample in the bytes of its part of a shard.

    Raises:
        ValueError: They are damaged; says how.
    """
    read = _webdataset().tariterators
    try:
        files = read.tar_file_expander([{"url": "", "stream": io.BytesIO(content)}])
        (record,) = read.group_by_keys(files)
        head, body = json.loads(record["json"]), record["safetensors"]
    except Exception as error:
        raise ValueError("it is no whole sample") from error
    if zlib.crc32(body) != head["crc32"]:
        raise ValueError("its checksum is wrong")
    parts: dict[str, Tensor] = {name: part.float() for name, part in unpacked(body).items()}
    return Sample(
        record["__key__"],
        parts["clean"],
        parts["masked"],
        parts["mask"],
        int(head["contrast"]),
        parts.get("accepted"),
    )
