"""How fast a run learns, and how long it waits for data."""

import contextlib
import math
import time
from collections.abc import Iterator


class Clock:
    """Counts samples, losses and seconds from when it is made."""

    def __init__(self) -> None:
        """Begin now."""
        self._losses: list[float] = []
        self._samples, self._waited, self._began = 0, 0.0, time.monotonic()

    @contextlib.contextmanager
    def waits(self) -> Iterator[None]:
        """Count the block as waiting."""
        began = time.monotonic()
        yield
        self._waited += time.monotonic() - began

    def count(self, samples: int, loss: float) -> None:
        """A step was made."""
        self._samples += samples
        self._losses.append(loss)

    @property
    def rate(self) -> float:
        """Samples a second."""
        return self._samples / self._seconds

    @property
    def waiting(self) -> float:
        """Share of the time, 0 to 1."""
        return self._waited / self._seconds

    @property
    def loss(self) -> float:
        """Mean of the last tenth of the steps; NaN without any."""
        last = self._losses[-max(1, len(self._losses) // 10) :]
        return sum(last) / len(last) if last else math.nan

    @property
    def _seconds(self) -> float:
        return max(1e-9, time.monotonic() - self._began)
