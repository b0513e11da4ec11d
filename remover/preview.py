"""The contact sheet: masks drawn on pictures, to be looked at before the long work."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from remover.errors import OutputError
from remover.geometry import shown_size, to_shown_mask, turn
from remover.marking import OPACITY, Tint, Verdict, captioned
from remover.types import RGB, Mask, VideoInfo

TILE_WIDTH = 480
COLUMNS = 3
MOST_TILES = 12

REMOVED: Tint = (255.0, 40.0, 160.0)
KEPT: Tint = (40.0, 220.0, 90.0)
NO_SOURCE: Tint = (50.0, 120.0, 255.0)
SHADOW: Tint = (255.0, 150.0, 30.0)
"""R'G'B' levels that the masks of a sheet are tinted with."""


def choose_frames(
    has_mask: Iterable[bool],
    most: int = MOST_TILES,
    confidence: Sequence[float] | None = None,
) -> list[int]:
    """Frames for a sheet: spread over those with a mask, first and last included.

    Args:
        has_mask: Whether each frame is one to show.
        most: How many tiles there are at most.
        confidence: Of each frame, 0 to 1: the least sure frame of each part is shown. None takes
            frames at even distances.
    """
    frames = [i for i, value in enumerate(has_mask) if value]
    if len(frames) <= most:
        return frames
    if confidence is None:
        places = np.linspace(0, len(frames) - 1, most).round().astype(int)
        return [frames[i] for i in places]
    parts = np.array_split(frames[1:-1], most - 2)
    return [frames[0], *(_least_sure(part.tolist(), confidence) for part in parts), frames[-1]]


def _least_sure(frames: Sequence[int], confidence: Sequence[float]) -> int:
    """The frame that is least sure; of equal ones that nearest to the middle."""
    middle = frames[len(frames) // 2]
    return min(frames, key=lambda i: (confidence[i], abs(i - middle)))


def tile(
    picture: RGB,
    mask: Mask,
    info: VideoInfo,
    label: str,
    marked: Sequence[tuple[Mask, Tint]] = (),
    verdict: Verdict | None = None,
) -> npt.NDArray[np.uint8]:
    """One picture as a player shows it with its mask tinted and outlined, (h, TILE_WIDTH, 3).

    ``marked`` are more masks (H, W), each in a colour of its own; ``verdict`` is written beside the
    label, and frames the tile where the mask is to be checked.
    """
    shown = shown_size(info)
    size = (TILE_WIDTH, max(1, round(shown.height * TILE_WIDTH / shown.width)))
    levels = picture.astype(np.float32) * np.float32(255.0 / np.iinfo(picture.dtype).max)
    upright = np.ascontiguousarray(turn(levels, info.orientation))
    small = cv2.resize(upright, size, interpolation=cv2.INTER_AREA)
    outlines: list[Any] = []
    for one, tint in (*marked, (mask, REMOVED)):
        inside = cv2.resize(
            to_shown_mask(one, info).astype(np.float32), size, interpolation=cv2.INTER_AREA
        )
        small = small + (np.array(tint, np.float32) - small) * (OPACITY * inside[..., None])
        outlines += cv2.findContours(
            (inside > 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE
        )[0]
    canvas = np.clip(np.rint(small), 0, 255).astype(np.uint8)
    cv2.drawContours(canvas, outlines, -1, (255, 255, 255), 1)
    captioned(canvas, label, verdict)
    return canvas


def contact_sheet(
    frames: list[int], get_tile: Callable[[int], npt.NDArray[np.uint8]]
) -> npt.NDArray[np.uint8]:
    """The tiles of ``frames`` in rows of three, on black."""
    tiles = [get_tile(i) for i in frames]
    height = tiles[0].shape[0]
    blank = np.zeros((height, TILE_WIDTH, 3), np.uint8)
    rows = []
    for start in range(0, len(tiles), COLUMNS):
        row = tiles[start : start + COLUMNS]
        rows.append(np.hstack(row + [blank] * (COLUMNS - len(row) if len(tiles) > COLUMNS else 0)))
    return np.vstack(rows)


def write_png(path: Path, picture: npt.NDArray[np.uint8]) -> None:
    """Write an R'G'B' picture as a PNG under any name.

    Raises:
        OutputError: The picture cannot be encoded.
    """
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise OutputError(f"`{path}` could not be encoded as PNG")
    path.write_bytes(data.tobytes())
