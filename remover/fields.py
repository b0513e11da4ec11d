"""Interlaced pictures: two fields of every other line, taken at two instants; pure.

Legend: ``parity`` 0 is the field of the lines 0, 2, 4 and so on, 1 the other one. A point in row
``r`` of the frame lies in row ``(r - parity) / 2`` of a field.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from remover import pixels
from remover.types import RGB, Mask, PixelLayout, Plate, Rect, Shot, Size, VideoInfo

_Array = TypeVar("_Array", bound=npt.NDArray[Any])

Parity = int | None
"""Which field, or None for a frame that is not taken apart."""

WHOLE = None
LEAST_HEIGHT = 64
"""Frames with fewer lines are not taken apart."""


def is_split(info: VideoInfo) -> bool:
    """Whether a video's frames can be taken apart into fields.

    The lines of subsampled planes belong to fields as well, so each field must have whole blocks.
    """
    lines = 2 << info.layout.chroma_shift_y
    height = info.size.height
    return info.interlaced and height >= LEAST_HEIGHT and height % lines == 0


def planes_of(planes: Sequence[pixels.Plane], parity: Parity) -> Sequence[pixels.Plane]:
    """Views of the lines of a field in every plane."""
    return planes if parity is None else tuple(plane[parity::2] for plane in planes)


def blocks_of(rect: Rect, layout: PixelLayout, size: Size, parities: Sequence[Parity]) -> Rect:
    """``rect`` widened to whole blocks of all pictures in a frame, cut to the frame."""
    wide = pixels.blocks_of(rect, layout, size)
    if WHOLE in parities:
        return wide
    lines = 2 << layout.chroma_shift_y
    bottom = min(-(-wide.bottom // lines) * lines, size.height)
    return Rect(wide.top // lines * lines, wide.left, bottom, wide.right)


def rect_of(rect: Rect, parity: Parity) -> Rect:
    """The lines of a field that lie in a rectangle of the frame."""
    if parity is None:
        return rect
    top, bottom = ((row + 1 - parity) // 2 for row in (rect.top, rect.bottom))
    return Rect(top, rect.left, bottom, rect.right)


def part_of(values: _Array, rect: Rect, parity: Parity) -> _Array:
    """What of ``values`` (h, w, ...), which lie at ``rect`` of the frame, is of a field."""
    return values if parity is None else values[(parity - rect.top) % 2 :: 2]  # type: ignore[return-value]


def changed_outside(
    before: Sequence[pixels.Plane],
    after: Sequence[pixels.Plane],
    layout: PixelLayout,
    rect: Rect,
    region: Mask,
    parities: Sequence[Parity],
) -> int:
    """Count the samples that differ though no pixel of theirs, in their picture, is in the region.

    As ``pixels.changed_outside``: subsampled lines of an interlaced frame belong to one field.
    """
    return sum(
        pixels.changed_outside(
            planes_of(before, parity),
            planes_of(after, parity),
            layout,
            rect_of(rect, parity),
            part_of(region, rect, parity),
        )
        for parity in parities
    )


class FieldPictures:
    """One field of every frame of a video, as pictures."""

    def __init__(self, reader: Any, parity: int) -> None:
        """Read from ``reader``, which must have been scanned."""
        self._reader, self._parity = reader, parity

    @property
    def num_frames(self) -> int:
        """Number of frames."""
        return int(self._reader.index.num_frames)

    @property
    def size(self) -> Size:
        """Size of every field."""
        height, width = self._reader.info.size
        return Size(height // 2, width)

    def read(self, start: int, stop: int) -> Iterator[RGB]:
        """Yield the fields of the frames ``start`` to ``stop`` (half open), each (H / 2, W, 3)."""
        info = self._reader.info
        for frame in self._reader.frames(start, stop):
            yield pixels.picture(planes_of(frame.planes, self._parity), info.layout, info.colour)


def mask_of(mask: Mask, parity: Parity) -> Mask:
    """The part of a mask (H, W) that lies in a field."""
    return mask if parity is None else np.ascontiguousarray(mask[parity::2])


def plate_of(plate: Plate, parity: int) -> Plate:
    """The field of a plate."""
    return Plate(plate.index, plate.rgb[parity::2], mask_of(plate.known, parity))


def shot_of(shot: Shot, parity: int) -> Shot:
    """A name for the fields of a shot: no two fields of any shots have the same."""
    return Shot(2 * shot.start + parity, 2 * shot.stop + parity)
