"""What is known while objects are tracked: how sure each frame is, and what is done already."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from remover.segment.hints import Hints
from remover.segment.store import MaskStore
from remover.types import Shot

Work: TypeAlias = tuple[int, Shot, dict[int, Hints]]
"""An object, a shot and what points at it there, by frame; nothing where nobody pointed."""

UNSURE = 0.54
"""Confidence below which a mask may be wrong. Over seven clips followed from boxes and clicks and
nine composed cases 95 % of the frames with an overlap under 0.5 lie below, and 8 % of those of 0.7
and more."""


@dataclass(slots=True)
class Judgement:
    """What is known about masks, by frame of the video; written while tracking.

    It is saved with the masks after every piece of the work, so that an interrupted run can go on
    with the next one. Pieces come in the same order every time.
    """

    confidence: npt.NDArray[np.float32] = field(repr=False)
    is_lost: npt.NDArray[np.bool_] = field(repr=False)
    notes: list[str] = field(default_factory=list)
    done: int = 0
    """How many pieces of the work are finished."""
    searches: list[Sequence[Work]] = field(default_factory=list)
    """What each search for lost objects found: one mask a piece."""
    account: Mapping[str, Any] | None = None
    """Plain values that say how all of it was made, once it is."""
    _met: int = 0
    _searched: int = 0

    @classmethod
    def begun(cls, num_frames: int, facts: Mapping[str, Any]) -> Self:
        """A new judgement, or the one that ``facts`` was made of."""
        if "done" not in facts:
            return cls(np.ones(num_frames, np.float32), np.zeros(num_frames, np.bool_))
        return cls(
            confidence=facts["confidence"],
            is_lost=facts["is_lost"],
            notes=[str(note) for note in facts["notes"]],
            done=int(facts["done"]),
            searches=_searches(facts),
            account=json.loads(str(facts["account"])),
        )

    def facts(self) -> dict[str, Any]:
        """All of it as arrays, to be saved with the masks."""
        places: list[tuple[int, ...]] = []
        masks = {}
        for i, search in enumerate(self.searches):
            for number, shot, met in search:
                ((frame, hints),) = met.items()
                assert hints.mask is not None
                masks[f"mask{len(places)}"] = np.packbits(hints.mask)
                places.append((i, number, *shot, frame, *hints.mask.shape))
        return {
            "confidence": self.confidence,
            "is_lost": self.is_lost,
            "notes": np.array(self.notes, np.str_),
            "done": np.array(self.done),
            "searches": np.array(len(self.searches)),
            "found": np.array(places, np.int64).reshape(-1, 7),
            "account": np.array(json.dumps(self.account)),
            **masks,
        }

    def passes_over(self) -> bool:
        """Begin the next piece of the work; True if it is finished already."""
        self._met += 1
        return self._met <= self.done

    def finish(self, store: MaskStore) -> None:
        """Save the piece that was begun last, as the masks in ``store`` and this.

        Raises:
            OutputError: The disk is full or gone.
        """
        self.done = self._met
        store.save(self.facts())

    def known_search(self) -> Sequence[Work] | None:
        """Begin the next search; what it found, if it was made already."""
        self._searched += 1
        return self.searches[self._searched - 1] if self._searched <= len(self.searches) else None

    def keep_search(self, found: Sequence[Work], store: MaskStore) -> None:
        """Save what the search that was begun last found.

        Raises:
            OutputError: The disk is full or gone.
        """
        self.searches.append(found)
        store.save(self.facts())


def _searches(facts: Mapping[str, Any]) -> list[Sequence[Work]]:
    found: list[list[Work]] = [[] for _ in range(int(facts["searches"]))]
    for row, place in enumerate(facts["found"].tolist()):
        search, number, start, stop, frame, height, width = place
        bits = np.unpackbits(facts[f"mask{row}"], count=height * width)
        mask = bits.reshape(height, width).astype(np.bool_)
        found[search].append((number, Shot(start, stop), {frame: Hints(mask=mask)}))
    return list(found)
