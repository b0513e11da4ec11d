"""The last layer of EfficientNet-Lite0 without PyTorch, for single pictures.

PyTorch takes some 250 MB and two seconds to load, more than these layers take themselves. Where it
runs anyway, ``features`` is the faster way to the same numbers.
"""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from remover import tensorfile
from remover.segment.walk import Small

Float = npt.NDArray[np.float32]

EMPTY = np.zeros((0, 0), np.float32)
"""What OpenCV adds to a product of matrices: nothing."""

MULTIPLE = 16
"""Sides of the input are multiples of this."""

ASSET = "efficientnet-lite0.safetensors"


@dataclass(frozen=True, slots=True)
class Block:
    """An inverted residual block."""

    kernel: int
    stride: int
    inputs: int
    outputs: int


def _blocks() -> tuple[Block, ...]:
    """Blocks 0 to 14 with the strides they were trained with."""
    stages = ((3, 1, 16, 1), (3, 2, 24, 2), (5, 2, 40, 2), (3, 2, 80, 3), (5, 1, 112, 3))
    blocks, inputs = [], 32
    for kernel, stride, outputs, count in (*stages, (5, 2, 192, 4)):
        for i in range(count):
            blocks.append(Block(kernel, stride if i == 0 else 1, inputs, outputs))
            inputs = outputs
    return tuple(blocks)


BLOCKS = _blocks()
UNDONE = 5
"""This block does not stride; what follows it is dilated instead."""


def deep(picture: Small) -> Float:
    """The output of block 14 of a picture (H, W, 3): (192, H / 16, W / 16).

    Sides are multiples of ``MULTIPLE``.
    """
    pixels = picture.transpose(2, 0, 1).astype(np.float32)
    pixels -= 127
    pixels /= 128
    x = _relu6(_stem(pixels))
    for index, block in enumerate(BLOCKS):
        y = x if index == 0 else _relu6(_mixed(f"{index}.expand", x))
        stride = 1 if index == UNDONE else block.stride
        y = _relu6(_depthwise(index, y, stride, 2 if index > UNDONE else 1))
        y = _mixed(f"{index}.project", y)
        is_added = block.stride == 1 and block.inputs == block.outputs
        x = y + x if is_added else y
    return x


@cache
def _weights() -> dict[str, Float]:
    return {
        name: array.astype(np.float32) for name, array in tensorfile.asset_arrays(ASSET).items()
    }


def _stem(pixels: Float) -> Float:
    """The first convolution: 3 by 3, every other pixel."""
    kernel, bias = _weights()["stem.weight"], _weights()["stem.bias"]
    rows, columns = (side // 2 for side in pixels.shape[1:])
    wide = np.pad(pixels, ((0, 0), (0, 1), (0, 1)))
    parts = [
        wide[:, i : i + 2 * rows : 2, j : j + 2 * columns : 2] for i in range(3) for j in range(3)
    ]
    taps = np.stack(parts, axis=1).reshape(27, -1)
    return _combined(kernel, taps, bias).reshape(-1, rows, columns)


def _mixed(name: str, x: Float) -> Float:
    """A convolution of single pixels."""
    kernel, bias = _weights()[f"{name}.weight"], _weights()[f"{name}.bias"]
    return _combined(kernel, x.reshape(len(x), -1), bias).reshape(-1, *x.shape[1:])


def _combined(kernel: Float, values: Float, bias: Float) -> Float:
    """Products of matrices by OpenCV, which NumPy's threads would only get in the way of."""
    made = cv2.gemm(kernel.reshape(len(bias), -1), values, 1.0, EMPTY, 0.0)
    return np.asarray(made + bias[:, None], np.float32)


def _depthwise(index: int, x: Float, stride: int, dilation: int) -> Float:
    """A convolution of each channel on its own, with TensorFlow's 'same' padding."""
    kernels = _weights()[f"{index}.depthwise.weight"][:, 0]
    bias = _weights()[f"{index}.depthwise.bias"]
    side = dilation * (kernels.shape[-1] - 1) + 1
    wide = np.zeros((len(kernels), side, side), np.float32)
    wide[:, ::dilation, ::dilation] = kernels
    before = (side - stride) // 2
    made = [
        cv2.filter2D(plane, -1, kernel, anchor=(before, before), borderType=cv2.BORDER_CONSTANT)
        for plane, kernel in zip(x, wide, strict=True)
    ]
    return np.stack([one[::stride, ::stride] for one in made]) + bias[:, None, None]


def _relu6(x: Float) -> Float:
    """In place: ``x`` is a convolution's own result."""
    return np.clip(x, 0, 6, out=x)
