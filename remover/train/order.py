"""Which samples a step of training takes: a pure function of counts, a seed and the step.

Samples of one shape make up a stream: permuted epochs, one after another, of which a batch takes
the next ones. The shapes take turns in proportion to their numbers. So nothing is left out, a batch
has one shape, and any step is found without going through those before it.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

import numpy as np
import numpy.typing as npt


def steps(
    counts: Sequence[int], size: int, seed: int, first: int, stop: int
) -> Iterator[tuple[int, list[int]]]:
    """The samples of the steps ``first`` to ``stop`` (half open).

    Args:
        counts: How many samples there are of each shape, each at least 1.
        size: Samples of a step.
        seed: Of the order.
        first: The first step, counted from 0.
        stop: The step after the last.

    Yields:
        The shape, then ``size`` numbers among the samples of that shape.
    """
    for bucket, turn in islice(turns(counts), first, stop):
        count = counts[bucket]
        places = range(turn * size, (turn + 1) * size)
        yield bucket, [int(_epoch(seed, bucket, at // count, count)[at % count]) for at in places]


def turns(counts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The shape of every step, and how many steps before had it.

    Whichever is furthest behind its share goes next, the first of those that are equally far.
    """
    total = sum(counts)
    owed = [0] * len(counts)  # in parts of ``total``
    taken = [0] * len(counts)
    while True:
        owed = [debt + count for debt, count in zip(owed, counts, strict=True)]
        bucket = max(range(len(counts)), key=owed.__getitem__)
        yield bucket, taken[bucket]
        owed[bucket] -= total
        taken[bucket] += 1


@lru_cache(maxsize=16)
def _epoch(seed: int, bucket: int, number: int, count: int) -> npt.NDArray[np.int64]:
    """The order of all samples of a shape in one epoch."""
    return np.random.default_rng((seed, bucket, number)).permutation(count)
