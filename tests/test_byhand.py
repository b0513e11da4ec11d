"""Plates, kept pixels, pixels that are no source and settings of one object, from file to file."""

import json

import cv2
import numpy as np
import pytest

import remover
from remover.cli.main import main
from remover.video import Reader, RgbPictures, probe


def read(path) -> list[np.ndarray]:
    reader = Reader(probe(path))
    count = sum(1 for _ in reader.scan())
    return list(RgbPictures(reader).read(0, count))


def write_mask(path, mask):
    cv2.imwrite(str(path), np.asarray(mask).astype(np.uint8) * 255)
    return path


def write_picture(path, rgb):
    cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1]))
    return path


@pytest.fixture
def still(make_clip, tmp_path):
    """A clip of six frames and the fixed mask of a place that its object covers at first."""
    clip = make_clip(frames=6, pixel_format="bgr0")
    return clip, write_mask(tmp_path / "mask.png", clip.masks[0])


def test_a_painted_frame_is_written_as_painted(still, tmp_path):
    clip, mask = still
    painted = cv2.GaussianBlur(
        np.random.default_rng(2).integers(0, 256, (96, 128, 3), np.uint8), (0, 0), 3
    )
    plate = write_picture(tmp_path / "paint.png", painted)
    out = tmp_path / "out.mkv"
    report = remover.clean(
        clip.path, out, mask=[mask], plate=[f"{plate}@3"], lossless=True, dilate=2, feather=2
    )
    pictures, source = read(out), read(clip.path)
    inner = cv2.dilate(clip.masks[0].astype(np.uint8), np.ones((3, 3))) > 0
    assert np.array_equal(pictures[3][inner], painted[inner])
    outside = cv2.dilate(clip.masks[0].astype(np.uint8), np.ones((11, 11))) == 0
    assert all(
        np.array_equal(a[outside], b[outside]) for a, b in zip(pictures, source, strict=True)
    )
    assert report.copied_share == 1
    assert report.mean_confidence > 0.9
    assert f"--plate {plate}@3" in report.to_json()["prompts"]


def test_a_plate_without_a_moment_shows_the_first_frame_that_is_cleaned(still, tmp_path):
    clip, mask = still
    plate = write_picture(tmp_path / "plate.png", np.full((96, 128, 3), (9, 99, 199), np.uint8))
    remover.clean(
        clip.path, tmp_path / "o.mkv", mask=[mask], plate=[plate], lossless=True, start="2"
    )
    assert (read(tmp_path / "o.mkv")[2][clip.masks[0]] == (9, 99, 199)).all()


def test_a_plate_is_not_used_across_a_cut(make_clip, tmp_path):
    clip = make_clip(frames=30, cut_at=15)
    mask = write_mask(tmp_path / "mask.png", clip.masks[0])
    plain, helped = tmp_path / "plain.mkv", tmp_path / "helped.mkv"
    plate = write_picture(tmp_path / "plate.png", clip.clean[0])
    remover.clean(clip.path, plain, mask=[mask], lossless=True)
    remover.clean(clip.path, helped, mask=[mask], plate=[f"{plate}@2"], lossless=True)
    before, after = read(plain), read(helped)
    assert all(np.array_equal(a, b) for a, b in zip(before[15:], after[15:], strict=True))
    assert not np.array_equal(before[2], after[2])
    report = remover.clean(
        clip.path, plain, mask=[mask], plate=[f"{plate}@2"], start="20", overwrite=True
    )
    assert any("the plate of frame 2 is not used" in text for text in report.warnings)


def test_what_is_kept_stays_as_it_was(still, tmp_path):
    clip, mask = still
    hand = np.zeros((96, 128), bool)
    hand[36:44, :] = True
    keep = write_mask(tmp_path / "keep.png", hand)
    out = tmp_path / "out.mkv"
    report = remover.clean(
        clip.path, out, mask=[mask], keep=[f"{keep}@1", f"{keep}@2"], lossless=True, dilate=3
    )
    for index, (old, new) in enumerate(zip(read(clip.path), read(out), strict=True)):
        kept = np.array_equal(old[hand], new[hand])
        assert kept == (index in (1, 2))
        assert not np.array_equal(old, new)
    assert report.promises.samples_changed_outside == 0
    remover.mask(clip.path, tmp_path / "masks", mask=[mask], keep=[keep], dilate=0)
    written = cv2.imread(str(tmp_path / "masks" / "00003.png"), cv2.IMREAD_GRAYSCALE) > 0
    assert np.array_equal(written, clip.masks[0] & ~hand)


