"""Training clips from video files and image sequences, with or without masks.

A training clip is a run of frames at a place drawn at random, cut to the shape of one of the sizes
and brought to it. Frames are decoded one after another and let go of; cuts are avoided.

Legend: ``T H W`` frames and pixels.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from remover import pixels
from remover.errors import InputError
from remover.geometry import shown_size, to_coded_mask, turn
from remover.segment.files import IMAGE_SUFFIXES, read_mask_image
from remover.shots import ShotFinder
from remover.train.clips import Clip, Masks, UnusableClip, own_generator
from remover.train.folders import Entry, clips_in, held_out_of, masks_in
from remover.train.settings import Data
from remover.types import RGB, Mask, Size, VideoInfo
from remover.video import Frame, look_at, natural_key, read_gray, reader_of

TRIES = 4
"""Places that are tried before a clip is given up for its cuts."""

ENLARGED = 1.05
"""Most that a picture is enlarged where some size needs less."""

SQUEEZED = 1.12
"""How much further than the best one a size may be from a clip's aspect."""

CLIP, _POOL = 3, 4
"""Tell the draws of places apart."""


class Footage:
    """The clips of a folder; see ``folders`` for what lies in it."""

    def __init__(self, data: Data, seed: int) -> None:
        """List the folder.

        Raises:
            InputError: It is missing, or has no clips.
        """
        if not data.folder:
            raise InputError(
                "`data.folder` names no folder of clips",
                hint="set it, as --set data.folder=clips, or take clips that need none: "
                "--set data.source=procedural",
            )
        folder = Path(data.folder)
        self._data, self._seed = data, seed
        self.entries = clips_in(folder)
        names = tuple(entry.name for entry in self.entries)
        self.held_out = held_out_of(folder, names, data.held_out)

    def __len__(self) -> int:
        """How many clips there are, usable or not."""
        return len(self.entries)

    @property
    def masked(self) -> tuple[int, ...]:
        """The clips that have masks."""
        return tuple(i for i, entry in enumerate(self.entries) if entry.masks is not None)

    def clip(self, index: int) -> Clip:
        """Clip ``index``.

        Raises:
            UnusableClip: It is damaged, too short, full of cuts, or does not fit its masks.
        """
        entry = self.entries[index]
        rng = own_generator(self._seed, CLIP, index)
        try:
            return _taken(entry, self._data, rng)
        except InputError as error:
            raise UnusableClip(entry.name, error.message) from error

    def own(self, index: int) -> Masks | None:
        """The mask of clip ``index`` at some place of it.

        Raises:
            UnusableClip: It cannot be read, or is too short.
        """
        masks = self.entries[index].masks
        return None if masks is None else mask_alone(masks, self._data, self._seed, index)


class MaskFolder:
    """Masks of other videos, from the folder that ``data.masks`` names."""

    def __init__(self, data: Data, seed: int) -> None:
        """List the folder.

        Raises:
            InputError: It is missing, or has no masks.
        """
        self._data, self._seed = data, seed
        self.entries = masks_in(Path(data.masks))

    def __len__(self) -> int:
        """How many there are."""
        return len(self.entries)

    def read(self, number: int) -> Masks:
        """Mask ``number``, (T, H, W).

        Raises:
            UnusableClip: It cannot be read.
        """
        return mask_alone(self.entries[number].video, self._data, self._seed, number)

    def belongs_to(self, _number: int) -> None:
        """None is a training clip's."""
        return


def _taken(entry: Entry, data: Data, rng: np.random.Generator) -> Clip:
    """A run of frames without a cut, and their masks.

    Raises:
        InputError: A file cannot be read, or the masks do not fit.
        UnusableClip: It is too short, interlaced, damaged, or has too many cuts.
    """
    info = look_at(entry.video)
    if info.interlaced:
        raise UnusableClip(entry.name, "it is interlaced; make it progressive first")
    size = bucket(shown_size(info), data.sizes, rng)
    span = (data.frames - 1) * data.stride + 1
    total = info.num_frames_hint
    start = int(rng.integers(total - span + 1)) if total >= span else 0
    for _ in range(TRIES):
        frames, cut, seen = _run(entry.name, info, start, span, data.stride, size)
        if len(frames) < data.frames:
            total = start + seen
            if total < span:
                raise UnusableClip(entry.name, f"it has {total} frames, and {span} are needed")
            start = int(rng.integers(total - span + 1))
        elif cut is None:
            own = None if entry.masks is None else _own(entry, info, start, data, size)
            return Clip(entry.name, np.stack(frames), own, None)
        else:
            start += cut if total - start - cut >= span or start + cut < span else cut - span
    raise UnusableClip(entry.name, f"no {span} frames without a cut were found")


def _run(
    name: str, info: VideoInfo, start: int, span: int, stride: int, size: Size
) -> tuple[list[RGB], int | None, int]:
    """Every ``stride``-th of ``span`` frames from ``start`` on, brought to ``size``.

    Returns:
        The frames that there are, how far from ``start`` the first cut is, and how many of the
        ``span`` frames there are (less than 0 where the video ends before ``start``).

    Raises:
        InputError: It cannot be read.
        UnusableClip: A frame is damaged.
    """
    finder, frames, seen = ShotFinder(), list[RGB](), 0
    for number, frame in _frames(info, start, span):
        seen = number + 1 - start
        if number < start:
            continue
        if getattr(frame.native, "is_corrupt", False):
            raise UnusableClip(name, f"frame {number} is damaged")
        picture = eight_bits(pixels.shown(frame.planes, info.layout, info.colour))
        finder.push(picture)
        if (number - start) % stride == 0:
            frames.append(fitted(turn(picture, info.orientation), shown_size(info), size))
        if seen == span:
            break
    shots = finder.finish()
    return frames, shots[1].start if len(shots) > 1 else None, seen


