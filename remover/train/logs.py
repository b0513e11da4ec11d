"""What a run writes while it learns: a line a step, and the same for TensorBoard."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from remover.errors import UsageError
from remover.files import from_os_error
from remover.train.runs import METRICS

TENSORBOARD = "tensorboard"


class Log:
    """The metrics of a run.

    A line of ``metrics.jsonl`` holds nothing that depends on the machine's speed, so that a run
    that was stopped and went on has the very file of one that was not.
    """

    def __init__(self, folder: Path, first: int) -> None:
        """Open both, and take back what was written for steps from ``first`` on.

        Raises:
            OutputError: They cannot be written.
            UsageError: TensorBoard's writer is not installed.
        """
        self._folder, self._path = folder, folder / METRICS
        try:
            _cut(self._path, first)
            self._file = self._path.open("a", encoding="utf-8")
        except OSError as error:
            raise from_os_error(error, folder) from error
        self._board = _board(folder / TENSORBOARD, first)

    def step(self, step: int, values: Mapping[str, float]) -> None:
        """Write a step's values, each finite or left out.

        Raises:
            OutputError: The disk is full.
        """
        line = {"step": step, **{k: v for k, v in values.items() if not math.isnan(v)}}
        try:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        except OSError as error:
            raise from_os_error(error, self._folder) from error

    def show(self, step: int, values: Mapping[str, float]) -> None:
        """Give TensorBoard values, the machine's speed among them."""
        for name, value in values.items():
            if not math.isnan(value):
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Close both."""
        self._file.close()
        self._board.close()


def read(folder: Path) -> list[dict[str, float]]:
    """The lines of a run's metrics; a last one that was cut off is left out."""
    path = folder / METRICS
    if not path.is_file():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            break
    return found


def _cut(path: Path, first: int) -> None:
    """Keep only the lines of steps before ``first``."""
    if not path.is_file():
        return
    kept = [json.dumps(line) for line in read(path.parent) if line["step"] < first]
    path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _board(folder: Path, first: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError(
            "training writes for TensorBoard, which is not installed",
            hint='`pip install "remover[train]"` installs it',
        ) from None
    return SummaryWriter(str(folder), purge_step=first or None)
