"""The fill of one shot, window by window: look, copy, paint what is left, mend the seams."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from remover.fill.align import Camera
from remover.fill.copy import MARGIN, REACH, copy_frame
from remover.fill.frames import (
    Float,
    Frame,
    Reel,
    levels_scale,
    to_levels,
)
from remover.fill.patch import SPECK, Painted, lay, paint_key
from remover.fill.plates import PLATE_TRUST, as_sources, lay_plates
from remover.fill.seam import Known, match_seam, membrane
from remover.fill.survey import Survey, far_frames, surveyed
from remover.masks import bounds
from remover.types import (
    COPIED,
    PAINTED,
    UNTOUCHED,
    Mask,
    Patch,
    Pictures,
    Plate,
    Rect,
    Shot,
    Window,
)

MAX_KEYS = 6
"""Key frames painted in one window at most; specks beyond that are filled smoothly."""
CARRIED_BYTES = 64 * 2**20
"""Painted keys of earlier windows are remembered up to this size; the latest are kept."""
PAINT_CONTEXT = 96
"""Least number of pixels around a hole that the painter may copy from."""


@dataclass(slots=True)
class Draft:
    """A frame on its way: everything known so far of the region around its hole."""

    frame: Frame
    rect: Rect
    hole: Known = field(repr=False)
    copied: Known = field(repr=False)
    confidence: Float = field(repr=False)
    """(h, w): that of the copied pixels."""
    rgb: Float = field(repr=False)
    """(h, w, 3) levels: true pixels outside the hole, fill inside as far as ``known``."""
    known: Known = field(repr=False)

    @property
    def barred(self) -> Known:
        """(h, w): pixels outside the hole that nothing is taken from."""
        return ~self.hole & (self.frame.barred[self.rect.slices] > 0)

    @property
    def missing(self) -> int:
        """Number of pixels that nothing fills yet."""
        return int(self.known.size - np.count_nonzero(self.known))


class ShotFill:
    """Fills the holes of one shot, window after window; nothing outside the shot is looked at.

    Attributes:
        painted: Keys painted so far that later windows may show again; a fill that goes on where
            another one ended needs those of the windows before.
    """

    def __init__(
        self,
        pictures: Pictures,
        hole: Callable[[int], Mask],
        shot: Shot,
        windows: Sequence[Window],
        found: Survey,
        *,
        seed: int,
        no_source: Callable[[int], Mask] | None = None,
        plates: Sequence[Plate] = (),
        painted: Iterable[Painted] = (),
    ) -> None:
        """Prepare; nothing is read before the first window.

        Args:
            pictures: The video's pictures; read once, forwards, after the frames to keep.
            hole: Pixels to replace in a frame, full size.
            shot: Frames between two cuts.
            windows: Ranges of frames with holes, ascending, apart, inside the shot; at least one.
            found: What ``survey`` found of the same shot and windows.
            seed: Decides what is invented; same input and seed, same bytes.
            no_source: Pixels of a frame, full size, that nothing is copied or painted from.
            plates: Pictures of frames of the shot that are trusted above all others; the survey
                was told of their frames.
            painted: What ``painted`` held after the window before the first one to fill.
        """
        self.painted = list(painted)
        self._pictures, self._hole, self._no_source = pictures, hole, no_source
        self._found, self._seed = found, seed
        self._end = windows[-1].context_stop
        start, stop = surveyed(shot, windows)
        self._is_long = stop - start > REACH
        self._far: list[Frame] | None = None
        self._reel = Reel(pictures, hole, no_source)
        self._plates = as_sources(plates)

    def fill(self, window: Window) -> Iterator[Patch]:
        """Fill a window; windows come in order.

        Yields:
            One patch for every frame whose hole is not empty, in ascending order. Every pixel of
            the hole is filled, none outside it is.
        """
        reel, camera, far = self._reel, self._found.camera, self._kept_frames()
        reel.move(window.context_start, window.context_stop, self._end)
        drafts = [
            draft(reel[i], window, reel, camera, far, self._plates) for i in targets(window, reel)
        ]
        fill_unseen(drafts, camera, self.painted, self._seed)
        forget(self.painted)
        for item in drafts:
            yield finish(item)

    def _kept_frames(self) -> list[Frame]:
        """The frames from all over a long shot, loaded when they are first needed."""
        if self._far is None:
            self._far = []
            if self._is_long:
                self._far = far_frames(self._pictures, self._hole, self._no_source, self._found)
        return self._far


def targets(window: Window, reel: Reel) -> list[int]:
    """Frames of the window that have something to fill."""
    return [i for i in range(window.start, window.stop) if reel[i].hole.any()]


def draft(
    frame: Frame,
    window: Window,
    reel: Reel,
    camera: Camera,
    far: Sequence[Frame],
    plates: Sequence[Frame],
) -> Draft:
    """Lay plates, copy what other frames show, and match both to the picture around the hole."""
    tight = bounds(frame.hole)
    assert tight is not None
    rect = tight.grown(MARGIN, frame.size)

    def near(index: int) -> Frame | None:
        held = window.context_start <= index < window.context_stop
        return reel[index] if held else None

    beyond = [f for f in far if abs(f.index - frame.index) > REACH]
    hole = frame.hole[rect.slices] > 0
    truth, laid = lay_plates(frame, rect, camera, plates)
    left, anchor = hole & ~laid, (frame.barred[rect.slices] == 0) | laid
    if not left.any():
        sure = np.full(hole.shape, PLATE_TRUST, np.float32)
        return Draft(frame, rect, hole, laid, sure, truth, np.ones_like(hole))
    copied = copy_frame(frame.index, truth, left, anchor, rect, camera, near, beyond)
    fill = match_seam(copied.rgb, truth, left & copied.known, copied.known & anchor)
    rgb = np.where(left[..., None], fill, truth)
    sure = np.where(laid, np.float32(PLATE_TRUST), copied.confidence)
    return Draft(frame, rect, hole, copied.known | laid, sure, rgb, ~left | copied.known)


def fill_unseen(drafts: Sequence[Draft], camera: Camera, painted: list[Painted], seed: int) -> None:
    """Fill what no frame shows: carry painted keys, paint new ones, smooth the specks.

    New keys are added to ``painted``.
    """
    for key in painted:
        carry_key(key, drafts, camera)
    for _ in range(MAX_KEYS):
        worst = max(drafts, key=lambda d: d.missing, default=None)
        if worst is None or worst.missing < SPECK:
            break
        key = paint_draft(worst, seed)
        painted.append(key)
        carry_key(key, drafts, camera)
    for item in drafts:
        if item.missing:
            given = item.known & ~item.barred
            item.rgb = membrane(item.rgb, given if given.any() else item.known)
            item.known = np.ones_like(item.known)


def carry_key(key: Painted, drafts: Sequence[Draft], camera: Camera) -> None:
    """Fill missing pixels of every draft from one painted key."""
    for item in drafts:
        if not item.missing:
            continue
        index = item.frame.index
        matrix = None
        if not camera.static and index != key.index:
            matrix = camera.between(key.index, index)
        item.rgb, took = lay(item.rgb, item.known, key, matrix, item.rect, item.barred)
        item.known = item.known | took


def paint_draft(item: Draft, seed: int) -> Painted:
    """Paint the missing pixels of a draft, with as much of the picture around as they need."""
    around = item.rect.grown(max(PAINT_CONTEXT, *item.rect.size), item.frame.size)
    rgb = to_levels(item.frame.rgb[around.slices])
    known = item.frame.hole[around.slices] == 0
    barred = known & (item.frame.barred[around.slices] > 0)
    inner = item.rect.moved(-around.top, -around.left).slices
    rgb[inner], known[inner] = item.rgb, item.known
    return paint_key(item.frame.index, around, rgb, known, seed, barred)


def forget(painted: list[Painted]) -> None:
    """Drop the oldest painted keys that no longer fit the memory set aside for them."""
    while sum(key.rgb.nbytes for key in painted) > CARRIED_BYTES and len(painted) > 1:
        del painted[0]


def finish(item: Draft) -> Patch:
    """The patch of a finished draft, in the picture's own levels."""
    tight = bounds(item.hole)
    assert tight is not None
    hole, copied = item.hole[tight.slices], item.copied[tight.slices]
    origin = np.where(hole, np.where(copied, COPIED, PAINTED), UNTOUCHED).astype(np.uint8)
    sure = np.where(origin == COPIED, item.confidence[tight.slices], 0).astype(np.float32)
    rgb = item.rgb[tight.slices] / np.float32(levels_scale(item.frame.rgb))
    rect = tight.moved(item.rect.top, item.rect.left)
    return Patch(item.frame.index, rect, rgb, origin, sure)
