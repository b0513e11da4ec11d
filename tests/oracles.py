"""Numbers of the reference implementation: where they lie, and how they are read.

``REMOVER_ORACLES`` names the folder. Without it, what the tests carry comes first, then the
development material beside the checkout. Cases, shapes and constants come from the files.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent


def folders() -> list[Path]:
    """Where to look, the first choice first."""
    if named := os.environ.get("REMOVER_ORACLES"):
        return [Path(named)]
    shared = os.environ.get("REMOVER_SHARED", ROOT.parent / "shared")
    return [ROOT / "tests" / "data" / "oracles", Path(shared) / "oracles"]


def found(pattern: str) -> list[Any]:
    """A parameter for each file that ``pattern`` finds, a name once; else one that is skipped."""
    by_name: dict[str, Path] = {}
    for folder in reversed(folders()):
        by_name |= {str(path.relative_to(folder)): path for path in folder.glob(pattern)}
    if by_name:
        return [pytest.param(path, id=name) for name, path in sorted(by_name.items())]
    looked = ", ".join(str(folder) for folder in folders())
    return [pytest.param(None, marks=pytest.mark.skip(reason=f"no {pattern} in {looked}"))]


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a file, and its metadata, whose values are JSON where they can be."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, {k: _value(v) for k, v in (file.metadata() or {}).items()}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def assert_near(found: Tensor, wanted: Tensor, tolerance: float, name: str) -> None:
    """Compare with an absolute tolerance and name what differs."""
    assert found.shape == wanted.shape, f"{name} is {tuple(found.shape)}"
    worst = (found.double() - wanted.double()).abs().max().item()
    assert worst <= tolerance, f"{name} is off by {worst:.2g}, allowed are {tolerance:g}"
