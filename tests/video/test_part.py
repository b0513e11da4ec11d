"""A part of a video alone: its frames, packets, chapters and timecode."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover.errors import VerifyError
from remover.video import FrameIndex, Reader, plan_of_part, plan_output, probe, verify, writer_of
from remover.video.part import chapters_of_part, info_of_part, moved_timecode
from remover.video.values import Written
from remover.video.verify import verify_count

SRT = (
    "1\n00:00:00,100 --> 00:00:01,100\nbefore\n\n2\n00:00:01,200 --> 00:00:01,300\nin\n\n"
    "3\n00:00:01,400 --> 00:00:01,900\nafter\n\n"
)
CHAPTERS = [
    {"id": i, "start": a, "end": b, "time_base": Fraction(1, 1000), "metadata": {"title": name}}
    for i, (a, b, name) in enumerate([(0, 1100, "A"), (1100, 1900, "B"), (1900, 2000, "C")], 1)
]


def index_of(steps, start, base):
    pts = np.cumsum([start, *steps[:-1]])
    count = len(steps)
    return FrameIndex(
        pts,
        np.array(steps, np.int64),
        base,
        keyframes=tuple(range(0, count, 3)),
        checks=np.arange(count, dtype=np.uint32),
        raw=pts,
    )


indices = st.builds(
    index_of,
    st.lists(st.integers(1, 90), min_size=1, max_size=30),
    st.integers(-50, 5000),
    st.sampled_from([Fraction(1, 1000), Fraction(1001, 30000)]),
)


@given(indices, st.data())
def test_a_part_keeps_the_distances_and_the_numbers(index, data):
    start = data.draw(st.integers(0, index.num_frames - 1))
    stop = data.draw(st.integers(start + 1, index.num_frames))
    part = index.part(start, stop)
    assert part.num_frames == stop - start
    assert part.pts[0] == 0
    assert np.array_equal(part.pts + part.offset, index.pts[start:stop])
    assert np.array_equal(part.durations, index.durations[start:stop])
    assert np.array_equal(part.checks, np.arange(start, stop))
    assert part.first == start
    assert part.end_s == index.time_of(stop - 1) - index.time_of(start) + (
        int(index.durations[stop - 1]) * index.time_base
    )
    assert all(key == 0 or (key + start) % 3 == 0 for key in part.keyframes)
    begin, end = part.span
    assert begin == int(index.pts[start]) * index.time_base
    assert end - begin == part.end_s


@given(indices, st.data())
def test_a_part_of_a_part_is_a_part(index, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, index.num_frames), min_size=4, max_size=4)))
    if cuts[1] == cuts[2]:
        return
    direct = index.part(cuts[1], cuts[2])
    nested = index.part(cuts[0], cuts[3]).part(cuts[1] - cuts[0], cuts[2] - cuts[0])
    for name in ("pts", "durations", "checks", "raw"):
        assert np.array_equal(getattr(direct, name), getattr(nested, name))
    assert (direct.first, direct.offset, direct.span) == (
        nested.first,
        nested.offset,
        nested.span,
    )


@given(indices)
def test_parts_that_meet_tile_the_whole(index):
    parts = [index.part(i, i + 1) for i in range(index.num_frames)]
    assert all(a.span[1] == b.span[0] for a, b in pairwise(parts))
    assert index.span is None


@pytest.mark.parametrize(
    ("text", "rate", "frames", "expected"),
    [
        ("01:00:00:00", 24, 25, "01:00:01:01"),
        ("10:59:59:23", Fraction(24000, 1001), 1, "11:00:00:00"),
        ("23:59:59:24", 25, 1, "00:00:00:00"),
        ("00:00:59;29", Fraction(30000, 1001), 1, "00:01:00;02"),
        ("00:09:59;29", Fraction(30000, 1001), 1, "00:10:00;00"),
        ("00:00:59;59", Fraction(60000, 1001), 1, "00:01:00;04"),
        ("01:00:00;00", Fraction(30000, 1001), 17982 * 6, "02:00:00;00"),
        ("00:00:59:29", Fraction(30000, 1001), 1, "00:01:00:00"),
        ("nonsense", 25, 5, "nonsense"),
    ],
)
def test_timecodes(text, rate, frames, expected):
    assert moved_timecode(text, Fraction(rate), frames) == expected


@given(st.integers(0, 2_000_000), st.integers(0, 200_000), st.sampled_from(":;"))
def test_timecodes_move_step_by_step(start, frames, mark):
    rate = Fraction(30000, 1001)
    begin = moved_timecode(f"00:00:00{mark}00", rate, start)
    there = moved_timecode(f"00:00:00{mark}00", rate, start + frames)
    assert moved_timecode(begin, rate, frames) == there
    dropped = mark == ";" and there[3:5] not in ("00", "10", "20", "30", "40", "50")
    assert not (dropped and there[6:8] == "00" and there[9:] in ("00", "01"))


def test_chapters_are_cut_and_moved():
    found = chapters_of_part(CHAPTERS, (Fraction(1), Fraction(3, 2)))
    assert [(c["metadata"]["title"], c["start"], c["end"]) for c in found] == [
        ("A", 0, 100),
        ("B", 100, 500),
    ]
    assert chapters_of_part(CHAPTERS, None) == CHAPTERS


@pytest.fixture
def source(tmp_path, studio):
    """Two seconds in Matroska: pictures with B-frames, AAC, subtitles, chapters, a timecode."""

    def setup(_, video):
        video.metadata["timecode"] = "01:00:00:00"

    picture = studio.write(tmp_path / "p.mkv", times=range(48), audio="aac", setup=setup)
    (tmp_path / "s.srt").write_text(SRT)
    path = tmp_path / "source.mkv"
    with (
        av.open(str(path), "w") as target,
        av.open(str(picture)) as first,
        av.open(str(tmp_path / "s.srt")) as words,
    ):
        target.set_chapters(CHAPTERS)
        packets = []
        for container in (first, words):
            added = [target.add_stream_from_template(s, opaque=True) for s in container.streams]
            for old, new in zip(container.streams, added, strict=True):
                new.metadata.update(old.metadata)
            found = [p for p in container.demux() if p.size]
            packets += [
                (float((p.dts or 0) * p.time_base), p, added[p.stream_index]) for p in found
            ]
        for _, packet, added in sorted(packets, key=lambda p: p[0]):
            packet.stream = added
            target.mux(packet)
    return path


def cut(source, target, start, stop, **options):
    reader = Reader(probe(source))
    for _ in reader.scan():
        pass
    part = reader.index.part(start, stop)
    options = {"codec": None, "crf": None, "lossless": False} | options
    plan = plan_of_part(plan_output(reader.info, target, **options))
    with writer_of(reader.info, part, plan, target, target) as writer:
        for frame in reader.frames(start, stop):
            writer.write(frame, frame.planes)
    return reader, part, plan


@pytest.mark.parametrize("name", ["part.mkv", "part.mp4", "part.mov", "part.avi", "part.ts"])
def test_a_part_is_written_alone(name, source, tmp_path):
    target = tmp_path / name
    reader, part, plan = cut(source, target, 26, 36)
    verified = verify(target, reader.info, part, plan)
    assert verified.num_frames == 10
    info = probe(target)
    whole = Reader(info)
    frames = list(whole.scan())
    assert len(frames) == 10
    if name not in ("part.avi", "part.ts"):
        assert whole.index.pts[0] == 0
        assert info.timecode == "01:00:01:02"
        with av.open(str(target)) as container:
            titles = [c["metadata"]["title"] for c in container.chapters()]
        assert titles == ["A", "B"]
    sound = [p for p in packets_of(target, "audio") if p[1] + p[2] > 0]
    begin, end = 26 / 24, 36 / 24
    old = {p[0]: p[1] for p in packets_of(source, "audio")}
    assert 0.36 < sum(p[2] for p in sound) < 0.46
    if name not in ("part.avi", "part.ts"):
        for content, time, length in sound:
            assert begin - length <= old[content] < end
            assert time == pytest.approx(old[content] - begin, abs=0.0016)


def packets_of(path, kind):
    """Content, time and duration in seconds of the packets of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [
            (bytes(p), float(p.pts * p.time_base), float((p.duration or 0) * p.time_base))
            for p in container.demux(stream)
            if p.size
        ]


