"""Cleaning a clip with a shadow, from file to file."""

import itertools
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from shadowed import Scene, scene

import remover
from remover import compose, light
from remover.drawing import COLOURS
from remover.masks import dilate
from remover.pipeline import dry_run, preview
from remover.prompts import parse_mask

FRAMES = 26


class StoppedError(Exception):
    """Ends a run in its middle."""


def written(path: Path, made: Scene) -> Path:
    """The scene as a lossless video, and its masks as ``masks/`` beside it."""
    height, width = made.masks[0].shape
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=24)
        video.width, video.height, video.pix_fmt = width, height, "yuv444p"
        for t, picture in enumerate(made.frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = t, Fraction(1, 24)
            container.mux(video.encode(frame))
        container.mux(video.encode())
    (path.parent / "masks").mkdir()
    for t, mask in enumerate(made.masks):
        cv2.imwrite(str(path.parent / "masks" / f"{t:03}.png"), mask.astype(np.uint8) * 255)
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> tuple[Path, Scene]:
    made = scene(FRAMES)
    return written(tmp_path_factory.mktemp("shadow") / "clip.mkv", made), made


def planes_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


def rgb_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def clean(source: Path, out: Path, **options: Any) -> Any:
    given = {"mask": [source.parent / "masks"], "lossless": True, **options}
    return remover.clean(source, out, **given)


def shadow_error(path: Path, made: Scene) -> float:
    """Root mean square error, in levels, over the shadow beside the object."""
    errors = []
    for t, picture in enumerate(rgb_of(path)):
        there = (made.shadows[t] < 0.97) & ~made.masks[t]
        errors.append(np.square(picture.astype(np.float32) - made.clean[t])[there].mean())
    return float(np.sqrt(np.mean(errors)))


@pytest.fixture(scope="module")
def removed(clip, tmp_path_factory) -> tuple[Path, Path, Any]:
    folder = tmp_path_factory.mktemp("removed")
    out, chart = folder / "out.mkv", folder / "map.mkv"
    return out, chart, clean(clip[0], out, shadows="remove", source_map=chart)


def test_a_shadow_goes(clip, removed):
    source, made = clip
    out, _, report = removed
    assert shadow_error(source, made) > 35
    assert shadow_error(out, made) < 9
    errors = [
        np.square(picture.astype(np.float32) - made.clean[t])[made.masks[t]].mean()
        for t, picture in enumerate(rgb_of(out))
    ]
    assert np.sqrt(np.mean(errors)) < 6
    assert report.shadows == {"removed": FRAMES, "kept": 0}
    assert 0.1 < report.relit_share < 0.6
    assert report.copied_share == 1
    assert any("found in 26 frames and removed" in note for note in report.notes)
    assert any("lit up" in line for line in report.summary())
    assert report.promises.samples_changed_outside == 0
    said = json.loads(json.dumps(report.to_json(), default=str))
    assert said["shadows"] == report.shadows
    assert said["relit_share"] == report.relit_share


def test_outside_of_mask_and_shadow_nothing_changes(clip, removed):
    source, made = clip
    out, chart, _ = removed
    for t, (before, after, colours) in enumerate(
        zip(planes_of(source), planes_of(out), rgb_of(chart), strict=True)
    ):
        height, width = made.masks[t].shape
        untouched = (colours[:height] == COLOURS["untouched"]).all(axis=-1)
        changed = (before != after).reshape(3, height, width).any(axis=0)
        assert not (changed & untouched).any()
        relit = (colours[:height] == COLOURS["relit"]).all(axis=-1)
        beside = ~dilate(made.masks[t], 5)
        assert not untouched[(made.shadows[t] < 0.8) & beside].any()
        assert relit[(made.shadows[t] < 0.97) & beside].any()  # its deep part is copied
        assert not (relit & made.masks[t]).any()


@pytest.mark.parametrize("asked", ["auto", "keep"])
def test_a_users_mask_is_a_contract(asked, clip, tmp_path):
    source, made = clip
    report = clean(source, tmp_path / "out.mkv", shadows=asked, feather=2, dilate=2)
    assert report.shadows == {"removed": 0, "kept": FRAMES}
    assert report.relit_share == 0
    for t, (before, after) in enumerate(
        zip(planes_of(source), planes_of(tmp_path / "out.mkv"), strict=True)
    ):
        outside = ~dilate(made.masks[t], 5)
        height, width = outside.shape
        assert not ((before != after).reshape(3, height, width) & outside).any()


def test_where_a_shadow_stays_the_fill_is_as_dark(clip, tmp_path):
    source, made = clip
    clean(source, tmp_path / "out.mkv", shadows="keep")
    steps = []
    for t, picture in enumerate(rgb_of(tmp_path / "out.mkv")):
        # Where the object stood in its own shadow: just inside its foot against just below it.
        x = np.nonzero(made.masks[t])[1]
        columns = slice(int(x.min()) + 12, int(x.max()) - 2)
        ground = made.clean[t].astype(np.float32).mean(axis=2)
        shown = picture.astype(np.float32).mean(axis=2) / ground
        steps.append(shown[73:76, columns].mean() - shown[78:80, columns].mean())
    assert abs(float(np.mean(steps))) < 0.12


def test_auto_removes_beside_a_box(clip, tmp_path):
    source, made = clip
    first, last = (np.nonzero(made.masks[t])[1].min() for t in (0, FRAMES - 1))
    boxes = [f"{x},34,22,42@{t}" for t, x in ((0, first), (FRAMES - 1, last))]
    given = {"mask": [], "box": boxes, "tracker": "none", "dilate": 2}
    report = clean(source, tmp_path / "out.mkv", **given)
    assert report.shadows == {"removed": FRAMES, "kept": 0}
    assert shadow_error(tmp_path / "out.mkv", made) < 9


def test_nothing_is_said_where_there_is_no_shadow(make_clip, tmp_path):
    source = make_clip(frames=20)
    x, y, w, h = source.box
    report = remover.clean(
        source.path,
        tmp_path / "out.mkv",
        box=[source.box, f"{x + 84},{y},{w},{h}@19"],
        tracker="none",
        shadows="remove",
    )
    assert report.shadows == {"removed": 0, "kept": 0}
    assert not any("shadow" in note for note in report.notes)
    assert not any("shadow" in line for line in report.summary())


@pytest.mark.parametrize(
    ("owner", "name", "calls"),
    [(light, "find_shades", 1), (light, "decided", 0), (compose, "put_in", 9)],
)
def test_a_stopped_run_ends_with_the_same_bytes(
    owner, name, calls, clip, removed, tmp_path, monkeypatch
):
    source, _ = clip
    out = tmp_path / "out.mkv"
    real, count = getattr(owner, name), itertools.count()

    def counted(*given: Any, **named: Any) -> Any:
        if next(count) >= calls:
            raise StoppedError
        return real(*given, **named)

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, counted)
        if calls == 1:  # everything is found, and the next step fails
            patched.setattr(light, "decided", lambda *_: (_ for _ in ()).throw(StoppedError()))
        with pytest.raises(StoppedError):
            clean(source, out, shadows="remove")
    assert not out.exists()
    report = clean(source, out, shadows="remove", resume=True)
    assert out.read_bytes() == removed[0].read_bytes()
    assert report.shadows == {"removed": FRAMES, "kept": 0}


