"""Serve the page on this machine alone, until a signal comes."""

import contextlib
import errno
import importlib.util
import secrets
import signal
import socket
import threading
import webbrowser
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from remover.errors import ExitCode, Interrupted, UsageError

if TYPE_CHECKING:
    from uvicorn import Server

HOST = "127.0.0.1"
NEEDED = ("starlette", "uvicorn")
PATIENCE_S = 2
"""How long answers that are under way may take when a signal has come."""


def serve(
    folder: Path,
    *,
    port: int = 0,
    open_browser: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Let a person judge the samples of ``folder`` until SIGINT or SIGTERM comes.

    Nothing is printed. SIGINT is how a person ends it: the function returns.

    Args:
        folder: As ``remover train sample`` writes it.
        port: Of 127.0.0.1; 0 is any free one.
        open_browser: Open the page in the person's browser, where there is one with windows.
        on_ready: Called with the page's address as soon as it answers. Whoever knows the
            address can judge: it has a new token each time.

    Raises:
        UsageError: The port is taken or not allowed, or the extra `web` is not installed.
        InputError: It is no samples folder, or its verdicts are damaged.
        Interrupted: SIGTERM came.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the page needs `{missing[0]}`, which is not installed",
            hint='pip install "remover[web]"',
        )
    from remover.web.app import application

    token = secrets.token_urlsafe(24)
    app = application(folder, token)
    with _listener(port) as listener:
        url = f"http://{HOST}:{listener.getsockname()[1]}/{token}/"

        def tell() -> None:
            if on_ready is not None:
                on_ready(url)
            if open_browser:
                threading.Thread(target=open_page, args=(url,), daemon=True).start()

        server = _server(app, tell)
        with _signals(server) as came:
            server.run(sockets=[listener])
    if signal.SIGTERM in came:
        raise Interrupted(ExitCode.SIGTERM)


def _listener(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        number = getattr(error, "errno", None)
        if number == errno.EADDRINUSE:
            raise UsageError(
                f"the port `{port}` is taken by another program",
                hint="leave `--port` out to take a free one",
            ) from None
        raise UsageError(
            f"the port `{port}` cannot be used: {getattr(error, 'strerror', None) or error}",
            hint="choose one of 1024 to 65535, or leave `--port` out to take a free one",
        ) from None
    return listener


def _server(app: object, tell: Callable[[], None]) -> "Server":
    import uvicorn

    class Telling(uvicorn.Server):
        """A server that says when it answers, and leaves signals to its caller."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            tell()

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,  # nobody stands between, and nobody may say so
        server_header=False,
        timeout_graceful_shutdown=PATIENCE_S,
    )
    return Telling(config)


@contextlib.contextmanager
def _signals(server: "Server") -> Iterator[list[int]]:
    """Let signals end ``server`` within the block; yields those that came."""
    came: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        server.should_exit = True
        came.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield came  # no signals come here
        return
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def open_page(url: str) -> None:
    """Open the page in a browser with windows; one in the terminal would fight for it."""
    with contextlib.suppress(webbrowser.Error):
        browser = webbrowser.get()
        in_terminal = type(browser) is webbrowser.GenericBrowser
        if not in_terminal:
            browser.open(url)
