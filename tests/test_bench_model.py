import sys

import pytest
import torch

from remover import bench_model
from remover.bench_model import Case, compare, part_speed, to_json
from remover.errors import DeviceError, UsageError
from remover.models.config import DiTConfig, VaeConfig
from remover.models.cost import decode_flop, dit_flop, encode_flop
from remover.types import Size

VAE = VaeConfig(base_dim=16, num_res_blocks=1)
DIT = DiTConfig(2, 12, num_layers=2, ffn_dim=40)


def case(**values):
    return Case(**{"size": Size(32, 48), "frames": 5, "vae": VAE, "dit": DIT} | values)


def test_each_part_says_what_it_did():
    results = [part_speed(part, case(rounds=2)) for part in bench_model.PARTS]
    assert [result.part for result in results] == ["encode", "dit", "decode"]
    flop = encode_flop(5, 32, 48, VAE), dit_flop(DIT, 2, 4, 6), decode_flop(5, 32, 48, VAE)
    assert [result.gflop * 1e9 for result in results] == pytest.approx(flop)
    for row in to_json(results):
        assert (row["size"], row["frames"], row["rounds"]) == ("48x32", 5, 2)
        assert (row["device"], row["dtype"]) == ("cpu", "fp32")
        assert row["threads"] == torch.get_num_threads()
        assert row["seconds"] > 0
        assert row["cpu_seconds"] > 0
        assert row["gflop_per_second"] == pytest.approx(row["gflop"] / row["seconds"])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_a_peak_is_that_of_the_part_alone():
    large, small = (
        part_speed(part, case(size=Size(side, side))).peak_bytes
        for part, side in (("decode", 256), ("dit", 32))
    )
    assert small > 50 << 20  # PyTorch itself
    assert large > small + (200 << 20)


def test_parts_in_half_precision():
    result = part_speed("dit", case(dtype="bf16"))
    assert result.dtype == "bf16"


@pytest.mark.parametrize("part", ["encode", "decode"])
def test_the_autoencoder_is_compared_with_that_of_diffusers(part):
    result = compare(part, case())
    assert result.largest_difference < 1e-4
    assert result.largest_value > 0.01
    row = to_json([result])[0]
    assert row["ratio"] == pytest.approx(row["their_seconds"] / row["seconds"])
    assert row["cpu_ratio"] == pytest.approx(row["their_cpu_seconds"] / row["cpu_seconds"])


def test_a_comparison_needs_diffusers(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match="diffusers") as error:
        bench_model.require_diffusers()
    assert error.value.hint


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"size": Size(24, 48)}, "48x24"),
        ({"size": Size(32, 0)}, "0x32"),
        ({"frames": 4}, "`4` frames"),
        ({"frames": -3}, "`-3` frames"),
        ({"rounds": 0}, "`0` rounds"),
        ({"dtype": "int8"}, "`int8`"),
    ],
)
def test_what_does_not_fit_is_an_error(values, said):
    with pytest.raises(UsageError, match=said) as error:
        case(**values)
    assert error.value.hint


def test_memory_that_runs_out_is_an_error():
    with pytest.raises(DeviceError, match="memory ran out") as error:
        part_speed("encode", case(size=Size(1_600_000, 1_600_000)))
    assert error.value.hint


def test_an_error_of_the_process_is_passed_on():
    with pytest.raises(ValueError, match="contrast"):
        part_speed("dit", case(dit=DiTConfig(2, 12, num_layers=1, num_contrast_tokens=2)))


def test_a_process_that_dies_is_an_error(monkeypatch):
    monkeypatch.setattr(bench_model, "_answer", die)
    with pytest.raises(DeviceError, match="ended with code 3"):
        part_speed("dit", case())


def die(*_):
    """What a process does that the system ends."""
    import os

    os._exit(3)
