import json
import sys

import pytest
from typer.main import get_command

from remover.cli.main import app, main
from remover.cli.reference import below, pages

BOX = ["--box", "1,2,3,4"]

DISPLAY = {
    "--color", "--config", "--help", "--json", "--no-config", "--no-json", "--no-quiet",
    "--progress", "--quiet", "--verbose", "-h", "-q", "-v",
}  # fmt: skip
SHARED = DISPLAY | {
    "--avoid", "--box", "--click", "--device", "--dilate", "--end", "--feather", "--invert-mask",
    "--format", "--fps", "--keep", "--mask", "--no-invert-mask", "--no-overwrite", "--output",
    "--no-sam2-motion", "--no-sam2-refine", "--sam2-memory", "--sam2-motion", "--sam2-refine",
    "--no-strict", "--overwrite", "--sam2-weights", "--seed", "--start", "--strict", "--tracker",
    "-o", "-y",
}  # fmt: skip
TRAIN = DISPLAY - {"--config", "--no-config"}
STAGE = {
    "--config", "--device", "--devices", "--dry-run", "--gpu", "--latents", "--output", "--resume",
    "--set", "-o",
}  # fmt: skip
FLAGS = {
    "": {"--help", "--install-completion", "--show-completion", "--version", "-V", "-h"},
    "clean": SHARED
    | {"--codec", "--crf", "--dry-run", "--lossless", "--no-lossless", "--no-source", "--painter"}
    | {"--copy", "--dtype", "--grain", "--guidance", "--joins", "--shadows", "--steps", "--weights"}
    | {"--plate", "--preview", "--no-resume", "--resume", "--work"}
    | {"--compare", "--handles", "--layer", "--matte", "--no-trim", "--source-map", "--trim"},
    "mask": SHARED | {"--overlay"},
    "bench": {"--help", "-h"},
    "bench quality": DISPLAY | {"--prompt", "--sheets"},
    "bench unseen": DISPLAY | {"--sheets"},
    "bench fill": DISPLAY,
    "bench track": DISPLAY | {"--device", "--frames", "--prompt"},
    "bench model": DISPLAY
    | {"--compare", "--device", "--dtype", "--frames", "--parts", "--rounds", "--size"},
    "bench windows": DISPLAY
    | {"--box", "--device", "--dilate", "--dtype", "--end", "--guidance", "--mask", "--seed"}
    | {"--start", "--steps", "--tracker", "--weights"},
    "bench train": TRAIN | {"--device", "--config", "--set", "--steps"},
    "train": {"--help", "-h"},
    "train encode": TRAIN
    | {"--device", "--config", "--set", "--init", "--output", "--stage", "-o"},
    "train stage1": TRAIN | STAGE,
    "train stage2": TRAIN | STAGE | {"--init", "--samples"},
    "train sample": TRAIN | {"--device", "--output", "--part", "--set", "-o"},
    "train curate": TRAIN | {"--browser", "--no-browser", "--port"},
    "train evaluate": TRAIN | {"--device", "--set", "--steps"},
    "train export": TRAIN | {"--dtype", "--no-overwrite", "--output", "--overwrite", "-o", "-y"},
    "train ablation": TRAIN | {"--config", "--device", "--output", "--seeds", "--set", "-o"},
    "train check": TRAIN | {"--config", "--set"},
    "weights": {"--help", "-h"},
    **dict.fromkeys(("weights list", "weights verify", "weights path", "weights add"), DISPLAY),
    "weights pull": DISPLAY | {"--accept-license"},
    "info": DISPLAY | {"--config-template"},
    "help": {"--help", "-h"},
}


