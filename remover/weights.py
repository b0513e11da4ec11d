"""Weight files: what ``weights.lock`` says of each, where they are installed, and their hashes."""

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from remover import files
from remover.config import cache_folder
from remover.errors import UsageError, WeightsError, nearest
from remover.tensorfile import unreadable

REMOVER = "minimax-remover"
"""The folder of the released checkpoint of the remover, below that of installed weights."""

LAYOUT = {
    "transformer_config": "transformer/config.json",
    "transformer": "transformer/diffusion_pytorch_model.safetensors",
    "vae_config": "vae/config.json",
    "vae": "vae/diffusion_pytorch_model.safetensors",
    "scheduler_config": "scheduler/scheduler_config.json",
}
"""Where a checkpoint of the remover has its files, as it was released."""


@dataclass(frozen=True, slots=True)
class Licence:
    """What a file of ``weights.lock`` may be used for."""

    name: str
    """As ``cc-by-nc-4.0``."""
    title: str
    url: str
    commercial: bool
    """Whether commercial use is allowed."""


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
        return size_text(self.bytes)


@dataclass(frozen=True, slots=True)
class Released:
    """The files of a checkpoint of the remover, all of them there."""

    transformer_config: Path
    transformer: Path
    vae_config: Path
    vae: Path
    scheduler_config: Path


def size_text(num_bytes: int) -> str:
    """A number of bytes as people write it."""
    return f"{num_bytes / 1e6:,.0f} MB" if num_bytes >= 500_000 else f"{num_bytes:,} bytes"


@cache
def lock() -> Mapping[str, WeightFile]:
    """The known weight files by name."""
    return {entry["name"]: WeightFile(**entry) for entry in _document()["file"]}


@cache
def licences() -> Mapping[str, Licence]:
    """The licences of the known files by name."""
    return {name: Licence(name, **entry) for name, entry in _document()["licence"].items()}


@cache
def _document() -> dict[str, Any]:
    package = Path(__file__).parent
    installed = package / "assets" / "weights.lock"
    path = installed if installed.is_file() else package.parent / "weights.lock"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def select(words: Sequence[str]) -> tuple[WeightFile, ...]:
    """The files that names or groups mean, each once, in the order of the lock.

    Args:
        words: Names as ``sam2.1/tiny``, or what stands before a ``/`` in some of them, as
            ``minimax``.

    Raises:
        UsageError: A word is neither.
    """
    known = lock()
    groups = dict.fromkeys(name.rpartition("/")[0] for name in known)
    for word in words:
        if word not in known and word not in groups:
            near = nearest(word, (*groups, *known))
            raise UsageError(
                f"`weights.lock` names no `{word}`",
                hint=f"did you mean `{near}`?"
                if near
                else f"there are {_listed((*groups, *known))}",
            )
    return tuple(
        entry
        for name, entry in known.items()
        if any(word in (name, name.rpartition("/")[0]) for word in words)
    )


def folder() -> Path:
    """Where weights are installed; it need not be there.

    Raises:
        WeightsError: There is no home folder to keep weights in.
    """
    cache = cache_folder()
    if cache is None:
        raise WeightsError(
            "there is no folder in which weights could be installed",
            hint="set `XDG_CACHE_HOME` to an absolute path",
        )
    return cache / "weights"


def place(name: str) -> Path:
    """Where the file ``name`` of the lock is, or would be, installed.

    Raises:
        WeightsError: There is no home folder to keep weights in.
    """
    return folder() / lock()[name].path


def common_place(entries: Sequence[WeightFile]) -> Path:
    """Where one file is, or would be, installed; of several, the folder that holds them all.

    Raises:
        WeightsError: There is no home folder to keep weights in.
    """
    if len(entries) == 1:
        return place(entries[0].name)
    return Path(os.path.commonpath([place(entry.name) for entry in entries]))


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
            hint=f"fetch it: `remover weights pull {name}`",
        )
    found = sha256(path)
    if found != entry.sha256:
        raise WeightsError(
            f"`{path}` is not the file that is meant: its sha256 is `{found}`, "
            f"not `{entry.sha256}`",
            hint=f"fetch it again ({entry.size_text}): `remover weights pull {name}`",
        )
    return path


def released(folder: Path) -> Released:
    """The files of a checkpoint in the layout in which MiniMax-Remover was released.

    Args:
        folder: It holds ``transformer/``, ``vae/`` and ``scheduler/``.

    Raises:
        WeightsError: It is no folder, or a file is missing.
    """
    if not folder.is_dir():
        raise WeightsError(
            f"the folder of weights `{folder}` is not there",
            hint="give the folder that holds `transformer/`, `vae/` and `scheduler/`",
        )
    missing = [path for path in LAYOUT.values() if not (folder / path).is_file()]
    if missing:
        raise WeightsError(
            f"`{folder}` is no checkpoint of the remover: {_listed(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing",
            hint="give the folder that holds `transformer/`, `vae/` and `scheduler/`",
        )
    return Released(**{name: folder / path for name, path in LAYOUT.items()})


def sha256(path: Path) -> str:
    """The digest of a file, in hexadecimal.

    Raises:
        WeightsError: It cannot be read.
    """
    try:
        return files.digest(path)
    except OSError as error:
        raise unreadable(path, error) from None


def _listed(words: Sequence[str]) -> str:
    *others, last = [f"`{word}`" for word in words]
    return f"{', '.join(others)} and {last}" if others else last


def config_of(path: Path) -> dict[str, Any]:
    """The fields of a checkpoint's config file.

    Raises:
        WeightsError: It cannot be read, or is no JSON object.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise WeightsError(
            f"`{path}` is no configuration: it holds no JSON object",
            hint="take it from the same place as the weights",
        )
    return found
