"""Which painter runs, from what is asked for, installed and there to compute."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from remover import weights
from remover.errors import DeviceError, UsageError, WeightsError
from remover.fill.choose import GUIDANCE, choose


@pytest.fixture
def folder(checkpoint, tmp_path) -> Path:
    """A copy of the checkpoint, to be spoilt."""
    return Path(shutil.copytree(checkpoint, tmp_path / "checkpoint"))


@pytest.fixture
def installed(checkpoint, monkeypatch) -> None:
    """The checkpoint installed as the released one."""
    entries = {}
    for entry in weights.select(["minimax"]):
        part = next(p for name, p in weights.LAYOUT.items() if name == _key(entry.name))
        source = checkpoint / part
        target = weights.place(entry.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
        entries[entry.name] = type(entry)(
            entry.name,
            entry.path,
            entry.url,
            source.stat().st_size,
            weights.sha256(source),
            entry.licence,
        )
    others = {name: entry for name, entry in weights.lock().items() if name not in entries}
    monkeypatch.setattr(weights, "lock", lambda: entries | others)


def _key(name: str) -> str:
    return name.rpartition("/")[2].replace("-", "_")


def has_gpu(monkeypatch, *, is_there: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: is_there)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: int(is_there))


def test_without_weights_auto_is_the_classic_painter():
    assert choose("auto", None, "auto", "auto", None) is None
    assert choose("classic", None, "auto", "auto", None) is None


@pytest.mark.usefixtures("installed")
def test_auto_takes_the_network_only_where_a_gpu_is(monkeypatch):
    has_gpu(monkeypatch, is_there=False)
    assert choose("auto", None, "auto", "auto", None) is None
    assert choose("auto", None, "cpu", "auto", None) is None
    has_gpu(monkeypatch, is_there=True)
    found = choose("auto", None, "auto", "auto", None)
    assert found is not None
    assert (found.name, found.device, found.dtype) == ("minimax", "cuda:0", "bf16")
    assert choose("auto", None, "cpu", "auto", None) is None


@pytest.mark.usefixtures("installed")
def test_asked_for_by_name_it_runs_on_a_cpu(monkeypatch):
    has_gpu(monkeypatch, is_there=False)
    found = choose("minimax", None, "auto", "auto", None)
    assert found is not None
    assert (found.name, found.device, found.dtype) == ("minimax", "cpu", "fp32")
    assert found.licence == "CC BY-NC 4.0"
    assert found.files.transformer == weights.place("minimax/transformer")
    assert found.sha256["minimax:vae"] == weights.lock()["minimax/vae"].sha256


@pytest.mark.usefixtures("installed")
def test_an_installed_file_that_changed_is_not_loaded():
    path = weights.place("minimax/transformer")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="is not the file that is meant") as raised:
        choose("minimax", None, "cpu", "auto", None)
    assert weights.lock()["minimax/transformer"].sha256 in raised.value.message


def test_weights_that_are_not_there_are_named_with_a_way_to_get_them():
    with pytest.raises(WeightsError, match="are not installed") as raised:
        choose("minimax", None, "cpu", "auto", None)
    assert "2,762 MB" in raised.value.message
    assert "remover weights pull minimax" in (raised.value.hint or "")


def test_a_folder_makes_auto_small(checkpoint):
    found = choose("auto", str(checkpoint), "auto", "auto", None)
    assert found is not None
    assert found.name == "small"
    assert found.licence == "that of the weights"
    assert found.dit.num_layers == 2
    assert found.stored == "fp32"
    assert found.guidance is None


@pytest.mark.parametrize(
    ("stored", "device", "dtype", "wanted"),
    [
        (torch.float16, "cpu", "auto", "fp32"),
        (torch.float16, "cuda", "auto", "fp16"),
        (torch.bfloat16, "cuda", "auto", "bf16"),
        (torch.float32, "cuda", "auto", "bf16"),
        (torch.float32, "cuda", "fp32", "fp32"),
        (torch.float16, "cpu", "bf16", "bf16"),
    ],
)
def test_what_is_computed_in(stored, device, dtype, wanted, folder, monkeypatch):
    has_gpu(monkeypatch, is_there=True)
    path = folder / weights.LAYOUT["transformer"]
    save_file({name: t.to(stored) for name, t in load_file(path).items()}, path)
    found = choose("small", str(folder), device, dtype, None)
    assert found is not None
    assert found.dtype == wanted


def test_a_device_that_is_not_there_is_an_error(checkpoint, monkeypatch):
    has_gpu(monkeypatch, is_there=False)
    with pytest.raises(DeviceError, match="`cuda` is not available"):
        choose("small", str(checkpoint), "cuda", "auto", None)


def test_guidance_is_for_weights_that_were_taught_it(checkpoint, make_checkpoint, tmp_path):
    with pytest.raises(UsageError, match="no contrast tokens"):
        choose("small", str(checkpoint), "cpu", "auto", 2.0)
    first_stage = make_checkpoint(tmp_path / "stage1", num_contrast_tokens=6)
    for asked, wanted in ((None, GUIDANCE), (1.5, 1.5)):
        found = choose("small", str(first_stage), "cpu", "auto", asked)
        assert found is not None
        assert found.guidance == wanted


def changed(folder: Path, name: str, **values: object) -> None:
    path = folder / weights.LAYOUT[name]
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("transformer_config", {"num_layers": 3}, "lack `blocks.2"),
        ("transformer_config", {"ffn_dim": 44}, "has the shape"),
        ("transformer_config", {"added_kv_proj_dim": 12}, "another architecture"),
        ("transformer_config", {"patch_size": [2, 2, 2]}, "has the shape"),
        ("vae_config", {"base_dim": 8}, "has the shape"),
        ("vae_config", {"patch_size": 2}, "`patch_size`"),
        ("scheduler_config", {"solver_type": "bh1"}, "`solver_type`"),
    ],
)
def test_a_config_that_does_not_fit_is_named(name, values, message, folder):
    changed(folder, name, **values)
    with pytest.raises(WeightsError, match=message):
        choose("small", str(folder), "cpu", "auto", None)


def test_networks_that_do_not_fit_each_other_are_refused(make_checkpoint, tmp_path):
    folder = make_checkpoint(tmp_path / "other", in_channels=36)
    with pytest.raises(WeightsError, match="do not fit together: `in_channels` is `36`, not `48`"):
        choose("small", str(folder), "cpu", "auto", None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("transformer_config", b"[1]", "holds no JSON object"),
        ("vae_config", b"{", "holds no JSON object"),
        ("transformer", b"\x80\x04K\x01.", "no whole file of weights"),
        ("vae", b"", "no whole file of weights"),
    ],
)
def test_a_file_that_is_something_else_is_named(name, content, message, folder):
    path = folder / weights.LAYOUT[name]
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=message) as raised:
        choose("small", str(folder), "cpu", "auto", None)
    assert str(path) in raised.value.message


def test_a_file_that_is_cut_off_is_named(folder):
    path = folder / weights.LAYOUT["transformer"]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="no whole file of weights"):
        choose("small", str(folder), "cpu", "auto", None)


def test_a_kind_of_numbers_that_is_no_weight_is_refused(folder):
    path = folder / weights.LAYOUT["transformer"]
    tensors = load_file(path)
    tensors["proj_out.bias"] = tensors["proj_out.bias"].to(torch.int8)
    save_file(tensors, path)
    with pytest.raises(WeightsError, match=r"`proj_out.bias` .* of the kind `I8`"):
        choose("small", str(folder), "cpu", "auto", None)


def test_a_folder_without_a_checkpoint_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="is no checkpoint of the remover"):
        choose("small", str(tmp_path), "cpu", "auto", None)
