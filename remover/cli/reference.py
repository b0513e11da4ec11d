"""Write the reference pages from what the program itself says.

::

    python -m remover.cli.reference docs/reference
"""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from remover.cli.help import OTHER, rows, summary, usage
from remover.cli.main import PROGRAM, app
from remover.config import PROJECT_FILE, template, variable
from remover.errors import ExitCode, Interrupted, RemoverError
from remover.options import all_options

MADE = "<!-- Made by `python -m remover.cli.reference docs/reference`; do not edit. -->"

MEANINGS = {
    ExitCode.OK: "Written and verified.",
    ExitCode.INTERNAL: "A bug: a traceback and versions on stderr; please report it.",
    ExitCode.SIGINT: "Stopped by Ctrl-C (SIGINT); nothing is left under the target's name.",
    ExitCode.SIGTERM: "Stopped by SIGTERM; nothing is left under the target's name.",
}
"""Codes that no error class owns alone; the others are described by their class."""


def pages() -> dict[str, str]:
    """The reference pages by file name."""
    return {
        "cli.md": command_page(),
        "config.md": config_page(),
        "exit-codes.md": exit_code_page(),
    }


def command_page() -> str:
    """Every command with its examples and flags."""
    group: Any = get_command(app)
    parts = [
        "# Command line",
        MADE,
        "A prompt or a moment names a frame as `45` or `45f` (the first is 0) and a time as "
        "`1.5s` or `00:00:01.500`. `-h` or `--help` after any command shows this text; "
        f"`{PROGRAM} help VERB` does too.",
    ]
    with group.make_context(PROGRAM, [], resilient_parsing=True) as root:
        parts += [f"## `{PROGRAM}`", *_tables(root)]
        for ctx in below(root):
            parts += [f"## `{ctx.command_path}`", *_command(ctx)]
    return "\n\n".join(parts) + "\n"


def below(root: Any) -> Iterator[Any]:
    """The contexts of the commands below a group, each group's own before its commands'."""
    for name in root.command.list_commands(root):
        command = root.command.get_command(root, name)
        with command.make_context(name, [], parent=root, resilient_parsing=True) as ctx:
            yield ctx
            if isinstance(command, TyperGroup):
                yield from below(ctx)


def config_page() -> str:
    """Where options come from, every variable and key, and the template."""
    lines = [
        "# Configuration",
        "",
        MADE,
        "",
        "An option's value is the first of these that there is:",
        "",
        "1. the flag;",
        "2. the environment variable `REMOVER_*`;",
        f"3. `{PROJECT_FILE}` in the folder where the command runs;",
        "4. `remover/config.toml` in `$XDG_CONFIG_HOME` (an absolute path, else `~/.config`);",
        "5. the default.",
        "",
        "`--config FILE` reads that file in place of the two, `--no-config` reads none. "
        "`--dry-run -v` shows each option's value and where it came from. An unknown key is an "
        "error. Where two sources ask for options that exclude each other (`crf` and `lossless`, "
        "`quiet` and `verbose`), the one higher in the list wins.",
        "",
        "A table `[object.2]` in a file sets `tracker` and `painter` for the object `#2` alone. It "
        "wins over what the whole run has, wherever that comes from, flags too; of two files with "
        "the same table, each key is taken from the first that has it. A table of an object that "
        "no prompt names is warned of.",
        "",
        "| key | variable | takes | default | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for item in all_options().values():
        default = "" if item.default is None else f"`{str(item.default).lower()}`"
        cells = (f"`{item.key}`", f"`{variable(item)}`", item.takes, default, item.help)
        lines.append(_table_line(cells))
    lines += [
        "",
        "In a variable, a switch is `1`, `true`, `yes` or `on`, or `0`, `false`, `no` or `off`; "
        "an empty variable is as if it were not set. Other variables that are read:",
        "",
        "| variable | meaning |",
        "| --- | --- |",
        "| `REMOVER_DEBUG` | Not empty: errors of every kind show their traceback. |",
        "| `NO_COLOR` | Not empty: no colour with `--color auto`. |",
        "| `FORCE_COLOR` | Not empty: colour with `--color auto`, also without a terminal. |",
        "| `TERM` | `dumb`: no colour and no bars with `auto`. |",
        "| `XDG_CONFIG_HOME` | The folder of the user's file, if it is an absolute path. |",
        "| `SVT_LOG` | Set to `1` (errors only) for the AV1 encoder unless it is set. |",
        "",
        f"`{PROGRAM} info --config-template` prints a file to begin with:",
        "",
        "```toml",
        template().rstrip(),
        "```",
    ]
    return "\n".join(lines) + "\n"


def exit_code_page() -> str:
    """Every exit code with its meaning."""
    owners = {cls.code: cls for cls in _subclasses(RemoverError) if cls is not Interrupted}
    lines = [
        "# Exit codes",
        "",
        MADE,
        "",
        "These are part of the stable interface. With `--json`, a failed run prints "
        '`{"schema": 1, "error": {"code", "name", "message", "hint"}}` on stdout and the text '
        "for people on stderr.",
        "",
        "| code | name | meaning |",
        "| --- | --- | --- |",
    ]
    for code in ExitCode:
        meaning = MEANINGS.get(code) or (inspect.getdoc(owners[code]) or "").partition("\n")[0]
        lines.append(_table_line((str(int(code)), code.name.lower(), meaning)))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the pages into the folder named by the first argument."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def _command(ctx: Any) -> list[str]:
    text = str(ctx.command.help).strip()
    examples = text.partition("Examples:\n")[2]
    block = [] if not examples else ["```bash\n" + inspect.cleandoc(examples) + "\n```"]
    return [summary(ctx.command), f"`{usage(ctx).removeprefix('Usage: ')}`", *block, *_tables(ctx)]


def _tables(ctx: Any) -> list[str]:
    parts = []
    described = rows(ctx)
    for panel in dict.fromkeys(row.panel for row in described):
        lines = [f"**{panel}**", "", "| flag | meaning |", "| --- | --- |"]
        for row in described:
            if row.panel == panel:
                flag = f"`{row.names} {row.value}`".replace(" `", "`")
                lines.append(_table_line((flag, row.text)))
        parts.append("\n".join(lines[2:] if panel == OTHER else lines))
    return parts


def _table_line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _subclasses(cls: type[RemoverError]) -> list[type[RemoverError]]:
    return [cls, *(below for sub in cls.__subclasses__() for below in _subclasses(sub))]


if __name__ == "__main__":
    main()
