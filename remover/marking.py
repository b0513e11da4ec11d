"""Masks drawn over pictures, objects by colour, and what is known of a frame in its corner; pure.

Legend: H, W picture rows and columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from remover.types import Labels, Mask, Segmentation, Shot

Picture = npt.NDArray[np.uint8]
"""R'G'B' (H, W, 3)."""

Tint = tuple[float, float, float]
"""R'G'B' levels."""

OBJECTS: Sequence[Tint] = (
    (255, 40, 160),
    (0, 170, 255),
    (120, 225, 60),
    (255, 215, 40),
    (165, 95, 255),
    (40, 225, 205),
    (255, 135, 40),
    (120, 130, 255),
)
"""Colours of the objects ``#1``, ``#2`` and so on; after the last they begin again."""

STATES: dict[str, Tint] = {"unsure": (255, 176, 0), "lost": (235, 50, 35)}
"""Colours of what is to be looked at."""

BLACK: Tint = (0, 0, 0)
GRAY: Tint = (70, 70, 70)
WHITE: Tint = (255, 255, 255)

LIGHT = 110
"""Luma above which letters on a colour are black, else white."""

OPACITY = 0.45
"""Of the colour inside a mask; its outline is opaque."""

MARK_FOR = 854
"""Width of a picture for which outlines are one pixel and letters are small and readable."""

FONT, FONT_SIZE, PADDING, FRAME = cv2.FONT_HERSHEY_SIMPLEX, 0.5, 5, 4
"""Letters, their size, the space around them, and the width of a marked frame's border; pixels."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far the masks of one frame may be trusted."""

    confidence: float
    """0 to 1."""
    state: str | None = None
    """A key of ``STATES``; None is sure enough."""

    def __str__(self) -> str:
        """As it stands in a picture."""
        return (
            "lost"
            if self.state == "lost"
            else f"{self.state or 'confidence'} {self.confidence:.2f}"
        )


def is_judged(segmentation: Segmentation) -> bool:
    """Whether some masks were tracked, so that a tracker says how sure it is of them."""
    names = segmentation.trackers.values() or [segmentation.tracker]
    return any(name not in ("mask", "none") for name in names)


def verdict_of(segmentation: Segmentation, index: int) -> Verdict | None:
    """What is known of a frame; None where nobody tracked anything."""
    if not is_judged(segmentation):
        return None
    states = {"lost": segmentation.lost, "unsure": segmentation.unsure}
    state = next((name for name, parts in states.items() if _is_in(index, parts)), None)
    return Verdict(float(segmentation.confidence[index]), state)


def scale_of(width: int) -> int:
    """How many pixels a line is wide in a picture of ``width``, so that it can be read smaller."""
    return max(1, round(width / MARK_FOR))


def tinted(picture: Picture, mask: Mask, tint: Tint) -> None:
    """Colour a mask (H, W) on a picture and draw its outline."""
    colour = np.asarray(tint, np.float32)
    inside = picture[mask].astype(np.float32)
    picture[mask] = np.rint(inside + (colour - inside) * np.float32(OPACITY)).astype(np.uint8)
    outline, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outline, -1, tint, scale_of(picture.shape[1]))


def with_objects(picture: Picture, labels: Labels) -> Picture:
    """A copy of a picture with each object of a label map (H, W) in its colour.

    Where there are several, each has its number at its top left.
    """
    canvas = picture.copy()
    numbers = [int(number) for number in np.unique(labels) if number]
    for number in numbers:
        tinted(canvas, labels == number, tint_of(number))
    for number in numbers if len(numbers) > 1 else []:
        x, y, _, _ = cv2.boundingRect((labels == number).astype(np.uint8))
        badge(canvas, f"#{number}", (x, y), tint_of(number), size=0.8)
    return canvas


def tint_of(number: int) -> Tint:
    """The colour of an object by its number, 1 to 255."""
    return OBJECTS[(number - 1) % len(OBJECTS)]


def captioned(canvas: Picture, text: str, verdict: Verdict | None) -> None:
    """Write ``text`` and what is known of a frame at its top left; frame what is to be checked."""
    state = None if verdict is None else verdict.state
    if state is not None:
        width = FRAME * scale_of(canvas.shape[1])
        for edge in (
            canvas[:width],
            canvas[-width:],
            canvas[:, :width],
            canvas[:, -width:],
        ):
            edge[:] = STATES[state]
    right, bottom = badge(canvas, text, (0, 0), BLACK)
    if verdict is not None:
        wanted = _size_of(canvas, str(verdict))[0]
        place = (right, 0) if right + wanted <= canvas.shape[1] else (0, bottom)
        badge(canvas, str(verdict), place, STATES[state] if state else GRAY)


def badge(
    canvas: Picture, text: str, place: tuple[int, int], ground: Tint, *, size: float = 1.0
) -> tuple[int, int]:
    """Write ``text`` on a field of colour whose top left is ``place`` (x, y), moved inside.

    Returns:
        Where the field ends, (x, y).
    """
    scale = scale_of(canvas.shape[1]) * size
    width, height, base = _size_of(canvas, text, size)
    left = max(0, min(place[0], canvas.shape[1] - width))
    top = max(0, min(place[1], canvas.shape[0] - height))
    cv2.rectangle(canvas, (left, top), (left + width - 1, top + height - 1), ground, cv2.FILLED)
    is_light = float(np.dot(ground, (0.299, 0.587, 0.114))) > LIGHT
    ink = BLACK if is_light else WHITE
    pad = round(PADDING * scale)
    origin = (left + pad, top + height - pad - base)
    thickness = max(1, round(scale))
    cv2.putText(canvas, text, origin, FONT, FONT_SIZE * scale, ink, thickness, cv2.LINE_AA)
    return left + width, top + height


def _size_of(canvas: Picture, text: str, size: float = 1.0) -> tuple[int, int, int]:
    """Width, height and descent of a badge in pixels; all texts have one height."""
    scale = scale_of(canvas.shape[1]) * size
    thickness = max(1, round(scale))
    (width, _), _ = cv2.getTextSize(text, FONT, FONT_SIZE * scale, thickness)
    (_, height), base = cv2.getTextSize("Ag", FONT, FONT_SIZE * scale, thickness)
    pad = round(PADDING * scale)
    return width + 2 * pad, height + base + 2 * pad, base


def _is_in(index: int, parts: Sequence[Shot]) -> bool:
    return any(part.start <= index < part.stop for part in parts)
