"""What SAM 2 remembers of one object on its way through a shot, and where it is expected next.

Upstream reads the memory of the frame before, the one before that and so on, whatever they hold.
``Recall`` picks frames by quality and puts the latest picked one in the place of the frame before,
so that the network's own code reads what was picked; anchors stand beside the prompted frames,
which have no place in time. Never more of them are read than upstream would read.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any, TypeAlias

from remover.segment import kalman
from remover.segment.kalman import Box, Motion
from remover.segment.quality import (
    STEADY_FRAMES,
    STEADY_SCORE,
    USUAL_OVER,
    Scores,
    is_anchor,
    is_remembered,
)

ANCHORS = 3
"""Anchors that are kept, half of the memory, as DAM4SAM does."""

Outputs: TypeAlias = Mapping[str, dict[int, Any]]
"""Upstream's memory of one object: ``cond_frame_outputs`` and ``non_cond_frame_outputs``."""


class Recall:
    """The picked frames of one object; bounded, whatever the length of the shot."""

    def __init__(self, memories: int, pointers: int) -> None:
        """Begin with nothing picked.

        Args:
            memories: Frames before the current one whose memory upstream reads.
            pointers: The same for its pointers to the object; not fewer.
        """
        self._memories, self._pointers = memories, pointers
        self._recent: deque[int] = deque(maxlen=pointers)
        self._first: list[int] = []
        self._anchors: deque[int] = deque(maxlen=min(ANCHORS, memories))
        self._areas: deque[int] = deque(maxlen=USUAL_OVER)

    def saw(self, frame: int, scores: Scores) -> None:
        """Pick a tracked frame if it is good enough."""
        since = abs(frame - self._anchors[-1]) if self._anchors else None
        if is_anchor(scores, self._areas, since):
            self._anchors.append(frame)
        elif is_remembered(scores):
            self.pick(frame)
        if scores.presence > 0 and scores.area > 0:
            self._areas.append(scores.area)

    def pick(self, frame: int) -> None:
        """Remember a frame without asking."""
        self._recent.append(frame)
        if len(self._first) < self._pointers:
            self._first.append(frame)

    def turn(self) -> None:
        """Go the other way from where it began: what was picked there first is nearest now."""
        self._recent = deque(reversed(self._first), maxlen=self._pointers)
        self._first = []
        self._areas.clear()

    @property
    def held(self) -> frozenset[int]:
        """The frames that are read now or after turning."""
        return frozenset((*self._recent, *self._first, *self._anchors))

    def read(self, outputs: Outputs, frame: int, *, backward: bool) -> dict[str, dict[int, Any]]:
        """The memory as upstream is to see it on ``frame``; values are those of ``outputs``."""
        tracked = outputs["non_cond_frame_outputs"]
        anchors = {at: tracked[at] for at in self._anchors if at in tracked}
        recent = [tracked[at] for at in reversed(self._recent) if at in tracked]
        step = 1 if backward else -1
        return {
            "cond_frame_outputs": {**outputs["cond_frame_outputs"], **anchors},
            "non_cond_frame_outputs": {
                frame + step * place: output
                for place, output in zip(self._places(len(anchors)), recent, strict=False)
            },
        }

    def _places(self, num_anchors: int) -> list[int]:
        """How far back picked frames stand; those that anchors take a memory from are left out."""
        free = self._memories - num_anchors
        return [*range(1, free + 1), *range(self._memories + 1, self._pointers + 1)]


class Course:
    """Where one object was lately and is expected next, for as long as it is followed surely.

    The stages of SAMURAI: the filter begins anew after every loss, runs along for
    ``STEADY_FRAMES`` frames, and only then has a say in the choice of candidates.
    """

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._seen: Box | None = None
        self._motion: Motion | None = None
        self._steady = 0

    @property
    def expected(self) -> Box | None:
        """The box predicted for the coming frame; None before two boxes in a row were seen."""
        return None if self._motion is None else self._motion.box

    @property
    def is_steady(self) -> bool:
        """Whether the prediction may weigh candidates."""
        return self._motion is not None and self._steady >= STEADY_FRAMES

    def saw(self, box: Box | None, score: float) -> None:
        """Go on by one frame.

        Args:
            box: Of the mask that was taken; None where there is none.
            score: The overlap with the truth that the network expects of it, 0 to 1.
        """
        if box is None or score <= STEADY_SCORE:
            self._seen, self._motion, self._steady = None, None, 0
            return
        if self._motion is not None:
            self._motion = kalman.predicted(kalman.updated(self._motion, box))
        elif self._seen is not None:
            self._motion = kalman.predicted(kalman.begun(self._seen, box))
        self._seen = box
        self._steady += 1
