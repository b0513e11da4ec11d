import json
import subprocess
import sys

import pytest

from remover.version import __version__

NAMES = [
    "minimax",
    *(f"minimax/{n}" for n in ("scheduler-config", "transformer", "transformer-config")),
    *("minimax/vae", "minimax/vae-config"),
]
HEAVY = ("torch", "cv2", "av", "numpy", "sam2", "scenedetect", "patchmatch", "rich")

WATCH = """
import json, sys
from remover.cli.main import main
try:
    main()
finally:
    names = sorted({name.partition(".")[0] for name in sys.modules})
    print(json.dumps(names), file=sys.__stderr__)
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 0),
        (("--help",), 0),
        (("-V",), 0),
        (("clean", "--help"), 0),
        (("help", "mask"), 0),
        (("info", "--config-template"), 0),
        (("--show-completion", "bash"), 0),
        (("weights", "list"), 0),
        (("weights", "path", "sam2.1/tiny"), 0),
        (("clean", "clip.mp4"), 2),
        (("clean", "clip.mp4", "--bxo", "1,2,3,4"), 2),
        (("clean", "clip.mp4", "--box", "1,2,3"), 2),
        (("clean", "clip.mp4", "--box", "1,2,3,4", "--dilate", "x"), 2),
    ],
)
def test_quick_answers_import_nothing_heavy(tmp_path, plain_environment, arguments, code):
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *arguments],
        cwd=tmp_path,
        env=plain_environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code
    loaded = json.loads(done.stderr.splitlines()[-1])
    assert not set(loaded) & set(HEAVY)


def test_no_arguments_print_a_short_help(remover):
    done = remover()
    assert done.returncode == 0
    assert done.stdout.count(b"\n  remover clean ") == 2
    assert done.stderr == b""


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_version_is_one_line(remover, flag):
    done = remover(flag)
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"remover {__version__}\n".encode(),
        b"",
    )


@pytest.mark.parametrize("verb", ["clean", "mask"])
def test_help_in_every_place_is_the_same(remover, verb):
    texts = [remover(verb, "-h"), remover("help", verb), remover(verb, "--bogus", "1", "--help")]
    assert {done.returncode for done in texts} == {0}
    assert len({done.stdout for done in texts}) == 1
    text = texts[0].stdout.decode()
    assert text.startswith(f"Usage: remover {verb} [OPTIONS] ")
    assert text.index("Examples:") < text.index("Display:")
    assert max(map(len, text.splitlines())) <= 80


def test_help_groups_the_flags(remover):
    text = remover("clean", "--help").stdout.decode()
    places = [text.index(f"\n{name}:\n") for name in ("Input", "Mask", "Quality", "Output")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("words", "count", "expected"),
    [
        ("remover clean --track", 2, ["--tracker"]),
        ("remover clean --tracker b", 3, ["builtin"]),
        ("remover mask --progress j", 3, ["json"]),
        ("remover c", 1, ["clean"]),
        ("remover weights pull mini", 3, NAMES),
    ],
)
def test_completion(remover, words, count, expected):
    done = remover(_REMOVER_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(count))
    assert done.stdout.decode().split() == expected


def test_config_template(remover):
    done = remover("info", "--config-template")
    assert done.stdout.startswith(b"# Options of `remover`")
    assert b"#dilate = 4\n" in done.stdout


def test_a_reader_that_goes_away_is_no_error(plain_environment):
    with subprocess.Popen(
        [sys.executable, "-m", "remover", "clean", "--help"],
        env=plain_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=120)
    assert (process.returncode, err) == (0, b"")