@pytest.fixture
def fail(monkeypatch, tmp_path, capsys):
    """A function that runs the command in this process and returns its code and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        out, err = capsys.readouterr()
        return caught.value.code, out, err

    return run


def flags_of(command, ctx):
    return {
        name
        for parameter in command.get_params(ctx)
        if parameter.param_type_name == "option"
        for name in (*parameter.opts, *parameter.secondary_opts)
    }


def test_flags_are_frozen():
    group = get_command(app)
    with group.make_context("remover", [], resilient_parsing=True) as ctx:
        found = {"": flags_of(group, ctx)}
        for verb in below(ctx):
            found[verb.command_path.removeprefix("remover ")] = flags_of(verb.command, verb)
    assert found == FLAGS


def test_the_reference_is_up_to_date(request):
    folder = request.config.rootpath / "docs" / "reference"
    for name, text in pages().items():
        assert (folder / name).read_text(encoding="utf-8") == text, (
            "run python -m remover.cli.reference docs/reference"
        )


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["clean", "a.mp4"], "nothing was pointed at", "`--box x,y,w,h`"),
        (["clean", "a.mp4"], "nothing was pointed at", "`--mask FILE`"),
        (["clean", "a.mp4", "--avoid", "1,2"], "only points to avoid were given", "--click"),
        (["clean"], "missing argument `INPUT`", "see `remover clean --help`"),
        (["clean", *BOX, "a", "b"], "got unexpected extra argument", "remover clean --help"),
        (["clean", "a", "--box"], "option `--box` requires an argument", "remover clean --help"),
        (["clean", "a", "--dilat", "3"], "`remover clean` has no flag `--dilat`", "`--dilate`?"),
        (["clean", "a", "--dil=3"], "`remover clean` has no flag `--dil`", "`--dilate`?"),
        (["clean", "a", "-n"], "`remover clean` has no flag `-n`", "lists the flags"),
        (["--bogus"], "`remover` has no flag `--bogus`", "`remover --help`"),
        (["mask", "a", *BOX], "missing option `--output` / `-o`", "see `remover mask --help`"),
        (["claen", "a.mp4"], "there is no command `claen`", "did you mean `remover clean`?"),
        (["clip.mp4"], "there is no command `clip.mp4`", "as `remover clean clip.mp4`"),
        (["help", "cleen"], "there is no command `cleen`", "did you mean `remover clean`?"),
        (["clean", "-", *BOX], "`INPUT` is `-`, so no name for the output", "`-o FILE`"),
        (["clean", "a", *BOX, "--format", "mkv"], "`--format` takes `matroska`,", "--format"),
        (["clean", "a", *BOX, "--fps", "0"], "`--fps` takes a frame rate (`24`,", "--fps"),
        (["clean", "a", *BOX, "--fps", "9/0"], "`--fps` takes a frame rate (`24`,", "--fps"),
        (["clean", "a", "--box", "1,2,3"], "`--box 1,2,3` needs 4 numbers `x,y,w,h`, not 3", "as"),
        (["clean", "a", "--click", "nan,3"], "`nan` in `--click nan,3` is not a finite", "x,y"),
        (["clean", "a", *BOX, "--crf", "99"], "`--crf` takes a whole number of 0 to 63", "--crf"),
        (["clean", "a", *BOX, "--tracker", "nine"], "`--tracker` takes `auto`,", "`none`?"),
        (["clean", "a", *BOX, "--tracker", "sam2:huge"], "`--tracker` takes", "`sam2:large`?"),
        (["clean", "a", *BOX, "-q", "-v"], "`--quiet` and `--verbose` exclude", "leave one"),
        (["clean", "a", *BOX, "--lossless", "--crf", "3"], "`--lossless` and `--crf 3`", "leave"),
        (["clean", "a", *BOX, "--preview", "s.jpg"], "`--preview s.jpg` is no PNG file", ".png"),
        (["clean", "a", *BOX, "--preview", "s.png", "--dry-run"], "`--dry-run` and", "leave one"),
        (["clean", "a", *BOX, "--start", "9", "--end", "3"], "`--end 3f` is not after", "first"),
        (["clean", "a", *BOX, "--trim"], "`--trim` has no part to write", "`--start` and `--end`"),
        (["clean", "a", *BOX, "--handles", "8"], "`--handles 8` is for a part", "add `--trim`"),
        (["clean", "a", *BOX, "--handles", "-8"], "`--handles` takes a whole number", "--handles"),
        (["weights", "fetch"], "there is no command `fetch`", "`remover weights --help`"),
        (["weights", "path"], "missing argument `NAME`", "see `remover weights path --help`"),
        (["weights", "pull", "sam2.1/tyni"], "`weights.lock` names no `sam2.1/tyni`", "tiny`?"),
        (["weights", "pull", "--accept-license", "cc"], "`--accept-license cc`: no", "one of cc-"),
        (["clean", "a", *BOX, "--source-map", "-"], "`--source-map -` cannot go through", "file"),
    ],
)
def test_usage_errors(fail, arguments, message, hint):
    code, out, err = fail(*arguments)
    assert (code, out) == (2, "")
    first, blank, last = err.splitlines()
    assert first.startswith(f"error: {message}")
    assert blank == ""
    assert last.startswith("hint: ")
    assert hint in last


def test_usage_errors_as_json(fail):
    code, out, err = fail("clean", "a.mp4", "--json", "--bogus")
    assert code == 2
    assert json.loads(out) == {
        "schema": 1,
        "error": {
            "code": 2,
            "name": "usage",
            "message": "`remover clean` has no flag `--bogus`",
            "hint": "`remover clean --help` lists the flags",
        },
    }
    assert err.startswith("error: ")


def test_config_errors(fail, tmp_path):
    (tmp_path / "remover.toml").write_text("dilat = 3\n")
    code, _, err = fail("clean", "a.mp4", *BOX)
    assert code == 2
    assert "error: `dilat` in `remover.toml` is no option\n\nhint: did you mean `dilate`?" in err
    code, _, err = fail("clean", "a.mp4", *BOX, "--config", "absent.toml")
    assert code == 3
    assert "`absent.toml` cannot be read" in err


def test_signal_handlers_are_put_back(fail):
    import signal

    before = signal.getsignal(signal.SIGTERM)
    fail("clean")
    assert signal.getsignal(signal.SIGTERM) is before


def test_nothing_is_said_twice(fail):
    _, out, err = fail("clean", "a.mp4", "--bogus")
    assert (out, err.count("error:")) == ("", 1)


def test_no_color_by_default(fail):
    assert "\x1b[" not in fail("clean")[2]
    assert sys.stdout is not None
