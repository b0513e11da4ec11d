"""The video autoencoder against the reference: tensors of it, and diffusers run beside it."""

import json
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import folders
from oracles import found as reference_files
from safetensors import safe_open
from safetensors.torch import load_file
from upstream import diffusers_class

from remover.errors import WeightsError
from remover.models import causal
from remover.models.stream import Stream
from remover.models.vae import UpBlock, VaeConfig, WanVae
from remover.types import Rect

TOLERANCES = {"moments": 1e-4, "latent": 1e-4, "decoded": 3e-5, "mid": 1e-4}
"""As the tensors' README gives them; ``mid`` relative to the largest value."""

NORMALISED, VIDEO = 1e-4, 1e-4
"""Those of the pipelines."""


def oracles(name):
    """A file or folder of the reference's tensors."""
    for folder in folders():
        if (folder / name).exists():
            return folder / name
    pytest.skip(f"no {name} in {', '.join(str(folder) for folder in folders())}")


@pytest.fixture(params=[True, False], ids=["winograd", "direct"])
def form(request, monkeypatch):
    """Both forms of the convolutions, at any width."""
    monkeypatch.setattr(causal, "WINOGRAD_CHANNELS", 1 if request.param else 1 << 20)


@pytest.fixture(scope="module")
def reference():
    """The reference's network with random weights, its tensors, and ours with the same weights."""
    path = oracles("vae.weights.safetensors")
    tensors = load_file(oracles("vae.io.safetensors"))
    with safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["config"])
    vae = WanVae(VaeConfig.from_release(config))
    vae.load_state_dict(load_file(path), strict=True)
    return vae.eval(), tensors


def gap(found, wanted):
    assert found.shape == wanted.shape
    return (found - wanted).abs().max().item()


@pytest.mark.reference
@pytest.mark.usefixtures("form")
def test_every_tensor_of_the_encoder(reference):
    vae, tensors = reference
    names = [name.removeprefix("video_") for name in tensors if name.startswith("video_")]
    assert names
    for name in names:
        moments = vae.moments(tensors[f"video_{name}"], Stream())
        assert gap(moments, tensors[f"moments_{name}"]) < TOLERANCES["moments"]
        latents = vae.denormalised(vae.encode(tensors[f"video_{name}"], Stream()))
        assert gap(latents, tensors[f"latent_{name}"]) < TOLERANCES["latent"]


@pytest.mark.reference
@pytest.mark.usefixtures("form")
def test_every_tensor_of_the_decoder(reference):
    vae, tensors = reference
    names = [name.removeprefix("decoded_") for name in tensors if name.startswith("decoded_")]
    assert names
    for name in names:
        video = vae.decode(vae.normalised(tensors[f"latent_{name}"]), Stream())
        assert gap(video, tensors[f"decoded_{name}"]) < TOLERANCES["decoded"]


def maker(module):
    """The module whose result is that of ``module``."""
    return [*module.layers][-1] if isinstance(module, UpBlock) else module


@pytest.mark.reference
def test_every_tensor_between(reference, monkeypatch):
    monkeypatch.setattr(causal, "WINOGRAD_CHANNELS", 1 << 20)  # norms by themselves
    vae, tensors = reference
    wanted = {m[2]: m[1] for m in (re.fullmatch(r"mid(\w+?)\.(.+)", key) for key in tensors) if m}
    assert wanted
    found = {name: [] for name in wanted}
    modules = dict(vae.named_modules())
    hooks = [
        maker(modules[name]).register_forward_hook(
            lambda module, _i, out, kept=kept: kept.append(
                out[:, 2 * isinstance(module, causal.RmsNorm) :].clone()  # without the past
            )
        )
        for name, kept in found.items()
    ]
    try:
        for case in set(wanted.values()):
            vae.moments(tensors[f"video_{case}"], Stream())
            vae.decode(vae.normalised(tensors[f"latent_{case}"]), Stream())
    finally:
        for hook in hooks:
            hook.remove()
    for name, case in wanted.items():
        truth = tensors[f"mid{case}.{name}"]
        whole = torch.cat(found[name], dim=1).permute(0, 4, 1, 2, 3)
        assert gap(whole, truth) < TOLERANCES["mid"] * truth.abs().max().item(), name


