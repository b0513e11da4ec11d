"""Everything beside the picture: copied, converted or left out with a word."""

import hashlib
from fractions import Fraction

import av
import numpy as np
import pytest
from av.stream import Disposition

from remover.video import plan_output, probe, verify

SRT = "1\n00:00:00,050 --> 00:00:00,200\nHello\n\n2\n00:00:00,300 --> 00:00:00,450\nWorld\n\n"
CHAPTERS = [
    {"id": 1, "start": 0, "end": 250, "time_base": Fraction(1, 1000), "metadata": {"title": "A"}},
    {"id": 2, "start": 250, "end": 500, "time_base": Fraction(1, 1000), "metadata": {"title": "B"}},
]


@pytest.fixture
def rich(tmp_path, studio):
    """A Matroska file with two sounds, a subtitle, chapters, a font, a cover and tags."""

    def setup(container, video):
        container.metadata["title"] = "Everything"
        container.metadata["artist"] = "Nobody"
        container.set_chapters(CHAPTERS)
        video.disposition = Disposition.default | Disposition.original

    sounds = []
    for number, codec in enumerate(("aac", "flac")):
        sounds.append(studio.write(tmp_path / f"{number}.mkv", audio=codec, times=range(12)))
    picture = studio.write(tmp_path / "p.mkv", setup=setup, options={"bf": "2"})
    (tmp_path / "s.srt").write_text(SRT)
    path = tmp_path / "rich.mkv"
    with (
        av.open(str(path), "w") as target,
        av.open(str(picture)) as video,
        av.open(str(sounds[0])) as first,
        av.open(str(sounds[1])) as second,
        av.open(str(tmp_path / "s.srt")) as words,
    ):
        target.metadata.update({"title": "Everything", "artist": "Nobody"})
        target.set_chapters(CHAPTERS)
        parts = []
        for source, kind, language in (
            (video, "video", None),
            (first, "audio", "eng"),
            (second, "audio", "fra"),
            (words, "subtitle", "deu"),
        ):
            stream = next(s for s in source.streams if s.type == kind)
            added = target.add_stream_from_template(stream, opaque=True)
            if language:
                added.metadata["language"] = language
            parts.append((source, stream, added))
        parts[1][2].disposition = Disposition.default
        parts[2][2].disposition = Disposition.comment
        parts[2][2].metadata["title"] = "Deuxième"
        target.add_attachment("font.ttf", "application/x-truetype-font", b"no real font" * 9)
        target.add_attachment("cover.jpg", "image/jpeg", jpeg())
        packets = []
        for source, stream, added in parts:
            for packet in source.demux(stream):
                if packet.size:
                    time = packet.dts if packet.dts is not None else -1
                    packets.append((float(time * packet.time_base), len(packets), packet, added))
        for _, _, packet, added in sorted(packets, key=lambda p: p[:2]):
            packet.stream = added
            target.mux(packet)
    return path


def jpeg():
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = 16, 16, "yuvj420p"
    context.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), 90, np.uint8), "rgb24")
    return bytes(context.encode(frame.reformat(format="yuvj420p"))[0])


def payloads(path):
    """Digest of each stream's packets, by stream."""
    found = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                found.setdefault(packet.stream_index, []).append(bytes(packet))
        kinds = {s.index: s.type for s in container.streams}
    return {
        i: (kinds[i], len(p), hashlib.sha256(b"".join(p)).hexdigest()) for i, p in found.items()
    }


def test_everything_is_kept_from_matroska_to_matroska(tmp_path, studio, rich):
    target = tmp_path / "b.mkv"
    reader, plan = studio.rewrite(rich, target)
    verified = verify(target, reader.info, reader.index, plan)
    assert plan.warnings == ()
    assert verified.streams_equal
    assert len(verified.stream_hashes) == 5
    old, new = payloads(rich), payloads(target)
    assert {i: v for i, v in old.items() if v[0] != "video" or v[1] == 1} == {
        i: v for i, v in new.items() if v[0] != "video" or v[1] == 1
    }
    with av.open(str(rich)) as a, av.open(str(target)) as b:
        assert [s.type for s in a.streams] == [s.type for s in b.streams]
        assert [int(s.disposition) for s in a.streams] == [int(s.disposition) for s in b.streams]
        assert [s.metadata.get("language") for s in a.streams] == [
            s.metadata.get("language") for s in b.streams
        ]
        assert b.streams[2].metadata["title"] == "Deuxième"
        assert {k: b.metadata[k] for k in ("title", "ARTIST")} == {
            "title": "Everything",
            "ARTIST": "Nobody",
        }
        assert a.chapters() == b.chapters()
        fonts = [s for s in b.streams if s.type == "attachment"]
        assert [(s.name, s.data) for s in fonts] == [("font.ttf", b"no real font" * 9)]


