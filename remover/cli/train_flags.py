"""The flags of ``remover train``."""

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from remover.cli.arguments import INPUT, OUTPUT, QUALITY
from remover.errors import UsageError

EXPORT_DTYPES = ("fp32", "fp16", "bf16")
_PART = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


def _presets(incomplete: str) -> list[str]:
    from remover.train.presets import names

    return [name for name in names() if name.startswith(incomplete)]


def _config(text: str) -> Any:
    return typer.Option(
        "--config",
        metavar="FILE",
        help=text,
        rich_help_panel=INPUT,
        autocompletion=_presets,
        show_default=False,
    )


def _option(flag: str, metavar: str, text: str, panel: str = INPUT, *more: str) -> Any:
    return typer.Option(
        flag, *more, metavar=metavar, help=text, rich_help_panel=panel, show_default=False
    )


def _argument(metavar: str, text: str) -> Any:
    return typer.Argument(metavar=metavar, help=text, rich_help_panel=INPUT, show_default=False)


TrainConfig = Annotated[str, _config("A TOML file, or a preset's name.")]
MaybeConfig = Annotated[
    str | None, _config("A TOML file, or a preset's name; `--resume` needs none.")
]
Changes = Annotated[
    list[str] | None,
    _option("--set", "KEY=VALUE", "Change one setting, as `stage1.steps=200`; may be repeated."),
]
StageNumber = Annotated[
    int,
    typer.Option(
        "--stage", min=1, max=2, metavar="1|2", help="Which stage reads it.", rich_help_panel=INPUT
    ),
]
Init = Annotated[Path | None, _option("--init", "RUN", "The run of stage 1 to start from.")]
Samples = Annotated[
    Path | None, _option("--samples", "DIR", "Curated results of stage 1, from `train sample`.")
]
From = Annotated[
    str | None, _option("--latents", "DIR", "Encoded clips from `train encode`; a folder or URL.")
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with a run that was stopped.", rich_help_panel=INPUT),
]
Part = Annotated[
    str, _option("--part", "I/N", "Only the I-th of N parts of the clips, for several machines.")
]
RunArgument = Annotated[Path, _argument("RUN", "The folder of a run.")]
ExportArgument = Annotated[Path, _argument("RUN", "The folder of a run, or of a checkpoint in it.")]
SamplesArgument = Annotated[Path, _argument("FOLDER", "What `train sample` wrote.")]
DataArgument = Annotated[Path, _argument("DATA", "A folder of clips and masks.")]

RunFolder = Annotated[Path | None, _option("--output", "RUN", "The run's folder.", OUTPUT, "-o")]
Latents = Annotated[str, _option("--output", "DIR", "Where the shards go.", OUTPUT, "-o")]
SamplesOut = Annotated[Path, _option("--output", "DIR", "Where the results go.", OUTPUT, "-o")]
Checkpoint = Annotated[Path, _option("--output", "DIR", "The checkpoint's folder.", OUTPUT, "-o")]
AblationFolder = Annotated[
    Path, _option("--output", "DIR", "Where runs and results go.", OUTPUT, "-o")
]
Seeds = Annotated[
    int,
    typer.Option(
        "--seeds", min=1, max=8, metavar="NUMBER", help="Runs of each arm.", rich_help_panel=INPUT
    ),
]
ExportDtype = Annotated[
    str, _option("--dtype", "|".join(EXPORT_DTYPES), "What weights are written in.", OUTPUT)
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Print parameters, memory, operations and time; needs no data and no weights.",
        rich_help_panel=OUTPUT,
    ),
]
Devices = Annotated[
    int,
    typer.Option(
        "--devices",
        min=1,
        metavar="NUMBER",
        help="Of the dry run: how many devices share the work.",
        rich_help_panel=OUTPUT,
    ),
]
Gpu = Annotated[
    str, _option("--gpu", "NAME", "Of the dry run: whose peak is taken, as `h100`.", OUTPUT)
]
Steps = Annotated[
    int,
    typer.Option(
        "--steps", min=1, max=1000, metavar="NUMBER", help="Of the solver.", rich_help_panel=QUALITY
    ),
]
Port = Annotated[
    int,
    typer.Option(
        "--port", min=0, max=65535, metavar="NUMBER", help="0 is any.", rich_help_panel=INPUT
    ),
]
Browser = Annotated[
    bool,
    typer.Option(
        "--browser/--no-browser", help="Open the page in a browser.", rich_help_panel=INPUT
    ),
]


def part_of(text: str) -> tuple[int, int]:
    """The numbers of ``--part I/N``.

    Raises:
        UsageError: They are not two numbers with I from 1 to N.
    """
    match = _PART.fullmatch(text)
    number, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= count:
        raise UsageError(f"`--part {text}` is no part", hint="as `--part 2/8`, the 2nd of 8 parts")
    return number, count
