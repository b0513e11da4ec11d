import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.models.config import DiTConfig
from remover.models.dit import Contrast, DiT
from remover.train.objectives import (
    bad_noise,
    flow_matching,
    minimax,
    noised,
    towards_object,
)

SHAPE = (2, 1, 1, 1, 2)


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).view(SHAPE)


def linear(x, known, time):
    """A velocity that can be worked out by hand: 3 x + the first half of what is known."""
    return 3 * x + known[:, :1] * time.view(-1, 1, 1, 1, 1)


KNOWN = torch.tensor([1.0, 2, 9, 9, -1, 0, 9, 9], dtype=torch.float64).view(2, 2, 1, 1, 2)


def test_flow_matching_by_hand():
    clean, noise = tensor(1, 0, 2, -1), tensor(0, 1, -2, 1)
    time = torch.tensor([0.25, 0.5], dtype=torch.float64)
    # x = t e + (1 - t) z: (0.75, 0.25), (0, 0); v = e - z: (-1, 1), (-4, 2)
    assert noised(clean, noise, time).flatten().tolist() == [0.75, 0.25, 0, 0]
    # velocity: 3 x + t k: (2.25 + 0.25, 0.75 + 0.5), (-0.5, 0)
    wanted = [((2.5 + 1) ** 2 + (1.25 - 1) ** 2) / 2, ((-0.5 + 4) ** 2 + (0 - 2) ** 2) / 2]
    found = flow_matching(linear, clean, KNOWN, noise, time)
    assert found.tolist() == pytest.approx(wanted)


def test_the_bad_direction_by_hand():
    original, noise = tensor(1, 0, 2, -1), tensor(0, 1, -2, 1)
    # at t = 1: v = 3 e + k; target sg(e) - z; d/de (v - target)^2 = 2 * 3 * (3 e + k - e + z)
    wanted = 6 * (2 * noise + KNOWN[:, :1] + original)
    assert torch.allclose(towards_object(linear, original, KNOWN, noise), wanted)


def test_bad_noise_by_hand():
    noise, fresh = tensor(1, -1, 2, 0), tensor(-3, 2, 1, 4)
    alpha = torch.tensor([0.36, 1.0], dtype=torch.float64)
    # sqrt(0.64) = 0.8, sqrt(0.36) = 0.6; the second sample is all bad
    found = bad_noise(noise, tensor(5, -0.1, 0, -7), fresh, alpha)
    assert found.flatten().tolist() == pytest.approx([0.8 - 1.8, -0.8 + 1.2, 0.0, 4.0])


def test_minimax_is_its_parts():
    accepted, original = tensor(1, 0, 2, -1), tensor(0, 3, 1, 1)
    noise, fresh = tensor(0, 1, -2, 1), tensor(1, -1, 0.5, 2)
    alpha = torch.tensor([0.5, 0.1], dtype=torch.float64)
    time = torch.tensor([0.3, 0.9], dtype=torch.float64)
    found = minimax(linear, accepted, original, KNOWN, noise, fresh, alpha, time)
    gradient = 6 * (2 * noise + KNOWN[:, :1] + original)
    bad = bad_noise(noise, gradient, fresh, alpha)
    assert torch.allclose(found, flow_matching(linear, accepted, KNOWN, bad, time))


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.5, 0.8, 1.0])
def test_bad_noise_stays_standard_normal(alpha):
    draw = torch.Generator().manual_seed(0)
    noise, fresh = torch.randn(2, 1, 16, 5, 60, 60, generator=draw)
    signs = torch.randint(0, 2, noise.shape, generator=draw) * 2.0 - 1
    found = bad_noise(noise, signs, fresh, torch.tensor([alpha]))
    assert abs(found.mean().item()) < 0.005
    assert abs(found.var().item() - 1) < 0.01


def test_signs_that_all_agree_move_the_mean_as_known():
    noise, fresh = torch.randn(2, 1, 16, 5, 60, 60, generator=torch.Generator().manual_seed(1))
    found = bad_noise(noise, torch.ones_like(noise), fresh, torch.tensor([0.25]))
    assert found.mean().item() == pytest.approx(-math.sqrt(2 / math.pi) * 0.5, abs=0.005)


