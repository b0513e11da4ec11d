import os
from fractions import Fraction

import av
import numpy as np
import pytest

from remover import pixels
from remover.errors import InputError
from remover.types import Size
from remover.video import Reader, RgbPictures, probe


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a.planes, b.planes, strict=True))


@pytest.fixture
def clip(tmp_path, studio):
    """Sixty frames, a key frame every ten, B-frames between."""
    return studio.write(
        tmp_path / "a.mp4", times=range(60), options={"g": "10", "bf": "2", "preset": "veryfast"}
    )


def test_scanning_gives_every_frame_and_then_the_index(clip):
    reader = Reader(probe(clip))
    with pytest.raises(RuntimeError):
        _ = reader.index
    frames = list(reader.scan())
    assert [f.index for f in frames] == list(range(60))
    index = reader.index
    assert index.num_frames == 60
    assert index.damage.is_clean
    assert [index.time_of(i) for i in range(60)] == [Fraction(i, 24) for i in range(60)]
    assert len(index.keyframes) >= 6


@pytest.mark.parametrize(
    ("start", "stop"), [(0, 60), (0, 1), (9, 13), (10, 11), (37, 60), (59, 60)]
)
def test_any_range_is_exact(clip, start, stop):
    reader = Reader(probe(clip))
    scanned = list(reader.scan())
    got = list(reader.frames(start, stop))
    assert [f.index for f in got] == list(range(start, stop))
    for frame in got:
        assert same(frame, scanned[frame.index])
        assert frame.pts == int(reader.index.pts[frame.index])


def test_a_late_range_does_not_decode_what_comes_before(clip, monkeypatch):
    reader = Reader(probe(clip))
    list(reader.scan())
    monkeypatch.setattr(Reader, "_from_start", lambda *_: pytest.fail("decoded from the start"))
    assert len(list(reader.frames(45, 60))) == 15


def test_when_seeking_lands_wrong_everything_is_decoded(clip, monkeypatch):
    reader = Reader(probe(clip))
    scanned = list(reader.scan())
    monkeypatch.setattr(Reader, "_entries", lambda *_: [0, 50])
    monkeypatch.setattr("remover.video.decode.REORDERING_ROOM", -80)
    got = list(reader.frames(45, 48))
    assert [f.index for f in got] == [45, 46, 47]
    assert all(same(f, scanned[f.index]) for f in got)


def test_several_readers_of_one_video_do_not_disturb_each_other(clip):
    reader = Reader(probe(clip))
    scanned = list(reader.scan())
    first, second = reader.frames(0, 60), reader.frames(30, 60)
    for _ in range(20):
        a, b = next(first), next(second)
        assert same(a, scanned[a.index])
        assert same(b, scanned[b.index])


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mkv", "libx264"), (".ts", "libx264"), (".webm", "libvpx-vp9"), (".avi", "mpeg4")],
)
def test_ranges_are_exact_in_other_containers(tmp_path, studio, suffix, codec):
    options = {"g": "10"} | ({"deadline": "realtime"} if codec == "libvpx-vp9" else {})
    path = studio.write(tmp_path / f"a{suffix}", codec=codec, times=range(40), options=options)
    reader = Reader(probe(path))
    scanned = list(reader.scan())
    assert len(scanned) == 40
    for start in (0, 7, 20, 33):
        got = list(reader.frames(start, start + 5))
        assert [f.index for f in got] == list(range(start, start + 5))
        assert all(same(f, scanned[f.index]) for f in got)


def test_avi_with_b_frames_is_shown_on_its_grid(tmp_path, studio):
    path = studio.write(
        tmp_path / "a.avi", codec="mpeg4", times=range(20), options={"bf": "2", "g": "8"}
    )
    reader = studio.scanned(path)
    assert list(np.diff(reader.index.pts)) == [1] * 19
    assert reader.index.damage.repaired_times == 0


def test_uneven_times_are_exact(tmp_path, studio):
    times = [0, 3000, 6000, 12000, 15000, 24000, 25500, 28500]
    path = studio.write(
        tmp_path / "a.mp4", times=times, time_base=Fraction(1, 90000), options={"bf": "2"}
    )
    reader = studio.scanned(path)
    got = [reader.index.time_of(i) for i in range(len(times))]
    assert got == [Fraction(t, 90000) for t in times]


def test_a_late_start_is_kept(tmp_path, studio):
    path = studio.write(tmp_path / "a.mkv", times=range(24, 36))
    index = studio.scanned(path).index
    assert int(index.pts[0]) * index.time_base == 1
    assert index.frame_at(0) == 0


def test_rotation_is_not_applied_to_samples(tmp_path, studio):
    def setup(_container, stream):
        stream.set_display_rotation(-90)

    path = studio.write(tmp_path / "a.mp4", setup=setup)
    assert next(studio.scanned(path).frames()).planes[0].shape == (48, 64)


