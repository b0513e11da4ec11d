"""Every nasty file of the development material, cleaned from file to file."""

import tomllib

import pytest

import remover
from remover.pixels import picture
from remover.video import Reader, probe

pytestmark = pytest.mark.shared

NAMES = [
    "vfr.mp4",
    "ntsc-audio-late.mp4",
    "multi.mkv",
    "rotate90.mov",
    "hdr10.mp4",
    "vp9-opus.webm",
    "odd-size.mkv",
    "odd-size-420.webm",
    "interlaced.mp4",
    "single-frame.mp4",
    "no-audio.mp4",
    "sar-4-3.mp4",
    "yuv444.mp4",
    "prores-pcm.mov",
    "anim.gif",
    "alpha.webm",
    "edit-list.mp4",
    "name with spaces – ünïcode 日本 (1).mp4",
    "full-range.mp4",
    "bt601.mp4",
    "start-late.ts",
    "surround.mkv",
    "cover-art.mp4",
    "mov-text.mp4",
    "truncated.mkv",
    "corrupt.mp4",
]
REFUSED = ["zero-length.mp4", "truncated.mp4", "not-a-video.mp4", "audio-only.m4a"]
DEFAULT_BOX = (90, 130, 61, 61)
FRAMES_IN_TURN = 6


@pytest.fixture(scope="module")
def entries(shared):
    index = tomllib.loads((shared / "media" / "media.toml").read_text())["media"]
    assert {e["file"] for e in index} == {*NAMES, *REFUSED}
    return {e["file"]: e for e in index}


@pytest.mark.parametrize("name", NAMES)
def test_a_readable_file_is_cleaned_and_keeps_everything(name, entries, shared, tmp_path):
    entry = entries[name]
    out = tmp_path / name
    report = remover.clean(
        shared / "media" / name,
        out,
        box=[entry.get("box", DEFAULT_BOX)],
        tracker="none",
        end=f"{min(FRAMES_IN_TURN, entry['frames'] or FRAMES_IN_TURN)}f",
    )
    assert report.plan.num_frames == (entry["frames"] or report.plan.num_frames)
    assert report.promises.samples_changed_outside == 0
    assert report.promises.frames_equal
    assert report.promises.times_equal
    assert report.promises.streams_equal
    assert bool(report.warnings) == (entry["frames"] == 0)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", REFUSED)
def test_an_unreadable_file_gives_one_sentence_and_no_output(name, entries, shared, tmp_path):
    assert not entries[name]["readable"]
    with pytest.raises(remover.InputError, match=name) as caught:
        remover.clean(shared / "media" / name, tmp_path / name, box=[DEFAULT_BOX])
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["no-audio.mp4", "sar-4-3.mp4", "hdr10.mp4", "odd-size.mkv"])
def test_a_shown_box_lies_where_the_ball_is(name, entries, shared, tmp_path):
    out = tmp_path / name
    source = shared / "media" / name
    x, y, w, h = entries[name]["box"]
    remover.clean(source, out, box=[(x, y, w, h)], tracker="none", dilate=0, feather=0)
    info = probe(source)
    pairs = zip(Reader(info).scan(), Reader(probe(out)).scan(), strict=True)
    before, after = next(pairs)
    old = picture(before.planes, info.layout, info.colour)
    new = picture(after.planes, info.layout, info.colour)
    middle = y + h // 2, round((x + w / 2) / info.sample_aspect)
    distance = abs(old[middle].astype(float) - new[middle]).max() / 255 ** (old.itemsize - 1)
    assert distance > 20
