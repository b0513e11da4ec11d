import fcntl
import hashlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from remover import weights

ROOT = Path(__file__).resolve().parents[2]

BIG, SMALL = b"big" * 200_000, b"small" * 100

PATCHED = """
import json, sys
from remover import download, install, weights
entries = {e["name"]: weights.WeightFile(**e) for e in json.loads(sys.argv.pop(1))}
weights.lock = lambda: entries
install.pull.__defaults__ = ((0.0,),)
from remover.cli.main import main
main()
"""

QUIET = """
import sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"):
        raise RuntimeError(f"the network was opened: {event} {arguments}")
sys.addaudithook(watch)
from remover.cli.main import main
main()
"""


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache" / "remover" / "weights"


@pytest.fixture
def words(web):
    """What follows the interpreter in a command whose lock names files of this machine."""
    entries = [
        {
            "name": name,
            "path": path,
            "url": web.put(path, content),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "licence": licence,
        }
        for name, path, content, licence in [
            ("net/big", "net/big.pt", BIG, "apache-2.0"),
            ("net/small", "net/small.json", SMALL, "cc-by-nc-4.0"),
        ]
    ]
    return ["-c", PATCHED, json.dumps(entries), "weights"]


@pytest.fixture
def env(tmp_path, plain_environment):
    return plain_environment | {"XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def run(words, env, tmp_path, quick_python):
    def call(*arguments):
        return subprocess.run(
            [*quick_python, *words, *map(str, arguments)],
            cwd=tmp_path,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
            text=True,
        )

    return call


def test_pull_then_list_path_and_verify(run, cache, web):
    done = run("pull", "net/big")
    assert (done.returncode, done.stdout) == (0, "")
    lines = done.stderr.splitlines()
    assert lines[0] == "pull net/big: 600.0 kB"
    assert lines[-1] == f"{cache}/net/big.pt, 1 MB, its sha256 is right"
    assert (cache / "net" / "big.pt").read_bytes() == BIG
    done = run("list", "--json")
    files = json.loads(done.stdout)["files"]
    assert [(f["name"], f["installed"]) for f in files] == [("net/big", True), ("net/small", False)]
    assert run("path", "net/big").stdout == f"{cache}/net/big.pt\n"
    done = run("verify")
    assert (done.returncode, done.stdout) == (0, f"{cache}/net/big.pt: its sha256 is right\n")
    done = run("pull", "net/big", "--json")
    assert [f["new"] for f in json.loads(done.stdout)["files"]] == [False]
    assert len(web.asked) == 1


def test_nothing_named_is_a_list(run, web):
    done = run("pull")
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert first.split() == ["net/big", "1", "MB", "-", "Apache-2.0"]
    assert second.endswith("CC BY-NC 4.0 (non-commercial)")
    assert "name what to fetch" in done.stderr
    assert web.asked == []


def test_a_licence_without_commercial_use_needs_consent(run, cache, web):
    done = run("pull", "net")
    assert done.returncode == 2
    assert "the licence `cc-by-nc-4.0` of `net/small` needs your consent" in done.stderr
    assert "`--accept-license cc-by-nc-4.0` accepts it" in done.stderr
    assert not cache.exists()
    assert web.asked == []
    done = run("pull", "net", "--accept-license", "cc-by-nc-4.0")
    assert done.returncode == 0
    assert "net/small: CC BY-NC 4.0, no commercial use; https://creative" in done.stderr
    assert (cache / "net" / "small.json").read_bytes() == SMALL


@pytest.mark.parametrize(("answer", "code"), [("yes", 0), ("", 2), ("\x04", 2), ("\x03", 130)])
def test_a_terminal_is_asked(words, env, cache, tmp_path, answer, code):
    leader, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *words, "pull", "net/small"],
        cwd=tmp_path,
        env=env | {"TERM": "dumb"},
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(terminal, termios.TIOCSCTTY, 0),
    )
    os.close(terminal)
    said = b""
    while b"accept the licence: " not in said:
        said += os.read(leader, 4096)
    os.write(leader, answer.encode() + (b"" if answer in ("\x03", "\x04") else b"\n"))
    said += drain(leader)
    with process:
        assert process.stdout.read() == b""
    os.close(leader)
    assert process.returncode == code, said
    assert (cache / "net" / "small.json").exists() == (code == 0)
    if code == 2:
        assert b"was not accepted" in said


def drain(leader):
    said = b""
    while True:
        try:
            block = os.read(leader, 4096)
        except OSError:  # the other end is closed
            return said
        if not block:
            return said
        said += block


