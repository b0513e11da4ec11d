"""What one matrix leaves of the motion: followed on corners, continued smoothly, and applied."""

from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from remover.fill.align import MIN_TRACKS, Matrix, Points, track, view
from remover.fill.frames import Frame
from remover.fill.seam import Known, membrane
from remover.types import RGB, Rect, Size

Field = npt.NDArray[np.float32]
"""(h, w, 2): shifts along x and y, in pixels."""

LONGEST_SHIFT = 24.0
"""Longest way, in pixels, by which a picture is bent: what lies further is another thing."""
NEIGHBOURS, APART = 5, 2.0
"""A shift that is this many pixels from the median of so many neighbours is dropped."""


def left_over(here: Frame, there: Frame) -> Field | None:
    """The shifts that take what ``here`` shows to where ``there`` shows it.

    Args:
        here: A picture brought to the place of another one by a matrix, barred where it means
            nothing.
        there: That other one, of the same size.

    Returns:
        (h, w, 2) at the places of ``there``; None where too little can be followed.
    """
    after = view(there)
    start, end = track(view(here), after)
    scale = np.array(after.scale, np.float32)
    end, shift = end * scale, (end - start) * scale
    good = is_plausible(end, shift)
    if np.count_nonzero(good) < MIN_TRACKS:
        return None
    return shifts(end[good], shift[good], there.size)


def is_plausible(places: Points, shift: Points) -> Known:
    """Which shifts (N, 2) at ``places`` (N, 2) are short and like those of their neighbours."""
    if len(places) < MIN_TRACKS:
        return np.zeros(len(places), np.bool_)
    apart = np.square(places[:, None] - places[None]).sum(axis=2)
    nearest = np.argsort(apart, axis=1, kind="stable")[:, 1 : NEIGHBOURS + 1]
    usual = np.median(shift[nearest], axis=1)
    short = np.hypot(*shift.T) <= LONGEST_SHIFT
    return np.asarray(short & (np.hypot(*(shift - usual).T) <= APART))


def shifts(places: Points, shift: Points, size: Size) -> Field:
    """A smooth field (h, w, 2) through shifts at places (x, y)."""
    values = np.zeros((*size, 2), np.float32)
    known = np.zeros(size, np.bool_)
    columns, rows = np.rint(places).astype(int).T
    rows, columns = rows.clip(0, size.height - 1), columns.clip(0, size.width - 1)
    values[rows, columns], known[rows, columns] = shift, True
    smooth = membrane(values, known)
    return np.asarray(cv2.GaussianBlur(smooth, (0, 0), 4), np.float32)


def sources(rect: Rect, matrix: Matrix, field: Field | None) -> Field:
    """Where the pixels of ``rect`` lie in a picture that ``matrix`` and then ``field`` bring there.

    Returns:
        (h, w, 2): x and y.
    """
    rows, columns = np.mgrid[rect.top : rect.bottom, rect.left : rect.right].astype(np.float32)
    places = np.dstack([columns, rows])
    if field is not None:
        places -= field
    back = np.linalg.inv(matrix)
    found = cv2.perspectiveTransform(places.reshape(-1, 1, 2), back)
    return np.asarray(found, np.float32).reshape(places.shape)


def seen_at(
    rgb: RGB, barred: npt.NDArray[np.uint8], places: Field
) -> tuple[npt.NDArray[np.uint8] | npt.NDArray[np.uint16], Known]:
    """A picture at places (h, w, 2), and where what it shows there may be taken."""
    x, y = np.ascontiguousarray(np.moveaxis(places, 2, 0))
    seen = cv2.remap(rgb, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    shut = cv2.remap(
        barred, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=255
    )
    return cast(RGB, seen), np.asarray(shut) == 0
