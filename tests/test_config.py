import tomllib
from dataclasses import fields, replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover.choices import CHOICES, RANGES
from remover.config import (
    CleanOptions,
    DisplayOptions,
    ObjectOptions,
    settings,
    template,
    use_color,
    user_file,
    variable,
)
from remover.errors import InputError, UsageError
from remover.options import all_options
from remover.types import Moment


def error_of(call, *args, **kwargs):
    with pytest.raises(UsageError) as caught:
        call(*args, **kwargs)
    assert caught.value.hint
    return caught.value


@pytest.fixture
def folders(tmp_path):
    """A project folder and an environment whose user folder is empty."""
    project = tmp_path / "project"
    (tmp_path / "home" / "remover").mkdir(parents=True)
    project.mkdir()
    return project, {"XDG_CONFIG_HOME": str(tmp_path / "home")}


def test_defaults(folders):
    folder, env = folders
    merged = settings({}, env=env, folder=folder)
    assert merged.clean == CleanOptions()
    assert merged.display == DisplayOptions()
    assert set(merged.sources.values()) == {"default"}
    assert set(merged.sources) == set(all_options())


def test_precedence_and_sources(folders):
    folder, env = folders
    user, project = user_file(env), folder / "remover.toml"
    user.write_text("dilate = 1\nfeather = 1\nseed = 1\ncrf = 1\n")
    project.write_text("dilate = 2\nfeather = 2\nseed = 2\n")
    env |= {"REMOVER_DILATE": "3", "REMOVER_FEATHER": "3"}
    merged = settings({"dilate": "4"}, env=env, folder=folder)
    values = merged.clean
    assert (values.dilate, values.feather, values.seed, values.crf) == (4, 3, 2, 1)
    assert merged.sources["dilate"] == "flag"
    assert merged.sources["feather"] == "REMOVER_FEATHER"
    assert merged.sources["seed"] == str(project)
    assert merged.sources["crf"] == str(user)
    assert merged.sources["tracker"] == "default"
    assert "dilate       4         (flag)" in merged.lines()
    assert "codec        -         (default)" in merged.lines()


def test_config_file_replaces_both_and_no_config_ignores_them(folders, tmp_path):
    folder, env = folders
    user_file(env).write_text("dilate = 1\n")
    (folder / "remover.toml").write_text("feather = 9\n")
    other = tmp_path / "other.toml"
    other.write_text("seed = 7\n")
    merged = settings({}, config=other, env=env, folder=folder)
    assert (merged.clean.dilate, merged.clean.feather, merged.clean.seed) == (None, 2, 7)
    assert settings({}, no_config=True, env=env, folder=folder).clean == CleanOptions()
    assert "exclude" in error_of(settings, {}, config=other, no_config=True, env=env).message


