"""Unsure spans of a way through a shot, which are tracked once more from their other side.

::

    sure ... sure ? ? ? ? ? ? ? sure sure sure ...
                  <--------------|
                   what is kept: the way there up to a join, the way back after it

An object that comes out of the dark is often known better by what it looks like afterwards than by
what it looked like before. Frames wait here, as bits, until nothing can change them any more; a
span is bounded, so what waits is bounded too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from remover.types import Mask, Size

LONGEST = 48
"""Frames of a span that are tracked again at most: the last ones, which are nearest to where the
object is sure again."""

CERTAIN = 3
"""Sure frames in a row that end a span; a prompted one ends it at once."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found of one object on one frame, small enough to wait."""

    bits: npt.NDArray[np.uint8] | None = field(repr=False)
    """The packed mask; None where nothing is masked."""
    confidence: float
    """0 to 1; 0 where it is lost."""
    is_lost: bool = False

    def mask(self, size: Size) -> Mask:
        """The mask (H, W)."""
        if self.bits is None:
            return np.zeros(size, np.bool_)
        bits = np.unpackbits(self.bits, count=size.height * size.width)
        return bits.reshape(size).astype(np.bool_)


def packed(mask: Mask) -> npt.NDArray[np.uint8] | None:
    """The bits of a mask (H, W); None if it is empty."""
    return np.packbits(mask) if mask.any() else None


@dataclass(slots=True)
class Span:
    """Frames of one object from its first unsure one on, in the order of travel."""

    unsure: list[int] = field(default_factory=list)
    """To the last unsure one; sure ones may lie between."""
    sure: list[int] = field(default_factory=list)
    """The sure ones since."""
    is_over: bool = False

    def add(self, frame: int, *, is_sure: bool, is_prompted: bool) -> None:
        """Go on by one frame."""
        if not is_sure and not is_prompted:
            self.unsure = [*self.unsure, *self.sure, frame][-LONGEST:]
            self.sure = []
        elif self.unsure:
            self.sure.append(frame)
            self.is_over = is_prompted or len(self.sure) >= CERTAIN


class Waiting:
    """What one way through a shot has found and not written yet, frame by frame."""

    def __init__(self, threshold: float) -> None:
        """Begin with nothing; looks below ``threshold`` are unsure."""
        self._threshold = threshold
        self._looks: dict[int, dict[int, Look]] = {}
        self._spans: dict[int, Span] = {}

    def __len__(self) -> int:
        """Number of frames that wait."""
        return len(self._looks)

    def add(self, frame: int, number: int, look: Look, *, is_prompted: bool) -> None:
        """Take what was found of an object on the next frame, or on the same as another's."""
        self._looks.setdefault(frame, {})[number] = look
        is_sure = look.confidence >= self._threshold
        self._spans.setdefault(number, Span()).add(frame, is_sure=is_sure, is_prompted=is_prompted)

    def over(self) -> dict[int, Span]:
        """The spans that have just ended, by object; they are forgotten."""
        found = {number: span for number, span in self._spans.items() if span.is_over}
        for number in found:
            del self._spans[number]
        return found

    def look(self, frame: int, number: int) -> Look:
        """What waits of an object on a frame."""
        return self._looks[frame][number]

    def replace(self, number: int, looks: Mapping[int, Look]) -> None:
        """Put other looks, by frame, in place of what waits."""
        for frame, look in looks.items():
            self._looks[frame][number] = look

    def settled(self, *, all_of_them: bool = False) -> Iterator[tuple[int, Mapping[int, Look]]]:
        """Give up the frames that no open span holds, in the order of travel."""
        held = set()
        if not all_of_them:
            held = {span.unsure[0] for span in self._spans.values() if span.unsure}
        for frame in list(self._looks):
            if frame in held:
                return
            yield frame, self._looks.pop(frame)


def join(there: Sequence[float], back: Sequence[float]) -> int:
    """Up to where the way there is kept, so that confidence is the largest; after it the way back.

    One join, since a mask that jumps between two ways flickers.

    Args:
        there: Confidence of each frame of a span.
        back: The same on the way back, in the same order.

    Returns:
        0 (all of the way back) to the length (none of it); the largest of equally good ones.
    """
    gain = np.cumsum([0.0, *(np.subtract(there, back))])
    return len(there) - int(np.argmax(gain[::-1]))


def spoken(frames: Sequence[int]) -> str:
    """Frame numbers as people say them: ``3 to 5, 9``."""
    runs: list[list[int]] = []
    for frame in sorted(frames):
        if runs and frame == runs[-1][-1] + 1:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return ", ".join(f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
