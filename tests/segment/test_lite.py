"""The network without PyTorch sees what it sees with it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover import tensorfile
from remover.errors import WeightsError
from remover.segment.features import network
from remover.segment.lite import MULTIPLE, deep

side = st.integers(1, 6).map(lambda count: count * MULTIPLE)


@settings(max_examples=15, deadline=None)
@given(side, side, st.integers(0, 2**32 - 1))
def test_its_last_layer_is_that_of_pytorch(height, width, seed):
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    wanted = network()(picture)[-1].numpy()
    found = deep(picture)
    assert found.shape == wanted.shape == (192, height // MULTIPLE, width // MULTIPLE)
    assert np.abs(found - wanted).max() < 1e-3 * np.abs(wanted).max()


def test_missing_weights_are_one_sentence():
    with pytest.raises(WeightsError, match="comes with the package"):
        tensorfile.asset_arrays("another.safetensors")