def test_alpha_planes_are_given(tmp_path, studio):
    def setup(_container, stream):
        stream.metadata["alpha_mode"] = "1"

    path = studio.write(
        tmp_path / "a.webm",
        codec="libvpx-vp9",
        pixel_format="yuva420p",
        options={"auto-alt-ref": "0", "lossless": "1", "deadline": "realtime"},
        setup=setup,
    )
    reader = studio.scanned(path)
    frame = next(reader.frames(5, 6))
    wanted = studio.planes(reader.info.layout, Size(48, 64), 5)
    for got, expected in zip(frame.planes, wanted, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_pictures_are_rgb_of_the_right_depth(tmp_path, studio):
    for name, kind in (("yuv420p", np.uint8), ("yuv420p10le", np.uint16)):
        path = studio.write(tmp_path / f"{name}.mkv", codec="ffv1", pixel_format=name)
        reader = studio.scanned(path)
        pictures = RgbPictures(reader)
        assert (pictures.num_frames, pictures.size) == (12, Size(48, 64))
        got = list(pictures.read(3, 6))
        assert len(got) == 3
        assert got[0].dtype == kind
        frame = next(reader.frames(3, 4))
        wanted = pixels.picture(frame.planes, reader.info.layout, reader.info.colour)
        np.testing.assert_array_equal(got[0], wanted)


def test_a_cut_off_matroska_is_noticed(tmp_path, studio):
    whole = studio.write(tmp_path / "whole.mkv", times=range(60), options={"g": "12"})
    data = whole.read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(data[: len(data) // 2])
    reader = studio.scanned(path)
    assert 5 < reader.index.num_frames < 60
    missing = 2.5 - float(reader.index.end_s)
    assert reader.index.damage.missing_seconds == pytest.approx(missing, abs=0.01)
    assert "cut off" in reader.index.damage.messages()[-1]
    assert len(list(reader.frames())) == reader.index.num_frames


def test_a_cut_off_mp4_is_noticed(tmp_path, studio):
    whole = studio.write(
        tmp_path / "whole.mp4",
        times=range(60),
        options={"g": "12"},
        container_options={"movflags": "+faststart"},
    )
    data = whole.read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) * 2 // 3])
    reader = studio.scanned(path)
    damage = reader.index.damage
    assert 5 < reader.index.num_frames < 60
    assert damage.missing_seconds > 0.25
    assert len(list(reader.frames())) == reader.index.num_frames


def test_a_damaged_middle_is_passed_over_and_said(tmp_path, studio):
    data = bytearray(
        studio.write(tmp_path / "whole.mkv", times=range(60), options={"g": "12"}).read_bytes()
    )
    rng = np.random.default_rng(4)
    for place in rng.integers(len(data) // 3, len(data) // 2, 60):
        data[place] ^= 0xFF
    path = tmp_path / "noise.mkv"
    path.write_bytes(data)
    reader = studio.scanned(path)
    damage = reader.index.damage
    assert not damage.is_clean
    assert damage.messages()
    assert len(list(reader.frames())) == reader.index.num_frames


def test_a_file_that_changes_meanwhile_is_refused(clip, studio):
    reader = studio.scanned(clip)
    facts = clip.stat()
    os.utime(clip, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))
    with pytest.raises(InputError, match="changed while"):
        next(reader.frames())


def test_a_picture_that_changes_size_is_refused(tmp_path, studio):
    first = studio.write(tmp_path / "a.ts", times=range(6))
    second = studio.write(tmp_path / "b.ts", times=range(6, 12), size=(64, 80))
    path = tmp_path / "c.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(InputError, match=r"64x48 .* to 80x64"):
        studio.scanned(path)


def test_frames_without_times_get_some(tmp_path, studio):
    whole = studio.write(tmp_path / "a.mp4", times=range(10), options={"bf": "0"})
    path = tmp_path / "raw.h264"
    with av.open(str(whole)) as source, av.open(str(path), "w", format="h264") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux():
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    reader = studio.scanned(path)
    assert reader.index.num_frames == 10
    assert (np.diff(reader.index.pts) > 0).all()


@pytest.mark.parametrize("name", ["bgr24", "bgra"])
def test_raw_rows_that_lie_bottom_up_come_out_upright(tmp_path, studio, name):
    path = studio.write(tmp_path / "a.avi", codec="rawvideo", pixel_format=name)
    reader = studio.scanned(path)
    frame = next(reader.frames(2, 3))
    wanted = studio.planes(reader.info.layout, Size(48, 64), 2)[0]
    np.testing.assert_array_equal(frame.planes[0][..., :3], wanted[..., :3])


def test_damaged_frames_are_the_same_every_time(tmp_path, studio):
    data = bytearray(
        studio.write(
            tmp_path / "whole.mkv", times=range(60), size=(240, 320), options={"g": "20"}
        ).read_bytes()
    )
    rng = np.random.default_rng(7)
    for place in rng.integers(len(data) // 4, len(data) - 3000, 80):
        data[place] ^= 0xFF
    path = tmp_path / "noise.mkv"
    path.write_bytes(data)
    seen = set()
    for _ in range(4):
        reader = studio.scanned(path)
        assert not reader.index.damage.is_clean
        seen.add(b"".join(f.planes[0].tobytes() for f in reader.frames()))
    assert len(seen) == 1
