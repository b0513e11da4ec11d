"""Files of weights: named tensors on disk, by the only door to ``safetensors``."""

import contextlib
import errno
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from remover.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

Tensors: TypeAlias = "dict[str, Tensor]"


def asset(name: str) -> dict[str, Any]:
    """The tensors by name of a safetensors file that comes with the package.

    Raises:
        WeightsError: It is not there.
    """
    from safetensors.torch import load_file

    return load_file(_asset_path(name))


def asset_arrays(name: str) -> dict[str, Any]:
    """The same as arrays of NumPy; PyTorch is not loaded.

    Raises:
        WeightsError: It is not there.
    """
    from safetensors.numpy import load_file

    return load_file(_asset_path(name))


def _asset_path(name: str) -> Path:
    path = Path(__file__).parent / "assets" / name
    if not path.is_file():
        raise WeightsError(
            f"`{path}`, which comes with the package, is missing",
            hint="install the package again",
        )
    return path


def shapes(path: Path) -> Tensors:
    """The tensors of a weight file without their values, on the meta device, by name.

    Raises:
        WeightsError: It cannot be read as safetensors.
    """
    import torch
    from safetensors import safe_open

    found = {}
    with _readable(path), safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118 - it is no mapping
            part = file.get_slice(name)
            dtype = _DTYPES.get(part.get_dtype())
            if dtype is None:
                raise WeightsError(
                    f"`{name}` in `{path}` has values of the kind `{part.get_dtype()}`",
                    hint="weights are float32, float16 or bfloat16",
                )
            kind = getattr(torch, dtype)
            found[name] = torch.empty(part.get_shape(), dtype=kind, device="meta")
    return found


def read(path: Path) -> Tensors:
    """The tensors of a weight file by name, mapped from the disk.

    Raises:
        WeightsError: It cannot be read as safetensors.
    """
    from safetensors.torch import load_file

    with _readable(path):
        return load_file(path)


def metadata(path: Path) -> dict[str, str]:
    """What a weight file says about itself.

    Raises:
        WeightsError: It cannot be read as safetensors.
    """
    from safetensors import safe_open

    with _readable(path), safe_open(path, "pt") as file:
        return dict(file.metadata() or {})


def save(
    path: Path, tensors: "Mapping[str, Tensor]", about: Mapping[str, str] | None = None
) -> None:
    """Write a weight file, whole or not at all, that others may read as they may read any file.

    Args:
        path: Its name; what is there is replaced.
        tensors: By name, on any device. No two share their memory.
        about: What it says about itself.

    Raises:
        OSError: The system refuses, as where the disk is full.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path.touch()
    mode = path.stat().st_mode
    placed = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        save_file(placed, path, dict(about or {}))
    except SafetensorError as error:  # which says what the system said, in words
        found = re.search(r"(?:os error|code:) (\d+)", str(error))
        code = int(found[1]) if found else errno.EIO
        raise OSError(code, os.strerror(code), str(path)) from error
    path.chmod(mode)  # the library's own is for nobody else


_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from None
    except SafetensorError as error:
        raise WeightsError(
            f"`{path}` is no whole file of weights: {str(error).lower()}",
            hint="it may be cut off; copy or fetch it again, as safetensors",
        ) from None


def unreadable(path: Path, error: OSError) -> WeightsError:
    """What is said of a file that the system does not let us read."""
    reason = (error.strerror or "unreadable").lower()
    return WeightsError(f"`{path}` cannot be read: {reason}", hint="check who may read it")


def packed(parts: Mapping[str, "Tensor"]) -> bytes:
    """Tensors by name as the content of a safetensors file."""
    from safetensors.torch import save

    return save({name: part.contiguous().clone() for name, part in parts.items()})


def unpacked(content: bytes) -> Tensors:
    """The tensors by name in the content of a safetensors file.

    Raises:
        ValueError: It is none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(content)
    except SafetensorError as error:
        raise ValueError(f"no whole safetensors file: {str(error).lower()}") from None