def test_relative_xdg_folder_is_ignored(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    expected = tmp_path / ".config" / "remover" / "config.toml"
    assert user_file({"XDG_CONFIG_HOME": "here"}) == expected
    assert user_file({}) == expected


def test_a_switch_that_a_file_turns_on_can_be_turned_off(folders):
    folder, env = folders
    (folder / "remover.toml").write_text("lossless = true\n")
    assert settings({}, env=env, folder=folder).clean.lossless
    assert not settings({"lossless": False}, env=env, folder=folder).clean.lossless


def test_of_options_that_exclude_each_other_the_nearer_source_wins(folders):
    folder, env = folders
    (folder / "remover.toml").write_text("crf = 20\nquiet = true\n")
    merged = settings({"lossless": True, "verbose": 1}, env=env, folder=folder)
    assert (merged.clean.lossless, merged.clean.crf) == (True, None)
    assert (merged.display.verbose, merged.display.quiet) == (1, False)
    merged = settings({"lossless": False}, env=env, folder=folder)
    assert merged.clean.crf == 20
    error = error_of(settings, {"lossless": True, "crf": "3"}, env=env, folder=folder)
    assert error.message == "`--lossless` and `--crf 3` exclude each other"


def test_moments_from_every_source(folders):
    folder, env = folders
    (folder / "remover.toml").write_text('start = 12\nend = "00:00:02.5"\n')
    values = settings({}, env=env, folder=folder).clean
    assert values.start == Moment(frame=12)
    assert values.end == Moment(seconds=Fraction(5, 2))
    env["REMOVER_START"] = "1.5s"
    assert settings({}, env=env, folder=folder).clean.start == Moment(seconds=Fraction(3, 2))


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("dilat = 3", "`dilat` in `{file}` is no option", "did you mean `dilate`?"),
        ("invert_mask = true", "`invert_mask` in `{file}` is no option", "`invert-mask`"),
        ("zebra = 3", "`zebra` in `{file}` is no option", "--config-template"),
        ("[clean]\ndilate = 3", "`clean` in `{file}` is no option", ""),
        ('dilate = "3"', "`dilate` in `{file}` takes a whole number of 0 to 500, not `3`", ""),
        ("dilate = 3.5", "`dilate` in `{file}` takes a whole number of 0 to 500, not `3.5`", ""),
        ("dilate = true", "`dilate` in `{file}` takes a whole number of 0 to 500, not `true`", ""),
        ("dilate = 501", "`dilate` in `{file}` takes a whole number of 0 to 500, not `501`", ""),
        ("lossless = 1", "`lossless` in `{file}` takes `true` or `false`, not `1`", ""),
        ("start = 1.5", "`start` in `{file}` takes a frame (`45`) or a time (`1.5s`), not", ""),
        ("start = -1", "`-1` in `start` in `{file}` lies before the first frame", ""),
        ("dilate =", "the configuration file `{file}` is not valid TOML", "key = value"),
    ],
)
def test_bad_files(folders, text, message, hint):
    folder, env = folders
    file = folder / "remover.toml"
    file.write_text(text)
    error = error_of(settings, {}, env=env, folder=folder)
    assert error.message.startswith(message.format(file=file))
    assert hint in error.hint


def test_unreadable_files(folders, tmp_path):
    _, env = folders
    with pytest.raises(InputError, match="cannot be read: no such file"):
        settings({}, config=tmp_path / "absent.toml", env=env)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "UTF-8" in error_of(settings, {}, config=binary, env=env).message


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("dilate", "abc", "`--dilate` takes a whole number of 0 to 500, not `abc`"),
        ("dilate", "1_0", "`--dilate` takes a whole number of 0 to 500, not `1_0`"),
        ("dilate", "-1", "`--dilate` takes a whole number of 0 to 500, not `-1`"),
        ("feather", "101", "`--feather` takes a whole number of 0 to 100, not `101`"),
        ("crf", "64", "`--crf` takes a whole number of 0 to 63, not `64`"),
        ("seed", "-3", "`--seed` takes a whole number of 0 to 4294967295, not `-3`"),
        (
            "tracker",
            "buildin",
            "`--tracker` takes `auto`, `builtin`, `none`, `sam2:auto`, `sam2:tiny`, `sam2:small`, "
            "`sam2:base-plus` or `sam2:large`, not `buildin`",
        ),
        ("sam2_weights", "", "`--sam2-weights` takes the path of a file, not ``"),
        ("painter", "", "`--painter` takes `auto`, `classic`, `minimax` or `small`, not ``"),
        (
            "device",
            "gpu",
            "`--device` takes `auto`, `cpu`, `cuda`, `cuda:N` or `mps`, not `gpu`",
        ),
        ("codec", "H 264", "`--codec` takes a codec's name in small letters, not `H 264`"),
        ("start", "soon", "`soon` in `--start` is neither a frame nor a time"),
        (
            "progress",
            "bar",
            "`--progress` takes `auto`, `rich`, `plain`, `json` or `none`, not `bar`",
        ),
    ],
)
def test_bad_flag_values(name, text, message):
    assert error_of(settings, {name: text}, no_config=True, env={}).message == message