def test_keeping_everything_is_an_error(still, tmp_path):
    clip, mask = still
    everything = write_mask(tmp_path / "all.png", np.ones((96, 128)))
    with pytest.raises(remover.InputError, match="`--keep` covers all that is masked"):
        remover.clean(clip.path, tmp_path / "o.mkv", mask=[mask], keep=[everything])
    assert not (tmp_path / "o.mkv").exists()


def test_no_source_changes_what_is_copied_and_not_where(still, tmp_path):
    clip, mask = still
    barred = write_mask(tmp_path / "barred.png", clip.masks[0])
    shares = []
    for number, given in enumerate(([], [barred])):
        out = tmp_path / f"{number}.mkv"
        report = remover.clean(
            clip.path, out, mask=[mask], no_source=given, lossless=True, dilate=0, feather=0
        )
        shares.append(report.copied_share)
        for old, new in zip(read(clip.path), read(out), strict=True):
            assert np.array_equal(old[~clip.masks[0]], new[~clip.masks[0]])
        assert report.plan.hole_frames == 6
    moving = tmp_path / "moving"
    moving.mkdir()
    for number, one in enumerate(clip.masks):
        write_mask(moving / f"{number}.png", one)
    report = remover.clean(clip.path, tmp_path / "m.mkv", mask=[moving], lossless=True)
    assert report.copied_share > 0.9
    report = remover.clean(
        clip.path,
        tmp_path / "n.mkv",
        mask=[moving],
        no_source=[write_mask(tmp_path / "every.png", np.ones((96, 128)))],
        lossless=True,
    )
    assert report.copied_share == 0


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--plate", "none.png"], 3, "plate `none.png` does not exist"),
        (["--plate", "small.png@2"], 3, "plate `small.png` is 20x10 and `clip.mkv` is 128x96"),
        (["--plate", "paint.png@9"], 2, "`--plate paint.png@9` names frame 9, but the video has 6"),
        (["--plate", "paint.png#2"], 2, "`#2` in `--plate paint.png#2` has no meaning"),
        (["--keep", "none.png"], 3, "mask `none.png` does not exist"),
        (["--keep", "black.png"], 3, "mask `black.png` is empty: it marks nothing to keep"),
        (["--no-source", "small.png"], 3, "mask `small.png` is 20x10 and `clip.mkv` is 128x96"),
        (["--no-source", "few"], 3, "`few/` has 1 images and `clip.mkv` has 6 frames"),
        (["--no-source", "black.png@8"], 2, "`--no-source black.png@8` names frame 8"),
    ],
)
def test_bad_help_gets_one_sentence_and_a_hint(
    flags, code, said, still, tmp_path, monkeypatch, capsys
):
    clip, _ = still
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mkv").write_bytes(clip.path.read_bytes())
    write_picture(tmp_path / "paint.png", clip.clean[0])
    write_picture(tmp_path / "small.png", clip.clean[0][:10, :20])
    write_mask(tmp_path / "black.png", np.zeros((96, 128)))
    (tmp_path / "few").mkdir()
    write_mask(tmp_path / "few" / "0.png", clip.masks[0])
    with pytest.raises(SystemExit) as caught:
        main(["clean", "clip.mkv", "--mask", "mask.png", "--progress", "none", *flags])
    assert caught.value.code == code
    lines = capsys.readouterr().err.splitlines()
    (error,) = (line for line in lines if line.startswith("error: "))
    blank, hint = lines[-2:]
    assert error.startswith(f"error: {said}")
    assert blank == ""
    assert hint.startswith("hint: ")