def test_packets_keep_their_times(tmp_path, studio, rich):
    target = tmp_path / "b.mkv"
    studio.rewrite(rich, target)

    def times(path, index):
        with av.open(str(path)) as c:
            return [(p.pts, p.duration) for p in c.demux(c.streams[index]) if p.size]

    for index in (1, 2, 3):
        assert times(rich, index) == times(target, index)


def test_mp4_takes_what_it_can_and_the_rest_is_named(tmp_path, studio, rich):
    target = tmp_path / "b.mp4"
    reader, plan = studio.rewrite(rich, target)
    verify(target, reader.info, reader.index, plan)
    said = " ".join(plan.warnings)
    assert "`subrip`" in said
    assert "attachment stream" in said
    new = probe(target)
    assert [s.codec for s in new.others if s.kind == "audio"] == ["aac", "flac"]
    assert any(s.codec == "mjpeg" for s in new.others)
    assert new.num_chapters == 2


def test_mp4_with_chapters_and_timecode_goes_through_mp4_and_mov(tmp_path, studio):
    def setup(container, video):
        container.set_chapters(CHAPTERS)
        container.metadata["title"] = "Tagged"
        video.metadata["timecode"] = "01:00:00:00"

    source = studio.write(tmp_path / "a.mov", setup=setup, audio="aac")
    assert sum(o.kind == "data" for o in probe(source).others) == 2
    for name in ("b.mov", "b.mp4"):
        target = tmp_path / name
        reader, plan = studio.rewrite(source, target)
        verify(target, reader.info, reader.index, plan)
        new = probe(target)
        assert plan.warnings == ()
        assert new.timecode == "01:00:00:00"
        assert new.num_chapters == 2
        with av.open(str(target)) as container:
            assert container.metadata["title"] == "Tagged"
            assert [c["metadata"]["title"] for c in container.chapters()] == ["A", "B"]


def test_webm_takes_only_its_own(tmp_path, rich):
    info = probe(rich)
    plan = plan_output(info, tmp_path / "b.webm", codec=None, crf=None, lossless=False)
    assert (plan.codec, plan.container) == ("vp9", "webm")
    assert all(entry.action == "drop" for entry in plan.streams)
    said = " ".join(plan.warnings)
    for word in ("h264", "aac", "flac", "subrip", "chapters"):
        assert word in said


def test_gif_takes_only_the_picture(tmp_path, studio, rich):
    target = tmp_path / "b.gif"
    reader, plan = studio.rewrite(rich, target)
    verify(target, reader.info, reader.index, plan)
    assert [s.kind for s in probe(target).others] == []


def test_sound_that_starts_late_stays_in_step(tmp_path, studio):
    plain = studio.write(tmp_path / "plain.mp4", times=range(24), audio="aac")
    source = tmp_path / "late.mp4"
    with av.open(str(plain)) as old, av.open(str(source), "w") as new:
        streams = {s.index: new.add_stream_from_template(s, opaque=True) for s in old.streams}
        packets = [p for p in old.demux() if p.size]
        for packet in packets:
            if packet.stream.type == "audio":
                packet.pts += 12000
                packet.dts += 12000
        for packet in packets:
            packet.stream = streams[packet.stream_index]
            new.mux(packet)
    for name in ("b.mp4", "b.mkv", "b.ts"):
        reader, plan = studio.rewrite(source, tmp_path / name)
        verified = verify(tmp_path / name, reader.info, reader.index, plan)
        assert verified.audio_hash_equal

        def offset(path):
            with av.open(str(path)) as c:
                firsts = {}
                for p in c.demux():
                    if p.size and p.pts is not None:
                        time = float(p.pts * p.time_base)
                        kind = p.stream.type
                        firsts[kind] = min(firsts.get(kind, time), time)
            return firsts["audio"] - firsts["video"]

        assert offset(tmp_path / name) == pytest.approx(offset(source), abs=0.002)


def test_sound_longer_than_the_picture_is_whole(tmp_path, studio):
    source = studio.write(tmp_path / "a.mkv", times=[0, 1, 2, 3, 96], audio="pcm_s16le")
    reader, plan = studio.rewrite(source, tmp_path / "b.mkv")
    verify(tmp_path / "b.mkv", reader.info, reader.index, plan)
    assert payloads(source)[1] == payloads(tmp_path / "b.mkv")[1]


