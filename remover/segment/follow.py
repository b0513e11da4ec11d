"""Objects through shots with SAM 2: from prompted frames to every frame, both ways in time.

::

    frame    0 ........ K1 ........ K2 ........ K3 ........ end
             <--- B ---- | ------------- A ----------------->

K1 is the first frame that says enough to start; every prompted frame is a conditioning frame, so
that A and B know all of them from the beginning. Points that mend a mask need it first: frames
with nothing but such points are tracked to once before A and B, and conditioned on then.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from remover.progress import Progress
from remover.segment.bank import Bank, Found, to_mask
from remover.segment.hints import Hints, nothing_found, start_frame
from remover.segment.judgement import Judgement
from remover.segment.sam2 import Network
from remover.segment.store import MaskStore, add
from remover.types import Mask, Pictures, Shot

BORDER = 0.01
"""Width of the rim that counts as the border of the picture, as a share of its longer side."""

Prompted = Mapping[int, Hints]
"""One object's hints by frame of the video, in pixels of the video; at least one."""


@dataclass(frozen=True, slots=True)
class Task:
    """One shot with the objects that are pointed at in it."""

    shot: Shot
    objects: Mapping[int, Prompted]
    """By object id; at least one."""

    def starts(self) -> dict[int, int]:
        """For each object the first frame that says enough.

        Raises:
            InputError: An object has only points to avoid.
        """
        return {number: start_frame(number, hints) for number, hints in self.objects.items()}


def follow(
    network: Network,
    pictures: Pictures,
    tasks: Sequence[Task],
    store: MaskStore,
    judgement: Judgement,
    progress: Progress,
) -> None:
    """Write the masks of every object on every frame of its shot into ``store``.

    Args:
        network: SAM 2.
        pictures: The video.
        tasks: Shots and what is pointed at in them.
        store: Where the label maps go; what it holds stays.
        judgement: Takes how sure the network is of each frame, and where objects are lost; tasks
            that it counts as done are passed over. It is saved with the store after each.
        progress: Where to say how far it is.

    Raises:
        InputError: Nothing is found where the user pointed, or an object has only points to avoid.
    """
    progress.start("tracking", sum(num_pictures(task) for task in tasks))
    for task in tasks:
        if judgement.passes_over():
            progress.skip(num_pictures(task))
            continue
        _ShotRun(network, pictures, task, store, judgement, progress).run()
        judgement.finish(store)


