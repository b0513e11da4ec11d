"""``remover bench model`` through the command line, with small networks."""

import json

import pytest

from remover import bench_model
from remover.cli.main import main
from remover.errors import ExitCode
from remover.models.config import DiTConfig, VaeConfig


@pytest.fixture
def run(monkeypatch, tmp_path, capfd):
    """A function that runs the command on small networks and returns its code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(bench_model, "VAE", VaeConfig(base_dim=4, num_res_blocks=1))
    monkeypatch.setattr(bench_model, "DIT", DiTConfig(2, 12, num_layers=1, ffn_dim=40))

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(["bench", "model", "--device", "cpu", *arguments])
        return caught.value.code, *capfd.readouterr()

    return call


def test_it_prints_json(run):
    code, out, err = run("--size", "32x16", "--frames", "5", "--parts", "decode,dit", "--compare")
    assert code in (None, 0), err
    result = json.loads(out)
    assert result["schema"] == 1
    assert [row["part"] for row in result["parts"]] == ["dit", "decode"]
    assert {row["size"] for row in result["parts"]} == {"32x16"}
    (comparison,) = result["comparisons"]
    assert comparison["part"] == "decode"
    assert comparison["largest_difference"] < 1e-4
    assert "measuring dit" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--size", "416"), "--size 416"),
        (("--size", "410x240"), "410x240"),
        (("--frames", "8"), "`8` frames"),
        (("--parts", "encode,paint"), "`paint`"),
        (("--dtype", "fp8"), "`fp8`"),
        (("--rounds", "0"), "`0` rounds"),
    ],
)
def test_bad_values_are_usage_errors(run, arguments, said):
    code, out, err = run(*arguments)
    assert code == ExitCode.USAGE
    assert not out
    assert said in err
    assert "hint" in err
