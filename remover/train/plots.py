"""Curves as pictures; the only door to the plotting library."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from remover.errors import UsageError
from remover.files import from_os_error

DPI = 120


class Curve(NamedTuple):
    """Points of one line."""

    x: Sequence[float]
    y: Sequence[float]
    half: Sequence[float] = ()
    """Half the length of an interval at each point; none where it is empty."""


class Panel(NamedTuple):
    """One pair of axes."""

    title: str
    across: str
    """What x is."""
    curves: Mapping[str, Curve]
    """By name."""


def draw(path: Path, panels: Sequence[Panel]) -> None:
    """Write panels side by side as a PNG.

    Raises:
        UsageError: The library is not installed.
        OutputError: The picture cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError(
            "curves need `matplotlib`, which is not installed",
            hint='`pip install "remover[train]"` installs it',
        ) from None
    figure = Figure(figsize=(4.6 * len(panels), 3.6), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name, curve in panel.curves.items():
            error = list(curve.half) or None
            marker = "o" if len(curve.x) < 20 else None
            axes.errorbar(curve.x, curve.y, yerr=error, label=name, marker=marker, capsize=3)
        axes.set_title(panel.title)
        axes.set_xlabel(panel.across)
        axes.grid(alpha=0.3)
        if len(panel.curves) > 1:
            axes.legend()
    try:
        figure.savefig(path, dpi=DPI, metadata={"Software": None})
    except OSError as error:
        raise from_os_error(error, path) from error
