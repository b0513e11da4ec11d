"""``remover train``: the two stages of training, and what stands before, between and after them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from remover.cli import train_flags as flag
from remover.cli.arguments import Color, Device, Json, Progress, Quiet, Verbose
from remover.cli.console import SCHEMA, Console
from remover.cli.help import Verb, Verbs
from remover.cli.session import configure, running
from remover.errors import RemoverError, UsageError
from remover.progress import Silent

if TYPE_CHECKING:
    from remover.train.loop import Done
    from remover.train.runs import Given, Run
    from remover.train.settings import Settings

HELP = """Train MiniMax-Remover: from Wan 2.1's weights, from the release, or from nothing.

Examples:
  remover train stage1 --config tiny -o one
  remover train stage2 --config tiny --init one -o two
  remover train export two -o checkpoint
  remover clean clip.mp4 --box 10,20,80,60 --weights checkpoint

`--config` takes a TOML file, or a preset: `tiny`, `small`, `minimax-1.3b`.
"""

STAGE1_HELP = """Learn to fill masks, told by contrast tokens whether to remove or to make.

Examples:
  remover train stage1 --config tiny -o one
  remover train stage1 -o one --resume
  torchrun --nproc-per-node 8 -m remover train stage1 --config own.toml --latents latents -o one
"""

STAGE2_HELP = """Learn to remove in six steps without tokens, from noise that brings objects back.

Examples:
  remover train stage2 --config tiny --init one -o two
  remover train stage2 --config own.toml --init one --samples samples -o two
"""

SHARED = ("device", "json", "quiet", "verbose", "progress", "color")
"""The flags that mean what they mean for every command; others have a meaning of their own here."""

train = typer.Typer(
    cls=Verbs,
    help=HELP,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@train.callback(invoke_without_command=True)
def _train(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        ctx.obj.data(ctx.get_help() + "\n")


@train.command("stage1", cls=Verb, help=STAGE1_HELP)
def stage1(
    ctx: typer.Context,
    config: flag.MaybeConfig = None,
    output: flag.RunFolder = None,
    change: flag.Changes = None,
    latents: flag.From = None,
    resume: flag.Resume = False,
    dry_run: flag.DryRun = False,
    devices: flag.Devices = 1,
    gpu: flag.Gpu = "a800",
    device: Device = None,
    json: Json = None,
    quiet: Quiet = None,
    verbose: Verbose = 0,
    progress: Progress = None,
    color: Color = None,
) -> None:
    """Train stage 1."""
    _stage(ctx, locals(), 1)


@train.command("stage2", cls=Verb, help=STAGE2_HELP)
def stage2(
    ctx: typer.Context,
    config: flag.MaybeConfig = None,
    output: flag.RunFolder = None,
    init: flag.Init = None,
    samples: flag.Samples = None,
    change: flag.Changes = None,
    latents: flag.From = None,
    resume: flag.Resume = False,
    dry_run: flag.DryRun = False,
    devices: flag.Devices = 1,
    gpu: flag.Gpu = "a800",
    device: Device = None,
    json: Json = None,
    quiet: Quiet = None,
    verbose: Verbose = 0,
    progress: Progress = None,
    color: Color = None,
) -> None:
    """Train stage 2."""
    _stage(ctx, locals(), 2)


def begin(ctx: typer.Context, given: dict[str, Any]) -> tuple[Console, str]:
    """Settle how to talk and where to compute."""
    console: Console = ctx.obj
    shared = {name: given.get(name) for name in SHARED}
    options, _ = configure(console, {**shared, "config": None, "no_config": False})
    return console, options.device


def loaded(config: str, change: list[str] | None) -> "Settings":
    """The settings of a file or preset, with what ``--set`` changes."""
    from remover.train import presets

    return presets.load(config, change or ())


def _stage(ctx: typer.Context, given: dict[str, Any], number: int) -> None:
    """Train a stage, or say what it would take."""
    console, where = begin(ctx, given)
    config, output, is_resumed = given["config"], given["output"], given["resume"]
    if config is None and not is_resumed:
        raise UsageError(
            "no configuration was given",
            hint="`--config FILE`, or a preset: `--config tiny`; `--resume` needs none",
        )
    settings = None if config is None else loaded(config, given["change"])
    if given["dry_run"]:
        assert settings is not None or is_resumed
        _estimate(console, settings or _of_run(output), number, given)
        return
    if output is None:
        raise UsageError("no folder for the run was named", hint="`-o RUN`")
    with running(console):
        from remover.train import stage as story
        from remover.train.parallel import world
        from remover.train.runs import Given, withdraw

        targets = Given(given["latents"], given.get("init"), given.get("samples"))
        tell: Callable[..., Done] = story.stage1 if number == 1 else story.stage2
        with world(where) as here:
            run = _run(output, settings, number, targets, here.is_main, resume=is_resumed)
            try:
                done = tell(run, here, console if here.is_main else Silent())
            except RemoverError:
                if here.is_main and not is_resumed:
                    withdraw(run)
                raise
            is_main = here.is_main
    if is_main:
        _present(console, run, done)


def _run(
    output: Path,
    settings: "Settings | None",
    number: int,
    given: "Given",
    is_main: bool,
    *,
    resume: bool,
) -> "Run":
    from remover.train import runs

    if resume:
        return runs.resumed(output, settings, number, given)
    assert settings is not None
    if is_main:
        return runs.begin(output, settings, number, given)
    return runs.Run(output, settings, number, given.settled())


def _of_run(output: Path | None) -> "Settings":
    from remover.train.runs import opened

    if output is None:
        raise UsageError("no folder for the run was named", hint="`-o RUN`")
    return opened(output).settings


def _estimate(console: Console, settings: "Settings", number: int, given: dict[str, Any]) -> None:
    from remover.train import estimate

    found = estimate.estimate(
        settings, stage=number, gpu=estimate.gpu(given["gpu"]), devices=given["devices"]
    )
    if console.display.json:
        console.data_json({"schema": SCHEMA, **estimate.plain(found)})
    else:
        console.data("".join(f"{name:<28} {value}\n" for name, value in estimate.rows(found)))


def _present(console: Console, run: "Run", done: "Done") -> None:
    console.done(
        f"stage {run.stage} is done: {done.steps} steps, loss {done.loss:.4f}, on held-out clips "
        f"{done.held_out:.4f}; {done.samples_per_second:.1f} samples/s"
    )
    if console.display.json:
        from dataclasses import asdict

        values = {k: None if v != v else v for k, v in asdict(done).items()}
        console.data_json({"schema": SCHEMA, "run": str(run.folder), **values})
