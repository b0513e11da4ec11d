"""``remover mask --overlay``: the video with its masks drawn over it."""

import av
import cv2
import numpy as np
import pytest

import remover
from remover.errors import OutputError, VerifyError
from remover.marking import STATES, tint_of
from remover.region import Region
from remover.segment import MaskStore
from remover.types import Size
from remover.video import look_at, probe, reader_of

SMALL = {"frames": 5, "height": 100, "width": 150}


def frames_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_labels_grow_and_each_object_keeps_its_own(tmp_path):
    size = Size(20, 30)
    labels = np.zeros(size, np.uint8)
    labels[8:12, 8:12] = 1
    labels[8:12, 13:17] = 2
    with MaskStore(tmp_path, size, 1) as store, MaskStore(tmp_path, size, 1, name="k") as keep:
        store.put(0, labels)
        keep.put(0, np.pad(np.ones((2, 30), np.uint8), ((0, 18), (0, 0))))
        region = Region(store, grow=3, soft=2, keep=keep)
        grown = region.labels(0)
        np.testing.assert_array_equal(grown > 0, region.mask(0))
        np.testing.assert_array_equal(grown[labels > 0], labels[labels > 0])
        assert grown[9, 12] == 1  # between the two, the lower number
        assert grown[9, 19] == 2
        np.testing.assert_array_equal(Region(store, grow=0, soft=0).labels(0), labels)


def test_the_overlay_has_the_masks_by_colour_and_the_sound(make_clip, tmp_path):
    clip = make_clip("clip.mov", codec="libx264", pixel_format="yuv420p", audio=True, **SMALL)
    look = tmp_path / "look.mp4"
    report = remover.mask(
        clip.path,
        tmp_path / "masks",
        box=["20,40,30,30", "100,50,20,30#2"],
        tracker="none",
        dilate=0,
        overlay=look,
    )
    assert report.sides == {"overlay": str(look)}
    assert len(list((tmp_path / "masks").iterdir())) == 5
    with av.open(str(look)) as container:
        assert [s.type for s in container.streams] == ["video", "audio"]
    source, shown = frames_of(clip.path), frames_of(look)
    assert len(shown) == 5
    index, expected = (reader_of(look_at(path)) for path in (look, clip.path))
    for reader in (index, expected):
        list(reader.scan())
    assert [index.index.time_of(i) for i in range(5)] == [
        expected.index.time_of(i) for i in range(5)
    ]
    for old, new in zip(source, shown, strict=True):
        assert new.shape == (100, 150, 3)
        # Below the fields with the numbers.
        for number, inside in ((1, np.s_[65:68, 32:38]), (2, np.s_[71:77, 107:113])):
            tint = old[inside].mean((0, 1)) * 0.55 + np.array(tint_of(number)) * 0.45
            np.testing.assert_allclose(new[inside].mean((0, 1)), tint, atol=20)
        assert np.abs(new[85:, :15].astype(int) - old[85:, :15]).mean() < 8


