"""From noise to clean latents: tables of noise levels, and the solvers that walk down them.

A flow-matching network tells the velocity ``v = noise - clean`` at ``x = s noise + (1 - s) clean``,
where ``s`` (sigma) falls from nearly 1 to 0. Solvers are functions of such a velocity; what the
latents are, and in how many windows a velocity is put together, is not their business.

UniPC is the multistep predictor and corrector of Zhao et al. (arXiv 2302.04867), in the form that
predicts clean data, with ``B(h) = exp(h) - 1`` ("bh2").
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from remover.errors import WeightsError

DEFAULT_STEPS = 6
"""How many steps the released weights were distilled for."""


class Solver(StrEnum):
    """How a step is made from velocities."""

    UNIPC = "unipc"
    EULER = "euler"


class SigmaRule(StrEnum):
    """How UniPC's noise levels are spread before they are shifted.

    diffusers changed this in 0.37, for the same config file. The weights were made and published
    with the older one.
    """

    TO_ZERO = "to-zero"
    """Evenly from 0.999 towards 0, which is left out; up to 0.36."""
    FROM_ONE = "from-one"
    """Evenly from 1 (less 1e-6) towards 0.001, which is left out; since 0.37."""


@dataclass(frozen=True, slots=True)
class Step:
    """Where on the way a velocity is asked for."""

    index: int
    """From 0."""
    timestep: float
    """What the network is told; a whole number for UniPC."""
    sigma: float
    """Share of noise, 1 to 0, unrounded by the timestep."""


Velocity = Callable[[Tensor, Step], Tensor]
"""(latents of any shape, float32; where) to the velocity of the same shape."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The noise levels of a run."""

    sigmas: tuple[float, ...]
    """One more than there are steps, falling, the last 0; values of float32."""
    timesteps: tuple[float, ...]
    """One a step."""

    def __post_init__(self) -> None:
        """Check the table.

        Raises:
            ValueError: It is empty, its lengths differ, or it does not fall to 0 from below 1 or 1.
        """
        falls = all(a > b for a, b in itertools.pairwise(self.sigmas))
        if not self.timesteps or len(self.sigmas) != len(self.timesteps) + 1:
            raise ValueError(f"{len(self.sigmas)} sigmas for {len(self.timesteps)} steps")
        if not falls or self.sigmas[0] > 1 or self.sigmas[-1] != 0:
            raise ValueError("sigmas do not fall from at most 1 to 0")

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps in order."""
        pairs = zip(self.timesteps, self.sigmas[:-1], strict=True)
        return tuple(Step(i, timestep, sigma) for i, (timestep, sigma) in enumerate(pairs))


@dataclass(frozen=True, slots=True)
class SamplerConfig:
    """What a checkpoint says about its solver; the released values."""

    solver: Solver = Solver.UNIPC
    shift: float = 3.0
    """How much of the way is spent at high noise; 1 is even."""
    order: int = 2
    """Of UniPC's predictor, at most; the first and last steps have lower ones."""
    uncorrected: frozenset[int] = frozenset()
    """Steps of UniPC whose result is not corrected once the next velocity is known."""
    num_train_timesteps: int = 1000
    rule: SigmaRule = SigmaRule.TO_ZERO

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ValueError: One is out of range.
        """
        if self.shift <= 0 or self.order < 1 or self.num_train_timesteps < 2:
            raise ValueError(
                f"shift {self.shift}, order {self.order} or {self.num_train_timesteps} training "
                "timesteps cannot be used"
            )

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> "SamplerConfig":
        """The config that a checkpoint's ``scheduler/scheduler_config.json`` holds.

        Args:
            values: The parsed file. What it leaves out is as in the release.

        Raises:
            WeightsError: It asks for a solver or a table that is not here.
        """
        for name, only in _ONLY.items():
            if values.get(name, only) != only:
                raise _unusable(name, values[name])
        kind = values.get("_class_name", "UniPCMultistepScheduler")
        if kind not in _SOLVERS:
            raise _unusable("_class_name", kind)
        solver, shift = _SOLVERS[str(kind)]
        usual = cls()
        try:
            return cls(
                solver=solver,
                shift=_number(values, shift, usual.shift),
                order=_whole(values, "solver_order", usual.order),
                uncorrected=_indices(values.get("disable_corrector", [])),
                num_train_timesteps=_whole(
                    values, "num_train_timesteps", usual.num_train_timesteps
                ),
            )
        except ValueError as error:
            raise WeightsError(
                f"the checkpoint's scheduler_config.json cannot be used: {error}", hint=_HINT
            ) from None


_ONLY: Mapping[str, object] = {
    "prediction_type": "flow_prediction",
    "use_flow_sigmas": True,
    "solver_type": "bh2",
    "solver_p": None,
    "predict_x0": True,
    "lower_order_final": True,
    "final_sigmas_type": "zero",
    "thresholding": False,
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "use_dynamic_shifting": False,
    "shift_terminal": None,
    "invert_sigmas": False,
    "stochastic_sampling": False,
}
_SOLVERS: Mapping[str, tuple[Solver, str]] = {
    "UniPCMultistepScheduler": (Solver.UNIPC, "flow_shift"),
    "FlowMatchEulerDiscreteScheduler": (Solver.EULER, "shift"),
}
_HINT = "give the scheduler_config.json of MiniMax-Remover"


def _unusable(name: str, value: object) -> WeightsError:
    return WeightsError(
        f"the checkpoint's scheduler_config.json asks for `{name}` `{value}`, which is not there",
        hint=_HINT,
    )


def _number(values: Mapping[str, object], name: str, usual: float) -> float:
    value = values.get(name, usual)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise ValueError(f"`{name}` is `{value}`")


def _whole(values: Mapping[str, object], name: str, usual: int) -> int:
    value = _number(values, name, usual)
    if value != int(value):
        raise ValueError(f"`{name}` is `{value}`")
    return int(value)


def _indices(value: object) -> frozenset[int]:
    if isinstance(value, list) and all(isinstance(index, int) for index in value):
        return frozenset(value)
    raise ValueError(f"`disable_corrector` is `{value}`")


def schedule(config: SamplerConfig, num_steps: int = DEFAULT_STEPS) -> Schedule:
    """The noise levels of a run.

    Args:
        config: Which solver, and how far the levels are shifted.
        num_steps: At least 1.

    Raises:
        ValueError: There are no steps.
    """
    if num_steps < 1:
        raise ValueError(f"{num_steps} steps")
    train = config.num_train_timesteps
    if config.solver is Solver.EULER:
        lowest = _shifted(np.array(1 / train), config.shift)  # and shifted again, as upstream
        sigmas = _shifted(np.linspace(1.0, lowest, num_steps), config.shift).astype(np.float32)
        timesteps = [float(value) for value in sigmas * np.float32(train)]
    else:
        wide = _unipc_sigmas(config, num_steps)
        timesteps = [int(value) for value in wide * train]  # cut off, not rounded
        sigmas = wide.astype(np.float32)
    return Schedule((*(float(sigma) for sigma in sigmas), 0.0), tuple(timesteps))


def _unipc_sigmas(config: SamplerConfig, num_steps: int) -> npt.NDArray[np.float64]:
    """(steps,) falling, without the last 0."""
    even = np.linspace(1.0, 1.0 / config.num_train_timesteps, num_steps + 1)
    if config.rule is SigmaRule.TO_ZERO:
        return _shifted((1.0 - even)[:0:-1], config.shift)
    sigmas = _shifted(even[:-1], config.shift)
    sigmas[0] -= 1e-6  # at 1 there is no signal, and its logarithm has no end
    return sigmas


def _shifted(sigmas: npt.NDArray[np.float64], shift: float) -> npt.NDArray[np.float64]:
    return np.asarray(shift * sigmas / (1.0 + (shift - 1.0) * sigmas))


def sample(
    velocity: Velocity, noise: Tensor, config: SamplerConfig, table: Schedule
) -> Iterator[Tensor]:
    """The state after each step, the last of which is clean.

    A generator, so that whoever runs it can show progress, stop, or look.

    Args:
        velocity: Asked once a step.
        noise: Where to begin: standard normal, of any shape.
        config: Which solver.
        table: As from ``schedule``.

    Yields:
        As many float32 tensors of the shape of ``noise`` as there are steps.
    """
    if config.solver is Solver.EULER:
        return euler(velocity, noise, table)
    return unipc(velocity, noise, table, order=config.order, uncorrected=config.uncorrected)


def euler(velocity: Velocity, noise: Tensor, table: Schedule) -> Iterator[Tensor]:
    """The states of straight steps along the velocity; see ``sample``."""
    x = noise.float()
    for step, sigma in zip(table.steps, table.sigmas[1:], strict=True):
        x = x + (sigma - step.sigma) * velocity(x, step).float()
        yield x


def unipc(
    velocity: Velocity,
    noise: Tensor,
    table: Schedule,
    *,
    order: int = 2,
    uncorrected: frozenset[int] = frozenset(),
) -> Iterator[Tensor]:
    """The states of UniPC's predictor; see ``sample``.

    Every velocity is used twice: to correct the step that led to its state, and for the next step.
    The correction moves where that next step sets out from, and costs no velocity of its own.

    Args:
        velocity: Asked once a step.
        noise: Where to begin.
        table: Sigmas below 1.
        order: Of the predictor: how many estimates of clean latents a step looks back on.
        uncorrected: Indices of steps that are not corrected.

    Yields:
        As many float32 tensors of the shape of ``noise`` as there are steps.

    Raises:
        ValueError: The first sigma is 1, which has no logarithm of signal to noise.
    """
    if table.sigmas[0] >= 1:
        raise ValueError("UniPC cannot begin at sigma 1")
    start, x = noise.float(), noise.float()
    clean: list[Tensor] = []  # estimates, the latest last
    used = 0
    for step in table.steps:
        estimate = x - step.sigma * velocity(x, step).float()
        if step.index > 0 and step.index - 1 not in uncorrected:
            levels = table.sigmas[step.index - used : step.index + 1]
            x = _advanced(start, clean[-used:], levels, corrected_by=estimate)
        clean = [*clean, estimate][-order:]
        used = min(order, len(clean), len(table.timesteps) - step.index)
        start = x
        x = _advanced(start, clean[-used:], table.sigmas[step.index + 1 - used : step.index + 2])
        yield x


def _advanced(
    start: Tensor,
    clean: Sequence[Tensor],
    sigmas: Sequence[float],
    *,
    corrected_by: Tensor | None = None,
) -> Tensor:
    """One step of UniPC.

    Args:
        start: The state to set out from.
        clean: Estimates of the clean latents at all ``sigmas`` but the last, oldest first.
        sigmas: Noise levels, those of ``clean`` and the one to go to.
        corrected_by: The estimate at the end of the step, where that is known.

    Returns:
        The state at the last sigma.
    """
    *_, here, there = sigmas
    logs = [math.log1p(-sigma) - math.log(sigma) if sigma else math.inf for sigma in sigmas]
    h = logs[-1] - logs[-2]
    places = [(log - logs[-2]) / h for log in logs[:-2]]  # behind: -1 is a step of this length
    latest, change = clean[-1], -math.expm1(-h)
    x = (there / here) * start + ((1 - there) * change) * latest
    differences = [estimate - latest for estimate in clean[:-1]]
    if corrected_by is not None:
        places.append(1.0)
        differences.append(corrected_by - latest)
    for weight, place, difference in zip(_weights(places, h), places, differences, strict=True):
        x = x + ((1 - there) * change * weight / place) * difference
    return x


def _weights(places: Sequence[float], h: float) -> list[float]:
    """How much the slope towards each of ``places`` counts; the paper's a, for predicted data.

    A single slope counts one half, whatever ``h``, as the paper allows and the reference does.
    """
    if len(places) < 2:
        return [0.5] * len(places)
    moment, factorial, right = math.expm1(-h) / -h - 1.0, 1.0, []
    for degree in range(1, len(places) + 1):
        right.append(moment * factorial / math.expm1(-h))
        factorial *= degree + 1
        moment = moment / -h - 1.0 / factorial
    left = np.vander(np.array(places), increasing=True).T
    return [float(weight) for weight in np.linalg.solve(left, np.array(right))]


def contrast_guided(remove: Velocity, generate: Velocity, weight: float) -> Velocity:
    """The velocity of weights of the first training stage: away from making an object.

    Args:
        remove: Under the condition to remove.
        generate: Under the condition to generate.
        weight: 0 is ``generate``, 1 ``remove``, above 1 beyond it; it has to be tuned by video.

    Returns:
        ``generate + weight * (remove - generate)``, at the cost of both.
    """

    def velocity(x: Tensor, step: Step) -> Tensor:
        away = generate(x, step)
        return torch.lerp(away, remove(x, step), weight)

    return velocity
