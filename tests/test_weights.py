import pytest

from remover import weights
from remover.errors import WeightsError


def test_the_lock_is_read():
    tiny = weights.lock()["sam2.1/tiny"]
    assert (tiny.bytes, tiny.size_text) == (156008466, "156 MB")
    assert len(tiny.sha256) == 64
    assert all(entry.url.startswith("https://") for entry in weights.lock().values())
    assert all(not entry.path.startswith(("/", "..")) for entry in weights.lock().values())


def test_places_follow_the_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = weights.place("sam2.1/tiny")
    assert path == tmp_path / "remover" / "weights" / "sam2.1" / "sam2.1_hiera_tiny.pt"
    assert not weights.is_installed("sam2.1/tiny")
    with pytest.raises(WeightsError, match=r"`.*sam2.1_hiera_tiny.pt` \(156 MB\) is not installed"):
        weights.verified("sam2.1/tiny")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert weights.place("sam2.1/tiny").is_relative_to(tmp_path / "home" / ".cache")


def test_a_file_of_the_wrong_size_does_not_count(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = weights.place("sam2.1/tiny")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half")
    assert not weights.is_installed("sam2.1/tiny")
    with pytest.raises(WeightsError, match="its sha256 is"):
        weights.verified("sam2.1/tiny")
