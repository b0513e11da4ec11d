"""Where the encoding or decoding of one video stands.

Legend: ``B`` batch, ``C`` colour, ``T H W`` frames and pixels.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from remover.models.causal import Cache
from remover.types import Rect, Size


@dataclass
class Stream:
    """The memory of one video; made new for each, and of a size that does not grow with it."""

    near: Rect | None = None
    """Only this part is computed, in pixels; the same from beginning to end. None: all of it."""
    cache: Cache = field(default_factory=Cache, repr=False)
    is_begun: bool = False
    """Whether the first frame was worked on."""
    waiting: Tensor | None = field(default=None, repr=False)
    """Frames that do not fill a group yet, (B, C, 1 to 3, H, W)."""
    background: Cache = field(init=False, repr=False)
    """Of the small picture that stands for all that is outside ``near``."""

    def __post_init__(self) -> None:
        """Share the transformed taps."""
        self.background = Cache(kernels=self.cache.kernels)

    @property
    def num_waiting(self) -> int:
        """Frames that were given and are in no latent yet; 0 after 1 + 4k frames."""
        return 0 if self.waiting is None else self.waiting.shape[2]

    def part_of(self, size: Size) -> Rect | None:
        """What is computed of pictures of that size; None where it is all of them."""
        if self.near is None:
            return None
        part = self.near.grown(0, size)
        return None if part == Rect(0, 0, *size) else part

    def groups(self, video_BCTHW: Tensor, group: int) -> list[Tensor]:
        """The frames that can be worked on now: the first alone, then ``group`` at a time."""
        video = video_BCTHW
        if self.waiting is not None:
            video = torch.cat([self.waiting, video], dim=2)
        sizes = [] if self.is_begun or not video.shape[2] else [1]
        sizes += [group] * ((video.shape[2] - sum(sizes)) // group)
        rest = video.shape[2] - sum(sizes)
        *pieces, waiting = torch.split(video, [*sizes, rest], dim=2)
        self.waiting = waiting.clone() if rest else None
        self.is_begun = self.is_begun or bool(sizes)
        return list(pieces)
