"""The network that mends the outlines of masks, and the script that makes it."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from remover import tensorfile
from remover.segment.edges import ASSET, MULTIPLE, Edges, mend, network

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))

from made_up_objects import Maker
from make_edges import Network, folded


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max(1, (one | other).sum()))


def scene() -> tuple[np.ndarray, np.ndarray]:
    """A striped disc with a limb before a gradient, and its true mask."""
    rows, columns = np.mgrid[0:160, 0:224]
    true = (np.hypot(rows - 70, columns - 100) <= 34) | (
        (abs(columns - 112) <= 5) & (rows >= 70) & (rows <= 140)
    )
    ground = np.stack([90 + rows / 4, 120 + columns / 6, 100 + rows / 8], axis=2)
    stripes = np.where((columns // 9) % 2 == 0, 200, 40)
    picture = np.where(true[..., None], np.stack([stripes, stripes // 2, 30 + 0 * rows], 2), ground)
    noise = np.random.default_rng(0).normal(0, 3, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8), np.asarray(true)


def rough(true: np.ndarray, grow: int) -> np.ndarray:
    """What is left of a mask on cells of 8 pixels, widened by a halo."""
    side = 2 * grow + 1
    wide = cv2.dilate(true.astype(np.float32), np.ones((side, side)))
    cells = cv2.resize(wide, (28, 20), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(cells, (224, 160), interpolation=cv2.INTER_CUBIC)).clip(0, 1)


@pytest.mark.parametrize("grow", [0, 4, 8])
def test_a_halo_is_taken_off(grow):
    picture, true = scene()
    before = rough(true, grow)
    after = mend(picture, before, area=320 * 320)
    assert overlap(after > 0.5, true) > 0.9
    assert overlap(after > 0.5, true) > overlap(before > 0.5, true)


def test_nothing_stays_nothing_and_a_true_mask_stays_true():
    picture, true = scene()
    assert not (mend(picture, np.zeros_like(true, np.float32), area=320 * 320) > 0.5).any()
    assert overlap(mend(picture, true.astype(np.float32), area=320 * 320) > 0.5, true) > 0.95


@settings(max_examples=8, deadline=None)
@given(
    height=st.integers(1, 90), width=st.integers(1, 90), area=st.sampled_from([32**2, 64**2, 96**2])
)
def test_any_size_gives_shares_of_that_size(height, width, area):
    rng = np.random.default_rng(height * 100 + width)
    picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    soft = rng.random((height, width), dtype=np.float32)
    found = mend(picture, soft, area=area)
    assert found.shape == soft.shape
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()
    assert np.array_equal(found, mend(picture, soft, area=area))


def test_the_weights_are_small_and_fit():
    state = tensorfile.asset(ASSET)
    assert all(tensor.dtype == torch.float16 for tensor in state.values())
    assert sum(tensor.numel() for tensor in state.values()) < 300_000
    odds = network().run(torch.zeros(1, 3, MULTIPLE, MULTIPLE), torch.zeros(1, 1, 16, 16))
    assert odds.shape == (1, 1, 16, 16)
    assert odds.isfinite().all()


def test_folding_the_batch_norms_changes_nothing():
    torch.manual_seed(0)
    trained = Network()
    for part in trained.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_()
            part.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            torch.nn.init.normal_(part.bias)
    torch.nn.init.normal_(trained.out.weight, std=0.1)
    trained.eval()
    pixels, soft = torch.rand(2, 3, 48, 64), torch.rand(2, 1, 48, 64)
    with torch.no_grad():
        ours = Edges(folded(trained)).run(pixels, soft)
        theirs = trained(pixels, soft)
    # Half precision keeps three digits.
    assert float((ours - theirs).abs().max() / theirs.abs().max()) < 2e-3


def test_made_up_objects_are_neither_trivial_nor_lost():
    rng = np.random.default_rng(3)
    photographs = [
        [cv2.resize(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8), (500, 450))] for _ in "ab"
    ]
    maker = Maker(photographs, 1)
    spoiled = []
    for picture, true, soft in (maker.sample() for _ in range(24)):
        assert picture.shape == (*true.shape, 3)
        assert set(np.unique(true)) == {0, 1}
        assert soft.min() >= 0
        assert soft.max() <= 1 + 1e-6
        spoiled.append(overlap(soft > 0.5, true > 0.5))
    assert 0.5 < np.mean(spoiled) < 0.9
