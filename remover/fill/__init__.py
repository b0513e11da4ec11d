"""Filling holes: true pixels of other frames first, invented ones where no frame shows any."""

from remover.fill.align import Camera
from remover.fill.engine import ShotFill
from remover.fill.patch import PAINTER, PAINTER_LICENCE, Painted
from remover.fill.survey import Survey, survey, surveyed

__all__ = [
    "PAINTER",
    "PAINTER_LICENCE",
    "Camera",
    "Painted",
    "ShotFill",
    "Survey",
    "survey",
    "surveyed",
]
