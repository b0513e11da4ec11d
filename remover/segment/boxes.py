"""Key boxes: straight motion between the frames where a box was given, held outside; pure."""

import math
from collections.abc import Sequence

import numpy as np

from remover.types import Mask, PointPrompt, Size

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in coded pixels, half open."""


def key_boxes(prompts: Sequence[PointPrompt]) -> dict[int, dict[int, Box]]:
    """The boxes by object id and frame; of two on the same frame the later one counts."""
    keys: dict[int, dict[int, Box]] = {}
    for prompt in prompts:
        if prompt.kind == "box" and prompt.box is not None:
            keys.setdefault(prompt.object_id, {})[prompt.frame] = prompt.box
    return keys


def interpolate(keys: dict[int, Box], frame: int) -> Box:
    """The box of a frame: between two keys each edge moves evenly, outside the nearest is held.

    Args:
        keys: At least one box by frame.
        frame: Any frame index.
    """
    before = max((key for key in keys if key <= frame), default=None)
    after = min((key for key in keys if key >= frame), default=None)
    if before is None or after is None:
        nearest = before if before is not None else after
        if nearest is None:
            raise ValueError("no key box")
        return keys[nearest]
    if before == after:
        return keys[before]
    share = (frame - before) / (after - before)
    one, two = keys[before], keys[after]
    left, top, right, bottom = (a + (b - a) * share for a, b in zip(one, two, strict=True))
    return left, top, right, bottom


def fill_box(box: Box, size: Size) -> Mask:
    """A filled box as a mask (H, W): every pixel that the box touches, cut to the picture."""
    left, top, right, bottom = box
    # Edges that an interpolation leaves a rounding error away from a whole pixel stay on it.
    slack = 1e-6
    mask: Mask = np.zeros(size, np.bool_)
    rows = slice(max(0, math.floor(top + slack)), max(0, math.ceil(bottom - slack)))
    columns = slice(max(0, math.floor(left + slack)), max(0, math.ceil(right - slack)))
    mask[rows, columns] = True
    return mask
