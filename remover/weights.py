"""Weight files: what ``weights.lock`` says of each, where they are installed, and their hashes."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from remover.config import cache_folder
from remover.errors import WeightsError

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of ``weights.lock``."""

    name: str
    """As ``sam2.1/tiny``."""
    path: str
    """Below the folder of installed weights."""
    url: str
    bytes: int
    sha256: str
    licence: str

    @property
    def size_text(self) -> str:
        """The size as people write it."""
        return f"{self.bytes / 1e6:,.0f} MB"


@cache
def lock() -> Mapping[str, WeightFile]:
    """The known weight files by name."""
    package = Path(__file__).parent
    installed = package / "assets" / "weights.lock"
    path = installed if installed.is_file() else package.parent / "weights.lock"
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["file"]
    return {entry["name"]: WeightFile(**entry) for entry in entries}


def place(name: str) -> Path:
    """Where the file ``name`` of the lock is, or would be, installed.

    Raises:
        WeightsError: There is no home folder to keep weights in.
    """
    folder = cache_folder()
    if folder is None:
        raise WeightsError(
            f"there is no folder in which `{name}` could be installed",
            hint="set `XDG_CACHE_HOME` to an absolute path",
        )
    return folder / "weights" / lock()[name].path


def is_installed(name: str) -> bool:
    """Whether the file is there with the size it must have; its hash is not looked at."""
    if cache_folder() is None:
        return False
    path = place(name)
    return path.is_file() and path.stat().st_size == lock()[name].bytes


def verified(name: str) -> Path:
    """The installed file ``name``, its hash checked.

    Raises:
        WeightsError: It is not there, or is not the file that the lock names.
    """
    entry, path = lock()[name], place(name)
    if not path.is_file():
        raise WeightsError(
            f"`{path}` ({entry.size_text}) is not installed",
            hint=f"fetch {entry.url} to that place",
        )
    found = sha256(path)
    if found != entry.sha256:
        raise WeightsError(
            f"`{path}` is not the file that is meant: its sha256 is `{found}`, "
            f"not `{entry.sha256}`",
            hint=f"delete it and fetch it again ({entry.size_text}) from {entry.url}",
        )
    return path


def sha256(path: Path) -> str:
    """The digest of a file, in hexadecimal.

    Raises:
        WeightsError: It cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise WeightsError(
            f"`{path}` cannot be read: {reason}", hint="check who may read it"
        ) from None
    return digest.hexdigest()
