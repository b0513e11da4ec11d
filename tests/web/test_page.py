"""The page in a browser: keys are pressed, and the screen and the disk are looked at."""

import json
import shutil

import pytest

pytest.importorskip("starlette", reason="the extra `web` is not installed")
pytest.importorskip("uvicorn", reason="the extra `web` is not installed")
chromium = pytest.importorskip("chromium", reason="Chromium is driven through POSIX pipes")

from folders import COLOURS, FRAMES, start, write_samples

from remover.train import verdicts
from remover.train.verdicts import Verdict

pytestmark = pytest.mark.skipif(chromium.find() is None, reason="Chromium is not installed")

FIRST, SECOND, THIRD = (f"{number:08d}-0" for number in range(3))
READY = "document.readyState === 'complete' && document.querySelector('#yes')?.disabled === false"
VIDEOS = "[...document.querySelectorAll('.deck:not([hidden]) video')]"
SHOWN = f"""({VIDEOS}).map((video) => {{
  const canvas = new OffscreenCanvas(64, 64);
  const context = canvas.getContext('2d');
  context.drawImage(video, 0, 0, 64, 64);
  const at = (x, y) => [...context.getImageData(x, y, 1, 1).data].slice(0, 3);
  let bar = 0;
  while (bar < 64 && Math.min(...at(bar, 56)) > 230) bar += 1;
  return {{ colour: at(32, 16), frame: Math.round(bar / 7) }};
}})"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium.Chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def site(tmp_path_factory, made_videos):
    """A samples folder that is served, and the page's address."""
    folder = write_samples(tmp_path_factory.mktemp("site"), made_videos)
    process, url = start(folder)
    yield folder, url
    process.kill()
    process.communicate()


@pytest.fixture
def samples(site, made_videos):
    """The folder, as it was before anybody judged."""
    return write_samples(site[0], made_videos)


@pytest.fixture
def opened(browser, site, samples):
    """A function that opens the page."""
    assert not (samples / "verdicts.jsonl").exists()

    def open_page():
        browser.errors.clear()
        browser.asked.clear()
        browser.open(site[1])
        return browser

    yield open_page
    assert [one for one in browser.asked if not one.startswith(site[1])] == []
    browser.open("about:blank")
    browser.wait("location.href === 'about:blank'")


@pytest.fixture
def page(opened):
    """The page of three samples, the first of them on the screen."""
    browser = opened()
    browser.wait(READY)
    return browser


def text(page, selector: str) -> str:
    return page.evaluate(f"document.querySelector({selector!r}).textContent")


def is_count(page, wanted: str) -> bool:
    page.wait("document.querySelector('#count').textContent", lambda found: found == wanted)
    return True


def said(samples) -> list[tuple[str, str]]:
    lines = (samples / "verdicts.jsonl").read_text().splitlines()
    return [(entry["id"], entry["verdict"]) for entry in map(json.loads, lines)]


def frames(page) -> list[int]:
    return [one["frame"] for one in page.evaluate(SHOWN)]


def test_yes_no_and_back_are_saved_and_a_reload_goes_on(page, samples):
    assert text(page, "#count") == "0 of 3, 0 yes, 0 no"
    assert text(page, "#name") == "clip 0"
    page.press("y")
    assert is_count(page, "1 of 3, 1 yes, 0 no")
    assert said(samples) == [(FIRST, "yes")]
    page.wait(READY)
    page.press("n")
    assert is_count(page, "2 of 3, 1 yes, 1 no")
    page.wait(READY)
    assert text(page, "#name") == "clip 2"
    page.press("b")
    assert is_count(page, "1 of 3, 1 yes, 0 no")
    assert text(page, "#name") == "clip 1"
    assert said(samples) == [(FIRST, "yes"), (SECOND, "no"), (SECOND, "undo")]

    page.evaluate("window.isOld = true")
    page.call("Page.reload")
    page.wait(f"!window.isOld && {READY}")
    assert is_count(page, "1 of 3, 1 yes, 0 no")
    assert text(page, "#name") == "clip 1"
    page.wait(READY)
    page.press("u")
    assert is_count(page, "0 of 3, 0 yes, 0 no")
    assert text(page, "#name") == "clip 0"
    page.press("b")  # there is nothing more
    page.wait(READY)
    page.press("s")
    assert is_count(page, "1 of 3, 0 yes, 0 no, 1 skipped")
    assert verdicts.accepted(samples) == set()
    assert list(verdicts.read(samples)) == [FIRST]
    assert page.errors == []


