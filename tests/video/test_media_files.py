"""Every file of the development material: kept in full, or refused in words."""

import tomllib

import av
import numpy as np
import pytest

from remover.errors import InputError
from remover.video import Reader, Writer, plan_output, probe, verify

pytestmark = pytest.mark.shared

FILES = {
    "vfr.mp4": 24,
    "ntsc-audio-late.mp4": 24,
    "multi.mkv": 24,
    "rotate90.mov": 24,
    "hdr10.mp4": 24,
    "vp9-opus.webm": 24,
    "odd-size.mkv": 24,
    "odd-size-420.webm": 24,
    "interlaced.mp4": 24,
    "single-frame.mp4": 1,
    "no-audio.mp4": 24,
    "sar-4-3.mp4": 24,
    "yuv444.mp4": 24,
    "prores-pcm.mov": 24,
    "anim.gif": 24,
    "alpha.webm": 24,
    "edit-list.mp4": 26,
    "name with spaces – ünïcode 日本 (1).mp4": 24,
    "full-range.mp4": 24,
    "bt601.mp4": 24,
    "start-late.ts": 24,
    "surround.mkv": 24,
    "cover-art.mp4": 24,
    "mov-text.mp4": 24,
    "truncated.mkv": None,
    "corrupt.mp4": None,
}
"""Frames that a player shows; None where the file is damaged."""

REFUSED = {
    "zero-length.mp4": "empty",
    "truncated.mp4": "index is missing",
    "not-a-video.mp4": "not a video",
    "audio-only.m4a": "no video stream",
}

KEPT = (
    "container",
    "codec",
    "profile",
    "layout",
    "size",
    "sample_aspect",
    "orientation",
    "colour",
    "time_base",
    "interlaced",
    "top_field_first",
    "alpha_in_side_stream",
    "hdr",
    "timecode",
    "others",
    "num_chapters",
)


@pytest.fixture
def media(shared):
    return shared / "media"


def test_the_list_is_complete(media):
    entries = tomllib.loads((media / "media.toml").read_text())["media"]
    assert {e["file"] for e in entries} == {*FILES, *REFUSED}
    for entry in entries:
        assert entry["readable"] == (entry["file"] in FILES)
        if entry["frames"]:
            assert FILES[entry["file"]] == entry["frames"]


@pytest.mark.parametrize("name", FILES)
def test_everything_survives_a_pass_through(media, tmp_path, name):
    info = probe(media / name)
    reader = Reader(info)
    planes = [frame.planes for frame in reader.scan()]
    index = reader.index
    if FILES[name] is None:
        assert index.damage.messages()
    else:
        assert index.num_frames == FILES[name]
        assert index.damage.is_clean
    target = tmp_path / name
    plan = plan_output(info, target, codec=None, crf=None, lossless=False)
    assert plan.warnings == ()
    with Writer(info, index, plan, target) as writer:
        for frame in reader.frames():
            for old, new in zip(planes[frame.index], frame.planes, strict=True):
                assert index.damage.corrupt_frames or np.array_equal(old, new)
            writer.write(frame, frame.planes)
    verified = verify(target, info, index, plan)
    assert verified.num_frames == index.num_frames
    assert verified.max_time_error_s == 0
    assert verified.start_shift_s == 0
    copied = [s for s in info.others if s.kind != "data"]
    assert len(verified.stream_hashes) == len(copied)
    written = probe(target)
    for fact in KEPT:
        assert getattr(written, fact) == getattr(info, fact), fact
    again = Reader(written)
    assert sum(1 for _ in again.scan()) == index.num_frames
    np.testing.assert_array_equal(again.index.pts, index.pts)
    np.testing.assert_array_equal(again.index.durations, index.durations)
    check_sound_and_tags(media / name, target)


def check_sound_and_tags(source, target):
    with av.open(str(source)) as old, av.open(str(target)) as new:
        assert old.chapters() == new.chapters()
        for one, other in zip(old.streams, new.streams, strict=True):
            assert int(one.disposition) == int(other.disposition)
            if one.type == "audio":
                assert samples(old, one) == samples(new, other)


def samples(container, stream):
    total = sum(f.samples for p in container.demux(stream) for f in p.decode())
    container.seek(0) if container.format.name != "mpegts" else None
    return total


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_in_words(media, name):
    with pytest.raises(InputError, match=REFUSED[name]) as caught:
        probe(media / name)
    assert name in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
@pytest.mark.parametrize("name", ["mov-text.mp4", "prores-pcm.mov", "edit-list.mp4", "hdr10.mp4"])
def test_other_containers_keep_times_and_sound(media, tmp_path, name, suffix):
    info = probe(media / name)
    reader = Reader(info)
    for _ in reader.scan():
        pass
    target = tmp_path / f"b{suffix}"
    plan = plan_output(info, target, codec=None, crf=None, lossless=False)
    with Writer(info, reader.index, plan, target) as writer:
        for frame in reader.frames():
            writer.write(frame, frame.planes)
    verified = verify(target, info, reader.index, plan)
    assert verified.audio_hash_equal
    assert verified.max_time_error_s <= 0.001


def test_timed_text_becomes_ass_in_matroska(media, tmp_path):
    info = probe(media / "mov-text.mp4")
    reader = Reader(info)
    for _ in reader.scan():
        pass
    target = tmp_path / "b.mkv"
    plan = plan_output(info, target, codec=None, crf=None, lossless=False)
    assert any("becomes ASS" in warning for warning in plan.warnings)
    with Writer(info, reader.index, plan, target) as writer:
        for frame in reader.frames():
            writer.write(frame, frame.planes)
    verify(target, info, reader.index, plan)

    def cues(path):
        with av.open(str(path)) as container:
            stream = container.streams.subtitles[0]
            found = []
            for packet in container.demux(stream):
                for line in packet.decode() if packet.size > 2 else ():
                    text = line.ass.decode().rsplit(",,", 1)[-1].strip()
                    found.append((round(float(packet.pts * packet.time_base), 2), text))
        return found

    old, new = cues(media / "mov-text.mp4"), cues(target)
    assert old
    assert [text for _, text in old] == [text for _, text in new]
    start = verify(target, info, reader.index, plan).start_shift_s
    for (before, _), (after, _) in zip(old, new, strict=True):
        assert after - before == pytest.approx(start, abs=0.02)
