from dataclasses import replace

import cv2
import numpy as np
import pytest
from films import as_pictures, moving, write_pictures, write_video

from remover.errors import InputError
from remover.train.check import check
from remover.train.clips import UnusableClip, source
from remover.train.settings import Data

DATA = Data(source="files", frames=9, sizes=((32, 48), (128, 192)), held_out=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("mixed")
    pictures, masks = moving(24)
    write_video(place / "bare.mkv", pictures)
    write_video(place / "masked.mkv", pictures)
    write_pictures(place / "masked.mask", as_pictures(masks))
    write_video(place / "unmarked.mkv", pictures)
    write_video(place / "unmarked.mask.mkv", as_pictures([m & False for m in masks]))
    write_video(place / "uneven.mkv", pictures)
    write_video(place / "uneven.mask.mkv", as_pictures(masks[:20]))
    write_video(place / "short.mkv", pictures[:4])
    (place / "empty.mp4").touch()
    return place


def test_what_is_there_is_counted_and_what_is_not_usable_is_named(folder, told):
    report = check(folder, replace(DATA, held_out=1), progress=told)
    assert (report.clips, report.usable, report.masked) == (6, 3, 1)
    assert report.buckets == {"48x32": 3, "192x128": 0}
    assert report.frames == 72
    assert report.seconds == pytest.approx(3.0, abs=0.05)
    assert {one.name for one in report.damaged} == {"uneven", "short", "empty"}
    reasons = {one.name: one.reason for one in report.damaged}
    assert reasons["uneven"] == "it has 24 frames, and its masks 20"
    assert reasons["short"] == "it has 4 frames, and 9 are needed"
    assert [(one.name, one.reason) for one in report.notes] == [
        ("unmarked", "its masks mark nothing")
    ]
    assert told.done == 24 * 4 + 4
    rows = dict(report.rows())
    assert rows["usable"] == "3"
    assert rows["  short"] == reasons["short"]
    assert report.plain()["damaged"][0].keys() == {"name", "reason"}


def test_what_it_calls_usable_is_used(folder):
    data = replace(DATA, folder=str(folder))
    report = check(folder, data)
    clips = source(data, 0)
    damaged = {one.name for one in report.damaged}
    for index, entry in enumerate(clips.entries):
        if entry.name in damaged - {"uneven"}:  # whose masks end late enough, for this seed or not
            with pytest.raises(UnusableClip):
                clips.clip(index)
        elif entry.name != "uneven":
            assert clips.clip(index).frames.shape == (9, 32, 48, 3)


def test_photographs_are_looked_at_too(tmp_path, told):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((40, 50, 3), np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"nothing")
    report = check(tmp_path, replace(DATA, source="photos"), progress=told)
    assert (report.clips, report.usable) == (4, 3)
    assert [one.name for one in report.damaged] == ["broken.jpg"]
    assert told.done == 4


def test_nothing_at_all_is_an_error(tmp_path):
    with pytest.raises(InputError, match="has no videos"):
        check(tmp_path, DATA)


def test_the_media_that_others_stumble_over(shared):
    report = check(shared / "media", replace(DATA, sizes=((96, 128),)))
    assert report.clips == report.usable + len(report.damaged)
    assert report.usable > 10
    assert all(one.reason for one in report.damaged)
