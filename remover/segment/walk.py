"""Small pictures of a video, forwards or backwards, in bounded memory."""

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from remover.types import RGB, Pictures, Size

WORK_SIDE = 864
"""Longer side of the pictures that are tracked in, in pixels."""

BLOCK = 32
"""Pictures held at a time when walking backwards."""

Small = npt.NDArray[np.uint8]
"""A picture (h, w, 3) at the work size, R'G'B', 8 bits."""


def work_size(size: Size) -> Size:
    """The size to track in: both sides even, since half of it is used as well."""
    scale = min(1.0, WORK_SIDE / max(size))
    height, width = (max(8, 2 * round(side * scale / 2)) for side in size)
    return Size(height, width)


def shrink(picture: RGB, size: Size) -> Small:
    """A picture (H, W, 3) of 8 or 16 bits at ``size`` in 8 bits."""
    if picture.shape[:2] != tuple(size):
        method = cv2.INTER_AREA if picture.shape[0] >= size.height else cv2.INTER_LINEAR
        resized = np.asarray(cv2.resize(picture, (size.width, size.height), interpolation=method))
    else:
        resized = np.asarray(picture)
    return np.ascontiguousarray(resized // 257 if resized.dtype == np.uint16 else resized, np.uint8)


def walk(
    pictures: Pictures, start: int, stop: int, *, backward: bool = False
) -> Iterator[tuple[int, Small]]:
    """Yield index and small picture of the frames ``start`` to ``stop``, last first if asked."""
    size = work_size(pictures.size)
    if not backward:
        for index, picture in enumerate(pictures.read(start, stop), start):
            yield index, shrink(picture, size)
        return
    for end in range(stop, start, -BLOCK):
        begin = max(start, end - BLOCK)
        block = [shrink(picture, size) for picture in pictures.read(begin, end)]
        yield from zip(range(end - 1, begin - 1, -1), reversed(block), strict=True)


def read_one(pictures: Pictures, index: int) -> Small:
    """The small picture of one frame."""
    return next(small for _, small in walk(pictures, index, index + 1))
