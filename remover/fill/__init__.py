"""Filling holes: true pixels of other frames first, invented ones where no frame shows any."""

from remover.fill.engine import fill_shot
from remover.fill.patch import PAINTER, PAINTER_LICENCE
from remover.fill.survey import Survey, survey, surveyed

__all__ = ["PAINTER", "PAINTER_LICENCE", "Survey", "fill_shot", "survey", "surveyed"]
