from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from remover.errors import InputError
from remover.plates import read_plate
from remover.types import Orientation
from remover.video import probe


@pytest.fixture
def info(make_clip):
    return probe(make_clip("plates.mkv", frames=2).path)  # 128x96


def picture(height: int = 96, width: int = 128, dtype: type = np.uint8) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.integers(0, np.iinfo(dtype).max + 1, (height, width, 3), dtype)


def write(path, rgb, alpha=None):
    bgr = rgb[..., ::-1]
    cv2.imwrite(str(path), bgr if alpha is None else np.dstack([bgr, alpha]))
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_values_are_those_of_the_file_at_the_depth_of_the_video(suffix, dtype, info, tmp_path):
    rgb = picture(dtype=dtype)
    path = write(tmp_path / f"plate{suffix}", rgb)
    plate = read_plate(path, info, 7)
    assert plate.index == 7
    assert plate.known.all()
    wanted = rgb if dtype == np.uint8 else np.rint(rgb / 257).astype(np.uint8)
    assert np.array_equal(plate.rgb, wanted)
    deep = read_plate(path, replace(info, layout=replace(info.layout, bit_depth=10)), 7)
    assert np.array_equal(deep.rgb, rgb if dtype == np.uint16 else rgb.astype(np.uint16) * 257)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_transparent_says_nothing(dtype, info, tmp_path):
    alpha = np.zeros((96, 128), dtype)
    alpha[10:30, 40:60] = np.iinfo(dtype).max
    path = write(tmp_path / "plate.png", picture(dtype=dtype), alpha)
    assert np.array_equal(read_plate(path, info, 0).known, alpha > 0)


def test_a_gray_picture_and_a_jpeg_are_plates(info, tmp_path):
    gray = picture()[..., 0]
    cv2.imwrite(str(tmp_path / "gray.png"), gray)
    plate = read_plate(tmp_path / "gray.png", info, 0)
    assert np.array_equal(plate.rgb, np.dstack([gray] * 3))
    assert read_plate(write(tmp_path / "a.jpg", picture()), info, 0).rgb.shape == (96, 128, 3)


def test_shown_pictures_are_turned_and_stretched_back(info, tmp_path):
    turned = replace(info, orientation=Orientation(90))
    rgb = picture()
    alpha = np.zeros((96, 128), np.uint8)
    alpha[:20, :30] = 255
    shown = write(tmp_path / "shown.png", np.rot90(rgb, -1), np.rot90(alpha, -1))
    plate = read_plate(shown, turned, 0)
    assert np.array_equal(plate.rgb, rgb)
    assert np.array_equal(plate.known, alpha > 0)
    coded = write(tmp_path / "coded.png", rgb, alpha)
    assert np.array_equal(read_plate(coded, turned, 0).rgb, rgb)
    wide = replace(info, sample_aspect=Fraction(2))
    flat = write(tmp_path / "wide.png", np.full((96, 256, 3), 77, np.uint8))
    assert (read_plate(flat, wide, 0).rgb == 77).all()
    assert read_plate(flat, wide, 0).rgb.shape == (96, 128, 3)


def test_errors_name_the_file_and_both_sizes(info, tmp_path):
    with pytest.raises(InputError, match=r"`.*none.png`: no such file"):
        read_plate(tmp_path / "none.png", info, 0)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match="not a readable PNG, JPEG or TIFF"):
        read_plate(tmp_path / "bad.png", info, 0)
    small = write(tmp_path / "small.png", picture(10, 20))
    with pytest.raises(InputError, match=r"is 20x10 and `plates.mkv` is 128x96"):
        read_plate(small, info, 0)
    with pytest.raises(InputError, match=r"is 20x10 .* is 96x128 \(shown\) or 128x96 \(coded\)"):
        read_plate(small, replace(info, orientation=Orientation(90)), 0)
    clear = write(tmp_path / "clear.png", picture(), np.zeros((96, 128), np.uint8))
    with pytest.raises(InputError, match="transparent everywhere"):
        read_plate(clear, info, 0)
