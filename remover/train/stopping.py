"""A request to stop, heard between two steps, so that what was learnt is saved first."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from remover.errors import ExitCode, Interrupted


class Request:
    """Whether somebody asked to stop.

    Attributes:
        number: The signal, or None.
    """

    def __init__(self) -> None:
        """Nobody did."""
        self.number: int | None = None

    def __bool__(self) -> bool:
        """Whether somebody did."""
        return self.number is not None

    @property
    def error(self) -> Interrupted:
        """How the run ends."""
        is_term = self.number == signal.SIGTERM
        return Interrupted(ExitCode.SIGTERM if is_term else ExitCode.SIGINT)


@contextlib.contextmanager
def requests() -> Iterator[Request]:
    """Hear SIGINT and SIGTERM for the block; a second one does what it did before.

    In other threads than the main one signals cannot be heard, and nothing changes.
    """
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}

    def hear(number: int, _frame: FrameType | None) -> None:
        request.number = number
        for known, handler in before.items():
            signal.signal(known, handler)

    for number in before:
        signal.signal(number, hear)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
