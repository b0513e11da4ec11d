"""A Python that starts at once: copies of one process that has imported all that `remover` needs.

Importing takes seconds of each process that cleans a video, and shows nothing after the first. So a
server imports once and forks for each start; ``python`` is what to run in place of the interpreter,
with ``-m MODULE`` or ``-c CODE``. It is a process of its own, with the folder, the variables and
the streams of the caller; signals pass through, and it dies with the caller. What it has not are
the caller's number, terminal and limits.

::

    python tests/forks.py serve SOCKET     until its standard input ends
    python tests/forks.py run SOCKET ...   as `python ...`
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys

PASSED_ON = ("SIGINT", "SIGTERM")

IMPORTED = (
    *("torch", "safetensors.torch", "numpy.ma", "numpy.random"),
    *("remover.pipeline", "remover.segment.tracker", "remover.segment.propagate"),
)
"""What takes long; no thread comes of it, as none may be where a process forks."""


def python(where: str) -> list[str]:
    """The words that stand for the interpreter, started by the server at ``where``."""
    return [sys.executable, "-S", "-E", __file__, "run", where]


def run(where: str, arguments: list[str]) -> None:
    """Have Python run with this process's streams, and end as it ended."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(where)
        for name in PASSED_ON:
            signal.signal(getattr(signal, name), lambda number, _: server.send(bytes([number])))
        folder = os.getcwd()  # noqa: PTH109 - importing pathlib takes as long as all else here
        asked = {"arguments": arguments, "folder": folder, "variables": dict(os.environ)}
        content = json.dumps(asked).encode()
        head = len(content).to_bytes(8, "big")
        socket.send_fds(server, [head], [0, 1, 2])
        server.sendall(content)
        answer = server.recv(8)
    assert answer, "the server has ended"
    code = int.from_bytes(answer, "big", signed=True)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def prepare() -> None:
    """Import what a run of the command does, its parser's parts too."""
    import importlib

    for name in IMPORTED:
        importlib.import_module(name)
    from typer.main import get_command

    from remover.cli.main import app

    get_command(app).commands["clean"].make_context("clean", ["clip.mp4"])


def serve(where: str) -> list[str]:
    """Serve until standard input ends; returns only in a caller's process, its arguments."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(where)
        server.listen(16)
        print("ready", flush=True)
        waiting: set[int] = set()
        while server in select.select([server, sys.stdin], [], [])[0]:
            caller, _ = server.accept()
            if (child := os.fork()) == 0:
                server.close()
                return supervise(caller)
            caller.close()
            waiting.add(child)
            waiting = {one for one in waiting if os.waitpid(one, os.WNOHANG) == (0, 0)}
    os._exit(0)


def supervise(caller: socket.socket) -> list[str]:
    """Start what a caller wants and wait for it; returns only in its process, its arguments."""
    head, streams, _, _ = socket.recv_fds(caller, 8, 3)
    with caller.makefile("rb") as file:
        asked = json.loads(file.read(int.from_bytes(head, "big")))
    child = os.fork()
    if child == 0:
        caller.close()
        become(asked, streams)
        return asked["arguments"]
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(child)
    while ended not in select.select([ended, caller], [], [])[0]:
        number = caller.recv(1)
        os.kill(child, number[0] if number else signal.SIGKILL)
        if not number:
            break  # the caller was killed
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(ConnectionError):
        caller.send(code.to_bytes(8, "big", signed=True))
    os._exit(0)


def become(asked: dict, streams: list[int]) -> None:
    """Take on a caller's folder, variables and streams."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, encoding="utf-8", buffering=1 if number == 2 else -1)
        for number, mode in enumerate("rww")
    )
    os.environ.clear()
    os.environ.update(asked["variables"])
    os.chdir(asked["folder"])


def start(arguments: list[str]) -> None:
    """Do as the interpreter does with these arguments."""
    import runpy
    import types

    kind, what, *rest = arguments
    sys.argv = [kind, *rest]
    sys.path[0] = ""
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        exec(what, main.__dict__)


def end(code: int) -> None:
    """End as the interpreter does, but do not take down each module: that takes long as well."""
    import atexit
    import ctypes

    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL(None).fflush(None)
    os._exit(code)


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run(sys.argv[2], sys.argv[3:])
    prepare()
    asked = serve(sys.argv[2])
    try:
        start(asked)
        end(0)
    except SystemExit as stop:
        end(stop.code or 0)
