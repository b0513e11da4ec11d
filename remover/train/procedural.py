"""Clips that need no data: textures under a moving camera, with shapes that move before them."""

from remover.train.clips import Clip, Masks, chosen, own_generator
from remover.train.scenes import Scene, backdrop, before, masks, room_of, scene
from remover.train.settings import Data
from remover.train.textures import texture
from remover.types import Size


class Procedural:
    """Made-up clips, each with its true background and the true mask of its objects."""

    def __init__(self, data: Data, seed: int) -> None:
        """Make clips as ``data`` says; nothing is drawn yet."""
        self._data = data
        self._seed = seed
        self.held_out = chosen(data.clips, data.held_out)

    def __len__(self) -> int:
        """How many clips there are."""
        return self._data.clips

    @property
    def masked(self) -> tuple[int, ...]:
        """All clips have masks."""
        return tuple(range(self._data.clips))

    def clip(self, index: int) -> Clip:
        """Clip ``index``, with all that is known of it."""
        plan = self._scene(index)
        rng = own_generator(self._seed, index, 1)
        background = backdrop(texture(rng, room_of(plan.size)), plan)
        video = before(rng, background, plan, texture)
        return Clip(f"procedural-{index:05d}", video, self.own(index), background)

    def own(self, index: int) -> Masks:
        """Where the objects of clip ``index`` are."""
        plan = self._scene(index)
        return masks(plan.shapes, self._data.frames, plan.size)

    def _scene(self, index: int) -> Scene:
        size = Size(*self._data.sizes[index % len(self._data.sizes)])
        return scene(own_generator(self._seed, index, 0), self._data.frames, size)