def test_three_videos_play_in_step_and_over_again(page):
    shown = page.evaluate(SHOWN)
    for one, colour in zip(shown, COLOURS.values(), strict=True):
        assert max(abs(a - b) for a, b in zip(one["colour"], colour, strict=True)) <= 12, shown
    times = page.evaluate(
        f"""(async () => {{
          const found = [];
          while (found.filter((at, n) => n > 0 && at[2] < found[n - 1][2]).length < 2) {{
            await new Promise((done) => setTimeout(done, 15));
            found.push(({VIDEOS}).map((video) => video.currentTime));
          }}
          return found;
        }})()"""
    )
    apart = sorted(max(at) - min(at) for at in times)
    assert apart[len(apart) // 2] < 1 / 8 / 2
    assert max(at[2] for at in times) > 7 / 8
    assert page.evaluate(f"getComputedStyle({VIDEOS}[0]).imageRendering") == "pixelated"


def test_frames_are_stepped_through_on_all_three(page):
    page.press(" ")
    page.wait("document.querySelector('#pause').textContent === 'Play'")
    page.evaluate("document.querySelector('#seek').value = 0")
    page.evaluate("document.querySelector('#seek').dispatchEvent(new Event('input'))")
    for key, number in [*((".", n) for n in range(2, FRAMES + 1)), (".", 1), (",", 9), (",", 8)]:
        page.press(key)
        assert text(page, "#frame").startswith("frame ")
        page.wait("document.querySelector('#frame').textContent", f"frame {number} of 9".__eq__)
        page.wait(SHOWN, lambda found, n=number: [one["frame"] for one in found] == [n] * 3)
    for _ in range(3):
        page.press("-")
    page.wait("document.querySelector('#speed').textContent === '0.125×'")
    page.press("r")
    page.wait("document.querySelector('#pause').textContent === 'Pause'")
    page.wait(f"{VIDEOS}.every((video) => !video.paused && video.currentTime < 0.9)")
    assert set(frames(page)) == {1}
    page.press("0")
    page.press("+")
    page.wait("document.querySelector('#speed').textContent === '2×'")
    page.press(" ")
    page.wait("document.querySelector('#pause').textContent === 'Play'")
    page.wait(f"{VIDEOS}.every((video) => video.paused && !video.seeking)")
    assert len(set(frames(page))) == 1


def test_a_key_that_is_held_judges_once(page, samples):
    page.press("y", is_repeat=True)
    page.press("y")
    assert is_count(page, "1 of 3, 1 yes, 0 no")
    page.wait(READY)
    page.press("y", is_repeat=True)
    page.press("n", is_repeat=True)
    page.wait(READY)
    assert said(samples) == [(FIRST, "yes")]


def test_a_clip_that_is_not_on_the_screen_yet_is_not_judged(page, samples):
    page.evaluate(
        "Object.defineProperty(HTMLMediaElement.prototype, 'loaded',"
        " Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, 'readyState'));"
        "Object.defineProperty(HTMLMediaElement.prototype, 'readyState',"
        " { get() { return window.isSlow ? 1 : this.loaded; } });"
        "window.isSlow = true"
    )
    page.press("y")  # of the one that was seen
    assert is_count(page, "1 of 3, 1 yes, 0 no")
    for key in "yns":
        page.press(key)
    page.evaluate("new Promise((done) => setTimeout(done, 50))")
    assert said(samples) == [(FIRST, "yes")]
    page.evaluate("window.isSlow = false")
    page.wait(READY)
    page.press("n")
    assert is_count(page, "2 of 3, 1 yes, 1 no")
    assert said(samples) == [(FIRST, "yes"), (SECOND, "no")]


def test_buttons_do_what_the_keys_do(page, samples):
    page.click("#no")
    assert is_count(page, "1 of 3, 0 yes, 1 no")
    page.wait(READY)
    page.press(" ")  # pauses, and does not press the button again
    page.wait("document.querySelector('#pause').textContent === 'Play'")
    page.click("#yes")
    assert is_count(page, "2 of 3, 1 yes, 1 no")
    page.wait(READY)
    page.click("#back")
    assert is_count(page, "1 of 3, 0 yes, 1 no")
    page.wait(READY)
    page.evaluate("document.querySelector('#skip').focus()")
    page.press(" ")
    assert is_count(page, "2 of 3, 0 yes, 1 no, 1 skipped")
    assert said(samples) == [(FIRST, "no"), (SECOND, "yes"), (SECOND, "undo"), (SECOND, "skip")]


def test_help_takes_the_keys_while_it_is_open(page, samples):
    page.press("?")
    assert page.evaluate("document.querySelector('#guide').open")
    page.press("y")
    page.press("Escape")
    page.wait("!document.querySelector('#guide').open")
    page.wait(READY)
    assert not (samples / "verdicts.jsonl").exists()


def test_a_verdict_that_is_not_saved_is_said_and_nothing_goes_on(page, samples):
    (samples / "verdicts.jsonl").mkdir()
    page.press("y")
    page.wait("!document.querySelector('#alert').hidden")
    assert text(page, "#alert").startswith("Not saved. ")
    assert "verdicts.jsonl cannot be written" in text(page, "#alert")
    assert (text(page, "#name"), text(page, "#count")) == ("clip 0", "0 of 3, 0 yes, 0 no")
    (samples / "verdicts.jsonl").rmdir()
    page.wait(READY)
    page.press("y")
    assert is_count(page, "1 of 3, 1 yes, 0 no")
    assert page.evaluate("document.querySelector('#alert').hidden")


def test_a_server_that_is_gone_is_said(browser, served, samples):
    process, url = served(samples)
    browser.open(url)
    browser.wait(READY)
    process.kill()
    process.wait()
    browser.press("y")
    browser.wait("!document.querySelector('#alert').hidden")
    assert text(browser, "#alert").startswith("Not saved. Nobody answers")
    assert text(browser, "#name") == "clip 0"


def test_when_all_are_judged_the_skipped_can_be_judged_again(opened, samples):
    verdicts.append(samples, Verdict(FIRST, "skip"), Verdict(THIRD, "yes", "truth"))
    browser = opened()
    browser.wait(READY)
    assert text(browser, "#name") == "clip 1"
    browser.press("n")
    browser.wait("!document.querySelector('#done').hidden")
    assert text(browser, "#done-text") == "3 of 3, 1 yes, 1 no, 1 skipped."
    browser.press("y")  # of nothing
    browser.press("k")
    browser.wait(READY)
    assert text(browser, "#name") == "clip 0"
    browser.press("y")
    browser.wait("!document.querySelector('#done').hidden")
    assert text(browser, "#done-text") == "3 of 3, 2 yes, 1 no."
    browser.press("b")
    browser.wait(READY)
    assert text(browser, "#name") == "clip 0"
    assert verdicts.accepted(samples) == {THIRD}


def test_a_sample_that_cannot_be_played_can_be_skipped(opened, samples):
    shutil.copy(samples / "samples.json", samples / "videos" / f"{FIRST}.overlay.mp4")
    browser = opened()
    browser.wait("document.querySelector('#skip')?.disabled === false")
    assert "cannot be played" in text(browser, "#alert")
    assert browser.evaluate("document.querySelector('#yes').disabled")
    browser.press("y")
    browser.press("s")
    browser.wait(READY)
    assert said(samples) == [(FIRST, "skip")]
    assert browser.evaluate("document.querySelector('#alert').hidden")
