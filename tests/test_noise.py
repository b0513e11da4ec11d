import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.noise import latent_noise, philox


@pytest.mark.parametrize(
    ("counter", "key", "wanted"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (
            (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
            (0xFFFFFFFF, 0xFFFFFFFF),
            (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
        ),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_the_generator_gives_the_numbers_its_authors_published(counter, key, wanted):
    words = philox(tuple(np.array([word], np.uint64) for word in counter), key)
    assert tuple(int(word) for word in words[:, 0]) == wanted


whole = (range(-2, 9), range(-3, 12), range(-4, 10))


def inner(axis: range):
    return st.tuples(st.integers(0, len(axis) - 1), st.integers(1, 8)).map(
        lambda cut: axis[cut[0] : cut[0] + cut[1]]
    )


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**64 - 1),
    box=st.tuples(*map(inner, whole)),
    channels=st.integers(1, 16),
)
def test_a_window_or_a_crop_has_the_noise_of_the_whole(seed, box, channels):
    everything = latent_noise(seed, *whole)
    part = tuple(
        slice(cut.start - axis.start, cut.stop - axis.start)
        for cut, axis in zip(box, whole, strict=True)
    )
    assert np.array_equal(
        latent_noise(seed, *box, channels), everything[:channels, part[0], part[1], part[2]]
    )


def test_it_is_standard_normal():
    noise = latent_noise(7, range(20), range(60), range(100)).astype(np.float64)
    count = noise.size
    assert noise.shape == (16, 20, 60, 100)
    assert abs(noise.mean()) < 5 / count**0.5
    assert abs(noise.var() - 1) < 5 * (2 / count) ** 0.5
    assert abs((noise**3).mean()) < 5 * (15 / count) ** 0.5
    assert abs((noise**4).mean() - 3) < 5 * (96 / count) ** 0.5
    within = [(np.abs(noise) < z).mean() for z in (0.5, 1, 2, 3)]
    assert within == pytest.approx([0.382925, 0.682689, 0.954500, 0.997300], abs=2e-3)
    for channel in noise:
        assert abs(channel.mean()) < 5 / channel.size**0.5


def test_neighbours_in_every_direction_have_nothing_in_common():
    noise = latent_noise(3, range(12), range(40), range(50)).astype(np.float64)
    other = latent_noise(4, range(12), range(40), range(50)).astype(np.float64)
    limit = 5 / noise.size**0.5
    assert abs((noise * other).mean()) < limit
    for axis in range(4):
        for shift in (1, 2, 4):
            product = noise * np.roll(noise, shift, axis)
            assert abs(product.mean()) < limit
            assert abs(((noise**2 - 1) * (np.roll(noise, shift, axis) ** 2 - 1)).mean()) < 2 * limit


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match=str(seed)):
        latent_noise(seed, range(1), range(1), range(1))