def test_a_near_choice_is_suggested():
    error = error_of(settings, {"tracker": "buildin"}, no_config=True, env={})
    assert error.hint == "did you mean `builtin`?"


def test_variables():
    env = {"REMOVER_LOSSLESS": "yes", "REMOVER_JSON": "0", "REMOVER_SEED": "", "REMOVER_PORT": "1"}
    merged = settings({}, no_config=True, env=env)
    assert merged.clean.lossless
    assert merged.sources["json"] == "REMOVER_JSON"
    assert merged.sources["seed"] == "default"
    error = error_of(settings, {}, no_config=True, env={"REMOVER_DILTE": "3"})
    assert error.hint == "did you mean `REMOVER_DILATE`?"
    error = error_of(settings, {}, no_config=True, env={"REMOVER_DILATE": "x"})
    assert error.message == "`REMOVER_DILATE` takes a whole number of 0 to 500, not `x`"
    assert settings({}, no_config=True, env={"REMOVER_DEBUG": "1", "REMOVER_SHARED": "/x"})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dilate": -1}, "`--dilate`"),
        ({"dilate": 2.0}, "`--dilate`"),
        ({"tracker": "sam"}, "`--tracker`"),
        ({"lossless": "yes"}, "`--lossless`"),
        ({"device": "cuda:x"}, "`--device`"),
        ({"lossless": True, "crf": 3}, "`--lossless` and `--crf 3` exclude each other"),
        (
            {"start": Moment(frame=9), "end": Moment(frame=9)},
            "`--end 9f` is not after `--start 9f`",
        ),
        (
            {"start": Moment(seconds=Fraction(2)), "end": Moment(seconds=Fraction(1))},
            "`--end 1s` is not after `--start 2s`",
        ),
    ],
)
def test_options_check_themselves(values, message):
    assert message in error_of(CleanOptions, **values).message


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"painter": "small"}, "`--painter small` needs a checkpoint"),
        ({"objects": (ObjectOptions(number=1, painter="small"),)}, "needs a checkpoint"),
        ({"painter": "classic", "weights": "mine"}, "`--weights mine` is of no use"),
    ],
)
def test_a_checkpoint_is_given_where_it_is_needed_and_nowhere_else(values, message):
    assert message in error_of(CleanOptions, **values).message


def test_a_checkpoint_goes_with_every_painter_that_takes_one():
    for painter in ("auto", "minimax", "small"):
        assert CleanOptions(painter=painter, weights="mine").painter_of(7) == painter
    own = CleanOptions(weights="mine", objects=(ObjectOptions(number=2, painter="classic"),))
    assert (own.painter_of(1), own.painter_of(2)) == ("auto", "classic")


@pytest.mark.parametrize("text", ["3", "3.0", "0.5", "20"])
def test_numbers_with_decimals(text, tmp_path):
    by_flag = settings({"guidance": text}, no_config=True, env={}).clean.guidance
    assert by_flag == float(text)
    file = tmp_path / "a.toml"
    file.write_text(f"guidance = {text}\n")
    assert settings({}, config=file, env={}).clean.guidance == by_flag


@pytest.mark.parametrize("text", ["", "three", "20.5", "-1", "1e1", "nan", "inf"])
def test_other_numbers_are_refused(text):
    with pytest.raises(UsageError, match="takes a number of 0 to 20"):
        settings({"guidance": text}, no_config=True, env={})


def test_quiet_and_verbose_exclude_each_other():
    error_of(DisplayOptions, quiet=True, verbose=1)


def test_every_option_has_help_and_a_kind():
    for option in all_options().values():
        assert len(option.help) > 20
        assert option.help.endswith(".")
        assert option.kind in ("bool", "int", "float", "str", "moment", "rate")
        if option.kind in ("int", "float"):
            assert option.name in RANGES
    assert set(all_options()) == {
        field.name for owner in (CleanOptions, DisplayOptions) for field in fields(owner)
    } - {"objects"}