@settings(max_examples=30, deadline=None)
@given(alpha=st.floats(0, 1), scale=st.floats(1e-6, 1e6))
def test_only_the_sign_of_the_gradient_counts(alpha, scale):
    noise, gradient, fresh = torch.randn(3, 2, 4, 1, 3, 3, generator=torch.Generator())
    share = torch.full((2,), alpha)
    one, other = (bad_noise(noise, g, fresh, share) for g in (gradient, gradient * scale))
    assert torch.equal(one, other)


@pytest.fixture
def dit() -> DiT:
    torch.manual_seed(0)
    config = DiTConfig(2, 12, 2, 32, 16, in_channels=12, out_channels=4)
    network = DiT(config).double()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network


def velocity_of(dit):
    return lambda x, known, time: dit(torch.cat([x, known], 1), 1000 * time)


def small(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_bad_direction_against_finite_differences(dit):
    velocity, noise = velocity_of(dit), small(1, 4, 2, 4, 4)
    original, known = small(1, 4, 2, 4, 4, seed=1), small(1, 8, 2, 4, 4, seed=2)
    gradient = towards_object(velocity, original, known, noise)

    def error(moved):
        found = velocity(moved, known, torch.ones(1))
        return (found.float() - (noise - original).float()).square().sum().item()

    steps = 1e-3
    for index in range(0, noise.numel(), 37):
        step = torch.zeros_like(noise).flatten()
        step[index] = steps
        step = step.view_as(noise)
        slope = (error(noise + step) - error(noise - step)) / (2 * steps)
        assert gradient.flatten()[index].item() == pytest.approx(slope, rel=2e-2, abs=2e-3)


def test_weights_learn_nothing_from_the_search(dit):
    velocity = velocity_of(dit)
    towards_object(velocity, small(1, 4, 1, 4, 4), small(1, 8, 1, 4, 4), small(1, 4, 1, 4, 4))
    assert all(parameter.grad is None for parameter in dit.parameters())


def test_no_gradient_passes_the_stop(dit):
    """The outer loss has the gradient that it has with the bad noise as a constant."""
    velocity = velocity_of(dit)
    given = [small(2, 4, 1, 4, 4, seed=n) for n in range(4)]
    accepted, original, noise, fresh = given
    known, share, time = small(2, 8, 1, 4, 4, seed=9), torch.tensor([0.5, 0.9]), small(2).sigmoid()
    minimax(velocity, accepted, original, known, noise, fresh, share, time).sum().backward()
    through = [p.grad.clone() for p in dit.parameters()]
    dit.zero_grad()
    bad = bad_noise(noise, towards_object(velocity, original, known, noise), fresh, share)
    flow_matching(velocity, accepted, known, bad.detach(), time).sum().backward()
    for one, parameter in zip(through, dit.parameters(), strict=True):
        assert torch.equal(one, parameter.grad)


def test_the_searched_noise_leads_nearer_to_the_object(dit):
    """Moved by a small share, the error against the original falls."""
    velocity, noise = velocity_of(dit), small(4, 4, 1, 8, 8)
    original, known = small(4, 4, 1, 8, 8, seed=1), small(4, 8, 1, 8, 8, seed=2)

    def error(at):
        found = velocity(at, known, torch.ones(4))
        return (found - (noise - original)).square().sum()

    gradient = towards_object(velocity, original, known, noise)
    assert error(noise - 1e-3 * gradient.sign()) < error(noise)


def test_the_stage_one_network_is_asked_with_its_token():
    torch.manual_seed(0)
    config = DiTConfig(2, 12, 1, 32, 16, in_channels=12, out_channels=4, num_contrast_tokens=6)
    network = DiT(config)
    x, time = torch.randn(2, 12, 1, 4, 4), torch.tensor([500.0, 500.0])
    network(x, time, torch.tensor([Contrast.REMOVE, Contrast.GENERATE])).square().sum().backward()
    assert (network.contrast_tokens.embedding.weight.grad.abs().sum(1) > 0).all()
