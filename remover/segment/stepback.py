"""What is said where a first mask was not good enough and something simpler was taken."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """What was wrong with the mask before."""

    SCRAPS = "only scraps stand out {place}"
    PERISHED = "what stands out {place} is not found again on the frames around"
    TINY = "there is no room {place} to tell it from anything"


class Taken(StrEnum):
    """What was taken in the end."""

    CUT = "what GrabCut tells apart by colour alone is taken"
    ELLIPSE = "the whole ellipse in the box is taken"
    BOX = "the whole box is taken"


@dataclass(frozen=True, slots=True)
class StepBack:
    """A step from a first mask that failed to a simpler one."""

    reason: Reason
    taken: Taken
    place: str = "in its box"

    def said(self, object_id: int, frame: int) -> str:
        """One sentence for a person."""
        why = self.reason.format(place=self.place)
        return f"object {object_id} on frame {frame}: {why}; {self.taken}"
