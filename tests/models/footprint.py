"""The memory of tensors, counted as operations make and drop them; the same on every machine."""

import weakref
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Footprint(TorchDispatchMode):
    """Counts the storages that operations of this thread make while they are alive.

    Attributes:
        peak: The most bytes that were alive at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._now = 0
        self._alive: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {_key(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor) and _key(leaf) not in given | self._alive.keys():
                storage = leaf.untyped_storage()
                self._alive[_key(leaf)] = storage.nbytes()
                self._now += storage.nbytes()
                weakref.finalize(storage, self._drop, _key(leaf))
        self.peak = max(self.peak, self._now)
        return out

    def _drop(self, key: int) -> None:
        self._now -= self._alive.pop(key)


def _key(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
