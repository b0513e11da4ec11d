import hashlib
import sys

import pytest

from remover import device, weights
from remover.errors import DeviceError, WeightsError
from remover.segment import Sam2, Style, choose, installed
from remover.weights import WeightFile


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A lock of small files, and a function that installs one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    entries = {}
    for size in ("tiny", "small", "base-plus", "large"):
        content = size.encode()
        entries[f"sam2.1/{size}"] = WeightFile(
            name=f"sam2.1/{size}",
            path=f"sam2.1/{size}.pt",
            url=f"https://example.org/{size}.pt",
            bytes=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            licence="apache-2.0",
        )
    monkeypatch.setattr(weights, "lock", lambda: entries)

    def install(size, content=None):
        path = weights.place(f"sam2.1/{size}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(size.encode() if content is None else content)
        return path

    return install


@pytest.fixture
def gpu(monkeypatch):
    """A CUDA GPU that is only said to be there."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)


@pytest.fixture
def no_gpu(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("no_gpu")
def test_auto_needs_a_checkpoint_and_a_gpu(cache):
    assert choose("auto", None, "auto") == "builtin"
    path = cache("small")
    assert installed() == ("small",)
    assert choose("auto", None, "auto") == "builtin"
    assert choose("auto", str(path), "auto") == "builtin"


@pytest.mark.usefixtures("gpu")
def test_auto_takes_sam2_on_a_gpu(cache, tmp_path):
    assert choose("auto", None, "auto") == "builtin"
    path = cache("small")
    assert choose("auto", None, "auto") == Sam2("small", path, "cuda:0")
    assert choose("auto", None, "cpu") == "builtin"
    given = tmp_path / "mine.pt"
    given.write_bytes(b"")
    assert choose("auto", str(given), "cuda") == Sam2(None, given, "cuda:0")


@pytest.mark.usefixtures("gpu")
def test_the_size_suits_the_device(cache):
    small, large = cache("small"), cache("large")
    assert choose("sam2:auto", None, "auto") == Sam2("large", large, "cuda:0")
    assert choose("sam2:auto", None, "cpu") == Sam2("small", small, "cpu")
    assert choose("sam2:small", None, "cuda:0") == Sam2("small", small, "cuda:0")
    style = Style("gated", motion=True)
    assert choose("sam2:small", None, "cpu", style) == Sam2("small", small, "cpu", style)


@pytest.mark.parametrize("asked", ["builtin", "none"])
def test_the_others_look_at_nothing(asked, monkeypatch):
    monkeypatch.setattr(weights, "lock", None)
    assert choose(asked, "absent.pt", "auto") == asked


@pytest.mark.usefixtures("cache", "no_gpu")
def test_a_missing_checkpoint_is_an_error(tmp_path):
    with pytest.raises(WeightsError) as caught:
        choose("sam2:large", None, "auto")
    assert "`sam2:large` is not installed" in caught.value.message
    assert f"`{tmp_path}/remover/weights/sam2.1/large.pt` (5 bytes)" in caught.value.message
    assert "`remover weights pull sam2.1/large` fetches it" in caught.value.hint
    assert "`--sam2-weights FILE`" in caught.value.hint
    assert caught.value.code == 5
    with pytest.raises(WeightsError, match=r"`sam2:tiny` is not installed"):
        choose("sam2:auto", None, "cpu")
    with pytest.raises(WeightsError, match=r"`gone.pt` is not there .*`tiny.pt`, 4 bytes"):
        choose("sam2:tiny", "gone.pt", "cpu")
    with pytest.raises(WeightsError, match=r"`gone.pt` is not there$"):
        choose("sam2:auto", "gone.pt", "cpu")


def test_a_damaged_checkpoint_is_an_error(cache):
    cache("tiny", b"tinx")
    with pytest.raises(WeightsError, match="is not the file that is meant") as caught:
        choose("sam2:tiny", None, "cpu")
    assert "`remover weights pull sam2.1/tiny`" in caught.value.hint


@pytest.mark.usefixtures("cache", "no_gpu")
def test_a_device_that_is_not_there_is_an_error():
    with pytest.raises(DeviceError, match="`cuda:7`"):
        choose("sam2:tiny", None, "cuda:7")
    assert device.resolve("auto", prefer_gpu=True) == "cpu"
    assert "torch" in sys.modules
