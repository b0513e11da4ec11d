"""Motion between two small pictures."""

import cv2
import numpy as np
import numpy.typing as npt

from remover.segment.appearance import Float
from remover.segment.walk import Small


class Flow:
    """Dense motion from a picture to another one, by inverse search."""

    def __init__(self) -> None:
        """Set up the search."""
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def __call__(self, here: Small, there: Small) -> Float:
        """Where each pixel of ``here`` lies in ``there``: displacements (h, w, 2) as x, y."""
        grays = [np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)) for one in (here, there)]
        flow = np.zeros((*grays[0].shape, 2), np.float32)
        # Smaller pictures than its patches make the search fail.
        if min(grays[0].shape) < 16:
            return flow
        return np.asarray(self._search.calc(grays[0], grays[1], flow), np.float32)


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
