import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

BOX = ("clean", "clip.mp4", "--box", "10,20,80,60@45#2")


def test_a_run_says_what_it_does_on_stderr_and_nothing_on_stdout(faked):
    done = faked(*BOX)
    assert (done.returncode, done.stdout) == (0, b"")
    lines = done.stderr.splitlines()
    assert re.fullmatch(r"remover [0-9.]+: clip\.mp4", lines[0])
    assert "segment: 40 frames" in lines
    tenths = [line for line in lines if re.match(r"segment: \d+ %, \d+ of 40 frames, ", line)]
    assert [line.split()[1] for line in tenths] == [str(n) for n in range(10, 101, 10)]
    assert "a note" in lines
    assert "warning: a warning" in lines
    assert lines[-1] == "out.mkv, 1.2 MB, 48 frames, 3.0 s"


def test_the_pipeline_gets_what_was_typed(faked):
    done = faked(
        *BOX, "--click", "3,4", "--mask", "m.png", "--avoid", "1,2", "-o", "o.mkv",
        "--dilate", "7", "--start", "5", "--end", "2.5s", "--lossless", "-y", "--json",
    )  # fmt: skip
    name, source, output, texts, options = json.loads(done.stdout)["given"]
    assert (name, source, output) == ("clean", "clip.mp4", "o.mkv")
    assert texts == str(["--box 10,20,80,60@45#2", "--click 3,4", "--avoid 1,2", "--mask m.png"])
    for part in ("dilate=7", "lossless=True", "overwrite=True", "frame=5", "Fraction(5, 2)"):
        assert part in options


def test_json_is_alone_on_stdout_whatever_libraries_print(faked):
    done = faked(*BOX, "--json")
    assert done.stdout.count(b"\n") == 1
    assert json.loads(done.stdout)["schema"] == 1
    assert "a stray line from a library" in done.stderr
    assert "a stray line from a program" in done.stderr


def test_what_c_code_buffers_stays_off_stdout(faked):
    body = "import ctypes; ctypes.CDLL(None).printf(b'a stray line from c')"
    if sys.platform == "win32":
        pytest.skip("no C library under that name")
    done = faked(*BOX, "--json", body=body)
    assert json.loads(done.stdout)["schema"] == 1
    assert "a stray line from c" in done.stderr


def test_dry_run_prints_the_plan_on_stdout(faked):
    done = faked(*BOX, "--dry-run", "-v", REMOVER_SEED="5")
    assert done.stdout.endswith(b"48 frames, 3.0 s\n")
    assert "  dilate       -         (default)" in done.stderr
    assert "  seed         5         (REMOVER_SEED)" in done.stderr
    assert json.loads(faked(*BOX, "--dry-run", "--json").stdout)["given"][0] == "dry_run"


def test_preview_and_mask_call_their_part(faked):
    done = faked(*BOX, "--preview", "sheet.png", "--json")
    assert json.loads(done.stdout)["given"][:3] == ["preview", "clip.mp4", "sheet.png"]
    done = faked("mask", "clip.mp4", "--click", "3,4", "-o", "masks", "--json")
    assert json.loads(done.stdout)["given"][:3] == ["mask", "clip.mp4", "masks"]


def test_quiet_keeps_warnings(faked):
    done = faked(*BOX, "--quiet")
    talk = [line for line in done.stderr.splitlines() if "stray" not in line]
    assert talk == ["warning: a warning"]


def test_progress_none_keeps_notes(faked):
    lines = faked(*BOX, "--progress", "none").stderr.splitlines()
    assert "a note" in lines
    assert not [line for line in lines if line.startswith("segment")]


def test_progress_as_json_lines(faked):
    done = faked(*BOX, "--progress", "json")
    lines = [line for line in done.stderr.splitlines() if "stray" not in line]
    events = [json.loads(line) for line in lines]
    assert [e["event"] for e in events if e.get("stage") == "segment"] == [
        "start", *["progress"] * 40, "end",
    ]  # fmt: skip
    last = [e for e in events if e.get("stage") == "segment"][-1]
    assert (last["done"], last["total"]) == (40, 40)
    assert {"event": "warning", "message": "a warning"} in events
    assert events[-1]["event"] == "done"


def test_bars_can_be_asked_for(faked):
    done = faked(*BOX, "--progress", "rich", "--color", "never")
    assert done.returncode == 0
    assert "40/40" in done.stderr
    assert "a note" in done.stderr


