"""What the heads say of an object and of the place around it."""

import cv2
import numpy as np

from remover.segment.crop import crop_around
from remover.segment.look import Look
from remover.segment.refine import OF_THE_PLACE
from remover.types import Size

SIZE = Size(160, 400)


def surface(seed: int, base: tuple[int, int, int], size: Size) -> np.ndarray:
    """Colours with coarse structure, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, 14, (size.height // 6 + 2, size.width // 6 + 2, 3)).astype(np.float32)
    whole = np.float32(base) + cv2.resize(coarse, (size.width, size.height))
    return np.clip(whole, 0, 255).astype(np.uint8)


def test_a_sign_that_was_there_from_the_first_is_known_for_the_place():
    """A red sign far from a red object, which nothing near the object tells from it."""
    picture = surface(1, (100, 130, 100), SIZE)
    sign = np.s_[60:100, 330:370]
    picture[sign] = surface(2, (190, 70, 60), Size(40, 40))
    rows, columns = np.ogrid[: SIZE.height, : SIZE.width]
    inside = np.hypot(rows - 80, columns - 60) < 22
    picture[inside] = surface(3, (200, 60, 50), SIZE)[inside]
    box = (58.0, 38.0, 102.0, 82.0)
    look = Look(picture, inside.astype(np.float32), crop_around(box, 2.0, 24, SIZE))
    near_sign = look.see(picture, crop_around((60.0, 330.0, 100.0, 370.0), 2.0, 24, SIZE))
    filled = np.zeros(SIZE, np.float32)
    filled[sign] = 1
    is_sign = near_sign.crop.cells_of(filled) > 0.9
    assert near_sign.wide[is_sign].mean() < OF_THE_PLACE
    assert near_sign.fixed[is_sign].mean() > near_sign.wide[is_sign].mean() + 0.4
    own = look.see(picture, crop_around(box, 2.0, 24, SIZE))
    is_object = own.crop.cells_of(inside.astype(np.float32)) > 0.9
    assert own.wide[is_object].mean() > 0.5
