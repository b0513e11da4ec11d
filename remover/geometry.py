"""Between the picture as a player shows it and the coded picture; pure.

A player mirrors and turns the coded picture as its display matrix says and stretches its width
by the sample aspect ratio. Points are continuous: (0, 0) is the picture's top left corner and
(width, height) its bottom right one.
"""

import numpy as np
import numpy.typing as npt

from remover.types import Mask, Orientation, Size, VideoInfo


def shown_size(info: VideoInfo) -> Size:
    """The size at which a player shows the picture."""
    width = max(1, round(info.size.width * info.sample_aspect))
    size = Size(info.size.height, width)
    return Size(size.width, size.height) if info.orientation.clockwise in (90, 270) else size


def to_coded_point(x: float, y: float, info: VideoInfo) -> tuple[float, float]:
    """The coded (x, y) of a shown point."""
    shown = shown_size(info)
    u, v = x / shown.width, y / shown.height
    turned = {0: (u, v), 90: (v, 1 - u), 180: (1 - u, 1 - v), 270: (1 - v, u)}
    u, v = turned[info.orientation.clockwise]
    if info.orientation.hflip:
        u = 1 - u
    return u * info.size.width, v * info.size.height


def to_shown_point(x: float, y: float, info: VideoInfo) -> tuple[float, float]:
    """The shown (x, y) of a coded point; the inverse of ``to_coded_point``."""
    shown = shown_size(info)
    u, v = x / info.size.width, y / info.size.height
    if info.orientation.hflip:
        u = 1 - u
    turned = {0: (u, v), 90: (1 - v, u), 180: (1 - u, 1 - v), 270: (v, 1 - u)}
    u, v = turned[info.orientation.clockwise]
    return u * shown.width, v * shown.height


def to_coded_box(
    x: float, y: float, width: float, height: float, info: VideoInfo
) -> tuple[float, float, float, float]:
    """Coded (left, top, right, bottom) of a shown box, not cut to the picture."""
    ax, ay = to_coded_point(x, y, info)
    bx, by = to_coded_point(x + width, y + height, info)
    return min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)


def turn(picture: npt.NDArray[np.generic], orientation: Orientation) -> npt.NDArray[np.generic]:
    """The coded array (H, W, ...) turned as a player shows it, not stretched."""
    if orientation.hflip:
        picture = picture[:, ::-1]
    return np.rot90(picture, k=-orientation.clockwise // 90)


def turn_back(
    picture: npt.NDArray[np.generic], orientation: Orientation
) -> npt.NDArray[np.generic]:
    """The inverse of ``turn``."""
    picture = np.rot90(picture, k=orientation.clockwise // 90)
    return picture[:, ::-1] if orientation.hflip else picture


def _nearest(picture: npt.NDArray[np.generic], size: Size) -> npt.NDArray[np.generic]:
    """Resize (H, W, ...) by nearest samples, pixel centres aligned."""
    height, width = picture.shape[:2]
    rows = ((np.arange(size.height) + 0.5) * height / size.height).astype(np.intp)
    columns = ((np.arange(size.width) + 0.5) * width / size.width).astype(np.intp)
    return np.asarray(picture[rows][:, columns])


def to_shown_mask(mask: Mask, info: VideoInfo) -> Mask:
    """A coded mask (H, W) at the shown size."""
    return to_shown(mask, info).astype(bool, copy=False)


def to_shown(picture: npt.NDArray[np.generic], info: VideoInfo) -> npt.NDArray[np.generic]:
    """A coded array (H, W, ...) at the shown size, by nearest samples."""
    return np.ascontiguousarray(_nearest(turn(picture, info.orientation), shown_size(info)))


def to_coded_mask(mask: Mask, info: VideoInfo) -> Mask:
    """A mask of the shown size at the coded size; one that is coded already is returned as is.

    Raises:
        ValueError: The mask has neither size.
    """
    size = Size(*mask.shape)
    if is_coded(size, info):
        return mask
    if size != shown_size(info):
        raise ValueError(f"{size} is neither {shown_size(info)} nor {info.size}")
    upright = Size(*turn(np.empty((*info.size, 0)), info.orientation).shape[:2])
    return np.ascontiguousarray(turn_back(_nearest(mask, upright), info.orientation)).astype(bool)


def is_coded(size: Size, info: VideoInfo) -> bool:
    """Whether a user's picture of ``size`` is a coded one; where both are equal, it is shown."""
    is_upright = info.orientation == Orientation()
    return size == info.size and (is_upright or size != shown_size(info))
