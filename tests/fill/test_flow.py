"""Dense motion, what goes on by inertia, and the ways through time that are put together of it."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover.fill.align import Camera
from remover.fill.copy import Sources, Target, copy_frame
from remover.fill.flow import AROUND, Field, Flows, displacement, grid, sampled, settled
from remover.fill.frames import Frame
from remover.fill.inertia import OLDEST, followed
from remover.fill.trace import NOWHERE, look, shows, trace
from remover.types import Rect, Shot, Size

HEIGHT, WIDTH = 120, 240
SIZE = Size(HEIGHT, WIDTH)


def texture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    rng = np.random.default_rng(seed)
    total = np.full((height, width, 3), 120.0, np.float32)
    for cell, contrast in ((3, 15), (9, 30), (31, 20)):
        noise = rng.normal(0, contrast, (height // cell + 2, width // cell + 2, 3))
        total += cv2.resize(noise.astype(np.float32), (width, height))
    return np.clip(total, 20, 235).astype(np.uint8)


STEP = 4
"""Pixels a frame that the thing behind moves to the right."""
PILLAR = slice(110, 134)


def walker(count: int = 24) -> tuple[dict[int, Frame], list[np.ndarray]]:
    """A thing that walks behind a pillar that stands still, and the pictures without the pillar."""
    wall, thing = texture(1), texture(2, 50, 90)
    frames, clean = {}, []
    for index in range(count):
        picture = wall.copy()
        left = 4 + STEP * index
        part = picture[40:90, left : left + 90]
        part[:] = thing[:, : part.shape[1]]
        clean.append(picture)
        hole = np.zeros((HEIGHT, WIDTH), np.uint8)
        hole[20:110, PILLAR] = 255
        shown = picture.copy()
        shown[hole > 0] = 5
        frames[index] = Frame(index, shown, hole, hole)
    return frames, clean


STILL = Camera(0, (), static=True)


def test_a_rough_filling_takes_what_the_nearest_frames_show():
    frames, clean = {}, []
    wall = texture(3)
    for index in range(9):
        hole = np.zeros((HEIGHT, WIDTH), np.uint8)
        hole[40:80, 60 + 12 * index : 90 + 12 * index] = 255
        shown = wall.copy()
        shown[hole > 0] = 250
        frames[index], _ = Frame(index, shown, hole, hole), clean.append(wall)
    flows = Flows(frames.__getitem__, SIZE, STILL, Shot(0, 9), 8)
    pair = flows.pair(4)
    assert pair is not None
    for field in pair:
        assert field.rect.size.height <= 40 + 2 * AROUND
        assert not field.shift.any()  # the wall stands still, although the hole moves


def test_where_no_frame_has_a_hole_no_motion_is_measured():
    blank = np.zeros((HEIGHT, WIDTH), np.uint8)
    frames = {i: Frame(i, texture(4), blank, blank) for i in range(2)}
    assert Flows(frames.__getitem__, SIZE, STILL, Shot(0, 2), 1).pair(0) is None
    assert followed(Flows(frames.__getitem__, SIZE, STILL, Shot(0, 2), 1), range(2)) == {}


def test_what_walks_behind_a_pillar_walks_on():
    frames, _ = walker()
    flows = Flows(frames.__getitem__, SIZE, STILL, Shot(0, 24), 8)
    before, after = followed(flows, range(24)), followed(flows, range(23, -1, -1))
    middle = 122
    for fields, way in ((before, -STEP), (after, STEP)):
        field = fields[14]
        inside = field.shift[:, 65 - field.rect.top, middle - field.rect.left]
        assert inside == pytest.approx([way, 0], abs=1.0)


def test_what_is_measured_does_not_depend_on_who_asked_first():
    frames, _ = walker()
    early, late = (Flows(frames.__getitem__, SIZE, STILL, Shot(0, 24), 4) for _ in range(2))
    for index in range(20):
        early.pair(index)
    early.forget(12)
    for one, other in zip(early.pair(13), late.pair(13), strict=True):
        assert one.rect == other.rect
        assert np.array_equal(one.shift, other.shift)


def test_the_hidden_is_given_up_after_a_while():
    frames, _ = walker(OLDEST + 30)
    for frame in frames.values():  # the pillar becomes a wall that hides all that follows
        if frame.index > 4:
            frame.hole[20:110, 110:] = 255
    flows = Flows(frames.__getitem__, SIZE, STILL, Shot(0, len(frames)), 4)
    last = followed(flows, range(len(frames)))[len(frames) - 1]
    assert not (np.abs(last.shift[0] + STEP) < 0.5).any()


@pytest.mark.parametrize("size", [Size(540, 1920), Size(1931, 700)])
def test_motion_of_a_large_picture_is_measured_small_and_followed_in_its_own_pixels(size):
    scene = texture(8, size.height, size.width + 48)
    frames, hole = {}, np.zeros(size, np.uint8)
    hole[200:320, 300:420] = 255
    for index in range(4):
        shown = scene[:, 12 * index : 12 * index + size.width].copy()
        frames[index] = Frame(index, shown, hole, hole)
    steps = [np.array([[1, 0, -12.0], [0, 1, 0], [0, 0, 1]])] * 3
    flows = Flows(frames.__getitem__, size, Camera(0, steps, static=False), Shot(0, 4), 4)
    assert max(flows.size) == 960
    fields = followed(flows, range(3, -1, -1))
    rect = Rect(230, 470, 260, 500)  # beside the hole, until the last frame
    ways = list(trace(0, rect, fields.get, 1, 3, flows.scale))
    assert len(ways) == 3
    for number, (_, places) in enumerate(ways, 1):
        assert np.median(np.abs(places - grid(rect) - [[[-12 * number]], [[0]]])) < 1.0


def test_small_motion_before_a_still_camera_is_none():
    shift = np.zeros((2, 2, 2), np.float32)
    shift[:, 0, 0], shift[:, 1, 1] = (0.3, 0.3), (0.4, 0.4)
    assert np.array_equal(settled(shift)[:, 0, 0], (0, 0))
    assert np.array_equal(settled(shift)[:, 1, 1], shift[:, 1, 1])


@given(st.floats(-510, 510), st.floats(-510, 510))
def test_motion_is_kept_to_a_hundredth_of_a_pixel(dx, dy):
    shift = np.full((2, 3, 4), [[[dx]], [[dy]]], np.float32)
    kept = Field.of(Rect(0, 0, 3, 4), shift)
    assert np.abs(kept.shift - shift).max() < 0.01
    assert kept.steps.nbytes == shift.nbytes // 2


@given(st.integers(-6, 6), st.integers(-6, 6), st.integers(1, 5))
def test_ways_add_up(dx, dy, count):
    rect, wide = Rect(30, 40, 50, 70), Rect(0, 0, HEIGHT, WIDTH)
    field = Field.of(wide, np.full((2, HEIGHT, WIDTH), [[[dx]], [[dy]]], np.float32))
    ways = list(trace(10, rect, lambda _: field, 1, count))
    assert [place for place, _ in ways] == list(range(11, 11 + count))
    for number, (_, places) in enumerate(ways, 1):
        assert np.array_equal(places, grid(rect) + np.float32([[[dx * number]], [[dy * number]]]))


def test_ways_are_lost_where_no_motion_is_known():
    narrow = Rect(30, 40, 50, 60)
    field = Field.of(narrow, np.full((2, 20, 20), [[[8]], [[0]]], np.float32))
    ways = [places for _, places in trace(5, narrow, lambda _: field, -1, 2)]
    assert (ways[0] > 0).all()
    assert (ways[1][:, :, -8:] == NOWHERE).all()
    assert (ways[1][:, :, :12] > 0).all()
    assert list(trace(5, narrow, lambda _: None, 1, 4)) == []


def test_a_frame_is_seen_at_places_and_not_where_it_is_barred():
    hole = np.zeros((HEIGHT, WIDTH), np.uint8)
    hole[50:60, 50:60] = 255
    frame = Frame(0, texture(5), hole, hole)
    rect = Rect(40, 40, 70, 70)
    assert np.array_equal(look(frame, grid(rect)), frame.rgb[rect.slices].astype(np.float32))
    assert np.array_equal(shows(frame, grid(rect)), hole[rect.slices] == 0)
    assert not shows(frame, np.full((2, 3, 3), NOWHERE, np.float32)).any()


def test_where_ways_part_no_single_pixels_sparkle():
    """Scattered ways lead out of a hole to something bright; a later frame shows what is there."""
    hole = np.zeros((HEIGHT, WIDTH), np.uint8)
    hole[40:80, 60:110] = 255
    wall = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    bright = wall.copy()
    bright[:, 150:210] = 230
    nothing = np.zeros_like(hole)
    frames = {0: Frame(0, bright, hole, hole), 1: Frame(1, wall, hole, hole)}
    frames[2] = Frame(2, wall, nothing, nothing)
    rect, shift = Rect(20, 30, 100, 140), np.zeros((2, 80, 110), np.float32)
    scattered = np.random.default_rng(4).random((80, 110)) < 0.1
    shift[0, scattered & (hole[rect.slices] > 0)] = 95
    sources = Sources(STILL, frames.get, (), {1: Field.of(rect, shift)}, {})
    inside, truth = hole[rect.slices] > 0, wall[rect.slices].astype(np.float32)
    copied = copy_frame(Target(1, rect, truth, inside, ~inside), sources)
    assert copied.known[inside].all()
    assert np.abs(copied.rgb - 100)[inside].max() < 1


def test_places_under_a_homography_are_told_by_their_displacement():
    matrix = np.array([[1, 0, 3.0], [0, 1, -2.0], [0, 0, 1]])
    rect = Rect(5, 7, 9, 12)
    assert np.allclose(displacement(matrix, rect), [[[3]], [[-2]]])
    picture = texture(6)
    moved = sampled(picture, grid(rect) + displacement(matrix, rect), cv2.INTER_LINEAR, None)
    assert np.array_equal(moved, picture[3:7, 10:15])
