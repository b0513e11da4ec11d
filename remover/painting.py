"""How the network paints: the values that a plan decides and a report tells; nothing is computed.

Frames of a window are 1 + 4k, as the autoencoder groups them: the first alone, then four at a time.
"""

from dataclasses import dataclass
from enum import StrEnum


class Joins(StrEnum):
    """How windows of the network meet."""

    HAND_OVER = "hand-over"
    """A window begins with finished frames of the one before, as in training."""
    BLEND = "blend"
    """Windows are denoised together; where they overlap, their velocities are mixed."""
    SHIFT = "shift"
    """Windows are denoised together side by side, and their bounds move from step to step."""


class Offload(StrEnum):
    """What is on a GPU while something else runs there."""

    NONE = "none"
    """Both networks stay."""
    MODEL = "model"
    """One network at a time."""
    LAYERS = "layers"
    """Of the transformer, one block at a time."""


@dataclass(frozen=True, slots=True)
class PaintPlan:
    """Everything about the network's work that is decided before it begins."""

    frames: int
    """Most frames of a window of the network, 1 + 4k."""
    overlap: int
    """Frames that a window shares with the one before, 1 + 4j."""
    stretch: int
    """Most frames that are denoised together, in one window or in several: 1 + 4k."""
    pixels: int
    """Most pixels of a crop at its working size."""
    joins: Joins
    steps: int
    """Of the solver."""
    dtype: str
    """What is computed in: ``fp32``, ``bf16`` or ``fp16``."""
    weights: str
    """What weights are kept in, likewise."""
    offload: Offload
    device: str
    memory_bytes: int
    """Estimated peak on the device: weights and what is computed."""
    host_bytes: int
    """What lies in the machine's own memory: all on a CPU, weights that wait beside a GPU."""
    seconds: float | None
    """Estimated time of all windows, None where it is not known."""


def longest(frames: int) -> int:
    """The most frames of the form 1 + 4k that are not more than ``frames``; 0 if there are none."""
    return 0 if frames < 1 else 1 + (frames - 1) // 4 * 4


def overlap_of(frames: int) -> int:
    """Frames that windows of ``frames`` share: a fifth, at least 5, at most 17, as 1 + 4j.

    The paper's training left up to some 16 leading frames clean (its number is not published), and
    its author advises larger overlaps against haze.
    """
    return min(17, max(5, longest(frames // 5 + 1)))
