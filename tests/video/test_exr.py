"""OpenEXR pictures: floats bit for bit, headers kept, and what cannot be kept named."""

import struct

import numpy as np
import pytest

from remover import linear
from remover.errors import InputError, OutputError
from remover.types import Size
from remover.video import RgbPictures, look_at, plan_output, reader_of, verify_output, writer_of
from remover.video import exr as door
from remover.video.layouts import layout_of

ALL_HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16).reshape(256, 256)


def any_floats(seed: int, shape=(20, 30)) -> np.ndarray:
    """Floats of any bits: NaN of every kind, infinities and denormals are among them."""
    bits = np.random.default_rng(seed).integers(0, 1 << 32, shape, dtype=np.uint32)
    values = bits.view(np.float32)
    values[0, :5] = [np.nan, np.inf, -np.inf, -1.5, 4e4]
    return values


@pytest.fixture
def shoot(exr, tmp_path):
    """A function that writes a sequence of the given channels and returns its folder."""

    def write(*pictures, **options):
        folder = tmp_path / "shot"
        folder.mkdir()
        for n, channels in enumerate(pictures):
            (folder / f"{7 + n:04d}.exr").write_bytes(exr.make(channels, **options))
        return folder

    return write


def passed(source, target, part, change=None, **options):
    reader = reader_of(look_at(source))
    for _ in reader.scan():
        pass
    plan = plan_output(
        reader.info, target, **{"codec": None, "crf": None, "lossless": False} | options
    )
    with writer_of(reader.info, reader.index, plan, part, target) as writer:
        for frame in reader.frames():
            writer.write(frame, frame.planes if change is None else change(frame))
    verify_output(part, reader.info, reader.index, plan, writer.written)
    return plan


def bits_of(folder) -> list[list[bytes]]:
    return [[p.tobytes() for p in f.planes] for f in reader_of(look_at(folder)).scan()]


@pytest.mark.parametrize("is_zip", [False, True])
@pytest.mark.parametrize("names", ["RGB", "RGBA", "Y"])
@pytest.mark.parametrize("half", [False, True])
def test_every_float_comes_back_bit_for_bit(shoot, tmp_path, names, half, is_zip):
    shape = (256, 256)
    pictures = [
        {
            c: ALL_HALVES[:, ::-1]
            if half and i
            else ALL_HALVES
            if half
            else any_floats(n + i, shape)
            for i, c in enumerate(names)
        }
        for n in range(2)
    ]
    pictures = [{c: np.ascontiguousarray(a) for c, a in p.items()} for p in pictures]
    source = shoot(*pictures, is_zip=is_zip)
    plan = passed(source, tmp_path / "out", tmp_path / "part", lossless=True)
    assert plan.warnings == ()
    assert bits_of(tmp_path / "part") == bits_of(source)
    first = next(iter(reader_of(look_at(tmp_path / "part")).scan())).planes
    order = look_at(source).layout.order
    for name, place in zip(names, order, strict=True):
        assert first[place].tobytes() == pictures[0][name].tobytes()
        assert first[place].dtype == (np.float16 if half else np.float32)
    info = look_at(tmp_path / "part")
    assert info.layout == look_at(source).layout
    assert info.profile == ("ZIP" if is_zip else "none")


def test_what_the_header_says_is_kept(shoot, exr, tmp_path):
    primaries = struct.pack("<8f", 0.7347, 0.2653, 0, 1, 0.0001, -0.077, 0.32168, 0.33767)
    long_name = "a name of more than thirty-one letters"
    more = b"".join(
        [
            exr.attribute("chromaticities", "chromaticities", primaries),
            exr.attribute("pixelAspectRatio", "float", struct.pack("<f", 2.0)),
            exr.attribute("preview", "preview", struct.pack("<II", 1, 1) + bytes(4)),
            exr.attribute("timeCode", "timecode", bytes(range(8))),
            exr.attribute(long_name, "string", "ü".encode()),
        ]
    )
    source = shoot({c: any_floats(1) for c in "RGB"}, more=more, version=2 | door.LONG_NAMES)
    assert look_at(source).sample_aspect == 2
    passed(source, tmp_path / "out", tmp_path / "part")
    header = door.read_header(tmp_path / "part" / "0007.exr")
    assert header.flags == 2 | door.LONG_NAMES
    assert header.attributes["chromaticities"] == ("chromaticities", primaries)
    assert header.attributes["timeCode"] == ("timecode", bytes(range(8)))
    assert header.attributes[long_name] == ("string", "ü".encode())
    assert header.sample_aspect == 2
    assert "preview" not in header.attributes
    assert bits_of(tmp_path / "part") == bits_of(source)