def test_colour_only_when_asked(faked):
    assert "\x1b[" not in faked(*BOX).stderr
    assert "\x1b[33mwarning:\x1b[0m a warning" in faked(*BOX, "--color", "always").stderr
    assert "\x1b[33m" in faked(*BOX, FORCE_COLOR="1").stderr
    assert "\x1b[" not in faked(*BOX, FORCE_COLOR="1", NO_COLOR="1").stderr


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("UsageError", 2),
        ("InputError", 3),
        ("OutputError", 4),
        ("WeightsError", 5),
        ("DeviceError", 6),
        ("VerifyError", 7),
        ("TrainingError", 8),
    ],
)
def test_exit_codes_and_error_text(faked, name, code):
    body = f"raise {name}('`a` is not `b`', hint='try `c`') from OSError('the cause')"
    done = faked(*BOX, "--json", body=body)
    assert done.returncode == code
    assert done.stderr.endswith("error: `a` is not `b`\n  the cause\n\nhint: try `c`\n")
    assert "Traceback" not in done.stderr
    error = {"code": code, "name": name.removesuffix("Error").lower()}
    error |= {"message": "`a` is not `b`", "hint": "try `c`"}
    assert json.loads(done.stdout) == {"schema": 1, "error": error}


def test_debugging_shows_the_traceback(faked):
    done = faked(*BOX, body="raise InputError('no')", REMOVER_DEBUG="1")
    assert "Traceback" in done.stderr
    assert done.stderr.endswith("error: no\n")


def test_a_bug_asks_for_a_report(faked):
    done = faked(*BOX, "--json", body="raise ZeroDivisionError('by zero')")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "\nremover " in done.stderr
    assert "error: unexpected ZeroDivisionError: by zero\n\nhint: this is a bug" in done.stderr
    assert "please report" in done.stderr
    assert json.loads(done.stdout)["error"]["name"] == "internal"


def test_memory_that_runs_out_is_no_bug(faked):
    done = faked(*BOX, body="raise MemoryError")
    assert done.returncode == 6
    assert "error: the memory ran out" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
@pytest.mark.parametrize(
    ("number", "code", "name"), [(signal.SIGINT, 130, "sigint"), (signal.SIGTERM, 143, "sigterm")]
)
def test_signals_clean_up_and_have_their_code(start_faked, tmp_path, number, code, name):
    body = (
        "part = Path('out.part'); part.touch()\n"
        "        try: progress.warn('ready'); time.sleep(60)\n"
        "        except Exception: pass\n"
        "        finally: part.unlink()"
    )
    with start_faked(*BOX, "--json", body=body) as process:
        text = wait_for(process, b"ready")
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert process.returncode == code
    assert (text + err).decode().endswith("stopping...\n")
    assert not (tmp_path / "out.part").exists()
    assert json.loads(out)["error"] | {"hint": None} == {
        "code": code, "name": name, "message": "stopped", "hint": None,
    }  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_a_second_interrupt_leaves_at_once(start_faked):
    body = (
        "try: progress.warn('ready'); time.sleep(60)\n"
        "        finally: progress.warn('cleaning'); time.sleep(60)"
    )
    with start_faked(*BOX, body=body) as process:
        wait_for(process, b"ready")
        process.send_signal(signal.SIGINT)
        wait_for(process, b"cleaning")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=120)
    assert process.returncode == 130


def test_closed_streams_do_not_stop_a_run(tmp_path, plain_environment):
    if sys.platform == "win32":
        pytest.skip("shell syntax")
    command = f"{sys.executable} -m remover clean >&- 2>&- ; echo $? > code"
    subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=plain_environment, check=True, timeout=120
    )
    assert (tmp_path / "code").read_text() == "2\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_bars_on_a_terminal(tmp_path, faked_command):
    import pty

    leader, follower = pty.openpty()
    command, env = faked_command(*BOX, TERM="xterm-256color", COLUMNS="100")
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=follower,
    ) as process:
        os.close(follower)
        found = b""
        with contextlib.suppress(OSError):  # how a pseudo-terminal says that its other end closed
            while block := os.read(leader, 4096):
                found += block
        out = process.stdout.read()
    os.close(leader)
    assert (process.returncode, out) == (0, b"")
    assert b"40/40" in found
    assert b"\x1b[" in found
    assert b"48 frames, 3.0 s" in found.splitlines()[-1]


def wait_for(process, word):
    """Read stderr until ``word`` was there; what was read."""
    found = b""
    until = time.monotonic() + 120
    while word not in found and time.monotonic() < until:
        found += os.read(process.stderr.fileno(), 4096)
    assert word in found
    return found


def test_a_missing_checkpoint_ends_before_any_work(remover, make_clip, tmp_path):
    clip = make_clip()
    asked = ("--box", "4,32,24,24", "--tracker", "sam2:tiny")
    done = remover("clean", clip.path, *asked, "-o", "out.mkv", XDG_CACHE_HOME=str(tmp_path))
    assert (done.returncode, done.stdout) == (5, b"")
    assert b"error: the checkpoint of `sam2:tiny` is not installed" in done.stderr
    assert b"(156 MB)" in done.stderr
    assert b"hint: `remover weights pull sam2.1/tiny` fetches it" in done.stderr
    assert b"--sam2-weights FILE" in done.stderr
    assert b"scan" not in done.stderr
    done = remover("clean", clip.path, *asked, "--sam2-weights", "gone.pt", "-o", "out.mkv")
    assert done.returncode == 5
    assert b"error: the checkpoint `gone.pt` is not there (`sam2:tiny` is" in done.stderr
    assert not (tmp_path / "out.mkv").exists()
