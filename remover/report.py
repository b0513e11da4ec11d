"""What a run did, for people and for programs."""

import platform
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from remover.painting import Offload, PaintPlan
from remover.types import Plan, Shot
from remover.version import __version__

SCHEMA = 1

PACKAGES = (
    "torch",
    "numpy",
    "av",
    "opencv-python-headless",
    "pypatchmatch",
    "rf-sam-2",
    "scenedetect-headless",
)


@dataclass(frozen=True, slots=True)
class Promises:
    """What was checked while the run went on."""

    samples_changed_outside: int
    """Samples outside the region that differ from the decoded source; always 0."""
    frames_equal: bool
    times_equal: bool
    streams_equal: bool
    """Every copied stream has the same packets, payload for payload."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of ``clean``, ``mask``, ``dry_run`` or ``preview``."""

    command: str
    input: Path
    output: Path | None
    options: dict[str, Any]
    prompts: tuple[str, ...]
    plan: Plan
    tracker: str
    span: Shot
    written: Shot
    """The frames of the input that the output has, half open."""
    objects: dict[str, dict[str, str | None]]
    """For each object by its number: the ``tracker`` that followed it, and the ``painter``."""
    sides: dict[str, str] = field(default_factory=dict)
    """The files that were written beside the output, by kind."""
    painter: str | None = None
    painter_licence: str | None = None
    device: str = "cpu"
    frames_without_mask: int = 0
    unsure: tuple[Shot, ...] = ()
    lost: tuple[Shot, ...] = ()
    copied_share: float | None = None
    painted_share: float | None = None
    relit_share: float | None = None
    """Share of all changed pixels whose shadow was removed; the other shares are of the hole."""
    shadows: dict[str, int] = field(default_factory=dict)
    """In how many frames a shadow was found: ``removed`` and ``kept``."""
    mean_confidence: float | None = None
    resumed_frames: int = 0
    """Frames whose fill an interrupted run had finished."""
    codec: str | None = None
    pixel_format: str | None = None
    encoder_threads: int | None = None
    promises: Promises | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    """The sha256 of each weight file that was used, as ``{"sam2:tiny": "7402…"}``."""

    def to_json(self) -> dict[str, Any]:
        """The report as plain values for ``json.dumps``; keys are stable within a schema."""
        plan = {
            **asdict(self.plan),
            "shots": [list(shot) for shot in self.plan.shots],
            "windows": [_window(w) for w in self.plan.windows],
            "size": {"height": self.plan.size.height, "width": self.plan.size.width},
        }
        values = {name: getattr(self, name) for name in self.__slots__}
        return {
            "schema": SCHEMA,
            **values,
            "input": str(self.input),
            "output": None if self.output is None else str(self.output),
            "plan": plan,
            "span": list(self.span),
            "written": list(self.written),
            "unsure": [list(part) for part in self.unsure],
            "lost": [list(part) for part in self.lost],
            "promises": None if self.promises is None else asdict(self.promises),
            "frames_per_second": self.plan.num_frames / self.seconds if self.seconds else None,
        }

    def summary(self) -> list[str]:
        """Lines for a person; the last one is what was written, its size, frames and time."""
        if self.command == "dry_run":
            return self._plan_lines()
        lines = []
        if self.copied_share is not None and self.painted_share is not None:
            lines.append(
                f"masks by {self.tracker}; {self.copied_share:.1%} of the hole copied from other "
                f"frames, {self.painted_share:.1%} painted ({self.painter})"
            )
        if self.relit_share:
            lines.append(
                f"a shadow removed in {self.shadows['removed']} frames: {self.relit_share:.1%} of "
                "what was changed is the picture's own, lit up"
            )
        target = self.output or self.input
        size = target.stat().st_size if target.is_file() else None
        parts = [
            str(target),
            *([] if size is None else [_bytes(size)]),
            f"{self.written.stop - self.written.start} frames",
            f"{self.seconds:.1f} s",
        ]
        lines += [f"{kind.replace('_', ' ')}: {path}" for kind, path in self.sides.items()]
        lines.append(", ".join(parts))
        return lines

    def _plan_lines(self) -> list[str]:
        plan = self.plan
        lines = [
            f"input     {self.input}: {plan.num_frames} frames of {plan.size}",
            f"output    {self.output} ({self.codec}, {self.pixel_format})",
            f"masks     by {self.tracker}; {plan.hole_frames} frames have a hole, "
            f"{plan.hole_share:.1%} of the picture on average",
            f"shots     {len(plan.shots)}: " + ", ".join(f"{a}-{b - 1}" for a, b in plan.shots),
        ]
        found = [f"{done} in {count} frames" for done, count in self.shadows.items() if count]
        if found:
            lines.append(f"shadow    {', '.join(found)}")
        for window in plan.windows:
            crop = window.crop
            lines.append(
                f"window    frames {window.start}-{window.stop - 1}, looks at "
                f"{window.context_start}-{window.context_stop - 1}, crop {crop.size} "
                f"at {crop.left},{crop.top}"
            )
        lines += _painting_lines(plan.painting)
        lines += [
            f"memory    about {_bytes(plan.memory_bytes)} at the peak",
            f"time      {self._time_text()}",
        ]
        return lines

    def _time_text(self) -> str:
        if self.plan.seconds is not None:
            return f"about {time_text(self.plan.seconds)}"
        painting = self.plan.painting
        if painting is not None and painting.seconds is None:
            return f"not known: networks were never timed on a device like `{painting.device}`"
        return f"not known: {self.tracker} was never timed on a device like `{self.device}`"


def _painting_lines(painting: PaintPlan | None) -> list[str]:
    if painting is None:
        return []
    together = "" if painting.stretch == painting.frames else f", {painting.stretch} together"
    return [
        f"painting  windows of {painting.frames} frames{together}, {painting.overlap} shared "
        f"({painting.joins}), crops of at most {painting.pixels} pixels, {painting.steps} steps",
        f"network   on {painting.device} in {painting.dtype}, weights in {painting.weights}, "
        f"{_OFFLOAD[painting.offload]}, about {_bytes(painting.memory_bytes)}",
    ]


_OFFLOAD = {
    Offload.NONE: "both parts stay there",
    Offload.MODEL: "one part at a time",
    Offload.LAYERS: "one layer at a time",
}


def time_text(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 600:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def _window(window: Any) -> dict[str, Any]:
    crop = window.crop
    return {
        "start": window.start,
        "stop": window.stop,
        "context": [window.context_start, window.context_stop],
        "lead": window.lead,
        "tail": window.tail,
        "crop": {"x": crop.left, "y": crop.top, "w": crop.size.width, "h": crop.size.height},
    }


def _bytes(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.2f} GB"


def versions() -> dict[str, str]:
    """Versions of what decides a result's bytes."""
    found = {"remover": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found
