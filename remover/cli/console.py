"""The only place that prints.

stdout carries the data that was asked for, stderr the talk. While a command runs, descriptor 1
points at stderr, so that no library can put a stray line into the data.
"""

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, cast

from remover.cli.progress import Bars, JsonLines, Lines, NoProgress, Stages
from remover.config import is_debugging, is_dumb_terminal, use_color
from remover.errors import ExitCode, Interrupted, OutputError, RemoverError
from remover.options import DisplayOptions
from remover.progress import Unit
from remover.version import __version__

SCHEMA = 1

_STYLES = {"error": "1;31", "hint": "36", "warning": "33", "good": "32"}


class Console:
    """Where a command talks, and where it puts its data."""

    def __init__(self, *, json_wanted: bool = False) -> None:
        """Use the defaults until the options are known.

        Args:
            json_wanted: Whether ``--json`` was typed, for errors before the options are known.
        """
        self.display = DisplayOptions(json=json_wanted)
        self._stages: Stages = NoProgress()
        self._stdout: int | None = None

    def configure(self, display: DisplayOptions) -> None:
        """Talk as ``display`` says from now on."""
        self.display = display

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """Keep stdout for data, show progress, and end both with the block.

        Descriptor 1 stays on stderr afterwards: what C code has in its own buffers is written
        when the process ends, and must not reach stdout then either.
        """
        self._take_stdout()
        self._stages = self._choose_stages()
        try:
            yield
        finally:
            self._stages.close()
            self._stages = NoProgress()

    def data(self, text: str) -> None:
        """Write to stdout; quietly not, where nobody reads it any more.

        Raises:
            OutputError: It does not take it, as where it is a file on a full disk.
        """
        payload = text.encode("utf-8", "surrogateescape")
        try:
            if self._stdout is None and sys.stdout is not None:
                sys.stdout.flush()
                sys.stdout.buffer.write(payload)
                sys.stdout.flush()
            while self._stdout is not None and payload:
                payload = payload[os.write(self._stdout, payload) :]
        except BrokenPipeError:
            close_stdout()
        except OSError as error:
            close_stdout()
            raise OutputError(
                f"the standard output cannot be written: {(error.strerror or 'refused').lower()}",
                hint="free some space, or send it elsewhere",
            ) from error

    def data_stream(self) -> BinaryIO:
        """The real stdout for bytes, unbuffered; only inside ``run``."""
        assert self._stdout is not None
        return cast(BinaryIO, open(self._stdout, "wb", buffering=0, closefd=False))

    @staticmethod
    def input_stream() -> BinaryIO:
        """Stdin for bytes."""
        return cast(BinaryIO, open(0, "rb", closefd=False))

    @staticmethod
    def is_terminal(number: int) -> bool:
        """Whether descriptor ``number`` (0 stdin, 1 stdout) is a terminal."""
        return os.isatty(number)

    def ask(self, question: str) -> str | None:
        """What a person at a terminal types in answer, or None where nobody sits at one."""
        if not (self.is_terminal(0) and _is_terminal()):
            return None
        self._write(question)
        return sys.stdin.readline().strip()

    def data_json(self, value: Mapping[str, Any]) -> None:
        """Write one object to stdout."""
        self.data(json.dumps(value, default=str) + "\n")

    def start(self, stage: str, total: int | None, unit: Unit = "frames") -> None:
        """Begin a stage of ``total`` frames, or bytes."""
        self._stages.start(stage, total, unit)

    def advance(self, frames: int = 1) -> None:
        """Count ``frames`` more of the stage as done."""
        self._stages.advance(frames)

    def skip(self, frames: int = 1) -> None:
        """Count ``frames`` more of the stage as done before this run."""
        self._stages.skip(frames)

    def tell(self, detail: str) -> None:
        """Show a few words beside the running stage."""
        self._stages.tell(detail)

    def note(self, message: str) -> None:
        """Say something worth knowing, unless quiet."""
        if not self.display.quiet:
            self._talk("note", message, message)

    def warn(self, message: str) -> None:
        """Say something that the user should act upon."""
        self._talk("warning", message, f"{self._styled('warning')} {message}")

    def done(self, message: str) -> None:
        """Say what was written, unless quiet."""
        if not self.display.quiet:
            self._talk("done", message, self._styled("good", message))

    def error(self, error: RemoverError) -> None:
        """Say what is wrong and what to do about it; on stdout too with ``--json``."""
        code = error.exit_code if isinstance(error, Interrupted) else error.code
        if is_debugging():
            self._write("".join(traceback.format_exception(error)))
        if not isinstance(error, Interrupted):  # it was said when the signal came
            lines = [f"{self._styled('error')} {error.message}"]
            lines += [f"  {cause}" for cause in _causes(error)]
            if error.hint:
                lines += ["", f"{self._styled('hint')} {error.hint}"]
            self._write("\n".join(lines) + "\n")
        self._error_json(code, error.message, error.hint)

    def bug(self, error: BaseException) -> None:
        """Say that the program is wrong, with all that a report needs."""
        message = f"unexpected {type(error).__name__}: {error}".rstrip(": ")
        hint = "this is a bug in remover; please report it with all of the text above"
        self._write(
            "".join(traceback.format_exception(error))
            + f"{_versions()}\n\n{self._styled('error')} {message}\n\n"
            + f"{self._styled('hint')} {hint}\n"
        )
        self._error_json(ExitCode.INTERNAL, message, hint)

    def _error_json(self, code: ExitCode, message: str, hint: str | None) -> None:
        if self.display.json:
            body = {
                "code": int(code),
                "name": code.name.lower(),
                "message": message,
                "hint": hint,
            }
            with contextlib.suppress(OutputError):  # the text on stderr has to do
                self.data_json({"schema": SCHEMA, "error": body})

    def _talk(self, event: str, message: str, text: str) -> None:
        if self.display.progress == "json":
            text = json.dumps({"event": event, "message": message})
        self._write(text + "\n")

    def _write(self, text: str) -> None:
        if sys.stderr is None:
            return
        with contextlib.suppress(OSError, ValueError):  # nobody listening must not stop a run
            sys.stderr.write(text)
            sys.stderr.flush()

    def _styled(self, style: str, text: str | None = None) -> str:
        text = f"{style}:" if text is None else text
        if use_color(self.display.color, is_terminal=_is_terminal()):
            return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"
        return text

    def _choose_stages(self) -> Stages:
        kind = self.display.progress
        if kind == "auto":
            talks = not self.display.verbose and _is_terminal() and not is_dumb_terminal()
            kind = "none" if self.display.quiet else "rich" if talks else "plain"
        if kind == "rich":
            return Bars(color=use_color(self.display.color, is_terminal=_is_terminal()))
        if kind == "plain":
            return Lines(self._write)
        return JsonLines(self._write) if kind == "json" else NoProgress()

    def _take_stdout(self) -> None:
        if self._stdout is None:
            if sys.stdout is not None:
                sys.stdout.flush()
            self._stdout = os.dup(1)
            os.dup2(2, 1)


def open_closed_streams() -> None:
    """Open what the caller closed of stdin, stdout and stderr, as nothing.

    The next file to be opened would take the free number, and what is written to stdout or
    stderr would end up inside the video.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def close_stdout() -> None:
    """Point stdout at nothing, so that what is still buffered raises no error at the end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


def say_stopping() -> None:
    """Tell at once that a signal was seen; safe inside a signal handler."""
    with contextlib.suppress(OSError):
        os.write(2, b"\nstopping...\n" if os.isatty(2) else b"stopping...\n")


def _is_terminal() -> bool:
    return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()


def _causes(error: BaseException) -> list[str]:
    found: list[str] = []
    cause, seen = error.__cause__, {id(error)}
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        found += [line for line in str(cause).splitlines() if line.strip()][:1]
        cause = cause.__cause__
    return found


def _versions() -> str:
    import platform
    from importlib import metadata

    found = [f"remover {__version__}", f"Python {platform.python_version()}", platform.platform()]
    for package in ("torch", "numpy", "av", "opencv-python-headless", "typer"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{package} {metadata.version(package)}")
    return ", ".join(found)
