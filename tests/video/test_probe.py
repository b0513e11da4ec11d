from fractions import Fraction

import av
import pytest

from remover.errors import ExitCode, InputError
from remover.types import Orientation, Size
from remover.video import facts, layout_of, probe, shown_size


def test_facts_of_a_plain_clip(tmp_path, studio):
    info = probe(studio.write(tmp_path / "a.mp4", audio="aac"))
    assert (info.codec, info.layout.name, info.size) == ("h264", "yuv420p", Size(48, 64))
    assert (info.rate, info.num_frames_hint) == (24, 12)
    assert info.duration_s == pytest.approx(0.5)
    assert [(s.kind, s.codec) for s in info.others] == [("audio", "aac")]
    assert not info.interlaced
    assert info.warnings == ()


@pytest.mark.parametrize("clockwise", [0, 90, 180, 270])
@pytest.mark.parametrize(
    ("suffix", "hflip"),
    [(".mp4", False), (".mp4", True), (".mov", False), (".mov", True), (".mkv", False)],
)
def test_every_orientation_is_read_back(tmp_path, studio, clockwise, hflip, suffix):
    orientation = Orientation(clockwise, hflip)

    def setup(_container, stream):
        stream.set_display_matrix(facts.display_matrix(orientation))

    path = studio.write(tmp_path / f"a{suffix}", setup=setup, times=[0])
    info = probe(path)
    assert info.orientation == orientation
    turned = clockwise in (90, 270)
    assert shown_size(path) == (Size(64, 48) if turned else Size(48, 64))


def test_rotation_agrees_with_the_library(tmp_path, studio):
    def setup(_container, stream):
        stream.set_display_rotation(-90)

    path = studio.write(tmp_path / "a.mp4", setup=setup, times=[0])
    assert probe(path).orientation == Orientation(90)


def test_a_crooked_rotation_is_said(tmp_path, studio):
    def setup(_container, stream):
        stream.set_display_rotation(-80)

    info = probe(studio.write(tmp_path / "a.mp4", setup=setup, times=[0]))
    assert info.orientation == Orientation(90)
    assert "not a quarter turn" in info.warnings[0]


def test_pixel_aspect_widens_the_shown_picture(tmp_path, studio):
    def setup(_container, stream):
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    path = studio.write(tmp_path / "a.mp4", size=(48, 48), setup=setup)
    assert probe(path).sample_aspect == Fraction(4, 3)
    assert shown_size(path) == Size(48, 64)


@pytest.mark.parametrize(
    ("name", "height", "tags", "matrix", "full"),
    [
        ("yuv420p", 480, (2, 0, 2, 2), "bt601", False),
        ("yuv420p", 720, (2, 0, 2, 2), "bt709", False),
        ("yuv420p", 480, (1, 1, 1, 1), "bt709", False),
        ("yuv420p10le", 480, (9, 1, 9, 16), "bt2020", False),
        ("yuv420p", 1080, (6, 2, 6, 6), "bt601", True),
        ("yuvj420p", 480, (5, 0, 2, 2), "bt601", True),
        ("gbrp", 480, (0, 0, 2, 2), "rgb", True),
        ("gray", 480, (2, 0, 2, 2), "bt601", True),
        ("gray", 480, (2, 1, 2, 2), "bt601", False),
        ("yuv444p", 480, (7, 0, 2, 2), "smpte240m", False),
    ],
)
def test_what_samples_mean(name, height, tags, matrix, full):
    colour, warning = facts.colour_of(layout_of(name), Size(height, 640), tags)
    assert (colour.matrix, colour.full_range, colour.tags) == (matrix, full, tags)
    assert warning is None


@pytest.mark.parametrize("space", [8, 10, 14])
def test_rare_matrices_are_approximated_with_a_word(space):
    _, warning = facts.colour_of(layout_of("yuv420p"), Size(1080, 1920), (space, 1, 9, 16))
    assert str(space) in warning


def test_top_field_first_is_seen(tmp_path, studio):
    path = studio.write(tmp_path / "a.mp4", options={"flags": "+ildct", "x264-params": "tff=1"})
    info = probe(path)
    assert info.interlaced
    assert info.top_field_first


def test_bottom_field_first_is_seen(tmp_path, studio):
    path = studio.write(tmp_path / "a.mp4", options={"flags": "+ildct", "x264-params": "bff=1"})
    info = probe(path)
    assert info.interlaced
    assert not info.top_field_first


