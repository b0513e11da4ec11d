"""Windows of a network over a shot: with random weights, so only what must hold for any weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from remover.errors import DeviceError, WeightsError
from remover.fill import paint as painting
from remover.fill.choose import choose
from remover.fill.draft import Draft, Limits, Take
from remover.fill.frames import Frame
from remover.fill.networks import Networks
from remover.fill.paint import NetworkPainter, needed, padded, pieces_of, working_hole
from remover.masks import bounds
from remover.painting import Joins, Offload, PaintPlan
from remover.progress import Silent
from remover.types import Rect, Shot, Size

PLAN = PaintPlan(
    frames=17,
    overlap=5,
    stretch=17,
    pixels=10**6,
    joins=Joins.HAND_OVER,
    steps=2,
    dtype="fp32",
    weights="fp32",
    offload=Offload.NONE,
    device="cpu",
    memory_bytes=0,
    host_bytes=0,
    seconds=None,
)


@pytest.fixture(scope="module")
def network(checkpoint):
    return choose("small", str(checkpoint), "cpu", "auto", None)


@pytest.fixture
def make(network) -> Callable[..., NetworkPainter]:
    """A painter with some of its plan changed."""

    def made(seed: int = 0, **changes) -> NetworkPainter:
        networks = Networks(network, replace(PLAN, **changes))
        return NetworkPainter(networks, seed=seed, progress=Silent())

    return made


def picture(t: int, size: Size) -> np.ndarray:
    rng = np.random.default_rng(7)
    coarse = rng.normal(120, 40, (12, 16, 3)).astype(np.float32)
    scene = cv2.resize(coarse, (size.width + 64, size.height), interpolation=cv2.INTER_CUBIC)
    return np.clip(scene[:, t : t + size.width], 0, 255).astype(np.uint8)


SMALL = Size(64, 96)


def scene(count: int, size: Size = SMALL, missing: Callable[[int], bool] = lambda _: True) -> Take:
    """Frames with a hole of 20 x 24 that moves; in some frames nothing fills it."""
    frames, drafts = {}, {}
    for t in range(count):
        hole = np.zeros(size, np.uint8)
        left = 8 + t % 40
        hole[20:40, left : left + 24] = 255
        frames[t] = Frame(t, picture(t, size), hole, hole)
        tight = bounds(hole)
        assert tight is not None
        rect = tight.grown(12, size)
        inside = hole[rect.slices] > 0
        known = ~inside if missing(t) else np.ones_like(inside)
        rgb = frames[t].rgb[rect.slices].astype(np.float32)
        nothing, sure = np.zeros_like(inside), np.zeros(inside.shape, np.float32)
        drafts[t] = Draft(frames[t], rect, inside, inside & known, sure, rgb, known, nothing)
    return Take(Shot(0, count), frames.__getitem__, drafts)


def rgb_of(take: Take) -> dict[int, np.ndarray]:
    return {i: item.rgb.copy() for i, item in take.drafts.items()}


@pytest.mark.parametrize("count", [1, 4, 9, 17, 19, 40])
def test_every_missing_pixel_is_filled_and_no_other_changes(count, make):
    take = scene(count)
    before = rgb_of(take)
    make().paint(take)
    for i, item in take.drafts.items():
        assert item.known.all()
        assert (item.painted == item.hole).all()
        assert np.array_equal(item.rgb[~item.hole], before[i][~item.hole])
        assert np.isfinite(item.rgb).all()
        assert not np.array_equal(item.rgb[item.hole], before[i][item.hole])


@pytest.mark.parametrize("joins", list(Joins))
def test_every_way_to_join_windows_fills_all(joins, make):
    take = scene(34)
    make(joins=joins, stretch=41).paint(take)
    assert all(item.known.all() for item in take.drafts.values())


def test_the_same_seed_gives_the_same_and_another_another(make):
    takes = [scene(9) for _ in range(3)]
    for take, seed in zip(takes, (3, 3, 4), strict=True):
        make(seed).paint(take)
    first, same, other = (rgb_of(take) for take in takes)
    assert all(np.array_equal(first[i], same[i]) for i in first)
    assert not np.array_equal(first[4], other[4])


@pytest.mark.parametrize("size", [Size(61, 97), Size(35, 113)])
def test_odd_sizes_are_filled(size, make):
    take = scene(5, size)
    make().paint(take)
    assert all(item.known.all() for item in take.drafts.values())


def test_the_last_rows_of_full_hd_are_filled(make):
    """1080 is no multiple of 16: the crop reaches beyond the picture and repeats its edge."""
    size = Size(1080, 1920)
    hole = np.zeros(size, np.uint8)
    hole[1062:, 1890:] = 255
    frame = Frame(0, picture(0, size), hole, hole)
    rect = Rect(1050, 1870, 1080, 1920)
    inside = hole[rect.slices] > 0
    rgb, nothing = frame.rgb[rect.slices].astype(np.float32), np.zeros_like(inside)
    sure = np.zeros(inside.shape, np.float32)
    item = Draft(frame, rect, inside, nothing, sure, rgb, ~inside, nothing)
    take = Take(Shot(0, 1), {0: frame}.__getitem__, {0: item})
    crop = painting.crop_around(Rect(1062, 1890, 1080, 1920), size, 10**6)
    assert crop.rect.bottom == 1088
    assert working_hole(take, crop)[0, -8:, -30:].all(), "what is repeated of a hole is a hole"
    make().paint(take)
    assert item.known.all()
    assert np.array_equal(item.rgb[~inside], rgb[~inside])


def test_a_large_crop_is_worked_on_smaller(make, monkeypatch):
    monkeypatch.setattr("remover.crops.LEAST_PIXELS", 32 * 48)
    asked: list[torch.Size] = []
    real = painting.known_latents

    def watched(vae, pieces, near):
        known = real(vae, pieces, near)
        asked.append(known.shape)
        return known

    monkeypatch.setattr(painting, "known_latents", watched)
    take = scene(5)
    make(pixels=40 * 60).paint(take)
    assert all(item.known.all() for item in take.drafts.values())
    (shape,) = asked
    assert shape[3] * shape[4] * 64 <= 40 * 60


def test_settled_pixels_are_shown_and_holes_are_not():
    take = scene(9, missing=lambda t: t >= 4)
    crop = painting.crop_around(Rect(20, 8, 40, 60), take.size, 10**6)
    hole = working_hole(take, crop)
    assert not hole[:1].any()
    assert hole[1:5].any(), "frames 1 to 4 share a latent, and 4 has a hole"
    assert torch.equal(hole[1], hole[4])
    video = torch.cat([piece for piece, _ in pieces_of(take, crop, hole)], dim=1)
    assert video.shape == (3, 9, *crop.size)
    item = take.drafts[2]
    shown = (video[:, 2].permute(1, 2, 0).numpy() + 1) * 127.5
    assert np.abs(shown[item.rect.slices] - item.rgb).max() < 1e-3


def test_what_no_source_may_be_is_not_shown():
    take = scene(5)
    frame = take.frame(2)
    barred = frame.barred.copy()
    barred[50:60, 70:90] = 255
    frames = {i: take.frame(i) for i in range(5)} | {2: replace(frame, barred=barred)}
    take = Take(take.frames, frames.__getitem__, take.drafts)
    crop = painting.crop_around(Rect(0, 0, *take.size), take.size, 10**6)
    assert working_hole(take, crop)[2, 50:60, 70:90].all()


def test_frames_far_from_anything_missing_never_meet_the_network(make, monkeypatch):
    counts: list[int] = []
    real = painting.known_latents
    monkeypatch.setattr(
        painting,
        "known_latents",
        lambda vae, pieces, near: real(
            vae, (counts.append(len(h)) or (v, h) for v, h in pieces), near
        ),
    )
    take = scene(40, missing=lambda t: 24 <= t < 27)
    make(frames=41, stretch=41).paint(take)
    assert sum(counts) == 13  # frames 16 to 28, in groups of 1, 4, 4 and 4
    counts.clear()
    make().paint(scene(40, missing=lambda _: False))
    assert counts == []


def test_frames_that_are_left_out_leave_the_groups_of_the_others():
    take = scene(60, missing=lambda t: t in (33, 34))
    assert needed(take, 5).frames == Shot(28, 37)
    take = scene(60, missing=lambda t: t >= 58)
    assert needed(take, 5).frames == Shot(52, 60)


def test_specks_are_filled_smoothly_without_the_network(make, monkeypatch):
    monkeypatch.setattr(painting, "known_latents", None)
    take = scene(5, missing=lambda _: False)
    item = take.drafts[2]
    item.known[:] = True
    item.known[14:18, 14:18] = False
    make().paint(take)
    assert item.known.all()
    assert not item.painted.any()


def test_noise_belongs_to_places_whatever_the_window(make):
    painter = make(5)
    size = Size(96, 128)
    whole = painting.crop_around(Rect(0, 0, *size), size, 10**6)
    part = painting.Crop(Rect(32, 48, 64, 96), 16)
    large, small = painter._noise(0, 12, whole), painter._noise(8, 3, part)
    assert np.array_equal(small, large[:, 2:5, 4:8, 6:12])


def test_a_window_begins_with_what_the_one_before_has_finished(make, monkeypatch):
    """The shared frames are shown as known, and change gradually to the new version."""
    shown: list[tuple[int, bool]] = []
    real = painting.working_hole

    def watched(take, crop):
        hole = real(take, crop)
        shown.append((take.frames.start, bool(hole[:5].any())))
        return hole

    monkeypatch.setattr(painting, "working_hole", watched)
    take = scene(29)
    make().paint(take)
    assert shown == [(0, True), (12, False)]


def test_shared_frames_fade_from_one_version_to_the_other(make, monkeypatch):
    levels = iter([50.0, 200.0])
    level = [0.0]

    def flat(_, latents, near):
        level[0] = next(levels)
        for t in range(latents.shape[2]):
            size = (3, 4 if t else 1, *near.size)
            yield torch.full(size, level[0] / 127.5 - 1)

    monkeypatch.setattr(painting, "decoded", flat)
    monkeypatch.setattr("remover.fill.working.match_seam", lambda fill, *_: fill)
    take = scene(29)
    make().paint(take)
    means = [float(item.rgb[item.hole].mean()) for item in take.drafts.values()]
    assert means[:12] == pytest.approx([50] * 12, abs=0.01)
    assert means[12:17] == pytest.approx([75, 100, 125, 150, 175], abs=0.01)
    assert means[17:] == pytest.approx([200] * 12, abs=0.01)


class Failing:
    """Lets the memory run out in the first calls of a function."""

    def __init__(self, real, fits: Callable[..., bool]) -> None:
        self.real, self.fits, self.failed = real, fits, 0

    def __call__(self, *given):
        if not self.fits(*given):
            self.failed += 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.real(*given)


def test_out_of_memory_makes_shorter_windows_and_says_so(make, monkeypatch):
    failing = Failing(
        painting.working_hole, lambda take, _: take.frames.stop - take.frames.start < 12
    )
    monkeypatch.setattr(painting, "working_hole", failing)
    take = scene(25)
    painter = make()
    painter.paint(take)
    assert failing.failed == 1
    assert all(item.known.all() for item in take.drafts.values())
    assert painter.limits == Limits(9, PLAN.pixels)
    assert painter.changes == [
        "the memory of `cpu` ran out at windows of 17 frames; going on with 9"
    ]


def test_out_of_memory_makes_smaller_crops_at_last(make, monkeypatch):
    monkeypatch.setattr(painting, "LEAST_PIXELS", 32 * 48)
    monkeypatch.setattr("remover.crops.LEAST_PIXELS", 32 * 48)
    failing = Failing(painting.known_latents, lambda *_: failing.failed > 2)
    monkeypatch.setattr(painting, "known_latents", failing)
    take = scene(17)
    painter = make()
    painter.paint(take)
    assert all(item.known.all() for item in take.drafts.values())
    assert painter.limits.frames == 9
    assert painter.limits.pixels < 64 * 96
    assert len(painter.changes) == 3


def test_a_failure_in_the_middle_leaves_no_trace(make, monkeypatch):
    """What the failed try had filled is filled anew, so that it is no older version of anything."""
    wanted = scene(17)
    make(frames=9, stretch=9).paint(wanted)
    real, calls = painting.lay, []

    def failing(*given):
        calls.append(1)
        if len(calls) == 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        real(*given)

    monkeypatch.setattr(painting, "lay", failing)
    take = scene(17)
    make().paint(take)
    assert all(np.array_equal(take.drafts[i].rgb, rgb) for i, rgb in rgb_of(wanted).items())


def test_a_memory_that_holds_nothing_ends_the_run(make, monkeypatch):
    failing = Failing(painting.known_latents, lambda *_: False)
    monkeypatch.setattr(painting, "known_latents", failing)
    take = scene(17)
    with pytest.raises(DeviceError, match="memory ran out"):
        make().paint(take)
    assert not any(item.painted.any() for item in take.drafts.values())


def test_other_errors_are_not_taken_for_a_lack_of_memory(make, monkeypatch):
    def broken(*_):
        raise ValueError("something else")

    monkeypatch.setattr(painting, "known_latents", broken)
    with pytest.raises(ValueError, match="something else"):
        make().paint(scene(5))


def test_numbers_that_are_not_finite_never_become_a_picture(make, monkeypatch):
    def overflowing(*_):
        return lambda x, *_: x * torch.inf

    monkeypatch.setattr(painting, "part_velocity", overflowing)
    take = scene(5)
    with pytest.raises(WeightsError, match="not finite in `fp32`"):
        make().paint(take)
    assert not any(item.painted.any() for item in take.drafts.values())


def test_a_slow_network_says_how_far_it_is(make, monkeypatch, told):
    monkeypatch.setattr(painting, "QUIET_SECONDS", -1.0)
    painter = make(steps=3)
    painter._progress = told
    painter.paint(scene(5))
    assert told.said[0] == "painting with `small` (that of the weights) at 96x64"
    assert [text.split(",")[0] for text in told.said[1:]] == ["step 1 of 3", "step 2 of 3"]


def test_frames_are_repeated_up_to_whole_groups():
    assert padded(Shot(3, 4)) == [3]
    assert padded(Shot(3, 6)) == [3, 4, 5, 5, 5]
    assert padded(Shot(0, 83))[-3:] == [82, 82, 82]
    assert len(padded(Shot(0, 83))) == 85


def test_weights_with_contrast_tokens_paint_too(make_checkpoint, tmp_path: Path):
    folder = make_checkpoint(tmp_path / "stage1", num_contrast_tokens=6)
    network = choose("small", str(folder), "cpu", "auto", None)
    assert network is not None
    assert network.guidance == 3.0
    take = scene(5)
    NetworkPainter(Networks(network, PLAN), seed=0, progress=Silent()).paint(take)
    assert all(item.known.all() for item in take.drafts.values())
