"""``remover weights``: the files of ``weights.lock``, brought here and checked."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remover import weights as lock
from remover.cli import arguments as flag
from remover.cli.console import SCHEMA, Console
from remover.cli.help import Verb, Verbs
from remover.cli.session import configure, running
from remover.errors import UsageError, nearest
from remover.weights import Licence, WeightFile

if TYPE_CHECKING:
    from remover.install import Consent, Installed

HELP = """Fetch, check and place the weights of neural networks.

Examples:
  remover weights list
  remover weights pull sam2.1/tiny
  remover weights pull minimax --accept-license cc-by-nc-4.0
  remover weights add /media/usb
"""

LIST_HELP = """Show which weights there are: size, licence, whether they are installed."""

PULL_HELP = """Fetch weights over the network; nothing else of remover uses it.

Examples:
  remover weights pull sam2.1/tiny
  remover weights pull minimax --accept-license cc-by-nc-4.0

A transfer that breaks off goes on where it ended when it is run again.
"""

VERIFY_HELP = """Hash installed weights anew, and compare with what is known of them."""

PATH_HELP = """Print where weights are, or would be, installed."""

ADD_HELP = """Install weights that you carried over, known by their hash.

Examples:
  remover weights add /media/usb
  remover weights add sam2.1_hiera_tiny.pt
