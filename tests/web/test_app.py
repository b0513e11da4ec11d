import json
import os
import re

import pytest

pytest.importorskip("starlette", reason="the extra `web` is not installed")

from asking import HOST, PORT, ask, judge

from remover.errors import InputError
from remover.train import verdicts
from remover.train.verdicts import Verdict
from remover.web.app import ASSETS, LARGEST_BODY, TYPES, application

TOKEN = "a-token_of-the-test"
FIRST, SECOND, THIRD = (f"{number:08d}-0" for number in range(3))


@pytest.fixture
def app(samples):
    return application(samples, TOKEN)


def get(app, path, **headers):
    return ask(app, f"/{TOKEN}/{path}", headers=headers)


def test_the_page_and_what_it_needs_come_from_here_alone(app):
    page = get(app, "")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for name, kind in TYPES.items():
        answer = get(app, f"assets/{name}")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith(kind)
        assert answer.body == (ASSETS / name).read_bytes()
        outside = re.findall(rb"(?:https?:)?//[a-z][^\s\"')]*", answer.body)
        assert [url for url in outside if b"www.w3.org" not in url] == []


def test_the_page_has_nothing_inline():
    page = (ASSETS / "page.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)", page) == []
    assert "<style" not in page
    assert re.findall(r"\s(?:style|on\w+)=", page) == []


def test_every_key_of_the_help_is_one_that_the_page_knows():
    page = (ASSETS / "page.html").read_text()
    script = (ASSETS / "page.js").read_text()
    table = page[page.index("<table>") :]
    found = set(re.findall(r"<kbd>(\w)</kbd>", table)) - {"c"}
    known = re.search(r"const keys = \{(.*?)\};", script, re.DOTALL)[1]
    assert found == set(re.findall(r"\b(\w): \"", known)) - {"k"}


@pytest.mark.parametrize("path", ["", "items", "assets/page.js", f"videos/{FIRST}/result.mp4"])
def test_every_answer_keeps_others_out(app, path):
    found = get(app, path).headers
    assert found["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in found["content-security-policy"]
    assert "frame-ancestors 'none'" in found["content-security-policy"]
    assert found["x-frame-options"] == "DENY"
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "same-origin"
    assert found["cross-origin-resource-policy"] == "same-origin"
    assert found["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in found


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/items",
        "//items",
        f"/{TOKEN}",
        f"/{TOKEN[:-1]}/items",
        f"/{TOKEN}x/items",
        f"/{TOKEN.upper()}/items",
        f"//{TOKEN}/items",
        f"/x/{TOKEN}/items",
        f"/x/../{TOKEN}/items",
        "/%C3%A4/items",
        "/favicon.ico",
    ],
)
def test_without_the_token_there_is_nothing(app, path):
    answer = ask(app, path)
    assert answer.status == 404
    assert TOKEN.encode() not in answer.body
    assert FIRST.encode() not in answer.body
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "example.org",
        f"example.org:{PORT}",
        "127.0.0.1",
        f"127.0.0.1:{PORT + 1}",
        f"127.0.0.1:{PORT}.example.org",
        f"127.0.0.1.example.org:{PORT}",
        f"0.0.0.0:{PORT}",
    ],
)
def test_another_name_of_this_machine_is_not_served(app, host):
    """So that a site whose name is made to mean 127.0.0.1 learns nothing."""
    answer = get(app, "items", host=host)
    assert answer.status == 421
    assert FIRST.encode() not in answer.body
    said = {"id": FIRST, "verdict": "yes"}
    assert judge(app, TOKEN, said, host=host, origin=f"http://{host}").status == 421


def test_this_machine_by_name_is_served(app, samples):
    here = f"localhost:{PORT}"
    assert get(app, "items", host=here).status == 200
    said = {"id": FIRST, "verdict": "yes"}
    assert judge(app, TOKEN, said, host=here, origin=f"http://{here}").status == 204
    assert verdicts.accepted(samples) == {FIRST}


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "null",
        "http://example.org",
        f"http://example.org:{PORT}",
        f"https://{HOST}",
        "http://127.0.0.1",
        f"http://127.0.0.1:{PORT + 1}",
        f"http://localhost:{PORT}",
        f"http://{HOST}, http://example.org",
    ],
)
def test_a_verdict_from_another_origin_is_refused(app, samples, origin):
    assert judge(app, TOKEN, {"id": FIRST, "verdict": "yes"}, origin=origin).status == 403
    assert not (samples / "verdicts.jsonl").exists()


