"""A user's own masks: an image, a folder of images or a video, in and out."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from remover import video
from remover.errors import InputError
from remover.files import from_os_error, reason_of
from remover.geometry import shown_size, to_coded_mask, to_shown_mask
from remover.segment.store import MaskStore
from remover.types import Mask, Size, VideoInfo
from remover.video import natural_key

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
"""Still images that a mask may be, lower case."""

_FOR = {"--mask": " to remove", "--keep": " to keep", "--no-source": " that is no source"}
"""What the masks of a flag mark."""

MIN_DIGITS = 5
"""Least number of digits in the names of written masks, so that folders of one project agree."""


def load_masks(
    path: Path,
    info: VideoInfo,
    num_frames: int,
    store: MaskStore,
    *,
    object_id: int,
    invert: bool,
    first: int,
    stop: int,
    flag: str = "--mask",
) -> None:
    """Put a user's masks of the frames ``first`` to ``stop`` (half open) into ``store``.

    An image holds for every frame; a folder or a video has one mask for each frame of the whole
    clip. The masks are added to what the store holds. ``flag`` is how the user gave the path.

    Raises:
        InputError: A file is missing or unreadable, a size or count differs, nothing is marked.
    """
    if not path.exists():
        raise InputError(f"mask `{path}` does not exist", hint=f"check the path of `{flag}`")
    if path.is_dir() or path.suffix.lower() not in IMAGE_SUFFIXES:
        masks = _folder_masks(path, info, num_frames) if path.is_dir() else _video_masks(path, info)
        sided = (mask ^ invert for mask in masks)
        count, total = _put_all(sided, store, object_id, first, stop)
        if count != num_frames:
            raise _other_count(path, count, info, num_frames, "frames")
    else:
        mask = read_mask_image(path, info, flag) ^ invert
        total = int(mask.sum())
        for index in range(first, stop) if total else ():
            _add(store, index, mask, object_id)
    if total == 0:
        raise _empty(path, first, stop, num_frames, flag)


def read_mask_image(path: Path, info: VideoInfo, flag: str = "--mask") -> Mask:
    """Read a PNG or JPEG of the shown or the coded size as a mask (H, W) of the coded size.

    Inside is: any channel above the middle; where the picture is transparent in parts, opaque
    pixels; in a palette image with colours, every index but the first.

    Raises:
        InputError: The file cannot be read or has another size.
    """
    return _fit(_decode(path, flag), path, info)


def write_mask_folder(
    masks: Iterable[Mask], folder: Path, info: VideoInfo, num_frames: int
) -> None:
    """Write 0/255 PNGs of the shown size, one for each mask, named by zero-padded frame index.

    Args:
        masks: Masks (H, W) of the coded size, in order, the empty ones too.
        folder: An existing folder that nobody else reads yet; the caller publishes it.
        info: The video that the masks belong to.
        num_frames: How many masks there are, for the width of the names.

    Raises:
        OutputError: A file cannot be written.
    """
    digits = max(MIN_DIGITS, len(str(max(0, num_frames - 1))))
    for index, mask in enumerate(masks):
        picture = to_shown_mask(mask, info).astype(np.uint8) * 255
        target = folder / f"{index:0{digits}d}.png"
        is_coded, coded = cv2.imencode(".png", picture)
        try:
            target.write_bytes(coded.tobytes() if is_coded else b"")
        except OSError as error:
            raise from_os_error(error, Path(target.name)) from error


def _put_all(
    masks: Iterator[Mask], store: MaskStore, object_id: int, first: int, stop: int
) -> tuple[int, int]:
    """Put a stream of masks; return how many came and how many pixels were marked."""
    total = count = 0
    for index, mask in enumerate(masks):
        count = index + 1
        if first <= index < stop:
            total += int(mask.sum())
            _add(store, index, mask, object_id)
    return count, total


def _add(store: MaskStore, index: int, mask: Mask, object_id: int) -> None:
    labels = store.get(index)
    labels[mask] = object_id
    store.put(index, labels)


def _folder_masks(folder: Path, info: VideoInfo, num_frames: int) -> Iterator[Mask]:
    try:
        inner = list(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"the folder `{folder}` cannot be read: {reason_of(error)}",
            hint="check that it is there and who may read it",
        ) from error
    files = sorted(
        (
            file
            for file in inner
            if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")
        ),
        key=lambda file: natural_key(file.name),
    )
    if not files:
        raise InputError(
            f"`{folder}/` has no PNG or JPEG images",
            hint="a mask folder holds one image for each frame, named in order",
        )
    if len(files) != num_frames:
        raise _other_count(folder, len(files), info, num_frames, "images")
    for file in files:
        yield read_mask_image(file, info)


def _video_masks(path: Path, info: VideoInfo) -> Iterator[Mask]:
    for gray in video.read_gray(path):
        yield _fit(gray > 127, path, info)


def _fit(mask: Mask, path: Path, info: VideoInfo) -> Mask:
    try:
        return to_coded_mask(mask, info)
    except ValueError:
        height, width = mask.shape
        shown = shown_size(info)
        sizes = f"{shown}" if shown == info.size else f"{shown} (shown) or {info.size} (coded)"
        raise InputError(
            f"mask `{path}` is {Size(height, width)} and `{info.path.name}` is {sizes}",
            hint=f"make the mask {shown}, the size at which a player shows the video",
        ) from None


def _other_count(path: Path, count: int, info: VideoInfo, num_frames: int, unit: str) -> InputError:
    name = f"{path}/" if path.is_dir() else f"{path}"
    return InputError(
        f"`{name}` has {count} {unit} and `{info.path.name}` has {num_frames} frames",
        hint="give one mask for each frame of the whole clip, also with `--start` or `--end`; "
        "a single image holds for every frame",
    )


def _empty(path: Path, first: int, stop: int, num_frames: int, flag: str) -> InputError:
    where = "" if (first, stop) == (0, num_frames) else f" on frames `{first}` to `{stop - 1}`"
    return InputError(
        f"mask `{path}` is empty{where}: it marks nothing{_FOR[flag]}",
        hint="inside is white (above 127 of 255)"
        + ("; `--invert-mask` swaps inside and outside" if flag == "--mask" else ""),
    )


def _decode(path: Path, flag: str) -> Mask:
    """Decode an image file to a mask (H, W) of its own size."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read mask `{path}`: {error.strerror}", hint=f"check the path of `{flag}`"
        ) from error
    picture = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED) if raw else None
    if picture is None:
        raise InputError(
            f"mask `{path}` is not a readable PNG or JPEG image",
            hint="write it again as an 8-bit PNG",
        )
    levels = picture if picture.ndim == 3 else picture[..., None]
    if levels.dtype == np.uint16:
        return _inside(levels.astype(np.uint16), _palette_ground(raw))
    return _inside(levels.astype(np.uint8), _palette_ground(raw))