def test_frames_to_check_are_marked_and_others_are_not(make_clip, tmp_path, monkeypatch):
    from remover import masking

    real = masking.segment

    def doubting(*given, **more):
        from dataclasses import replace

        from remover.types import Shot

        found = real(*given, **more)
        confidence = np.array([0.9, 0.3, 0.9, 0.0, 0.9], np.float32)
        return replace(
            found,
            tracker="builtin",
            trackers={1: "builtin"},
            unsure=(Shot(1, 2),),
            lost=(Shot(3, 4),),
            confidence=confidence,
        )

    monkeypatch.setattr(masking, "segment", doubting)
    clip = make_clip(**SMALL)
    remover.mask(
        clip.path,
        tmp_path / "masks",
        box=["20,40,30,30"],
        tracker="none",
        overlay=tmp_path / "look",
    )
    names = sorted(path.name for path in (tmp_path / "look").iterdir())
    assert names == [f"{i:05d}.png" for i in range(5)]
    edges = []
    for name in names:
        picture = cv2.imread(str(tmp_path / "look" / name))[..., ::-1]
        assert picture.shape == (100, 150, 3)
        edges.append(tuple(picture[60, 0]))
    assert edges[1] == STATES["unsure"]
    assert edges[3] == STATES["lost"]
    assert not set(edges[::2]) & set(STATES.values())
    sheet = tmp_path / "sheet.png"
    from remover import pipeline
    from remover.config import CleanOptions
    from remover.prompts import parse_box

    options = CleanOptions(tracker="none", start=None)
    pipeline.preview(clip.path, sheet, [parse_box("20,40,30,30")], options)
    drawn = cv2.imread(str(sheet))[..., ::-1]
    tiles = [drawn[160 + 320 * (i // 3), 480 * (i % 3)] for i in range(5)]
    assert tuple(tiles[1]) == STATES["unsure"]
    assert tuple(tiles[3]) == STATES["lost"]


def test_masks_of_a_user_are_drawn_without_a_word_on_confidence(make_clip, tmp_path):
    clip = make_clip(**{**SMALL, "height": 99, "width": 151})
    cv2.imwrite(str(tmp_path / "m.png"), clip.masks[0].astype(np.uint8) * 255)
    given = {"mask": [tmp_path / "m.png"], "overlay": tmp_path / "look.mkv"}
    remover.mask(clip.path, tmp_path / "masks.mkv", start="1", end="3", **given)
    assert probe(tmp_path / "look.mkv").size == (100, 152)  # even, as chroma needs it
    for number, frame in enumerate(frames_of(tmp_path / "look.mkv")):
        assert (frame[30:, 0].max(axis=0) < 250).any(), number


def test_turned_videos_are_upright(make_clip, tmp_path):
    clip = make_clip(**SMALL)
    path = tmp_path / "turned.mp4"
    with av.open(str(clip.path)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 150, 100, "yuv420p"
        stream.set_display_matrix([0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30])
        for number, frame in enumerate(source.decode(video=0)):
            new = frame.reformat(format="yuv420p")
            new.pts, new.pict_type = number, 0
            target.mux(stream.encode(new))
        target.mux(stream.encode())
    look = tmp_path / "look.mp4"
    remover.mask(
        path, tmp_path / "masks", box=["10,100,40,30"], tracker="none", dilate=0, overlay=look
    )
    assert probe(look).size == (150, 100)
    mask = cv2.imread(str(tmp_path / "masks" / "00000.png"), cv2.IMREAD_GRAYSCALE)
    assert mask.shape == (150, 100)
    frame = frames_of(look)[0].astype(int)
    inside = mask > 0
    redness = frame[..., 0] - frame[..., 1]
    assert redness[inside].mean() > redness[40:90].mean() + 20


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("look.webm", "`look.webm` names nothing that `--overlay` can be written as"),
        ("clip.mkv", "`--overlay` and the input are the same"),
        ("masks", "`--overlay` and the output are the same"),
        ("there.mkv", "exists already"),
    ],
)
def test_refusals_before_any_work(name, message, make_clip, tmp_path, monkeypatch):
    source = tmp_path / "clip.mkv"
    source.write_bytes(make_clip(**SMALL).path.read_bytes())
    (tmp_path / "there.mkv").touch()
    monkeypatch.setattr("remover.job._scan", None)
    with pytest.raises(OutputError) as caught:
        remover.mask(source, tmp_path / "masks", box=["1,1,9,9"], overlay=tmp_path / name)
    assert message in caught.value.message
    assert {p.name for p in tmp_path.iterdir()} == {"clip.mkv", "there.mkv"}


@pytest.mark.parametrize("place", ["remover.pipeline.verify_companions", "remover.files._publish"])
def test_nothing_appears_if_the_run_fails(place, make_clip, tmp_path, monkeypatch):
    from remover import files

    real = files._publish

    def failing(part, *rest, **more):
        if place.endswith("verify_companions") or ".masks.mkv." in part.name:
            raise VerifyError("no")
        return real(part, *rest, **more)

    monkeypatch.setattr(place, failing)
    clip = make_clip(**SMALL)
    with pytest.raises(VerifyError):
        remover.mask(
            clip.path,
            tmp_path / "masks.mkv",
            box=["10,10,30,30"],
            tracker="none",
            overlay=tmp_path / "look.mkv",
        )
    assert [p.name for p in tmp_path.iterdir() if p != clip.path] == []
