"""Objects through shots with SAM 2: from prompted frames to every frame, both ways in time.

::

    frame    0 ........ K1 ........ K2 ........ K3 ........ end
             <--- B ---- | ------------- A ----------------->

K1 is the first frame that says enough to start; every prompted frame is a conditioning frame, so
that A and B know all of them from the beginning. Points that mend a mask need it first: frames
with nothing but such points are tracked to once before A and B, and conditioned on then. Where A or
B was unsure, it comes back once from where it is sure again (``again.py``).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from remover.progress import Progress
from remover.segment.again import Look, Span, Waiting, join, packed, spoken
from remover.segment.bank import Bank, Found, to_mask, to_soft
from remover.segment.choose import UPSTREAM, Style
from remover.segment.hints import Hints, nothing_found, start_frame
from remover.segment.judgement import UNSURE, Judgement
from remover.segment.refine import enlarge
from remover.segment.sam2 import Network
from remover.segment.store import MaskStore, add
from remover.segment.walk import work_size
from remover.segment.widen import doubtful, with_clicks
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
    style: Style = UPSTREAM,
    *,
    grow: bool = True,
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
        style: How the network is driven.
        grow: Whether masks are widened where the network is unsure; if not, they stay as tracked.

    Raises:
        InputError: Nothing is found where the user pointed, or an object has only points to avoid.
    """
    progress.start("tracking", sum(num_pictures(task) for task in tasks))
    for task in tasks:
        if judgement.passes_over():
            progress.skip(num_pictures(task))
            continue
        _ShotRun(network, pictures, task, store, judgement, progress, style, grow=grow).run()
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
        style: Style,
        *,
        grow: bool,
    ) -> None:
        self._task = task
        self._shot = task.shot
        self._starts = task.starts()
        self._bank = Bank(network, pictures, task.shot, style)
        self._store = store
        self._judgement = judgement
        self._progress = progress
        self._grow = grow
        self._borders: dict[int, Border] = {}
        self._again: dict[int, list[int]] = {}
        self._better: dict[int, int] = {}

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
        self._judgement.notes.extend(self._notes())

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
        waiting = Waiting(UNSURE)
        for frame in frames:
            for number, start in self._starts.items():
                if (frame < start) if backward else (frame >= start):
                    look = self._look(number, frame, backward=backward)
                    is_prompted = frame in self._task.objects[number]
                    waiting.add(frame, number, look, is_prompted=is_prompted)
            for number, span in waiting.over().items():
                self._track_again(waiting, number, span, backward=not backward)
            self._write(waiting.settled())
            self._progress.advance()
        self._write(waiting.settled(all_of_them=True))

    def _look(self, number: int, frame: int, *, backward: bool) -> Look:
        found = self._bank.step(number, frame - self._shot.start, backward=backward)
        if frame == self._starts[number] - 1:
            # Turned round: the border that counts is the one near the first prompted frame.
            start = self._bank.step(number, frame + 1 - self._shot.start)
            self._borders[number] = Border(self._mask(start))
        border = self._borders.setdefault(number, Border())
        hints = self._task.objects[number].get(frame)
        mask = self._mask(found)
        look = border.judged(found, mask, is_prompted=hints is not None)
        if hints is None:
            return self._widened(look, found)
        return replace(look, bits=packed(with_clicks(mask, hints, self._store.size)))

    def _widened(self, look: Look, found: Found) -> Look:
        """What is written of a frame that nobody pointed at."""
        if look.bits is None or not self._grow:
            return look
        more = doubtful(to_soft(found.logits, work_size(self._store.size)))
        size = self._store.size
        return replace(look, bits=packed(look.mask(size) | enlarge(more.astype(np.float32), size)))

    def _track_again(self, waiting: Waiting, number: int, span: Span, *, backward: bool) -> None:
        """Track an object through an unsure span from its other side; the better part is kept."""
        shift = self._shot.start
        frames = span.unsure[::-1]
        border = Border(waiting.look(span.sure[0], number).mask(self._store.size))
        back = [
            self._widened(border.judged(found, self._mask(found), is_prompted=False), found)
            for found in self._bank.again(
                number,
                [frame - shift for frame in frames],
                [frame - shift for frame in reversed(span.sure)],
                backward=backward,
            )
        ][::-1]
        there = [waiting.look(frame, number).confidence for frame in span.unsure]
        place = join(there, [look.confidence for look in back])
        waiting.replace(number, dict(zip(span.unsure[place:], back[place:], strict=True)))
        self._again.setdefault(number, []).extend(span.unsure)
        self._better[number] = self._better.get(number, 0) + len(back) - place

    def _write(self, looks: Iterable[tuple[int, Mapping[int, Look]]]) -> None:
        judged = self._judgement
        for frame, by_object in looks:
            for number, look in by_object.items():
                if look.bits is not None:
                    add(self._store, frame, look.mask(self._store.size), number)
                judged.confidence[frame] = min(judged.confidence[frame], look.confidence)
                judged.is_lost[frame] |= look.is_lost

    def _notes(self) -> Iterator[str]:
        """Which frames were tracked twice, and what came of it."""
        for number, frames in sorted(self._again.items()):
            yield (
                f"object {number} was unsure on frames {spoken(frames)} and tracked there again, "
                f"from the other side: {self._better[number]} of {len(frames)} masks are from that"
            )

    def _mask(self, found: Found) -> Mask:
        if found.score <= 0:
            return np.zeros(self._store.size, np.bool_)
        return to_mask(found.logits, self._store.size)


class Border:
    """Tells an object that has left the picture from one that is lost, on one way."""

    def __init__(self, mask: Mask | None = None) -> None:
        """Begin beside a frame with ``mask`` (H, W); None is one without the object."""
        self._is_near = mask is not None and _touches_border(mask)

    def judged(self, found: Found, mask: Mask, *, is_prompted: bool) -> Look:
        """What the next frame on the way says, whose mask is ``mask`` (H, W)."""
        bits = packed(mask)
        if bits is not None:
            self._is_near = _touches_border(mask)
        is_lost = bits is None and not is_prompted and not self._is_near
        return Look(bits, 0.0 if is_lost else confidence(found), is_lost)


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
