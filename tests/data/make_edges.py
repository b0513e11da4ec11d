"""Make the weights that mend the outlines of masks, from photographs; nothing else is learned from.

    python tests/data/make_edges.py PHOTOS [--minutes 60] [--seed 1] [--checkpoint edges.pt]

PHOTOS is a folder of photographs whose licences allow it; ``edges.LICENSE`` beside the weights
names those that were used. Samples are made up (``made_up_objects.py``), and the network learns
the way back from a spoiled mask to the true one. It may be cut off: with a checkpoint it goes on.
"""

import argparse
import time
from multiprocessing import Process, Queue
from pathlib import Path

import cv2
import numpy as np
import torch
from made_up_objects import Maker, pyramids
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from remover.segment.edges import ASSET, CLIP, DILATIONS

ASSETS = Path(__file__).resolve().parents[2] / "remover" / "assets"
WIDTHS = (24, 32, 48, 64)
BATCH = 16
RATE = 2e-3


def layer(inputs, outputs, *, stride=1, dilation=1):
    convolution = nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Network(nn.Module):
    """``remover.segment.edges.Edges`` with batch norms, to be trained."""

    def __init__(self):
        super().__init__()
        half, quarter, eighth, deep = WIDTHS
        parts = {
            "stem": layer(16, half),
            "half": layer(half, half),
            "quarter.0": layer(half, quarter, stride=2),
            "quarter.1": layer(quarter, quarter),
            "eighth.0": layer(quarter, eighth, stride=2),
            "eighth.1": layer(eighth, eighth),
            "sixteenth.0": layer(eighth, deep, stride=2),
            **{
                f"sixteenth.{i}": layer(deep, deep, dilation=dilation)
                for i, dilation in enumerate(DILATIONS[1:], 1)
            },
            "up.eighth": layer(deep + eighth, eighth),
            "up.quarter": layer(eighth + quarter, quarter),
            "up.half.0": layer(quarter + half, half),
            "up.half.1": layer(half, half),
        }
        self.parts = parts
        self.layers = nn.ModuleList(parts.values())
        self.out = nn.Conv2d(half, 4, 3, 1, 1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, pixels, soft):
        def through(x, *names):
            for name in names:
                x = self.parts[name](x)
            return x

        def joined(x, other):
            wide = functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            return torch.cat([wide, other], dim=1)

        odds = torch.logit(soft.clamp(CLIP, 1 - CLIP))
        x = functional.pixel_unshuffle(torch.cat([pixels - 0.5, odds / 4], dim=1), 2)
        half = through(x, "stem", "half")
        quarter = through(half, "quarter.0", "quarter.1")
        eighth = through(quarter, "eighth.0", "eighth.1")
        deep = through(eighth, *(f"sixteenth.{i}" for i in range(len(DILATIONS))))
        up = through(joined(deep, eighth), "up.eighth")
        up = through(joined(up, quarter), "up.quarter")
        up = through(joined(up, half), "up.half.0", "up.half.1")
        return functional.pixel_shuffle(self.out(up), 2) + odds


def folded(network):
    """Weights by the names of ``Edges``, batch norms folded in, in half precision."""
    state = {"out.weight": network.out.weight, "out.bias": network.out.bias}
    for name, part in network.parts.items():
        convolution, norm = part[0], part[1]
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        state[f"{name}.weight"] = convolution.weight * scale[:, None, None, None]
        state[f"{name}.bias"] = norm.bias - norm.running_mean * scale
    return {name: tensor.detach().half().contiguous() for name, tensor in state.items()}


def loss_of(odds, true):
    """Cross entropy, heavier at outlines, and one half of the loss of the overlap."""
    outline = functional.max_pool2d(true, 7, 1, 3) + functional.max_pool2d(-true, 7, 1, 3)
    weight, axes = 1 + 3 * outline, (1, 2, 3)
    gap = functional.binary_cross_entropy_with_logits(odds, true, reduction="none")
    entropy = (gap * weight).sum(axes) / weight.sum(axes)
    likely = torch.sigmoid(odds)
    both = (likely * true).sum(axes)
    return (entropy + 0.5 * (1 - both / (likely.sum(axes) + true.sum(axes) - both))).mean()


def tensors(samples):
    pictures, true, soft = (torch.from_numpy(np.stack(part)) for part in zip(*samples, strict=True))
    return pictures.permute(0, 3, 1, 2).float() / 255, true[:, None], soft[:, None]


def fill(queue, folder, seed):
    cv2.setNumThreads(1)
    maker = Maker(pyramids(folder), seed)
    while True:
        queue.put([maker.sample() for _ in range(BATCH)])


def overlap(odds, true):
    found, real = odds > 0, true > 0.5
    both = (found & real).sum((1, 2, 3))
    return float((both / (found | real).sum((1, 2, 3)).clamp(min=1)).mean())


def validate(network, average, held):
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    network.load_state_dict(average)
    network.eval()
    with torch.no_grad():
        found = overlap(torch.cat([network(*pair) for pair in held[0]]), held[1])
    save_file(folded(network), ASSETS / ASSET)
    network.load_state_dict(kept)
    network.train()
    return found


def train(folder, minutes, seed, checkpoint):
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    samples = Queue(12)
    for i in range(2):
        Process(target=fill, args=(samples, folder, 1000 * seed + i), daemon=True).start()
    maker = Maker(pyramids(folder), 999_999)
    pixels, true, soft = tensors([maker.sample() for _ in range(200)])
    held = list(zip(pixels.split(20), soft.split(20), strict=True)), true
    print(f"overlap of the spoiled masks {overlap(soft - 0.5, true):.4f}", flush=True)
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-4)
    average, steps, spent = {k: v.clone() for k, v in network.state_dict().items()}, 0, 0.0
    if checkpoint.is_file():
        saved = torch.load(checkpoint)
        network.load_state_dict(saved["network"])
        optimizer.load_state_dict(saved["optimizer"])
        average, steps, spent = saved["average"], saved["steps"], saved["spent"]
    begun = time.monotonic() - spent
    while (share := (time.monotonic() - begun) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            warm = min(1, steps / 200 + 0.02)
            group["lr"] = RATE * warm * (0.5 + 0.5 * np.cos(np.pi * share)) + 1e-5
        pixels, true, soft = tensors(samples.get())
        with torch.autocast("cpu", torch.bfloat16):
            odds = network(pixels.contiguous(memory_format=torch.channels_last), soft)
        optimizer.zero_grad()
        loss_of(odds.float(), true).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        steps += 1
        for name, tensor in network.state_dict().items():
            if tensor.dtype.is_floating_point:
                average[name].lerp_(tensor, 1 - min(0.998, (steps + 1) / (steps + 20)))
            else:
                average[name].copy_(tensor)
        if steps % 300 == 0:
            spent = time.monotonic() - begun
            print(
                steps, f"{spent:.0f} s, overlap {validate(network, average, held):.4f}", flush=True
            )
            state = {"network": network.state_dict(), "optimizer": optimizer.state_dict()}
            torch.save({**state, "average": average, "steps": steps, "spent": spent}, checkpoint)
    print(f"overlap {validate(network, average, held):.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--checkpoint", type=Path, default=Path("edges.pt"))
    arguments = parser.parse_args()
    train(arguments.photographs, arguments.minutes, arguments.seed, arguments.checkpoint)


if __name__ == "__main__":
    main()
