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

import json
import tomllib
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from remover.errors import OutputError, TrainingError, UsageError
from remover.files import from_os_error, write_whole
from remover.train import presets
from remover.train.settings import Settings

CONFIG = "config.toml"
GIVEN = "given"
"""The table in it that says what a run was pointed at."""
METRICS = "metrics.jsonl"
FREE = ("log", "compute")
"""Tables that may differ when a run goes on."""


@dataclass(frozen=True, slots=True)
class Given:
    """What a stage was pointed at."""

    latents: str | None = None
    """A folder of encoded clips; None encodes into the run's."""
    init: Path | None = None
    """Of stage 2: a run of stage 1."""
    samples: Path | None = None
    """Of stage 2: a folder of curated results; None makes and judges them, where the truth is
    known."""

    def settled(self) -> "Given":
        """The same with paths that hold from any folder."""
        latents = self.latents
        if latents is not None and "://" not in latents:
            latents = str(Path(latents).absolute())
        init, samples = (p and p.absolute() for p in (self.init, self.samples))
        return Given(latents, init, samples)


@dataclass(frozen=True, slots=True)
class Run:
    """A folder, and what it was told."""

    folder: Path
    settings: Settings
    stage: int
    given: Given = field(default_factory=Given)

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


def begin(folder: Path, settings: Settings, stage: int, given: Given | None = None) -> Run:
    """Make the folder of a new run.

    Args:
        folder: It must not be there, or be empty.
        settings: What it is told.
        stage: 1 or 2.
        given: What it is pointed at.

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
    given = (given or Given()).settled()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / CONFIG, _text(settings, stage, given).encode())
    except OSError as error:
        raise from_os_error(error, folder) from error
    return Run(folder, settings, stage, given)


def _text(settings: Settings, stage: int, given: Given) -> str:
    """The file that says what a run is."""
    named = {key: str(value) for key, value in asdict(given).items() if value is not None}
    lines = [f"{key} = {json.dumps(value)}" for key, value in named.items()]
    table = "".join(f"{line}\n" for line in ("", f"[{GIVEN}]", *lines)) if lines else ""
    head = f"# Every setting of this run of stage {stage}.\nstage = {stage}\n"
    return head + presets.as_toml(settings) + table


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
        stage, named = int(tables.pop("stage")), tables.pop(GIVEN, {})
        given = Given(
            latents=named.get("latents"),
            init=Path(named["init"]) if "init" in named else None,
            samples=Path(named["samples"]) if "samples" in named else None,
        )
    except (OSError, KeyError, ValueError, TypeError):
        raise TrainingError(
            f"`{folder}` holds no run: there is no `{CONFIG}` of one in it",
            hint="give the folder that `-o` of `remover train stage1` or `stage2` named",
        ) from None
    return Run(folder, presets.build(tables, str(path)), stage, given)


def resumed(folder: Path, settings: Settings | None, stage: int, given: Given | None = None) -> Run:
    """A run that goes on, with what may be changed taken from ``settings`` and ``given``.

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
    run = _pointed(run, (given or Given()).settled())
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
    return replace(run, settings=settings)


def _pointed(run: Run, given: Given) -> Run:
    """A run that finds its latents and samples elsewhere now.

    Raises:
        UsageError: It began with another run of stage 1.
    """
    old = run.given
    if given.init is not None and old.init is not None and given.init != old.init:
        raise UsageError(
            f"the run in `{run.folder}` began with `{old.init}`, not with `{given.init}`",
            hint="leave out `--init`, or begin another run",
        )
    latents, samples = given.latents or old.latents, given.samples or old.samples
    return replace(run, given=Given(latents, given.init or old.init, samples))
