import hashlib
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from remover.errors import ExitCode, OutputError, VerifyError
from remover.types import Orientation, Size
from remover.video import GrayWriter, Reader, Writer, facts, plan_output, probe, verify


def test_a_pass_through_keeps_frames_times_and_sound(tmp_path, studio):
    source = studio.write(tmp_path / "a.mp4", times=range(30), audio="aac", options={"bf": "2"})
    target = tmp_path / "b.mp4"
    reader, plan = studio.rewrite(source, target)
    verified = verify(target, reader.info, reader.index, plan)
    assert verified.num_frames == 30
    assert verified.times_equal
    assert verified.audio_hash_equal
    assert verified.streams_equal
    assert verified.max_time_error_s == 0
    assert verified.start_shift_s == 0
    assert plan.warnings == ()
    again = studio.scanned(target)
    np.testing.assert_array_equal(again.index.pts, reader.index.pts)
    np.testing.assert_array_equal(again.index.durations, reader.index.durations)


def test_changed_samples_are_the_ones_written(tmp_path, studio):
    source = studio.write(tmp_path / "a.mkv", times=range(8))

    def change(frame):
        planes = [plane.copy() for plane in frame.planes]
        planes[0][10:20, 10:20] = 200
        return planes

    reader, _ = studio.rewrite(source, tmp_path / "b.mkv", lossless=True, change=change)
    old = list(reader.frames())
    for new in studio.scanned(tmp_path / "b.mkv").frames():
        wanted = change(old[new.index])
        for got, expected in zip(new.planes, wanted, strict=True):
            np.testing.assert_array_equal(got, expected)


LOSSLESS = [
    ("libx264", "yuv420p", ".mp4"),
    ("libx264", "yuv420p10le", ".mkv"),
    ("libx264", "yuvj420p", ".mp4"),
    ("libx264", "yuv444p", ".mov"),
    ("libx264", "gray", ".mkv"),
    ("libx264rgb", "rgb24", ".mkv"),
    ("libx265", "yuv422p10le", ".mp4"),
    ("libvpx-vp9", "yuv420p", ".webm"),
    ("ffv1", "yuva444p16le", ".mkv"),
    ("ffv1", "bgra", ".mkv"),
    ("ffv1", "gbrp12le", ".mkv"),
    ("huffyuv", "bgra", ".avi"),
    ("utvideo", "gbrap", ".avi"),
    ("qtrle", "argb", ".mov"),
    ("png", "rgba", ".mov"),
    ("magicyuv", "yuv422p", ".avi"),
]


@pytest.mark.parametrize(("codec", "pixel_format", "suffix"), LOSSLESS)
def test_lossless_means_every_sample(tmp_path, studio, codec, pixel_format, suffix):
    quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    source = studio.write(
        tmp_path / f"a{suffix}", codec=codec, pixel_format=pixel_format, options=quiet
    )
    target = tmp_path / f"b{suffix}"
    reader, plan = studio.rewrite(source, target, lossless=True)
    assert plan.lossless
    assert plan.codec == reader.info.codec
    verify(target, reader.info, reader.index, plan)
    new = studio.scanned(target)
    assert new.info.layout == reader.info.layout
    for one, other in zip(reader.frames(), new.frames(), strict=True):
        for old_plane, new_plane in zip(one.planes, other.planes, strict=True):
            np.testing.assert_array_equal(old_plane, new_plane)


FAMILIES = [
    ("libx264", "yuv420p", ".mp4"),
    ("libx265", "yuv420p10le", ".mp4"),
    ("libsvtav1", "yuv420p10le", ".mp4"),
    ("libvpx-vp9", "yuv420p", ".webm"),
    ("libvpx", "yuv420p", ".webm"),
    ("prores_ks", "yuv422p10le", ".mov"),
    ("ffv1", "yuv420p", ".mkv"),
    ("mpeg4", "yuv420p", ".mp4"),
    ("mpeg4", "yuv420p", ".avi"),
    ("mpeg2video", "yuv422p", ".ts"),
    ("mjpeg", "yuvj422p", ".avi"),
    ("dnxhd", "yuv422p", ".mov"),
    ("utvideo", "yuv420p", ".avi"),
]


