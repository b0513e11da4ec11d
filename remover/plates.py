"""Clean plates and painted frames as a user brings them: image files in, coded pictures out."""

from pathlib import Path
from typing import cast

import cv2
import numpy as np

from remover.errors import InputError
from remover.geometry import is_coded, shown_size, turn_back
from remover.types import RGB, Mask, Plate, Size, VideoInfo


def read_plate(path: Path, info: VideoInfo, index: int) -> Plate:
    """Read a picture of the shown or the coded size that shows frame ``index``.

    What is less than half opaque says nothing.

    Args:
        path: A PNG, JPEG or TIFF of 8 or 16 bits, gray or in colour, with alpha or without.
        info: The video; the plate gets its depth.
        index: The frame.

    Raises:
        InputError: The file cannot be read, has another size, or says nothing.
    """
    rgb, alpha = _decoded(path)
    if not alpha.any():
        raise InputError(
            f"plate `{path}` is transparent everywhere, so it shows nothing",
            hint="let the parts that show the background be opaque",
        )
    rgb, alpha = _coded(rgb, alpha, path, info)
    return Plate(index, _deepened(rgb, 8 if info.layout.bit_depth == 8 else 16), alpha)


def _decoded(path: Path) -> tuple[RGB, Mask]:
    """The picture (H, W, 3) and where it is opaque (H, W), in the file's own size and depth."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise InputError(
            f"cannot read plate `{path}`: {reason}", hint="check the path of `--plate`"
        ) from error
    picture = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_UNCHANGED) if raw else None
    if picture is None or picture.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"plate `{path}` is not a readable PNG, JPEG or TIFF image of 8 or 16 bits",
            hint="write it again as a PNG",
        )
    levels = cast(RGB, picture if picture.ndim == 3 else picture[..., None])
    channels = levels.shape[2]
    colours = levels[..., 2::-1] if channels >= 3 else levels[..., :1].repeat(3, axis=2)
    is_opaque: Mask = np.ones(levels.shape[:2], np.bool_)
    if channels in (2, 4):
        is_opaque = levels[..., -1] > np.iinfo(levels.dtype).max // 2
    return cast(RGB, np.ascontiguousarray(colours)), is_opaque


def _coded(rgb: RGB, alpha: Mask, path: Path, info: VideoInfo) -> tuple[RGB, Mask]:
    """Both turned and stretched back to the coded size."""
    size, shown = Size(*alpha.shape), shown_size(info)
    if is_coded(size, info):
        return rgb, alpha
    if size != shown:
        sizes = f"{shown}" if shown == info.size else f"{shown} (shown) or {info.size} (coded)"
        raise InputError(
            f"plate `{path}` is {size} and `{info.path.name}` is {sizes}",
            hint=f"make the plate {shown}, the size at which a player shows the video",
        )
    upright = np.ascontiguousarray(turn_back(rgb, info.orientation))
    opaque = np.ascontiguousarray(turn_back(alpha.astype(np.uint8), info.orientation))
    wanted = (info.size.width, info.size.height)
    is_smaller = upright.shape[1] > info.size.width
    how = cv2.INTER_AREA if is_smaller else cv2.INTER_CUBIC
    picture = cast(RGB, cv2.resize(upright, wanted, interpolation=how))
    mask = cv2.resize(opaque, wanted, interpolation=cv2.INTER_NEAREST)
    return picture, np.asarray(mask, np.bool_)


def _deepened(rgb: RGB, depth: int) -> RGB:
    """The picture with samples of ``depth`` bits, 8 or 16."""
    if rgb.dtype == np.uint8:
        return rgb if depth == 8 else rgb.astype(np.uint16) * np.uint16(257)
    return rgb if depth == 16 else np.asarray((rgb.astype(np.uint32) + 128) // 257, np.uint8)
