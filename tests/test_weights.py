import errno
import re
import resource

import pytest
import torch

from remover import tensorfile, weights
from remover.errors import UsageError, WeightsError


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


def test_every_file_has_a_licence_that_is_known():
    known = weights.licences()
    assert {entry.licence for entry in weights.lock().values()} == set(known)
    assert not known["cc-by-nc-4.0"].commercial
    assert known["apache-2.0"].commercial
    by_licence = {name: entry.licence for name, entry in weights.lock().items()}
    assert by_licence["minimax/transformer"] == "cc-by-nc-4.0"
    assert by_licence["minimax/vae"] == by_licence["sam2.1/large"] == "apache-2.0"


def test_addresses_are_pinned():
    for entry in weights.lock().values():
        assert re.search(r"/resolve/[0-9a-f]{40}/|/092824/", entry.url), entry.name
        assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
        assert entry.bytes > 0
    assert len({entry.path for entry in weights.lock().values()}) == len(weights.lock())


def test_names_and_groups_are_selected_once():
    def names(*words):
        return [entry.name for entry in weights.select(words)]

    assert names() == []
    assert names("sam2.1/small", "sam2.1/tiny") == ["sam2.1/tiny", "sam2.1/small"]
    assert names("minimax/vae", "minimax") == [n for n in weights.lock() if n.startswith("minimax")]
    assert len(names("sam2.1")) == 4


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("sam2.1/tyni", "did you mean `sam2.1/tiny`?"),
        ("minimx", "did you mean `minimax`?"),
        ("sam2.1/", "did you mean `sam2.1`?"),
        ("x", "there are `minimax`, `sam2.1`, `minimax/transformer`"),
        ("", "there are `minimax`"),
    ],
)
def test_other_names_are_refused(word, hint):
    with pytest.raises(UsageError, match=f"`weights.lock` names no `{word}`") as caught:
        weights.select([word])
    assert hint in caught.value.hint


def test_the_place_of_a_group_is_a_folder_in_the_released_layout(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = weights.common_place(weights.select(["minimax"]))
    assert folder == tmp_path / "remover" / "weights" / "minimax-remover"
    for entry in weights.select(["minimax"]):
        path = weights.place(entry.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = weights.released(folder)
    assert found.transformer == weights.place("minimax/transformer")
    assert found.vae_config == weights.place("minimax/vae-config")


def test_what_a_folder_lacks_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"`.*gone` is not there"):
        weights.released(tmp_path / "gone")
    for path in weights.LAYOUT.values():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    assert weights.released(tmp_path).scheduler_config.is_file()
    (tmp_path / "vae" / "config.json").unlink()
    with pytest.raises(WeightsError, match=r"`vae/config.json` is missing"):
        weights.released(tmp_path)
    (tmp_path / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(WeightsError, match=r"`vae/config.json` and `sch.*json` are missing"):
        weights.released(tmp_path)


@pytest.mark.parametrize(
    ("count", "text"), [(422, "422 bytes"), (156008466, "156 MB"), (2254157576, "2,254 MB")]
)
def test_sizes_are_written_for_people(count, text):
    assert weights.size_text(count) == text


def test_what_is_saved_is_read_again(tmp_path):
    path = tmp_path / "some.safetensors"
    tensors = {"a": torch.arange(6.0).view(2, 3).t(), "b": torch.ones(2, dtype=torch.bfloat16)}
    tensorfile.save(path, tensors, {"steps": "7"})
    found = tensorfile.read(path)
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) for name in tensors)
    assert found["b"].dtype == torch.bfloat16
    assert tensorfile.metadata(path) == {"steps": "7"}
    plain = tmp_path / "plain"
    plain.write_text("")
    assert path.stat().st_mode == plain.stat().st_mode


def test_a_refusal_to_save_is_the_systems_own(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            tensorfile.save(tmp_path / "some.safetensors", {"a": torch.zeros(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.errno == errno.EFBIG
    with pytest.raises(FileNotFoundError):
        tensorfile.save(tmp_path / "none" / "some.safetensors", {})
