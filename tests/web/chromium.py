"""A headless Chromium, driven through two pipes (its `--remote-debugging-pipe`)."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "google-chrome")
PATIENCE_S = 120

FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # it refuses to run as root with one
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--no-proxy-server",
    "--mute-audio",
    "--hide-scrollbars",
)

LAUNCH = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

KEYS = {" ": ("Space", 32), "Tab": ("Tab", 9), "Enter": ("Enter", 13), "Escape": ("Escape", 27)}


def find() -> str | None:
    """Where it is installed, if it is."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Chromium:
    """A browser with one page, as a context manager."""

    def __init__(self, profile: Path, *, width: int = 1280, height: int = 800) -> None:
        path = find()
        assert path is not None
        self.errors: list[str] = []
        """What the page's console said of errors, what was blocked too."""
        self.asked: list[str] = []
        """The address of each request."""
        commands, self._write = os.pipe()
        self._read, answers = os.pipe()
        # Numbers above 4, so that putting one in its place does not close the other.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands, answers)]
        flags = [*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *map(str, ends), path, *flags, "about:blank"],
            pass_fds=ends,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for end in (commands, answers, *ends):
            os.close(end)
        self._buffer = b""
        self._number = 0
        self._session: str | None = None

    def __enter__(self) -> Self:
        pages = self.call("Target.getTargets")["targetInfos"]
        target = next(page["targetId"] for page in pages if page["type"] == "page")
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._write)
        os.close(self._read)
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and wait for its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer["error"]
                return answer["result"]
            self._note(answer)

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, awaited."""
        found = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, expression: str, is_good: Callable[[Any], bool] = bool) -> Any:
        """Wait until the value of an expression is good; that value."""
        until = time.monotonic() + PATIENCE_S
        while not is_good(value := self.evaluate(expression)):
            assert time.monotonic() < until, f"{expression} is still {value!r}"
            time.sleep(0.02)
        return value

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def press(self, key: str, *, is_repeat: bool = False) -> None:
        code, number = KEYS.get(key, (f"Key{key.upper()}", ord(key[0].upper())))
        text = {"text": key} if len(key) == 1 else {}
        about = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        down = {"type": "keyDown", "autoRepeat": is_repeat, **text}
        self.call("Input.dispatchKeyEvent", **down, **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def click(self, selector: str) -> None:
        box = self.evaluate(
            f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            about = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
            self.call("Input.dispatchMouseEvent", type=kind, **about)

    def picture(self, path: Path) -> None:
        """A screenshot as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_S
        while b"\0" not in self._buffer:
            ready = select.select([self._read], [], [], max(0.0, until - time.monotonic()))[0]
            content = os.read(self._read, 1 << 20) if ready else b""
            assert content, "Chromium does not answer"
            self._buffer += content
        message, _, self._buffer = self._buffer.partition(b"\0")
        return dict(json.loads(message))

    def _note(self, event: dict[str, Any]) -> None:
        about = event.get("params", {})
        match event.get("method"):
            case "Network.requestWillBeSent":
                self.asked.append(about["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(about["exceptionDetails"]))
            case "Log.entryAdded" if about["entry"]["level"] == "error":
                self.errors.append(about["entry"]["text"])
