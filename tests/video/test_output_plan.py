import io
from dataclasses import replace
from fractions import Fraction

import pytest

from remover.errors import ExitCode, OutputError, UsageError
from remover.video import Pipe, is_video_name, plan_output, probe


@pytest.fixture
def info(tmp_path, studio):
    return probe(studio.write(tmp_path / "a.mp4", times=range(2)))


def plan(info, name, **wanted):
    options = {"codec": None, "crf": None, "lossless": False, **wanted}
    return plan_output(info, info.path.with_name(name), **options)


@pytest.mark.parametrize(
    ("name", "muxer"),
    [
        ("b.mp4", "mp4"),
        ("b.M4V", "mp4"),
        ("b.mov", "mov"),
        ("b.mkv", "matroska"),
        ("b.webm", "webm"),
        ("b.avi", "avi"),
        ("b.ts", "mpegts"),
        ("b.gif", "gif"),
        ("b.nut", "nut"),
    ],
)
def test_the_suffix_names_the_container(info, name, muxer):
    assert plan(info, name).container == muxer
    assert is_video_name(info.path.with_name(name))


@pytest.mark.parametrize("name", ["b.xyz", "b", "b.png", "b.wmv"])
def test_other_suffixes_are_refused_with_the_list(info, name):
    with pytest.raises(OutputError) as caught:
        plan(info, name)
    assert ".mkv" in caught.value.hint
    assert caught.value.code == ExitCode.OUTPUT
    assert not is_video_name(info.path.with_name(name))


def test_a_container_can_be_named_for_a_part_file(info):
    assert plan(info, ".b.part", container="mkv").container == "matroska"
    assert plan(info, ".b.part", container="matroska").container == "matroska"


@pytest.mark.parametrize(
    ("codec", "name", "encoder"),
    [
        ("h264", "b.mp4", "libx264"),
        ("hevc", "b.mp4", "libx265"),
        ("h265", "b.mkv", "libx265"),
        ("av1", "b.webm", "libsvtav1"),
        ("vp9", "b.webm", "libvpx-vp9"),
        ("prores", "b.mov", "prores_ks"),
        ("ffv1", "b.mkv", "ffv1"),
        ("mpeg4", "b.avi", "mpeg4"),
        ("gif", "b.gif", "gif"),
        ("libx264", "b.mkv", "libx264"),
        ("libx264rgb", "b.mkv", "libx264rgb"),
        ("FFV1", "b.avi", "ffv1"),
    ],
)
def test_codecs_and_encoders_by_name(info, codec, name, encoder):
    chosen = plan(info, name, codec=codec)
    assert chosen.encoder == encoder
    assert not any("source's codec" in warning for warning in chosen.warnings)


def test_an_unknown_codec_is_a_usage_error(info):
    with pytest.raises(UsageError, match="`--codec divx`"):
        plan(info, "b.mp4", codec="divx")


@pytest.mark.parametrize(
    ("codec", "name"), [("h264", "b.webm"), ("ffv1", "b.mp4"), ("prores", "b.ts"), ("vp9", "b.avi")]
)
def test_a_codec_that_the_container_lacks_is_refused(info, codec, name):
    with pytest.raises(OutputError, match=f"`{codec}`"):
        plan(info, name, codec=codec)


@pytest.mark.parametrize(("codec", "crf"), [("h264", 52), ("h264", -1), ("vp9", 64), ("av1", 0)])
def test_quality_outside_the_range_is_a_usage_error(info, codec, crf):
    with pytest.raises(UsageError, match="outside"):
        plan(info, "b.mkv", codec=codec, crf=crf)


def test_quality_reaches_the_encoder(info):
    assert plan(info, "b.mkv", crf=30).options["crf"] == "30"
    assert plan(info, "b.avi", codec="mpeg4", crf=3).options["global_quality"] == str(3 * 118)
    with pytest.raises(UsageError, match="no meaning"):
        plan(info, "b.mkv", codec="ffv1", crf=3)
    with pytest.raises(UsageError, match="exclude"):
        plan(info, "b.mkv", crf=3, lossless=True)


