"""What a job's fill works on: the frames, or the fields of which interlaced frames consist."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from remover import fields
from remover.fields import WHOLE, FieldPictures, Parity
from remover.fill import Ground, Shading
from remover.job import Job
from remover.types import Mask, Pictures, Plate, Rect, Shot


def parities(job: Job) -> tuple[Parity, ...]:
    """The kinds of pictures of a job: its frames, or its two fields, the earlier one first.

    A network is shown whole frames.
    """
    if job.painters.network is not None or not fields.is_split(job.info):
        return (WHOLE,)
    return (0, 1) if job.info.top_field_first else (1, 0)


def pictures_of(job: Job, parity: Parity) -> Pictures:
    """The pictures of one kind."""
    return job.pictures if parity is None else FieldPictures(job.reader, parity)


def mask_of(mask: Callable[[int], Mask], parity: Parity) -> Callable[[int], Mask]:
    """The masks of the frames as those of pictures of one kind."""
    return mask if parity is None else lambda index: fields.mask_of(mask(index), parity)


def plates_of(job: Job, shot: Shot, parity: Parity) -> Sequence[Plate]:
    """The plates of a shot as pictures of one kind."""
    found = job.hand.plates_of(shot)
    return found if parity is None else [fields.plate_of(plate, parity) for plate in found]


def shot_of(shot: Shot, parity: Parity) -> Shot:
    """What the journal calls the pictures of one kind in a shot."""
    return shot if parity is None else fields.shot_of(shot, parity)


@dataclass(frozen=True, slots=True)
class FieldShading:
    """The shadows of frames as one of their fields shows them."""

    shading: Shading
    parity: int

    def kept(self, index: int) -> Mask | None:
        """Pixels (H, W) of a shadow that stays in the field; None where there is none."""
        kept = self.shading.kept(index)
        return None if kept is None else fields.mask_of(kept, self.parity)

    def ground(self, index: int, rect: Rect, levels: npt.NDArray[np.float32]) -> Ground | None:
        """A rectangle of the field without its shadow; None where nothing is lit."""
        frame = Rect(2 * rect.top, rect.left, 2 * rect.bottom, rect.right)
        found = self.shading.ground(index, frame, np.repeat(levels, 2, axis=0))
        if found is None:
            return None
        lines = slice(self.parity, None, 2)
        return Ground(found.levels[lines], found.share[lines], found.trust[lines])
