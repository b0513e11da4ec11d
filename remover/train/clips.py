"""Training clips, wherever they come from: files, a moving view over photographs, or made up.

Legend: ``T H W`` frames and pixels.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from remover.train.settings import Data

Video = npt.NDArray[np.uint8]
"""(T, H, W, 3)."""

Masks = npt.NDArray[np.bool_]
"""(T, H, W); True is inside."""

_SPLIT = 20250524
"""Decides which clips are held out; the same for every run, so that no later one sees them."""


class UnusableClip(Exception):  # noqa: N818 - what is skipped, not an error of a run
    """A clip that cannot be trained on.

    Attributes:
        name: Of the clip.
        reason: Why, in words, without a full stop.
    """

    def __init__(self, name: str, reason: str) -> None:
        """Keep both."""
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Clip:
    """As many frames as the settings say, at one of their sizes."""

    name: str
    frames: Video
    own: Masks | None
    """Where a real object is; None where nobody says."""
    background: Video | None
    """The truth without the object, where it is known."""


class Source(Protocol):
    """Clips by number; each is a pure function of the settings, the seed and its number."""

    def __len__(self) -> int:
        """How many clips there are, those that are held out included."""
        ...

    def clip(self, index: int) -> Clip:
        """A clip.

        Raises:
            UnusableClip: It is damaged, too short, or does not fit its masks.
        """
        ...

    def own(self, index: int) -> Masks | None:
        """The mask of an object of a clip alone, without its pictures; None where there is none.

        Raises:
            UnusableClip: As for ``clip``.
        """
        ...

    @property
    def masked(self) -> tuple[int, ...]:
        """The clips that have masks of their own."""
        ...

    @property
    def held_out(self) -> frozenset[int]:
        """The clips that are kept from training."""
        ...


def source(data: Data, seed: int) -> Source:
    """The clips that the settings name.

    Args:
        data: What to take, and how.
        seed: Of the run; positions in videos and made-up clips follow it.

    Raises:
        InputError: The folder is missing, or holds nothing that can be used.
    """
    # Each is imported where it is used, since these modules need this one.
    if data.source == "procedural":
        from remover.train.procedural import Procedural

        return Procedural(data, seed)
    if data.source == "photos":
        from remover.train.photos import Photos

        return Photos(data, seed)
    from remover.train.footage import Footage

    return Footage(data, seed)


def chosen(count: int, wanted: int) -> frozenset[int]:
    """``wanted`` of ``count`` numbers, at most all but one, the same in every run."""
    taken = max(0, min(wanted, count - 1))
    order = np.random.default_rng(_SPLIT).permutation(count)
    return frozenset(int(index) for index in order[count - taken :])


def own_generator(*numbers: int) -> np.random.Generator:
    """A source of randomness that belongs to these numbers, each at least 0.

    How many there are counts too; NumPy alone takes (1, 2) and (1, 2, 0) for the same.
    """
    return np.random.default_rng((len(numbers), *numbers))
