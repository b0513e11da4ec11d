"""Where the time of a removal goes, stage by stage."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from remover import pipeline
from remover.config import CleanOptions
from remover.fill import ShotFill
from remover.job import prepared
from remover.light import shots_to_fill
from remover.progress import Silent, Unit
from remover.prompts import parse_mask
from remover.types import Prompt, Size


class Stopwatch(Silent):
    """Adds up the seconds of each stage of a run, and of named parts."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.seconds: dict[str, float] = {}
        self._stage: str | None = None
        self._began = 0.0

    def start(
        self,
        stage: str,
        total: int | None,  # noqa: ARG002 - only names are counted
        unit: Unit = "frames",  # noqa: ARG002
    ) -> None:
        """End the stage before, and begin one."""
        self.stop()
        self._stage, self._began = stage, monotonic()

    def stop(self) -> None:
        """End the stage."""
        if self._stage is not None:
            self._add(self._stage, self._began)
        self._stage = None

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        began = monotonic()
        yield
        self._add(name, began)

    def _add(self, name: str, began: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + monotonic() - began


@dataclass(frozen=True, slots=True)
class FillTimes:
    """What one case took; a whole run, then its fill once more on its own."""

    case: str
    frames: int
    width: int
    height: int
    hole_share: float
    """Mean share of the picture that is filled, over the frames with a hole."""
    frames_per_second: float
    """From file to file."""
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds of each stage of the run."""
    parts: dict[str, float] = field(default_factory=dict)
    """Seconds of the parts of the fill."""


def time_case(case: Path, output: Path) -> FillTimes:
    """Clean one case with its exact masks, and time its stages.

    Args:
        case: A folder with ``input.mp4`` and ``masks/``.
        output: The cleaned video; replaced if it is there.
    """
    source = case / "input.mp4"
    prompts: Sequence[Prompt] = [parse_mask(str(case / "masks"))]
    options = CleanOptions(overwrite=True, resume=False)
    run = Stopwatch()
    began = monotonic()
    report = pipeline.clean(source, output, prompts, options, run)
    seconds = monotonic() - began
    run.stop()
    parts = Stopwatch()
    with prepared(source, prompts, options, Silent(), output, writes=False) as job:
        for shot, windows in shots_to_fill(job.plan, job.masks.span):
            found = job.light.surveys[shot]
            fill = ShotFill(
                job.pictures,
                job.region.hole,
                shot,
                windows,
                found,
                seed=options.seed,
                rim=job.region.rim,
                shading=job.region,
                clock=parts.part,
            )
            for window in windows:
                for _ in fill.fill(window):
                    continue
    size: Size = report.plan.size
    return FillTimes(
        case.name,
        report.plan.num_frames,
        size.width,
        size.height,
        report.plan.hole_share,
        report.plan.num_frames / seconds,
        run.seconds,
        parts.seconds,
    )


def to_json(times: Sequence[FillTimes]) -> list[dict[str, Any]]:
    """The times as JSON values."""
    return [asdict(one) for one in times]


def table(times: Sequence[FillTimes]) -> str:
    """The times as a table in Markdown: seconds of stages and, in the fill, of its parts."""
    stages = list(dict.fromkeys(name for one in times for name in one.stages))
    parts = list(dict.fromkeys(name for one in times for name in one.parts))
    names = ["case", "frames", "size", "hole", "frames/s", *stages, *(f"({p})" for p in parts)]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    for one in times:
        facts = [one.case, str(one.frames), f"{one.width}x{one.height}", f"{one.hole_share:.3f}"]
        facts.append(f"{one.frames_per_second:.1f}")
        facts += [f"{one.stages.get(name, 0.0):.2f}" for name in stages]
        facts += [f"{one.parts.get(name, 0.0):.2f}" for name in parts]
        lines.append("| " + " | ".join(facts) + " |")
    return "\n".join(lines) + "\n"
