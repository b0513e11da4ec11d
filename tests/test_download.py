import hashlib
import socket
import ssl
import urllib.error
import urllib.request

import pytest

from remover import download
from remover.download import Remote, fetch
from remover.errors import WeightsError

CONTENT = bytes(range(256)) * 4096
NOW = (0.0, 0.0, 0.0)


def remote(url, content=CONTENT, **changed):
    facts = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} | changed
    return Remote("sam2.1/tiny", url, **facts)


@pytest.fixture
def part(tmp_path):
    return tmp_path / "part"


def ranges(web):
    return [headers.get("Range") for _, headers in web.asked]


def test_a_file_comes_whole(web, part, told):
    fetch(remote(web.put("a", CONTENT)), part, told)
    assert part.read_bytes() == CONTENT
    assert told.stages == [("pull sam2.1/tiny", len(CONTENT), "bytes")]
    assert (told.done, told.skipped) == (len(CONTENT), 0)
    assert ranges(web) == [None]
    assert web.asked[0][1]["User-Agent"].startswith("remover/")
    assert told.said == []


def test_it_goes_on_with_what_is_there(web, part, told):
    part.write_bytes(CONTENT[:1000])
    fetch(remote(web.put("a", CONTENT)), part, told)
    assert part.read_bytes() == CONTENT
    assert ranges(web) == ["bytes=1000-"]
    assert (told.done, told.skipped) == (len(CONTENT) - 1000, 1000)


def test_all_that_is_there_needs_no_network(part, told):
    part.write_bytes(CONTENT)
    fetch(remote("http://localhost:1/a"), part, told)
    assert part.read_bytes() == CONTENT


def test_a_transfer_that_breaks_off_goes_on_with_the_same_version(web, part, told):
    url = web.put("a", CONTENT)
    web.faults = [web.cut(5000), web.cut(700)]
    fetch(remote(url), part, told, NOW)
    assert part.read_bytes() == CONTENT
    assert ranges(web) == [None, "bytes=5000-", "bytes=5700-"]
    assert len({headers["If-Range"] for _, headers in web.asked[1:]}) == 1
    assert "broke off after 5,000 of 1,048,576 bytes; trying again in 0 s" in told.said[0]
    assert told.done == len(CONTENT)


def test_a_weak_mark_of_a_version_is_not_relied_upon(web, part, told):
    def weak(handler, content):
        handler.send_response(200)
        handler.send_header("ETag", 'W/"1"')
        handler.end_headers()
        handler.wfile.write(content[:1000])
        return True

    web.faults = [weak]
    fetch(remote(web.put("a", CONTENT)), part, told, NOW)
    assert part.read_bytes() == CONTENT
    assert ranges(web) == [None, "bytes=1000-"]
    assert "If-Range" not in web.asked[1][1]


def test_every_try_that_brings_bytes_counts_anew(web, part, told):
    url = web.put("a", CONTENT)
    web.faults = [web.cut(1000)] * 9
    fetch(remote(url), part, told, NOW[:1])
    assert part.read_bytes() == CONTENT


def test_another_version_begins_anew(web, part, told):
    url = web.put("a", CONTENT)

    def change(handler, _):
        web.put("a", CONTENT)
        return web.cut(2000)(handler, b"x" * len(CONTENT))

    web.faults = [change]
    fetch(remote(url), part, told, NOW)
    assert part.read_bytes() == CONTENT
    assert any("it begins anew" in line for line in told.said)


def test_a_server_that_ignores_ranges_begins_anew(web, part, told):
    url = web.put("a", CONTENT)
    part.write_bytes(CONTENT[:1000])
    web.faults = [web.whole]
    fetch(remote(url), part, told)
    assert part.read_bytes() == CONTENT
    assert told.said == ["the server sends all of `sam2.1/tiny`: it begins anew"]
    assert (told.done, told.skipped) == (len(CONTENT), 0)


@pytest.mark.parametrize("status", [416, 206])
def test_a_server_without_the_rest_begins_anew(web, part, told, status):
    url = web.put("a", CONTENT)
    part.write_bytes(CONTENT[:1000])
    web.faults = [web.answer(status, Content_Range="bytes 7-9/10")]
    fetch(remote(url), part, told, NOW)
    assert part.read_bytes() == CONTENT
    assert ranges(web) == ["bytes=1000-", None]


def test_a_damaged_beginning_is_fetched_anew(web, part, told):
    part.write_bytes(b"x" * 1000)
    fetch(remote(web.put("a", CONTENT)), part, told)
    assert part.read_bytes() == CONTENT
    assert told.said == ["what was kept of `sam2.1/tiny` is damaged: it is fetched anew"]


def test_a_beginning_that_is_too_long_is_fetched_anew(web, part, told):
    part.write_bytes(CONTENT + b"x")
    fetch(remote(web.put("a", CONTENT)), part, told)
    assert part.read_bytes() == CONTENT


def test_a_wrong_hash_names_both(web, part, told):
    other = CONTENT[::-1]
    wanted = remote(web.put("a", other), CONTENT)
    with pytest.raises(WeightsError, match=r"`sam2.1/tiny` is not the file") as caught:
        fetch(wanted, part, told)
    assert wanted.sha256 in caught.value.message
    assert hashlib.sha256(other).hexdigest() in caught.value.message
    assert not part.exists()


def test_a_wrong_length_is_refused_before_it_comes(web, part, told):
    part.write_bytes(CONTENT[:1000])
    web.faults = [web.answer(200, b"log in", Content_Length="6")]
    with pytest.raises(WeightsError, match="it has 6 bytes, not 1,048,576 bytes"):
        fetch(remote(web.put("a", CONTENT)), part, told)
    assert part.read_bytes() == CONTENT[:1000]


