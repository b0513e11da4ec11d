"""The files beside the output, from the command to their samples."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

import remover
from remover.drawing import COLOURS, LINE
from remover.errors import OutputError, VerifyError
from remover.pixels import component
from remover.video import look_at, probe, reader_of
from remover.video.layouts import EXACT_FLAGS

SMALL = {"frames": 5, "height": 50, "width": 70}
"""Not a multiple of a chroma block's or macroblock's size in any direction that matters."""


def planes(path):
    reader = reader_of(look_at(path))
    return [frame.planes for frame in reader.scan()], reader


def clean(clip, out, folder, **options):
    masks = folder / "mask.png"
    cv2.imwrite(str(masks), np.logical_or.reduce(clip.masks).astype(np.uint8) * 255)
    return remover.clean(clip.path, out, mask=[masks], lossless=True, **options)


def over(layer, layer_layout, below, layout):
    """Put planes with straight alpha over others, sample by sample, as an editor does."""
    alpha = component(layer, layer_layout, len(layer_layout.order) - 1)
    top = (1 << layer_layout.bit_depth) - 1
    found = []
    for c in range(3):
        old, new = component(below, layout, c), component(layer, layer_layout, c)
        share = alpha
        if layout.family == "yuv" and c:
            # The mean alpha of a block, as a compositor that works on subsampled planes takes it.
            dy, dx = layout.chroma_shift_y, layout.chroma_shift_x
            h, w = alpha.shape
            wide = np.pad(alpha, ((0, -h % (1 << dy)), (0, -w % (1 << dx))), mode="edge")
            blocks = wide.reshape(wide.shape[0] >> dy, 1 << dy, wide.shape[1] >> dx, 1 << dx)
            share = blocks.mean(axis=(1, 3))
        weight = share / top
        found.append(np.rint(new * weight + old * (1 - weight)).astype(old.dtype))
    return found


@pytest.mark.parametrize(
    ("pixel_format", "kept"),
    [("yuv420p", "yuva420p"), ("yuv422p10le", "yuva422p10le"), ("bgr0", "bgra")],
)
def test_the_layer_over_the_source_is_the_cleaned_picture(pixel_format, kept, make_clip, tmp_path):
    clip = make_clip(pixel_format=pixel_format, **SMALL)
    out, fill = tmp_path / "out.mkv", tmp_path / "fill.mkv"
    report = clean(clip, out, tmp_path, layer=fill)
    assert report.sides == {"layer": str(fill)}
    assert report.to_json()["sides"] == {"layer": str(fill)}
    source, reader = planes(clip.path)
    layer, found = planes(fill)
    assert found.info.layout.name == kept
    assert np.array_equal(found.index.pts, reader.index.pts)
    for old, new, cleaned in zip(source, layer, planes(out)[0], strict=True):
        mixed = over(new, found.info.layout, old, reader.info.layout)
        alpha = component(new, found.info.layout, 3)
        assert set(np.unique(alpha)) == {0, (1 << found.info.layout.bit_depth) - 1}
        for c in range(3):
            assert np.array_equal(mixed[c], component(cleaned, reader.info.layout, c))


def rgb_of(path):
    with av.open(str(path)) as container:
        return [
            frame.reformat(format="rgb24", interpolation=EXACT_FLAGS).to_ndarray()
            for frame in container.decode(video=0)
        ]


@pytest.mark.parametrize(("name", "codec"), [("clip.mkv", "ffv1"), ("clip.mp4", "libx264")])
def test_png_layers_are_exact_in_rgb(name, codec, make_clip, tmp_path):
    clip = make_clip(name, codec=codec, pixel_format="yuv420p", **SMALL)
    out = tmp_path / f"out{clip.path.suffix}"
    clean(clip, out, tmp_path, layer=tmp_path / "layer")
    names = sorted(path.name for path in (tmp_path / "layer").iterdir())
    assert names == [f"{i:05d}.png" for i in range(5)]
    for name, old, cleaned in zip(names, rgb_of(clip.path), rgb_of(out), strict=True):
        picture = cv2.imread(str(tmp_path / "layer" / name), cv2.IMREAD_UNCHANGED)
        shown = picture[..., 3:] == 255
        assert 0 < shown.mean() < 1
        assert set(np.unique(picture[..., 3])) == {0, 255}
        mixed = np.where(shown, picture[..., 2::-1], old)
        assert np.array_equal(mixed, cleaned)


def test_prores_layers_are_close(make_clip, tmp_path):
    clip = make_clip(pixel_format="yuv420p", **SMALL)
    out, fill = tmp_path / "out.mkv", tmp_path / "fill.mov"
    clean(clip, out, tmp_path, layer=fill)
    with av.open(str(fill)) as container:
        assert container.streams.video[0].codec_context.name == "prores"
        assert container.streams.video[0].profile == "4444"
    layer, found = planes(fill)
    errors = []
    for new, shown, cleaned in zip(layer, rgb_of(fill), rgb_of(out), strict=True):
        alpha = component(new, found.info.layout, 3)
        top = (1 << found.info.layout.bit_depth) - 1
        assert set(np.unique(alpha)) == {0, top}
        errors.append(np.abs(shown.astype(int) - cleaned)[alpha == top])
    errors = np.concatenate(errors)
    assert errors.mean() < 1
    assert np.quantile(errors, 0.999) <= 6


def test_the_matte_is_the_alpha_that_was_used(make_clip, tmp_path):
    clip = make_clip(**SMALL)
    matte = {"feather": 3, "dilate": 1}
    clean(clip, tmp_path / "a.mkv", tmp_path, matte=tmp_path / "m.mp4", **matte)
    clean(clip, tmp_path / "b.mkv", tmp_path, matte=tmp_path / "m", **matte)
    video, reader = planes(tmp_path / "m.mp4")
    assert reader.info.size == (50, 70)
    pictures = [
        cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in sorted((tmp_path / "m").iterdir())
    ]
    union = np.logical_or.reduce(clip.masks)
    for (levels, *_), picture in zip(video, pictures, strict=True):
        assert np.array_equal(levels, picture)
        assert (levels[union] == 255).all()
        assert {0, 64, 128, 191, 255} & set(np.unique(levels)) >= {0, 64, 128, 255}


def test_the_comparison_has_both_pictures_and_the_sound(make_clip, tmp_path):
    clip = make_clip("clip.mov", codec="libx264", pixel_format="yuv420p", audio=True, **SMALL)
    out, look = tmp_path / "out.mov", tmp_path / "look.mov"
    clean(clip, out, tmp_path, compare=look)
    with av.open(str(look)) as container:
        assert [s.type for s in container.streams] == ["video", "audio"]
        assert container.streams.video[0].codec_context.name == "h264"
        frames = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    assert len(frames) == 5
    for frame, old, cleaned in zip(frames, rgb_of(clip.path), rgb_of(out), strict=True):
        assert frame.shape == (50, 140 + LINE, 3)
        assert np.abs(frame[:, :70].astype(int) - old).mean() < 6
        assert np.abs(frame[:, -70:].astype(int) - cleaned).mean() < 6


def test_the_map_says_where_each_pixel_comes_from(make_clip, tmp_path):
    clip = make_clip(**{**SMALL, "width": 330})
    chart = tmp_path / "map.mkv"
    clean(clip, tmp_path / "out.mkv", tmp_path, source_map=chart, dilate=1, feather=0)
    union = cv2.dilate(np.logical_or.reduce(clip.masks).astype(np.uint8), np.ones((3, 3))) > 0
    for picture in rgb_of(chart):
        assert picture.shape == (74, 330, 3)
        kinds = {name: (picture[:50] == rgb).all(axis=-1) for name, rgb in COLOURS.items()}
        assert sum(kinds.values()).all()
        assert kinds["painted"].any()  # a fixed mask hides some pixels in every frame
        assert not (~kinds["untouched"] & ~union).any()
    assert {tuple(rgb) for rgb in picture[50:].reshape(-1, 3)} > set(COLOURS.values())


def test_the_map_as_pictures_and_as_a_played_video(make_clip, tmp_path):
    clip = make_clip(**SMALL)
    clean(
        clip,
        tmp_path / "a.mkv",
        tmp_path,
        source_map=tmp_path / "map" / "m%03d.png",
        overwrite=True,
    )


def turned(clip, folder):
    """The clip in an MP4 that says it is shown turned by 90 degrees."""
    path = folder / "turned.mp4"
    with av.open(str(clip.path)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=24, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 70, 50, "yuv444p"
        stream.set_display_matrix([0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30])
        for number, frame in enumerate(source.decode(video=0)):
            new = frame.reformat(format="yuv444p")
            new.pts, new.time_base, new.pict_type = number, Fraction(1, 24), 0
            target.mux(stream.encode(new))
        target.mux(stream.encode())
    return path


def test_turned_videos(make_clip, tmp_path):
    path = turned(make_clip(**SMALL), tmp_path)
    assert probe(path).orientation.clockwise in (90, 270)
    names = {
        "layer": "layer.mov",
        "matte": "matte.mkv",
        "compare": "look.mp4",
        "source_map": "map.mkv",
    }
    sides = {kind: tmp_path / name for kind, name in names.items()}
    remover.clean(path, tmp_path / "out.mp4", box=["10,20,12,12"], tracker="none", **sides)
    infos = {kind: probe(path) for kind, path in sides.items()}
    assert infos["layer"].orientation == probe(path).orientation
    assert infos["layer"].size == (50, 70)
    assert infos["matte"].size == (70, 50)
    assert infos["compare"].size == (70, 102)
    assert infos["source_map"].size == (70 + 96, 50)
    ((levels,), *_), _ = planes(sides["matte"])
    assert levels[20:32, 10:22].all()
    assert not levels[50:].any()


def test_pictures_in_pictures_out(make_clip, tmp_path):
    clip = make_clip(**SMALL)
    (tmp_path / "shot").mkdir()
    for number, picture in enumerate(rgb_of(clip.path), 7):
        cv2.imwrite(str(tmp_path / "shot" / f"a{number}.png"), picture[..., ::-1])
    sides = {"layer": tmp_path / "layer.mkv", "matte": tmp_path / "side" / "m%d.png"}
    remover.clean(
        tmp_path / "shot",
        tmp_path / "out" / "%04d.png",
        box=["10,10,12,12"],
        tracker="none",
        start="1f",
        end="3f",
        trim=True,
        handles=1,
        **sides,
    )
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        f"{n:04d}.png" for n in range(7, 11)
    ]
    assert sorted(p.name for p in (tmp_path / "side").iterdir()) == [
        "m10.png",
        "m7.png",
        "m8.png",
        "m9.png",
    ]
    assert planes(sides["layer"])[1].index.num_frames == 4


@pytest.mark.parametrize(
    ("option", "name", "message"),
    [
        ("layer", "fill.mp4", "`fill.mp4` names nothing that `--layer` can be written as"),
        ("compare", "look.png", "`look.png` names one picture"),
        ("compare", "look", "`%05d.png` names nothing that `--compare` can be"),
        ("source_map", "map.webm", "`map.webm` names nothing that `--source-map` can be"),
        ("matte", "clip.mkv", "`--matte` and the input are the same"),
        ("matte", "out.mkv", "`--matte` and the output are the same"),
        ("matte", "there.mkv", "exists already"),
        ("matte", "nowhere/m.mkv", "the folder"),
    ],
)
def test_refusals_before_any_work(option, name, message, make_clip, tmp_path, monkeypatch):
    source = tmp_path / "clip.mkv"
    source.write_bytes(make_clip(**SMALL).path.read_bytes())
    (tmp_path / "there.mkv").touch()
    monkeypatch.setattr("remover.job._scan", None)
    with pytest.raises(OutputError) as caught:
        remover.clean(source, tmp_path / "out.mkv", box=["1,1,9,9"], **{option: tmp_path / name})
    assert message in caught.value.message
    assert {p.name for p in tmp_path.iterdir()} == {"clip.mkv", "there.mkv"}


def test_two_companions_of_one_name(tmp_path, make_clip):
    one = tmp_path / "one.mkv"
    with pytest.raises(OutputError, match=r"`--source-map` and `--layer` are the same"):
        remover.clean(
            make_clip(**SMALL).path, tmp_path / "o.mkv", box=["1,1,9,9"], layer=one, source_map=one
        )


@pytest.mark.parametrize("place", ["remover.pipeline.verify_output", "remover.files._publish"])
def test_nothing_appears_if_the_run_fails(place, make_clip, tmp_path, monkeypatch):
    from remover import files, pipeline

    real = {"remover.pipeline.verify_output": pipeline.verify_output}.get(place, files._publish)

    def failing(part, *rest, **more):
        if place.endswith("verify_output") or ".out.mkv." in part.name:
            raise VerifyError("no")
        return real(part, *rest, **more)

    monkeypatch.setattr(place, failing)
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "note.txt").touch()
    with pytest.raises(VerifyError):
        remover.clean(
            make_clip(**SMALL).path,
            tmp_path / "out.mkv",
            box=["10,10,9,9"],
            tracker="none",
            layer=tmp_path / "fill.mkv",
            matte=tmp_path / "new",
            source_map=tmp_path / "old",
        )
    assert sorted(p.name for p in tmp_path.iterdir()) == [".out.mkv.remover", "old"]
    assert [p.name for p in (tmp_path / "old").iterdir()] == ["note.txt"]


def test_beside_a_pipe(make_clip, tmp_path):
    clip = make_clip(**SMALL)
    with (tmp_path / "out.mkv").open("wb") as stream:
        remover.clean(
            clip.path, stream, box=["10,10,9,9"], tracker="none", layer=tmp_path / "l.mkv"
        )
    assert planes(tmp_path / "l.mkv")[1].index.num_frames == 5
    assert planes(tmp_path / "out.mkv")[1].index.num_frames == 5


def test_a_part_alone_is_what_the_whole_has_there(make_clip, tmp_path):
    clip = make_clip(frames=12, height=50, width=70, audio=True)
    given = {
        "box": ["10,10,12,12"],
        "tracker": "none",
        "lossless": True,
        "start": "3f",
        "end": "6f",
    }
    whole, part, fill = (tmp_path / f"{name}.mkv" for name in ("whole", "part", "fill"))
    remover.clean(clip.path, whole, **given)
    report = remover.clean(clip.path, part, trim=True, handles=4, layer=fill, **given)
    assert report.written == (0, 10)
    assert report.to_json()["written"] == [0, 10]
    assert any("has 3 frames before the part and 4 after it" in w for w in report.warnings)
    (expected, _), (found, reader) = planes(whole), planes(part)
    assert len(found) == 10
    assert all(
        np.array_equal(a, b)
        for x, y in zip(expected[:10], found, strict=True)
        for a, b in zip(x, y, strict=True)
    )
    layer, of_layer = planes(fill)
    assert np.array_equal(of_layer.index.pts, reader.index.pts)
    alpha = [component(p, of_layer.info.layout, 3).any() for p in layer]
    assert alpha == [3 <= number < 6 for number in range(10)]
