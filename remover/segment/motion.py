"""Motion between two small pictures."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import numpy.typing as npt

from remover.segment.appearance import Float
from remover.segment.walk import Small


class Flow:
    """Dense motion from a picture to another one, by inverse search."""

    def __init__(self) -> None:
        """Set up the search."""
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def __call__(self, here: Small, there: Small) -> Float:
        """Where each pixel of ``here`` lies in ``there``, at half their size.

        Returns:
            Displacements (h, w, 2) as x, y, in pixels of the half size.
        """
        return self.between(half(here), half(there))

    def between(self, here: Small, there: Small) -> Float:
        """Where each pixel of ``here`` (h, w, 3) lies in ``there``: displacements (h, w, 2)."""
        grays = [np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)) for one in (here, there)]
        flow = np.zeros((*grays[0].shape, 2), np.float32)
        # Smaller pictures than its patches make the search fail.
        if min(grays[0].shape) < 16:
            return flow
        return np.asarray(self._search.calc(grays[0], grays[1], flow), np.float32)


def with_flow(
    steps: Iterator[tuple[int, Small]],
) -> Iterator[tuple[int, Small, Float | None]]:
    """Add to each picture its motion to the one before; None for the first.

    Motion does not depend on masks, so that of the next picture is found in the meantime.
    """
    flow = Flow()

    def follow(before: Small) -> tuple[int, Small, Float | None] | None:
        index, picture = next(steps, (0, None))
        return None if picture is None else (index, picture, flow(picture, before))

    start, first = next(steps)
    with ThreadPoolExecutor(1, thread_name_prefix="flow") as worker:
        ahead = worker.submit(follow, first)
        yield start, first, None
        while (found := ahead.result()) is not None:
            ahead = worker.submit(follow, found[1])
            yield found


def half(picture: Small) -> Small:
    """A work picture at half its size, which is even."""
    height, width = (side // 2 for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def carry(picture: Float, flow: Float) -> Float:
    """A map (h, w) of the earlier picture where the later one's ``flow`` points; 0 outside."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.asarray(
        cv2.remap(
            picture,
            x + flow[..., 0],
            y + flow[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
        ),
        np.float32,
    )


def soft_box(
    soft: npt.NDArray[np.float32], share: float
) -> tuple[float, float, float, float] | None:
    """(top, left, bottom, right) of the middle ``1 - 2 share`` of a soft mask; None if empty."""
    rows, columns = np.nonzero(soft > 0.3)
    if rows.size == 0:
        return None
    top, bottom = np.quantile(rows, [share, 1 - share])
    left, right = np.quantile(columns, [share, 1 - share])
    return float(top), float(left), float(bottom) + 1, float(right) + 1
