import av
import numpy as np
import pytest

from remover.errors import OutputError
from remover.train.videos import write_video
from remover.video.layouts import EXACT_FLAGS


def clip(frames: int, height: int, width: int) -> np.ndarray:
    """Coloured squares of eight pixels (T, H, W, 3)."""
    rng = np.random.default_rng(5)
    cells = rng.integers(20, 236, (frames, height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    return cells.repeat(8, axis=1).repeat(8, axis=2)[:, :height, :width]


def decoded(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream, list(container.decode(stream))


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((9, 64, 64), (128, 128)),
        ((1, 33, 47), (66, 94)),
        ((3, 257, 260), (514, 520)),
        ((3, 256, 288), (256, 288)),
    ],
)
def test_a_video_is_what_every_browser_plays(tmp_path, shape, shown):
    frames, path = clip(*shape), tmp_path / "v.mp4"
    write_video(path, frames, 8.0)
    stream, pictures = decoded(path)
    assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
    assert (stream.codec_context.height, stream.codec_context.width) == shown
    assert [picture.time for picture in pictures] == [n / 8 for n in range(shape[0])]
    assert stream.duration * stream.time_base == shape[0] / 8
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize("side", [64, 256])
def test_pictures_come_back_in_their_colours(tmp_path, side):
    frames, path = clip(4, side, side), tmp_path / "v.mp4"
    write_video(path, frames, 24.0)
    _, pictures = decoded(path)
    for frame, picture in zip(frames, pictures, strict=True):
        rgb = picture.reformat(format="rgb24", interpolation=EXACT_FLAGS)
        step = picture.height // side
        error = rgb.to_ndarray()[::step, ::step].astype(float) - frame
        within = error[4::8, 4::8]  # of squares; colour runs over their edges
        assert np.abs(within).mean() < 3
        assert abs(within.mean()) < 0.5
        if side == 64:  # doubled, so that it does not
            assert np.abs(error).mean() < 3.5


@pytest.mark.parametrize("fps", [8, 23.976023976, 29.97002997, 60.0])
def test_rates_are_kept(tmp_path, fps):
    write_video(tmp_path / "v.mp4", clip(5, 16, 16), fps)
    _, pictures = decoded(tmp_path / "v.mp4")
    assert np.allclose([p.time for p in pictures], np.arange(5) / fps, atol=1e-4)


def test_the_same_frames_make_the_same_bytes(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, clip(9, 64, 64), 8.0)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_video(tmp_path / "none" / "v.mp4", clip(2, 16, 16), 8.0)