def _inside(
    levels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], ground: npt.NDArray[np.uint8] | None
) -> Mask:
    """Decide for each pixel of (H, W, channels) levels whether it is inside the mask.

    Args:
        levels: Gray, gray and alpha, BGR or BGRA.
        ground: The BGR colour of a palette's first entry where the palette has colours.
    """
    limit = np.iinfo(levels.dtype).max // 2
    has_alpha = levels.shape[2] in (2, 4)
    colours = levels[..., :-1] if has_alpha else levels
    if ground is not None:
        inside = np.asarray((colours[..., :3] != ground).any(axis=2))
    else:
        inside = np.asarray((colours > limit).any(axis=2))
    if not has_alpha:
        return inside
    alpha = levels[..., -1]
    if alpha.min() == alpha.max():
        return inside
    opaque = np.asarray(alpha > limit)
    # A cut-out of one flat colour, black ink as often as white, says all in its transparency.
    drawn = inside[opaque]
    return opaque if drawn.size == 0 or drawn.all() or not drawn.any() else opaque & inside


def _palette_ground(raw: bytes) -> npt.NDArray[np.uint8] | None:
    """The first colour (BGR) of a palette PNG, None for other images and palettes of grays."""
    is_palette_png = raw[:8] == b"\x89PNG\r\n\x1a\n" and raw[25:26] == b"\x03"
    start = raw.find(b"PLTE")
    if not is_palette_png or start < 0:
        return None
    length = int.from_bytes(raw[start - 4 : start], "big")
    palette = np.frombuffer(raw[start + 4 : start + 4 + length], np.uint8).reshape(-1, 3)
    is_gray = bool((palette == palette[:, :1]).all())
    return None if is_gray else np.ascontiguousarray(palette[0, ::-1])
