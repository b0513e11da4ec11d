"""Putting a fill into the untouched planes, and proving that nothing else changed."""

from dataclasses import dataclass

import numpy as np

from remover import pixels
from remover.errors import VerifyError
from remover.region import Region
from remover.types import COPIED, PAINTED, UNTOUCHED, Patch, VideoInfo
from remover.video import Frame


@dataclass(slots=True)
class FillTotals:
    """Sums over the filled frames of a run."""

    frames: int = 0
    copied: int = 0
    painted: int = 0
    confidence: float = 0.0

    @property
    def copied_share(self) -> float:
        """Share of the filled pixels that came from other frames."""
        return self.copied / max(1, self.copied + self.painted)

    @property
    def painted_share(self) -> float:
        """Share of the filled pixels that no frame shows."""
        return self.painted / max(1, self.copied + self.painted)

    @property
    def mean_confidence(self) -> float | None:
        """Mean confidence of the copied pixels, None if there are none."""
        return self.confidence / self.copied if self.copied else None

    def add(self, patch: Patch) -> None:
        """Count one frame's fill."""
        self.frames += 1
        self.copied += int(np.count_nonzero(patch.origin == COPIED))
        self.painted += int(np.count_nonzero(patch.origin == PAINTED))
        self.confidence += float(patch.confidence[patch.origin == COPIED].sum(dtype=np.float64))


def apply_patch(
    frame: Frame, patch: Patch, region: Region, info: VideoInfo
) -> tuple[pixels.Plane, ...]:
    """The planes of ``frame`` with ``patch`` mixed in; the frame's own stay as they are.

    Raises:
        VerifyError: The patch leaves a part of the hole open, or a sample outside the region
            changed. Either is a fault of ours, and no output may come of it.
    """
    alpha = region.alpha(frame.index)
    inside = alpha[patch.rect.slices]
    if (
        np.count_nonzero(alpha) != np.count_nonzero(inside)
        or ((patch.origin == UNTOUCHED) & (inside > 0)).any()
    ):
        raise VerifyError(f"the fill of frame {frame.index} leaves a part of the object open")
    white = 255.0 if info.layout.bit_depth == 8 else 65535.0
    planes = tuple(plane.copy() for plane in frame.planes)
    pixels.compose(
        planes, info.layout, info.colour, patch.rect, patch.rgb / np.float32(white), inside
    )
    changed = pixels.changed_outside(frame.planes, planes, info.layout, patch.rect, inside > 0)
    if changed:
        raise VerifyError(
            f"{changed} samples outside the mask changed in frame {frame.index}",
            hint="please report this with the command that you ran",
        )
    return planes
