import tomllib
from dataclasses import replace

import pytest

from remover.errors import InputError, UsageError
from remover.train import presets
from remover.train.settings import Settings, Stage


@pytest.mark.parametrize("name", presets.names())
def test_a_preset_is_whole_and_says_itself_again(name):
    settings = presets.load(name)
    assert settings.name == name
    assert presets.build(tomllib.loads(presets.as_toml(settings)), "again") == settings


def test_the_papers_numbers_are_those_of_its_preset():
    settings = presets.load("minimax-1.3b")
    assert settings.stage1 == settings.stage2 == Stage()
    assert (Stage().steps, Stage().batch, Stage().lr, Stage().weight_decay) == (
        10_000, 128, 1e-5, 1e-4,
    )  # fmt: skip
    assert (settings.data.frames, settings.data.own, settings.data.leading) == (81, 0.1, 0.1)
    assert settings.data.sizes[0] == (336, 592)
    assert settings.data.sizes[-1] == (720, 1280)
    assert settings.network.num_contrast_tokens == 6
    assert settings.bad_noise.share == pytest.approx(1 / 3)


def test_a_file_changes_a_preset_and_flags_change_the_file(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('base = "tiny"\nname = "own"\n[stage1]\nsteps = 150\nlr = 1\n')
    found = presets.load(str(path), ["stage1.steps=200", "data.folder=some clips"])
    tiny = presets.load("tiny")
    assert found.stage1 == replace(tiny.stage1, steps=200, lr=1.0)
    assert found.data == replace(tiny.data, folder="some clips")
    assert found.stage2 == tiny.stage2


BAD = {
    "stage1.stepz = 3": (r"`stage1\.stepz` .* is no setting", r"did you mean `stage1\.steps`"),
    "staje1.steps = 3": (r"`staje1` .* is no setting", "did you mean `stage1`"),
    "stage1.steps = 0": (r"`steps` is `0`, below 1 \(`\[stage1\]`", None),
    'stage1.steps = "many"': (r"`stage1\.steps` .* is `many`, not a whole number", None),
    "stage1.steps = true": ("is `True`, not a whole number", None),
    "stage1.lr = 0": ("`lr` is `0.0`, not above 0", None),
    "data.frames = 8": ("`data.frames` is `8`, not 1 \\+ 4k", None),
    "data.sizes = [[64, 60]]": ("not two multiples of 16", None),
    "data.sizes = 64": ("is `64`, not a list", None),
    "data.own = 1.5": ("not between 0 and 1", None),
    "data.dilate = [4, 2]": ("no range of pixels", None),
    'bad_noise.alpha = "much"': ("neither `uniform` nor between 0 and 1", None),
    'network.start = "wan"': ("names no folder or file", None),
    "network.lora_rank = 4": ("needs weights that were trained before", None),
    'times.law = "normal"': ("not one of `logit-normal`, `uniform`", None),
    "stage1.warmup = 290": ("exceed `steps` 150", None),
    "stage1 = 3": ("is no table", None),
    'base = "tinny"': ("names no preset: `tinny`", "did you mean `tiny`"),
    "seed = -1": ("`seed` is `-1`", None),
}


@pytest.mark.parametrize("line", BAD)
def test_what_cannot_be_used_is_said_with_its_value(tmp_path, line):
    path = tmp_path / "bad.toml"
    path.write_text(line if line.startswith("base") else f'base = "tiny"\n{line}\n')
    message, hint = BAD[line]
    with pytest.raises(UsageError, match=message) as error:
        presets.load(str(path))
    if hint:
        assert hint.replace("\\", "") in (error.value.hint or "")


def test_a_share_of_bad_noise_may_be_written_as_a_number(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('base = "tiny"\n[bad_noise]\nalpha = 0.25\n')
    assert presets.load(str(path)).bad_noise.alpha == "0.25"


def test_neither_preset_nor_file():
    with pytest.raises(InputError, match="neither a preset nor a file") as error:
        presets.load("tinny")
    assert error.value.hint == "did you mean `tiny`?"


@pytest.mark.parametrize("text", [b"a = ", b"\xff\xfe"])
def test_a_file_that_is_no_toml(tmp_path, text):
    path = tmp_path / "bad.toml"
    path.write_bytes(text)
    with pytest.raises((UsageError, InputError), match=r"not valid TOML|not text in UTF-8"):
        presets.load(str(path))


@pytest.mark.parametrize("change", ["steps", "name.x=1"])
def test_a_change_that_is_none(change):
    with pytest.raises(UsageError, match="--set"):
        presets.load("tiny", [change])


def test_the_defaults_are_settings():
    assert presets.build({}, "nothing") == Settings()
