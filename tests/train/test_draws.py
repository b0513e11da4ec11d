import pytest
import torch

from remover.train.draws import draw
from remover.train.settings import BadNoise, Times

SHAPE = (2, 1, 2, 2)


def test_a_sample_draws_the_same_whenever_it_is_asked():
    one, other = (draw(3, 17, 4, SHAPE, Times(), BadNoise()) for _ in range(2))
    assert (one.time, one.alpha) == (other.time, other.alpha)
    assert torch.equal(one.noise, other.noise)
    assert torch.equal(one.fresh, other.fresh)


def test_samples_and_seeds_differ():
    drawn = {draw(seed, n, 4, SHAPE, Times(), BadNoise()).time for seed in (0, 1) for n in range(9)}
    assert len(drawn) == 18


def test_fresh_noise_is_independent():
    found = draw(0, 0, 4, (16, 5, 30, 30), Times(), BadNoise())
    both = torch.stack([found.noise.flatten(), found.fresh.flatten()])
    assert abs(torch.corrcoef(both)[0, 1]) < 0.01


@pytest.mark.parametrize(
    ("times", "mean"),
    [
        (Times(law="uniform", shift=1.0), 0.5),
        (Times(shift=1.0), 0.5),
        (Times(law="uniform", shift=3.0), 0.676),  # integral of 3u / (1 + 2u)
        (Times(mean=1.0, shift=1.0), 0.697),  # of the logistic of N(1, 1)
    ],
)
def test_times_follow_their_law(times, mean):
    drawn = [draw(0, n, 4, (1,), times, BadNoise()).time for n in range(4000)]
    assert all(0 < time < 1 for time in drawn)
    assert sum(drawn) / len(drawn) == pytest.approx(mean, abs=0.015)


def test_alpha_is_drawn_for_each_sample_or_each_batch_or_given():
    def drawn(bad):
        return [draw(0, n, 4, (1,), Times(), bad).alpha for n in range(8)]

    assert len(set(drawn(BadNoise()))) == 8
    assert len(set(drawn(BadNoise(alpha_for="batch")))) == 2
    assert set(drawn(BadNoise(alpha="0.2"))) == {0.2}
