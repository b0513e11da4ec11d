"""What every command that works on a video does before and after it calls the pipeline."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from remover import prompts as parsers
from remover.choices import RANGES
from remover.cli.console import Console
from remover.config import quiet_libraries, settings
from remover.errors import ExitCode, Interrupted, UsageError
from remover.options import CleanOptions, all_options
from remover.types import Prompt
from remover.version import __version__

if TYPE_CHECKING:
    from remover.report import Report

PIPE = "-"
"""How the standard input or output is written on the command line."""

PROMPT_PARSERS: Mapping[str, Callable[[str], Prompt]] = {
    "box": parsers.parse_box,
    "click": parsers.parse_click,
    "avoid": parsers.parse_avoid,
    "mask": parsers.parse_mask,
    "keep": parsers.parse_keep,
    "plate": parsers.parse_plate,
    "no_source": parsers.parse_no_source,
}
"""What reads the texts of each argument of a command."""


@dataclass(frozen=True, slots=True)
class Request:
    """A command line, understood and checked as far as that goes without the video."""

    source: Path
    output: Path | None
    prompts: tuple[Prompt, ...]
    options: CleanOptions

    @property
    def is_piped_in(self) -> bool:
        """Whether the video comes from the standard input."""
        return str(self.source) == PIPE

    @property
    def is_piped_out(self) -> bool:
        """Whether it goes to the standard output."""
        return str(self.output) == PIPE


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
    _check_pipes(console, request, writes=not (given.get("dry_run") or given.get("preview")))
    console.note(f"remover {__version__}: {request.source}")
    if console.display.verbose:
        for line in lines:
            console.note(f"  {line}")
    return request


def _check_pipes(console: Console, request: Request, *, writes: bool) -> None:
    """Refuse what cannot come from stdin or go to stdout."""
    if request.is_piped_in:
        refuse_terminal(console, "clean - --box ... -o out.mkv")
    if request.is_piped_in and request.output is None and writes:
        raise UsageError(
            "`INPUT` is `-`, so no name for the output follows from it",
            hint="pass `-o FILE`, or `-o -` for the standard output",
        )
    if not request.is_piped_out or not writes:
        return
    if console.display.json:
        raise UsageError(
            "`--json` and `-o -` exclude each other: both write to the standard output",
            hint="write the video to a file, or leave out `--json`",
        )
    if console.is_terminal(1):
        raise UsageError(
            "`--output` is `-`, but the standard output is a terminal",
            hint="pipe it into a program, as `... -o - | ffprobe -`, or name a file",
        )


def refuse_pipes(given: Mapping[str, Any], sides: Sequence[str]) -> None:
    """Refuse ``-`` as the name of a file beside the output.

    Raises:
        UsageError: One is.
    """
    for kind in sides:
        if str(given[kind]) == PIPE:
            raise UsageError(
                f"`--{kind.replace('_', '-')} -` cannot go through a pipe: only the output can",
                hint="name a file",
            )


def refuse_terminal(console: Console, example: str) -> None:
    """Refuse to read a video that somebody would have to type.

    Args:
        console: Where the standard input is.
        example: The arguments of a command that reads a pipe, for the hint.

    Raises:
        UsageError: The standard input is a terminal.
    """
    if console.is_terminal(0):
        raise UsageError(
            "`INPUT` is `-`, but the standard input is a terminal",
            hint=f"pipe a video in, as `cat clip.mkv | remover {example}`",
        )


@contextlib.contextmanager
def spooled(console: Console) -> Iterator[Path]:
    """A private file with what the standard input gives, removed when the block ends.

    Raises:
        InputError: Nothing comes in.
        OutputError: There is no room for the copy.
    """
    from remover import files, spool

    with files.work_folder() as folder:
        yield spool.spooled(console.input_stream(), folder)


@contextlib.contextmanager
def connected(console: Console, request: Request) -> Iterator[tuple[Path, Any]]:
    """The source and the output for the pipeline, with what ``-`` stands for put in.

    The standard input is copied to a private file first, since it is read more than once; the
    file is removed when the block ends. Runs inside ``running``, which guards the standard output.

    Raises:
        InputError: Nothing comes in.
        OutputError: There is no room for the copy.
    """
    output: Any = request.output
    if request.is_piped_out:
        from remover.video import Pipe

        output = Pipe(console.data_stream())
    if not request.is_piped_in:
        yield request.source, output
        return
    with spooled(console) as copy:
        yield copy, output


def read_prompts(given: Mapping[str, Any]) -> tuple[Prompt, ...]:
    """The prompts of a command line, in the order of ``PROMPT_PARSERS``.

    Raises:
        UsageError: One is malformed, or there is nothing to remove.
    """
    found = tuple(
        parse(text) for kind, parse in PROMPT_PARSERS.items() for text in given.get(kind) or ()
    )
    if any(prompt.is_target for prompt in found):
        return found
    raise UsageError(
        "only points to avoid were given"
        if any(prompt.kind == "avoid" for prompt in found)
        else "nothing was pointed at",
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


def as_typed(request: Request, report: "Report") -> "Report":
    """``report`` with ``-`` as its input where that was typed, not the copy that was read."""
    return replace(report, input=request.source) if request.is_piped_in else report


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
