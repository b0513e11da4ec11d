from fractions import Fraction

import av
import numpy as np
import pytest

from remover.errors import InputError, OutputError
from remover.geometry import to_coded_mask
from remover.types import Orientation, Size
from remover.video import GrayWriter, facts, read_gray


def masks_of(index, size, seed=1):
    rng = np.random.default_rng(seed)
    found = [np.zeros(size, bool) for _ in range(index.num_frames)]
    for number, mask in enumerate(found):
        if number % 4:
            top, left = rng.integers(0, size[0] // 2), rng.integers(0, size[1] // 2)
            mask[top : top + 9, left : left + 14] = True
    return found


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov", ".webm", ".avi"])
@pytest.mark.parametrize("size", [(48, 64), (47, 61)])
def test_masks_come_back_as_exactly_0_and_255(tmp_path, studio, suffix, size):
    source = studio.write(tmp_path / "a.mkv", codec="ffv1", size=size)
    reader = studio.scanned(source)
    masks = masks_of(reader.index, reader.info.size)
    part, name = tmp_path / ".m.part", tmp_path / f"m{suffix}"
    with GrayWriter(part, name, reader.info, reader.index) as writer:
        for mask in masks:
            writer.write(mask)
    got = list(read_gray(part))
    assert len(got) == len(masks)
    for levels, mask in zip(got, masks, strict=True):
        assert levels.dtype == np.uint8
        np.testing.assert_array_equal(levels, mask * np.uint8(255))


def test_times_are_those_of_the_video(tmp_path, studio):
    times = [9000, 12000, 15000, 21000, 24000, 33000]
    source = studio.write(tmp_path / "a.mp4", times=times, time_base=Fraction(1, 90000))
    reader = studio.scanned(source)
    with GrayWriter(tmp_path / "m.mp4", tmp_path / "m.mp4", reader.info, reader.index) as writer:
        for mask in masks_of(reader.index, reader.info.size):
            writer.write(mask)
    new = studio.scanned(tmp_path / "m.mp4").index
    assert [new.time_of(i) for i in range(6)] == [reader.index.time_of(i) for i in range(6)]
    assert new.end_s == reader.index.end_s


@pytest.mark.parametrize("clockwise", [0, 90, 180, 270])
@pytest.mark.parametrize("size", [(48, 64), (64, 64)])
@pytest.mark.parametrize("aspect", [Fraction(1), Fraction(4, 3)])
def test_masks_of_turned_videos_fit_again(tmp_path, studio, clockwise, size, aspect):
    def setup(_container, stream):
        stream.set_display_matrix(facts.display_matrix(Orientation(clockwise)))
        stream.codec_context.sample_aspect_ratio = aspect

    source = studio.write(tmp_path / "a.mp4", setup=setup, size=size)
    reader = studio.scanned(source)
    masks = masks_of(reader.index, reader.info.size)
    path = tmp_path / "m.mkv"
    with GrayWriter(path, path, reader.info, reader.index) as writer:
        for mask in masks:
            writer.write(mask)
    for levels, mask in zip(read_gray(path), masks, strict=True):
        np.testing.assert_array_equal(to_coded_mask(levels > 127, reader.info), mask)


def test_levels_of_other_programs_are_stretched_to_the_full_range(tmp_path, studio):
    path = tmp_path / "m.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = studio.frame("yuv420p", Size(48, 64), 0)
        luma = np.ndarray((48, frame.planes[0].line_size), np.uint8, buffer=frame.planes[0])
        luma[:24], luma[24:] = 16, 235
        frame.pts, frame.time_base = 0, Fraction(1, 24)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    levels = next(read_gray(path))
    assert set(np.unique(levels[:24])) == {0}
    assert set(np.unique(levels[24:])) == {255}


@pytest.mark.parametrize("pixel_format", ["rgb24", "gray"])
def test_rgb_and_gray_videos_are_masks_too(tmp_path, pixel_format):
    path = tmp_path / "m.mkv"
    codec = "libx264rgb" if pixel_format == "rgb24" else "ffv1"
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[10:20] = 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24, options={"qp": "0"} if "264" in codec else {})
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        source = picture if pixel_format == "rgb24" else picture[..., 0]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(source), pixel_format)
        frame.pts, frame.time_base = 0, Fraction(1, 24)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    np.testing.assert_array_equal(next(read_gray(path)), picture[..., 0])


def test_formats_with_loss_are_refused(tmp_path, studio):
    reader = studio.scanned(studio.write(tmp_path / "a.mkv"))
    with pytest.raises(OutputError, match="without loss"):
        GrayWriter(tmp_path / "m.gif", tmp_path / "m.gif", reader.info, reader.index)


def test_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "m.mkv").write_text("no masks here")
    with pytest.raises(InputError, match="not a video"):
        next(read_gray(tmp_path / "m.mkv"))
