"""How a run shows how far it is: bars on a terminal, lines in a log, objects for programs."""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from remover.progress import Unit

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Write = Callable[[str], None]
"""Takes whole lines, each with its line break."""

STEPS_PLAIN = 10
STEPS_JSON = 100
FRAMES_WITHOUT_TOTAL = 100
PERIOD_S = 600
"""What speed and remaining time on a terminal are measured over: fills come in bursts, a window
at a time, and a shorter period would see only the pauses or only the bursts."""


class Stages(Protocol):
    """What the console forwards the stages of a run to."""

    def start(self, stage: str, total: int | None, unit: Unit = "frames") -> None:
        """Begin a stage of ``total`` frames; ends the stage before it."""
        ...

    def advance(self, frames: int) -> None:
        """Count ``frames`` more as done."""
        ...

    def skip(self, frames: int) -> None:
        """Count ``frames`` as done before; they say nothing about the speed."""
        ...

    def tell(self, detail: str) -> None:
        """Show a few words beside the running stage, in place of those before."""
        ...

    def close(self) -> None:
        """End the last stage."""
        ...


class Measure(NamedTuple):
    """How the counts of a stage are written."""

    name: str
    divisor: int
    digits: int

    @classmethod
    def of(cls, unit: Unit, total: float | None) -> Self:
        """Bytes in kB where there are few, else in MB; all else as it is."""
        if unit != "bytes":
            return cls(unit, 1, 0)
        is_small = total is not None and total < 1_000_000
        return cls("kB", 1_000, 1) if is_small else cls("MB", 1_000_000, 1)

    def amount(self, count: float) -> str:
        """So many, without the unit."""
        return f"{count / self.divisor:.{self.digits}f}"

    def speed(self, per_second: float) -> str:
        """So many a second."""
        return f"{per_second / self.divisor:.1f} {self.name}/s"


class NoProgress:
    """Shows nothing."""

    def start(self, stage: str, total: int | None, unit: Unit = "frames") -> None:
        """Do nothing."""

    def advance(self, frames: int) -> None:
        """Do nothing."""

    def skip(self, frames: int) -> None:
        """Do nothing."""

    def tell(self, detail: str) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class _Counted:
    """Counts the frames of a stage and says when another share of them is done."""

    def __init__(self, write: Write, steps: int) -> None:
        self._write = write
        self._steps = steps
        self._stage = self._detail = ""
        self._unit: Unit = "frames"
        self._total: int | None = None
        self._done = self._skipped = 0
        self._began = 0.0

    def skip(self, frames: int) -> None:
        """Count frames without a word; the clock begins after them."""
        self._done += frames
        self._skipped = self._done
        self._began = time.monotonic()

    def tell(self, detail: str) -> None:
        """Keep the words for what is written next."""
        self._detail = detail

    def _begin(self, stage: str, total: int | None, unit: Unit) -> None:
        self._stage, self._total, self._unit, self._detail = stage, total, unit, ""
        self._done = self._skipped = 0
        self._began = time.monotonic()

    def _is_step(self, frames: int) -> bool:
        """Whether these frames, now counted, complete a step."""
        before, self._done = self._done, self._done + frames
        if self._total:
            return self._done * self._steps // self._total > before * self._steps // self._total
        return self._done // FRAMES_WITHOUT_TOTAL > before // FRAMES_WITHOUT_TOTAL

    @property
    def _measure(self) -> Measure:
        return Measure.of(self._unit, self._total)

    @property
    def _rate(self) -> float:
        """Frames a second since the stage began, or since the last one that was done before."""
        return (self._done - self._skipped) / max(1e-9, time.monotonic() - self._began)

    @property
    def _seconds_left(self) -> float | None:
        if not self._total or self._done == self._skipped:
            return None
        return max(0, self._total - self._done) / self._rate


