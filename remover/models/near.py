"""Which pixels the local layers of the autoencoder need, and which they change; pure.

A convolution of 3x3 reads one pixel around each. Where only a part of a picture is wanted, or
only a part of it differs from a constant, the layers outside the middle block can be spared the
rest and give the same numbers. Everything is computed for one axis and done for both::

    pixels          ......####......        # differs from the constant
    after a layer   .....+####+.....        + has seen it
    read for that   ....|......|....        one more on each side

Legend: ``H W`` pixels at some size of the network, half as many at the next.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from remover.types import Rect, Size

Span = tuple[int, int]
"""Rows or columns from the first up to, not including, the second."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What is read and what comes of it at one size of the network."""

    read: Rect
    """What goes into the layers of that size."""
    result: Rect
    """What is right, or has changed, of what comes out; in pixels of the next size."""


@dataclass(frozen=True, slots=True)
class Constant:
    """How the features of a constant picture follow from those of a small constant one.

    Away from the borders they are all the same, so that the middle can be repeated.
    """

    small: Size
    """The small picture, in pixels."""
    borders: tuple[Span, ...]
    """At each size: how many rows from the top, and from the bottom, have seen a border."""

    def stretched(self, features_BTHWD: Tensor, index: int, size: Size, rect: Rect) -> Tensor:
        """The part ``rect`` of the features of a constant picture.

        Args:
            features_BTHWD: Of the small picture, where size ``index`` of the network begins.
            index: 0 is the full size.
            size: Of the whole picture there.
            rect: In its pixels.
        """
        few = features_BTHWD.shape[2:4]
        rows = self._indices(index, few[0], size.height, (rect.top, rect.bottom))
        columns = self._indices(index, few[1], size.width, (rect.left, rect.right))
        device = features_BTHWD.device
        across = features_BTHWD.index_select(3, torch.tensor(columns, device=device))
        return across.index_select(2, torch.tensor(rows, device=device))

    def _indices(self, index: int, few: int, many: int, span: Span) -> list[int]:
        before, after = self.borders[index]
        return [
            i if i < before else few - (many - i) if i >= many - after else min(before, few - 1)
            for i in range(*span)
        ]


def constant_reach(size: Size, margins: tuple[int, ...]) -> Constant:
    """The smallest constant picture from which that of ``size`` follows.

    Args:
        size: In pixels.
        margins: How far the convolutions reach at each size, before the picture is halved.
    """
    borders = [(0, 0)]
    for margin in margins:
        before, after = borders[-1]
        borders.append(((before + margin + 1) // 2, (after + margin + 2) // 2))
    least = max((sum(border) + 1) << index for index, border in enumerate(borders))
    step = 1 << len(margins)
    least = -(-least // step) * step
    return Constant(Size(min(least, size.height), min(least, size.width)), tuple(borders))


def encoder_reach(rect: Rect, size: Size, margins: tuple[int, ...]) -> list[Reach]:
    """What each size of the encoder computes where only ``rect`` differs from a constant.

    Args:
        rect: In pixels.
        size: Of the picture, sides multiples of ``2 ** len(margins)``.
        margins: As for :func:`constant_reach`.
    """
    rows = _changed((rect.top, rect.bottom), size.height, margins)
    columns = _changed((rect.left, rect.right), size.width, margins)
    return [_both(*pair) for pair in zip(rows, columns, strict=True)]


def decoder_reach(rect: Rect, size: Size, margins: tuple[int, ...]) -> list[Reach]:
    """What each size of the decoder computes where only the pixels of ``rect`` are wanted.

    Args:
        rect: In pixels of the decoded picture.
        size: Of that picture.
        margins: How far the convolutions reach at each size, smallest size first; at all but the
            last the picture is doubled and convolved once more after them.
    """
    rows = _needed((rect.top, rect.bottom), size.height, margins)
    columns = _needed((rect.left, rect.right), size.width, margins)
    return [_both(*pair) for pair in zip(rows, columns, strict=True)]


def _changed(span: Span, length: int, margins: tuple[int, ...]) -> Iterator[tuple[Span, Span]]:
    """For each size what is read there and what has changed at the next, along one axis.

    A result ``i`` of a halving convolution reads rows ``2i`` to ``2i + 2``.
    """
    for margin in margins:
        start, stop = max(0, span[0] - margin), min(length, span[1] + margin)
        result = max(0, (start - 1) // 2), min(length // 2, (stop - 1) // 2 + 1)
        first, last = 2 * result[0] - margin, 2 * result[1] + 1 + margin
        yield (max(0, first // 4 * 4), min(length, -(-last // 4) * 4)), result
        span, length = result, length // 2


def _needed(span: Span, length: int, margins: tuple[int, ...]) -> list[tuple[Span, Span]]:
    """For each size what is read there and what is taken of its result, along one axis."""
    spans = [span]
    for index, margin in enumerate(reversed(margins)):
        start, stop = spans[0]
        if index:
            start, stop, length = (start - 1) // 2, (stop + 2) // 2, length // 2
        spans.insert(0, (max(0, start - margin), min(length, stop + margin)))
    return list(pairwise(spans))


def _both(rows: tuple[Span, Span], columns: tuple[Span, Span]) -> Reach:
    read, result = (
        Rect(down[0], across[0], down[1], across[1])
        for down, across in zip(rows, columns, strict=True)
    )
    return Reach(read, result)
