"""Winograd's form against PyTorch's own convolution."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from remover.models import winograd


def direct(frames, weight, bias, gain=None, addend=None):
    """Norm, SiLU, convolution and sum, written out."""
    features = torch.cat(list(frames)).permute(3, 0, 1, 2)[None]
    if gain is not None:
        scaled = functional.normalize(features, dim=1) * len(gain) ** 0.5
        features = functional.silu(scaled * gain.view(-1, 1, 1, 1))
    result = functional.conv3d(features, weight, bias, padding=(0, 1, 1))[0].permute(1, 2, 3, 0)
    return result if addend is None else result + addend


def case(channels, size, *, taps=3, num_frames=2, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=dtype)

    num_in, num_out = channels
    frames = [draw(1, *size, num_in), draw(num_frames + taps - 2, *size, num_in)]
    weight = draw(num_out, num_in, taps, 3, 3) / (9 * taps * num_in) ** 0.5
    return frames, weight, draw(num_out), draw(num_in), draw(num_frames, *size, num_out)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 17), st.integers(1, 17)),
    st.sampled_from([1, 3]),
    st.integers(2, 4),
    st.booleans(),
)
def test_every_size_is_the_same_convolution(channels, size, taps, num_frames, has_norm):
    frames, weight, bias, gain, addend = case(
        channels, size, taps=taps, num_frames=num_frames, dtype=torch.float64
    )
    gain = gain if has_norm else None
    kernel = winograd.transform_kernel(weight)
    result = winograd.convolve(frames, kernel, bias, gain=gain, addend=addend)
    torch.testing.assert_close(
        result, direct(frames, weight, bias, gain, addend), rtol=0, atol=1e-11
    )


def test_float32_is_within_rounding():
    frames, weight, bias, gain, _ = case((64, 48), (40, 36))
    result = winograd.convolve(frames, winograd.transform_kernel(weight), bias, gain=gain)
    torch.testing.assert_close(result, direct(frames, weight, bias, gain), rtol=0, atol=5e-5)


def test_black_stays_black():
    frames, weight, bias, gain, _ = case((8, 8), (8, 8))
    frames = [torch.zeros_like(piece) for piece in frames]
    result = winograd.convolve(frames, winograd.transform_kernel(weight), bias, gain=gain)
    assert torch.equal(result, bias.expand_as(result))


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    monkeypatch.setattr(winograd, "_STRIP_FLOATS", 40_000)  # several strips
    monkeypatch.setattr(winograd, "_LEAST_TILES", 8)
    frames, weight, bias, gain, addend = case((16, 16), (44, 32))
    kernel = winograd.transform_kernel(weight)
    before = torch.get_num_threads()
    results = []
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(winograd.convolve(frames, kernel, bias, gain=gain, addend=addend))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(results[0], result) for result in results)


def test_an_error_in_a_strip_comes_out():
    frames, weight, bias, *_ = case((4, 4), (8, 8))
    with pytest.raises(RuntimeError):
        winograd.convolve(frames, winograd.transform_kernel(weight), bias[:3])


def test_inference_mode_reaches_the_threads():
    frames, weight, bias, *_ = case((4, 4), (8, 8))
    with torch.inference_mode():
        kernel = winograd.transform_kernel(weight)
        assert winograd.convolve(frames, kernel, bias).is_inference()