def test_a_verdict_needs_the_token(app, samples):
    assert judge(app, "another", {"id": FIRST, "verdict": "yes"}).status == 404
    assert not (samples / "verdicts.jsonl").exists()


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_form_of_another_site_is_no_verdict(app, samples, kind):
    said = {"id": FIRST, "verdict": "yes"}
    assert judge(app, TOKEN, said, content_type=kind).status == 415
    assert not (samples / "verdicts.jsonl").exists()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
@pytest.mark.parametrize("path", ["", "items", "verdicts", f"videos/{FIRST}/result.mp4"])
def test_other_methods_are_refused(app, path, method):
    if (path, method) == ("verdicts", "POST"):
        assert get(app, "verdicts").status == 405
        return
    headers = {"origin": f"http://{HOST}"}
    assert ask(app, f"/{TOKEN}/{path}", method=method, headers=headers).status == 405


def test_a_websocket_is_refused(app):
    sent = []

    async def send(message):
        sent.append(message)

    import asyncio

    scope = {"type": "websocket", "path": f"/{TOKEN}/items", "headers": [], "server": ("", PORT)}
    asyncio.run(app(scope, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_the_items_and_what_was_said_of_them(app, samples):
    verdicts.append(samples, Verdict(THIRD, "no"), Verdict(FIRST, "yes"))
    found = get(app, "items").json
    assert [item["id"] for item in found["items"]] == [FIRST, SECOND, THIRD]
    assert [item["verdict"] for item in found["items"]] == ["yes", None, "no"]
    assert found["history"] == [THIRD, FIRST]
    wanted = {"clip": "clip 1", "frames": 9, "height": 64, "width": 64, "fps": 8.0}
    assert wanted.items() <= found["items"][1].items()


def test_a_verdict_is_answered_when_it_is_on_the_disk(app, samples):
    for said in ("yes", "undo", "no"):
        assert judge(app, TOKEN, {"id": SECOND, "verdict": said}).status == 204
        last = json.loads((samples / "verdicts.jsonl").read_text().splitlines()[-1])
        assert (last["id"], last["verdict"], last["by"]) == (SECOND, said, "person")
    assert verdicts.read(samples)[SECOND].verdict == "no"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"", 400),
        (b"\xff", 400),
        (b"[" * 4000, 400),
        ([], 400),
        ({"id": FIRST}, 400),
        ({"id": FIRST, "verdict": "maybe"}, 400),
        ({"id": FIRST, "verdict": ["yes"]}, 400),
        ({"id": 7, "verdict": "yes"}, 400),
        ({"id": FIRST, "verdict": "yes", "by": "truth"}, 400),
        ({"id": "../a", "verdict": "yes"}, 404),
    ],
)
def test_what_is_no_verdict_is_refused(app, samples, said, status):
    assert judge(app, TOKEN, said).status == status
    assert not (samples / "verdicts.jsonl").exists()