def test_other_shadows_are_another_run(clip, tmp_path, monkeypatch):
    source, _ = clip
    out = tmp_path / "out.mkv"
    with monkeypatch.context() as patched:
        patched.setattr(compose, "put_in", lambda *_: (_ for _ in ()).throw(StoppedError()))
        with pytest.raises(StoppedError):
            clean(source, out, shadows="remove")
    with pytest.raises(remover.UsageError, match="`--shadows` was `remove` and is `keep`"):
        clean(source, out, shadows="keep", resume=True)


def test_the_preview_and_the_plan_show_it(clip, tmp_path):
    from remover.config import CleanOptions
    from remover.preview import SHADOW

    source, _ = clip
    prompts = [parse_mask(str(source.parent / "masks"))]
    sheets = []
    for asked, done in (("remove", "removed"), ("keep", "kept")):
        sheet = tmp_path / f"{asked}.png"
        report = preview(source, sheet, prompts, CleanOptions(shadows=asked))
        assert sum(report.shadows.values()) == FRAMES
        sheets.append(cv2.imread(str(sheet)).astype(int))
        plan = dry_run(source, tmp_path / "o.mkv", prompts, CleanOptions(shadows=asked))
        assert any(line.startswith("shadow") and done in line for line in plan.summary())
    differs = np.abs(sheets[0] - sheets[1]).max(axis=2) > 40
    towards = sheets[0][differs] - sheets[1][differs]
    assert differs.any()
    assert towards[:, 2].mean() > 0  # orange is redder than blue
    assert SHADOW[0] > SHADOW[2]
