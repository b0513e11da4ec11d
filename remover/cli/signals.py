"""What SIGINT and SIGTERM do to a run: it stops, cleans up, and tells how it ended."""

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

from remover.cli.console import say_stopping
from remover.errors import ExitCode


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Let signals stop the block in an orderly way, so that part files go.

    The first Ctrl-C raises ``KeyboardInterrupt``, the second leaves at once. SIGTERM raises
    ``SystemExit(143)``: unlike the default it runs every ``finally``, and unlike an ``Exception``
    nothing on the way takes it for a failure that it could work around.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say_stopping()
    raise KeyboardInterrupt


def _terminate(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say_stopping()
    raise SystemExit(ExitCode.SIGTERM)


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(ExitCode.SIGINT)