def _frames(info: VideoInfo, start: int, span: int) -> Iterator[tuple[int, Frame]]:
    """The frames of a video up to ``start + span``, numbered; of pictures only the wanted ones."""
    if not info.pictures:
        yield from enumerate(islice(reader_of(info).scan(), start + span))
        return
    part = replace(info, pictures=info.pictures[start : start + span])
    yield from enumerate(reader_of(part).scan(), start)


def _own(entry: Entry, info: VideoInfo, start: int, data: Data, size: Size) -> Masks:
    """The masks of the frames that were taken, (T, H, W).

    Raises:
        InputError: They cannot be read.
        UnusableClip: They are too few, or of another size.
    """
    stop = start + (data.frames - 1) * data.stride + 1
    found = []
    for mask in islice(own_masks(entry, info, start), 0, stop - start, data.stride):
        levels = turn(mask.astype(np.uint8) * np.uint8(255), info.orientation)
        found.append(fitted(levels, shown_size(info), size) > 0)
    if len(found) < data.frames:
        raise UnusableClip(entry.name, f"its masks end before frame {stop - 1}")
    return np.stack(found)


def own_masks(entry: Entry, info: VideoInfo, start: int = 0) -> Iterator[Mask]:
    """The masks of a clip that has some, from ``start`` on, each (H, W) of the coded size.

    Raises:
        InputError: One cannot be read.
        UnusableClip: One has another size.
    """
    assert entry.masks is not None
    if entry.masks.is_dir():
        for picture in mask_pictures(entry.masks)[start:]:
            yield read_mask_image(picture, info)
        return
    for gray in islice(read_gray(entry.masks), start, None):
        try:
            yield to_coded_mask(gray > 127, info)
        except ValueError:
            sizes = f"{Size(*gray.shape)}, and it is {shown_size(info)}"
            raise UnusableClip(entry.name, f"its mask is {sizes}") from None


def mask_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder of masks, in order."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES]
    return sorted(found, key=lambda path: natural_key(path.name))


def mask_alone(path: Path, data: Data, seed: int, number: int) -> Masks:
    """A mask video, or a folder of masks, without a video that it belongs to.

    Args:
        path: Where it lies.
        data: How many frames, and how far apart; fewer are given where there are no more.
        seed: Of the run.
        number: Of the mask; it decides the place with the seed.

    Returns:
        (T, H, W), at most as high as the highest of the sizes.

    Raises:
        UnusableClip: It cannot be read.
    """
    span = (data.frames - 1) * data.stride + 1
    most = max(height for height, _ in data.sizes)
    try:
        info = look_at(path)
        rng = own_generator(seed, _POOL, number)
        start = int(rng.integers(max(0, info.num_frames_hint - span) + 1))
        masks = own_masks(Entry(path.name, path, path), info, start)
        found = [
            _lowered(turn(mask, info.orientation), most)
            for mask in islice(masks, 0, span, data.stride)
        ]
    except InputError as error:
        raise UnusableClip(path.name, error.message) from error
    if not found:
        raise UnusableClip(path.name, "it has fewer frames than it says")
    return np.stack(found)


def _lowered(mask: npt.NDArray[np.generic], most: int) -> Mask:
    """A mask (H, W), brought to a height of ``most`` if it is higher."""
    levels = np.ascontiguousarray(mask).astype(np.uint8) * np.uint8(255)
    height, width = levels.shape
    if height > most:
        size = max(1, round(width * most / height)), most
        return np.asarray(cv2.resize(levels, size, interpolation=cv2.INTER_AREA) > 127)
    return levels > 127


def eight_bits(picture: RGB) -> npt.NDArray[np.uint8]:
    """A picture with 255 as white."""
    if picture.dtype == np.uint8:
        return np.asarray(picture, np.uint8)
    return np.asarray((picture.astype(np.uint32) + 128) // 257, np.uint8)


def bucket(shown: Size, sizes: tuple[tuple[int, int], ...], rng: np.random.Generator) -> Size:
    """The size that a clip is brought to.

    Of the sizes whose shape is nearest to the clip's, one that it need not be enlarged for is drawn
    at random (the paper draws its sizes); where all are larger, the smallest is taken.
    """

    def squeeze(size: tuple[int, int]) -> float:
        ratio = (shown.width / shown.height) / (size[1] / size[0])
        return max(ratio, 1 / ratio)

    best = min(squeeze(size) for size in sizes)
    near = [size for size in sizes if squeeze(size) <= best * SQUEEZED]
    fits = [size for size in near if max(size[0] / shown.height, size[1] / shown.width) <= ENLARGED]
    drawn = fits[int(rng.integers(len(fits)))] if fits else min(near)
    return Size(*drawn)


def fitted(picture: npt.NDArray[np.generic], shown: Size, size: Size) -> npt.NDArray[np.uint8]:
    """The middle of a picture, as much as has the shape of ``size``, at that size.

    Args:
        picture: (H, W, ...), turned as a player shows it, but not stretched.
        shown: The size at which a player shows it.
        size: What it is brought to.
    """
    height, width = picture.shape[:2]
    scale = min(shown.height / size.height, shown.width / size.width)
    rows = min(height, max(1, round(size.height * scale * height / shown.height)))
    columns = min(width, max(1, round(size.width * scale * width / shown.width)))
    top, left = (height - rows) // 2, (width - columns) // 2
    part = np.ascontiguousarray(picture[top : top + rows, left : left + columns])
    if part.shape[:2] == tuple(size):
        return np.asarray(part, np.uint8)
    shrinks = rows >= size.height and columns >= size.width
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(part, (size.width, size.height), interpolation=way), np.uint8)
