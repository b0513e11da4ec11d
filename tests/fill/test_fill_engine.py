"""The fill of a shot, on small pictures whose background is known."""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from remover.fill import ShotFill, survey
from remover.fill.frames import Reel
from remover.masks import bounds
from remover.progress import Silent
from remover.types import COPIED, PAINTED, UNTOUCHED, Patch, Rect, Shot, Size, Window

HEIGHT, WIDTH = 96, 144


def texture(height: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    total = np.full((height, width, 3), 120.0, np.float32)
    for cell, contrast in ((3, 20), (9, 30), (31, 25)):
        noise = rng.normal(0, contrast, (height // cell + 2, width // cell + 2, 3))
        total += cv2.resize(noise.astype(np.float32), (width, height))
    return np.clip(total, 20, 235).astype(np.uint8)


class Clip:
    """Pictures in memory that remember which frames were asked for."""

    def __init__(self, frames: list[np.ndarray]) -> None:
        self.frames = frames
        self.asked: set[int] = set()

    @property
    def num_frames(self) -> int:
        return len(self.frames)

    @property
    def size(self) -> Size:
        return Size(*self.frames[0].shape[:2])

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        for index in range(start, stop):
            self.asked.add(index)
            yield self.frames[index]


def window(start: int, stop: int, shot: Shot, context: int = 32) -> Window:
    around = max(shot.start, start - context), min(shot.stop, stop + context)
    return Window(start, stop, *around, Rect(0, 0, HEIGHT, WIDTH))


def fill(
    clip: Clip, holes: list[np.ndarray], shot: Shot, windows: list[Window], seed: int = 1
) -> list[Patch]:
    if not windows:
        return []
    found = survey(clip, holes.__getitem__, shot, windows, Silent())
    filler = ShotFill(clip, holes.__getitem__, shot, windows, found, seed=seed)
    return [patch for window in windows for patch in filler.fill(window)]


def crossing(num: int, shift: Callable[[int], int] = lambda _: 0) -> tuple[Clip, list, list]:
    """A square crosses a texture that moves by ``shift`` pixels; clip, holes, backgrounds."""
    scene = texture(HEIGHT, WIDTH + 200, 5)
    frames, holes, backgrounds = [], [], []
    for t in range(num):
        behind = scene[:, shift(t) : shift(t) + WIDTH].copy()
        left = 4 + t * (WIDTH - 40) // max(1, num - 1)
        hole = np.zeros((HEIGHT, WIDTH), bool)
        hole[34:62, left : left + 28] = True
        frame = behind.copy()
        frame[hole] = (240, 20, 30)
        frames.append(frame)
        holes.append(hole)
        backgrounds.append(behind)
    return Clip(frames), holes, backgrounds


def parked(num: int, step: int) -> tuple[Clip, list]:
    """A square fixed to a panning texture: what is behind it never shows."""
    scene = texture(HEIGHT, WIDTH + num * step + 1, 6)
    frames, holes = [], []
    for t in range(num):
        hole = np.zeros((HEIGHT, WIDTH), bool)
        left = 90 - t * step
        hole[40:60, left : left + 24] = True
        frame = scene[:, t * step : t * step + WIDTH].copy()
        frame[hole] = (240, 20, 30)
        frames.append(frame)
        holes.append(hole)
    return Clip(frames), holes


def error(patch: Patch, truth: np.ndarray) -> np.ndarray:
    inside = patch.origin != UNTOUCHED
    return np.abs(patch.rgb - truth[patch.rect.slices].astype(np.float32))[inside]


def check_covers(patch: Patch, hole: np.ndarray) -> None:
    covered = np.zeros_like(hole)
    covered[patch.rect.slices] = patch.origin != UNTOUCHED
    assert np.array_equal(covered, hole)
    assert np.isfinite(patch.rgb).all()
    assert (patch.confidence[patch.origin != COPIED] == 0).all()
    assert ((patch.confidence >= 0) & (patch.confidence <= 1)).all()


def test_a_still_scene_gives_back_the_true_background():
    clip, holes, truth = crossing(16)
    shot = Shot(0, 16)
    patches = fill(clip, holes, shot, [window(0, 16, shot)])
    assert [p.index for p in patches] == list(range(16))
    for patch in patches:
        check_covers(patch, holes[patch.index])
        assert (patch.origin[patch.origin != UNTOUCHED] == COPIED).all()
        assert error(patch, truth[patch.index]).max() <= 1
        assert patch.confidence[patch.origin == COPIED].min() > 0.8


def test_a_panning_scene_comes_back_within_a_few_levels():
    clip, holes, truth = crossing(16, lambda t: 3 * t)
    shot = Shot(0, 16)
    for patch in fill(clip, holes, shot, [window(0, 16, shot)]):
        check_covers(patch, holes[patch.index])
        assert error(patch, truth[patch.index]).mean() < 3


def test_the_windows_hardly_matter():
    clip, holes, _ = crossing(16)
    shot = Shot(0, 16)
    whole = fill(clip, holes, shot, [window(0, 16, shot)])
    parts = fill(clip, holes, shot, [window(0, 7, shot), window(7, 16, shot)])
    assert [p.index for p in parts] == [p.index for p in whole]
    for a, b in zip(whole, parts, strict=True):
        assert np.array_equal(a.rgb, b.rgb)
        assert np.array_equal(a.origin, b.origin)


def test_a_fill_never_looks_beyond_its_shot():
    clip, holes, truth = crossing(20)
    for t in range(10):
        clip.frames[t] = 255 - clip.frames[t]
    shot = Shot(10, 20)
    patches = fill(clip, holes, shot, [window(10, 20, shot)])
    assert clip.asked == set(range(10, 20))
    changed = Clip([np.zeros_like(f) for f in clip.frames[:10]] + clip.frames[10:])
    again = fill(changed, holes, shot, [window(10, 20, shot)])
    for a, b in zip(patches, again, strict=True):
        assert np.array_equal(a.rgb, b.rgb)
        seen = a.origin == COPIED
        assert np.abs(a.rgb - truth[a.index][a.rect.slices])[seen].max() <= 12


def test_deep_pictures_give_deep_levels():
    clip, holes, truth = crossing(8)
    deep = Clip([f.astype(np.uint16) * 257 for f in clip.frames])
    shot = Shot(0, 8)
    plain = fill(clip, holes, shot, [window(0, 8, shot)])
    for a, b in zip(plain, fill(deep, holes, shot, [window(0, 8, shot)]), strict=True):
        assert np.abs(a.rgb * 257 - b.rgb).max() < 300
        assert np.array_equal(a.origin, b.origin)
        assert error(b, truth[b.index].astype(np.uint16) * 257).max() <= 257 * 12


def test_frames_without_a_hole_get_no_patch():
    clip, holes, _ = crossing(12)
    for t in (0, 1, 5, 11):
        holes[t][:] = False
    shot = Shot(0, 12)
    patches = fill(clip, holes, shot, [window(2, 11, shot)])
    assert [p.index for p in patches] == [2, 3, 4, 6, 7, 8, 9, 10]
    assert fill(clip, holes, shot, []) == []


def test_same_input_and_seed_give_the_same_bytes_on_any_number_of_threads():
    clip, holes = parked(8, 2)
    shot = Shot(0, 8)
    first = fill(clip, holes, shot, [window(0, 8, shot)], seed=7)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        second = fill(clip, holes, shot, [window(0, 8, shot)], seed=7)
    finally:
        cv2.setNumThreads(threads)
    for a, b in zip(first, second, strict=True):
        assert a.rgb.tobytes() == b.rgb.tobytes()
        assert a.origin.tobytes() == b.origin.tobytes()
        assert a.confidence.tobytes() == b.confidence.tobytes()


@pytest.mark.parametrize("step", [0, 2])
def test_what_is_painted_stays_the_same_thing_across_frames_and_windows(step):
    clip, holes = parked(12, step)
    shot = Shot(0, 12)
    windows = [window(0, 4, shot), window(4, 8, shot), window(8, 12, shot)]
    patches = fill(clip, holes, shot, windows)
    assert len(patches) == 12
    whole = []
    for patch in patches:
        check_covers(patch, holes[patch.index])
        assert (patch.origin == PAINTED).sum() > 300
        picture = clip.frames[patch.index].astype(np.float32)
        picture[patch.rect.slices][patch.origin > 0] = patch.rgb[patch.origin > 0]
        left = 90 - patch.index * step
        whole.append(picture[42:58, left + 2 : left + 22])
    for other in whole[1:]:
        assert np.abs(other - whole[0]).mean() < 4


def test_a_single_frame_is_painted():
    clip, holes, _ = crossing(1)
    (patch,) = fill(clip, holes, Shot(0, 1), [window(0, 1, Shot(0, 1))])
    check_covers(patch, holes[0])
    assert (patch.origin[patch.origin != UNTOUCHED] == PAINTED).all()
    red = np.abs(patch.rgb - (240, 20, 30)).max(axis=2)[patch.origin == PAINTED]
    assert np.median(red) > 40


def test_pictures_that_are_all_hole_become_neutral():
    frames = [np.full((40, 50, 3), 200, np.uint8) for _ in range(3)]
    holes = [np.ones((40, 50), bool)] * 3
    shot = Shot(0, 3)
    patches = fill(Clip(frames), holes, shot, [Window(0, 3, 0, 3, Rect(0, 0, 40, 50))])
    assert len(patches) == 3
    for patch in patches:
        check_covers(patch, holes[0])
        assert np.ptp(patch.rgb) == 0


def test_tiny_pictures_are_filled():
    frames = [np.full((5, 4, 3), 90, np.uint8) for _ in range(2)]
    hole = np.zeros((5, 4), bool)
    hole[2, 1:3] = True
    shot = Shot(0, 2)
    window_ = Window(0, 2, 0, 2, Rect(0, 0, 5, 4))
    for patch in fill(Clip(frames), [hole, hole], shot, [window_]):
        check_covers(patch, hole)
        assert np.abs(patch.rgb[patch.origin > 0] - 90).max() <= 1


def test_only_a_bounded_number_of_frames_is_held():
    clip, holes, _ = crossing(60)
    reel = Reel(clip, holes.__getitem__)
    for start in range(0, 50, 5):
        reel.move(start, start + 10, 60)
        assert sorted(reel._frames) == list(range(start, start + 10))
        assert bounds(reel[start].hole) is not None


def test_what_moves_in_later_is_not_copied_into_the_hole():
    scene = texture(HEIGHT, WIDTH, 5) // 2 + 60
    frames, holes = [], []
    for t in range(12):
        frame, hole = scene.copy(), np.zeros((HEIGHT, WIDTH), bool)
        if t < 4:
            frame[40:60, 60:80] = (240, 20, 30)
            hole[38:62, 58:82] = True
        else:  # another thing is put there, and it is all that the other frames show
            frame[20:80, 40:100] = (0, 0, 255)
        frames.append(frame)
        holes.append(hole)
    shot = Shot(0, 12)
    for patch in fill(Clip(frames), holes, shot, [window(0, 4, shot)]):
        inside = patch.origin > 0
        truth = scene[patch.rect.slices][inside]
        assert np.abs(patch.rgb[inside] - truth).mean() < 30


def test_what_walks_behind_the_object_is_copied_where_it_is_not_where_it_was():
    """A thing that walks on behind a pillar used to fade or to be cut there."""
    wall, thing = texture(HEIGHT, WIDTH, 21), cv2.GaussianBlur(texture(50, 80, 22), (0, 0), 3)
    frames, holes, clean = [], [], []
    for index in range(20):
        picture = wall.copy()
        left = 4 * index - 16
        picture[25:75, max(0, left) : left + 80] = thing[:, max(0, -left) :][:, : WIDTH - left]
        hole = np.zeros((HEIGHT, WIDTH), bool)
        hole[15:85, 66:84] = True
        clean.append(picture.copy())
        picture[hole] = 3
        frames.append(picture)
        holes.append(hole)
    shot = Shot(0, 20)
    patches = fill(Clip(frames), holes, shot, [window(0, 20, shot)])
    middle = [p for p in patches if 8 <= p.index <= 13]
    errors = []
    for patch in middle:
        truth = clean[patch.index][patch.rect.slices].astype(np.float32)
        behind = np.zeros((HEIGHT, WIDTH), bool)
        left = 4 * patch.index - 16
        behind[35:65, left + 10 : left + 70] = True
        inside = behind[patch.rect.slices] & (patch.origin == COPIED)
        assert inside.any()
        errors.append(np.abs(patch.rgb - truth).max(axis=2)[inside])
    assert float(np.median(np.concatenate(errors))) < 8


def test_the_bytes_do_not_depend_on_the_number_of_threads():
    clip, holes, _ = crossing(12)
    shot = Shot(0, 12)
    before = cv2.getNumThreads()
    made = []
    try:
        for count in (1, 2, 5):
            cv2.setNumThreads(count)
            made.append(fill(clip, holes, shot, [window(0, 7, shot), window(7, 12, shot)]))
    finally:
        cv2.setNumThreads(before)
    for other in made[1:]:
        for a, b in zip(made[0], other, strict=True):
            assert np.array_equal(a.rgb, b.rgb)
            assert np.array_equal(a.confidence, b.confidence)


def test_the_motion_does_not_depend_on_the_number_of_threads():
    scene = texture(HEIGHT, WIDTH + 40, 31)
    clip = Clip([scene[:, 3 * i : 3 * i + WIDTH].copy() for i in range(9)])
    holes = [np.zeros((HEIGHT, WIDTH), bool) for _ in range(9)]
    for index, hole in enumerate(holes):
        hole[30:60, 20 + 4 * index : 50 + 4 * index] = True
    shot = Shot(0, 9)
    before, found = cv2.getNumThreads(), []
    try:
        for count in (1, 3):
            cv2.setNumThreads(count)
            found.append(survey(clip, holes.__getitem__, shot, [window(0, 9, shot)], Silent()))
    finally:
        cv2.setNumThreads(before)
    one, other = found
    assert np.array_equal(one.camera.steps, other.camera.steps)
    assert (one.camera.static, one.far, one.noise) == (other.camera.static, other.far, other.noise)
