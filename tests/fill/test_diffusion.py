"""What the network is told, and what it is asked."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from remover.fill.diffusion import (
    decoded,
    known_latents,
    mask_video,
    masked,
    part_velocity,
    resized_hole,
    union_of_groups,
)
from remover.models.config import DiTConfig, VaeConfig
from remover.models.dit import Contrast, DiT
from remover.models.stream import Stream
from remover.models.vae import WanVae
from remover.sampling import Step
from remover.types import Rect, Size

SMALL = DiTConfig(2, 12, num_layers=1, ffn_dim=24, freq_dim=16)


@pytest.fixture(autouse=True)
def repeatable():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def vae() -> WanVae:
    torch.manual_seed(1)
    return WanVae(VaeConfig(base_dim=4, num_res_blocks=1)).eval()


def test_the_hole_is_gray_and_the_mask_black_and_white():
    video = torch.rand(3, 5, 8, 8) * 2 - 1
    hole = torch.zeros(5, 8, 8, dtype=torch.bool)
    hole[:, 2:5, 3:6] = True
    found = masked(video, hole)
    assert (found[:, hole] == 0).all()
    assert torch.equal(found[:, ~hole], video[:, ~hole])
    mask = mask_video(hole, video)
    assert mask.shape == video.shape
    assert mask.dtype == video.dtype
    assert (mask[:, hole] == 1).all()
    assert (mask[:, ~hole] == -1).all()


sides = st.integers(16, 90)


@settings(deadline=None)
@given(st.tuples(sides, sides), st.tuples(sides, sides), st.integers(0, 2**32 - 1))
def test_a_resized_hole_misses_nothing_and_is_the_references(old, new, seed):
    generator = torch.Generator().manual_seed(seed)
    hole = torch.rand(2, *old, generator=generator) > 0.99
    found = resized_hole(hole, Size(*new))
    assert found.shape == (2, *new)
    if all(a <= 2 * b for a, b in zip(old, new, strict=True)):
        usual = functional.interpolate(hole[:, None].float(), new, mode="bilinear")
        assert torch.equal(found, usual[:, 0] > 0)
    for frame, row, column in hole.nonzero().tolist():
        # The pixels under this one, widened to whole ones of the new size.
        rows = slice(row * new[0] // old[0], -(-(row + 1) * new[0] // old[0]))
        columns = slice(column * new[1] // old[1], -(-(column + 1) * new[1] // old[1]))
        assert found[frame, rows, columns].any()


def test_frames_of_one_latent_share_a_hole():
    hole = torch.zeros(9, 2, 2, dtype=torch.bool)
    hole[0, 0, 0] = hole[2, 0, 1] = hole[8, 1, 1] = True
    found = union_of_groups(hole, 4)
    assert found[0].tolist() == hole[0].tolist()
    assert (found[1:5, 0, 1]).all()
    assert not found[1:5, 0, 0].any()
    assert found[5:, 1, 1].all()
    assert found.sum() == 1 + 4 + 4


def pieces(video: torch.Tensor, hole: torch.Tensor):
    yield video[:, :1], hole[:1]
    for start in range(1, video.shape[1], 4):
        yield video[:, start : start + 4], hole[start : start + 4]


def test_what_is_known_is_both_videos_encoded(vae):
    video = torch.rand(3, 9, 64, 96) * 2 - 1
    hole = torch.zeros(9, 64, 96, dtype=torch.bool)
    hole[:, 16:32, 40:60] = True
    with torch.no_grad():
        picture = vae.encode(masked(video, hole)[None], Stream())
        mask = vae.encode(mask_video(hole, video)[None], Stream())
        for near in (None, Rect(16, 32, 32, 64)):
            found = known_latents(vae, pieces(video, hole), near)
            torch.testing.assert_close(found, torch.cat([picture, mask], 1), rtol=0, atol=2e-5)


def test_only_what_is_wanted_is_decoded(vae):
    latents = torch.randn(1, 16, 3, 8, 12)
    with torch.no_grad():
        whole_frames = torch.cat([*decoded(vae, latents, None)], dim=1)
        part = torch.cat([*decoded(vae, latents, Rect(16, 32, 48, 64))], dim=1)
    assert whole_frames.shape == (3, 9, 64, 96)
    torch.testing.assert_close(part, whole_frames[:, :, 16:48, 32:64], rtol=0, atol=2e-5)


def test_the_transformer_is_asked_for_noise_video_and_mask():
    dit = DiT(SMALL).eval()
    x, known = torch.randn(1, 16, 2, 4, 4), torch.randn(1, 32, 2, 4, 4)
    with torch.no_grad():
        found = part_velocity(dit, torch.float32, 1.0)(x, known, Step(0, 999, 0.99))
        assert torch.equal(found, dit(torch.cat([x, known], 1), torch.tensor([999])))


@pytest.mark.parametrize("weight", [0.0, 1.0, 3.0])
def test_weights_with_contrast_tokens_are_guided(weight):
    config = DiTConfig(2, 12, num_layers=1, ffn_dim=24, freq_dim=16, num_contrast_tokens=6)
    dit = DiT(config).eval()
    x, known = torch.randn(1, 16, 2, 4, 4), torch.randn(1, 32, 2, 4, 4)
    timestep = torch.tensor([999])
    with torch.no_grad():
        found = part_velocity(dit, torch.float32, weight)(x, known, Step(0, 999, 0.99))
        both = torch.cat([x, known], 1)
        remove, generate = (dit(both, timestep, torch.tensor([int(c)])) for c in Contrast)
    torch.testing.assert_close(found, generate + weight * (remove - generate))


def test_asked_in_half_precision_it_answers_in_float32():
    dit = DiT(SMALL).eval()
    x, known = torch.randn(1, 16, 2, 4, 4), torch.randn(1, 32, 2, 4, 4)
    with torch.no_grad():
        found = part_velocity(dit, torch.bfloat16, 1.0)(x, known, Step(0, 999, 0.99))
        exact = part_velocity(dit, torch.float32, 1.0)(x, known, Step(0, 999, 0.99))
    assert found.dtype == torch.float32
    assert 0 < (found - exact).abs().max() < 0.1