def test_subtitles_are_cut_to_the_part(source, tmp_path):
    target = tmp_path / "part.mkv"
    cut(source, target, 24, 36)
    assert packets_of(target, "subtitle") == [
        (b"before", 0.0, pytest.approx(0.1)),
        (b"in", pytest.approx(0.2), pytest.approx(0.1)),
        (b"after", pytest.approx(0.4), pytest.approx(0.1)),
    ]


def test_mp4_hides_the_sound_before_the_first_picture(source, tmp_path):
    target = tmp_path / "part.mp4"
    cut(source, target, 26, 36)
    first = packets_of(target, "audio")[0]
    assert first[1] < 0 < first[1] + first[2]
    with av.open(str(target)) as container:
        sound = next(container.decode(audio=0))
    assert sound.time >= 0


def test_a_lost_packet_of_a_part_is_found(source, tmp_path):
    target = tmp_path / "part.mkv"
    reader, part, plan = cut(source, target, 24, 36)
    verify(target, reader.info, part, plan)
    for other in (reader.index.part(24, 37), reader.index.part(12, 24), reader.index):
        with pytest.raises(VerifyError):
            verify(target, reader.info, other, plan)
    with pytest.raises(VerifyError):
        verify_count(part, Written(num_frames=11))


def test_other_moving_pictures_are_left_out(studio, tmp_path):
    one, two = (studio.write(tmp_path / f"{n}.mkv") for n in "ab")
    both = tmp_path / "both.mkv"
    with av.open(str(both), "w") as target, av.open(str(one)) as a, av.open(str(two)) as b:
        added = [target.add_stream_from_template(c.streams.video[0], opaque=True) for c in (a, b)]
        for container, stream in zip((a, b), added, strict=True):
            for packet in container.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    target.mux(packet)
    reader, part, plan = cut(both, tmp_path / "part.mkv", 3, 9)
    assert "cannot be cut without encoding" in plan.warnings[-1]
    verify(tmp_path / "part.mkv", reader.info, part, plan)


def test_the_facts_of_a_part(studio, tmp_path):
    reader = studio.scanned(studio.write(tmp_path / "a.mkv"))
    assert info_of_part(reader.info, reader.index) is reader.info
    assert info_of_part(reader.info, reader.index.part(2, 5)).num_frames_hint == 3
