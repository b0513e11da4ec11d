import json

import av
import cv2
import numpy as np
import pytest

from remover import bench_track, mask
from remover.errors import InputError, VerifyError


@pytest.fixture
def folder(make_clip, tmp_path):
    """A folder with an index of one clip with masks, and one without."""
    clip = make_clip("square.mkv")
    masks = tmp_path / "masks"
    masks.mkdir()
    for i, one in enumerate(clip.masks):
        cv2.imwrite(str(masks / f"{i:05d}.png"), one.astype(np.uint8) * 255)
    (tmp_path / "square.mkv").write_bytes(clip.path.read_bytes())
    index = '[[clip]]\nname = "square"\npath = "square.mkv"\nmasks = "masks"\n'
    index += '[[clip]]\nname = "plain"\npath = "square.mkv"\n'
    (tmp_path / "clips.toml").write_text(index)
    return tmp_path


def test_masks_are_held_against_the_truth_from_every_prompt(folder):
    (clip,) = bench_track.clips(folder)
    results = [bench_track.follow(clip, prompt) for prompt in bench_track.PROMPTS]
    assert [result.prompt for result in results] == ["mask", "box", "click"]
    for result in results:
        assert result.overlap > 0.8
        assert result.recall > 0.97
        assert result.area > 1
        assert (result.wrong, result.right) == (0, 24)
        assert result.frames_per_second > 0
    assert results[0].first == 1
    table = bench_track.table(results)
    assert table.count("| square |") == 3
    assert table.count("| **mean** |") == 3
    assert json.loads(json.dumps(bench_track.to_json(results)))[1]["prompt"] == "box"


def test_a_clip_may_be_a_folder_of_pictures(folder, make_clip):
    (folder / "frames").mkdir()
    with av.open(str(make_clip("square.mkv", frames=6).path)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            frame.to_image().save(folder / "frames" / f"{i:05d}.png")
    for path in sorted((folder / "masks").iterdir())[6:]:
        path.unlink()
    index = '[[clip]]\nname = "pictures"\npath = "frames"\nmasks = "masks"\n'
    (folder / "clips.toml").write_text(index)
    (clip,) = bench_track.clips(folder)
    result = bench_track.follow(clip, "mask")
    assert result.first == 1
    assert result.wrong + result.right <= 6


def test_the_click_is_the_deepest_point():
    shape = np.zeros((20, 30), np.bool_)
    shape[5:16, 10:21] = True
    shape[7, 21:] = True
    x, y = bench_track.deepest(shape)
    assert (int(x), int(y)) == (15, 10)


def test_cases_count_as_clips_and_nothing_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no clip with masks"):
        bench_track.clips(tmp_path)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "case.json").write_text(
        '{"clear_box": [1, 2, 3, 4], "clear_frame": 5, "cuts": [7]}'
    )
    (clip,) = bench_track.clips(tmp_path)
    assert (clip.name, clip.path) == ("one", tmp_path / "one" / "input.mp4")
    assert (clip.frame, clip.box, clip.cuts) == (5, (1, 2, 4, 6), (7,))


def test_empty_masks_cannot_prompt(folder):
    for path in (folder / "masks").iterdir():
        cv2.imwrite(str(path), np.zeros((96, 128), np.uint8))
    with pytest.raises(InputError, match="is empty"):
        bench_track.follow(bench_track.clips(folder)[0], "box")


def test_doubtful_masks_are_an_error_only_with_strict(folder, tmp_path):
    source, nothing = folder / "square.mkv", "90,4,30,20@0"
    report = mask(source, tmp_path / "masks-1", box=[nothing])
    (warning,) = [w for w in report.warnings if "check frames" in w]
    assert "the object may be lost" in warning
    assert "correct it there with --box" in warning
    with pytest.raises(VerifyError, match="allows no doubtful mask: check frames"):
        mask(source, tmp_path / "masks-2", box=[nothing], strict=True)
    assert not (tmp_path / "masks-2").exists()
    mask(source, tmp_path / "masks-3", box=["4,32,24,24@0"], strict=True)
