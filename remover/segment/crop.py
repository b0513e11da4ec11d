"""The part of a picture that the network looks at, and the way there and back; pure."""

from dataclasses import dataclass

import cv2
import numpy as np

from remover.segment.appearance import Float
from remover.segment.features import STRIDE
from remover.segment.lite import MULTIPLE
from remover.segment.walk import Small
from remover.types import Rect, Size


@dataclass(frozen=True, slots=True)
class Crop:
    """A rectangle of a picture, and the size that the network sees it at."""

    rect: Rect
    size: Size
    """Both sides are multiples of ``MULTIPLE``."""

    @property
    def grid(self) -> Size:
        """Cells of the network's grid."""
        return Size(self.size.height // STRIDE, self.size.width // STRIDE)

    @property
    def cell(self) -> tuple[float, float]:
        """Height and width of a cell in pixels of the picture."""
        height, width = self.grid
        return self.rect.size.height / height, self.rect.size.width / width

    def cut(self, picture: Small) -> Small:
        """The pixels (H, W, 3) for the network."""
        part = np.ascontiguousarray(picture[self.rect.slices])
        return np.asarray(cv2.resize(part, *_way(part, self.size)), np.uint8)

    def cells_of(self, mask: Float) -> Float:
        """The share of each cell (h, w) that a mask (H, W) of the picture covers."""
        part = np.ascontiguousarray(mask[self.rect.slices])
        return np.asarray(cv2.resize(part, *_way(part, self.grid)), np.float32)

    def places(self) -> Float:
        """The centres of the cells (h, w, 2) in pixels of the picture, as y, x."""
        height, width = self.grid
        down, across = self.cell
        y = self.rect.top + (np.arange(height, dtype=np.float32) + 0.5) * np.float32(down)
        x = self.rect.left + (np.arange(width, dtype=np.float32) + 0.5) * np.float32(across)
        return np.stack(np.broadcast_arrays(y[:, None], x[None]), axis=2)

    def paste(self, cells: Float, size: Size, outside: float = 0.0) -> Float:
        """A map (h, w) of cells as one (H, W) of the whole picture."""
        whole = np.full(size, outside, np.float32)
        target = self.rect.size
        wide = cv2.resize(cells, (target.width, target.height), interpolation=cv2.INTER_CUBIC)
        whole[self.rect.slices] = wide
        return whole


def _way(part: Small | Float, size: Size) -> tuple[tuple[int, int], None, int, int, int]:
    """How to resize a part: the arguments of OpenCV."""
    shrinks = part.shape[0] * part.shape[1] > size.height * size.width
    return (size.width, size.height), None, 0, 0, cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR


def crop_around(
    box: tuple[float, float, float, float], scale: float, margin: float, bounds: Size
) -> Crop:
    """The crop around a box, cut to the picture.

    Args:
        box: (top, left, bottom, right) in pixels of the picture.
        scale: Pixels of the network to a pixel of the picture.
        margin: Surroundings, in pixels of the picture.
        bounds: Size of the picture.
    """
    sides = []
    for low, high, limit in ((box[0], box[2], bounds.height), (box[1], box[3], bounds.width)):
        wanted = (high - low + 2 * margin) * scale
        count = max(2, round(min(wanted, limit * scale) / MULTIPLE))
        length = min(limit, max(1, round(count * MULTIPLE / scale)))
        start = round((low + high - length) / 2)
        start = min(max(0, start), limit - length)
        sides.append((start, start + length, count * MULTIPLE))
    (top, bottom, height), (left, right, width) = sides
    return Crop(Rect(top, left, bottom, right), Size(height, width))