def test_threads_are_a_recorded_constant(info):
    assert plan(info, "b.mkv").threads == plan(info, "b.mp4", codec="hevc").threads == 4


def test_lossless_uses_the_sources_codec_or_says_what_can(info, tmp_path, studio):
    assert plan(info, "b.mp4", lossless=True).options["qp"] == "0"
    prores = studio.write(
        tmp_path / "p.mov", codec="prores_ks", pixel_format="yuv422p10le", times=[0]
    )
    with pytest.raises(OutputError) as caught:
        plan(probe(prores), "b.mov", lossless=True)
    assert "`prores`" in caught.value.message
    assert "ffv1" in caught.value.hint
    assert ".mkv" in caught.value.hint


@pytest.mark.parametrize("codec", ["mpeg4", "gif", "av1", "prores", "mjpeg"])
def test_codecs_without_a_lossless_mode_say_so(info, codec):
    name = {"gif": "b.gif", "prores": "b.mov"}.get(codec, "b.mp4")
    with pytest.raises(OutputError, match="without loss"):
        plan(info, name, codec=codec, lossless=True)


def test_depth_is_not_given_up_where_another_codec_keeps_it(tmp_path, studio):
    path = studio.write(
        tmp_path / "a.mp4",
        codec="libx265",
        pixel_format="yuv420p10le",
        size=(64, 96),
        options={"x265-params": "log-level=none"},
        times=[0, 1],
    )
    chosen = plan(probe(path), "b.webm")
    assert (chosen.codec, chosen.layout.bit_depth) == ("av1", 10)
    assert any("hevc" in warning for warning in chosen.warnings)


def test_lost_transparency_is_said(tmp_path, studio):
    path = studio.write(tmp_path / "a.mkv", codec="ffv1", pixel_format="yuva420p", times=[0])
    chosen = plan(probe(path), "b.mp4")
    assert not chosen.layout.has_alpha
    assert any("transparency" in warning for warning in chosen.warnings)


def test_twelve_bit_prores_stays_prores(tmp_path, studio):
    path = studio.write(
        tmp_path / "a.mov",
        codec="prores_ks",
        pixel_format="yuv444p10le",
        options={"profile": "4444"},
        times=[0],
    )
    assert plan(probe(path), "b.mov").encoder == "prores_ks"


def test_a_codec_without_encoder_becomes_h264_with_a_word(tmp_path, studio):
    path = studio.write(
        tmp_path / "a.avi",
        codec="wmv2",
        times=[0, 1],
        rate=25,
        options={"strict": "experimental"},
    )
    chosen = plan(probe(path), "b.avi")
    assert chosen.codec == "h264"
    assert any("has no encoder here" in warning for warning in chosen.warnings)


def test_fields_that_cannot_be_kept_are_said(tmp_path, studio):
    path = studio.write(tmp_path / "a.mp4", options={"flags": "+ildct", "x264-params": "tff=1"})
    chosen = plan(probe(path), "b.webm")
    assert any("interlaced" in warning for warning in chosen.warnings)


@pytest.mark.parametrize(
    ("codec", "container", "is_kept"),
    [
        ("ffv1", "matroska", False),
        ("vp9", "matroska", False),
        ("h264", "matroska", True),
        ("vp9", "mp4", True),
        ("mpeg1video", "mpegts", False),
    ],
)
def test_a_sample_aspect_that_a_pipe_loses_is_said(info, codec, container, is_kept):
    wide = replace(info, sample_aspect=Fraction(4, 3))
    options = {"codec": codec, "crf": None, "lossless": False, "container": container}
    found = plan_output(wide, Pipe(io.BytesIO()), **options)
    said = [text for text in found.warnings if "sample aspect ratio 4/3" in text]
    assert (not said) == is_kept
    assert all("through a pipe" in text for text in said)
    if codec == "ffv1":
        assert not any("aspect" in text for text in plan(wide, "b.mkv", codec="ffv1").warnings)
