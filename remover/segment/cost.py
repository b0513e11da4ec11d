"""What the trackers take, in time and memory; pure.

Of SAM 2, ``tiny`` was measured, with random weights at 1024 pixels on two cores of a small server:
9.4 seconds a picture with one object, of which the look at the picture is a little more than half,
and 1.6 GB at the peak, the process without it counted. The look of the other sizes is scaled by the
operations of their encoders (285, 352, 638 and 1,812 billion multiplications and additions), their
memory by weights and width. The rest is the same network at every size. No GPU was timed.

The built-in tracker was measured there too, its time at 854x480, its memory at 640x360. It looks at
pictures of about these sizes whatever the video's, so the figures are taken for all. Its memory
grows over some hundred frames, to 870 MB with the process counted, and then no more: it is the
crops' new sizes that cost, for which PyTorch and the allocator keep room.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from remover.types import Cost

MASK_SECONDS = 4.4
"""To find one object on one picture that was looked at."""

LOAD_SECONDS = 10.0
"""To import PyTorch, read the checkpoint and build the network."""

BUILTIN_LOAD_SECONDS = 2.0
"""To import PyTorch and read the weights."""

BUILTIN_FIRST_SECONDS = 2.0
"""To find one object on a prompted frame, and to learn what it looks like."""

BUILTIN_STEP_SECONDS = 0.18
"""To follow one object from one frame to the next and to make its mask ready. Processors without
arithmetic in 16 bits take longer."""

BUILTIN_MEMORY_BYTES = 650_000_000
"""PyTorch, weights, activations and pictures."""

BUILTIN_KEPT_BYTES = 250_000_000
"""What of it PyTorch does not give back before the process ends."""


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


def builtin_cost(num_prompted: int, num_steps: int) -> Cost:
    """What it takes to track with the built-in tracker.

    Args:
        num_prompted: How many frames are pointed at, over all objects and shots.
        num_steps: How many times an object is followed to another frame, likewise.
    """
    if num_prompted == 0:
        return Cost()
    seconds = BUILTIN_LOAD_SECONDS + BUILTIN_FIRST_SECONDS * num_prompted
    seconds += BUILTIN_STEP_SECONDS * num_steps
    return Cost(seconds, BUILTIN_MEMORY_BYTES, BUILTIN_KEPT_BYTES)
