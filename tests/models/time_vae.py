"""Time the autoencoder against diffusers' in the same run, and print JSON.

Both have the same random weights of the released shape and take turns, so that what else the
machine does falls on both. Seconds are of the wall and of the processor (all threads), the median
of the rounds:

    python tests/models/time_vae.py --height 240 --width 416 --frames 9 --rounds 3
"""

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from remover.models.stream import Stream
from remover.models.vae import VaeConfig, WanVae


def timed(work: Callable[[], Tensor]) -> tuple[Tensor, float, float]:
    """What ``work`` gives, and its seconds by the wall and by the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    """Read the size, take turns, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in (("height", 240), ("width", 416), ("frames", 9), ("rounds", 3)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from diffusers import AutoencoderKLWan

    torch.manual_seed(0)
    theirs = AutoencoderKLWan().eval()
    ours = WanVae(VaeConfig()).eval()
    ours.load_state_dict(theirs.state_dict())
    video = torch.rand(1, 3, options.frames, options.height, options.width) * 2 - 1
    found: dict[str, list[float]] = {}
    with torch.inference_mode():
        for _ in range(options.rounds):
            latents, *spent = timed(lambda: theirs.encode(video).latent_dist.mode())
            result = {"theirs.encode": (latents, *spent)}
            result["theirs.decode"] = timed(lambda z=latents: theirs.decode(z).sample)
            result["ours.encode"] = timed(lambda: ours.encode(video, Stream()))
            normal = ours.normalised(latents)
            result["ours.decode"] = timed(lambda z=normal: ours.decode(z, Stream()))
            for name, (_, wall, processor) in result.items():
                found.setdefault(f"{name}.wall", []).append(round(wall, 2))
                found.setdefault(f"{name}.processor", []).append(round(processor, 2))
    errors = {
        "encode": (ours.denormalised(result["ours.encode"][0]) - latents).abs().max().item(),
        "decode": (result["ours.decode"][0] - result["theirs.decode"][0]).abs().max().item(),
    }
    middle = {name: statistics.median(values) for name, values in found.items()}
    ratios = {
        f"{half}.{clock}": middle[f"theirs.{half}.{clock}"] / middle[f"ours.{half}.{clock}"]
        for half in ("encode", "decode")
        for clock in ("wall", "processor")
    }
    print(
        json.dumps(
            {"seconds": found, "median": middle, "ratios": ratios, "errors": errors}, indent=1
        )
    )


if __name__ == "__main__":
    main()
