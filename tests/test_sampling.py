import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import assert_near, found, read
from torch import Tensor
from upstream import diffusers_class

from remover.errors import WeightsError
from remover.sampling import (
    SamplerConfig,
    Schedule,
    SigmaRule,
    Solver,
    contrast_guided,
    euler,
    sample,
    schedule,
    unipc,
)

SIGMA_TOLERANCE, STATE_TOLERANCE = 1e-6, 1e-5
VARIANTS: dict[str, dict[str, Any]] = {
    "nocorr0": {"uncorrected": frozenset({0, 1})},
}


def rule_of(version: str) -> SigmaRule:
    """The rule of a release of diffusers."""
    numbers = [int(part) for part in version.split(".")[:2]]
    return SigmaRule.TO_ZERO if numbers < [0, 37] else SigmaRule.FROM_ONE


def cases() -> list[Any]:
    """Every case of every file, so that one that fails is named."""
    chosen = []
    for file in found("scheduler.*.safetensors"):
        if file.values[0] is None:
            return [pytest.param(None, None, marks=file.marks)]
        numbers, _ = read(file.values[0])
        names = sorted(n.removesuffix(".sigmas") for n in numbers if n.endswith(".sigmas"))
        chosen += [pytest.param(file.values[0], n, id=f"{file.id}-{n}") for n in names]
    return chosen


def config_of(case: str, version: str) -> tuple[SamplerConfig, int]:
    match = re.fullmatch(r"(\w+)\.shift([\d.]+?)\.steps(\d+)(?:\.(\w+))?", case)
    assert match, case
    solver, shift, steps, variant = match.groups()
    order = re.fullmatch(r"order(\d+)", variant or "")
    known = {"order": int(order[1])} if order else VARIANTS[variant] if variant else {}
    return SamplerConfig(Solver(solver), float(shift), rule=rule_of(version), **known), int(steps)


@pytest.mark.reference
@pytest.mark.parametrize(("path", "case"), cases())
def test_a_solver_gives_the_reference_numbers(path: Path, case: str):
    numbers, about = read(path)
    config, steps = config_of(case, about["diffusers"])
    table = schedule(config, steps)
    wanted = {what: numbers.get(f"{case}.{what}") for what in ("states", "states_index")}
    assert_near(torch.tensor(table.sigmas), numbers[f"{case}.sigmas"], SIGMA_TOLERANCE, "sigmas")
    timesteps = numbers[f"{case}.timesteps"]
    if timesteps.is_floating_point():
        assert_near(torch.tensor(table.timesteps), timesteps, 1e-3, "timesteps")
    else:
        assert list(table.timesteps) == timesteps.tolist()

    model, velocities = about["model"], []

    def velocity(x: Tensor, step) -> Tensor:
        wave = torch.sin(torch.tensor(model["c"] * step.timestep / config.num_train_timesteps))
        velocities.append(model["a"] * x + model["b"] * wave + 0.1 * torch.cos(3 * x))
        return velocities[-1]

    states = torch.stack([numbers["x0"], *sample(velocity, numbers["x0"], config, table)])
    kept = wanted["states_index"]
    assert_near(states if kept is None else states[kept], wanted["states"], STATE_TOLERANCE, case)
    if f"{case}.velocities" in numbers:
        assert_near(torch.stack(velocities), numbers[f"{case}.velocities"], STATE_TOLERANCE, case)


def test_the_default_is_the_released_table():
    table = schedule(SamplerConfig())
    assert table.timesteps == (999, 937, 856, 749, 599, 374)
    wanted = (0.999666, 0.937148, 0.856775, 0.749625, 0.599640, 0.374719, 0)
    assert table.sigmas == pytest.approx(wanted, abs=1e-6)
    assert schedule(SamplerConfig(), 12).timesteps == (
        *(999, 970, 937, 899, 856, 807, 749, 681, 599, 499, 374, 214),
    )
    newer = schedule(SamplerConfig(rule=SigmaRule.FROM_ONE))
    assert newer.timesteps == (999, 937, 857, 750, 600, 376)