class Lines(_Counted):
    """One line a stage and per 10 %, for logs."""

    def __init__(self, write: Write) -> None:
        """Write lines through ``write``."""
        super().__init__(write, STEPS_PLAIN)

    def start(self, stage: str, total: int | None, unit: Unit = "frames") -> None:
        """Say that a stage begins, and what the one before came to if that was not known."""
        self.close()
        self._begin(stage, total, unit)
        length = "" if total is None else f": {self._measure.amount(total)} {self._measure.name}"
        self._write(f"{stage}{length}\n")

    def advance(self, frames: int) -> None:
        """Say it when another tenth is done."""
        if not self._is_step(frames) or not self._total:
            return
        percent = self._done * self._steps // self._total * (100 // self._steps)
        left = self._seconds_left or 0
        by, detail = self._measure, f", {self._detail}" if self._detail else ""
        self._write(
            f"{self._stage}: {percent} %, {by.amount(self._done)} of {by.amount(self._total)} "
            f"{by.name}, {by.speed(self._rate)}{detail}, {left:.0f} s left\n"
        )

    def close(self) -> None:
        """Say how many frames a stage of unknown length had."""
        if self._total is None and self._done:
            by = self._measure
            self._write(
                f"{self._stage}: {by.amount(self._done)} {by.name}, {by.speed(self._rate)}\n"
            )
        self._done = self._skipped = 0


class JsonLines(_Counted):
    """One object a line: a stage's begin, each percent (or 100 frames) of it, its end."""

    def __init__(self, write: Write) -> None:
        """Write lines through ``write``."""
        super().__init__(write, STEPS_JSON)

    def start(self, stage: str, total: int | None, unit: Unit = "frames") -> None:
        """Report that a stage begins."""
        self.close()
        self._begin(stage, total, unit)
        self._report("start")

    def advance(self, frames: int) -> None:
        """Report when another hundredth is done."""
        if self._is_step(frames):
            self._report("progress")

    def close(self) -> None:
        """Report the end of the stage."""
        if self._stage:
            self._report("end")
        self._stage = ""

    def _report(self, event: str) -> None:
        left = self._seconds_left
        values = {
            "event": event,
            "stage": self._stage,
            "done": self._done,
            "total": self._total,
            f"{self._unit}_per_second": round(self._rate, 3) if self._rate else None,
            "seconds_left": None if left is None else round(left, 1),
        }
        if self._detail:
            values["detail"] = self._detail
        self._write(json.dumps(values) + "\n")


class Bars:
    """One bar a stage on the terminal; what else is said appears above it."""

    def __init__(self, *, color: bool) -> None:
        """Draw nothing before the first stage.

        Args:
            color: Whether to colour.
        """
        self._color = color
        self._bars: Progress | None = None
        self._task: TaskID | None = None

    def start(self, stage: str, total: int | None, unit: Unit = "frames") -> None:
        """Draw the stage's bar, below those that are finished."""
        self._finish()
        if self._bars is None:
            self._bars = _rich_bars(color=self._color)
            self._bars.start()
        self._task = self._bars.add_task(stage, total=total, unit=unit, detail="")

    def advance(self, frames: int) -> None:
        """Move the bar."""
        if self._bars is not None and self._task is not None:
            self._bars.advance(self._task, frames)

    def skip(self, frames: int) -> None:
        """Move the bar and start its clock anew."""
        if self._bars is not None and self._task is not None:
            done = self._bars.tasks[self._bars.task_ids.index(self._task)].completed
            self._bars.reset(self._task, completed=int(done) + frames)

    def tell(self, detail: str) -> None:
        """Write the words at the end of the bar."""
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, detail=detail)

    def close(self) -> None:
        """Leave the finished bars on the screen."""
        self._finish()
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _finish(self) -> None:
        """Stop the running stage's clock, and give it a length if it had none."""
        if self._bars is None or self._task is None:
            return
        done = self._bars.tasks[self._bars.task_ids.index(self._task)].completed
        if self._bars.tasks[self._bars.task_ids.index(self._task)].total is None:
            self._bars.update(self._task, total=done or 1, completed=done or 1)
        self._bars.stop_task(self._task)
        self._task = None


def _rich_bars(*, color: bool) -> "Progress":
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Count(ProgressColumn):
        """How much of how much."""

        def render(self, task: Task) -> Text:
            by = Measure.of(task.fields["unit"], task.total)
            total = "?" if task.total is None else by.amount(task.total)
            unit = "" if by.name == "frames" else f" {by.name}"
            return Text(f"{by.amount(task.completed).rjust(len(total))}/{total}{unit}")

    class Speed(ProgressColumn):
        """Frames or bytes a second."""

        def render(self, task: Task) -> Text:
            by = Measure.of(task.fields["unit"], task.total)
            found = task.finished_speed or task.speed
            return Text("" if found is None else by.speed(found))

    screen = Console(stderr=True, no_color=not color, highlight=False)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        Count(),
        Speed(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[detail]}", markup=False),
        console=screen,
        speed_estimate_period=PERIOD_S,
    )
