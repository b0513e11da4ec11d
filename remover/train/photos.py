"""Clips from photographs: a view that moves over one, with pieces of others moving before it.

What is behind the pieces is known. A photograph is seen either in training or in held-out clips,
never in both.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from remover.errors import InputError
from remover.train.clips import Clip, Masks, UnusableClip, chosen, own_generator
from remover.train.folders import held_out_of, pictures_in
from remover.train.scenes import Scene, backdrop, before, masks, room_of, scene
from remover.train.settings import Data
from remover.train.textures import Picture, texture
from remover.types import Size

KEPT = 4
"""Photographs that are kept in memory."""

LARGEST = 2400
"""Sides that photographs are brought down to, in pixels."""

TEXTURED = 0.3
"""Share of pieces that are made-up textures and not parts of other photographs."""


class Photos:
    """Clips over the photographs of a folder, each with its true background."""

    def __init__(self, data: Data, seed: int) -> None:
        """List the folder; nothing is read yet.

        Raises:
            InputError: It is missing, or has no photographs.
        """
        if not data.folder:
            raise InputError(
                "`data.folder` names no folder of photographs",
                hint="set it, as --set data.folder=photos",
            )
        folder = Path(data.folder)
        self._data, self._seed = data, seed
        self.paths = pictures_in(folder)
        self.held_out = chosen(data.clips, data.held_out)
        names = tuple(str(path.relative_to(folder).with_suffix("")) for path in self.paths)
        share = round(len(names) * len(self.held_out) / data.clips)
        kept = held_out_of(folder, names, max(1, share) if self.held_out else 0)
        every = range(len(names))
        self.held_out_photos = tuple(i for i in every if i in kept) or tuple(every)
        self.training_photos = tuple(i for i in every if i not in kept) or tuple(every)

    def __len__(self) -> int:
        """How many clips there are."""
        return self._data.clips

    @property
    def masked(self) -> tuple[int, ...]:
        """All clips have masks."""
        return tuple(range(self._data.clips))

    def clip(self, index: int) -> Clip:
        """Clip ``index``, with all that is known of it.

        Raises:
            UnusableClip: Its photograph cannot be read.
        """
        plan = self._scene(index)
        rng = own_generator(self._seed, index, 1)
        group = self.held_out_photos if index in self.held_out else self.training_photos
        path = self.paths[group[self._turn(index, len(group))]]
        ground = part_of(rng, photo(path), room_of(plan.size))
        background = backdrop(ground, plan)

        def piece(rng: np.random.Generator, size: Size) -> Picture:
            if rng.random() < TEXTURED:
                return texture(rng, size)
            try:
                return part_of(rng, self._any(rng, group), size)
            except UnusableClip:  # it is named where it is the ground
                return texture(rng, size)

        video = before(rng, background, plan, piece)
        return Clip(f"photos-{index:05d}-{path.stem}", video, self.own(index), background)

    def own(self, index: int) -> Masks:
        """Where the objects of clip ``index`` are."""
        plan = self._scene(index)
        return masks(plan.shapes, self._data.frames, plan.size)

    def _turn(self, index: int, count: int) -> int:
        """Which of ``count`` photographs a clip takes; all are taken before any is again."""
        is_held = index in self.held_out
        rank = sum((other in self.held_out) == is_held for other in range(index))
        rounds, place = divmod(rank, count)
        return int(own_generator(self._seed, rounds, 2).permutation(count)[place])

    def _any(self, rng: np.random.Generator, group: Sequence[int]) -> Picture:
        return photo(self.paths[group[int(rng.integers(len(group)))]])

    def _scene(self, index: int) -> Scene:
        size = Size(*self._data.sizes[index % len(self._data.sizes)])
        return scene(own_generator(self._seed, index, 0), self._data.frames, size)


@lru_cache(maxsize=KEPT)
def photo(path: Path) -> Picture:
    """A photograph (H, W, 3), R'G'B', at most ``LARGEST`` on a side.

    Raises:
        UnusableClip: It cannot be read.
    """
    try:
        raw = np.fromfile(path, np.uint8)
    except OSError as error:
        raise UnusableClip(path.name, f"it cannot be read: {error.strerror}") from error
    found = cv2.imdecode(raw, cv2.IMREAD_COLOR_RGB) if raw.size else None
    if found is None:
        raise UnusableClip(path.name, "it is no picture that can be read")
    scale = LARGEST / max(found.shape[:2])
    if scale < 1:
        found = cv2.resize(found, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(found, np.uint8)


def part_of(rng: np.random.Generator, picture: Picture, size: Size) -> Picture:
    """A part of a picture of the shape of ``size``, at that size, half of the time mirrored.

    It shows between a third of what fits and all of it, but is not enlarged where that can be
    helped.
    """
    height, width = picture.shape[:2]
    whole = min(height / size.height, width / size.width)
    scale = min(whole, max(1.0, whole * rng.uniform(1 / 3, 1)))
    rows = min(height, max(1, round(size.height * scale)))
    columns = min(width, max(1, round(size.width * scale)))
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
    part = picture[top : top + rows, left : left + columns]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    way = cv2.INTER_AREA if scale > 1 else cv2.INTER_CUBIC
    made = cv2.resize(np.ascontiguousarray(part), (size.width, size.height), interpolation=way)
    return np.asarray(made, np.uint8)