@pytest.mark.parametrize(("codec", "pixel_format", "suffix"), FAMILIES)
def test_the_codec_and_pixel_format_of_the_source_are_kept(
    tmp_path, studio, capfd, codec, pixel_format, suffix
):
    options = {
        "libx265": {"x265-params": "log-level=none"},
        "libsvtav1": {"preset": "12"},
        "dnxhd": {"profile": "dnxhr_hq"},
    }.get(codec, {})
    size = (144, 256) if codec == "dnxhd" else (64, 96)
    source = studio.write(
        tmp_path / f"a{suffix}",
        codec=codec,
        pixel_format=pixel_format,
        options=options,
        size=size,
        times=range(8),
        rate=25,
        time_base=Fraction(1, 25),
    )
    capfd.readouterr()
    target = tmp_path / f"b{suffix}"
    reader, plan = studio.rewrite(source, target)
    verified = verify(target, reader.info, reader.index, plan)
    new = studio.scanned(target)
    assert verified.num_frames == 8
    assert new.info.codec == reader.info.codec
    assert new.info.layout == reader.info.layout
    assert plan.warnings == ()
    assert capfd.readouterr() == ("", "")
    worst = max(
        float(np.abs(p.astype(float) - q.astype(float)).mean())
        for a, b in zip(reader.frames(), new.frames(), strict=True)
        for p, q in zip(a.planes, b.planes, strict=True)
    )
    assert worst < 3 * (1 << (reader.info.layout.bit_depth - 8))


def test_prores_keeps_its_profile_and_alpha(tmp_path, studio):
    for profile, name in (("proxy", "Proxy"), ("lt", "LT"), ("hq", "HQ")):
        source = studio.write(
            tmp_path / f"{profile}.mov",
            codec="prores_ks",
            pixel_format="yuv422p10le",
            options={"profile": profile},
            times=[0, 1],
        )
        studio.rewrite(source, tmp_path / "b.mov")
        assert probe(tmp_path / "b.mov").profile == name
    source = studio.write(
        tmp_path / "alpha.mov",
        codec="prores_ks",
        pixel_format="yuva444p10le",
        options={"profile": "4444", "alpha_bits": "16"},
        times=[0, 1],
    )
    reader, plan = studio.rewrite(source, tmp_path / "c.mov")
    assert plan.encoder == "prores_ks"
    assert probe(tmp_path / "c.mov").layout.has_alpha
    old, new = next(reader.frames()), next(studio.scanned(tmp_path / "c.mov").frames())
    assert np.abs(old.planes[3].astype(int) - new.planes[3].astype(int)).max() < 16


def test_vp9_alpha_survives(tmp_path, studio):
    def setup(_container, stream):
        stream.metadata["alpha_mode"] = "1"

    source = studio.write(
        tmp_path / "a.webm",
        codec="libvpx-vp9",
        pixel_format="yuva420p",
        options={"auto-alt-ref": "0", "deadline": "realtime"},
        setup=setup,
    )
    reader, plan = studio.rewrite(source, tmp_path / "b.webm", lossless=True)
    verify(tmp_path / "b.webm", reader.info, reader.index, plan)
    old, new = next(reader.frames(3, 4)), next(studio.scanned(tmp_path / "b.webm").frames(3, 4))
    np.testing.assert_array_equal(old.planes[3], new.planes[3])


