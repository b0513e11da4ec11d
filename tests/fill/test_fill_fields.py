"""The fill of fields: two halves of one scene, half a line and half a frame apart."""

import cv2
import numpy as np
import pytest

from remover.fill import Camera, FieldFill, Left, ShotFill, survey
from remover.fill.fields import between_fields, merged, seen_from_other
from remover.fill.patch import paint_key
from remover.masks import bounds
from remover.progress import Silent
from remover.types import PAINTED, UNTOUCHED, Patch, Rect, Shot, Size, Window

HEIGHT, WIDTH = 128, 144


def scene(width: int) -> np.ndarray:
    coarse = np.random.default_rng(4).uniform(30, 220, (HEIGHT // 12 + 2, width // 12 + 2, 3))
    found = cv2.resize(coarse.astype(np.float32), (width, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return np.clip(found, 0, 255).astype(np.uint8)


class Fields:
    """One field of each frame, in memory."""

    def __init__(self, frames: list[np.ndarray], parity: int) -> None:
        self.frames = [np.ascontiguousarray(frame[parity::2]) for frame in frames]
        self.num_frames = len(frames)
        self.size = Size(*self.frames[0].shape[:2])

    def read(self, start: int, stop: int):
        yield from self.frames[start:stop]


def filled(
    frames: list[np.ndarray],
    holes: list[np.ndarray],
    windows: list[Window],
    left: Left | None = None,
) -> tuple[list[Patch], FieldFill]:
    shot = Shot(0, len(frames))
    fills, cameras = [], []
    for parity in (0, 1):
        pictures = Fields(frames, parity)

        def hole(index: int, parity: int = parity) -> np.ndarray:
            return np.ascontiguousarray(holes[index][parity::2])

        found = survey(pictures, hole, shot, windows, Silent())
        cameras.append(found.camera)
        fills.append(ShotFill(pictures, hole, shot, windows, found, seed=1))
    filler = FieldFill(fills, cameras[0], 0, left or Left())
    return [patch for window in windows for patch in filler.fill(window)], filler


def parked(num: int, step: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A square fixed to a scene that pans by ``step`` a field: what is behind it never shows."""
    wide = scene(WIDTH + 2 * num * step + 2)
    frames, holes = [], []
    for t in range(num):
        frame, hole = np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((HEIGHT, WIDTH), bool)
        for parity in (0, 1):
            shift = (2 * t + parity) * step
            picture = wide[:, shift : shift + WIDTH].copy()
            inside = np.zeros((HEIGHT, WIDTH), bool)
            inside[45:82, 100 - shift : 130 - shift] = True
            picture[inside] = (240, 20, 30)
            frame[parity::2], hole[parity::2] = picture[parity::2], inside[parity::2]
        frames.append(frame)
        holes.append(hole)
    return frames, holes


def window(start: int, stop: int, num: int) -> Window:
    return Window(start, stop, 0, num, Rect(0, 0, HEIGHT, WIDTH))


def test_both_fields_show_the_same_invention():
    frames, holes = parked(8, 2)
    patches, filler = filled(frames, holes, [window(0, 8, 8)])
    assert [patch.index for patch in patches] == list(range(8))
    for patch in patches:
        covered = np.zeros((HEIGHT, WIDTH), bool)
        covered[patch.rect.slices] = patch.origin != UNTOUCHED
        assert np.array_equal(covered, holes[patch.index])
        assert (patch.origin[patch.origin != UNTOUCHED] == PAINTED).all()
    assert {key.index % 2 for key in filler.painted} == {0, 1}
    assert len(filler.painted) == 2  # one was painted, the other one is it as the other field sees
    frame = frames[3].astype(np.float32)
    patch = patches[3]
    frame[patch.rect.slices][patch.origin > 0] = patch.rgb[patch.origin > 0]
    top, bottom = frame[46:80:2, 90:114], frame[47:81:2, 90:114]
    moved = cv2.warpAffine(bottom, np.float32([[1, 0, 2], [0, 1, 0]]), (24, 17))
    assert np.abs(moved - top)[:, 4:20].mean() < 9  # two pixels of pan, half a line of slope


def test_windows_and_going_on_change_nothing():
    frames, holes = parked(8, 2)
    whole, _ = filled(frames, holes, [window(0, 4, 8), window(4, 8, 8)])
    first, filler = filled(frames, holes, [window(0, 4, 8)])
    again, _ = filled(frames, holes, [window(4, 8, 8)], filler.left)
    for a, b in zip(whole, [*first, *again], strict=True):
        assert np.array_equal(a.rgb, b.rgb)


def test_a_key_is_seen_half_a_line_lower_by_the_other_field():
    slope = np.zeros((64, 80, 3), np.float32) + np.arange(64, dtype=np.float32)[:, None, None] * 3
    known = np.ones((64, 80), bool)
    known[20:40, 30:50] = False
    key = paint_key(2, Rect(0, 0, 64, 80), slope, known, 1)
    camera = Camera(0, [np.eye(3)] * 4, static=True)
    other = seen_from_other(key, between_fields(camera, 2, 0))
    inner = np.s_[8:-8, 8:-8]
    gap = other.rgb[inner].astype(float) - key.rgb[inner]
    assert gap.mean() == pytest.approx(1.5, abs=0.5)
    assert other.rect == key.rect


def test_patches_of_fields_are_woven_line_by_line():
    def patch(index: int, rect: Rect, value: float) -> Patch:
        size = rect.size
        return Patch(
            index,
            rect,
            np.full((*size, 3), value, np.float32),
            np.ones(size, np.uint8),
            np.full(size, 0.5, np.float32),
        )

    even, odd = patch(3, Rect(2, 4, 5, 9), 10), patch(3, Rect(2, 5, 6, 8), 20)
    alone = patch(5, Rect(0, 0, 1, 1), 30)
    woven, last = merged([even], [odd, alone])
    assert woven.rect == Rect(4, 4, 12, 9)
    assert woven.rgb[0, 0, 0] == 10
    assert woven.rgb[1, 1, 0] == 20
    assert woven.origin[1, 0] == UNTOUCHED
    assert bounds(woven.origin > 0) == Rect(0, 0, 8, 5)
    assert (last.index, last.rect) == (5, Rect(1, 0, 2, 1))