def test_a_wrong_length_that_nobody_told_is_refused(web, part, told):
    web.faults = [web.answer(200, CONTENT + b"x")]
    with pytest.raises(WeightsError, match="it has more, not"):
        fetch(remote(web.put("a", CONTENT)), part, told)
    assert part.read_bytes() == b""


def test_a_server_that_breaks_off_every_time_is_given_up(web, part, told):
    url = web.put("a", CONTENT)
    web.faults = [web.cut(1000), *[web.cut(0)] * 3]
    with pytest.raises(WeightsError, match=r"broke off after 1,000 of 1,048,576") as caught:
        fetch(remote(url), part, told, NOW)
    assert "what came is kept" in caught.value.hint
    assert part.read_bytes() == CONTENT[:1000]
    assert len(web.asked) == 4


def test_redirects_are_followed_with_the_range(web, part, told):
    web.put("b", CONTENT)
    part.write_bytes(CONTENT[:1000])
    web.faults = [
        web.answer(302, Location="/middle"),
        web.answer(307, Location=web.url("b").replace("127.0.0.1", "localhost")),
    ]
    fetch(remote(web.url("a")), part, told)
    assert part.read_bytes() == CONTENT
    assert [path for path, _ in web.asked] == ["/a", "/middle", "/b"]
    assert ranges(web) == ["bytes=1000-"] * 3


def test_redirects_that_never_end_are_refused(web, part, told):
    web.faults = [web.answer(302, Location="/a")] * 20
    with pytest.raises(WeightsError, match="answers `302"):
        fetch(remote(web.url("a")), part, told)


@pytest.mark.parametrize("place", ["http://example.org/a", "ftp://example.org/a", "file:///a"])
def test_only_what_is_encrypted_is_followed(web, part, told, place):
    web.faults = [web.answer(302, Location=place)]
    with pytest.raises(WeightsError, match=r"not encrypted|302"):
        fetch(remote(web.url("a")), part, told)


@pytest.mark.parametrize("url", ["http://example.org/a", "ftp://localhost/a", "file:///etc/passwd"])
def test_only_what_is_encrypted_is_asked(part, told, url):
    with pytest.raises(WeightsError, match="is not encrypted"):
        fetch(remote(url), part, told)


def test_an_encrypted_place_never_leads_to_another(monkeypatch, part, told):
    def open_it(self, request, **_):
        handler = next(h for h in self.handlers if isinstance(h, download._Redirects))
        handler.redirect_request(request, None, 302, "Found", {}, "http://localhost:1/a")

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", open_it)
    with pytest.raises(WeightsError, match=r"`example.org` leads to `http://localhost`"):
        fetch(remote("https://example.org/a"), part, told)


@pytest.mark.parametrize(("status", "said"), [(404, "404 Not Found"), (403, "403 Forbidden")])
def test_a_refusal_is_final(web, part, told, status, said):
    web.faults = [web.answer(status)]
    with pytest.raises(WeightsError, match=f"answers `{said}`"):
        fetch(remote(web.url("a")), part, told, NOW)
    assert len(web.asked) == 1


def test_an_answer_without_the_file_is_refused(web, part, told):
    web.faults = [web.answer(204)]
    with pytest.raises(WeightsError, match="answers `204 No Content`, not with"):
        fetch(remote(web.url("a")), part, told, NOW)


def test_a_busy_server_is_asked_again_when_it_says(web, part, told, monkeypatch):
    slept = []
    monkeypatch.setattr(download.time, "sleep", slept.append)
    url = web.put("a", CONTENT)
    web.faults = [web.answer(503, Retry_After="7"), web.answer(429), web.answer(502)]
    web.faults[2] = web.answer(502, Retry_After="99999")
    fetch(remote(url), part, told, (1.0, 2.0, 4.0))
    assert slept == [7.0, 2.0, download.LONGEST_WAIT_S]
    assert part.read_bytes() == CONTENT


def test_a_server_that_is_not_there_is_given_up(part, told):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/a"
        with pytest.raises(WeightsError, match=r"`127.0.0.1` cannot be reached: ") as caught:
            fetch(remote(url), part, told, NOW)
    assert len(told.said) == len(NOW)
    assert "remover weights add" in caught.value.hint


def test_a_server_that_says_nothing_is_given_up(web, part, told, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT_S", 0.1)
    url = web.put("a", CONTENT)
    web.faults = [web.halt(1000), web.halt(0)]
    with pytest.raises(WeightsError, match="broke off after 1,000"):
        fetch(remote(url), part, told, NOW[:1])


def test_a_host_that_cannot_prove_who_it_is_is_refused(part, told, monkeypatch):
    def open_it(*_, **__):
        error = ssl.SSLCertVerificationError()
        error.verify_message = "self-signed certificate"
        raise urllib.error.URLError(error)

    monkeypatch.setattr(urllib.request.OpenerDirector, "open", open_it)
    with pytest.raises(WeightsError, match="cannot prove who it is: self-signed certificate"):
        fetch(remote("https://example.org/a"), part, told, NOW)


def test_a_proxy_of_the_environment_is_used(web, part, told, monkeypatch):
    monkeypatch.setenv("http_proxy", web.url(""))
    web.files["http://localhost:1/a"] = CONTENT
    fetch(remote("http://localhost:1/a"), part, told, ())
    assert part.read_bytes() == CONTENT
    assert web.asked[0][0] == "http://localhost:1/a"