configs = st.builds(
    SamplerConfig,
    shift=st.floats(0.5, 12),
    order=st.integers(1, 3),
    uncorrected=st.frozensets(st.integers(0, 6)),
    num_train_timesteps=st.sampled_from([200, 1000]),
    rule=st.sampled_from(SigmaRule),
)


def upstream(config: SamplerConfig):
    return diffusers_class("UniPCMultistepScheduler")(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        num_train_timesteps=config.num_train_timesteps,
        flow_shift=config.shift,
        solver_order=config.order,
        disable_corrector=sorted(config.uncorrected),
    )


@settings(deadline=None, max_examples=60)
@given(config=configs, steps=st.integers(1, 40), gain=st.floats(-1, 1), seed=st.integers(0, 99))
def test_unipc_walks_as_diffusers_does(config, steps, gain, seed):
    reference, table = upstream(config), schedule(config, steps)
    if config.rule is SigmaRule.TO_ZERO:  # its own rule is another one by now: give it the sigmas
        reference.set_timesteps(steps)
        reference.sigmas = torch.tensor(table.sigmas)
        reference.timesteps = torch.tensor(table.timesteps)
    else:
        reference.set_timesteps(steps)
        assert_near(torch.tensor(table.sigmas), reference.sigmas, SIGMA_TOLERANCE, "sigmas")
        assert list(table.timesteps) == reference.timesteps.tolist()
    reference.set_begin_index(0)

    def velocity(x, timestep):
        return gain * x + torch.cos(2 * x) / 4 + timestep / config.num_train_timesteps

    noise = torch.randn(1, 2, 3, generator=torch.Generator().manual_seed(seed))
    x, states = noise, []
    for timestep in reference.timesteps:
        x = reference.step(velocity(x, int(timestep)), timestep, x).prev_sample
        states.append(x)
    ours = list(sample(lambda x, step: velocity(x, step.timestep), noise, config, table))
    scale = max(1.0, float(torch.stack(states).abs().max()))
    assert_near(torch.stack(ours), torch.stack(states), 2e-4 * scale, "states")


@settings(deadline=None, max_examples=60)
@given(
    config=st.builds(SamplerConfig, solver=st.sampled_from(Solver), shift=st.floats(0.5, 12)),
    steps=st.integers(1, 60),
)
def test_a_constant_velocity_is_followed_exactly(config, steps):
    table = schedule(config, steps)
    noise, pull = torch.tensor([0.5, -2.0]), torch.tensor([1.5, 0.25])
    *_, last = sample(lambda _x, _step: pull, noise, config, table)
    assert_near(last, noise - table.sigmas[0] * pull, 1e-5, "the end")


def way(solver: Solver, steps: int) -> float:
    """How far the end is off for a curved way whose end is known."""
    config = SamplerConfig(solver, shift=1.0)
    table = schedule(config, steps)

    def velocity(x: Tensor, step) -> Tensor:
        return 0.8 * x + step.sigma

    # x' = 0.8 x + s from s0 to 0.
    start = table.sigmas[0]
    particular = -1 / 0.8
    offset = -1 / 0.8**2
    noise = torch.tensor([1.0])
    factor = (1.0 - (particular * start + offset)) / 2.718281828459045 ** (0.8 * start)
    *_, last = sample(velocity, noise, config, table)
    return abs(float(last) - (factor + offset))


def test_more_steps_come_nearer_and_unipc_faster():
    ends = {solver: [way(solver, steps) for steps in (6, 12, 24)] for solver in Solver}
    for errors in ends.values():
        assert errors == sorted(errors, reverse=True)
    assert ends[Solver.UNIPC][0] < ends[Solver.EULER][0] / 5
    assert ends[Solver.UNIPC][2] < ends[Solver.EULER][2] / 20


