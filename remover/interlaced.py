"""What a job's fill works on: the frames, or the fields of which interlaced frames consist."""

from collections.abc import Callable, Sequence

from remover import fields
from remover.fields import WHOLE, FieldPictures, Parity
from remover.job import Job
from remover.types import Mask, Pictures, Plate, Shot


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