def test_a_body_that_does_not_end_is_not_read_on(app, samples):
    chunks = tuple(b" " * 1024 for _ in range(LARGEST_BODY // 1024 + 1))
    headers = {"content-type": "application/json", "origin": f"http://{HOST}"}
    answer = ask(app, f"/{TOKEN}/verdicts", method="POST", headers=headers, chunks=chunks)
    assert answer.status == 413
    assert not (samples / "verdicts.jsonl").exists()


def test_a_verdict_that_cannot_be_saved_is_an_error_in_words(app, samples, monkeypatch):
    monkeypatch.setattr(os, "write", lambda _descriptor, _content: 0)
    answer = judge(app, TOKEN, {"id": FIRST, "verdict": "yes"})
    assert answer.status == 500
    assert "the disk is full" in answer.json["message"]
    assert verdicts.read(samples) == {}


def test_a_video_is_served_whole_and_in_parts(app, made_videos):
    content = made_videos["result"]
    whole = get(app, f"videos/{FIRST}/result.mp4")
    assert (whole.status, whole.headers["content-type"], whole.body) == (200, "video/mp4", content)
    assert whole.headers["accept-ranges"] == "bytes"
    for asked, part in (
        ("bytes=0-99", content[:100]),
        ("bytes=100-", content[100:]),
        ("bytes=-7", content[-7:]),
        (f"bytes=5-{len(content) + 99}", content[5:]),
    ):
        answer = get(app, f"videos/{FIRST}/result.mp4", range=asked)
        assert (answer.status, answer.body) == (206, part)
        start = len(content) - 7 if asked == "bytes=-7" else int(asked[6:].split("-")[0])
        end = start + len(part) - 1
        assert answer.headers["content-range"] == f"bytes {start}-{end}/{len(content)}"
    past = get(app, f"videos/{FIRST}/result.mp4", range=f"bytes={len(content)}-")
    assert past.status == 416
    assert get(app, f"videos/{FIRST}/result.mp4", range="bytes=x-y").status == 400


def test_a_head_has_no_body(app, made_videos):
    answer = ask(app, f"/{TOKEN}/videos/{FIRST}/result.mp4", method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-length"] == str(len(made_videos["result"]))


@pytest.mark.parametrize(
    "path",
    [
        "samples.json",
        "verdicts.jsonl",
        "videos",
        "videos/",
        f"videos/{FIRST}.result.mp4",
        f"videos/{FIRST}/samples.mp4",
        f"videos/{FIRST}/id.mp4",
        f"videos/{FIRST}/result.mp4/",
        f"videos/{FIRST}/result",
        "videos/unknown/result.mp4",
        f"videos/../videos/{FIRST}/result.mp4",
        f"videos/%2e%2e/{FIRST}/result.mp4",
        f"videos/{FIRST}/..%2fresult.mp4",
        f"videos/{FIRST}/..%5cresult.mp4",
        f"videos/{FIRST}/result.mp4%00.mp4",
        "assets/../page.html",
        "assets/%2e%2e%2fapp.py",
        "assets/..%2f..%2fweights.lock",
        "assets//etc/passwd",
        "assets/%2fetc%2fpasswd",
        "assets/",
        "../items",
        "/items",
        "%2e%2e/items",
    ],
)
def test_a_path_reaches_nothing_but_what_is_listed(app, path):
    assert get(app, path).status == 404


def test_a_link_out_of_the_folder_is_not_followed(samples, tmp_path):
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(b"secret")
    video = samples / "videos" / f"{FIRST}.result.mp4"
    video.unlink()
    video.symlink_to(secret)
    other = samples / "videos" / f"{SECOND}.result.mp4"
    content = other.read_bytes()
    other.rename(samples / "kept")
    other.symlink_to(samples / "kept")
    app = application(samples, TOKEN)
    answer = get(app, f"videos/{FIRST}/result.mp4")
    assert answer.status == 404
    assert b"secret" not in answer.body
    assert get(app, f"videos/{SECOND}/result.mp4").body == content


def test_a_folder_of_videos_that_is_a_link_out_is_not_followed(samples, tmp_path):
    (samples / "videos").rename(tmp_path / "elsewhere")
    (samples / "videos").symlink_to(tmp_path / "elsewhere")
    assert get(application(samples, TOKEN), f"videos/{FIRST}/result.mp4").status == 404


def test_a_samples_folder_that_is_a_link_itself_is_served(samples, tmp_path, made_videos):
    (tmp_path / "link").symlink_to(samples)
    answer = get(application(tmp_path / "link", TOKEN), f"videos/{FIRST}/result.mp4")
    assert answer.body == made_videos["result"]


def test_a_video_that_is_missing_or_no_file(app, samples):
    for number, kind in enumerate(("original", "overlay", "result")):
        path = samples / "videos" / f"{FIRST}.{kind}.mp4"
        path.unlink()
        if number == 1:
            path.mkdir()
        if number == 2:
            path.symlink_to(path)
        assert get(app, f"videos/{FIRST}/{kind}.mp4").status == 404


def test_what_is_damaged_is_said_before_anybody_judges(samples):
    (samples / "verdicts.jsonl").write_text("x\n")
    with pytest.raises(InputError, match=r"line 1 of .* is damaged"):
        application(samples, TOKEN)
    (samples / "samples.json").unlink()
    with pytest.raises(InputError, match="is no samples folder"):
        application(samples, TOKEN)
