"""The ``remover`` command: its verbs, and what becomes of every way in which a run can end."""

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.main import get_command

from remover.cli.bench_train import bench
from remover.cli.clean import HELP as CLEAN_HELP
from remover.cli.clean import clean
from remover.cli.console import Console, close_stdout, open_closed_streams
from remover.cli.help import Verb, Verbs
from remover.cli.info import HELP as INFO_HELP
from remover.cli.info import info
from remover.cli.mask import HELP as MASK_HELP
from remover.cli.mask import mask
from remover.cli.signals import stoppable
from remover.cli.train_steps import train
from remover.cli.weights import weights
from remover.config import is_completing
from remover.errors import (
    ExitCode,
    Interrupted,
    RemoverError,
    UsageError,
    memory_ran_out,
    nearest,
)
from remover.version import __version__

PROGRAM = "remover"

SHORT_HELP = f"""remover {__version__}: point at something in a video, get the same video without it

  remover clean clip.mp4 --box 10,20,80,60
  remover clean clip.mp4 --mask logo.png -o out.mp4

`remover --help` lists the commands, `remover help clean` every option.
"""

HELP = """Point at something in a video; get the same video without it.

Examples:
  remover clean clip.mp4 --box 10,20,80,60
  remover clean clip.mp4 --mask logo.png -o out.mp4
"""

_ParserError: Any = typer.BadParameter.__base__
"""The parser's own usage error, wherever this version of Typer keeps it."""


app = typer.Typer(
    cls=Verbs,
    help=HELP,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        Console().data(f"{PROGRAM} {__version__}\n")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool,
        typer.Option("--version", "-V", is_eager=True, callback=_show_version, help="The version."),
    ] = False,
) -> None:
    if ctx.invoked_subcommand is None:
        ctx.obj.data(SHORT_HELP)


def show_help(
    ctx: typer.Context,
    verb: Annotated[str | None, typer.Argument(metavar="VERB", show_default=False)] = None,
) -> None:
    """Print the help of a command."""
    group: Any = ctx.parent
    if verb is None:
        ctx.obj.data(group.get_help() + "\n")
        return
    _, command, _ = group.command.resolve_command(group, [verb])
    with command.make_context(verb, [], parent=group, resilient_parsing=True) as shown:
        ctx.obj.data(shown.get_help() + "\n")


app.command("clean", cls=Verb, help=CLEAN_HELP)(clean)
app.command("mask", cls=Verb, help=MASK_HELP)(mask)
app.command("info", cls=Verb, help=INFO_HELP)(info)
app.add_typer(weights, name="weights")
app.add_typer(train, name="train")
app.add_typer(bench, name="bench")
app.command("help", cls=Verb)(show_help)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code.

    Args:
        argv: Arguments after the program's name; those of the process by default.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    open_closed_streams()
    console = Console(json_wanted="--json" in arguments)
    with stoppable():
        code = _run(arguments, console)
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        close_stdout()
    raise SystemExit(int(code))


def _run(arguments: list[str], console: Console) -> int:
    """Run the command line, say how it failed if it did, and return the exit code."""
    try:
        return _dispatch(arguments, console)
    except Interrupted as error:
        console.error(error)
        return error.exit_code
    except RemoverError as error:
        console.error(error)
        return error.code
    except KeyboardInterrupt:
        console.error(Interrupted(ExitCode.SIGINT))
        return ExitCode.SIGINT
    except SystemExit as stop:
        if stop.code == ExitCode.SIGTERM:
            console.error(Interrupted(ExitCode.SIGTERM))
        return stop.code if isinstance(stop.code, int) else ExitCode.OK
    except MemoryError:
        console.error(memory_ran_out())
        return ExitCode.DEVICE
    except BrokenPipeError:
        close_stdout()
        return ExitCode.OK
    except Exception as error:
        console.bug(error)
        return ExitCode.INTERNAL


def _dispatch(arguments: list[str], console: Console) -> int:
    command: Any = get_command(app)
    if is_completing():
        command.main(args=arguments, prog_name=PROGRAM)
    try:
        with command.make_context(PROGRAM, list(arguments), obj=console) as ctx:
            command.invoke(ctx)
    except typer.Exit as stop:
        return stop.exit_code
    except _ParserError as error:
        context = error.ctx
        if context is not None and {"-h", "--help"} & set(arguments):
            console.data(context.get_help() + "\n")
            return ExitCode.OK
        raise _translated(error, arguments) from None
    return ExitCode.OK


def _translated(error: Any, arguments: Sequence[str]) -> UsageError:
    """The parser's error in our words."""
    if error.ctx is not None:
        path = error.ctx.command_path
    else:  # some errors do not say where they happened; the first word does
        verbs = [command.name for command in app.registered_commands]
        path = " ".join([PROGRAM, *(word for word in arguments[:1] if word in verbs)])
    name = getattr(error, "option_name", None)
    if name is None or not hasattr(error, "possibilities"):
        text = error.format_message().rstrip(".").replace("'", "`").replace('"', "`")
        return UsageError(text[:1].lower() + text[1:], hint=f"see `{path} --help`")
    known = [
        spelling.removeprefix("--")
        for parameter in error.ctx.command.get_params(error.ctx)
        for spelling in (*parameter.opts, *parameter.secondary_opts)
        if spelling.startswith("--")
    ]
    near = nearest(name.lstrip("-"), tuple(known))
    return UsageError(
        f"`{path}` has no flag `{name}`",
        hint=f"did you mean `--{near}`?" if near else f"`{path} --help` lists the flags",
    )