@pytest.mark.reference
@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("path", reference_files("pipeline/*.io.safetensors"))
def test_both_ends_of_the_pipelines(path):
    folder = path.parent
    config = VaeConfig.from_release(json.loads((folder / "vae/config.json").read_text()))
    vae = WanVae(config).eval()
    vae.load_state_dict(load_file(folder / "vae/diffusion_pytorch_model.safetensors"), strict=True)
    case = load_file(path)
    masks = case["mid.mask_resized_binary"].expand(-1, 3, -1, -1, -1) * 2 - 1
    for name, video in (("masked", case["mid.masked_images"]), ("mask", masks)):
        latents = vae.encode(video, Stream())
        assert gap(latents, case[f"mid.{name}_latents"]) < NORMALISED
        raw = case[f"mid.{name}_latents_raw"]
        assert gap(vae.denormalised(latents), raw) < TOLERANCES["latent"]
    last = case["mid.latents_after_step"][-1:]
    assert gap(vae.denormalised(last), case["mid.decoder_input"]) < NORMALISED
    video = vae.decode(last, Stream())[0].permute(1, 2, 3, 0) / 2 + 0.5
    assert gap(video, case["output.video_fhwc"]) < VIDEO


@pytest.fixture(scope="session")
def diffusers_vae():
    """The class of diffusers."""
    return diffusers_class("AutoencoderKLWan")


