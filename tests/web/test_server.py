import http.client
import os
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

pytest.importorskip("starlette", reason="the extra `web` is not installed")
pytest.importorskip("uvicorn", reason="the extra `web` is not installed")

from remover.errors import InputError, UsageError
from remover.web import serve


def ask(url: str, path: str = "", **headers: str) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
    connection.request("GET", f"{parts.path}{path}", headers=headers)
    answer = connection.getresponse()
    answer.content = answer.read()
    connection.close()
    return answer


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent to a process")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_it_answers_and_ends_by_a_signal(served, samples, number, code):
    process, url = served(samples)
    assert urlsplit(url).hostname == "127.0.0.1"
    assert len(urlsplit(url).path.strip("/")) >= 32
    answer = ask(url, "items")
    assert (answer.status, answer.getheader("server")) == (200, None)
    assert ask(url, "videos/00000000-0/result.mp4", Range="bytes=0-3").content == b"\0\0\0 "
    assert ask(url, "items", Host="example.org").status == 421
    assert ask(url, "items", **{"X-Forwarded-Host": "example.org"}).status == 200
    assert ask(url[:-2] + "/").status == 404
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (code, "", "")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent to a process")
def test_it_ends_though_a_page_is_open(served, samples):
    process, url = served(samples)
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=120)
    connection.request("GET", f"{parts.path}items")
    connection.getresponse().read()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 0
    connection.close()


def test_every_address_is_new(served, samples):
    urls = {served(samples)[1].rsplit("/", 2)[1] for _ in range(2)}
    assert len(urls) == 2


def test_a_port_that_is_taken(served, samples):
    _, url = served(samples)
    port = urlsplit(url).port
    with pytest.raises(UsageError, match=f"the port `{port}` is taken by another program"):
        serve(samples, port=port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_is_none(samples, port):
    with pytest.raises(UsageError, match=f"the port `{port}` cannot be used"):
        serve(samples, port=port)


def test_a_folder_without_samples(tmp_path):
    with pytest.raises(InputError, match="is no samples folder"):
        serve(tmp_path)


@pytest.mark.parametrize("name", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_how_to_get_it(samples, name):
    code = (
        "import sys\nfrom pathlib import Path\n"
        f"sys.modules[{name!r}] = None\n"  # any import of it fails now
        "from remover.errors import UsageError\nfrom remover.web import serve\n"
        "try:\n    serve(Path(sys.argv[1]))\n"
        "except UsageError as error:\n    print(error.message, '|', error.hint)\n"
    )
    command = [sys.executable, "-c", code, str(samples)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    wanted = f'the page needs `{name}`, which is not installed | pip install "remover[web]"\n'
    assert done.stdout == wanted


def test_a_browser_with_windows_is_sent_to_the_page(monkeypatch):
    import webbrowser

    from remover.web import server

    opened = []

    class Browser(webbrowser.BackgroundBrowser):
        def open(self, url, *_):
            opened.append(url)
            return True

    for browser in (Browser("x"), webbrowser.GenericBrowser("no-such-program-here")):
        monkeypatch.setattr(webbrowser, "get", lambda found=browser: found)
        server.open_page("http://127.0.0.1:1/x/")
    assert opened == ["http://127.0.0.1:1/x/"]

    def none():
        raise webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(webbrowser, "get", none)
    server.open_page("http://127.0.0.1:1/x/")
