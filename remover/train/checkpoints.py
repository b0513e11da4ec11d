"""Checkpoints of a run: whole or not there, the last few and the best kept.

A checkpoint is a folder ``step-00001000`` in the format of ``torch.distributed.checkpoint``, so
that a run may go on with another number of processes, and ``state.json`` beside its tensors. It is
written under a hidden name and renamed.
"""

import json
import math
import os
import re
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.distributed.checkpoint.metadata import TensorStorageMetadata
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_state_dict,
    set_state_dict,
)
from torch.distributed.checkpoint.state_dict_loader import load as load_state
from torch.distributed.checkpoint.state_dict_saver import save as save_state

from remover.errors import RemoverError, TrainingError
from remover.files import from_os_error
from remover.train.learner import Learner
from remover.train.parallel import agreed, wait

FOLDER = "checkpoints"
STATE = "state.json"
_NAME = re.compile(r"step-([0-9]{8})")
_HIDDEN = ".writing"
_DAMAGED = (OSError, ValueError, RuntimeError, KeyError, EOFError, CheckpointException)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One that is whole."""

    path: Path
    step: int
    """How many steps were made."""
    held_out: float
    """The error on held-out samples; NaN where there are none."""
    stage: int
    settings: Mapping[str, Any]
    """As ``presets.plain`` gives them."""


def found(run: Path) -> list[Checkpoint]:
    """Those of a run, by step.

    Raises:
        TrainingError: One has a ``state.json`` that cannot be read.
    """
    folder = run / FOLDER
    if not folder.is_dir():
        return []
    names = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    return [read(path) for path in names]


def read(path: Path) -> Checkpoint:
    """What a checkpoint says of itself.

    Raises:
        TrainingError: It cannot be read.
    """
    try:
        state = json.loads((path / STATE).read_text(encoding="utf-8"))
        held_out = state["held_out"]
        return Checkpoint(
            path=path,
            step=int(state["step"]),
            held_out=math.nan if held_out is None else float(held_out),
            stage=int(state["stage"]),
            settings=dict(state["settings"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(
            f"the checkpoint `{path}` cannot be read: {type(error).__name__.lower()} in `{STATE}`",
            hint="delete that folder; the one before it is taken then",
        ) from None


def best(checkpoints: list[Checkpoint]) -> Checkpoint | None:
    """The one with the smallest error on held-out samples; the last where that is not known."""
    known = [one for one in checkpoints if not math.isnan(one.held_out)]
    if known:
        return min(known, key=lambda one: (one.held_out, -one.step))
    return checkpoints[-1] if checkpoints else None


def save(run: Path, learner: Learner, state: Mapping[str, Any], keep: int) -> None:
    """Write a checkpoint, then delete those that are no longer kept.

    Args:
        run: The run's folder.
        learner: What is saved.
        state: ``step``, ``held_out``, ``stage`` and ``settings``.
        keep: How many of the last are kept, beside the best.

    Raises:
        OutputError: The disk is full, or cannot be written. Older checkpoints are untouched.
    """
    here, folder = learner.here, run / FOLDER
    part = folder / f"{_HIDDEN}-{state['step']}"
    failed: RemoverError | None = None
    try:
        if here.is_main:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
        wait(here)
        _write(part, learner)
        if here.is_main:
            finite = {**state, "held_out": _finite(state["held_out"])}
            (part / STATE).write_text(json.dumps(finite), encoding="utf-8")
            _publish(part, folder / f"step-{state['step']:08d}")
    except OSError as error:
        failed = from_os_error(error, run)
    except CheckpointException as error:
        failed = _told(error, run)
    if agreed(failed is not None, here):
        shutil.rmtree(part, ignore_errors=True)
        raise failed or TrainingError(
            f"another process could not write its part of a checkpoint in `{run}`",
            hint="see what it said; the checkpoints before are whole",
        )
    if here.is_main:
        _forget(run, keep)
    wait(here)


def load(checkpoint: Checkpoint, learner: Learner) -> None:
    """Put a learner into the state of a checkpoint.

    Raises:
        TrainingError: It is damaged, or belongs to another network.
    """
    state = _state(learner)
    try:
        with _quietly():
            load_state(state, checkpoint_id=checkpoint.path, no_dist=learner.here.size == 1)
    except _DAMAGED as error:
        raise _unusable(checkpoint, error) from None
    set_state_dict(
        learner.network,
        learner.optimizer,
        model_state_dict=state["network"],
        optim_state_dict=state["optimizer"],
    )
    if learner.average is not None:
        learner.average.load_state_dict(state["average"])


def weights_of(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint by name, or those that learn where none were averaged.

    Raises:
        TrainingError: It is damaged.
    """
    try:
        reader = FileSystemReader(checkpoint.path)
        entries = reader.read_metadata().state_dict_metadata
        kinds = ("average", "network")
        kind = next(k for k in kinds if any(name.startswith(f"{k}.") for name in entries))
        found = {
            name.removeprefix(f"{kind}."): torch.empty(entry.size, dtype=entry.properties.dtype)
            for name, entry in entries.items()
            if name.startswith(f"{kind}.") and isinstance(entry, TensorStorageMetadata)
        }
        with _quietly():
            load_state({kind: found}, storage_reader=reader, no_dist=True)
    except (*_DAMAGED, StopIteration) as error:
        raise _unusable(checkpoint, error) from None
    return found


def _unusable(checkpoint: Checkpoint, error: BaseException) -> TrainingError:
    return TrainingError(
        f"the checkpoint `{checkpoint.path}` cannot be used: {_reason(error)}",
        hint="delete that folder; the one before it is taken then",
    )


def _write(part: Path, learner: Learner) -> None:
    with _quietly():
        save_state(_state(learner), checkpoint_id=part, no_dist=learner.here.size == 1)


def _state(learner: Learner) -> dict[str, Any]:
    options = StateDictOptions()
    network, optimizer = get_state_dict(learner.network, learner.optimizer, options=options)
    state: dict[str, Any] = {"network": network, "optimizer": optimizer}
    if learner.average is not None:
        state["average"] = learner.average.state_dict()
    return state


def _quietly() -> "warnings.catch_warnings[None]":
    return warnings.catch_warnings(action="ignore", category=UserWarning)


def _publish(part: Path, target: Path) -> None:
    for path in part.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)


def _forget(run: Path, keep: int) -> None:
    every = found(run)
    kept = {one.path for one in every[-keep:]}
    first = best(every)
    for one in every:
        if one.path not in kept and (first is None or one.path != first.path):
            shutil.rmtree(one.path, ignore_errors=True)
    for left in (run / FOLDER).glob(f"{_HIDDEN}-*"):
        shutil.rmtree(left, ignore_errors=True)


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value


def _told(error: CheckpointException, run: Path) -> RemoverError:
    """The first process's own error, where it is the system's."""
    for inner, _trace in error.failures.values():
        if isinstance(inner, OSError):
            return from_os_error(inner, run)
    return TrainingError(f"`{run}` cannot hold a checkpoint: {_reason(error)}")


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip().lower() if lines else type(error).__name__.lower()
