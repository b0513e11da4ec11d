from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from films import as_pictures, moving, write_pictures, write_video
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.errors import InputError
from remover.train.clips import UnusableClip, source
from remover.train.encode import encode
from remover.train.footage import MaskFolder, bucket, fitted
from remover.train.pools import pool_of
from remover.train.settings import Data
from remover.types import Size
from remover.video import Reader

DATA = Data(source="files", frames=9, sizes=((32, 48), (64, 96)), held_out=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Every kind of clip there is."""
    place = tmp_path_factory.mktemp("clips")
    pictures, masks = moving(24)
    write_video(place / "video.mkv", pictures)
    write_video(place / "video.mask.mkv", as_pictures(masks))
    write_pictures(place / "frames", pictures)
    write_pictures(place / "frames.mask", as_pictures(masks))
    (place / "inner").mkdir()
    write_video(place / "inner" / "bare.mkv", pictures)
    (place / ".hidden").mkdir()
    write_video(place / ".hidden" / "no.mkv", pictures)
    (place / "notes.txt").write_text("not a clip")
    return place


def data_of(folder: Path, **changes) -> Data:
    return replace(DATA, folder=str(folder), **changes)


def test_every_kind_of_clip_is_found(folder):
    clips = source(data_of(folder), 0)
    assert [entry.name for entry in clips.entries] == ["frames", "inner/bare", "video"]
    assert clips.masked == (0, 2)


@pytest.mark.parametrize("index", [0, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_frames_and_masks_are_of_the_same_moment(folder, index, stride):
    for seed in range(4):
        clip = source(data_of(folder, sizes=((64, 96),), stride=stride), seed).clip(index)
        assert clip.frames.shape == (9, 64, 96, 3)
        numbers = (clip.frames[:, 0, 0, 0].astype(int) - 20) // 4
        assert set(np.diff(numbers)) == {stride}
        assert np.array_equal(clip.own, clip.frames[..., 0] == 255)
        assert clip.background is None


def test_places_differ_from_seed_to_seed_and_not_otherwise(folder):
    starts = {source(data_of(folder), seed).clip(2).frames[0, 0, 0, 0] for seed in range(12)}
    assert len(starts) > 4
    one, two = (source(data_of(folder), 3) for _ in range(2))
    two.clip(0)
    assert np.array_equal(one.clip(2).frames, two.clip(2).frames)


def test_a_clip_without_masks_is_used_with_those_of_others(
    folder, tiny_vae, tiny_settings, tmp_path
):
    changes = ("data.source=files", f"data.folder={folder}", "data.held_out=0", "data.own=0")
    latents = encode(tiny_settings(*changes), tmp_path / "a", tiny_vae)
    assert len(latents) == 6
    assert not latents.skipped
    clips = source(data_of(folder), 0)
    assert clips.clip(1).own is None
    assert clips.own(1) is None
    pool = pool_of(clips, data_of(folder), 0)
    assert [pool.belongs_to(number) for number in range(len(pool))] == [0, 2]
    assert pool.read(0).shape == (9, 64, 96)


def test_masks_of_other_videos(folder, tmp_path):
    _, masks = moving(5)
    write_video(tmp_path / "one.mkv", as_pictures(masks))
    write_pictures(tmp_path / "two", as_pictures(masks))
    (tmp_path / "three.mp4").write_bytes(b"nothing")
    data = data_of(folder, masks=str(tmp_path))
    pool = pool_of(source(data, 0), data, 0)
    assert isinstance(pool, MaskFolder)
    found = {entry.name: number for number, entry in enumerate(pool.entries)}
    assert np.array_equal(pool.read(found["one"]), masks)
    assert np.array_equal(pool.read(found["two"]), masks)
    assert pool.belongs_to(0) is None
    with pytest.raises(UnusableClip, match=r"three\.mp4"):
        pool.read(found["three"])


def test_what_cannot_be_used_says_why(tmp_path):
    pictures, masks = moving(12)
    write_video(tmp_path / "a-short.mkv", pictures[:5])
    (tmp_path / "b-empty.mp4").touch()
    (tmp_path / "c-noise.mkv").write_bytes(np.random.default_rng(0).bytes(4000))
    write_video(tmp_path / "d-small.mkv", pictures)
    write_video(tmp_path / "d-small.mask.mkv", as_pictures([m[:32, :48] for m in masks]))
    write_video(tmp_path / "e-few.mkv", pictures[:9])
    write_video(tmp_path / "e-few.mask.mkv", as_pictures(masks[:4]))
    write_pictures(tmp_path / "f-torn", pictures)
    torn = tmp_path / "f-torn" / "00006.png"
    torn.write_bytes(torn.read_bytes()[:60])
    clips = source(data_of(tmp_path), 0)
    reasons = {}
    for index in range(len(clips)):
        with pytest.raises(UnusableClip) as caught:
            clips.clip(index)
        reasons[caught.value.name] = caught.value.reason
    assert reasons["a-short"] == "it has 5 frames, and 9 are needed"
    assert "empty" in reasons["b-empty"]
    assert "not a video" in reasons["c-noise"]
    assert reasons["d-small"] == "its mask is 48x32, and it is 96x64"
    assert "its masks end before" in reasons["e-few"]
    assert "00006.png" in reasons["f-torn"]


def test_a_container_that_claims_too_much_is_read_all_the_same(tmp_path):
    pictures, _ = moving(40)
    write_video(tmp_path / "clip.mkv", pictures)
    content = (tmp_path / "clip.mkv").read_bytes()
    (tmp_path / "clip.mkv").write_bytes(content[: len(content) * 2 // 3])
    shapes = {source(data_of(tmp_path), seed).clip(0).frames.shape for seed in range(6)}
    assert shapes == {(9, 64, 96, 3)} or shapes == {(9, 32, 48, 3), (9, 64, 96, 3)}


def test_only_the_pictures_that_are_taken_are_read(tmp_path):
    pictures, _ = moving(40)
    write_pictures(tmp_path / "long", pictures)
    clip = source(data_of(tmp_path), 1).clip(0)
    first = (int(clip.frames[0, 0, 0, 0]) - 20) // 4
    for number in (*range(1, first), *range(first + 9, 40)):  # the first tells what they are
        (tmp_path / "long" / f"{number:05d}.png").write_bytes(b"torn")
    assert np.array_equal(source(data_of(tmp_path), 1).clip(0).frames, clip.frames)


def test_no_more_of_a_video_is_decoded_than_is_taken(folder, monkeypatch):
    decoded = []
    scan = Reader.scan

    def counting(self):
        for frame in scan(self):
            decoded.append(frame.index)
            yield frame

    monkeypatch.setattr(Reader, "scan", counting)
    clip = source(data_of(folder), 0).clip(1)
    assert max(decoded) == (int(clip.frames[-1, 0, 0, 0]) - 20) // 4


def test_cuts_are_avoided(tmp_path):
    rng = np.random.default_rng(0)
    scenes = [cv2.resize(rng.integers(0, 256, (6, 9, 3), np.uint8), (96, 64)) for _ in range(2)]
    write_video(tmp_path / "cut.mkv", [scenes[0]] * 12 + [scenes[1]] * 12)
    write_video(tmp_path / "hopeless.mkv", [scenes[n // 6 % 2] for n in range(24)])
    for seed in range(8):
        clips = source(data_of(tmp_path, sizes=((64, 96),)), seed)
        frames = clips.clip(0).frames
        assert np.array_equal(frames[0], frames[-1])
        with pytest.raises(UnusableClip, match="without a cut"):
            clips.clip(1)


def test_held_out_clips_can_be_named(folder, tmp_path):
    for name in ("one.mkv", "two.mkv"):
        write_video(tmp_path / name, moving(9)[0])
    (tmp_path / "held-out.txt").write_text("two\n\n")
    assert source(data_of(tmp_path, held_out=1), 0).held_out == {1}
    (tmp_path / "held-out.txt").write_text("twoo\n")
    with pytest.raises(InputError, match="`twoo`, which is not there") as caught:
        source(data_of(tmp_path), 0)
    assert caught.value.hint == "did you mean `two`?"
    (tmp_path / "held-out.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text in UTF-8"):
        source(data_of(tmp_path), 0)
    assert len(source(data_of(folder, held_out=1), 0).held_out) == 1


def test_no_clips_is_an_error_before_anything_else(tmp_path):
    with pytest.raises(InputError, match="has no videos"):
        source(data_of(tmp_path), 0)
    with pytest.raises(InputError, match="does not exist"):
        source(data_of(tmp_path / "gone"), 0)
    with pytest.raises(InputError, match="names no folder"):
        source(DATA, 0)
    with pytest.raises(InputError, match="no videos and no folders of masks"):
        pool_of(None, replace(DATA, masks=str(tmp_path)), 0)


SIZES = ((336, 592), (480, 832), (832, 480), (720, 1280))


@settings(max_examples=60, deadline=None)
@given(height=st.integers(100, 2200), width=st.integers(100, 4000), seed=st.integers(0, 99))
def test_a_bucket_has_the_nearest_shape_and_enlarges_nothing_without_need(height, width, seed):
    shown = Size(height, width)
    found = bucket(shown, SIZES, np.random.default_rng(seed))
    assert tuple(found) in SIZES
    if not 0.7 < height / width < 1.4:
        assert (found.height > found.width) == (height > width)
    if found.height > 1.05 * height or found.width > 1.05 * width:
        assert tuple(found) in ((336, 592), (832, 480))


def test_every_fitting_bucket_is_drawn():
    found = {bucket(Size(1080, 1920), SIZES, np.random.default_rng(n)) for n in range(40)}
    assert found == {(336, 592), (480, 832), (720, 1280)}


@settings(max_examples=40, deadline=None)
@given(height=st.integers(20, 200), width=st.integers(20, 200), stretch=st.floats(0.5, 2))
def test_pictures_are_cropped_in_the_middle_and_not_squeezed(height, width, stretch):
    picture = np.zeros((height, width), np.uint8)
    shown = Size(height, max(1, round(width * stretch)))
    rows, columns = np.indices(picture.shape)
    # a round spot as it is shown
    spot = np.hypot(rows - height / 2 + 0.5, (columns - width / 2 + 0.5) * shown.width / width)
    radius = min(shown) / 4
    picture[spot < radius] = 255
    size = Size(48, 64)
    small = fitted(picture, shown, size)
    assert small.shape == (48, 64)
    scale = max(48 / shown.height, 64 / shown.width)
    high = (small[:, 32] > 127).sum()
    wide = (small[24] > 127).sum()
    grid = 2 + 2 * scale * max(1, stretch)
    assert abs(high - 2 * radius * scale) <= grid
    assert abs(wide - min(64, 2 * radius * scale)) <= grid
