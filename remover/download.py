"""Fetch a file over HTTP: the only module that opens the network.

What is fetched is known beforehand by its size and its sha256, so nothing that a server, a proxy
or a login page sends in its place is ever taken for it. A transfer that breaks off goes on where
it ended, in the same process and in the next.
"""

import hashlib
import http.client
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from remover.errors import WeightsError
from remover.files import BLOCK
from remover.progress import Progress
from remover.version import __version__

TIMEOUT_S = 30.0
WAITS_S = (1.0, 2.0, 4.0, 8.0)
"""Pauses before further tries in a row; after bytes have come, they count anew."""
LONGEST_WAIT_S = 60.0
"""However long a server asks to wait."""

BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be other ones a little later."""

_OK, _PARTIAL, _NO_SUCH_RANGE = 200, 206, 416
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


@dataclass(frozen=True, slots=True)
class Remote:
    """A file on a server, and what it must be."""

    name: str
    """What it is called when people are told of it."""
    url: str
    bytes: int
    sha256: str


class _Broken(Exception):  # noqa: N818 - the next try may go well
    """A transfer broke off, or did not begin; trying again may help."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


def fetch(
    remote: Remote, part: Path, progress: Progress, waits_s: Sequence[float] = WAITS_S
) -> None:
    """Bring a file to ``part``, going on with what is there; every byte of it is checked.

    Proxies are those of the environment (``https_proxy``, ``no_proxy``).

    Args:
        remote: What to fetch.
        part: Where to; its beginning may be there from an earlier try.
        progress: Told of a stage in bytes.
        waits_s: Pauses in seconds, one before each further try.

    Raises:
        WeightsError: The server cannot be reached, refuses, or breaks off again and again (what
            came stays in ``part``); or what came is not the file (``part`` is removed).
        OSError: The part file cannot be written.
    """
    _check_url(remote.url, None)
    with part.open("a+b", buffering=0) as file:
        transfer = _Transfer(remote, file, progress)
        is_resumed = transfer.take_up()
        transfer.finish(waits_s)
        if is_resumed and transfer.found != remote.sha256:
            progress.note(f"what was kept of `{remote.name}` is damaged: it is fetched anew")
            transfer.begin_anew()
            transfer.finish(waits_s)
        found = transfer.found
    if found != remote.sha256:
        part.unlink()
        raise WeightsError(
            f"what came for `{remote.name}` is not the file that is meant: its sha256 is "
            f"`{found}`, not `{remote.sha256}`",
            hint=f"it was deleted; if it happens again, {remote.url} or the way to it is not to "
            "be trusted",
        )


class _Transfer:
    """One file on its way: how much of it came, and the hash of that."""

    def __init__(self, remote: Remote, file: Any, progress: Progress) -> None:
        self._remote = remote
        self._file = file
        self._progress = progress
        self._digest = hashlib.sha256()
        self._done = 0
        self._tag: str | None = None
        """The server's mark of this version of the file, if it has a strong one."""

    @property
    def found(self) -> str:
        """The sha256 of what came."""
        return self._digest.hexdigest()

    def take_up(self) -> bool:
        """Count what the part file holds already; whether that is anything."""
        self._file.seek(0)
        while block := self._file.read(BLOCK):
            self._digest.update(block)
            self._done += len(block)
        if self._done > self._remote.bytes:
            self.begin_anew()
        else:
            self._begin_stage()
        return self._done > 0

    def begin_anew(self) -> None:
        """Throw away what came."""
        self._file.truncate(0)
        self._digest = hashlib.sha256()
        self._done, self._tag = 0, None
        self._begin_stage()

    def _begin_stage(self) -> None:
        self._progress.start(f"pull {self._remote.name}", self._remote.bytes, "bytes")
        if self._done:
            self._progress.skip(self._done)

    def finish(self, waits_s: Sequence[float]) -> None:
        """Fetch the rest, trying again after the pauses where it breaks."""
        failures = 0
        while self._done < self._remote.bytes:
            before = self._done
            try:
                self._request()
            except _Broken as broken:
                failures = 0 if self._done > before else failures
                if failures >= len(waits_s):
                    raise self._given_up(broken) from None
                wait_s = min(max(waits_s[failures], broken.wait_s), LONGEST_WAIT_S)
                failures += 1
                self._progress.note(f"{broken}; trying again in {wait_s:g} s")
                time.sleep(wait_s)

    def _request(self) -> None:
        """Ask for the rest and write what comes.

        Raises:
            _Broken: It is not all, and more may come.
        """
        headers = {"User-Agent": f"remover/{__version__}", "Accept-Encoding": "identity"}
        if self._done:
            headers["Range"] = f"bytes={self._done}-"
            if self._tag is not None:
                headers["If-Range"] = self._tag
        request = urllib.request.Request(self._remote.url, headers=headers)
        with _answer(request, self._remote) as response:
            self._check(response)
            self._write(response)

    def _check(self, response: Any) -> None:
        """Let pass what goes on where this ended; begin anew where the whole file follows.

        Raises:
            WeightsError: It is another file.
            _Broken: The server did not send the rest that was asked for.
        """
        if response.status == _NO_SUCH_RANGE:
            self.begin_anew()
            raise _Broken(f"the server has no rest of `{self._remote.name}`")
        size = response.headers.get("Content-Length")
        if response.status == _PARTIAL:
            told = _RANGE.fullmatch(response.headers.get("Content-Range") or "")
            if told is None or int(told[1]) != self._done:
                self.begin_anew()
                raise _Broken(f"the server sent another part of `{self._remote.name}`")
            size = told[2] if told[2] != "*" else None
        if size is not None and size != str(self._remote.bytes):
            raise self._other_size(f"{size} bytes")
        if self._done and response.status != _PARTIAL:
            self._progress.note(f"the server sends all of `{self._remote.name}`: it begins anew")
            self.begin_anew()
        tag = response.headers.get("ETag")
        self._tag = tag if tag and not tag.startswith("W/") else None

    def _write(self, response: Any) -> None:
        for block in _blocks(response):
            if self._done + len(block) > self._remote.bytes:
                self._file.truncate(0)
                raise self._other_size("more")
            _write_all(self._file, block)
            self._digest.update(block)
            self._done += len(block)
            self._progress.advance(len(block))
        if self._done < self._remote.bytes:
            raise _Broken(
                f"`{self._remote.name}` broke off after {self._done:,} of "
                f"{self._remote.bytes:,} bytes"
            )

    def _other_size(self, size: str) -> WeightsError:
        """What the server sends is another file, as a login page."""
        return WeightsError(
            f"what {self._remote.url} sends is not `{self._remote.name}`: it has {size}, not "
            f"{self._remote.bytes:,} bytes",
            hint="check whether a login page or a proxy answers in its place",
        )

    def _given_up(self, broken: _Broken) -> WeightsError:
        kept = "what came is kept: run it again to go on; " if self._done else ""
        return WeightsError(
            f"`{self._remote.name}` could not be fetched: {broken}",
            hint=f"{kept}without a network, carry the files over and run `remover weights add DIR`",
        )


