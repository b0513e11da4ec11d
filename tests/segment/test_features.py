"""The network behind the built-in tracker, and the way of its cells to the picture and back."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from remover import tensorfile
from remover.errors import WeightsError
from remover.segment.crop import crop_around
from remover.segment.features import (
    CHANNELS,
    STRIDE,
    Lite0,
    dense,
    fast_dtype,
    network,
    one_thread,
    with_one,
)
from remover.segment.lite import ASSET, BLOCKS, MULTIPLE
from remover.types import Size


def picture(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    waves = [128 + 100 * np.sin(rows / 9 + k) * np.cos(columns / (7 + 3 * k)) for k in range(3)]
    return np.stack(waves, axis=2).astype(np.uint8)


def test_the_features_are_those_of_the_package_that_the_weights_come_from():
    """Means of absolute values of its own network with batch norms, in full precision."""
    pixels = torch.from_numpy(picture(64, 96)).permute(2, 0, 1)[None].float()
    taps = Lite0(tensorfile.asset(ASSET)).run((pixels - 127) / 128, dense=False)
    assert [tuple(tap.shape[1:]) for tap in taps] == [
        (40, 8, 12),
        (80, 4, 6),
        (112, 4, 6),
        (192, 2, 3),
    ]
    found = [float(tap.abs().mean()) for tap in taps]
    assert found == pytest.approx(PACKAGE_MEANS, rel=5e-3)


PACKAGE_MEANS = [7.1401, 6.85477, 4.69344, 5.32062]


def test_the_weights_are_small_and_complete():
    state = tensorfile.asset(ASSET)
    assert len(state) == 2 * (1 + 2 + 3 * (len(BLOCKS) - 1))
    assert all(tensor.dtype == torch.float16 for tensor in state.values())


def test_missing_weights_are_one_sentence():
    with pytest.raises(WeightsError, match="comes with the package"):
        tensorfile.asset("another.safetensors")


def test_the_dense_network_keeps_the_grid_of_eight_pixels():
    taps = network()(picture(64, 96))
    assert [tuple(tap.shape) for tap in taps[:3]] == [(c, 8, 12) for c in CHANNELS[:3]]
    cells = dense(taps)
    assert cells.shape == (8, 12, sum(CHANNELS))
    assert torch.allclose(cells.square().sum(2), torch.full((8, 12), 4.0), atol=1e-4)


def test_heads_get_the_descriptors_and_a_one():
    taps = network()(picture(64, 96))
    assert torch.equal(with_one(taps)[..., :-1], dense(taps))
    assert torch.equal(with_one(taps)[..., -1], torch.ones(8, 12))


def test_sixteen_bits_see_what_single_precision_sees():
    """Noise is what could be told apart least; the channels of a cell are of length one there."""
    state = tensorfile.asset(ASSET)
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    exact, rough = (dense(Lite0(state, dtype=d)(pixels)) for d in (torch.float32, torch.bfloat16))
    assert rough.dtype == torch.float32
    likeness = (exact * rough).sum(2) / 4
    assert 0.995 < float(likeness.min()) < 1


@pytest.mark.parametrize(
    ("found", "dtype"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True, "avx512_bf16": False}, torch.bfloat16),
        ({"avx512_bf16": False, "avx2": True}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_sixteen_bits_are_used_where_the_processor_has_them(monkeypatch, found, dtype):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert fast_dtype() == dtype


def test_a_pytorch_that_does_not_tell_is_taken_to_have_none(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert fast_dtype() == torch.float32


def test_the_dense_network_follows_shifts_of_whole_cells():
    wide = picture(64, 160)
    net = network()
    one, other = (
        net(np.ascontiguousarray(wide[:, :128])),
        net(np.ascontiguousarray(wide[:, 16:144])),
    )
    assert torch.allclose(one[0][:, :, 6:11], other[0][:, :, 4:9], atol=2e-2)
    assert one[0][:, :, 6:11].std() > 1


def test_one_thread_is_given_back():
    count = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == count


def test_the_state_is_used_in_single_precision():
    net = Lite0(tensorfile.asset(ASSET))
    taps = net(picture(32, 32), last=4)
    assert len(taps) == 1
    assert taps[0].dtype == torch.float32


@given(
    st.tuples(st.integers(24, 200), st.integers(24, 300)),
    st.tuples(*[st.floats(0, 1) for _ in range(4)]),
    st.floats(0.3, 3),
    st.floats(0, 60),
)
@settings(max_examples=60, deadline=None)
def test_crops_lie_inside_and_fit_the_network(size, shares, scale, margin):
    height, width = size
    top, bottom = sorted(share * height for share in shares[:2])
    left, right = sorted(share * width for share in shares[2:])
    crop = crop_around((top, left, bottom, right), scale, margin, Size(height, width))
    assert 0 <= crop.rect.top < crop.rect.bottom <= height
    assert 0 <= crop.rect.left < crop.rect.right <= width
    assert crop.size.height % MULTIPLE == crop.size.width % MULTIPLE == 0
    assert min(crop.size) >= 2 * MULTIPLE
    assert tuple(crop.grid) == (crop.size.height // STRIDE, crop.size.width // STRIDE)
    places = crop.places()
    assert crop.rect.top <= places[..., 0].min() <= places[..., 0].max() <= crop.rect.bottom
    full = crop.cells_of(np.ones(size, np.float32))
    assert np.allclose(full, 1)
    pasted = crop.paste(np.ones(crop.grid, np.float32), Size(height, width))
    assert np.allclose(pasted[crop.rect.slices], 1)
    assert pasted.sum() == pytest.approx(crop.rect.size.height * crop.rect.size.width, rel=1e-3)