def test_template_is_a_comment_that_names_every_option(tmp_path):
    unset = ("crf", "start", "end", "codec", "dilate", "fps", "format", "sam2-weights", "work")
    unset += ("weights", "steps", "guidance")
    text = template()
    assert tomllib.loads(text) == {}
    file = tmp_path / "all.toml"
    lines = [
        line[1:] if line[:1] == "#" and line[1:2] != " " else line for line in text.split("\n")
    ]
    on = [line for line in lines if not line.startswith(unset)]
    file.write_text("\n".join(on))
    merged = settings({}, config=file, env={})
    assert merged.clean.objects == (ObjectOptions(number=2, tracker="none", painter="classic"),)
    assert (replace(merged.clean, objects=()), merged.display) == (CleanOptions(), DisplayOptions())
    file.write_text("\n".join(line for line in lines if not line.startswith(("start", "end"))))
    assert settings({}, config=file, env={}).clean.crf == 16
    assert {line.partition(" ")[0] for line in lines if " = " in line and line[0] != "#"} == {
        option.key for option in all_options().values()
    }


values = {
    "bool": st.booleans(),
    "moment": st.integers(0, 10**6),
    "rate": st.integers(1, 1000),
    "codec": st.sampled_from(["h264", "libx264", "ffv1"]),
    "device": st.sampled_from(["cpu", "cuda:1", "mps"]),
    "sam2_weights": st.sampled_from(["tiny.pt", "a folder/b.pt"]),
    "work": st.sampled_from(["work", "a folder/b"]),
}
strategies = {}
for item in all_options().values():
    if item.name in ("quiet", "verbose", "crf", "end", "trim", "handles"):
        continue
    if item.name in ("painter", "weights"):  # they go together
        continue
    if item.name in CHOICES:
        strategies[item.name] = st.sampled_from(CHOICES[item.name])
    elif item.name in RANGES and item.kind == "int":
        strategies[item.name] = st.integers(*RANGES[item.name])
    elif item.name in RANGES:
        low, high = RANGES[item.name]
        strategies[item.name] = st.decimals(low, high, places=3).map(float)
    else:
        strategies[item.name] = values.get(item.name, values.get(item.kind))


@given(st.fixed_dictionaries({}, optional=strategies))
def test_file_variables_and_flags_mean_the_same(tmp_path_factory, chosen):
    file = tmp_path_factory.mktemp("toml") / "c.toml"
    spelled = {name: str(value).lower() for name, value in chosen.items()}
    file.write_text(
        "".join(
            f"{all_options()[name].key} = "
            + (f'"{value}"\n' if isinstance(value, str) else f"{spelled[name]}\n")
            for name, value in chosen.items()
        )
    )
    env = {variable(all_options()[name]): text for name, text in spelled.items()}
    by_file = settings({}, config=file, env={})
    by_env = settings({}, no_config=True, env=env)
    by_flag = settings(spelled, no_config=True, env={})
    assert by_file.clean == by_env.clean == by_flag.clean
    assert by_file.display == by_env.display == by_flag.display


@pytest.mark.parametrize(
    ("choice", "terminal", "env", "expected"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", False, {"FORCE_COLOR": "1"}, True),
        ("auto", True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_color(choice, terminal, env, expected):
    assert use_color(choice, is_terminal=terminal, env=env) is expected


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("24", Fraction(24)),
        ("23.976", Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("24000/1001", Fraction(24000, 1001)),
        ("12.5", Fraction(25, 2)),
    ],
)
def test_frame_rates(text, rate, tmp_path):
    assert settings({"fps": text}, no_config=True, env={}).clean.fps == rate
    file = tmp_path / "a.toml"
    file.write_text(f'fps = "{text}"\n')
    assert settings({}, config=file, env={}).clean.fps == rate
    if "/" not in text:
        file.write_text(f"fps = {text}\n")
        assert settings({}, config=file, env={}).clean.fps == rate