def randomised(network, seed=0):
    """Weights that leave nothing at 0 or 1."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith("gamma"):
                parameter.copy_(1 + 0.25 * noise)
            elif name.endswith("bias"):
                parameter.copy_(0.12 * noise)
            else:
                parameter.copy_(noise / parameter[0].numel() ** 0.5)
    return network.eval()


def small(seed=0, **fields):
    defaults = {"base_dim": 4, "z_dim": 3, "num_res_blocks": 1}
    defaults |= {"latents_mean": (0.5, -1.0, 0.0), "latents_std": (1.5, 0.5, 2.0)}
    return randomised(WanVae(VaeConfig(**defaults | fields)), seed)


def noise(*shape, seed=1):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@st.composite
def networks(draw):
    """The fields of a small network, with the size and length of a video for it."""
    num_halvings = draw(st.integers(1, 3))
    z_dim = draw(st.integers(1, 4))
    halves = draw(
        st.lists(st.booleans(), min_size=num_halvings, max_size=num_halvings).filter(
            lambda these: sum(these) < 3
        )
    )
    factors = draw(st.lists(st.integers(1, 3), min_size=num_halvings, max_size=num_halvings))
    fields = {
        "base_dim": draw(st.sampled_from([2, 4, 6])),
        "z_dim": z_dim,
        "dim_mult": [1, *factors],
        "num_res_blocks": draw(st.integers(1, 2)),
        "temperal_downsample": halves,
        "latents_mean": [0.1 * i for i in range(z_dim)],
        "latents_std": [1.0 + i for i in range(z_dim)],
    }
    step = 1 << num_halvings
    size = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    num_groups = draw(st.integers(0, 2))
    return fields, (step * size[0], step * size[1]), 1 + 4 * num_groups


@settings(max_examples=6, deadline=None)
@given(networks(), st.lists(st.integers(1, 5), max_size=4), st.booleans(), st.integers(0, 1 << 20))
def test_any_network_is_that_of_diffusers(diffusers_vae, network, cuts, is_winograd, seed):
    fields, size, num_frames = network
    theirs = randomised(diffusers_vae(**fields), seed)
    ours = WanVae(VaeConfig.from_release(fields)).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    video = noise(1, 3, num_frames, *size, seed=seed)
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(causal, "WINOGRAD_CHANNELS", 1 if is_winograd else 1 << 20)
        wanted = theirs.encode(video).latent_dist.parameters
        found = ours.moments(video, Stream())
        assert gap(found, wanted) < 1e-4 * max(1, wanted.abs().max().item())
        latents = wanted[:, : fields["z_dim"]]
        whole = ours.decode(ours.normalised(latents), Stream())
        bound = 5e-4 if is_winograd else 1e-4  # weights this random amplify its rounding
        assert gap(whole, theirs.decode(latents).sample) < bound
        stream, pieces = Stream(), []
        for piece in video.tensor_split(sorted({min(c, num_frames) for c in cuts}), dim=2):
            pieces.append(ours.moments(piece, stream))
        assert stream.num_waiting == 0
        assert torch.equal(torch.cat(pieces, dim=2), found)


@pytest.mark.usefixtures("form")
def test_pieces_of_any_size_give_the_same_bits():
    vae, video = small(), noise(2, 3, 13, 16, 24)
    latents = vae.encode(video, Stream())
    frames = vae.decode(latents, Stream())
    assert latents.shape == (2, 3, 4, 2, 3)
    assert frames.shape == video.shape
    for sizes in ([1] * 13, [5, 8], [2, 3, 7, 1], [12, 1]):
        stream = Stream()
        pieces = [vae.encode(piece, stream) for piece in video.split(sizes, dim=2)]
        assert torch.equal(torch.cat(pieces, dim=2), latents)
    for sizes in ([1] * 4, [1, 3], [3, 1]):
        stream = Stream()
        pieces = [vae.decode(piece, stream) for piece in latents.split(sizes, dim=2)]
        assert torch.equal(torch.cat(pieces, dim=2), frames)


def test_frames_wait_until_their_group_is_full():
    vae, video, stream = small(), noise(1, 3, 8, 8, 8), Stream()
    assert vae.encode(video[:, :, :4], stream).shape[2] == 1
    assert stream.num_waiting == 3
    assert vae.encode(video[:, :, 4:5], stream).shape[2] == 1
    assert stream.num_waiting == 0
    assert vae.encode(video[:, :, 5:], stream).shape == (1, 3, 0, 1, 1)


def test_a_video_is_its_beginning_and_more():
    vae, video = small(), noise(1, 3, 9, 16, 16)
    longer, shorter = vae.encode(video, Stream()), vae.encode(video[:, :, :5], Stream())
    assert torch.equal(longer[:, :, :2], shorter)
    assert torch.equal(
        vae.decode(longer, Stream())[:, :, :5], vae.decode(longer[:, :, :2], Stream())
    )


def test_memory_does_not_grow_with_the_video():
    vae, coding, decoding, sizes = small(), Stream(near=Rect(3, 3, 9, 9)), Stream(), []
    for length in (1, *[4] * 5):
        video = torch.full((1, 3, length, 64, 64), -1.0)
        vae.decode(vae.encode(video, coding), decoding)
        streams = (coding.cache, coding.background, decoding.cache)
        sizes.append(tuple(cache.bytes for cache in streams))
    assert all(sizes[-1])
    assert len(set(sizes[1:])) == 1


def test_latents_are_normalised_as_the_configuration_says():
    vae, video = small(), noise(1, 3, 5, 16, 16)
    raw = vae.moments(video, Stream())[:, :3]
    mean = torch.tensor([0.5, -1.0, 0.0]).view(1, 3, 1, 1, 1)
    deviation = torch.tensor([1.5, 0.5, 2.0]).view(1, 3, 1, 1, 1)
    torch.testing.assert_close(vae.encode(video, Stream()), (raw - mean) / deviation)
    torch.testing.assert_close(vae.denormalised(vae.normalised(raw)), raw)


@st.composite
def rects(draw, height, width):
    rows = sorted(draw(st.tuples(st.integers(0, height), st.integers(0, height))))
    columns = sorted(draw(st.tuples(st.integers(0, width), st.integers(0, width))))
    return Rect(rows[0], columns[0], min(height, rows[1] + 1), min(width, columns[1] + 1))


def take_form(patch, *, is_winograd):
    """One form of all convolutions, also in double precision, where rounding hides nothing."""

    def suits(conv, _):
        return is_winograd and conv.kernel_size[-2:] == (3, 3)

    patch.setattr(causal, "suits_winograd", suits)


@settings(max_examples=4, deadline=None)
@given(rects(144, 176), st.integers(1, 2), st.booleans())
def test_encoding_near_a_rectangle_is_exact(rect, num_blocks, is_winograd):
    with pytest.MonkeyPatch.context() as patch:
        take_form(patch, is_winograd=is_winograd)
        vae = small(base_dim=2, num_res_blocks=num_blocks).double()
        video = torch.full((1, 3, 5, 144, 176), -1.0, dtype=torch.float64)
        inside = video[..., rect.top : rect.bottom, rect.left : rect.right]
        inside.copy_(noise(*inside.shape))
        whole, part = (vae.encode(video, Stream(near=near)) for near in (None, rect))
        assert gap(part, whole) < 1e-10


@settings(max_examples=4, deadline=None)
@given(rects(96, 112), st.integers(1, 2), st.booleans())
def test_decoding_near_a_rectangle_is_exact(rect, num_blocks, is_winograd):
    with pytest.MonkeyPatch.context() as patch:
        take_form(patch, is_winograd=is_winograd)
        vae = small(base_dim=2, num_res_blocks=num_blocks).double()
        latents = noise(1, 3, 2, 12, 14).to(next(vae.parameters()).dtype)
        whole, part = (vae.decode(latents, Stream(near=near)) for near in (None, rect))
        wanted = whole[..., rect.top : rect.bottom, rect.left : rect.right]
        assert gap(part, wanted) < 1e-10


def test_a_rectangle_spares_work():
    vae, counted = small(base_dim=2), []
    count = lambda _m, inputs, _o: counted.append(inputs[0].numel())  # noqa: E731
    for module in vae.modules():
        if isinstance(module, causal.CausalConv3d):
            module.register_forward_hook(count)
    video = torch.full((1, 3, 5, 240, 416), -1.0)
    totals = []
    for near in (None, Rect(100, 200, 132, 232)):
        counted.clear()
        vae.decode(vae.encode(video, Stream(near=near)), Stream(near=near))
        totals.append(sum(counted))
    assert totals[1] < 0.45 * totals[0]


def test_a_change_outside_the_rectangle_is_an_error():
    video = torch.full((1, 3, 1, 64, 64), -1.0)
    video[..., 60, 60] = 1
    with pytest.raises(ValueError, match="outside"):
        small().encode(video, Stream(near=Rect(0, 0, 8, 8)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_as_near_as_that_of_diffusers(diffusers_vae, dtype):
    theirs = randomised(diffusers_vae(base_dim=8, z_dim=16, num_res_blocks=1))
    ours = WanVae(VaeConfig(base_dim=8, num_res_blocks=1)).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    video = noise(1, 3, 5, 32, 32)
    exact = ours.moments(video, Stream())
    found = ours.to(dtype).moments(video.to(dtype), Stream())
    with torch.no_grad():
        wanted = theirs.to(dtype).encode(video.to(dtype)).latent_dist.parameters
    assert found.dtype == dtype
    assert gap(found.float(), exact) < 1.5 * gap(wanted.float(), exact)


def test_the_released_size_has_the_releases_parameters(diffusers_vae):
    with torch.device("meta"):
        ours, theirs = WanVae(VaeConfig()), diffusers_vae()
    shapes = {name: value.shape for name, value in ours.state_dict().items()}
    assert shapes == {name: value.shape for name, value in theirs.state_dict().items()}
    assert sum(parameter.numel() for parameter in ours.parameters()) == 126_892_531
    assert VaeConfig.from_release(theirs.config) == VaeConfig()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"is_residual": True}, "`is_residual` at `True`"),
        ({"patch_size": 2}, "`patch_size` at `2`"),
        ({"z_dim": 48}, "16 values of latents_mean for 48"),
        ({"dim_mult": [1, 2]}, "3 halvings between 2 sizes"),
    ],
)
def test_other_networks_are_told_apart(values, said):
    with pytest.raises(WeightsError, match=said) as error:
        VaeConfig.from_release(values)
    assert error.value.hint


def test_sides_must_be_multiples_of_the_scale():
    with pytest.raises(ValueError, match="20x16"):
        small().encode(noise(1, 3, 1, 16, 20), Stream())
