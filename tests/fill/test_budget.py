"""How a network is planned into a memory."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.crops import LEAST_PIXELS, TRAINED_PIXELS
from remover.fill import budget
from remover.fill.budget import Scene, paint_plan
from remover.fill.choose import Network, choose
from remover.models.config import DiTConfig, VaeConfig
from remover.painting import Joins, Offload
from remover.types import Rect, Shot, Size

GB = 1 << 30
HD, SD = Size(1080, 1920), Size(480, 832)


@pytest.fixture(scope="module")
def released(checkpoint) -> Network:
    """A checkpoint of the released size, as far as its configs tell."""
    found = choose("small", str(checkpoint), "cpu", "auto", None)
    assert found is not None
    return replace(found, dit=DiTConfig(), vae=VaeConfig(), stored="fp16")


def scene(size: Size = SD, frames: int = 200, box: Rect | None = None) -> Scene:
    hole = box or Rect(0, 0, *size)
    return Scene([Shot(0, frames)], [hole] * frames, size, 1)


def planned(monkeypatch, network: Network, where: Scene, memory: int, **options):
    monkeypatch.setattr(budget, "network_budget", lambda _: memory)
    return paint_plan(network, where, **{"steps": None, "joins": Joins.HAND_OVER, **options})


def on_gpu(network: Network) -> Network:
    return replace(network, device="cuda:0", dtype="fp16")


def test_a_large_gpu_runs_as_the_release_was_trained(released, monkeypatch):
    plan = planned(monkeypatch, on_gpu(released), scene(), 40 * GB)
    assert (plan.frames, plan.overlap, plan.stretch, plan.steps) == (81, 17, 81, 6)
    assert plan.offload is Offload.NONE
    assert plan.pixels >= 480 * 832
    assert plan.weights == plan.dtype == "fp16"
    assert plan.seconds is None
    assert plan.host_bytes == 0


def test_less_memory_means_less_of_everything_and_it_fits(released, monkeypatch):
    network, last = on_gpu(released), None
    offloads = list(Offload)
    for memory in (80, 40, 24, 16, 12, 8, 6, 4, 3):
        plan = planned(monkeypatch, network, scene(HD), memory * GB)
        assert plan.memory_bytes <= memory * GB
        assert LEAST_PIXELS <= plan.pixels <= TRAINED_PIXELS
        if last is not None:
            assert plan.frames <= last.frames
            assert plan.pixels <= last.pixels
            if plan.frames == last.frames:
                assert offloads.index(plan.offload) >= offloads.index(last.offload)
        last = plan
    assert last is not None
    assert last.offload is Offload.LAYERS
    assert last.host_bytes > 2 * GB


def test_a_memory_that_is_too_small_gets_the_smallest_plan(released, monkeypatch):
    plan = planned(monkeypatch, on_gpu(released), scene(HD), GB // 10)
    assert (plan.frames, plan.pixels, plan.offload) == (9, LEAST_PIXELS, Offload.LAYERS)
    assert plan.memory_bytes > GB // 10


def test_a_cpu_keeps_weights_in_16_bits_where_memory_is_short(released, monkeypatch):
    plans = [planned(monkeypatch, released, scene(), memory * GB) for memory in (24, 12)]
    assert [plan.weights for plan in plans] == ["fp32", "fp16"]
    assert [plan.frames for plan in plans] == [81, 81]
    assert plans[0].pixels == plans[1].pixels
    for plan in plans:
        assert (plan.dtype, plan.offload) == ("fp32", Offload.NONE)
        assert plan.host_bytes == plan.memory_bytes
    plan = planned(monkeypatch, replace(released, stored="fp32"), scene(), 12 * GB)
    assert plan.weights == "bf16"


def test_a_cpu_takes_hours_and_says_so(released, monkeypatch):
    hours = [
        planned(monkeypatch, released, scene(size), 40 * GB).seconds
        for size in (SD, Size(240, 416))
    ]
    assert hours[0] > 5 * 3600 > 3600 < hours[1] < hours[0] / 3


def test_guidance_costs_twice_the_velocities(released, monkeypatch):
    plain = planned(monkeypatch, released, scene(), 40 * GB).seconds
    guided = planned(monkeypatch, replace(released, guidance=3.0), scene(), 40 * GB).seconds
    alone = planned(monkeypatch, replace(released, guidance=1.0), scene(), 40 * GB).seconds
    assert 1.3 * plain < guided < 2 * plain
    assert alone == plain


def test_pictures_that_fill_the_memory_shorten_windows(released, monkeypatch):
    network = on_gpu(released)
    monkeypatch.setattr(budget, "total_memory", lambda: 8 * GB)
    plan = planned(monkeypatch, network, scene(Size(4320, 7680)), 80 * GB)
    assert plan.frames == 9


@pytest.mark.parametrize("joins", [Joins.BLEND, Joins.SHIFT])
def test_windows_that_are_denoised_together_are_bounded_too(joins, released, monkeypatch):
    plan = planned(monkeypatch, on_gpu(released), scene(), 40 * GB, joins=joins)
    assert plan.stretch == 81 + 2 * 64
    assert (plan.stretch - 1) % 4 == 0


@settings(deadline=None, max_examples=20)
@given(
    st.integers(2, 60).map(lambda n: n * GB // 2),
    st.integers(16, 1080),
    st.integers(16, 1920),
    st.integers(1, 300),
)
def test_plans_fit_what_they_are_given(released, memory, height, width, frames):
    with pytest.MonkeyPatch.context() as patch:
        where = scene(HD, frames, Rect(0, 0, height, width))
        plan = planned(patch, on_gpu(released), where, memory)
    assert plan.frames % 4 == plan.overlap % 4 == plan.stretch % 4 == 1
    assert plan.overlap < plan.frames
    smallest = (plan.frames, plan.pixels) == (9, LEAST_PIXELS)
    assert plan.memory_bytes <= memory or smallest
