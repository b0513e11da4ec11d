import sys

import pytest
import torch

from remover.models.config import TinyConfig
from remover.models.tiny import TinyVae
from remover.train.presets import load
from remover.train.samples import Sample


@pytest.fixture(scope="session")
def tiny_vae() -> TinyVae:
    torch.manual_seed(0)
    return TinyVae(TinyConfig(8, 4)).eval()


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
        return load("tiny", (*small, *changes))

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