def test_other_channels_are_named(shoot):
    whole = {c: any_floats(2) for c in "RGB"}
    ids = np.ones((20, 30), np.uint32)
    source = shoot(whole, whole | {"Z": any_floats(3).astype(np.float32), "crypto.R": ids})
    assert look_at(source).warnings == (
        "only the main picture is read; the other channels are left out: `Z`, `crypto.R`",
    )
    assert len(bits_of(source)) == 2


def test_a_small_data_window_is_named_and_filled_with_0(shoot, tmp_path):
    source = shoot({c: any_floats(4) for c in "RGB"}, data=(2, 3, 31, 22), display=(0, 0, 39, 29))
    info = look_at(source)
    assert info.size == Size(30, 40)
    assert "in 1 of 1 pictures" in info.warnings[0]
    passed(source, tmp_path / "out", tmp_path / "part")
    found = next(iter(reader_of(look_at(tmp_path / "part")).scan())).planes[2]
    assert found[3:23, 2:32].tobytes() == any_floats(4).tobytes()
    assert np.count_nonzero(found.view(np.uint32)[:3]) == 0


REFUSED = [
    ({"R": 4}, {}, "do not make a picture"),
    ({"b.R": 4, "b.G": 4, "b.B": 4}, {}, "do not make a picture"),
    ({"R": 4, "G": 4, "B": 2}, {}, "do not make a picture"),
    ({"R": 1, "G": 1, "B": 1}, {}, r"`R` \(integer\)"),
    ({"Y": 2, "RY": 2, "BY": 2}, {}, "do not make a picture"),
    ({"Y": 2, "A": 2}, {}, "do not make a picture"),
    ({"R": 4, "G": 4, "B": 4, "Y": 4}, {}, "do not make a picture"),
    ({"R": 4, "G": 4, "B": 4}, {"version": 2 | 0x1000}, "several parts"),
    ({"R": 4, "G": 4, "B": 4}, {"version": 2 | 0x800}, "samples in depth"),
    ({"R": 4, "G": 4, "B": 4}, {"step": 2}, "less resolution"),
    ({"R": 4, "G": 4, "B": 4}, {"data": (-1, 0, 28, 19), "display": (0, 0, 27, 19)}, "outside"),
    ({"R": 4, "G": 4, "B": 4}, {"data": (1, 1, 30, 20)}, "does not begin at 0,0"),
]


@pytest.mark.parametrize(("channels", "options", "message"), REFUSED)
def test_what_would_be_lost_is_refused(shoot, channels, options, message):
    kinds = {1: np.uint32, 2: np.float16, 4: np.float32}
    source = shoot({n: np.ones((20, 30), kinds[k]) for n, k in channels.items()}, **options)
    with pytest.raises(InputError, match=message):
        look_at(source)


