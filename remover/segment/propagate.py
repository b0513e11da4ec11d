"""One object's masks over one shot: from its prompted frames to every frame, both ways in time.

::

    frame      0 ........ K1 ........ K2 ........ K3 ........ end
                  <-- A --|--- B -->  |--- B -->  |--- B -->
                          | <-- C --- | <-- C --- |

K1 is the first frame that says enough to start; A and B leave from it. On its way B meets the
other prompted frames, which mend what it brings there. C comes back from the last one, and
between prompted frames the two ways are blended. (Prompts before K1 are met by A and mirrored.)
Soft masks wait on disk for the end of all ways; then they go through the shot once more, forwards,
and are made ready for a removal.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import cv2
import numpy as np

from remover.progress import Progress
from remover.segment.appearance import Float
from remover.segment.features import one_thread
from remover.segment.first import find
from remover.segment.hints import Hints, nothing_found, start_frame
from remover.segment.holes import between, gaps, is_leaving
from remover.segment.judgement import Judgement
from remover.segment.motion import half, with_flow
from remover.segment.refine import enlarge
from remover.segment.still import Around, near
from remover.segment.store import MaskStore, add
from remover.segment.tracker import Step, Tracker
from remover.segment.walk import Small, read_one, walk, work_size
from remover.segment.widen import steadied, widened, with_clicks, with_motion
from remover.types import Mask, Pictures, Shot

MENDED_TRUST = 0.9
"""Overlap with the truth to expect of a tracked mask that points have mended."""

FADE, LEAST_FADE = 0.003, 0.8
"""Confidence lost for each frame from the last prompted one, and what is left at least."""


class ShotTrack:
    """Tracks one object through one shot into a store."""

    def __init__(
        self,
        pictures: Pictures,
        shot: Shot,
        object_id: int,
        prompts: Mapping[int, Hints],
        store: MaskStore,
        judgement: Judgement,
        progress: Progress,
        *,
        grow: bool = True,
    ) -> None:
        """Take what is needed.

        Args:
            pictures: The video.
            shot: Where to track.
            object_id: The object.
            prompts: Hints by frame of the shot, at least one.
            store: Where the masks go.
            judgement: Takes how sure they are.
            progress: Is told of every step.
            grow: Whether masks are made ready for a removal; if not, they stay as tracked.
        """
        self._pictures = pictures
        self._shot = shot
        self._object_id = object_id
        self._prompts = prompts
        self._store = store
        self._judgement = judgement
        self._progress = progress
        self._grow = grow
        self._size = work_size(pictures.size)
        self._masks: dict[int, Mask] = {}
        self._trust: dict[int, float] = {}
        self._one_way: dict[int, Step] = {}
        self._seen: set[int] = set()

    def run(self) -> None:
        """Track through the whole shot.

        Raises:
            InputError: Nothing is found where the user pointed, or only avoided points are given.
        """
        start = self._start
        first, last = min(self._prompts), max(self._prompts)
        picture = read_one(self._pictures, start)
        folder = self._store.path.parent
        num_frames = self._store.num_frames
        with one_thread(), MaskStore(folder, self._size, num_frames, name="soft.bin") as soft:
            self._resolve(start, picture, None, soft)
            self._sweep(start, self._shot.start, soft, backward=True)
            self._sweep(start, self._shot.stop - 1, soft)
            self._sweep(last, start, soft, backward=True)
            self._sweep(first, start, soft)
            self._fill_gaps(soft)
            self._write(soft)

    @property
    def _start(self) -> int:
        return start_frame(self._object_id, self._prompts)

    def _sweep(self, origin: int, end: int, kept: MaskStore, *, backward: bool = False) -> None:
        """Track from a frame with a mask to another frame, both included."""
        if origin == end:
            return
        start, stop = (end, origin + 1) if backward else (origin, end + 1)
        steps = with_flow(walk(self._pictures, start, stop, backward=backward))
        _, picture, _ = next(steps)
        tracker = Tracker(picture, self._masks[origin])
        trust, known = self._trust[origin], origin
        for index, small, flow in steps:
            assert flow is not None
            step = tracker.step(small, flow)
            self._progress.advance()
            if index in self._prompts:
                if index not in self._masks:
                    self._resolve(index, small, step, kept)
                tracker.correct(small, self._masks[index])
                trust, known = self._trust[index], index
            else:
                fade = max(LEAST_FADE, 1 - FADE * abs(index - known))
                judged = step.confidence * (1 if step.is_gone else trust * fade)
                self._emit(index, replace(step, confidence=judged), kept)

    def _resolve(self, frame: int, picture: Small, step: Step | None, kept: MaskStore) -> None:
        """Make the mask of a prompted frame."""
        hints = self._prompts[frame]
        around = self._around(frame) if hints.boxes or hints.clicks else None
        found = find(picture, hints, None if step is None else step.soft > 0.5, around)
        if not found.mask.any() and hints.can_start:
            raise nothing_found(self._object_id, frame)
        notes = self._judgement.notes
        notes.extend(back.said(self._object_id, frame) for back in found.steps)
        is_mended = step is not None and not hints.starts_anew
        trust = MENDED_TRUST if is_mended else found.trust
        self._masks[frame] = found.mask
        self._trust[frame] = trust
        soft = cv2.GaussianBlur(found.mask.astype(np.float32), (0, 0), 0.7)
        _keep(kept, frame, np.asarray(soft, np.float32))
        self._judge(frame, found.mask, trust, is_lost=False)

    def _around(self, frame: int) -> Around:
        """Pictures around a frame of the shot, at half the work size."""
        frames = near(frame, *self._shot)
        pictures = walk(self._pictures, frames.start, frames.stop)
        return Around({index - frame: half(small) for index, small in pictures})

    def _emit(self, index: int, step: Step, kept: MaskStore) -> None:
        """Keep a frame, with what the other direction said where that has been there too."""
        if min(self._prompts) < index < max(self._prompts):
            if index not in self._one_way:
                _keep(kept, index, step.soft)
                self._one_way[index] = replace(step, soft=np.zeros((0, 0), np.float32))
                return
            other = replace(self._one_way.pop(index), soft=_kept(kept, index))
            step = self._blend(index, step, other)
        _keep(kept, index, step.soft)
        is_lost = step.is_gone and not step.at_border
        self._judge(index, step.soft > 0.5, step.confidence, is_lost=is_lost)

    def _blend(self, index: int, back: Step, forth: Step) -> Step:
        """What the two ways say together; the nearer prompted frame knows better."""
        before = max(frame for frame in self._prompts if frame < index)
        after = min(frame for frame in self._prompts if frame > index)
        share = (index - before) / (after - before)
        if before < self._start:
            share = 1 - share
        mine, other = share * (back.confidence + 0.05), (1 - share) * (forth.confidence + 0.05)
        weight = mine / (mine + other)
        return Step(
            np.asarray(weight * back.soft + (1 - weight) * forth.soft, np.float32),
            weight * back.confidence + (1 - weight) * forth.confidence,
            is_gone=back.is_gone and forth.is_gone,
            at_border=back.at_border or forth.at_border,
        )

    def _fill_gaps(self, kept: MaskStore) -> None:
        """Fill short gaps, but where the object left; that it was not seen there is still said."""
        usual = float(np.median([kept.area(index) for index in self._seen])) if self._seen else 0
        for before, after in gaps(self._seen):
            ends = [np.asarray(_kept(kept, i) > 0.5) for i in (before, after)]
            if not all(end.any() for end in ends) or any(is_leaving(end, usual) for end in ends):
                continue
            for index in range(before + 1, after):
                share = (index - before) / (after - before)
                _keep(kept, index, between(ends[0], ends[1], share).astype(np.float32))

    def _write(self, kept: MaskStore) -> None:
        """Write every frame of the shot at the full size."""
        size = self._store.size
        if self._grow:
            found = steadied(with_motion(self._frames(kept)))
        else:
            found = ((index, _kept(kept, index)) for index in range(*self._shot))
        for index, soft in found:
            hints = self._prompts.get(index)
            mask = widened(soft, size) if self._grow and hints is None else enlarge(soft, size)
            if hints is not None:
                mask = with_clicks(mask, hints, self._size)
            if mask.any():
                add(self._store, index, mask, self._object_id)

    def _frames(self, kept: MaskStore) -> Iterator[tuple[int, Float, bool, Small]]:
        for index, small in walk(self._pictures, *self._shot):
            yield index, _kept(kept, index), index in self._prompts, small

    def _judge(self, index: int, mask: Mask, confidence: float, *, is_lost: bool) -> None:
        if mask.any():
            self._seen.add(index)
        judged = self._judgement
        judged.confidence[index] = min(judged.confidence[index], 0.0 if is_lost else confidence)
        judged.is_lost[index] |= is_lost


def _keep(kept: MaskStore, index: int, soft: Float) -> None:
    kept.put(index, np.rint(soft * 255).astype(np.uint8))


def _kept(kept: MaskStore, index: int) -> Float:
    return np.asarray(kept.get(index), np.float32) / np.float32(255)


def num_steps(shot: Shot, frames: Iterable[int]) -> int:
    """How many pictures are tracked through in a shot with these prompted frames."""
    prompted = list(frames)
    return shot.stop - shot.start - 1 + max(prompted) - min(prompted)