def test_aac_from_a_transport_stream_goes_into_mp4_and_back(tmp_path, studio):
    source = studio.write(tmp_path / "a.ts", audio="aac")
    for name in ("b.mp4", "b.mkv", "b.ts"):
        reader, plan = studio.rewrite(source, tmp_path / name)
        assert verify(tmp_path / name, reader.info, reader.index, plan).audio_hash_equal
    back = studio.rewrite(tmp_path / "b.mp4", tmp_path / "c.ts")
    assert verify(tmp_path / "c.ts", back[0].info, back[0].index, back[1]).audio_hash_equal


def test_no_sound_is_made_up(tmp_path, studio):
    reader, plan = studio.rewrite(studio.write(tmp_path / "a.mp4"), tmp_path / "b.mp4")
    verified = verify(tmp_path / "b.mp4", reader.info, reader.index, plan)
    assert probe(tmp_path / "b.mp4").others == ()
    assert verified.stream_hashes == {}


def test_transport_streams_refuse_sound_that_would_not_be_found_again(tmp_path, studio):
    info = probe(studio.write(tmp_path / "a.mkv", audio="pcm_s16le"))
    plan = plan_output(info, tmp_path / "b.ts", codec=None, crf=None, lossless=False)
    assert [s.action for s in plan.streams] == ["drop"]


def test_foreign_bytes_in_tags_do_no_harm(tmp_path, studio):
    source = studio.write(
        tmp_path / "a.mkv", setup=lambda c, _: c.metadata.update({"comment": "PLACEHOLDER"})
    )
    data = source.read_bytes().replace(b"PLACEHOLDER", b"caf\xe9 \xff\xfe old")
    source.write_bytes(data)
    reader, plan = studio.rewrite(source, tmp_path / "b.mkv")
    verify(tmp_path / "b.mkv", reader.info, reader.index, plan)


def test_streams_that_start_after_a_long_silence_are_kept(tmp_path, studio):
    """A subtitle whose first words come long after the picture began."""
    words = "1\n00:00:14,000 --> 00:00:14,500\nLate\n\n"
    (tmp_path / "s.srt").write_text(words)
    picture = studio.write(tmp_path / "p.mkv", times=range(0, 24 * 16, 4), audio="aac")
    source = tmp_path / "a.mkv"
    with (
        av.open(str(picture)) as old,
        av.open(str(tmp_path / "s.srt")) as srt,
        av.open(str(source), "w") as new,
    ):
        streams = {s.index: new.add_stream_from_template(s, opaque=True) for s in old.streams}
        added = new.add_stream_from_template(srt.streams[0], opaque=True)
        for packet in [p for p in old.demux() if p.size]:
            packet.stream = streams[packet.stream_index]
            new.mux(packet)
        for packet in [p for p in srt.demux() if p.size]:
            packet.stream = added
            new.mux(packet)
    reader, plan = studio.rewrite(source, tmp_path / "b.mkv")
    verified = verify(tmp_path / "b.mkv", reader.info, reader.index, plan)
    assert len(verified.stream_hashes) == 2


def test_planning_writes_nothing(tmp_path, rich):
    """Trying out what a container takes writes nothing to disk."""
    before = sorted(p.name for p in tmp_path.iterdir())
    plan_output(probe(rich), tmp_path / "b.mp4", codec=None, crf=None, lossless=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_sound_whose_times_go_back_is_put_in_order(tmp_path, studio):
    plain = studio.write(tmp_path / "plain.mkv", times=range(12), audio="aac")
    source = tmp_path / "a.mkv"
    with av.open(str(plain)) as old, av.open(str(source), "w") as new:
        streams = {s.index: new.add_stream_from_template(s, opaque=True) for s in old.streams}
        number = 0
        for packet in [p for p in old.demux() if p.size]:
            if packet.stream.type == "audio":
                number += 1
                if number in (6, 7):
                    packet.pts = packet.dts = 80
            packet.stream = streams[packet.stream_index]
            new.mux(packet)
    for name in ("b.mp4", "b.mkv", "b.ts"):
        reader, plan = studio.rewrite(source, tmp_path / name)
        assert verify(tmp_path / name, reader.info, reader.index, plan).audio_hash_equal


def test_a_cut_off_file_with_sound_is_written_as_far_as_it_goes(tmp_path, studio):
    whole = studio.write(
        tmp_path / "whole.mp4",
        times=range(72),
        options={"g": "12"},
        audio="aac",
        container_options={"movflags": "+faststart"},
    )
    data = whole.read_bytes()
    source = tmp_path / "cut.mp4"
    source.write_bytes(data[: len(data) * 3 // 4])
    reader, plan = studio.rewrite(source, tmp_path / "b.mp4")
    verified = verify(tmp_path / "b.mp4", reader.info, reader.index, plan)
    assert 0 < verified.num_frames < 72
    assert reader.index.damage.messages()