def test_ctrl_c_keeps_what_came_for_the_next_pull(words, env, run, cache, web, tmp_path):
    web.faults = [web.halt(300_000)]
    with subprocess.Popen(
        [sys.executable, *words, "pull", "net/big"],
        cwd=tmp_path,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while not any(p.stat().st_size == 300_000 for p in (cache / "net").glob(".*.part")):
            assert process.poll() is None
            time.sleep(0.01)
        second = run("pull", "net/big")
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "300,000 bytes of `net/big` are kept: the next pull goes on there" in said
    assert second.returncode == 4
    assert f"error: process {process.pid} on" in second.stderr
    assert "is writing" in second.stderr
    assert len(list((cache / "net").iterdir())) == 1
    assert run("pull", "net/big").returncode == 0
    assert web.asked[-1][1]["Range"] == "bytes=300000-"
    assert [p.name for p in (cache / "net").iterdir()] == ["big.pt"]


def test_what_a_killed_pull_left_is_gone_on_with(words, env, run, cache, web, tmp_path):
    web.faults = [web.halt(300_000)]
    with subprocess.Popen(
        [sys.executable, *words, "pull", "net/big"],
        cwd=tmp_path,
        env=env,
        stderr=subprocess.DEVNULL,
    ) as process:
        while not any(p.stat().st_size == 300_000 for p in (cache / "net").glob(".*.part")):
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
    assert run("pull", "net/big").returncode == 0
    assert web.asked[-1][1]["Range"] == "bytes=300000-"
    assert [p.name for p in (cache / "net").iterdir()] == ["big.pt"]


def test_a_wrong_hash_is_code_5(run, cache, web):
    web.put("net/big.pt", BIG[::-1])
    done = run("pull", "net/big", "--json")
    assert done.returncode == 5
    error = json.loads(done.stdout)["error"]
    assert error["name"] == "weights"
    assert hashlib.sha256(BIG).hexdigest() in error["message"]
    assert hashlib.sha256(BIG[::-1]).hexdigest() in error["message"]
    assert list((cache / "net").iterdir()) == []


def test_a_damaged_file_is_found(run, cache):
    (cache / "net").mkdir(parents=True)
    (cache / "net" / "big.pt").write_bytes(BIG[:-1] + b"x")
    done = run("verify")
    assert (done.returncode, done.stdout) == (5, "")
    assert f"`{cache}/net/big.pt` is not the file that is meant: its sha256 is `" in done.stderr
    assert "hint: fetch again: `remover weights pull net/big`" in done.stderr


def test_carried_files_are_added(run, cache, tmp_path):
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / "x").write_bytes(SMALL)
    done = run("add", "stick")
    assert done.returncode == 0
    assert "net/small: CC BY-NC 4.0, no commercial use" in done.stderr
    assert (cache / "net" / "small.json").read_bytes() == SMALL
    assert "was installed already" in run("add", "stick/x").stderr
    assert run("add", "gone").returncode == 3


def test_the_commands_of_the_guide(words, run, cache, web, tmp_path):
    entries = [
        {field: getattr(entry, field) for field in ("name", "path", "licence")}
        | {"url": web.put(name, name.encode()), "bytes": len(name)}
        | {"sha256": hashlib.sha256(name.encode()).hexdigest()}
        for name, entry in weights.lock().items()
    ]
    words[2] = json.dumps(entries)
    (tmp_path / "usb").mkdir()
    (tmp_path / "usb" / "a").write_bytes(b"sam2.1/large")
    text = (ROOT / "docs" / "guides" / "weights.md").read_text()
    blocks = re.findall(r"```sh\n(.+?)\n```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) == 4
    for line in lines:
        done = run(*line.replace("/media/", "").removeprefix("remover weights ").split())
        assert done.returncode == 0, done.stderr
    files = {str(p.relative_to(cache)) for p in cache.rglob("*") if p.is_file()}
    known = weights.lock()
    assert files == {known[name].path for name in known if "sam2" not in name} | {
        known["sam2.1/tiny"].path,
        known["sam2.1/large"].path,
    }


def test_progress_for_programs_counts_bytes(run):
    done = run("pull", "net/big", "--progress", "json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    end = next(event for event in events if event["event"] == "end")
    assert (end["stage"], end["done"], end["total"]) == ("pull net/big", len(BIG), len(BIG))
    assert end["bytes_per_second"] > 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("clean", "CLIP", "--box", "4,32,24,24", "-o", "out.mkv"), 0),
        (("clean", "CLIP", "--box", "4,32,24,24", "--tracker", "sam2:tiny"), 5),
        (("weights", "list"), 0),
        (("weights", "verify", "sam2.1"), 5),
        (("weights", "add", "CLIP"), 5),
        (("weights", "pull", "sam2.1/tiny"), 1),
    ],
)
def test_only_pull_opens_the_network(make_clip, tmp_path, env, quick_python, arguments, code):
    path = make_clip(frames=3).path
    done = subprocess.run(
        [*quick_python, "-c", QUIET, *(str(path) if a == "CLIP" else a for a in arguments)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        timeout=120,
        check=False,
        text=True,
    )
    assert done.returncode == code, done.stderr
    assert ("the network was opened" in done.stderr) == ("pull" in arguments)
