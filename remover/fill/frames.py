"""Decoded frames of a shot, read forward once and held only while a window needs them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from remover.types import RGB, Mask, Pictures, Size

Float = npt.NDArray[np.float32]

SKIP = 64
"""Frames that may be decoded for nothing before a seek is thought cheaper."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of the shot with the pixels that are to be replaced in it."""

    index: int
    rgb: RGB = field(repr=False)
    hole: npt.NDArray[np.uint8] = field(repr=False)
    """(H, W): 255 in the hole, 0 elsewhere."""
    barred: npt.NDArray[np.uint8] = field(repr=False)
    """(H, W): 255 in the hole but for its rim, and wherever else nothing may be copied from."""

    @property
    def size(self) -> Size:
        """Height and width of the picture."""
        return Size(*self.rgb.shape[:2])


def levels_scale(rgb: RGB) -> float:
    """What turns the picture's own levels into 0 to 255."""
    return 255.0 / float(np.iinfo(rgb.dtype).max)


def to_levels(rgb: RGB) -> Float:
    """The picture as float32 levels from 0 to 255, whatever its depth."""
    scale = levels_scale(rgb)
    levels = rgb.astype(np.float32)
    return levels if scale == 1.0 else levels * np.float32(scale)


def mean_level(levels: Float) -> Float:
    """(h, w): mean of the three channels of (h, w, 3)."""
    return np.asarray(cv2.transform(levels, np.full((1, 3), 1 / 3, np.float32)), np.float32)


def thrice(values: Float) -> Float:
    """(h, w, 3): the same (h, w) for each channel; NumPy is slow where it has to spread them."""
    return np.asarray(cv2.merge([values] * 3), np.float32)


def largest(levels: Float) -> Float:
    """(h, w): largest of the three channels of (h, w, 3)."""
    red, green, blue = cv2.split(levels)
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.float32)


def to_bytes(levels: Float) -> npt.NDArray[np.uint8]:
    """Float levels rounded to 8 bits."""
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def disk(radius: int) -> npt.NDArray[np.uint8]:
    """A round structuring element of ``radius`` pixels."""
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def widened(mask: npt.NDArray[np.uint8], radius: int) -> npt.NDArray[np.uint8]:
    """A 0/255 mask grown by ``radius`` pixels."""
    return np.asarray(cv2.dilate(mask, disk(radius)), np.uint8)


class Reel:
    """The frames of a sliding range; memory is that of the range, whatever the video's length.

    Ranges must not move backwards: frames are decoded once, in order, and a frame that left
    the range is gone.
    """

    def __init__(
        self,
        pictures: Pictures,
        hole: Callable[[int], Mask],
        no_source: Callable[[int], Mask] | None = None,
        rim: Callable[[int], Mask] | None = None,
    ) -> None:
        """Nothing is decoded before ``move``."""
        self._pictures = pictures
        self._hole = hole
        self._no_source, self._rim = no_source, rim
        self._frames: dict[int, Frame] = {}
        self._source: Iterator[RGB] = iter(())
        self._position = -1
        self._end = -1

    def __getitem__(self, index: int) -> Frame:
        """The frame ``index``, which must lie in the range."""
        return self._frames[index]

    def move(self, start: int, stop: int, end: int) -> None:
        """Hold exactly the frames ``start`` to ``stop``; ``end`` is where reading may go later."""
        for index in [i for i in self._frames if i < start]:
            del self._frames[index]
        wanted = max(start, max(self._frames, default=start - 1) + 1)
        if wanted >= stop:
            return
        if not self._position <= wanted <= self._position + SKIP or stop > self._end:
            self._source = self._pictures.read(wanted, end)
            self._position, self._end = wanted, end
        while self._position < stop:
            rgb = next(self._source)
            if self._position >= wanted:
                self._frames[self._position] = load(
                    self._position, rgb, self._hole, self._no_source, self._rim
                )
            self._position += 1


def load(
    index: int,
    rgb: RGB,
    hole: Callable[[int], Mask],
    no_source: Callable[[int], Mask] | None = None,
    rim: Callable[[int], Mask] | None = None,
) -> Frame:
    """A frame from its picture, its hole, what else of it is no source, and the hole's rim."""
    missing = hole(index).astype(np.uint8) * np.uint8(255)
    barred = missing
    if rim is not None:
        barred = np.where(rim(index), np.uint8(0), barred)
    if no_source is not None:
        barred = barred | no_source(index).astype(np.uint8) * np.uint8(255)
    return Frame(index, rgb, missing, barred)
