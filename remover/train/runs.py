"""A run's folder: what it was told, and what lies where in it.

::

    RUN/config.toml            every setting, with its stage
    RUN/metrics.jsonl          a line a step
    RUN/tensorboard/           the same for its viewer, with speeds
    RUN/checkpoints/step-.../  see ``checkpoints``
    RUN/sheets/step-....png    samples
    RUN/vae/                   the small autoencoder, where there is one
    RUN/latents/               encoded clips, where no other folder was named
    RUN/samples/               results of stage 1 for curation, where stage 2 made them itself
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remover.errors import OutputError, TrainingError, UsageError
from remover.files import from_os_error, write_whole
from remover.train import presets
from remover.train.settings import Settings

CONFIG = "config.toml"
METRICS = "metrics.jsonl"
FREE = ("log", "compute")
"""Tables that may differ when a run goes on."""


@dataclass(frozen=True, slots=True)
class Run:
    """A folder, and what it was told."""

    folder: Path
    settings: Settings
    stage: int

    @property
    def latents(self) -> Path:
        """Encoded clips of its own."""
        return self.folder / "latents"

    @property
    def vae(self) -> Path:
        """The small autoencoder."""
        return self.folder / "vae"

    @property
    def samples(self) -> Path:
        """Results of stage 1 of its own."""
        return self.folder / "samples"


def begin(folder: Path, settings: Settings, stage: int) -> Run:
    """Make the folder of a new run.

    Raises:
        OutputError: It holds something already, or cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        is_run = (folder / CONFIG).is_file()
        raise OutputError(
            f"`{folder}` {'holds a run' if is_run else 'exists'} already",
            hint="`--resume` goes on with it; else choose another folder"
            if is_run
            else "choose another folder with -o",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = f"# Every setting of this run of stage {stage}.\nstage = {stage}\n"
        write_whole(folder / CONFIG, (text + presets.as_toml(settings)).encode())
    except OSError as error:
        raise from_os_error(error, folder) from error
    return Run(folder, settings, stage)


def withdraw(run: Run) -> None:
    """Take back a run that failed before anything was made for it, so that it can be begun anew."""
    if {path.name for path in run.folder.iterdir()} == {CONFIG}:
        (run.folder / CONFIG).unlink()
        run.folder.rmdir()


def opened(folder: Path) -> Run:
    """A run that was begun.

    Raises:
        TrainingError: The folder holds none.
        UsageError: Its ``config.toml`` was changed to what cannot be used.
    """
    path = folder / CONFIG
    try:
        tables: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        stage = int(tables.pop("stage"))
    except (OSError, KeyError, ValueError, TypeError):
        raise TrainingError(
            f"`{folder}` holds no run: there is no `{CONFIG}` of one in it",
            hint="give the folder that `-o` of `remover train stage1` or `stage2` named",
        ) from None
    return Run(folder, presets.build(tables, str(path)), stage)


def resumed(folder: Path, settings: Settings | None, stage: int) -> Run:
    """A run that goes on, with what may be changed taken from ``settings``.

    Raises:
        TrainingError: The folder holds no run, or one of the other stage.
        UsageError: The settings differ in what would make it another run.
    """
    run = opened(folder)
    if run.stage != stage:
        raise TrainingError(
            f"`{folder}` holds a run of stage {run.stage}, not of stage {stage}",
            hint=f"`remover train stage{run.stage} --resume` goes on with it",
        )
    if settings is None:
        return run
    old, new = presets.plain(run.settings), presets.plain(settings)
    for table, values in new.items():
        if table in FREE or values == old[table]:
            continue
        key, before, after = table, old[table], values
        if isinstance(values, dict):
            inner = next(name for name in values if values[name] != old[table][name])
            key, before, after = f"{table}.{inner}", old[table][inner], values[inner]
        raise UsageError(
            f"the run in `{folder}` has `{key}` at `{before}`, the configuration says `{after}`",
            hint="resume with the same configuration (or without --config), or begin another run",
        )
    return Run(folder, settings, stage)