def _answer(request: urllib.request.Request, remote: Remote) -> Any:
    """The open answer to a request, after redirects; its status is 200, 206 or 416.

    Raises:
        _Broken: Nobody answered, or the answer may be another one later.
        WeightsError: The answer is no.
    """
    host = urllib.parse.urlsplit(remote.url).hostname
    opener = urllib.request.build_opener(_Redirects)
    try:
        response = opener.open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as answer:
        if answer.code == _NO_SUCH_RANGE:
            return answer
        with answer:
            said = f"`{host}` answers `{answer.code} {_first_line(answer.reason)}`"
            if answer.code in BUSY:
                raise _Broken(said, _wanted_wait(answer.headers)) from None
        raise WeightsError(
            f"`{remote.name}` could not be fetched from {remote.url}: {said}",
            hint="a newer `remover` may know where it is now; `remover weights add FILE` takes a "
            "copy from elsewhere",
        ) from None
    except (OSError, http.client.HTTPException) as error:
        cause = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise WeightsError(
                f"`{host}` cannot prove who it is: {cause.verify_message}",
                hint="check the clock; behind a proxy that looks inside, point `SSL_CERT_FILE` to "
                "its certificates",
            ) from None
        raise _Broken(f"`{host}` cannot be reached: {_reason(cause)}") from None
    if response.status not in (_OK, _PARTIAL):
        response.close()
        raise WeightsError(
            f"`{host}` answers `{response.status} {response.reason}`, not with `{remote.name}`",
            hint="check whether a login page or a proxy answers in its place",
        )
    return response


def _blocks(response: Any) -> Iterator[bytes]:
    """What comes, until it ends or breaks off; the two look alike here."""
    while True:
        try:
            block = response.read1(BLOCK)
        except (OSError, http.client.HTTPException):
            return
        if not block:
            return
        yield block


def _write_all(file: BinaryIO, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[file.write(rest) :]


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from an encrypted place to one that is not."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Any:
        """The request to the new place."""
        _check_url(newurl, req.full_url)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_url(url: str, origin: str | None) -> None:
    """Refuse what is not encrypted, unless it stays on this machine.

    Raises:
        WeightsError: It leads elsewhere.
    """
    parts = urllib.parse.urlsplit(url)
    is_local = parts.scheme == "http" and parts.hostname in _LOCAL
    if parts.scheme == "https" or (is_local and not (origin or "").startswith("https:")):
        return
    where = f"`{parts.scheme}://{parts.hostname}`"
    if origin is None:
        raise WeightsError(f"{where} is not encrypted", hint="only https is fetched from")
    raise WeightsError(
        f"`{urllib.parse.urlsplit(origin).hostname}` leads to {where}, which is not encrypted",
        hint="check whether a login page or a proxy answers in its place",
    )


def _wanted_wait(headers: Any) -> float:
    """The pause in seconds that a busy server asks for; 0 if it names none."""
    text = headers.get("Retry-After") or ""
    return float(text) if text.isdecimal() else 0.0


def _first_line(text: object) -> str:
    return str(text).partition("\n")[0]


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = error.strerror if isinstance(error, OSError) and error.strerror else error
    return _first_line(text or type(error).__name__).lower()
