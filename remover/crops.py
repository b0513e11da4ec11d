"""Which part of the pictures a network works on, and at what size; pure.

A crop lies on a lattice of the picture: its sides are multiples of ``step`` source pixels, which
become ``UNIT`` working pixels. So pictures are never stretched, working sides are multiples of what
the network needs, and the same place has the same latents in every crop of one step. A crop may
reach beyond the picture on the right and at the bottom, by less than a step.
"""

from dataclasses import dataclass

from remover.types import Rect, Size

UNIT = 16
"""Working pixels that the network's smallest piece has: 8 to a latent, 2 latents to a token."""
LATENT = 8
"""Working pixels of a latent."""
CONTEXT = 2
"""Sides of a crop, as a multiple of the hole's."""
LEAST_SIDE = 336
"""Pixels that a crop has at least, where the picture has them: the smallest training size."""
TRAINED_PIXELS = 720 * 1280
"""The largest training size; more is worked on smaller."""
LEAST_PIXELS = 128 * 128
"""Working pixels below which no crop is made smaller: nothing would be recognised."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A part of the picture and the size at which it is worked on."""

    rect: Rect
    """In source pixels."""
    step: int
    """Source pixels that become ``UNIT`` working pixels; ``UNIT`` is the native resolution."""

    @property
    def size(self) -> Size:
        """The working size."""
        height, width = self.rect.size
        return Size(height // self.step * UNIT, width // self.step * UNIT)

    @property
    def latent_rows(self) -> range:
        """Rows of the latent grid, counted from the picture's edge."""
        return self._latents(self.rect.top, self.rect.bottom)

    @property
    def latent_columns(self) -> range:
        """Columns of the latent grid, likewise."""
        return self._latents(self.rect.left, self.rect.right)

    def working(self, rect: Rect) -> Rect:
        """The working pixels that show any of the source pixels of ``rect``, which lies inside."""
        inner = rect.moved(-self.rect.top, -self.rect.left)
        low = (inner.top * UNIT // self.step, inner.left * UNIT // self.step)
        high = (-(-inner.bottom * UNIT // self.step), -(-inner.right * UNIT // self.step))
        return Rect(*low, *high)

    def source(self, working: Rect) -> Rect:
        """The source pixels under working pixels whose bounds are multiples of ``UNIT``."""
        scaled = Rect(*(side // UNIT * self.step for side in working))
        return scaled.moved(self.rect.top, self.rect.left)

    def _latents(self, start: int, stop: int) -> range:
        per_step = UNIT // LATENT
        return range(start // self.step * per_step, stop // self.step * per_step)


def crop_around(rect: Rect, size: Size, pixels: int) -> Crop:
    """The crop in which the hole ``rect`` is worked on.

    Args:
        rect: Where anything is to be painted; not empty.
        size: Of the picture.
        pixels: Most pixels at the working size.

    Returns:
        At native resolution where that is small enough, else at the largest size that is.
    """
    around = _with_context(rect, size)
    step = UNIT
    while True:
        crop = Crop(_on_lattice(around, size, step), step)
        height, width = crop.size
        if height * width <= max(pixels, LEAST_PIXELS):
            return crop
        step += 1


def snapped(rect: Rect, size: Size) -> Rect:
    """``rect`` widened to multiples of ``UNIT``, inside a working picture of ``size``."""
    top, left = (side // UNIT * UNIT for side in rect[:2])
    bottom, right = (-(-side // UNIT) * UNIT for side in rect[2:])
    return Rect(top, left, min(bottom, size.height), min(right, size.width))


def _with_context(rect: Rect, size: Size) -> Rect:
    """``rect`` with its surroundings, moved into the picture where it would leave it."""
    rows = _widened(rect.top, rect.bottom, size.height)
    columns = _widened(rect.left, rect.right, size.width)
    return Rect(rows[0], columns[0], rows[1], columns[1])


def _widened(start: int, stop: int, length: int) -> tuple[int, int]:
    wanted = min(length, max(LEAST_SIDE, CONTEXT * (stop - start)))
    first = start - (wanted - (stop - start)) // 2
    first = max(0, min(first, length - wanted))
    return first, first + wanted


def _on_lattice(rect: Rect, size: Size, step: int) -> Rect:
    rows = _lines(rect.top, rect.bottom, size.height, step)
    columns = _lines(rect.left, rect.right, size.width, step)
    return Rect(rows[0], columns[0], rows[1], columns[1])


def _lines(start: int, stop: int, length: int, step: int) -> tuple[int, int]:
    """The nearest lines of the lattice around ``start`` and ``stop``."""
    return start // step * step, -(-min(stop, length) // step) * step