def test_one_step_takes_the_first_estimate():
    table = schedule(SamplerConfig(), 1)
    noise = torch.randn(3, generator=torch.Generator().manual_seed(0))
    (last,) = unipc(lambda x, _step: x * x, noise, table)
    assert_near(last, noise - table.sigmas[0] * noise * noise, 1e-6, "the end")


def test_states_are_float32_and_the_noise_is_left_alone():
    noise = torch.randn(4, dtype=torch.float16)
    kept = noise.clone()
    for config in (SamplerConfig(), SamplerConfig(Solver.EULER)):
        for state in sample(lambda x, _step: x.half(), noise, config, schedule(config)):
            assert state.dtype == torch.float32
    assert torch.equal(noise, kept)


@pytest.mark.parametrize(
    ("sigmas", "timesteps"),
    [
        ((0.0,), ()),
        ((1.0, 0.5), (999.0,)),
        ((0.5, 0.6, 0.0), (5.0, 4.0)),
        ((1.5, 0.0), (5.0,)),
        ((0.5, 0.0), (5.0, 4.0)),
    ],
)
def test_a_table_that_does_not_fall_to_zero_is_refused(sigmas, timesteps):
    with pytest.raises(ValueError, match="sigmas"):
        Schedule(sigmas, timesteps)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="0 steps"):
        schedule(SamplerConfig(), 0)
    with pytest.raises(ValueError, match="sigma 1"):
        next(unipc(lambda x, _step: x, torch.zeros(1), Schedule((1.0, 0.0), (999.0,))))
    for wrong in ({"shift": 0.0}, {"order": 0}, {"num_train_timesteps": 1}):
        with pytest.raises(ValueError, match="cannot be used"):
            SamplerConfig(**wrong)


RELEASED_JSON = {
    "_class_name": "UniPCMultistepScheduler",
    "prediction_type": "flow_prediction",
    "use_flow_sigmas": True,
    "flow_shift": 3.0,
    "solver_order": 2,
    "solver_type": "bh2",
    "predict_x0": True,
    "lower_order_final": True,
    "final_sigmas_type": "zero",
    "num_train_timesteps": 1000,
    "timestep_spacing": "linspace",
    "disable_corrector": [],
}


def test_configs_are_read_as_checkpoints_hold_them():
    assert SamplerConfig.from_json(RELEASED_JSON) == SamplerConfig()
    changed = RELEASED_JSON | {"flow_shift": 5, "solver_order": 1, "disable_corrector": [2]}
    assert SamplerConfig.from_json(changed) == SamplerConfig(
        shift=5.0, order=1, uncorrected=frozenset({2})
    )
    straight = {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 5.0}
    assert SamplerConfig.from_json(straight) == SamplerConfig(Solver.EULER, shift=5.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prediction_type", "epsilon"),
        ("solver_type", "bh1"),
        ("final_sigmas_type", "sigma_min"),
        ("use_karras_sigmas", True),
        ("_class_name", "DDIMScheduler"),
        ("flow_shift", 0),
        ("solver_order", 2.5),
        ("flow_shift", "much"),
        ("disable_corrector", 3),
    ],
)
def test_what_is_not_here_is_refused_by_name(name, value):
    with pytest.raises(WeightsError) as caught:
        SamplerConfig.from_json(RELEASED_JSON | {name: value})
    assert "scheduler_config.json" in caught.value.message
    assert str(value) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_contrast_goes_from_one_condition_through_the_other(weight):
    def remove(x, step):
        return x + step.timestep

    def generate(x, _step):
        return -x

    guided = contrast_guided(remove, generate, weight)
    x = torch.tensor([1.0, 2.0])
    step = schedule(SamplerConfig()).steps[0]
    assert_near(guided(x, step), -x + weight * (2 * x + 999), 1e-3, "guided")


def test_euler_steps_straight():
    table = Schedule((0.8, 0.3, 0.0), (800.0, 300.0))
    first, last = euler(lambda x, _step: x, torch.tensor([2.0]), table)
    assert float(first) == pytest.approx(2 * 0.5)
    assert float(last) == pytest.approx(2 * 0.5 * 0.7)