def test_a_damaged_file_is_named(shoot, tmp_path):
    source = shoot({c: any_floats(1) for c in "RGB"})
    whole = (source / "0007.exr").read_bytes()
    for content, message in [
        (b"", "no whole OpenEXR header"),
        (b"\x89PNG and more", "no whole"),
        (whole[:150], "no whole"),
        (whole[:60], "no whole"),
        (whole[: len(whole) // 2], "block 10 of 20 cannot be read"),
        (whole.replace(b"box2i\0\x10", b"box2i\0\x0f"), "damaged header"),
    ]:
        (source / "0007.exr").write_bytes(content)
        with pytest.raises(InputError, match=message):
            bits_of(source)
    with pytest.raises(InputError, match="No such file"):
        door.read_header(tmp_path / "no.exr")


def test_kinds_do_not_mix_in_a_sequence(shoot):
    half = {c: np.ones((20, 30), np.float16) for c in "RGB"}
    source = shoot(half, {c: a.astype(np.float32) for c, a in half.items()})
    with pytest.raises(InputError, match=r"0008\.exr` is 30x20 `gbrpf32le`"):
        bits_of(source)


def test_reduced_to_integers_it_is_srgb_and_said(shoot, tmp_path):
    light = np.linspace(-0.5, 1.5, 600, dtype=np.float32).reshape(20, 30)
    light[3, 3], light[3, 4] = np.nan, np.inf
    shot = {"R": light, "G": light, "B": light, "A": np.full((20, 30), 0.5, np.float32)}
    source = shoot(shot, shot)
    plan = passed(source, tmp_path / "%d.png", tmp_path / "part")
    assert "floats are reduced to sRGB" in plan.warnings[0]
    found = next(iter(reader_of(look_at(tmp_path / "part")).scan())).planes[0]
    assert (found[..., 3] == 32768).all()
    wanted = np.rint(linear.shown(light / np.float32(0.5)) * 65535)
    assert np.abs(found[..., 0].astype(float) - wanted).max() <= 1
    for name, codec in [("a.mkv", "ffv1"), ("a.mp4", "h264"), ("a.gif", None)]:
        plan = passed(source, tmp_path / name, tmp_path / name, codec=codec)
        assert "floats are reduced to sRGB" in plan.warnings[0]
    assert look_at(tmp_path / "a.mkv").colour.tags[3] == 13


def test_half_gray_becomes_sixteen_bit_gray(shoot, tmp_path):
    source = shoot({"Y": np.full((20, 30), 0.5, np.float16)})
    passed(source, tmp_path / "%d.tif", tmp_path / "part")
    (found,) = next(iter(reader_of(look_at(tmp_path / "part")).scan())).planes
    assert (found == round(0.735357 * 65535)).all()


def test_what_no_float_can_be_is_refused(shoot, make_clip, tmp_path):
    info = look_at(shoot({c: any_floats(5) for c in "RGB"}))
    for name in ("a.mkv", "%d.png"):
        with pytest.raises(OutputError, match="floats cannot be stored"):
            plan_output(info, tmp_path / name, codec=None, crf=None, lossless=True)
    video = look_at(make_clip(frames=2).path)
    with pytest.raises(OutputError, match="is for linear floats"):
        plan_output(video, tmp_path / "%d.exr", codec=None, crf=None, lossless=False)


def test_pictures_to_work_on_keep_highlights_and_those_to_look_at_do_not(shoot):
    light = np.array([[0, 1, 40, np.nan, -1, np.inf]] * 4, np.float16)
    reader = reader_of(look_at(shoot(dict.fromkeys("RGB", light))))
    assert [len(f.planes) for f in reader.scan()] == [3]
    (work,), (seen,) = RgbPictures(reader).read(0, 1), RgbPictures(reader, shown=True).read(0, 1)
    assert work.dtype == seen.dtype == np.uint16
    assert seen[0, :, 0].tolist() == [0, 65535, 65535, 0, 0, 65535]
    assert np.allclose(linear.decoded(work[0, :3, 0] / 65535), [0, 1, 40], rtol=2e-4, atol=1e-5)
    assert layout_of("gbrpf16le").is_float


def test_a_block_that_the_decoder_would_leave_out_is_noticed(shoot):
    even = np.full((40, 30), 0.5, np.float32)
    source = shoot(dict.fromkeys("RGB", even), is_zip=True)
    path = source / "0007.exr"
    content = bytearray(path.read_bytes())
    content[-20] ^= 255
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"0007\.exr` is damaged or cut off: block 3 of 3"):
        bits_of(source)
