"""Image sequences in and out, picture by picture."""

import struct
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest

from remover.errors import InputError, OutputError, UsageError, VerifyError
from remover.types import Size
from remover.video import look_at, plan_output, reader_of, verify_output, writer_of
from remover.video.stillwriter import check_pictures

KINDS = [
    (".png", "png", "rgb24"),
    (".png", "png", "rgba"),
    (".png", "png", "rgb48be"),
    (".png", "png", "rgba64be"),
    (".png", "png", "gray"),
    (".png", "png", "gray16be"),
    (".png", "png", "ya8"),
    (".tif", "tiff", "rgb24"),
    (".tif", "tiff", "rgb48le"),
    (".tiff", "tiff", "rgba64le"),
    (".dpx", "dpx", "gbrp10le"),
    (".dpx", "dpx", "gbrp12le"),
    (".dpx", "dpx", "rgb48le"),
    (".dpx", "dpx", "rgba"),
]


def encoded(codec, pixel_format, studio, number, size=(20, 30)):
    native = pixel_format.removesuffix("be") + ("le" if pixel_format.endswith("be") else "")
    frame = studio.frame(native, Size(*size), number).reformat(format=pixel_format)
    frame.pts = number
    context = av.CodecContext.create(codec, "w")
    context.height, context.width = size
    context.pix_fmt = pixel_format
    context.time_base = context.framerate = Fraction(1)
    context.thread_count = 1
    return b"".join(bytes(p) for p in [*context.encode(frame), *context.encode(None)])


@pytest.fixture
def shoot(studio, tmp_path):
    """A function that writes a sequence and returns its folder."""

    def write(suffix=".png", codec="png", pixel_format="rgb24", count=4, first=1001):
        folder = tmp_path / "shot"
        folder.mkdir()
        for n in range(count):
            content = encoded(codec, pixel_format, studio, n)
            (folder / f"{first + n:05d}{suffix}").write_bytes(content)
        return folder

    return write


def scanned(path, rate=None):
    reader = reader_of(look_at(path, rate))
    return reader, [frame.planes for frame in reader.scan()]


def passed(source, target, part, *, change=None, **options):
    """Write ``source`` to ``part`` as if to ``target``; reader, plan and what was counted."""
    reader, _ = scanned(source)
    choices = {"codec": None, "crf": None, "lossless": False} | options
    plan = plan_output(reader.info, target, **choices)
    with writer_of(reader.info, reader.index, plan, part, target) as writer:
        for frame in reader.frames():
            writer.write(frame, frame.planes if change is None else change(frame))
    verify_output(part, reader.info, reader.index, plan, writer.written)
    return reader, plan, writer.written


@pytest.mark.parametrize(("suffix", "codec", "pixel_format"), KINDS)
def test_every_sample_comes_back(shoot, tmp_path, suffix, codec, pixel_format):
    source = shoot(suffix, codec, pixel_format)
    _, plan, _ = passed(source, tmp_path / "out", tmp_path / "part", lossless=True)
    assert not any("lost" in text or "bits" in text for text in plan.warnings)
    before, after = scanned(source)[1], scanned(tmp_path / "part")[1]
    assert len(before) == len(after) == 4
    for old, new in zip(before, after, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))
    info = look_at(tmp_path / "part")
    assert info.layout == look_at(source).layout
    assert [p.name for p in info.pictures] == [p.name for p in look_at(source).pictures]


def test_jpeg_in_and_out(shoot, tmp_path):
    source = shoot(".jpg", "mjpeg", "yuvj420p")
    passed(source, tmp_path / "out" / "%d.jpg", tmp_path / "part")
    for old, new in zip(scanned(source)[1], scanned(tmp_path / "part")[1], strict=True):
        assert np.abs(old[0].astype(int) - new[0]).mean() < 2
    assert min(p.name for p in (tmp_path / "part").iterdir()) == "1001.jpg"
    with pytest.raises(OutputError, match="without loss"):
        plan_output(look_at(source), tmp_path / "%d.jpg", codec=None, crf=None, lossless=True)


def test_changed_samples_are_written(shoot, tmp_path):
    def change(frame):
        planes = tuple(p.copy() for p in frame.planes)
        planes[0][:4] = frame.index
        return planes

    passed(shoot(), tmp_path / "out", tmp_path / "part", change=change)
    for number, (plane,) in enumerate(scanned(tmp_path / "part")[1]):
        assert (plane[:4] == number).all()


def test_any_range_can_be_read_again(shoot):
    reader, planes = scanned(shoot(), Fraction(24))
    again = list(reader.frames(1, 3))
    assert [f.index for f in again] == [1, 2]
    assert np.array_equal(again[0].planes[0], planes[1][0])
    assert reader.index.time_of(2) == Fraction(2, 24)