def test_hdr10_metadata_is_read(tmp_path, studio):
    display = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
    params = f"log-level=none:hdr10=1:repeat-headers=1:master-display={display}:max-cll=1000,400"
    path = studio.write(
        tmp_path / "a.mp4",
        codec="libx265",
        pixel_format="yuv420p10le",
        options={"preset": "ultrafast", "x265-params": params},
    )
    assert probe(path).hdr == {"master-display": display, "max-cll": "1000,400"}


def test_the_moving_picture_is_found_behind_a_cover(tmp_path, studio):
    info = probe(with_cover(tmp_path / "a.mp4", studio))
    assert info.codec == "h264"
    assert [other.codec for other in info.others] == ["mjpeg"]


def with_cover(path, studio):
    """A clip whose first stream is a cover picture."""
    plain = studio.write(path.with_name(f"plain{path.suffix}"))
    cover = av.CodecContext.create("mjpeg", "w")
    cover.width, cover.height, cover.pix_fmt = 16, 16, "yuvj420p"
    cover.time_base = Fraction(1, 25)
    picture = cover.encode(av.VideoFrame(16, 16, "yuvj420p"))[0]
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        art = target.add_stream("mjpeg")
        art.width, art.height, art.pix_fmt = 16, 16, "yuvj420p"
        art.disposition = av.stream.Disposition.attached_pic
        video = target.add_stream_from_template(source.streams.video[0])
        target.start_encoding()
        picture.stream = art
        target.mux(picture)
        for packet in source.demux():
            if packet.size:
                packet.stream = video
                target.mux(packet)
    return path


def test_timecode_is_read(tmp_path, studio):
    def setup(_container, stream):
        stream.metadata["timecode"] = "01:02:03:04"

    assert probe(studio.write(tmp_path / "a.mov", setup=setup)).timecode == "01:02:03:04"


def test_vp9_alpha_needs_no_asking(tmp_path, studio):
    def setup(_container, stream):
        stream.metadata["alpha_mode"] = "1"

    path = studio.write(
        tmp_path / "a.webm",
        codec="libvpx-vp9",
        pixel_format="yuva420p",
        options={"auto-alt-ref": "0", "deadline": "realtime", "cpu-used": "8"},
        setup=setup,
    )
    info = probe(path)
    assert info.alpha_in_side_stream
    assert info.layout.name == "yuva420p"


def test_formats_that_are_converted_are_named(tmp_path, studio):
    def fill(path):
        with av.open(str(path), "w") as container:
            stream = container.add_stream("rawvideo", rate=24)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "uyvy422"
            for number in range(3):
                frame = studio.frame("yuv422p", Size(48, 64), number).reformat(format="uyvy422")
                frame.pts, frame.time_base = number, Fraction(1, 24)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    info = probe(fill(tmp_path / "a.avi"))
    assert info.layout.name == "yuv422p"
    assert "exactly" in info.warnings[0]


def failing(tmp_path, studio):
    """Files that are no videos, and a word that the error must have."""
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.txt").write_text("nothing to see here\n" * 50)
    (tmp_path / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "folder.mp4").mkdir()
    whole = studio.write(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: whole.index(b"moov") - 200])
    with av.open(str(tmp_path / "sound.m4a"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        silence = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
        silence.sample_rate = 48000
        for plane in silence.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    with av.open(str(tmp_path / "still.png"), "w", format="image2") as container:
        stream = container.add_stream("png")
        stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb24"
        container.mux(stream.encode(av.VideoFrame(64, 48, "rgb24")))
        container.mux(stream.encode(None))
    return {
        "missing.mp4": "does not exist",
        "empty.mp4": "is empty",
        "text.txt": "not a video",
        "noise.mp4": "not a video",
        "folder.mp4": "is a folder",
        "cut.mp4": "index is missing",
        "sound.m4a": "no video stream",
        "still.png": "still image",
    }


def test_what_is_no_video_is_refused_in_one_sentence(tmp_path, studio):
    for name, words in failing(tmp_path, studio).items():
        with pytest.raises(InputError) as caught:
            probe(tmp_path / name)
        error = caught.value
        assert words in error.message, name
        assert f"`{tmp_path / name}`" in error.message
        assert "\n" not in error.message
        assert error.hint
        assert error.code == ExitCode.INPUT


@pytest.mark.parametrize("name", ["a:b.mp4", "-.mp4", "ü 日本 (1).mp4", "%03d.mp4", "file:x.mp4"])
def test_any_name_is_just_a_name(tmp_path, studio, name):
    plain = studio.write(tmp_path / "plain.mp4", times=[0, 1])
    path = tmp_path / name
    plain.rename(path)
    assert probe(path).size == Size(48, 64)
