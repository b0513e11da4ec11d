"""Which part of a training clip is to be filled: unrelated masks, own ones, and made-up shapes.

The paper takes 90 % of its masks from other videos (the fill is then what the clip itself shows)
and 10 % from an object of the clip (the network is then told to generate). Everything here is a
pure function of a generator.

Legend: ``T H W`` frames and pixels.
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from remover import masks as outlines
from remover.models.dit import Contrast
from remover.train.clips import Clip, Masks, UnusableClip
from remover.train.scenes import masks as drawn_masks
from remover.train.scenes import shape
from remover.train.settings import GROUP, Data
from remover.types import Size

LEAST, MOST = 0.01, 0.6
"""Share of a clip that an unrelated mask covers."""

LEAST_OWN = 0.001
"""Share of a clip that an own mask covers; with less, another is taken."""

TRIES = 8
"""Masks that are tried before one is made up."""


class Pool(Protocol):
    """Masks of other videos, by number."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def read(self, number: int) -> Masks | None:
        """Mask ``number``, (T, H, W) of any size.

        Raises:
            UnusableClip: It cannot be read.
        """
        ...

    def belongs_to(self, number: int) -> int | None:
        """The training clip that mask ``number`` belongs to, if it is one's."""
        ...


@dataclass(frozen=True, slots=True)
class Drawn:
    """A mask for one sample."""

    hole: Masks
    """(T, H, W)."""
    contrast: Contrast


def drawn(
    rng: np.random.Generator,
    clip: Clip,
    index: int,
    pool: Pool,
    data: Data,
    *,
    own: float,
    leading: float,
) -> Drawn:
    """A mask for a clip, grown at random, its first frames emptied now and then.

    Args:
        rng: Where it is drawn from.
        clip: Whose.
        index: The clip's number, so that the unrelated mask is another's.
        pool: Masks of other videos; it may be empty.
        data: How far masks are grown, and how many frames are emptied at most.
        own: How often the clip's own mask is taken, where it has one.
        leading: How often the first frames are emptied.
    """
    frames, size = len(clip.frames), Size(*clip.frames.shape[1:3])
    takes_own = rng.random() < own and clip.own is not None and clip.own.mean() >= LEAST_OWN
    if takes_own and clip.own is not None:
        hole, contrast = clip.own, Contrast.GENERATE
    else:
        hole, contrast = unrelated(rng, pool, index, frames, size), Contrast.REMOVE
    hole = grown(hole, int(rng.integers(data.dilate[0], data.dilate[1] + 1)))
    count = leading_frames(rng, min(data.leading_frames, frames - GROUP))
    if rng.random() < leading:
        hole = emptied(hole, count)
    return Drawn(hole, contrast)


def unrelated(
    rng: np.random.Generator, pool: Pool, index: int | None, frames: int, size: Size
) -> Masks:
    """A mask of another video put onto this one, neither nearly empty nor nearly everything.

    Args:
        rng: Where it is drawn from.
        pool: Masks of other videos.
        index: The clip that it goes onto, whose own masks are passed over.
        frames: How many.
        size: Of the clip.
    """
    for _ in range(TRIES if len(pool) else 0):
        number = int(rng.integers(len(pool)))
        if index is not None and pool.belongs_to(number) == index:
            continue
        try:
            found = pool.read(number)
        except UnusableClip:
            continue
        if found is None:
            continue
        hole = placed(rng, found, frames, size)
        if LEAST <= hole.mean() <= MOST:
            return hole
    return made_up(rng, frames, size)


def made_up(rng: np.random.Generator, frames: int, size: Size) -> Masks:
    """One to three shapes that move, as a mask of sound size."""
    while True:
        count = int(rng.integers(1, 4))
        shapes = tuple(shape(rng, frames, size, (0.12, 0.35)) for _ in range(count))
        hole = drawn_masks(shapes, frames, size)
        if LEAST <= hole.mean() <= MOST:
            return hole


def placed(rng: np.random.Generator, mask: Masks, frames: int, size: Size) -> Masks:
    """A mask (T, H, W) of another video at a place, a size and a side drawn at random.

    It may run backwards; one that is too short runs to and fro.
    """
    order = np.arange(frames) % max(1, 2 * len(mask) - 2)
    order = np.where(order < len(mask), order, 2 * len(mask) - 2 - order)
    if rng.random() < 0.5:
        order = order[::-1]
    height, width = mask.shape[1:]
    scale = rng.uniform(0.7, 1.3) * max(size.height / height, size.width / width)
    mirror = -1 if rng.random() < 0.5 else 1
    shift = rng.uniform(-0.25, 0.25, 2) * (size.width, size.height)
    middle = np.array([size.width, size.height]) / 2 + shift
    path = np.array(
        [
            [mirror * scale, 0, middle[0] - mirror * scale * width / 2],
            [0, scale, middle[1] - scale * height / 2],
        ]
    )
    hole = np.empty((frames, *size), bool)
    for number, taken in enumerate(order):
        levels = mask[taken].astype(np.uint8)
        hole[number] = cv2.warpAffine(levels, path, (size.width, size.height), flags=0) > 0
    return hole


def grown(hole: Masks, radius: int) -> Masks:
    """A mask grown by ``radius`` pixels on each frame."""
    if radius == 0:
        return hole
    return np.stack([outlines.dilate(frame, radius) for frame in hole])


def leading_frames(rng: np.random.Generator, most: int) -> int:
    """How many first frames to empty: 1 + 4k, at most ``most``; 0 where there is no room."""
    return 1 + GROUP * int(rng.integers((most - 1) // GROUP + 1)) if most >= 1 else 0


def emptied(hole: Masks, count: int) -> Masks:
    """A mask without its first ``count`` frames; as it was if that left nothing of it."""
    if not hole[count:].any():
        return hole
    rest = hole.copy()
    rest[:count] = False
    return rest