def test_a_picture_that_changes_in_between_is_noticed(shoot, studio):
    folder = shoot()
    reader, _ = scanned(folder)
    (folder / "01002.png").write_bytes(encoded("png", "rgb24", studio, 9))
    with pytest.raises(InputError, match=r"01002\.png` changed"):
        list(reader.frames())


@pytest.mark.parametrize(
    ("size", "pixel_format"), [((20, 32), "rgb24"), ((20, 30), "rgba"), ((20, 30), "rgb48be")]
)
def test_pictures_of_another_size_or_kind_are_named(shoot, studio, size, pixel_format):
    folder = shoot()
    (folder / "01003.png").write_bytes(encoded("png", pixel_format, studio, 2, size))
    with pytest.raises(InputError, match=rf"01003\.png` is {size[1]}x{size[0]} `{pixel_format}`"):
        scanned(folder)


def test_a_damaged_picture_is_named(shoot):
    folder = shoot()
    (folder / "01002.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"01002\.png` cannot be read as a picture"):
        scanned(folder)


def test_other_float_pictures_are_refused(tmp_path):
    (tmp_path / "1.hdr").touch()
    with pytest.raises(InputError, match="floating-point"):
        look_at(tmp_path)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("channels", [1, 3])
def test_a_tiff_of_floats_is_refused(tmp_path, order, channels):
    def entry(tag, kind, count, value):
        text = struct.pack(f"{order}HHI", tag, kind, count)
        return text + struct.pack(f"{order}HH" if kind == 3 else f"{order}I", *value)

    start = 8 + 2 + 12 * 3 + 4
    several = channels > 2
    content = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HIH", 42, 8, 3)
    content += entry(256, 3, 1, (8, 0)) + entry(257, 3, 1, (8, 0))
    content += entry(339, *((4, channels, (start,)) if several else (3, 1, (3, 0))))
    content += bytes(4) + struct.pack(f"{order}{channels}H", *[3] * channels)
    (tmp_path / "1.tif").write_bytes(content)
    with pytest.raises(InputError, match="read from OpenEXR only"):
        look_at(tmp_path)


def test_a_rate_is_for_sequences_only(shoot, make_clip):
    assert look_at(shoot(), Fraction(30)).rate == 30
    with pytest.raises(UsageError, match="for image sequences"):
        look_at(make_clip(frames=2).path, Fraction(30))


def test_a_video_from_pictures_and_pictures_from_a_video(shoot, make_clip, tmp_path):
    source = shoot()
    reader, plan, _ = passed(source, tmp_path / "a.mkv", tmp_path / "a.mkv", codec="ffv1")
    assert plan.codec == "ffv1"
    assert look_at(tmp_path / "a.mkv").rate == reader.info.rate
    clip = make_clip(frames=3, pixel_format="bgr0", audio=True)
    _, plan, _ = passed(clip.path, tmp_path / "%02d.png", tmp_path / "part")
    assert any("an image sequence holds pictures only" in text for text in plan.warnings)
    found = scanned(tmp_path / "part")[1]
    assert len(found) == 3
    assert np.array_equal(found[1][0][~clip.masks[1]], clip.clean[1][~clip.masks[1]])


def test_the_codec_is_the_one_of_the_suffix(shoot, tmp_path):
    info = look_at(shoot())
    with pytest.raises(UsageError, match="does not fit"):
        plan_output(info, tmp_path / "%d.tif", codec="png", crf=None, lossless=False)
    with pytest.raises(UsageError, match="no meaning"):
        plan_output(info, tmp_path / "%d.tif", codec=None, crf=3, lossless=False)


def test_less_than_was_written_is_noticed(shoot, tmp_path):
    source = shoot()
    reader, plan, written = passed(source, tmp_path / "out", tmp_path / "part")
    (tmp_path / "part" / "01004.png").write_bytes((source / "01001.png").read_bytes())
    with pytest.raises(VerifyError, match=r"01004\.png` does not hold"):
        check_pictures(tmp_path / "part", reader.info, plan, written)
    (tmp_path / "part" / "01004.png").unlink()
    with pytest.raises(VerifyError, match="pictures: `3`, not `4`"):
        check_pictures(tmp_path / "part", reader.info, plan, written)
    with pytest.raises(VerifyError, match="size"):
        check_pictures(source, replace(reader.info, size=Size(1, 1)), plan, written)


def test_what_the_numbers_of_a_dpx_mean_is_kept(shoot, tmp_path):
    source = shoot(".dpx", "dpx", "gbrp10le")
    for path in source.iterdir():
        content = bytearray(path.read_bytes())
        content[801:803] = b"\x03\x03"  # printing density
        path.write_bytes(content)
    passed(source, tmp_path / "out", tmp_path / "part")
    assert {p.read_bytes()[801:803] for p in (tmp_path / "part").iterdir()} == {b"\x03\x03"}
