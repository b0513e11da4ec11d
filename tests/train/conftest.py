import sys
from dataclasses import replace

import pytest
import torch

from remover.models.config import TinyConfig
from remover.models.dit import Contrast
from remover.models.tiny import TinyVae
from remover.train import presets
from remover.train.latents import Latents
from remover.train.samples import Sample
from remover.train.settings import Settings
from remover.train.shards import ShardWriter

SHAPE = (4, 2, 4, 4)
"""Of the latents that loops are tested on: (Z, t, h, w)."""


def sample(number: int, *, accepted: bool = False, contrast: Contrast | None = None) -> Sample:
    """Latents at random."""
    draw = torch.Generator().manual_seed(number)
    clean, masked, mask, made = torch.randn(4, *SHAPE, generator=draw)
    kind = Contrast(number % 2) if contrast is None else contrast
    return Sample(f"{number:08d}-0", clean, masked, mask, int(kind), made if accepted else None)


@pytest.fixture(scope="session")
def latents(tmp_path_factory) -> Latents:
    """24 samples for flow matching."""
    folder = tmp_path_factory.mktemp("latents")
    with ShardWriter(folder, z_dim=4, shard_bytes=1 << 16, about={"dtype": "float32"}) as writer:
        for number in range(24):
            writer.add(sample(number))
    return Latents.read(folder)


@pytest.fixture(scope="session")
def curated(tmp_path_factory) -> Latents:
    """9 samples with an accepted result."""
    folder = tmp_path_factory.mktemp("curated")
    with ShardWriter(folder, z_dim=4, shard_bytes=1 << 16, about={"dtype": "float32"}) as writer:
        for number in range(9):
            writer.add(sample(100 + number, accepted=True, contrast=Contrast.REMOVE))
    return Latents.read(folder)


@pytest.fixture(scope="session")
def held() -> tuple[Sample, ...]:
    """4 samples that are not learnt from."""
    return tuple(sample(200 + number, contrast=Contrast.REMOVE) for number in range(4))


@pytest.fixture(scope="session")
def small() -> Settings:
    """A network of a few thousand weights, a dozen steps."""
    settings = presets.load("tiny")
    network = replace(
        settings.network,
        num_attention_heads=2,
        attention_head_dim=12,
        num_layers=2,
        ffn_dim=32,
        freq_dim=16,
        num_contrast_tokens=2,
    )
    stage = replace(
        settings.stage1, steps=12, batch=6, micro_batch=3, warmup=2, cooldown=4, ema=0.9, lr=3e-3
    )
    log = replace(settings.log, every=2, checkpoint_every=6, keep=2, sheet_every=0)
    return replace(settings, network=network, stage1=stage, stage2=stage, log=log)


@pytest.fixture(scope="session")
def tiny_vae() -> TinyVae:
    """An autoencoder that was never trained."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TinyVae(TinyConfig(width=8, z_dim=4)).eval().requires_grad_(requires_grad=False)


@pytest.fixture
def tiny_settings():
    """The preset made smaller, with changes on top."""

    def make(*changes: str):
        small = (
            "data.clips=7",
            "data.held_out=2",
            "data.frames=5",
            "data.sizes=[[32, 32]]",
            "data.leading_frames=1",
        )
        return presets.load("tiny", (*small, *changes))

    return make


@pytest.fixture
def make_sample():
    def make(number: int, shape=(4, 2, 4, 4), *, accepted: bool = False) -> Sample:
        rng = torch.Generator().manual_seed(number)
        parts = [torch.randn(shape, generator=rng) for _ in range(4)]
        key = f"{number:08d}-0"
        return Sample(key, *parts[:3], number % 2, parts[3] if accepted else None)

    return make


@pytest.fixture
def no_module(monkeypatch):
    """Make a module look as if it were not installed."""

    def block(*names: str) -> None:
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)

    return block


@pytest.fixture
def equal_samples():
    def compare(one: Sample, two: Sample) -> bool:
        parts = ("clean", "masked", "mask", "accepted")
        pairs = [(getattr(one, part), getattr(two, part)) for part in parts]
        same = all(a is b is None or torch.equal(a, b) for a, b in pairs)
        return same and (one.key, one.contrast) == (two.key, two.contrast)

    return compare
