"""What the page asks for: itself, the items, their videos; and what it tells: verdicts.

::

    GET   /                     the page
    GET   /assets/NAME          its script, style and icon
    GET   /items                the items and what was said of them, as JSON
    GET   /videos/ID/KIND.mp4   a video of an item: original, overlay or result
    POST  /verdicts             {"id": ..., "verdict": "yes"|"no"|"skip"|"undo"}
"""

import json
import threading
from pathlib import Path
from typing import Any, get_args

from starlette import status
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from remover.errors import RemoverError
from remover.train import verdicts
from remover.train.verdicts import KINDS, Choice, Item, Verdict
from remover.web.guard import Guard

ASSETS = Path(__file__).parent.parent / "assets" / "web"
TYPES = {
    "page.html": "text/html",
    "page.css": "text/css",
    "page.js": "text/javascript",
    "clock.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
LARGEST_BODY = 4096
"""Bytes of a verdict, at most."""

TOO_LARGE = 413
"""Its name in the library depends on the version."""


def application(folder: Path, token: str) -> ASGIApp:
    """The page over a samples folder, behind its guard.

    Args:
        folder: As ``remover train sample`` writes it.
        token: What the path of every request begins with.

    Raises:
        InputError: It is no samples folder, or its verdicts are damaged.
    """
    page = _Page(folder)
    routes = [
        Route("/", page.asset, methods=["GET"]),
        Route("/assets/{name}", page.asset, methods=["GET"]),
        Route("/items", page.items, methods=["GET"]),
        Route("/videos/{id}/{kind}.mp4", page.video, methods=["GET"]),
        Route("/verdicts", page.judge, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {HTTPException: _refused, RemoverError: _failed}
    app = Starlette(routes=routes, exception_handlers=handlers)
    app.router.redirect_slashes = False
    return Guard(app, token)


class _Page:
    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._items = {item.id: item for item in verdicts.items(folder)}
        self._writing = threading.Lock()
        verdicts.read(folder)  # damage is told before anybody judges

    async def asset(self, request: Request) -> Response:
        name = request.path_params.get("name", "page.html")
        if name not in TYPES:
            raise HTTPException(status.HTTP_404_NOT_FOUND)
        return FileResponse(ASSETS / name, media_type=TYPES[name])

    async def items(self, _request: Request) -> Response:
        given = await run_in_threadpool(verdicts.read, self._folder)
        listed = [_shown(item, given.get(item.id)) for item in self._items.values()]
        return JSONResponse({"items": listed, "history": list(given)})

    async def video(self, request: Request) -> Response:
        item = self._items.get(request.path_params["id"])
        kind = request.path_params["kind"]
        if item is None or kind not in KINDS:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no such video")
        path = await run_in_threadpool(self._inside, item.video(kind))
        return FileResponse(path, media_type="video/mp4")

    def _inside(self, name: str) -> Path:
        """The file of a listed name; links are followed, but not out of the folder."""
        try:
            path = (self._folder / name).resolve(strict=True)
        except (OSError, RuntimeError):  # a loop of links
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"{name} is missing") from None
        if not path.is_relative_to(self._folder) or not path.is_file():
            raise HTTPException(status.HTTP_404_NOT_FOUND, f"{name} is no file of the folder")
        return path

    async def judge(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, "a verdict is JSON")
        key, verdict = _asked(await _body(request))
        if key not in self._items:
            raise HTTPException(status.HTTP_404_NOT_FOUND, "there is no such sample")
        await run_in_threadpool(self._write, Verdict(key, verdict))
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    def _write(self, verdict: Verdict) -> None:
        with self._writing:
            verdicts.append(self._folder, verdict, known=self._items)


def _shown(item: Item, verdict: Verdict | None) -> dict[str, Any]:
    height, width = item.size
    return {
        "id": item.id,
        "clip": item.clip,
        "frames": item.frames,
        "height": height,
        "width": width,
        "fps": item.fps,
        "verdict": None if verdict is None else verdict.verdict,
    }


async def _body(request: Request) -> bytes:
    """The whole body, as long as it is small."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST_BODY:
            raise HTTPException(TOO_LARGE, "a verdict is shorter")
    return content


def _asked(content: bytes) -> tuple[str, Choice]:
    try:
        asked = json.loads(content)
    except (ValueError, RecursionError):
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "a verdict is JSON") from None
    if not isinstance(asked, dict) or set(asked) != {"id", "verdict"}:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "a verdict has an id and a verdict")
    if not isinstance(asked["id"], str) or asked["verdict"] not in get_args(Choice):
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "a verdict is yes, no, skip or undo")
    return asked["id"], asked["verdict"]


async def _refused(_request: Request, error: HTTPException) -> Response:
    return PlainTextResponse(f"{error.detail}\n", error.status_code, headers=error.headers)


async def _failed(_request: Request, error: RemoverError) -> Response:
    """What could not be read or written, in the words that the command line uses."""
    said = {"message": error.message, "hint": error.hint}
    return JSONResponse(said, status.HTTP_500_INTERNAL_SERVER_ERROR)
