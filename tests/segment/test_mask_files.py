"""A user's masks are read whatever their kind, and refused with the difference named."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from remover.errors import InputError, OutputError
from remover.geometry import shown_size, to_coded_mask, to_shown_mask
from remover.segment import MaskStore, load_masks, read_mask_image, write_mask_folder
from remover.segment.files import natural_key
from remover.types import Colour, Orientation, PixelLayout, Size, VideoInfo

SIZE = Size(24, 40)
INFO = VideoInfo(
    path=Path("clip.mp4"),
    container="mp4",
    stream_index=0,
    codec="h264",
    profile=None,
    layout=PixelLayout("yuv420p", "yuv", 8, True, (0, 1, 2), 1, 1),
    size=SIZE,
    sample_aspect=Fraction(1),
    orientation=Orientation(),
    colour=Colour("bt709", full_range=False),
    time_base=Fraction(1, 24),
    rate=Fraction(24),
    num_frames_hint=4,
    duration_s=1.0,
)
TURNED = replace(INFO, orientation=Orientation(90))


def square(shift: int = 0) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[5:12, 8 + shift : 20 + shift] = True
    return mask


def write(path: Path, picture: np.ndarray) -> Path:
    assert cv2.imwrite(str(path), picture)
    return path


def gray(mask: np.ndarray) -> np.ndarray:
    return mask.astype(np.uint8) * 255


def palette_png(path: Path, indices: np.ndarray, palette: list[tuple[int, int, int]]) -> Path:
    """A PNG with a palette, through FFmpeg, as drawing programs write them."""
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as box:
        stream = box.add_stream("png", rate=1)
        stream.height, stream.width, stream.pix_fmt = *indices.shape, "pal8"
        frame = av.VideoFrame(indices.shape[1], indices.shape[0], "pal8")
        rows = np.zeros((indices.shape[0], frame.planes[0].line_size), np.uint8)
        rows[:, : indices.shape[1]] = indices
        frame.planes[0].update(rows)
        table = np.zeros((256, 4), np.uint8)
        table[: len(palette)] = [(b, g, r, 255) for r, g, b in palette]
        frame.planes[1].update(table)
        box.mux(stream.encode(frame))
        box.mux(stream.encode())
    return path


def load(path: Path, folder: Path, info: VideoInfo = INFO, **options) -> list[np.ndarray]:
    chosen = {"object_id": 1, "invert": False, "first": 0, "stop": 4} | options
    with MaskStore(folder, info.size, 4) as store:
        load_masks(path, info, 4, store, **chosen)
        return [store.get(index) for index in range(4)]


class TestImages:
    def test_levels_above_the_middle_are_inside(self, tmp_path):
        picture = np.full(SIZE, 127, np.uint8)
        picture[square()] = 128
        path = write(tmp_path / "m.png", picture)
        np.testing.assert_array_equal(read_mask_image(path, INFO), square())

    def test_sixteen_bits(self, tmp_path):
        path = write(tmp_path / "m.png", square().astype(np.uint16) * 65535)
        np.testing.assert_array_equal(read_mask_image(path, INFO), square())

    def test_jpeg(self, tmp_path):
        path = write(tmp_path / "m.JPG", gray(square()))
        assert np.mean(read_mask_image(path, INFO) ^ square()) < 0.02

    def test_a_mask_painted_in_any_colour(self, tmp_path):
        path = write(tmp_path / "m.png", gray(square())[..., None] * np.uint8([0, 0, 1]))
        np.testing.assert_array_equal(read_mask_image(path, INFO), square())

    @pytest.mark.parametrize("ink", [0, 255])
    def test_a_cut_out_in_one_colour_counts_by_its_transparency(self, tmp_path, ink):
        picture = np.full((*SIZE, 4), ink, np.uint8)
        picture[..., 3] = gray(square())
        path = write(tmp_path / "m.png", picture)
        np.testing.assert_array_equal(read_mask_image(path, INFO), square())

    def test_an_opaque_alpha_changes_nothing(self, tmp_path):
        picture = np.dstack([gray(square())] * 3 + [np.full(SIZE, 255, np.uint8)])
        path = write(tmp_path / "m.png", picture)
        np.testing.assert_array_equal(read_mask_image(path, INFO), square())

    def test_in_a_coloured_palette_every_index_but_the_first_is_inside(self, tmp_path):
        path = palette_png(tmp_path / "m.png", square().astype(np.uint8), [(0, 0, 0), (120, 0, 0)])
        np.testing.assert_array_equal(read_mask_image(path, INFO), square())

    def test_a_gray_palette_counts_by_its_levels(self, tmp_path):
        white_first = (~square()).astype(np.uint8)
        path = palette_png(tmp_path / "m.png", white_first, [(255, 255, 255), (0, 0, 0)])
        np.testing.assert_array_equal(read_mask_image(path, INFO), square())

    def test_shown_and_coded_size_give_the_same(self, tmp_path):
        shown = write(tmp_path / "shown.png", gray(to_shown_mask(square(), TURNED)))
        coded = write(tmp_path / "coded.png", gray(square()))
        np.testing.assert_array_equal(read_mask_image(shown, TURNED), square())
        np.testing.assert_array_equal(read_mask_image(coded, TURNED), square())

    def test_it_holds_on_the_asked_frames(self, tmp_path):
        path = write(tmp_path / "m.png", gray(square()))
        maps = load(path, tmp_path, object_id=3, first=1, stop=3)
        assert [m.max() for m in maps] == [0, 3, 3, 0]

    def test_inverted(self, tmp_path):
        path = write(tmp_path / "m.png", gray(square()))
        maps = load(path, tmp_path, invert=True)
        np.testing.assert_array_equal(maps[0] > 0, ~square())


class TestSequences:
    def test_a_folder_is_read_in_natural_order(self, tmp_path):
        folder = tmp_path / "masks"
        folder.mkdir()
        for name, shift in (("m8", 0), ("m9", 1), ("m10", 2), ("m11", 3)):
            write(folder / f"{name}.png", gray(square(shift)))
        (folder / "notes.txt").write_text("not a mask")
        for index, labels in enumerate(load(folder, tmp_path)):
            np.testing.assert_array_equal(labels > 0, square(index))

    def test_a_video(self, tmp_path):
        path = tmp_path / "masks.mkv"
        with av.open(str(path), "w") as box:
            stream = box.add_stream("ffv1", rate=24)
            stream.height, stream.width, stream.pix_fmt = *SIZE, "gray"
            for index in range(4):
                picture = gray(square(index))
                box.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="gray")))
            box.mux(stream.encode())
        for index, labels in enumerate(load(path, tmp_path)):
            np.testing.assert_array_equal(labels > 0, square(index))
        with pytest.raises(InputError) as caught, MaskStore(tmp_path, SIZE, 6) as store:
            load_masks(path, INFO, 6, store, object_id=1, invert=False, first=0, stop=6)
        assert caught.value.message == f"`{path}` has 4 frames and `clip.mp4` has 6 frames"

    @pytest.mark.parametrize("info", [INFO, TURNED])
    def test_what_is_written_goes_back_in(self, tmp_path, info):
        folder = tmp_path / "out"
        folder.mkdir()
        masks = [square(), square() & False, square(2), square(3)]
        write_mask_folder(iter(masks), folder, info, 4)
        names = sorted(file.name for file in folder.iterdir())
        assert names == ["00000.png", "00001.png", "00002.png", "00003.png"]
        picture = cv2.imread(str(folder / names[0]), cv2.IMREAD_UNCHANGED)
        assert set(np.unique(picture)) == {0, 255}
        assert picture.shape == tuple(shown_size(info))
        for labels, mask in zip(load(folder, tmp_path, info), masks, strict=True):
            np.testing.assert_array_equal(labels > 0, mask)

    def test_the_folder_must_be_there_to_write(self, tmp_path):
        with pytest.raises(OutputError, match=r"`00000\.png` cannot be written"):
            write_mask_folder(iter([square()]), tmp_path / "none", INFO, 1)

    def test_two_masks_add_up(self, tmp_path):
        one = write(tmp_path / "1.png", gray(square()))
        two = write(tmp_path / "2.png", gray(square(15)))
        with MaskStore(tmp_path, SIZE, 4) as store:
            for object_id, path in ((1, one), (2, two)):
                load_masks(path, INFO, 4, store, object_id=object_id, invert=False, first=0, stop=4)
            np.testing.assert_array_equal(store.mask(3), square() | square(15))
            assert set(np.unique(store.get(0))) == {0, 1, 2}


class TestRefusals:
    def refusal(self, path: Path, folder: Path, info: VideoInfo = INFO, **options) -> InputError:
        with pytest.raises(InputError) as caught:
            load(path, folder, info, **options)
        assert caught.value.hint
        return caught.value

    def test_missing(self, tmp_path):
        path = tmp_path / "none.png"
        assert self.refusal(path, tmp_path).message == f"mask `{path}` does not exist"

    def test_not_an_image(self, tmp_path):
        path = tmp_path / "m.png"
        path.write_bytes(b"")
        assert "not a readable" in self.refusal(path, tmp_path).message
        path.write_bytes(b"no picture at all")
        assert "not a readable" in self.refusal(path, tmp_path).message

    def test_another_size(self, tmp_path):
        path = write(tmp_path / "m.png", np.full((10, 30), 255, np.uint8))
        error = self.refusal(path, tmp_path)
        assert error.message == f"mask `{path}` is 30x10 and `clip.mp4` is 40x24"
        error = self.refusal(path, tmp_path, TURNED)
        assert error.message.endswith("is 24x40 (shown) or 40x24 (coded)")

    def test_another_count(self, tmp_path):
        folder = tmp_path / "masks"
        folder.mkdir()
        assert "no PNG or JPEG" in self.refusal(folder, tmp_path).message
        write(folder / "0.png", gray(square()))
        error = self.refusal(folder, tmp_path)
        assert error.message == f"`{folder}/` has 1 images and `clip.mp4` has 4 frames"

    def test_empty(self, tmp_path):
        path = write(tmp_path / "m.png", gray(square() & False))
        assert "marks nothing" in self.refusal(path, tmp_path).message
        full = write(tmp_path / "full.png", gray(square() | True))
        assert "marks nothing" in self.refusal(full, tmp_path, invert=True).message

    def test_empty_on_the_asked_frames_only(self, tmp_path):
        folder = tmp_path / "masks"
        folder.mkdir()
        for index in range(4):
            write(folder / f"{index}.png", gray(square() & (index == 3)))
        assert "on frames `0` to `2`" in self.refusal(folder, tmp_path, stop=3).message


def test_names_are_sorted_as_people_count():
    names = ["a10.png", "a9.png", "A1.png", "b.png", "10.png", "2.png"]
    expected = ["2.png", "10.png", "A1.png", "a9.png", "a10.png", "b.png"]
    assert sorted(names, key=natural_key) == expected


def test_a_mask_of_the_coded_size_passes_unchanged():
    np.testing.assert_array_equal(to_coded_mask(square(), INFO), square())
