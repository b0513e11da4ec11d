import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.errors import WeightsError
from remover.models.config import TINY, TinyConfig, VaeConfig, vae_config
from remover.models.cost import decode_flop, encode_flop
from remover.models.load import load_vae
from remover.models.memory import vae_bytes, vae_parameters
from remover.models.stream import Stream
from remover.models.tiny import TinyVae
from remover.types import Rect

CONFIG = TinyConfig(width=8, z_dim=4)


@pytest.fixture(scope="module")
def vae() -> TinyVae:
    torch.manual_seed(0)
    config = TinyConfig(8, 4, latents_mean=(0.1, 0, -0.2, 0.3), latents_std=(1, 2, 0.5, 1.5))
    return TinyVae(config).eval()


def test_latents_have_the_layout_of_wans(vae):
    latents = vae.encode(torch.rand(2, 3, 9, 32, 48), Stream())
    assert latents.shape == (2, 4, 3, 4, 6)
    assert vae.decode(latents, Stream()).shape == (2, 3, 9, 32, 48)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 12), max_size=4, unique=True))
def test_any_division_of_a_video_gives_the_same_numbers(vae, cuts):
    video = torch.rand(1, 3, 13, 16, 16)
    whole = vae.encode(video, Stream())
    stream, ends = Stream(), [0, *sorted(cuts), 13]
    pieces = [vae.encode(video[:, :, a:b], stream) for a, b in itertools.pairwise(ends)]
    assert torch.equal(torch.cat(pieces, dim=2), whole)
    stream = Stream()
    parts = [vae.decode(whole[:, :, i : i + 1], stream) for i in range(4)]
    assert torch.equal(torch.cat(parts, dim=2), vae.decode(whole, Stream()))


def test_a_part_is_decoded_to_the_same_numbers(vae):
    latents = torch.randn(1, 4, 2, 4, 4)
    near = Rect(8, 16, 24, 24)
    part = vae.decode(latents, Stream(near=near))
    assert torch.equal(part, vae.decode(latents, Stream())[..., 8:24, 16:24])


def test_sides_that_do_not_fit_are_refused(vae):
    with pytest.raises(ValueError, match="no multiples of 8"):
        vae.encode(torch.rand(1, 3, 1, 20, 16), Stream())


def test_statistics_are_undone(vae):
    latents = torch.randn(1, 4, 1, 2, 2)
    assert torch.allclose(vae.normalised(vae.denormalised(latents)), latents, atol=1e-6)


def test_gradients_reach_every_layer():
    network = TinyVae(CONFIG)
    group = torch.rand(1, 3, 4, 16, 16)
    network.pictures(network.latents(group), is_first=False).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_its_weights_and_costs_are_counted():
    network = TinyVae(CONFIG)
    assert vae_parameters(CONFIG) == sum(p.numel() for p in network.parameters())
    assert encode_flop(5, 32, 32, CONFIG) == 2 * encode_flop(1, 32, 32, CONFIG)
    assert 0 < decode_flop(5, 32, 32, CONFIG) < decode_flop(5, 32, 32, VaeConfig())
    assert vae_bytes(CONFIG, 64, 64, 4) < vae_bytes(VaeConfig(), 64, 64, 4)


def test_a_checkpoint_says_which_autoencoder_it_has():
    assert vae_config({"_class_name": TINY, "width": 8, "z_dim": 4}) == CONFIG
    assert vae_config({"_class_name": "AutoencoderKLWan"}) == VaeConfig()
    loaded = load_vae(CONFIG, TinyVae(CONFIG).state_dict())
    assert isinstance(loaded, TinyVae)


@pytest.mark.parametrize(
    "values", [{"width": 0}, {"depth": 3}, {"z_dim": 4, "latents_mean": [0.0]}]
)
def test_a_configuration_that_cannot_be_used_is_refused(values):
    with pytest.raises(WeightsError, match="small autoencoder"):
        vae_config({"_class_name": TINY, **values})
