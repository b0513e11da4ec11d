"""Filling holes: true pixels of other frames first, invented ones where no frame shows any."""

from remover.fill.engine import fill_shot
from remover.fill.patch import PAINTER, PAINTER_LICENCE

__all__ = ["PAINTER", "PAINTER_LICENCE", "fill_shot", "painter_name"]


def painter_name() -> str:
    """What paints on this machine: ``patchmatch`` or ``membrane``."""
    return PAINTER
