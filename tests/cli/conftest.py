import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


CHANGING = ("NO_COLOR", "FORCE_COLOR", "PYTHONUNBUFFERED")


def environment(**more: str) -> dict[str, str]:
    """The process's environment without anything that changes what the command says."""
    keep = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("REMOVER_", "_REMOVER")) and name not in CHANGING
    }
    # The shell is named by the argument: the tests' own ancestors need not hold one.
    named = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    return keep | named | {"PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": "/nonexistent"} | more


@pytest.fixture
def plain_environment():
    """Variables that change nothing of what the command says."""
    return environment()


@pytest.fixture
def remover(tmp_path, quick_python):
    """A function that runs the command in an empty folder."""

    def run(*arguments, **env):
        return subprocess.run(
            [*quick_python, "-m", "remover", *map(str, arguments)],
            cwd=tmp_path,
            env=environment(**env),
            capture_output=True,
            timeout=120,
            check=False,
        )

    return run


FAKE = """
import os, sys, time, types
from pathlib import Path
from remover.errors import *

class Report:
    def __init__(self, *given):
        self.given = given
    def to_json(self):
        return {"schema": 1, "given": [str(one) for one in self.given]}
    def summary(self):
        return ["masks by none", "out.mkv, 1.2 MB, 48 frames, 3.0 s"]

def story(name):
    def call(source, output, prompts, options, progress, sides=None):
        print("a stray line from a library", flush=True)
        os.system("echo a stray line from a program")
        progress.start("segment", 40)
        progress.note("a note")
        progress.warn("a warning")
        for _ in range(40):
            progress.advance()
        progress.start("verify", None)
        %s
        return Report(name, source, output, [p.text for p in prompts], options)
    return call

fake = types.ModuleType("remover.pipeline")
for name in ("clean", "mask", "dry_run", "preview"):
    setattr(fake, name, story(name))
sys.modules["remover.pipeline"] = fake
import remover
remover.pipeline = fake
from remover.cli.main import main
main()
"""


@pytest.fixture
def faked_command(quick_python):
    """The command line of that command, and its environment."""
    return lambda *arguments, body="pass", **env: (
        [*quick_python, "-c", FAKE % body, *map(str, arguments)],
        environment(**env),
    )


@pytest.fixture
def start_faked(tmp_path, faked_command):
    """A function that starts the command with a pipeline that runs a line of the test's."""

    def start(*arguments, body="pass", **env):
        command, variables = faked_command(*arguments, body=body, **env)
        return subprocess.Popen(
            command,
            cwd=tmp_path,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start


@pytest.fixture
def faked(start_faked):
    """A function that runs that command to its end."""

    def run(*arguments, body="pass", **env):
        with start_faked(*arguments, body=body, **env) as process:
            out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err.decode())

    return run
