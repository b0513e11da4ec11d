"""Who may ask: the page itself, and nobody else.

Every request has to name this machine as its host, so that no other site's name can be pointed
here; its path has to begin with the token, which only the person at this machine was told; and
what changes something has to come from the page's own origin.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from starlette import status
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NAMES = ("127.0.0.1", "localhost")
"""What this machine may be called in a request."""

SAFE = ("GET", "HEAD")

POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
"""Of every answer: nothing from elsewhere, nothing to elsewhere, nothing kept."""


class Guard:
    """An ASGI application that lets through to another one what comes from the page.

    The other one sees paths without the token.
    """

    def __init__(self, app: ASGIApp, token: str) -> None:
        """Guard ``app`` with ``token``, which has to be hard to guess and fit for a URL."""
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
            return

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower().encode() for name in HEADERS}
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in own]
                added = [(name.lower().encode(), text.encode()) for name, text in HEADERS.items()]
                message = {**message, "headers": [*kept, *added]}
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            reason, code = refusal
            await PlainTextResponse(f"{reason}\n", code)(scope, receive, send_on)
            return
        inner = dict(scope)
        inner["path"] = scope["path"][len(self._token) + 1 :]
        inner["raw_path"] = inner["path"].encode()
        await self._app(inner, receive, send_on)

    def _refusal(self, scope: Scope) -> tuple[str, int] | None:
        """Why a request is turned away, or None."""
        hosts = _values(scope, b"host")
        port = scope["server"][1]
        if len(hosts) != 1 or hosts[0] not in {f"{name}:{port}" for name in NAMES}:
            return "this address is not served here", status.HTTP_421_MISDIRECTED_REQUEST
        _, first, rest = (*scope["path"].split("/", 2), "", "")[:3]
        is_known = secrets.compare_digest(first.encode(), self._token.encode())
        if not is_known or not scope["path"].startswith(f"/{first}/"):
            return "open the address that the command printed", status.HTTP_404_NOT_FOUND
        if "\\" in rest or "\0" in rest:
            return "there is nothing here", status.HTTP_404_NOT_FOUND
        if scope["method"] not in SAFE and _values(scope, b"origin") != [f"http://{hosts[0]}"]:
            return "only the page itself may change anything", status.HTTP_403_FORBIDDEN
        return None


def _values(scope: Any, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]