"""

weights = typer.Typer(
    cls=Verbs,
    help=HELP,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _complete(incomplete: str) -> list[str]:
    names = {part for name in lock.lock() for part in (name, name.rpartition("/")[0])}
    return sorted(name for name in names if name.startswith(incomplete))


def _names(text: str) -> Any:
    return typer.Argument(
        metavar="NAME...",
        help=text,
        rich_help_panel=flag.INPUT,
        show_default=False,
        autocompletion=_complete,
    )


PullNames = Annotated[
    list[str] | None, _names("Files as `sam2.1/tiny`, or groups as `minimax`; a list if left out.")
]
VerifyNames = Annotated[
    list[str] | None, _names("Files or groups; all that are installed if left out.")
]
PathName = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A file, or a group: its folder.",
        rich_help_panel=flag.INPUT,
        autocompletion=_complete,
    ),
]
Sources = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...",
        help="Files, or folders in which known files are looked for at every depth.",
        rich_help_panel=flag.INPUT,
    ),
]
Accepted = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-license",
        metavar="LICENCE",
        help="Accept a licence without being asked, as `cc-by-nc-4.0`, which allows no "
        "commercial use.",
        rich_help_panel=flag.INPUT,
        autocompletion=lambda incomplete: [n for n in lock.licences() if n.startswith(incomplete)],
    ),
]


@weights.callback(invoke_without_command=True)
def _weights(ctx: typer.Context) -> None:
    if ctx.invoked_subcommand is None:
        ctx.obj.data(ctx.get_help() + "\n")


@weights.command("list", cls=Verb, help=LIST_HELP)
def list_files(
    ctx: typer.Context,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
    verbose: flag.Verbose = 0,
    progress: flag.Progress = None,
    color: flag.Color = None,
    config: flag.Config = None,
    no_config: flag.NoConfig = False,
) -> None:
    """Print a table."""
    console: Console = ctx.obj
    configure(console, locals())
    _print_list(console)


@weights.command("pull", cls=Verb, help=PULL_HELP)
def pull(
    ctx: typer.Context,
    names: PullNames = None,
    accept_license: Accepted = None,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
    verbose: flag.Verbose = 0,
    progress: flag.Progress = None,
    color: flag.Color = None,
    config: flag.Config = None,
    no_config: flag.NoConfig = False,
) -> None:
    """Ask, fetch, print."""
    console: Console = ctx.obj
    configure(console, locals())
    entries = lock.select(names or ())
    consent = _consent(console, accept_license or ())
    if not entries:
        _print_list(console)
        console.note("name what to fetch, as `remover weights pull sam2.1/tiny`")
        return
    with running(console):
        from remover import install

        done = install.pull(entries, consent, console)
    _print_installed(console, done)


@weights.command("verify", cls=Verb, help=VERIFY_HELP)
def verify(
    ctx: typer.Context,
    names: VerifyNames = None,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
    verbose: flag.Verbose = 0,
    progress: flag.Progress = None,
    color: flag.Color = None,
    config: flag.Config = None,
    no_config: flag.NoConfig = False,
) -> None:
    """Hash, print."""
    console: Console = ctx.obj
    configure(console, locals())
    entries = lock.select(names or ())
    if names is None:
        entries = tuple(e for e in lock.lock().values() if lock.place(e.name).is_file())
    with running(console):
        from remover import install

        done = install.verify(entries, console)
    if console.display.json:
        console.data_json({"schema": SCHEMA, "files": [_facts(one.entry) for one in done]})
        return
    for one in done:
        console.data(f"{one.path}: its sha256 is right\n")
    if not done:
        console.note("no weights are installed")


@weights.command("path", cls=Verb, help=PATH_HELP)
def path(
    ctx: typer.Context,
    name: PathName,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
    verbose: flag.Verbose = 0,
    progress: flag.Progress = None,
    color: flag.Color = None,
    config: flag.Config = None,
    no_config: flag.NoConfig = False,
) -> None:
    """Print a path."""
    console: Console = ctx.obj
    configure(console, locals())
    entries = lock.select([name])
    found = lock.common_place(entries)
    if console.display.json:
        installed = all(lock.is_installed(entry.name) for entry in entries)
        console.data_json({"schema": SCHEMA, "path": str(found), "installed": installed})
    else:
        console.data(f"{found}\n")


@weights.command("add", cls=Verb, help=ADD_HELP)
def add(
    ctx: typer.Context,
    sources: Sources,
    json: flag.Json = None,
    quiet: flag.Quiet = None,
    verbose: flag.Verbose = 0,
    progress: flag.Progress = None,
    color: flag.Color = None,
    config: flag.Config = None,
    no_config: flag.NoConfig = False,
) -> None:
    """Copy, print."""
    console: Console = ctx.obj
    configure(console, locals())
    with running(console):
        from remover import install

        done = install.add(sources, console)
    bound = [one.entry for one in done if not lock.licences()[one.entry.licence].commercial]
    for name in dict.fromkeys(entry.licence for entry in bound):
        console.note(_terms(lock.licences()[name], [e for e in bound if e.licence == name]))
    _print_installed(console, done)


def _consent(console: Console, accepted: Sequence[str]) -> "Consent":
    """What asks for consent to a licence, unless ``accepted`` has its name.

    Raises:
        UsageError: ``accepted`` has a licence that no weights have.
    """
    known = lock.licences()
    for name in accepted:
        if name not in known:
            near = nearest(name, tuple(known))
            raise UsageError(
                f"`--accept-license {name}`: no weights have that licence",
                hint=f"did you mean `{near}`?" if near else f"one of {', '.join(known)}",
            )

    def ask(licence: Licence, entries: Sequence[WeightFile]) -> None:
        terms = _terms(licence, entries)
        if licence.name in accepted:
            console.note(terms)
            return
        answer = console.ask(f"{terms}\nType `yes` to accept the licence: ")
        if answer is not None and answer.lower() in ("y", "yes"):
            return
        said = "needs your consent" if answer is None else "was not accepted"
        raise UsageError(
            f"nothing was fetched: the licence `{licence.name}` of `{entries[0].name}` {said}",
            hint=f"read {licence.url}; `--accept-license {licence.name}` accepts it",
        )

    return ask


def _terms(licence: Licence, entries: Sequence[WeightFile]) -> str:
    names = ", ".join(entry.name for entry in entries)
    return f"{names}: {licence.title}, no commercial use; {licence.url}"


def _print_list(console: Console) -> None:
    entries = list(lock.lock().values())
    if console.display.json:
        console.data_json({"schema": SCHEMA, "files": [_facts(entry) for entry in entries]})
        return
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        licence = lock.licences()[entry.licence]
        terms = licence.title if licence.commercial else f"{licence.title} (non-commercial)"
        state = "installed" if lock.is_installed(entry.name) else "-"
        console.data(f"{entry.name:<{width}}  {entry.size_text:>9}  {state:<9}  {terms}\n")


def _print_installed(console: Console, done: "Sequence[Installed]") -> None:
    if console.display.json:
        files = [{**_facts(one.entry), "new": one.is_new} for one in done]
        console.data_json({"schema": SCHEMA, "files": files})
        return
    for one in done:
        if not one.is_new:
            console.note(f"{one.entry.name} was installed already: {one.path}")
    new = [one for one in done if one.is_new]
    for one in new:
        console.done(f"{one.path}, {one.entry.size_text}, its sha256 is right")


def _facts(entry: WeightFile) -> dict[str, Any]:
    return {
        "name": entry.name,
        "path": str(lock.place(entry.name)),
        "url": entry.url,
        "bytes": entry.bytes,
        "sha256": entry.sha256,
        "licence": entry.licence,
        "installed": lock.is_installed(entry.name),
    }
