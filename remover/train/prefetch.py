"""Reading ahead in a thread, with a bounded number of things waiting."""

import queue
import threading
import time
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")

_PATIENCE_S = 0.1
"""How often a thread that waits for room looks whether it is still wanted."""


class Prefetched(Generic[T], Iterator[T]):
    """The items of an iterator, which a thread goes through ahead of whoever asks.

    Errors in it are raised where the item would have been. The thread ends when all is read, at
    ``close``, and when nobody holds this any more.
    """

    def __init__(self, items: Iterator[T], ahead: int) -> None:
        """Begin to read.

        Args:
            items: What to go through; only the thread touches it.
            ahead: How many items wait at most.
        """
        self.waited = 0.0
        """Seconds that were spent waiting for items."""
        self._queue: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(ahead)
        self._closed = threading.Event()
        self._thread = threading.Thread(
            target=_fill, args=(items, self._queue, self._closed), name="prefetch", daemon=True
        )
        self._finalizer = weakref.finalize(self, self._closed.set)
        self._thread.start()

    def __iter__(self) -> Self:
        """Itself."""
        return self

    def __next__(self) -> T:
        """The next item.

        Raises:
            StopIteration: There is none, or it was closed.
            BaseException: What reading it raised.
        """
        if self._closed.is_set():
            raise StopIteration
        begin = time.perf_counter()
        item, error = self._queue.get()
        self.waited += time.perf_counter() - begin
        if error is None:
            return item  # type: ignore[return-value]
        self.close()
        raise error

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """End the thread, and wait until it has ended."""
        self._closed.set()
        self._thread.join()


def _fill(
    items: Iterator[T],
    found: "queue.Queue[tuple[T | None, BaseException | None]]",
    closed: threading.Event,
) -> None:
    last: BaseException = StopIteration()
    try:
        for item in items:
            if not _put(found, (item, None), closed):
                break
    except BaseException as error:
        last = error
    finally:
        close = getattr(items, "close", None)
        if close is not None:
            close()
    _put(found, (None, last), closed)


def _put(
    found: "queue.Queue[tuple[T | None, BaseException | None]]",
    entry: tuple[T | None, BaseException | None],
    closed: threading.Event,
) -> bool:
    """Whether there was room before it was closed."""
    while not closed.is_set():
        try:
            found.put(entry, timeout=_PATIENCE_S)
        except queue.Full:
            continue
        return True
    return False
