"""Shadows of objects: found where they are, and nowhere else."""

import itertools
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from shadowed import HEIGHT, WIDTH, Scene, scene

from remover.fill import survey
from remover.fill.shade import Shade, lit_ground
from remover.fill.shadow import closed
from remover.fill.shadows import RUN, find, sliding, steadiness
from remover.masks import dilate
from remover.progress import Silent
from remover.types import Rect, Shot, Size, Window

ALL = Rect(0, 0, HEIGHT, WIDTH)


class Clip:
    def __init__(self, frames: list[np.ndarray]) -> None:
        self.frames = frames

    @property
    def num_frames(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> Size:
        return Size(*self.frames[0].shape[:2])

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        yield from self.frames[start:stop]


def shades_of(frames: list[np.ndarray], masks: list[np.ndarray]) -> dict[int, Shade]:
    clip, shot = Clip(frames), Shot(0, len(frames))
    holes = [dilate(mask, 3) for mask in masks]
    window = Window(*shot, *shot, ALL)
    camera = survey(clip, holes.__getitem__, shot, [window], Silent()).camera
    return {s.index: s for s in find(clip, holes.__getitem__, shot, camera, Silent())}


def lit(frame: np.ndarray, shade: Shade) -> np.ndarray:
    levels = frame.astype(np.float32)
    return lit_ground(levels, shade.light(ALL), shade.background(ALL), shade.reach)


@pytest.fixture(scope="module", params=[0.0, 0.7], ids=["static", "panning"])
def found(request) -> tuple[Scene, dict[int, Shade]]:
    made = scene(pan=request.param)
    return made, shades_of(made.frames, made.masks)


def test_a_shadow_is_found_in_every_frame(found):
    made, shades = found
    assert sorted(shades) == list(range(len(made.frames)))
    for index, shade in shades.items():
        deep = (made.shadows[index] < 0.75) & ~dilate(made.masks[index], 4)
        region = shade.region(ALL)
        assert (region & deep).sum() > 0.9 * deep.sum()
        free = (made.shadows[index] > 0.995) & ~dilate(made.masks[index], 4)
        assert (region & free).sum() < 1.2 * deep.sum()


def test_what_is_lit_up_is_the_ground(found):
    made, shades = found
    before, after = [], []
    for index, shade in shades.items():
        there = (made.shadows[index] < 0.98) & ~dilate(made.masks[index], 4)
        truth = made.clean[index].astype(np.float32)
        before.append(np.square(made.frames[index] - truth)[there].mean())
        after.append(np.square(lit(made.frames[index], shade) - truth)[there].mean())
    assert np.sqrt(np.mean(before)) > 35
    assert np.sqrt(np.mean(after)) < 6


def test_what_is_lit_up_does_not_flicker(found):
    made, shades = found
    errors = [lit(made.frames[i], s) - made.clean[i].astype(np.float32) for i, s in shades.items()]
    for index, (last, now) in enumerate(itertools.pairwise(errors), 1):
        hidden = dilate(made.masks[index] | made.masks[index - 1], 5)
        seen = shades[index].region(ALL) & ~hidden
        assert abs(float((now - last)[seen].mean())) < 4


def test_the_grounds_texture_stays(found):
    made, shades = found
    index = len(made.frames) // 2
    deep = (made.shadows[index] < 0.6) & ~dilate(made.masks[index], 4)

    def fine(picture: np.ndarray) -> np.ndarray:
        gray = picture.astype(np.float32).mean(axis=2)
        return (gray - cv2.GaussianBlur(gray, (0, 0), 1.5))[deep]

    restored = fine(lit(made.frames[index], shades[index]))
    assert np.corrcoef(restored, fine(made.clean[index]))[0, 1] > 0.9
    assert 0.7 < restored.std() / fine(made.clean[index]).std() < 1.5


def nothing_in(frames: list[np.ndarray], masks: list[np.ndarray]) -> bool:
    return not shades_of(frames, masks)


def test_no_shadow_is_found_where_there_is_none():
    made = scene(depth=0.0)
    assert nothing_in(made.frames, made.masks)


def test_no_shadow_is_found_on_moving_water():
    made, rng = scene(depth=0.0), np.random.default_rng(1)
    frames = []
    for picture, mask in zip(made.frames, made.masks, strict=True):
        waves = rng.normal(0, 1, (15, 22)).astype(np.float32)
        waves = 1 + 0.18 * cv2.resize(waves, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
        water = np.clip(picture * waves[..., None], 0, 255).astype(np.uint8)
        frames.append(np.where(mask[..., None], picture, water))
    assert nothing_in(frames, made.masks)


def test_no_shadow_is_found_where_the_light_changes():
    made = scene(depth=0.0)
    frames = [
        np.clip(picture * (0.8 + 0.2 * np.cos(t / 4)), 0, 255).astype(np.uint8)
        for t, picture in enumerate(made.frames)
    ]
    assert nothing_in(frames, made.masks)


def test_another_thing_that_passes_is_no_shadow():
    made = scene(depth=0.0)
    frames = [picture.copy() for picture in made.frames]
    for t, (frame, mask) in enumerate(zip(frames, made.masks, strict=True)):
        x = WIDTH - 30 - t * (WIDTH - 40) // len(frames)
        frame[60:90, x : x + 16] = 50
        frame[mask] = made.frames[t][mask]
    assert nothing_in(frames, made.masks)


def test_a_coloured_thing_beside_the_object_is_no_shadow():
    made = scene(depth=0.0)
    frames = [picture.copy() for picture in made.frames]
    for frame, mask in zip(frames, made.masks, strict=True):
        x = int(np.nonzero(mask)[1].max()) + 1
        frame[66:76, x : x + 24] = frame[66:76, x : x + 24] * (0.4, 0.75, 0.9)
    assert nothing_in(frames, made.masks)


def test_an_object_that_stands_still_tells_nothing_of_its_shadow():
    made = scene(moves=False)
    assert nothing_in(made.frames, made.masks)


def test_a_shadow_of_a_few_frames_is_none():
    made = scene()
    bare = scene(depth=0.0)
    frames = [*bare.frames[:12], *made.frames[12:17], *bare.frames[17:]]
    assert nothing_in(frames, made.masks)


@given(st.integers(0, 40), st.integers(0, 9))
def test_every_item_comes_with_its_neighbours(count, radius):
    items = list(range(count))
    seen = list(sliding(iter(items), radius))
    assert [item for item, _ in seen] == items
    for item, near in seen:
        assert near == items[max(0, item - radius) : item + radius + 1]


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_only_long_runs_are_steady(there):
    marks = [object() if one else None for one in there]
    for (now, near), one in zip(sliding(iter(marks), RUN - 1), there, strict=True):
        if not one:
            continue
        strength = steadiness(now, near)
        place = marks.index(now)
        first = last = place
        while first and marks[first - 1] is not None:
            first -= 1
        while last + 1 < len(marks) and marks[last + 1] is not None:
            last += 1
        assert (strength > 0) == (last - first + 1 >= RUN)
        assert 0 <= strength <= 1


@settings(max_examples=30)
@given(
    arrays.arrays(np.float32, (12, 17), elements=st.floats(-2, 2, width=32)),
    arrays.arrays(np.bool_, (12, 17)),
    st.integers(1, 4),
)
def test_closing_only_raises(values, known, radius):
    result = closed(values, known, radius)
    assert (result >= values)[known].all()
    assert result.max(initial=0) <= max(0, values[known].max(initial=0))


@settings(max_examples=30)
@given(
    arrays.arrays(np.uint8, (24, 30, 3)),
    st.floats(0, 1.5, width=32),
    st.floats(2, 6, width=32),
)
def test_light_is_never_taken_and_nothing_changes_beyond(picture, strength, ceiling):
    levels = picture.astype(np.float32)
    gain = np.zeros((24, 30, 3), np.float32)
    gain[8:14, 9:18] = strength
    result = lit_ground(levels, gain, np.full((24, 30), ceiling, np.float32), 2)
    assert (result >= levels - 1e-3).all()
    assert result.max() <= 255
    away = np.ones((24, 30), bool)
    away[6:16, 7:20] = False
    assert np.array_equal(result[away], levels[away])


@settings(max_examples=30)
@given(st.integers(0, 20), st.integers(0, 30), st.sampled_from([1.0, 2.0, 3.3]))
def test_a_region_lies_in_its_box_whatever_part_is_asked_for(top, left, scale):
    size = Size(130, 190)
    rng = np.random.default_rng(top + left)
    gain = rng.uniform(0, 1, (9, 12, 3)).astype(np.float16)
    ceiling = np.full((9, 12), 5, np.float16)
    shade = Shade(0, Rect(top, left, top + 9, left + 12), gain, ceiling, (scale, scale), 2.0)
    whole = shade.region(Rect(0, 0, *size))
    box = shade.box(size)
    inside = np.zeros(size, bool)
    inside[box.slices] = shade.region(box)
    assert whole.any()
    assert np.array_equal(whole, inside)
