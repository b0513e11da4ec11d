"""What every command that works on a video does before and after it calls the pipeline."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remover import prompts as parsers
from remover.cli.console import Console
from remover.config import quiet_libraries, settings
from remover.errors import ExitCode, Interrupted, UsageError
from remover.options import RANGES, CleanOptions, all_options
from remover.types import Prompt
from remover.version import __version__

if TYPE_CHECKING:
    from remover.report import Report

PROMPT_PARSERS: Mapping[str, Callable[[str], Prompt]] = {
    "box": parsers.parse_box,
    "click": parsers.parse_click,
    "avoid": parsers.parse_avoid,
    "mask": parsers.parse_mask,
}


@dataclass(frozen=True, slots=True)
class Request:
    """A command line, understood and checked as far as that goes without the video."""

    source: Path
    output: Path | None
    prompts: tuple[Prompt, ...]
    options: CleanOptions


def configure(console: Console, given: Mapping[str, Any]) -> tuple[CleanOptions, list[str]]:
    """Merge the flags with environment and files, and make ``console`` talk as they say.

    Args:
        console: Where to talk.
        given: A command function's arguments by name; None is not given.

    Returns:
        The options, and lines that say what each is and where it comes from.
    """
    flags = {name: given[name] for name in all_options() if given.get(name) is not None}
    count = flags.pop("verbose", 0)
    if count:  # a counting flag is 0 when it is not given
        flags["verbose"] = min(count, RANGES["verbose"][1])
    merged = settings(flags, config=given["config"], no_config=given["no_config"])
    console.configure(merged.display)
    return merged.clean, merged.lines()


def understand(console: Console, given: Mapping[str, Any]) -> Request:
    """Check a command line of ``clean`` or ``mask`` before anything heavy is loaded.

    Raises:
        UsageError: A value or a combination is wrong.
    """
    options, lines = configure(console, given)
    prompts = read_prompts(given)
    request = Request(given["source"], given["output"], prompts, options)
    for path, name in ((request.source, "INPUT"), (request.output, "--output")):
        if str(path) == "-":
            raise UsageError(
                f"`{name}` cannot be `-`: a pipe cannot be read twice, or checked once written",
                hint="name a file",
            )
    console.note(f"remover {__version__}: {request.source}")
    if console.display.verbose:
        for line in lines:
            console.note(f"  {line}")
    return request


def read_prompts(given: Mapping[str, Any]) -> tuple[Prompt, ...]:
    """The prompts of a command line, in the order boxes, clicks, avoided points, masks.

    Raises:
        UsageError: One is malformed, or there is nothing to remove.
    """
    found = tuple(
        parse(text) for kind, parse in PROMPT_PARSERS.items() for text in given[kind] or ()
    )
    if any(prompt.kind != "avoid" for prompt in found):
        return found
    raise UsageError(
        "only points to avoid were given" if found else "nothing was pointed at",
        hint="show the object with `--box x,y,w,h` or `--click x,y`, or pass `--mask FILE`",
    )


@contextlib.contextmanager
def running(console: Console) -> Iterator[None]:
    """Run the block with stdout kept for data; signals end it as ``Interrupted``."""
    _set_up_logs(console.display.verbose)
    try:
        with console.run():
            yield
    except KeyboardInterrupt:
        raise Interrupted(ExitCode.SIGINT) from None


def present(console: Console, report: "Report", *, as_data: bool = False) -> None:
    """Print a result: one JSON object on stdout with ``--json``, else lines for a person.

    Args:
        console: Where.
        report: What was done.
        as_data: Whether the lines are what was asked for, and so belong on stdout.
    """
    lines: Sequence[str] = report.summary()
    if console.display.json:
        console.data_json(report.to_json())
    elif as_data:
        console.data("".join(f"{line}\n" for line in lines))
    if as_data:
        return
    for line in lines[:-1]:
        console.note(line)
    console.done(lines[-1])


def _set_up_logs(verbose: int) -> None:
    import logging

    level = logging.DEBUG if verbose > 1 else logging.ERROR
    if verbose <= 1:
        quiet_libraries()
    logging.basicConfig(level=level, format="%(name)s: %(message)s")
