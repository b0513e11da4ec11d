"""How windows of the network meet."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.fill.joins import adjacent, blended, fading, overlapping, ramp, shifted, whole
from remover.sampling import Step

STEP = Step(0, 999, 0.9)


def fields(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy latents and what is known, each of another value in every frame."""
    x = torch.arange(count * 12.0).view(1, 1, count, 3, 4)
    return x, -x


def local(x: torch.Tensor, known: torch.Tensor, step: Step) -> torch.Tensor:
    """A velocity that depends on its own frame alone."""
    return 2 * x + known * step.sigma


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(2, 12), st.data())
def test_a_velocity_of_single_frames_is_the_same_in_all_windows(count, length, data):
    overlap = data.draw(st.integers(1, length - 1))
    x, known = fields(count)
    wanted = whole(local, known)(x, STEP)
    torch.testing.assert_close(blended(local, known, length, overlap)(x, STEP), wanted)
    for index in range(3):
        step = Step(index, 999, 0.9)
        assert torch.equal(shifted(local, known, length)(x, step), wanted)


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(2, 12), st.data())
def test_windows_cover_every_frame_and_are_no_longer_than_asked(count, length, data):
    overlap = data.draw(st.integers(1, length - 1))
    spans = overlapping(count, length, overlap)
    assert spans[0][0] == 0
    assert spans[-1][1] == count
    for (_, stop), (start, _) in pairwise(spans):
        assert start <= stop - overlap
    assert all(0 < stop - start <= length for start, stop in spans)
    for index in (0, 1):
        spans = adjacent(count, length, index)
        assert [frame for span in spans for frame in range(*span)] == [*range(count)]
        assert all(0 < stop - start <= length for start, stop in spans)


def test_bounds_move_from_step_to_step():
    inner = [{start for start, _ in adjacent(30, 8, index)} - {0} for index in (0, 1, 2)]
    assert not inner[0] & inner[1]
    assert inner[0] == inner[2]


def test_a_blend_changes_gradually_from_one_window_to_the_next():
    def number_of_window(x, *_):
        return torch.full_like(x, x.flatten()[0].item() // 12)  # its first frame

    x, known = fields(12)
    found = blended(number_of_window, known, 8, 4)(x, STEP)[0, 0, :, 0, 0]
    assert (found[:4] == 0).all()
    assert (found[8:] == 4).all()
    assert (found[3:9].diff() > 0).all()
    assert found[4:8].tolist() == pytest.approx([0.8, 1.6, 2.4, 3.2])


def test_a_ramp_is_symmetric_and_never_nothing():
    found = ramp(9, 3)
    assert torch.equal(found, found.flip(0))
    assert found.tolist() == [0.25, 0.5, 0.75, 1, 1, 1, 0.75, 0.5, 0.25]


def test_the_newer_version_fades_in():
    weights = [fading(place, 5) for place in range(5)]
    assert weights == sorted(weights)
    assert 0 < weights[0] < weights[-1] < 1
    assert fading(2, 5) == 0.5
