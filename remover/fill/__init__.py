"""Filling holes: true pixels of other frames first, invented ones where no frame shows any."""

from remover.fill.align import Camera
from remover.fill.budget import Scene, paint_plan
from remover.fill.choose import Network, choose
from remover.fill.draft import Carried, Left, Limits, from_arrays, to_arrays
from remover.fill.engine import ShotFill
from remover.fill.fields import FieldFill
from remover.fill.live import Noise
from remover.fill.patch import PAINTER, PAINTER_LICENCE, Painted
from remover.fill.shade import Ground, Shade, Shading, lit_ground, trust
from remover.fill.shadows import find as find_shadows
from remover.fill.survey import Survey, survey, surveyed

__all__ = [
    "PAINTER",
    "PAINTER_LICENCE",
    "Camera",
    "Carried",
    "FieldFill",
    "Ground",
    "Left",
    "Limits",
    "Network",
    "Noise",
    "Painted",
    "Scene",
    "Shade",
    "Shading",
    "ShotFill",
    "Survey",
    "choose",
    "find_shadows",
    "from_arrays",
    "lit_ground",
    "paint_plan",
    "survey",
    "surveyed",
    "to_arrays",
    "trust",
]
