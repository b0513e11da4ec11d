"""What SAM 2 takes, in time and memory; pure.

Measured was ``tiny``, with random weights at 1024 pixels on two cores of a small server: 9.4
seconds a picture with one object, of which the look at the picture is a little more than half, and
1.6 GB at the peak, the process without it counted. The look of the other sizes is scaled by the
operations of their encoders (285, 352, 638 and 1,812 billion multiplications and additions), their
memory by weights and width. The rest is the same network at every size. No GPU was timed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from remover.types import Cost

MASK_SECONDS = 4.4
"""To find one object on one picture that was looked at."""

LOAD_SECONDS = 10.0
"""To import PyTorch, read the checkpoint and build the network."""


@dataclass(frozen=True, slots=True)
class _Network:
    look_seconds: float
    """To look at one picture, once for all objects."""
    memory_bytes: int
    """PyTorch, weights and activations."""


NETWORKS: Mapping[str, _Network] = {
    "tiny": _Network(5.0, 1_400_000_000),
    "small": _Network(6.2, 1_430_000_000),
    "base-plus": _Network(11.2, 1_730_000_000),
    "large": _Network(31.8, 2_650_000_000),
}


def sam2_cost(size: str, device: str, num_pictures: int, num_masks: int) -> Cost:
    """What it takes to track with SAM 2.

    Args:
        size: A key of ``NETWORKS``.
        device: Where it computes; the time is not known but for ``cpu``.
        num_pictures: How many pictures are looked at.
        num_masks: How many masks are made, over all objects.
    """
    network = NETWORKS[size]
    seconds = LOAD_SECONDS + network.look_seconds * num_pictures + MASK_SECONDS * num_masks
    return Cost(seconds if device == "cpu" else None, network.memory_bytes)
