"""The region that a run may change: the masks, grown and softened as asked, and lit shadows."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from remover.errors import InputError
from remover.fill import Ground, lit_ground, trust
from remover.masks import bounds, dilate, feather
from remover.segment import MaskStore
from remover.shades import Shades
from remover.types import Labels, Mask, Rect, Shot, Size

GROWTH_GIVEN, GROWTH_TRACKED = 2, 6
"""Pixels that masks are widened by where the user does not say: codecs blur an outline by about
two pixels, and a tracker is off by a few more."""


class Region:
    """Masks with their growth and soft edge, frame by frame, read from disk when asked for."""

    def __init__(
        self, store: MaskStore, *, grow: int, soft: int, keep: MaskStore | None = None
    ) -> None:
        """Take masks from ``store``, dilated by ``grow`` and feathered by ``soft`` pixels.

        The pixels of ``keep`` are taken out again after that.
        """
        self._store = store
        self._grow = grow
        self._soft = soft
        self._keep = keep
        self._shades: Shades | None = None

    def join(self, shades: Shades | None) -> None:
        """Let the shadows that are removed be a part of the region from now on."""
        self._shades = shades

    def mask(self, index: int) -> Mask:
        """The dilated mask (H, W) without what is kept."""
        mask = self._grown(index)
        if self._keep is not None:
            mask[self._keep.mask(index)] = False
        return mask

    def labels(self, index: int) -> Labels:
        """The dilated mask of each object (H, W); where they meet, each keeps its own pixels."""
        own = self._store.get(index)
        labels: Labels = np.zeros_like(own)
        for number in np.unique(own[own > 0])[::-1]:
            labels[dilate(own == number, self._grow)] = number
        labels[own > 0] = own[own > 0]
        labels[~self.mask(index)] = 0
        return labels

    def hole_of(self, index: int, objects: frozenset[int]) -> Mask:
        """Where the hole of a frame (H, W) belongs to some objects, with their growth."""
        mask = np.isin(self._store.get(index), list(objects))
        return self.hole(index) & (feather(dilate(mask, self._grow), self._soft) > 0)

    def alpha(self, index: int) -> npt.NDArray[np.float32]:
        """How much of the fill each pixel takes (H, W): 1 in the mask, 0 outside the region.

        It is 1 in a shadow that is removed, too: there the fill is the ground, lit up.
        """
        alpha = self._own_alpha(index)
        shadow = self.shadow(index)
        if shadow is not None:
            alpha[shadow] = 1
        return alpha

    def shadow(self, index: int) -> Mask | None:
        """Pixels (H, W) whose light is changed, if any; what the object hides is among them."""
        return None if self._shades is None else self._shadow(index, self._shades.lit)

    def kept(self, index: int) -> Mask | None:
        """Pixels (H, W) of a shadow that stays; None where there is none."""
        return None if self._shades is None else self._shadow(index, self._shades.kept)

    def ground(self, index: int, rect: Rect, levels: npt.NDArray[np.float32]) -> Ground | None:
        """A rectangle of a frame without its shadow; None where nothing is lit.

        Args:
            index: The frame.
            rect: Part of it.
            levels: (h, w, 3), 0 to 255, of that part.
        """
        shadow = self.shadow(index)
        if self._shades is None or shadow is None:
            return None
        shade = self._shades.store.get(index)
        assert shade is not None
        gain = shade.light(rect)
        light = lit_ground(levels, gain, shade.background(rect), shade.reach)
        share = np.where(shadow, 1 - self._own_alpha(index), 0)[rect.slices]
        return Ground(light, share.astype(np.float32), trust(gain, shade.reach))

    def barred(self, index: int) -> Mask:
        """``kept``, empty where there is none: these pixels are no source, though in no hole."""
        kept = self.kept(index)
        return np.zeros(self._store.size, bool) if kept is None else kept

    @property
    def keeps_shadows(self) -> bool:
        """Whether a shadow stays in some frame."""
        return self._shades is not None and bool(self._shades.kept)

    def hole(self, index: int) -> Mask:
        """Where ``alpha`` is above 0: every pixel that needs a fill and is no source."""
        if self._store.is_empty(index):
            return np.zeros(self._store.size, bool)
        return np.asarray(self.alpha(index) > 0, bool)

    def rim(self, index: int) -> Mask:
        """Where ``alpha`` is between 0 and 1: only softened, and so true enough to copy from."""
        if self._store.is_empty(index):
            return np.zeros(self._store.size, bool)
        alpha = self.alpha(index)
        return np.asarray((alpha > 0) & (alpha < 1), bool)

    def object_hole(self, index: int) -> Mask:
        """``hole`` without a shadow."""
        if self._store.is_empty(index):
            return np.zeros(self._store.size, bool)
        return np.asarray(self._own_alpha(index) > 0, bool)

    def has_object(self, index: int) -> bool:
        """Whether a frame has a mask; reads no file."""
        return not self._store.is_empty(index)

    def extents(self, frames: Shot, num_frames: int) -> tuple[Sequence[Rect | None], Sequence[int]]:
        """Where and how large the hole of each frame is; none outside ``frames``.

        Raises:
            InputError: Nothing of the masks is left beside what is kept.
        """
        boxes: list[Rect | None] = [None] * num_frames
        areas = [0] * num_frames
        for index in range(frames.start, frames.stop):
            if not self._store.is_empty(index):
                hole = self.hole(index)
                boxes[index] = bounds(hole)
                areas[index] = int(np.count_nonzero(hole))
        if self._keep is not None and not any(areas):
            raise InputError(
                f"`--keep` covers all that is masked on the frames `{frames.start}` to "
                f"`{frames.stop - 1}`, so nothing is left to remove",
                hint="what is kept is white in its mask; look at the masks with "
                "`--preview sheet.png` and without `--keep`",
            )
        return boxes, areas

    def _own_alpha(self, index: int) -> npt.NDArray[np.float32]:
        """``alpha`` of the masks alone."""
        alpha = feather(self._grown(index), self._soft)
        if self._keep is not None:
            alpha[self._keep.mask(index)] = 0
        return alpha

    def _shadow(self, index: int, frames: frozenset[int]) -> Mask | None:
        """The shadow of a frame (H, W), if it is one of ``frames``."""
        if self._shades is None or index not in frames or self._store.is_empty(index):
            return None
        shade = self._shades.store.get(index)
        assert shade is not None
        size = Size(*self._store.size)
        box = shade.box(size)
        shadow: Mask = np.zeros(size, bool)
        shadow[box.slices] = shade.region(box)
        if self._keep is not None:
            shadow[self._keep.mask(index)] = False
        return shadow

    def _grown(self, index: int) -> Mask:
        return dilate(self._store.mask(index), self._grow)