def test_objects_may_have_trackers_of_their_own(make_clip, tmp_path, monkeypatch, capfd):
    clip = make_clip(frames=8)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "remover.toml").write_text(
        '[object.2]\ntracker = "none"\npainter = "classic"\n[object.7]\ntracker = "none"\n'
    )
    box = ",".join(map(str, clip.box))
    arguments = ["mask", str(clip.path), "--tracker", "builtin", "--dilate", "0", "--json"]
    arguments += ["--box", box, "--box", "60,4,20,10#2", "-o", "masks"]
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    out, err = capfd.readouterr()
    report = json.loads(out)
    assert report["tracker"] == "builtin, none"
    assert {k: v["tracker"] for k, v in report["objects"].items()} == {"1": "builtin", "2": "none"}
    assert "`[object.7]` is set, but no prompt names the object `#7`" in err
    for index, mask in enumerate(clip.masks):
        found = cv2.imread(f"masks/{index:05d}.png", cv2.IMREAD_GRAYSCALE) > 0
        assert found[4:14, 60:80].all()  # the box that holds still
        assert (found & mask).sum() > 0.7 * mask.sum()  # the object that is followed


def test_objects_in_python(make_clip, tmp_path):
    clip = make_clip(frames=4)
    report = remover.clean(
        clip.path,
        tmp_path / "o.mkv",
        box=[clip.box, "60,4,20,10#2"],
        mask=[f"{write_mask(tmp_path / 'm.png', clip.masks[0])}#3"],
        objects={2: {"tracker": "none"}},
        tracker="builtin",
    )
    assert [v["tracker"] for v in report.objects.values()] == ["builtin", "none", "mask"]
    assert {v["painter"] for v in report.objects.values()} == {report.painter}
    with pytest.raises(remover.UsageError, match="`tracker` of object `#2` takes `auto`"):
        remover.clean(clip.path, box=[clip.box], objects={2: {"tracker": "nine"}})
    with pytest.raises(remover.UsageError, match="`dilate` of object `#2` cannot be set"):
        remover.clean(clip.path, box=[clip.box], objects={2: {"dilate": 3}})
    with pytest.raises(remover.UsageError, match="`0` is not an object number"):
        remover.clean(clip.path, box=[clip.box], objects={0: {"tracker": "none"}})


def test_the_sheet_shows_what_is_kept_and_what_is_no_source(still, tmp_path):
    clip, mask = still
    left, right = np.zeros((2, 96, 128), bool)
    left[70:90, 10:40], right[70:90, 80:110] = True, True
    sheets = []
    for number in range(2):
        sheet = tmp_path / f"{number}.png"
        flags = ["--keep", str(write_mask(tmp_path / "k.png", left))] if number else []
        flags += ["--no-source", str(write_mask(tmp_path / "n.png", right))] if number else []
        with pytest.raises(SystemExit):
            main(["clean", str(clip.path), "--mask", str(mask), "--preview", str(sheet), *flags])
        sheets.append(cv2.imread(str(sheet)).astype(int))
    scale = 480 / 128
    changes = [
        (sheets[1] - sheets[0])[int(y * scale), int(x * scale)] for x, y in ((25, 80), (95, 80))
    ]
    kept, barred = (int(np.argmax(change)) for change in changes)
    assert (kept, barred) == (1, 0)  # green, blue: channels of OpenCV


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[object.2]\ntraker = "none"', "`traker` of `[object.2]` in `remover.toml` cannot be set"),
        ('[object.2]\ntracker = "nine"', "`tracker` of `[object.2]` in `remover.toml` takes"),
        ('[object.two]\ntracker = "none"', "`[object.two]` in `remover.toml` does not name an"),
        ("object = 2", "`object` in `remover.toml` is no table of tables"),
    ],
)
def test_bad_tables_of_objects(text, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "remover.toml").write_text(text)
    with pytest.raises(SystemExit) as caught:
        main(["clean", "clip.mkv", "--box", "1,2,3,4"])
    assert caught.value.code == 2
    assert f"error: {said}" in capsys.readouterr().err
