"""The parts of the fill: weights, confidence, seams, motion, painting."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remover.fill import PAINTER, PAINTER_LICENCE, patch
from remover.fill.align import Camera, is_sane, is_still, step, view, visible, warp
from remover.fill.carry import lay
from remover.fill.confidence import confidence, texture_of
from remover.fill.copy import EDGE, REACH, empty_side, error_around, inwards, join, rest
from remover.fill.frames import Frame, to_bytes, to_levels
from remover.fill.patch import paint, paint_key
from remover.fill.seam import (
    CLIP,
    DEEPEST,
    SHADOW_FADES,
    level_rim,
    match_seam,
    membrane,
    ring_around,
    shaded_beside,
)
from remover.fill.survey import MAX_FAR, is_static, kept_indices
from remover.types import Rect


def noise(height: int, width: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(20, 235, (height // 5 + 2, width // 5 + 2, 3)).astype(np.float32)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0, 255).astype(np.uint8)


def frame(rgb: np.ndarray, index: int = 0, hole: np.ndarray | None = None) -> Frame:
    mask = np.zeros(rgb.shape[:2], np.uint8) if hole is None else hole.astype(np.uint8) * 255
    return Frame(index, rgb, mask, mask)


masks = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).random((13, 17)) < (seed % 7 + 1) / 8
)


@given(masks, st.floats(0, 255), st.floats(0, 255))
@settings(max_examples=40, deadline=None)
def test_a_membrane_keeps_what_is_known_and_stays_within_its_range(known, low, high):
    low, high = sorted((low, high))
    values = np.random.default_rng(3).uniform(low, high, (13, 17, 3)).astype(np.float32)
    made = membrane(values, known)
    assert made.shape == values.shape
    assert np.array_equal(made[known], values[known])
    if known.any():
        assert made.min() >= low - 0.01
        assert made.max() <= high + 0.01
    else:
        assert not made.any()


def test_a_membrane_continues_a_slope():
    slope = np.ascontiguousarray(np.tile(np.arange(40, dtype=np.float32), (30, 1))[..., None])
    known = np.ones((30, 40), bool)
    known[8:22, 10:30] = False
    assert np.abs(membrane(slope, known) - slope).mean() < 1


def test_a_seam_takes_an_exposure_difference_away_but_not_another_thing():
    truth = noise(40, 50).astype(np.float32)
    hole = np.zeros((40, 50), bool)
    hole[12:28, 15:35] = True
    near = match_seam(truth + 11, truth, hole, ~hole)
    assert np.abs(near - truth)[hole].max() < 0.1
    far = match_seam(truth + 90, truth, hole, ~hole)
    assert np.allclose((far - truth)[hole], 90 - CLIP, atol=0.1)
    assert match_seam(truth, truth, hole, np.zeros_like(hole)) is truth


def test_a_kept_shadow_on_bright_ground_is_no_black_blot_on_the_dark_ground_above_it():
    ground = np.full((120, 100, 3), 220, np.float32)
    ground[20:72] = 60
    hole = np.zeros((120, 100), bool)
    hole[30:80, 20:80] = True
    shadow = np.zeros_like(hole)
    shadow[70:90, 10:90] = True
    truth = np.where((shadow & ~hole)[..., None], ground * np.float32(0.3), ground)
    got = match_seam(shaded_beside(ground, truth, hole, ~hole, shadow & ~hole), truth, hole, ~hole)
    middle = got[30:80, 50].mean(axis=1) / ground[30:80, 50, 0]
    assert middle[-1] == pytest.approx(0.3, abs=0.05)  # in the shadow where it stands
    assert middle.min() > 0.29  # nowhere darker than it
    assert (np.diff(middle) < 1e-3).all()  # and it goes out,
    assert (middle[: -int(2 * SHADOW_FADES)] > 0.95).all()  # before it has filled the hole


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_beside_a_shadow_the_fill_only_gets_darker_by_a_share_of_its_light(seed):
    rng = np.random.default_rng(seed)
    fill, truth = rng.uniform(0, 255, (2, 24, 30, 3)).astype(np.float32)
    hole = cv2.resize(rng.random((4, 5)).astype(np.float32), (30, 24)) > 0.5
    shadow = (rng.random((24, 30)) < rng.random()) & ~hole
    got = shaded_beside(fill, truth, hole, ~hole, shadow)
    assert (got <= fill + 1e-3).all()
    assert (got >= fill * np.exp(-DEEPEST) - 1e-3).all()
    assert shaded_beside(fill, truth, hole, ~hole, np.zeros_like(hole)) is fill


def test_a_ring_lies_outside_the_hole():
    hole = np.zeros((20, 20), bool)
    hole[8:12, 8:12] = True
    ring = ring_around(hole, 2)
    assert ring.any()
    assert not (ring & hole).any()
    assert ring[6, 9]
    assert not ring[5, 9]


@given(
    st.floats(0, 255),
    st.floats(0, 128),
    st.integers(1, 500),
    st.integers(1, 64),
    st.floats(0, 100),
    st.booleans(),
)
@settings(deadline=None)
def test_confidence_is_a_probability_that_falls_with_doubt(
    error, spread, nearest, count, texture, more
):
    def sure(e: float, s: float, t: float = texture) -> float:
        one = [np.full((1, 1), v, np.float32) for v in (e, s, nearest, count, t)]
        return float(confidence(*one)[0, 0])

    value = sure(error, spread)
    assert sure(error, spread, texture + 3) <= value + 1e-6
    assert 0 <= value <= 1
    assert sure(error + 5, spread) <= value + 1e-6
    assert sure(error, spread + (9 if more else 1)) <= value + 1e-6


def test_texture_is_that_of_known_pixels():
    levels = np.full((12, 12, 3), 100, np.float32)
    levels[::2, 6:] = 120
    known = np.ones((12, 12), bool)
    found = texture_of(levels, known)
    assert found[:, :3] == pytest.approx(0, abs=0.1)
    assert found[4:8, 9] == pytest.approx(9.8, abs=0.3)
    known[::2] = False  # what is not known says nothing, whatever stands there
    assert texture_of(levels, known)[4:8, 9] == pytest.approx(0, abs=0.1)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_a_mix_lies_between_its_candidates_and_fills_all_that_was_seen(seed, num):
    rng = np.random.default_rng(seed)
    before, after = empty_side(6, 8), empty_side(6, 8)
    seen_at_all = np.zeros((6, 8), bool)
    low, high = np.full((6, 8, 3), 255.0), np.zeros((6, 8, 3))
    for k in range(num):
        levels = rng.uniform(0, 255, (6, 8, 3)).astype(np.float32)
        seen = rng.random((6, 8)) < 0.5
        error = rng.uniform(0, 60, (6, 8)).astype(np.float32)
        (before if k % 2 else after).add(levels, seen, error, k + 1)
        seen_at_all |= seen
        low = np.where(seen[..., None], np.minimum(low, levels), low)
        high = np.where(seen[..., None], np.maximum(high, levels), high)
    assert (before.weight >= 0).all()
    assert (after.weight >= 0).all()
    got = join(Rect(0, 0, 6, 8), before, after)
    assert np.array_equal(got.known, seen_at_all)
    assert (got.rgb[seen_at_all] >= low[seen_at_all] - 0.05).all()
    assert (got.rgb[seen_at_all] <= high[seen_at_all] + 0.05).all()
    assert (got.confidence[seen_at_all] > 0).all()
    assert not got.confidence[~seen_at_all].any()


def test_where_the_sides_contradict_the_trusted_one_is_leant_to():
    dark, light = np.full((20, 20, 3), 30, np.float32), np.full((20, 20, 3), 200, np.float32)
    seen = np.ones((20, 20), bool)
    before, after = empty_side(20, 20), empty_side(20, 20)
    before.add(dark, seen, np.full((20, 20), 1, np.float32), 1)
    after.add(light, seen, np.full((20, 20), 4, np.float32), 1)
    got = join(Rect(0, 0, 20, 20), before, after)
    assert got.rgb.max() < 45


def test_where_a_source_ends_no_hard_edge_is_left():
    rect, half = Rect(0, 0, 40, 60), np.zeros((40, 60), bool)
    half[:, :30] = True
    before, error = empty_side(40, 60), np.full((40, 60), 2, np.float32)
    for level, seen in ((100, np.ones_like(half)), (140, half)):
        before.add(np.full((40, 60, 3), level, np.float32), seen, error, 1)
    row = join(rect, before, empty_side(40, 60)).rgb[20, :, 0]
    assert row[10] == pytest.approx(120)
    assert row[50] == pytest.approx(100)
    assert np.abs(np.diff(row)).max() < 10


@given(st.integers(0, 1000))
def test_what_one_source_alone_shows_comes_whole(seed):
    rng = np.random.default_rng(seed)
    seen, levels = rng.random((20, 24)) > 0.4, rng.uniform(0, 255, (20, 24, 3)).astype(np.float32)
    before = empty_side(20, 24)
    before.add(levels, seen, np.full((20, 24), 2, np.float32), 3)
    copied = join(Rect(0, 0, 20, 24), before, empty_side(20, 24))
    assert np.array_equal(copied.known, seen)
    assert np.allclose(copied.rgb[seen], levels[seen], atol=1e-3)


def test_a_source_without_an_end_counts_in_full():
    assert (inwards(np.ones((9, 70), bool)) == 1).all()
    seen = np.ones((9, 70), bool)
    seen[:, 0] = False
    assert np.allclose(inwards(seen)[4, : int(EDGE)], np.arange(EDGE) / EDGE, atol=0.05)


def test_the_error_around_a_hole_is_that_of_the_pixels_both_show():
    truth = noise(60, 60).astype(np.float32)
    both = np.ones((60, 60), bool)
    both[20:40, 20:40] = False
    assert np.allclose(error_around(truth, truth + 7, both), 7, atol=0.1)
    assert (error_around(truth, truth, np.zeros((60, 60), bool)) > 10).all()


def test_the_search_goes_outwards_and_far_frames_come_last():
    rgb = noise(8, 8)
    near = {i: frame(rgb, i) for i in range(100)}
    far = [frame(rgb, 0), frame(rgb, 99)]
    order = [f.index for f in rest(50, near.get, far)]
    distances = [abs(i - 50) for i in order]
    assert distances == sorted(distances)
    assert order[-2:] == [99, 0]
    assert max(distances[:-2]) <= REACH
    assert [f.index for f in rest(50, {}.get, far)] == [99, 0]


@pytest.mark.parametrize("shift", [(0, 0), (3, 0), (-5, 2)])
def test_the_motion_of_a_shifted_scene_is_found_and_a_hole_does_not_disturb_it(shift):
    dx, dy = shift
    scene = noise(220, 320)
    a, b = scene[20:200, 20:300].copy(), scene[20 - dy : 200 - dy, 20 - dx : 300 - dx].copy()
    hole = np.zeros(a.shape[:2], bool)
    hole[60:120, 80:160] = True
    a[hole] = noise(180, 280, 9)[hole]
    b[hole] = noise(180, 280, 9)[hole]
    one, two = frame(a, 0, hole), frame(b, 1, hole)
    matrix = step(view(one), view(two))
    corners = np.array([[0, 0, 1], [279, 0, 1], [0, 179, 1], [279, 179, 1.0]]).T
    moved = matrix @ corners
    assert np.abs(moved[:2] / moved[2] - corners[:2] - [[dx], [dy]]).max() < 0.3
    assert is_still(view(one), view(two)) == (shift == (0, 0))
    camera = Camera(0, [matrix], static=False)
    assert np.allclose(camera.between(0, 1) @ camera.between(1, 0), np.eye(3), atol=1e-6)
    there = camera.between(0, 1), Rect(20, 20, 160, 260)
    levels, seen = warp(one, *there), visible(one, *there)
    clear = seen & (two.hole[20:160, 20:260] == 0)
    assert np.abs(levels - to_levels(b[20:160, 20:260]))[clear].mean() < 2


def test_motion_of_a_large_picture_is_given_in_its_own_pixels():
    scene = noise(420, 1320)
    a, b = scene[10:400, 10:1290], scene[10:400, 2:1282]
    matrix = step(view(frame(a)), view(frame(b, 1)))
    assert abs(matrix[0, 2] - 8) < 0.4
    assert abs(matrix[1, 2]) < 0.4


def test_flat_pictures_do_not_move_and_do_not_count_as_still():
    flat = np.full((60, 80, 3), 90, np.uint8)
    one = view(frame(flat))
    assert np.array_equal(step(one, one), np.eye(3))
    assert is_still(one, one) is None
    assert not is_static([one, one, one])
    assert not is_sane(np.full((3, 3), np.nan))


@given(st.integers(0, 5000), st.integers(1, 5000), st.integers(1, 50_000_000))
def test_kept_frames_are_bounded_and_lie_in_the_range(start, length, frame_bytes):
    kept = kept_indices(start, start + length, frame_bytes)
    assert 1 <= len(kept) <= MAX_FAR
    assert min(kept) == start
    assert max(kept) <= start + length - 1
    assert len(kept) * frame_bytes <= max(200 * 2**20, 2 * frame_bytes)


def test_painting_keeps_known_pixels_and_repeats_exactly():
    picture = noise(70, 80).astype(np.float32)
    known = np.ones((70, 80), bool)
    known[25:45, 30:55] = False
    made = paint(picture, known, 5)
    assert np.array_equal(made[known], picture[known])
    assert made.tobytes() == paint(picture, known, 5).tobytes()
    spoiled = picture.copy()
    spoiled[~known] = 255
    assert made.tobytes() == paint(spoiled, known, 5).tobytes()


@pytest.mark.parametrize("side", [1, 3, 30])
def test_painting_a_picture_of_which_nothing_is_known_gives_a_neutral_one(side):
    picture = np.full((side, side, 3), 250, np.float32)
    assert (paint(picture, np.zeros((side, side), bool), 1) == patch.NEUTRAL).all()


def test_large_pictures_are_painted_smaller(monkeypatch):
    monkeypatch.setattr(patch, "LARGEST", 2000)
    picture = noise(70, 80).astype(np.float32)
    known = np.ones((70, 80), bool)
    known[25:45, 30:55] = False
    made = paint(picture, known, 5)
    assert np.array_equal(made[known], picture[known])
    assert made[~known].std() > 5


def test_without_the_library_the_fill_is_smooth(monkeypatch):
    monkeypatch.setattr(patch, "PAINTER", "membrane")
    picture = noise(70, 80).astype(np.float32)
    known = np.ones((70, 80), bool)
    known[25:45, 30:55] = False
    made = paint(picture, known, 5)
    assert np.array_equal(made, membrane(picture, known))


def test_the_painter_is_named_with_its_licence():
    assert (PAINTER, PAINTER_LICENCE) in {("patchmatch", "MIT"), ("membrane", "Apache-2.0")}


def test_a_painted_key_is_laid_where_the_camera_took_it():
    picture = noise(90, 120).astype(np.float32)
    known = np.ones((90, 120), bool)
    known[30:50, 40:70] = False
    key = paint_key(4, Rect(0, 0, 90, 120), picture, known, 1)
    shift = np.array([[1.0, 0, 6], [0, 1.0, 2], [0, 0, 1.0]])
    rect = Rect(20, 30, 70, 100)
    wanted = np.ones((50, 70), bool)
    wanted[32 - 20 : 52 - 20, 46 - 30 : 76 - 30] = False
    there = np.roll(picture, (2, 6), (0, 1))[rect.slices] + 5
    laid, took = lay(there, wanted, key, shift, rect)
    assert np.array_equal(took, ~wanted)
    inner = to_levels(key.rgb)[30 - key.rect.top :, 40 - key.rect.left :][:20, :30]
    assert np.abs(laid[12:32, 16:46] - inner - 5).max() < 3
    assert np.array_equal(laid[wanted], there[wanted])


def test_levels_go_to_bytes_and_back():
    rgb = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    assert np.array_equal(to_bytes(to_levels(rgb)), rgb)
    assert np.array_equal(to_bytes(to_levels(rgb.astype(np.uint16) * 257)), rgb)


def test_a_smooth_rim_is_levelled_and_a_textured_one_is_left():
    hole = np.zeros((60, 70), bool)
    hole[20:40, 20:50] = True
    smooth = np.tile(np.linspace(100, 130, 70, dtype=np.float32)[None, :, None], (60, 1, 3))
    darker = np.where(hole[..., None], smooth - 9, smooth)
    mended = level_rim(darker, ~hole, hole)
    assert np.abs(mended - smooth)[hole].mean() < 2
    assert np.array_equal(mended[~hole], smooth[~hole])
    rough = noise(60, 70).astype(np.float32)
    changed = np.where(hole[..., None], rough - 9, rough)
    assert np.abs(level_rim(changed, ~hole, hole) - changed).mean() < 0.5
