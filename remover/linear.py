"""Scene-linear floats as pictures: a curve to work in and one to look at.

Floats of a scene have no top, some are below 0, and a fill needs bounded numbers whose steps are
even to the eye. ``encoded`` gives them::

    level                                               log
    1      |                                      ___---
           |                        _____----'''''
    1/2    |              __---'''''       1/2 is white (1.0)
           |       __--'''
    1/16   |___--''       sRGB             1/16 is black (0.0)
    0      +-----------------------------------------------> light
         -0.018   0        1                            970

It is sRGB's own curve up to white, mirrored below black, and goes on as a logarithm with the same
slope. Rounded to 16 bits it keeps highlights to 1.3 parts in ten thousand, which is finer than a
half float, and darker samples to 6e-5 of white.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float32]

BLACK, WHITE = 1 / 16, 1 / 2
"""The levels of light 0 and 1."""

SPAN = WHITE - BLACK
BEND = 7.0
"""How fast the logarithm bends away from sRGB's slope at white."""

SLOPE = 1.055 / 2.4
"""Of sRGB's curve at white."""


def encoded(light: npt.NDArray[Any]) -> Float:
    """The levels, float32 in 0 to 1, of light in any shape; NaN is black, what is out is cut.

    Args:
        light: float16 or float32; 1.0 is white.
    """
    if light.dtype == np.float16:
        levels: Float = _half_levels()[np.ascontiguousarray(light).view(np.uint16)]
        return levels
    known = np.clip(np.nan_to_num(light, nan=0.0), LOWEST, HIGHEST).astype(np.float32)
    level = _srgb(np.minimum(np.abs(known), np.float32(1.0)))
    level = np.copysign(level, known).astype(np.float32)
    above = known > 1
    excess = known[above] - np.float32(1.0)
    level[above] = 1.0 + np.log1p(np.float32(BEND * SLOPE) * excess) / np.float32(BEND)
    scaled = np.float32(BLACK) + np.float32(SPAN) * level
    return np.asarray(np.clip(scaled, 0.0, 1.0), np.float32)


def decoded(level: npt.NDArray[Any]) -> Float:
    """The light, float32 of the same shape, that ``encoded`` takes to ``level``."""
    bounded = np.clip(np.asarray(level, np.float32), 0.0, 1.0)
    place = (bounded - np.float32(BLACK)) / np.float32(SPAN)
    light = np.copysign(_linear(np.minimum(np.abs(place), np.float32(1.0))), place)
    above = place > 1
    excess = np.float32(BEND) * (place[above] - np.float32(1.0))
    light[above] = 1.0 + np.expm1(excess) / np.float32(BEND * SLOPE)
    return np.asarray(light, np.float32)


def shown(light: npt.NDArray[Any]) -> Float:
    """Light as a screen shows it: sRGB, float32, cut to 0 to 1; NaN is black."""
    return _srgb(visible(light))


def visible(light: npt.NDArray[Any]) -> Float:
    """Light as float32 cut to 0 to 1, NaN as 0: what a picture for people can show of it."""
    return np.clip(np.nan_to_num(np.asarray(light, np.float32), nan=0.0), 0.0, 1.0)


def _srgb(light: Float) -> Float:
    """IEC 61966-2-1 of light in 0 to 1."""
    power = np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(light <= np.float32(0.0031308), np.float32(12.92) * light, power)


def _linear(level: Float) -> Float:
    """The inverse of ``_srgb``."""
    power = ((level + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    is_straight = level <= np.float32(12.92 * 0.0031308)
    return np.where(is_straight, level / np.float32(12.92), power)


LOWEST, HIGHEST = (float(light) for light in decoded(np.array([0.0, 1.0])))
"""The darkest (-0.018) and the brightest light (970) that have a level of their own."""


@cache
def _half_levels() -> Float:
    """The level of every half float, by its bits."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    return encoded(halves.astype(np.float32))
