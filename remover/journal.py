"""What is done of a run and what it depended on, so that another run can go on with it.

A work folder holds::

    owner           the process that works here
    journal.json    the key (what the result depends on), the plan, what is about to be published
    masks.*         the masks of the objects and shots that are done
    fills.bin       the camera's motion of each shot, every finished hole, the end of each window
    carried*.bin    what a network's last two windows have left for the next one

The final encode is never resumed: it runs from the first frame, with what is here.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from remover import files, records
from remover.fill import (
    Camera,
    Carried,
    Left,
    Limits,
    Noise,
    Painted,
    Survey,
    from_arrays,
    to_arrays,
)
from remover.keys import Key
from remover.plan import plan_of
from remover.types import Filled, Plan, Rect, Shot
from remover.video import Target, folder_of

SCHEMA = 3
FACTS, FILLS, MASKS = "journal.json", "fills.bin", "masks.npz"
WORK = "`--work DIR`"
"""What names another place for a work folder."""

SURVEY, FRAME, WINDOW, CARRIED = b"s", b"f", b"w", b"c"
"""Kinds of records."""


class Journal:
    """The work folder of one run, as a context manager.

    Attributes:
        folder: Where it is.
        key: What the result depends on.
        windows_done: How many windows of the plan are filled, from the first one on.
        frames_done: How many frames they fill.
    """

    def __init__(self, folder: Path, key: Key, *, is_kept: bool) -> None:
        """Take over what ``folder`` holds if it was made with ``key``, else nothing.

        Args:
            folder: An existing folder that nobody else works in.
            key: What the result depends on.
            is_kept: Whether work is written down; without, the folder is only a place.

        Raises:
            OutputError: The disk is full or gone.
        """
        self.folder, self.key = folder, key
        self.windows_done = self.frames_done = 0
        self._is_kept = is_kept
        self._facts: dict[str, Any] = {"schema": SCHEMA, "key": dict(key)}
        self._surveys: dict[Shot, Survey] = {}
        self._painted: list[tuple[int, list[Painted]]] = []
        self._num_carried = 0
        self._limits: Limits | None = None
        self._end = 0
        found = facts_of(folder)
        if found is not None and found["key"] == dict(key):
            self._facts = found
            self._read()
            if not self._is_whole():
                self._forget()
        self._ended = self.windows_done
        if is_kept:
            self._write_facts()
            with self._refusals():
                self._file = records.RecordFile(folder / FILLS, self._end)

    def __enter__(self) -> Self:
        """Return the journal."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the files; they stay."""
        if self._is_kept:
            self._file.close()

    @property
    def plan(self) -> Plan | None:
        """The plan that was made, if it was."""
        found = self._facts.get("plan")
        return None if found is None else plan_of(found)

    def keep_plan(self, plan: Plan) -> None:
        """Write the plan down."""
        self._facts["plan"] = asdict(plan)
        self._write_facts()

    def survey(self, shot: Shot) -> Survey | None:
        """What was measured of a shot, if it was."""
        return self._surveys.get(shot)

    def keep_survey(self, shot: Shot, found: Survey) -> None:
        """Write down what was measured of a shot."""
        self._surveys[shot] = found
        camera = found.camera
        self._append(
            SURVEY,
            shot=np.array(shot),
            first=np.array(camera.first),
            steps=np.array(camera.steps, np.float64).reshape(-1, 3, 3),
            static=np.array(camera.static),
            far=np.array(found.far, np.int64),
            noise=np.array(found.noise, np.float64),
        )

    def fills(self) -> Iterator[Filled]:
        """The holes of the windows that were done, in order, one at a time from the disk."""
        for record in records.read(self.folder / FILLS, self._end):
            if record.kind == FRAME:
                yield _filled(record.arrays)

    def keep(self, filled: Filled) -> Filled:
        """Write a finished hole down; it counts once its window is ended."""
        planes = {f"plane{i}": plane for i, plane in enumerate(filled.planes)}
        place = np.array([filled.index, *filled.rect])
        sure = np.array(filled.confidence)
        self._append(FRAME, place=place, origin=filled.origin, confidence=sure, **planes)
        return filled

    def end_window(self, before: Sequence[Painted], after: Left) -> None:
        """Say that all holes of the next window are written down.

        Args:
            before: The shot's painted keys before the window.
            after: What the window leaves. Its painted keys are the last ones of ``before``, then
                new ones.
        """
        held = sum(any(key is old for old in before) for key in after.painted)
        arrays: dict[str, Any] = {"held": np.array(held), "limits": np.array(after.limits or ())}
        arrays["num_carried"] = np.array(len(after.carried))
        self._keep_carried(after.carried)
        for number, key in enumerate(after.painted[held:]):
            arrays[f"place{number}"] = np.array([key.index, *key.rect])
            arrays[f"rgb{number}"], arrays[f"shown{number}"] = key.rgb, key.shown
            arrays[f"invented{number}"] = key.invented
        self._append(WINDOW, **arrays)
        self._ended += 1

    def _keep_carried(self, carried: Sequence[Carried]) -> None:
        """Write down what the next window begins with; what this one began with is kept too."""
        if carried and self._is_kept:
            with self._refusals():
                file = records.RecordFile(_carried_file(self.folder, self._ended), 0)
                with contextlib.closing(file):
                    file.append(CARRIED, {"window": np.array(self._ended), **to_arrays(carried)})

    def left(self, first: int) -> Left:
        """What the windows of a shot, whose first one is number ``first``, have left so far."""
        found: list[Painted] = []
        for held, new in self._painted[first:]:
            found = [*found[len(found) - held :], *new]
        carried = self._carried() if self.windows_done > first else ()
        return Left(tuple(found), carried, self._limits)

    def _carried(self) -> tuple[Carried, ...]:
        """The frames that the last window has left for the next one."""
        if not self._num_carried:
            return ()
        path = _carried_file(self.folder, self.windows_done - 1)
        return from_arrays(next(records.read(path)).arrays)

    def _is_whole(self) -> bool:
        """Whether what the last window has left can be read."""
        if not self._num_carried:
            return True
        found = next(records.read(_carried_file(self.folder, self.windows_done - 1)), None)
        return found is not None and int(found.arrays["window"]) == self.windows_done - 1

    def begin_publishing(self, parts: Mapping[Target, Target]) -> None:
        """Note what is about to appear; ``parts`` are the finished files by their final names."""
        if self._is_kept:
            self._facts["publishing"] = {
                str(target.absolute()): files.digests(part)
                for target, part in parts.items()
                if isinstance(target, Path) and isinstance(part, Path)
            }
            self._write_facts()

    def _append(self, kind: bytes, **arrays: Any) -> None:
        if self._is_kept:
            with self._refusals():
                self._file.append(kind, arrays)

    def _write_facts(self) -> None:
        if self._is_kept:
            with self._refusals():
                files.write_whole(self.folder / FACTS, json.dumps(self._facts).encode())

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        """Say in words what the disk refuses."""
        try:
            yield
        except OSError as error:
            raise files.from_os_error(error, self.folder, WORK) from error

    def _read(self) -> None:
        """Learn what the records hold, up to the last one that ends something."""
        frames = 0
        for record in records.read(self.folder / FILLS):
            if record.kind == FRAME:
                frames += 1
                continue
            if record.kind == SURVEY:
                shot, found = _survey(record.arrays)
                self._surveys[shot] = found
            else:
                self._painted.append(_keys(record.arrays))
                self._num_carried = int(record.arrays["num_carried"])
                limits = [int(value) for value in record.arrays["limits"]]
                self._limits = Limits(*limits) if limits else None
                self.windows_done += 1
            self.frames_done, self._end = frames, record.end

    def _forget(self) -> None:
        """Begin anew with the fills; masks and plan stay."""
        self.windows_done = self.frames_done = self._end = self._num_carried = 0
        self._surveys, self._painted, self._limits = {}, [], None


