"""Where a box goes on: a Kalman filter over its centre and size, at constant velocity; pure.

The state is that of SAMURAI (Yang et al., "Adapting Segment Anything Model for Zero-Shot Visual
Tracking with Motion-Aware Memory", arXiv 2411.11922, section "Motion Modeling")::

    x = [x, y, w, h, x', y', w', h']      x(t+1|t) = F x(t|t)

and how far it is trusted that of DeepSORT (Wojke et al., 2017, section 2.1): a twentieth of the box
for places, a 160th of it a frame for velocities. The velocity begins as the difference of the first
two boxes (two-point differencing; Bar-Shalom et al., 2001, section 5.5.3), so that a box at a
constant velocity is followed exactly from there on.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom; right and bottom are not in it."""

Float: TypeAlias = npt.NDArray[np.float64]

PLACE, VELOCITY = 1 / 20, 1 / 160
"""Standard deviations of what is measured and of how velocities change, as shares of the box."""

SMALLEST = 1.0
"""Sides of a predicted box do not fall below this."""

_STEP: Float = np.eye(8) + np.eye(8, k=4)
"""F: a place moves on by its velocity."""


@dataclass(frozen=True, slots=True)
class Motion:
    """What is believed of a box on one frame."""

    mean: Float = field(repr=False)
    """(8,): centre and size, then their change by frame."""
    covariance: Float = field(repr=False)
    """(8, 8)."""

    @property
    def box(self) -> Box:
        """The box of the mean."""
        x, y, width, height = (float(value) for value in self.mean[:4])
        width, height = max(width, SMALLEST), max(height, SMALLEST)
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def begun(first: Box, second: Box) -> Motion:
    """The motion of a box on the second of two frames that follow each other."""
    before, now = _measured(first), _measured(second)
    noise = _measurement_noise(now)
    covariance = np.block([[noise, noise], [noise, 2 * noise]])
    return Motion(np.concatenate([now, now - before]), covariance)


def predicted(motion: Motion) -> Motion:
    """The motion on the next frame, before that is looked at: ``F x`` and ``F P F' + Q``."""
    size = np.tile(np.maximum(motion.mean[2:4], SMALLEST), 2)
    drift = np.diag(np.concatenate([size * PLACE, size * VELOCITY]) ** 2)
    return Motion(_STEP @ motion.mean, _STEP @ motion.covariance @ _STEP.T + drift)


def updated(motion: Motion, box: Box) -> Motion:
    """The predicted ``motion`` of a frame, once a box was seen there: ``x + K (z - H x)``."""
    seen = _measured(box)
    gain = np.linalg.solve(
        motion.covariance[:4, :4] + _measurement_noise(seen), motion.covariance[:4]
    ).T
    mean = motion.mean + gain @ (seen - motion.mean[:4])
    return Motion(mean, motion.covariance - gain @ motion.covariance[:4])


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (area(one) + area(other) - shared)


def area(box: Box) -> float:
    """The area of a box."""
    return (box[2] - box[0]) * (box[3] - box[1])


def joint(one: Box, other: Box) -> Box:
    """The smallest box around two boxes."""
    return (
        min(one[0], other[0]),
        min(one[1], other[1]),
        max(one[2], other[2]),
        max(one[3], other[3]),
    )


def _measured(box: Box) -> Float:
    left, top, right, bottom = box
    return np.array([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top])


def _measurement_noise(seen: Float) -> Float:
    return np.diag((np.tile(seen[2:4], 2) * PLACE) ** 2)
