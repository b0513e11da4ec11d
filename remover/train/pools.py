"""Where unrelated masks come from: the training clips' own ones, or a folder of masks."""

from remover.train.clips import Masks, Source
from remover.train.masks import Pool
from remover.train.settings import Data


class OwnMasks:
    """The own masks of all training clips that have any."""

    def __init__(self, clips: Source) -> None:
        """Those of held-out clips are left out."""
        self._clips = clips
        self._indices = tuple(index for index in clips.masked if index not in clips.held_out)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._indices)

    def read(self, number: int) -> Masks | None:
        """Mask ``number``, (T, H, W).

        Raises:
            UnusableClip: It cannot be read.
        """
        return self._clips.own(self._indices[number])

    def belongs_to(self, number: int) -> int:
        """The clip that it belongs to."""
        return self._indices[number]


def pool_of(clips: Source, data: Data, seed: int) -> Pool:
    """The masks that the settings name.

    Raises:
        InputError: The folder of masks is missing, or there are none in it.
    """
    if data.masks:
        from remover.train.footage import MaskFolder

        return MaskFolder(data, seed)
    return OwnMasks(clips)
