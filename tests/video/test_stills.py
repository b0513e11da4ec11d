from dataclasses import replace
from pathlib import Path

import pytest

from remover.errors import InputError, OutputError
from remover.video import probe
from remover.video.stills import (
    cut_name,
    filled,
    folder_of,
    has_pictures,
    is_pattern,
    is_pictures_target,
    is_sequence,
    list_pictures,
    names_of,
    older_pictures,
    ranges,
)


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


@pytest.mark.parametrize(
    ("pattern", "number", "name"),
    [("%05d.png", 7, "00007.png"), ("a_%d.b.tif", 12, "a_12.b.tif"), ("%3d.dpx", 7, "  7.dpx")],
)
def test_a_pattern_is_filled_with_a_number(pattern, number, name):
    assert filled(pattern, number) == name


def test_names_are_cut_around_their_last_number():
    assert cut_name("shot2_0010.png") == ("shot2_", 10, ".png")
    assert cut_name("v2.beauty.png") == ("v", 2, ".beauty.png")
    assert cut_name("cover.png") is None


def test_a_pattern_finds_its_pictures_in_the_order_of_numbers(tmp_path):
    touch(tmp_path, "a8.png", "a9.png", "a10.png", "b9.png", "a9.txt", "a011.png")
    found = [p.name for p in list_pictures(tmp_path / "a%d.png")]
    assert found == ["a8.png", "a9.png", "a10.png"]


def test_a_folder_is_in_natural_order_without_other_files(tmp_path):
    touch(tmp_path, "x10.png", "x9.png", ".x3.png", "notes.txt")
    assert [p.name for p in list_pictures(tmp_path)] == ["x9.png", "x10.png"]


@pytest.mark.parametrize("by", ["", "%02d.png"])
def test_missing_frames_are_named(tmp_path, by):
    touch(tmp_path, *(f"{i:02d}.png" for i in (10, 11, 13, 14, 18)))
    with pytest.raises(InputError, match="frames 12, 15-17 are missing"):
        list_pictures(tmp_path / by if by else tmp_path)
    (tmp_path / "15.png").touch()
    (tmp_path / "16.png").touch()
    (tmp_path / "17.png").touch()
    with pytest.raises(InputError, match="frame 12 is missing"):
        list_pictures(tmp_path)


@pytest.mark.parametrize(
    ("names", "pattern", "message"),
    [
        ([], None, "has no pictures"),
        (["1.png"], "b%d.png", "no picture is named"),
        (["1.png", "2.jpg"], None, "several kinds: .jpg, .png"),
        (["1.hdr"], None, "floating-point"),
        (["1.webp"], "%d.webp", "are not read"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, names, pattern, message):
    touch(tmp_path, *names)
    with pytest.raises(InputError, match=message):
        list_pictures(tmp_path / pattern if pattern else tmp_path)


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        list_pictures(tmp_path / "no" / "%d.png")


def test_a_file_with_such_a_name_is_a_file(tmp_path):
    assert is_pattern(tmp_path / "a%d.mp4")
    touch(tmp_path, "a%d.mp4")
    assert not is_sequence(tmp_path / "a%d.mp4")
    assert is_sequence(tmp_path)


def test_what_an_output_name_means():
    for name, from_pictures, expected in [
        ("out/%05d.png", False, True),
        ("out/%05d.mkv", False, False),
        ("out", True, True),
        ("out", False, False),
        ("shot.clean", True, True),
        ("out.mp4", True, False),
    ]:
        assert is_pictures_target(Path(name), from_pictures=from_pictures) == expected
    with pytest.raises(OutputError, match="one picture"):
        is_pictures_target(Path("out.png"), from_pictures=True)
    with pytest.raises(OutputError, match="floating-point"):
        is_pictures_target(Path("out/%d.pfm"), from_pictures=True)


def test_output_names_follow_the_numbers_of_the_input(make_clip, tmp_path):
    info = probe(make_clip(frames=2).path)
    source = tuple(tmp_path / f"s.{n:03d}.png" for n in (99, 100))
    shot = replace(info, pictures=source)
    assert names_of(Path("o/%05d.tif"), shot, 2) == ("00099.tif", "00100.tif")
    assert names_of(Path("o"), shot, 2) == ("s.099.png", "s.100.png")
    assert names_of(Path("o/%d.png"), info, 2) == ("0.png", "1.png")


def test_what_is_there_already(tmp_path):
    assert not has_pictures(tmp_path / "no" / "%d.png")
    assert not has_pictures(tmp_path)
    touch(tmp_path, "7.png")
    assert has_pictures(tmp_path / "%d.png")
    assert not has_pictures(tmp_path / "a%d.png")
    assert has_pictures(tmp_path)
    assert folder_of(tmp_path / "%d.png") == folder_of(tmp_path) == tmp_path


def test_pictures_of_an_earlier_run_are_found(tmp_path):
    touch(tmp_path, *(f"{i:02d}.png" for i in (1, 2, 3, 4, 6)), "a.tif", "notes.txt", ".05.png")
    written = ("01.png", "02.png")
    assert older_pictures(tmp_path / "%02d.png", written) == ("03.png", "04.png", "06.png")
    assert older_pictures(tmp_path, written) == ("03.png", "04.png", "06.png")
    assert older_pictures(tmp_path / "b%02d.png", written) == ()
    assert older_pictures(tmp_path / "no" / "%02d.png", written) == ()


def test_names_are_told_in_ranges():
    assert ranges(["03.png", "04.png", "05.png", "07.png"]) == "`03.png` to `05.png`, `07.png`"
    assert ranges(["a.png", "b.png"]) == "`a.png`, `b.png`"
    assert ranges([f"{2 * i}.png" for i in range(9)]).endswith("`8.png` and more")