def facts_of(folder: Path) -> dict[str, Any] | None:
    """What the journal in ``folder`` says of itself; None if there is none that can be read."""
    try:
        found = json.loads((folder / FACTS).read_text())
        return found if found["schema"] == SCHEMA and isinstance(found["key"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def holds_work(folder: Path) -> bool:
    """Whether a folder holds masks or holes that a run could go on with."""
    fills = folder / FILLS
    return (folder / MASKS).is_file() or (fills.is_file() and fills.stat().st_size > 0)


def was_published(folder: Path, target: Path) -> bool:
    """Whether what is at ``target`` is all from the run whose journal is in ``folder``."""
    noted = (facts_of(folder) or {}).get("publishing", {}).get(str(target.absolute()))
    if noted is None:
        return False
    if list(noted) == [""]:
        return target.is_file() and files.digest(target) == noted[""]
    place = folder_of(target)
    there = [name for name in noted if (place / name).is_file()]
    return bool(there) and all(files.digest(place / name) == noted[name] for name in there)


def _filled(arrays: Mapping[str, Any]) -> Filled:
    index, *rect = (int(value) for value in arrays["place"])
    planes = tuple(arrays[f"plane{i}"] for i in range(sum(n.startswith("plane") for n in arrays)))
    return Filled(index, Rect(*rect), planes, arrays["origin"], float(arrays["confidence"]))


def _survey(arrays: Mapping[str, Any]) -> tuple[Shot, Survey]:
    start, stop = (int(value) for value in arrays["shot"])
    camera = Camera(int(arrays["first"]), tuple(arrays["steps"]), bool(arrays["static"]))
    noise = Noise(*(float(value) for value in arrays["noise"]))
    return Shot(start, stop), Survey(camera, tuple(int(i) for i in arrays["far"]), noise)


def _carried_file(folder: Path, window: int) -> Path:
    """Where the frames lie that a window leaves: two files in turn, so that one is always whole."""
    return folder / f"carried{window % 2}.bin"


def _keys(arrays: Mapping[str, Any]) -> tuple[int, list[Painted]]:
    """How many older keys a window left, and the ones that it made."""
    new: list[Painted] = []
    while f"rgb{len(new)}" in arrays:
        number = len(new)
        index, *rect = (int(value) for value in arrays[f"place{number}"])
        names = (f"rgb{number}", f"shown{number}", f"invented{number}")
        new.append(Painted(index, Rect(*rect), *(arrays[name] for name in names)))
    return int(arrays["held"]), new
