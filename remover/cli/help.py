"""Help texts, laid out for 80 columns: sentence, examples, then the flags by group.

The documentation is made from the same rows.
"""

import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

from typer.core import TyperCommand, TyperGroup

from remover.cli.arguments import DISPLAY, INPUT, MASK, OUTPUT, QUALITY
from remover.errors import UsageError, nearest
from remover.options import all_options

WIDTH = 80
COLUMN = 26
"""Where the meaning begins; flags that reach further have it on the next line."""

OTHER = "Options"
PANELS = (INPUT, MASK, QUALITY, OUTPUT, DISPLAY)
FOOTER = "Each option is also a variable `REMOVER_*` and a key of `remover.toml`."


class Row(NamedTuple):
    """A flag or argument as help and documentation show it."""

    panel: str
    names: str
    value: str
    meaning: str
    notes: tuple[str, ...]

    @property
    def text(self) -> str:
        """Meaning and notes."""
        notes = f" ({', '.join(self.notes)})" if self.notes else ""
        return self.meaning.removesuffix(".") + notes + "." if notes else self.meaning


class Verb(TyperCommand):
    """A command with our help."""

    def get_help_option(self, ctx: Any) -> Any:
        """The help flag, in its group."""
        option: Any = super().get_help_option(ctx)
        if option is not None:
            option.rich_help_panel = DISPLAY
        return option

    def get_help(self, ctx: Any) -> str:
        """The help text."""
        return help_text(ctx)


class Verbs(TyperGroup):
    """The verbs, with our help and a suggestion for one that does not exist."""

    def get_help(self, ctx: Any) -> str:
        """The help text."""
        return help_text(ctx)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command named first.

        Raises:
            UsageError: There is none of that name.
        """
        name = args[0]
        if name.startswith("-") or self.get_command(ctx, name) is not None:
            return super().resolve_command(ctx, args)
        near = nearest(name, tuple(self.list_commands(ctx)))
        hint = f"did you mean `{ctx.command_path} {near}`?"
        if near is None:
            hint = f"`{ctx.command_path} --help` lists the commands"
            if "." in name:
                hint = f"the command comes first, as `{ctx.command_path} clean {name}`"
        raise UsageError(f"there is no command `{name}`", hint=hint)


def help_text(ctx: Any) -> str:
    """The help of the command in ``ctx``."""
    command = ctx.command
    described = rows(ctx)
    parts = [usage(ctx), (command.help or "").strip()]
    if isinstance(command, TyperGroup):
        verbs = [(name, summary(command.get_command(ctx, name))) for name in command.commands]
        parts.append(_section("Commands", verbs))
    for panel in dict.fromkeys((*PANELS, *(row.panel for row in described))):
        lines = [(f"{row.names} {row.value}".rstrip(), row.text) for row in described]
        chosen = [line for line, row in zip(lines, described, strict=True) if row.panel == panel]
        if chosen:
            parts.append(_section(panel, chosen))
    if any(row.panel == MASK for row in described):
        parts.append(FOOTER)
    return "\n\n".join(parts)


def usage(ctx: Any) -> str:
    """The line that shows how the command in ``ctx`` is written."""
    words = [ctx.command_path, "[OPTIONS]"]
    for parameter in ctx.command.params:
        if parameter.param_type_name == "argument":
            words.append(parameter.metavar if parameter.required else f"[{parameter.metavar}]")
    if isinstance(ctx.command, TyperGroup):
        words.append("COMMAND ...")
    return "Usage: " + " ".join(words)


def summary(command: Any) -> str:
    """The first line of a command's help."""
    return str(command.help or "").strip().partition("\n")[0]


def rows(ctx: Any) -> list[Row]:
    """The arguments and flags of the command in ``ctx``."""
    return [_row(parameter) for parameter in ctx.command.get_params(ctx) if not parameter.hidden]


def _row(parameter: Any) -> Row:
    is_argument = parameter.param_type_name == "argument"
    panel = parameter.rich_help_panel or (INPUT if is_argument else OTHER)
    if is_argument:
        return Row(panel, parameter.metavar, "", parameter.help or "", ())
    option = all_options().get(parameter.name)
    value = "" if parameter.is_flag or parameter.count else str(parameter.metavar or "")
    notes = ["repeatable"] if parameter.multiple else []
    if option is not None and value and option.default is not None:
        notes.append(f"default `{option.default}`")
    if parameter.required:
        notes.append("required")
    return Row(panel, _names(parameter), value, parameter.help or "", tuple(notes))


def _names(parameter: Any) -> str:
    """``-y, --[no-]overwrite``: short spellings first, both forms of a switch in one."""
    shorts = [name for name in parameter.opts if not name.startswith("--")]
    longs = [name for name in parameter.opts if name.startswith("--")]
    if parameter.secondary_opts:
        longs = [f"--[no-]{name.removeprefix('--')}" for name in longs]
    return ", ".join([*shorts, *longs])


def _section(title: str, entries: Sequence[tuple[str, str]]) -> str:
    lines = [f"{title}:"]
    for name, meaning in entries:
        wrapped = textwrap.wrap(meaning, WIDTH - COLUMN, break_on_hyphens=False) or [""]
        first = f"  {name}"
        if len(first) > COLUMN - 2:
            lines.append(first)
            first = ""
        lines.append(f"{first:<{COLUMN}}{wrapped[0]}".rstrip())
        lines += [" " * COLUMN + line for line in wrapped[1:]]
    return "\n".join(lines)
