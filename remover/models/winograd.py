"""Convolutions of 3x3 taps in Winograd's form, for float32 on the CPU.

A tile of 4x4 results is made from 6x6 samples with 36 multiplications instead of 144 (Lavin and
Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308, F(4x4, 3x3)). The three
taps in time stay as they are: three matrix products that are added up. The picture is worked on in
strips that stay in the processor's cache, and what comes before and after a convolution (RMS norm,
SiLU, a sum) is done strip by strip too, so that no picture is read or written in between.

Legend: ``T H W`` frames and pixels, ``C`` channels in, ``O`` channels out, ``K`` taps in time,
``n`` tiles. Pictures are (T, H, W, C): a pixel's channels lie side by side.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier

import torch
from torch import Tensor
from torch.nn import functional

TILE = 4
"""Rows and columns of results in a tile."""

_POINTS = 6
"""Samples on a side that a tile reads."""

_STRIP_FLOATS = 1_800_000
"""Transformed samples of a strip; more leaves the cache."""

_LEAST_TILES = 48
"""Below that the matrix products of a strip run far from peak."""

_SAMPLES = torch.tensor(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    dtype=torch.float64,
    device="cpu",
)
_TAPS = torch.tensor(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    dtype=torch.float64,
    device="cpu",
)
_RESULTS = torch.tensor(
    [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
    dtype=torch.float64,
    device="cpu",
)


def transform_kernel(weight: Tensor) -> Tensor:
    """The taps (O, C, K, 3, 3) as :func:`convolve` takes them, (36, K, C, O)."""
    num_out, num_in, num_taps = weight.shape[:3]
    both = torch.kron(_TAPS, _TAPS).to(weight)
    taps = weight.permute(3, 4, 2, 1, 0).reshape(9, -1)
    return (both @ taps).view(_POINTS**2, num_taps, num_in, num_out)


def convolve(
    frames: Sequence[Tensor],
    kernel: Tensor,
    bias: Tensor,
    *,
    gain: Tensor | None = None,
    addend: Tensor | None = None,
) -> Tensor:
    """``conv(silu(rms_norm(frames))) + bias + addend``, same size, zeros around the picture.

    The result does not depend on the number of threads.

    Args:
        frames: Pieces (T_i, H, W, C), together T + K - 1 frames of float32.
        kernel: From :func:`transform_kernel`, (36, K, C, O).
        bias: (O,).
        gain: (C,), each channel's factor after its norm; None leaves norm and SiLU out.
        addend: (T, H, W, O).

    Returns:
        (T, H, W, O).
    """
    num_frames = sum(len(piece) for piece in frames)
    height, width, num_in = frames[0].shape[1:]
    num_taps, num_out = kernel.shape[1], kernel.shape[3]
    num_rows, num_columns = -(-height // TILE), -(-width // TILE)
    floats = _POINTS**2 * num_frames * num_columns * max(num_in, num_out)
    step = min(num_rows, max(_STRIP_FLOATS // floats, -(-_LEAST_TILES // num_columns), 1))
    out = frames[0].new_empty(num_frames - num_taps + 1, height, width, num_out)
    strips = iter(range(0, num_rows, step))

    def work(mode: torch.inference_mode) -> None:
        with mode, torch.no_grad():
            bench = _Workbench(frames[0], num_frames, (step, num_columns), kernel)
            for first in strips:
                bench.strip(frames, first, min(step, num_rows - first), gain)
                bench.put(out, first, bias, addend)

    count = torch.get_num_threads()
    mode = torch.is_inference_mode_enabled()  # workers do not inherit it
    calls = [torch.inference_mode(mode) for _ in range(min(count, -(-num_rows // step)))]
    for _ in _workers(count, os.getpid()).map(work, calls):
        pass
    return out


@cache
def _workers(count: int, _process: int) -> ThreadPoolExecutor:
    """Threads each of which computes alone: a strip is too little work to be shared out.

    A forked process gets its own, for threads do not survive a fork.
    """
    started = Barrier(count + 1)

    def start() -> None:
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(count, thread_name_prefix="winograd", initializer=start)
    for _ in range(count):
        pool.submit(int)
    started.wait()
    torch.set_num_threads(count)  # what threads started later take as their own
    return pool


class _Workbench:
    """The buffers of one thread, used again for every strip.

    Args:
        like: Of the type that is computed with.
        num_frames: T + K - 1.
        tiles: Rows and columns of tiles in the tallest strip.
        kernel: (36, K, C, O).
    """

    def __init__(
        self, like: Tensor, num_frames: int, tiles: tuple[int, int], kernel: Tensor
    ) -> None:
        rows, columns = tiles
        num_taps, num_in, num_out = kernel.shape[1:]
        self._kernel = kernel
        self._columns = columns
        self._num_frames = num_frames
        self._to_samples = torch.kron(_SAMPLES, _SAMPLES).to(like)
        self._to_results = torch.kron(_RESULTS, _RESULTS).to(like)
        num_tiles = rows * columns
        num_results = num_frames - num_taps + 1
        picture = num_frames * (TILE * rows + 2) * (TILE * columns + 2) * num_in
        self._picture = like.new_empty(picture)
        self._gathered = like.new_empty(_POINTS**2 * num_frames * num_tiles * num_in)
        self._samples = torch.empty_like(self._gathered)
        self._products = like.new_empty(_POINTS**2 * num_results * num_tiles * num_out)
        self._tiles = like.new_empty(TILE**2 * num_results * num_tiles * num_out)
        self._results = torch.empty_like(self._tiles)
        self._strip_results = self._results

    def strip(self, frames: Sequence[Tensor], first: int, rows: int, gain: Tensor | None) -> None:
        """Compute ``rows`` rows of tiles from row ``first`` on."""
        num_taps, num_in, num_out = self._kernel.shape[1:]
        num_frames, num_tiles = self._num_frames, rows * self._columns
        num_results = num_frames - num_taps + 1
        picture = self._padded(frames, first, rows)
        if gain is not None:
            length = torch.linalg.vector_norm(picture, dim=-1, keepdim=True).clamp_(min=1e-12)
            picture.mul_(length.reciprocal_().mul_(num_in**0.5)).mul_(gain)
            functional.silu(picture, inplace=True)
        shape = (_POINTS, _POINTS, num_frames, rows, self._columns, num_in)
        gathered = _front(self._gathered, *shape)
        down, across = TILE * (rows - 1) + 1, TILE * (self._columns - 1) + 1
        for y, x in _pairs(_POINTS):
            gathered[y, x] = picture[:, y : y + down : TILE, x : x + across : TILE]
        samples = _front(self._samples, _POINTS**2, num_frames * num_tiles * num_in)
        torch.mm(self._to_samples, gathered.view(_POINTS**2, -1), out=samples)
        samples = samples.view(_POINTS**2, num_frames * num_tiles, num_in)
        products = _front(self._products, _POINTS**2, num_results * num_tiles, num_out)
        for tap in range(num_taps):
            part = samples[:, tap * num_tiles : (tap + num_results) * num_tiles]
            if tap == 0:
                torch.bmm(part, self._kernel[:, tap], out=products)
            else:
                products.baddbmm_(part, self._kernel[:, tap])
        tiles = _front(self._tiles, TILE**2, num_results * num_tiles * num_out)
        torch.mm(self._to_results, products.view(_POINTS**2, -1), out=tiles)
        results = _front(self._results, num_results, rows, TILE, self._columns, TILE, num_out)
        tiles = tiles.view(TILE, TILE, num_results, rows, self._columns, num_out)
        results.copy_(tiles.permute(2, 3, 0, 4, 1, 5))
        self._strip_results = results.view(num_results, TILE * rows, -1, num_out)

    def put(self, out: Tensor, first: int, bias: Tensor, addend: Tensor | None) -> None:
        """Write the strip that was computed last into ``out``."""
        top, width = TILE * first, out.shape[2]
        target = out[:, top : top + self._strip_results.shape[1]]
        result = self._strip_results.add_(bias)[:, : target.shape[1], :width]
        if addend is None:
            target.copy_(result)
        else:
            torch.add(result, addend[:, top : top + target.shape[1]], out=target)

    def _padded(self, frames: Sequence[Tensor], first: int, rows: int) -> Tensor:
        """The pixels that a strip reads, with zeros where there is no picture."""
        height, width, num_in = frames[0].shape[1:]
        shape = (TILE * rows + 2, TILE * self._columns + 2)
        picture = _front(self._picture, self._num_frames, *shape, num_in)
        top = TILE * first - 1
        start, stop = max(0, top), min(height, top + shape[0])
        picture[:, : start - top] = 0
        picture[:, stop - top :] = 0
        picture[:, :, 0] = 0
        picture[:, :, width + 1 :] = 0
        at = 0
        for piece in frames:
            inside = picture[at : at + len(piece), start - top : stop - top, 1 : width + 1]
            inside.copy_(piece[:, start:stop])
            at += len(piece)
        return picture


def _front(buffer: Tensor, *shape: int) -> Tensor:
    """The first elements of a flat buffer in a shape."""
    return buffer[: torch.Size(shape).numel()].view(shape)


def _pairs(count: int) -> Iterator[tuple[int, int]]:
    return ((y, x) for y in range(count) for x in range(count))