def test_uneven_times_and_a_late_start_are_exact(tmp_path, studio):
    times = [9000, 12000, 15000, 21000, 24000, 33000, 34500, 37500]
    source = studio.write(
        tmp_path / "a.mp4",
        times=times,
        time_base=Fraction(1, 90000),
        options={"bf": "2"},
        audio="aac",
    )
    reader, plan = studio.rewrite(source, tmp_path / "b.mp4")
    verified = verify(tmp_path / "b.mp4", reader.info, reader.index, plan)
    assert verified.start_shift_s == 0
    new = studio.scanned(tmp_path / "b.mp4").index
    np.testing.assert_array_equal(new.pts, reader.index.pts)
    assert new.end_s == reader.index.end_s


def test_matroska_rounds_to_its_clock_and_no_further(tmp_path, studio):
    source = studio.write(
        tmp_path / "a.mp4", rate=Fraction(30000, 1001), time_base=Fraction(1001, 30000)
    )
    reader, plan = studio.rewrite(source, tmp_path / "b.mkv")
    verified = verify(tmp_path / "b.mkv", reader.info, reader.index, plan)
    assert 0 < verified.max_time_error_s <= 0.001


def test_avi_has_no_b_frames_and_keeps_the_pace(tmp_path, studio):
    source = studio.write(
        tmp_path / "a.mkv", times=range(24), audio="pcm_s16le", options={"bf": "2"}
    )
    reader, plan = studio.rewrite(source, tmp_path / "b.avi")
    verified = verify(tmp_path / "b.avi", reader.info, reader.index, plan)
    assert plan.options["bf"] == "0"
    assert any("AVI" in w for w in plan.warnings)
    assert verified.num_frames == 24
    assert verified.audio_hash_equal
    index = studio.scanned(tmp_path / "b.avi").index
    assert [index.time_of(i) for i in range(24)] == [Fraction(i, 24) for i in range(24)]


def test_uneven_times_in_avi_keep_their_order_and_nearly_their_place(tmp_path, studio):
    times = [0, 40, 80, 180, 220, 420, 440]
    source = studio.write(tmp_path / "a.mkv", times=times, time_base=Fraction(1, 1000))
    reader, plan = studio.rewrite(source, tmp_path / "b.avi")
    verified = verify(tmp_path / "b.avi", reader.info, reader.index, plan)
    assert verified.max_time_error_s <= 0.011


def test_gif_colours_and_times_are_exact(tmp_path, studio):
    def few_colours(path):
        with av.open(str(path), "w") as container:
            stream = container.add_stream("gif", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb8"
            for number, time in enumerate((0, 10, 25, 40)):
                picture = np.zeros((48, 64, 3), np.uint8)
                picture[10:30, number * 9 : number * 9 + 12] = (255, 0, 0)
                frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="rgb8")
                frame.pts, frame.time_base = time, Fraction(1, 100)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    source = few_colours(tmp_path / "a.gif")
    reader, plan = studio.rewrite(source, tmp_path / "b.gif")
    verify(tmp_path / "b.gif", reader.info, reader.index, plan)
    assert plan.container_options["loop"] == "0"
    new = studio.scanned(tmp_path / "b.gif")
    np.testing.assert_array_equal(new.index.pts, reader.index.pts)
    for one, other in zip(reader.frames(), new.frames(), strict=True):
        np.testing.assert_array_equal(one.planes[0], other.planes[0])


