"""An ASGI application asked without a server, with every byte of the request as it is given."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

PORT = 8123
HOST = f"127.0.0.1:{PORT}"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    app: Any,
    path: str,
    *,
    method: str = "GET",
    headers: dict[str, str | None] | None = None,
    chunks: tuple[bytes, ...] = (b"",),
) -> Answer:
    """Ask for a path; header values of None leave one out that is sent otherwise."""
    sent = {"host": HOST, **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(k.encode(), v.encode()) for k, v in sent.items() if v is not None],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", PORT),
    }
    incoming = [
        {"type": "http.request", "body": chunk, "more_body": n < len(chunks) - 1}
        for n, chunk in enumerate(chunks)
    ]
    outgoing: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return incoming.pop(0) if incoming else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        outgoing.append(message)

    asyncio.run(app(scope, receive, send))
    start = outgoing[0]
    found = {k.decode(): v.decode() for k, v in start["headers"]}
    body = b"".join(m.get("body", b"") for m in outgoing[1:])
    return Answer(start["status"], found, body)


def judge(app: Any, token: str, said: object, **headers: str | None) -> Answer:
    """Give a verdict as the page does, but for ``headers`` (with `_` for `-`)."""
    content = said if isinstance(said, bytes) else json.dumps(said).encode()
    usual = {"content-type": "application/json", "origin": f"http://{HOST}"}
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(app, f"/{token}/verdicts", method="POST", headers=usual | changed, chunks=(content,))