class _ShotRun:
    """All objects of one shot, side by side, since they share the look at each picture."""

    def __init__(
        self,
        network: Network,
        pictures: Pictures,
        task: Task,
        store: MaskStore,
        judgement: Judgement,
        progress: Progress,
    ) -> None:
        self._task = task
        self._shot = task.shot
        self._starts = task.starts()
        self._bank = Bank(network, pictures, task.shot)
        self._store = store
        self._judgement = judgement
        self._progress = progress
        self._at_border: dict[int, bool] = {}

    def run(self) -> None:
        """Prompt, mend, then track both ways and write.

        Raises:
            InputError: Nothing is found where the user pointed.
        """
        for frame in sorted({f for hints in self._task.objects.values() for f in hints}):
            for number, hints in self._task.objects.items():
                if frame in hints and not _is_mending(frame, hints, self._starts[number]):
                    self._prompt(number, frame)
        for backward in (False, True):
            self._mend(backward=backward)
        first, last = min(self._starts.values()), max(self._starts.values())
        self._sweep(range(first, self._shot.stop))
        self._sweep(range(last - 1, self._shot.start - 1, -1), backward=True)

    def _prompt(self, number: int, frame: int) -> None:
        hints = self._task.objects[number][frame]
        found = self._bank.prompt(number, frame - self._shot.start, hints)
        if hints.can_start and not self._mask(found).any():
            raise nothing_found(number, frame)

    def _mend(self, *, backward: bool) -> None:
        """Track to the frames whose points mend, and condition on what is mended there."""
        for frame, numbers in _rehearsal(self._task, self._starts, backward=backward):
            for number in numbers:
                self._bank.step(number, frame - self._shot.start, backward=backward)
                hints = self._task.objects[number]
                if frame in hints and _is_mending(frame, hints, self._starts[number]):
                    self._prompt(number, frame)
            self._progress.advance()
        self._bank.forget_tracked()

    def _sweep(self, frames: range, *, backward: bool = False) -> None:
        """Track every object from its first prompted frame on in one direction, and write."""
        for frame in frames:
            for number, start in self._starts.items():
                if (frame < start) if backward else (frame >= start):
                    self._emit(number, frame, backward=backward)
            self._progress.advance()

    def _emit(self, number: int, frame: int, *, backward: bool) -> None:
        found = self._bank.step(number, frame - self._shot.start, backward=backward)
        mask = self._mask(found)
        is_prompted = frame in self._task.objects[number]
        if frame == self._starts[number] - 1:
            # Turned round: the border that counts is the one near the first prompted frame.
            start = self._bank.step(number, frame + 1 - self._shot.start)
            self._at_border[number] = _touches_border(self._mask(start))
        is_gone = not mask.any()
        if not is_gone:
            self._at_border[number] = _touches_border(mask)
            add(self._store, frame, mask, number)
        is_lost = is_gone and not is_prompted and not self._at_border.get(number, False)
        judged = self._judgement
        judged.confidence[frame] = min(
            judged.confidence[frame], 0.0 if is_lost else confidence(found)
        )
        judged.is_lost[frame] |= is_lost

    def _mask(self, found: Found) -> Mask:
        if found.score <= 0:
            return np.zeros(self._store.size, np.bool_)
        return to_mask(found.logits, self._store.size)


def confidence(found: Found) -> float:
    """How sure the network is of what it found, 0 to 1.

    Of a mask that is its own estimate of the overlap with the truth, which is not calibrated on
    our material; of an object that is out of sight the probability of that.
    """
    if found.score <= 0:
        return float(1 / (1 + np.exp(found.score)))
    return found.iou


def _is_mending(frame: int, hints: Prompted, start: int) -> bool:
    """Whether a prompted frame holds only points, which mend what tracking brings there."""
    return frame != start and not hints[frame].starts_anew


def _rehearsal(
    task: Task, starts: Mapping[int, int], *, backward: bool
) -> Iterator[tuple[int, list[int]]]:
    """What is tracked to reach the points that mend: frames, and the objects on each."""
    ends: dict[int, int] = {}
    for number, hints in task.objects.items():
        start = starts[number]
        mended = [
            frame
            for frame in hints
            if _is_mending(frame, hints, start) and (frame < start) == backward
        ]
        if mended:
            ends[number] = min(mended) if backward else max(mended)
    if not ends:
        return
    if backward:
        frames = range(max(starts[n] for n in ends) - 1, min(ends.values()) - 1, -1)
    else:
        frames = range(min(starts[n] for n in ends) + 1, max(ends.values()) + 1)
    for frame in frames:
        passed = [
            n
            for n, end in ends.items()
            if (end <= frame < starts[n] if backward else starts[n] < frame <= end)
        ]
        yield frame, passed


def num_pictures(task: Task) -> int:
    """How many pictures are looked at in a shot."""
    starts = task.starts()
    first, last = min(starts.values()), max(starts.values())
    mending = sum(
        1 for backward in (False, True) for _ in _rehearsal(task, starts, backward=backward)
    )
    return task.shot.stop - first + last - task.shot.start + mending


def _touches_border(mask: Mask) -> bool:
    rim = max(1, round(BORDER * max(mask.shape)))
    edges = (mask[:rim], mask[-rim:], mask[:, :rim], mask[:, -rim:])
    return any(bool(edge.any()) for edge in edges)
