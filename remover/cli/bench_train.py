"""``remover bench train``: how fast the stages of training learn."""

from typing import Annotated

import typer

from remover.cli import arguments as flag
from remover.cli import train_flags
from remover.cli.bench_networks import bench
from remover.cli.console import SCHEMA, Console
from remover.cli.help import Verb
from remover.cli.session import configure, running

HELP = """Train both stages for a few steps, and time them.

Prints samples a second, the share of the time spent waiting for data and the
peak of memory: a table in Markdown, or JSON.
"""

__all__ = ["bench"]

Steps = Annotated[
    int,
    typer.Option(
        "--steps", min=2, metavar="NUMBER", rich_help_panel=flag.INPUT, help="Of each stage."
    ),
]


@bench.command("train", cls=Verb, help=HELP)
def train(
    ctx: typer.Context,
    config: train_flags.MaybeConfig = None,
    change: train_flags.Changes = None,
    steps: Steps = 60,
    device: flag.Device = None,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
    verbose: flag.Verbose = 0,
    progress: flag.Progress = None,
    color: flag.Color = None,
) -> None:
    """Time, print."""
    console: Console = ctx.obj
    options, _ = configure(console, {**locals(), "config": None, "no_config": False})
    with running(console):
        from remover import bench_train as measure
        from remover.device import resolve
        from remover.files import work_folder
        from remover.train import presets

        settings = presets.load(config or "tiny", change or ())
        where = resolve(options.device, prefer_gpu=True)
        with work_folder() as work:
            speeds = measure.measure(settings, steps, work, where, console)
    if console.display.json:
        console.data_json({"schema": SCHEMA, "stages": measure.to_json(speeds)})
    else:
        console.data(measure.table(speeds))