@pytest.mark.parametrize("params", ["tff=1", "bff=1"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_fields_are_kept_and_flagged(tmp_path, studio, params, suffix):
    source = studio.write(
        tmp_path / f"a{suffix}", options={"flags": "+ildct", "x264-params": params}
    )
    reader, plan = studio.rewrite(source, tmp_path / f"b{suffix}")
    new = probe(tmp_path / f"b{suffix}")
    assert plan.warnings == ()
    assert new.interlaced
    assert new.top_field_first == reader.info.top_field_first == (params == "tff=1")


def test_interlaced_mpeg2_and_prores_are_kept(tmp_path, studio):
    for codec, pixel_format, suffix in (
        ("mpeg2video", "yuv420p", ".ts"),
        ("prores_ks", "yuv422p10le", ".mov"),
    ):

        def setup(_container, stream):
            stream.codec_context.field_order = 2

        source = studio.write(
            tmp_path / f"a{suffix}",
            codec=codec,
            pixel_format=pixel_format,
            options={"flags": "+ildct"},
            rate=25,
            time_base=Fraction(1, 25),
            setup=setup,
        )
        reader, plan = studio.rewrite(source, tmp_path / f"b{suffix}")
        assert reader.info.interlaced
        assert plan.encoder == codec
        assert probe(tmp_path / f"b{suffix}").interlaced


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
def test_hdr10_survives_in_every_encoder_that_can(tmp_path, studio, codec):
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,100)"

    def setup(_container, stream):
        context = stream.codec_context
        context.colorspace, context.color_range = 9, 1
        context.color_primaries, context.color_trc = 9, 16

    params = f"log-level=none:hdr10=1:repeat-headers=1:master-display={display}:max-cll=1000,400"
    source = studio.write(
        tmp_path / "a.mp4",
        codec="libx265",
        pixel_format="yuv420p10le",
        size=(64, 96),
        options={"preset": "ultrafast", "x265-params": params},
        setup=setup,
        times=range(4),
    )
    target = tmp_path / "b.mp4"
    reader, plan = studio.rewrite(source, target, codec=codec)
    verify(target, reader.info, reader.index, plan)
    new = probe(target)
    assert new.hdr == {"master-display": display, "max-cll": "1000,400"}
    assert new.colour.tags == (9, 1, 9, 16)
    assert new.layout.bit_depth == 10


def test_hevc_in_mp4_has_the_tag_that_apple_plays(tmp_path, studio):
    source = studio.write(
        tmp_path / "a.mkv", codec="libx265", options={"x265-params": "log-level=none"}
    )
    studio.rewrite(source, tmp_path / "b.mp4")
    with av.open(str(tmp_path / "b.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1"])
def test_colour_tags_survive(tmp_path, studio, codec):
    def setup(_container, stream):
        context = stream.codec_context
        context.colorspace, context.color_range = 5, 2
        context.color_primaries, context.color_trc = 5, 4

    source = studio.write(tmp_path / "a.mp4", size=(64, 96), setup=setup, times=range(4))
    reader, plan = studio.rewrite(source, tmp_path / "b.mp4", codec=codec)
    verify(tmp_path / "b.mp4", reader.info, reader.index, plan)
    assert probe(tmp_path / "b.mp4").colour.tags == (5, 2, 5, 4)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
@pytest.mark.parametrize("clockwise", [90, 180, 270])
def test_turned_pictures_stay_turned(tmp_path, studio, suffix, clockwise):
    def setup(_container, stream):
        stream.set_display_matrix(facts.display_matrix(Orientation(clockwise)))

    source = studio.write(tmp_path / "a.mp4", setup=setup, audio="aac", times=range(4))
    reader, plan = studio.rewrite(source, tmp_path / f"b{suffix}")
    verify(tmp_path / f"b{suffix}", reader.info, reader.index, plan)
    new = probe(tmp_path / f"b{suffix}")
    assert new.orientation == Orientation(clockwise)
    assert new.size == Size(48, 64)


def test_what_a_container_cannot_turn_is_refused(tmp_path, studio):
    def setup(_container, stream):
        stream.set_display_matrix(facts.display_matrix(Orientation(90, hflip=True)))

    info = probe(studio.write(tmp_path / "a.mp4", setup=setup, times=[0]))
    for name, word in (("b.avi", "mirrored"), ("b.mkv", "mirrored")):
        with pytest.raises(OutputError, match=word):
            plan_output(info, tmp_path / name, codec=None, crf=None, lossless=False)
    plan_output(info, tmp_path / "b.mov", codec=None, crf=None, lossless=False)


@pytest.mark.parametrize(
    ("size", "aspect"), [((48, 48), Fraction(4, 3)), ((47, 61), Fraction(16, 11))]
)
@pytest.mark.parametrize(
    ("codec", "suffix"), [("ffv1", ".mkv"), ("vp9", ".webm"), ("prores", ".mkv"), ("h264", ".mkv")]
)
def test_pixel_aspect_survives_where_the_codec_has_none(
    tmp_path, studio, codec, suffix, size, aspect
):
    def setup(_container, stream):
        stream.codec_context.sample_aspect_ratio = aspect
        stream.metadata["title"] = "the title"

    source = studio.write(
        tmp_path / "a.mp4",
        codec="mpeg4",
        size=size,
        setup=setup,
        times=range(3),
        rate=25,
        time_base=Fraction(1, 25),
    )
    target = tmp_path / f"b{suffix}"
    reader, plan = studio.rewrite(source, target, codec=codec)
    verify(target, reader.info, reader.index, plan)
    assert probe(target).sample_aspect == aspect
    with av.open(str(target)) as container:
        title = container.streams.video[0].metadata.get("title", "")
    assert title in ("", "the title")


@pytest.mark.parametrize(
    ("codec", "suffix", "source_codec"),
    [
        (None, ".mp4", "libx264"),
        (None, ".mkv", "libx264"),
        (None, ".mov", "libx264"),
        (None, ".webm", "libx264"),
        (None, ".ts", "libx264"),
        (None, ".avi", "libx264"),
        ("hevc", ".mp4", "libx264"),
        ("av1", ".mkv", "libx264"),
        ("prores", ".mov", "libx264"),
        ("ffv1", ".mkv", "libx264"),
    ],
)
def test_the_same_input_gives_the_same_bytes(tmp_path, studio, codec, suffix, source_codec):
    source = studio.write(
        tmp_path / "a.mp4", codec=source_codec, size=(64, 96), times=range(20), audio="aac"
    )
    digests = set()
    for name in ("b", "c"):
        target = tmp_path / f"{name}{suffix}"
        studio.rewrite(source, target, codec=codec)
        digests.add(hashlib.sha256(target.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_odd_sizes_are_kept(tmp_path, studio):
    source = studio.write(
        tmp_path / "a.webm", codec="libvpx-vp9", size=(47, 61), options={"deadline": "realtime"}
    )
    for name in ("b.webm", "b.mkv", "b.mp4"):
        reader, plan = studio.rewrite(source, tmp_path / name)
        verify(tmp_path / name, reader.info, reader.index, plan)
        new = probe(tmp_path / name)
        assert new.size == Size(47, 61)
        assert new.layout.name == "yuv420p"
    reader, plan = studio.rewrite(source, tmp_path / "c.mov")
    new = probe(tmp_path / "c.mov")
    assert (new.size, new.codec, new.layout.name) == (Size(47, 61), "h264", "yuv444p")
    assert any("yuv444p" in warning for warning in plan.warnings)


def test_a_full_disk_is_said(tmp_path, studio):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no device that is always full")
    source = studio.write(tmp_path / "a.mkv", codec="ffv1", size=(240, 320), times=range(4))
    reader = studio.scanned(source)
    plan = plan_output(reader.info, tmp_path / "b.mkv", codec=None, crf=None, lossless=False)

    def write_video():
        with Writer(reader.info, reader.index, plan, full) as writer:
            for frame in reader.frames():
                writer.write(frame, frame.planes)

    def write_masks():
        rng = np.random.default_rng(0)
        with GrayWriter(full, tmp_path / "m.mkv", reader.info, reader.index) as writer:
            for _ in range(4):
                writer.write(rng.integers(0, 2, (240, 320)).astype(bool))

    for write in (write_video, write_masks):
        with pytest.raises(OutputError, match="disk is full") as caught:
            write()
        assert caught.value.code == ExitCode.OUTPUT


def test_a_missing_folder_is_said(tmp_path, studio):
    reader = studio.scanned(studio.write(tmp_path / "a.mkv"))
    plan = plan_output(reader.info, tmp_path / "b.mkv", codec=None, crf=None, lossless=False)
    with (
        pytest.raises(OutputError, match="cannot be written"),
        Writer(reader.info, reader.index, plan, tmp_path / "no" / "b.mkv"),
    ):
        pass


def test_an_exception_inside_lets_go_of_the_file(tmp_path, studio):
    reader = studio.scanned(studio.write(tmp_path / "a.mkv", audio="aac"))
    target = tmp_path / "b.mkv"
    plan = plan_output(reader.info, target, codec=None, crf=None, lossless=False)

    def stop_after_one():
        with Writer(reader.info, reader.index, plan, target) as writer:
            frame = next(reader.frames())
            writer.write(frame, frame.planes)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_after_one()
    target.unlink()
    assert list(tmp_path.glob("b*")) == []


def test_frames_out_of_order_are_a_bug(tmp_path, studio):
    reader = studio.scanned(studio.write(tmp_path / "a.mkv"))
    plan = plan_output(reader.info, tmp_path / "b.mkv", codec=None, crf=None, lossless=False)
    frame = next(reader.frames(1, 2))
    with (
        pytest.raises(RuntimeError, match="frame 1 came where 0"),
        Writer(reader.info, reader.index, plan, tmp_path / "b.mkv") as writer,
    ):
        writer.write(frame, frame.planes)


def test_a_missing_frame_does_not_pass_the_check(tmp_path, studio):
    reader = studio.scanned(studio.write(tmp_path / "a.mkv"))
    target = tmp_path / "b.mkv"
    plan = plan_output(reader.info, target, codec=None, crf=None, lossless=False)
    with Writer(reader.info, reader.index, plan, target) as writer:
        for frame in reader.frames(0, 11):
            writer.write(frame, frame.planes)
    with pytest.raises(VerifyError, match="11 frames, not 12"):
        verify(target, reader.info, reader.index, plan)


def test_another_soundtrack_does_not_pass_the_check(tmp_path, studio):
    source = studio.write(tmp_path / "a.mkv", audio="pcm_s16le")
    reader, plan = studio.rewrite(source, tmp_path / "b.mkv")
    data = bytearray((tmp_path / "b.mkv").read_bytes())
    with av.open(str(tmp_path / "b.mkv")) as container:
        packet = next(p for p in container.demux(audio=0) if p.size)
        place = data.index(bytes(packet))
    data[place + 40] ^= 1
    (tmp_path / "b.mkv").write_bytes(data)
    with pytest.raises(VerifyError, match="audio stream 1"):
        verify(tmp_path / "b.mkv", reader.info, reader.index, plan)


def test_a_broken_file_does_not_pass_the_check(tmp_path, studio):
    reader, plan = studio.rewrite(studio.write(tmp_path / "a.mp4"), tmp_path / "b.mp4")
    (tmp_path / "b.mp4").write_bytes(b"\0" * 1000)
    with pytest.raises(VerifyError, match="cannot be read again"):
        verify(tmp_path / "b.mp4", reader.info, reader.index, plan)


def resident_bytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_with_the_length(tmp_path, studio):
    source = studio.write(tmp_path / "a.mp4", size=(64, 96), times=range(2000), audio="aac")
    reader = Reader(probe(source))
    for _ in reader.scan():
        pass
    target = tmp_path / "b.mp4"
    plan = plan_output(reader.info, target, codec=None, crf=30, lossless=False)
    seen = []
    with Writer(reader.info, reader.index, plan, target) as writer:
        for frame in reader.frames():
            writer.write(frame, frame.planes)
            if frame.index in (400, 1990):
                seen.append(resident_bytes())
    verify(target, reader.info, reader.index, plan)
    assert seen[1] - seen[0] < 8_000_000
