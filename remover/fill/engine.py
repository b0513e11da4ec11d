"""The fill of one shot, window by window: look, copy, paint what is left, mend the seams."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from remover.fill.align import Camera
from remover.fill.carry import lay
from remover.fill.copy import MARGIN, REACH, copy_frame
from remover.fill.draft import Carried, Draft, Left, Take, finish, smooth
from remover.fill.frames import Frame, Reel, to_levels
from remover.fill.moving import moving
from remover.fill.patch import SPECK, Judge, Painted, paint_key
from remover.fill.plates import PLATE_TRUST, as_sources, lay_plates
from remover.fill.seam import match_seam
from remover.fill.survey import Survey, far_frames, surveyed
from remover.masks import bounds
from remover.types import Mask, Patch, Pictures, Plate, Shot, Window

if TYPE_CHECKING:
    from remover.fill.paint import NetworkPainter

NOTHING = Left()
MAX_KEYS = 6
"""Key frames painted in one window at most; specks beyond that are filled smoothly."""
CARRIED_BYTES = 64 * 2**20
"""Painted keys of earlier windows are remembered up to this size; the latest are kept."""
PAINT_CONTEXT = 96
"""Least number of pixels around a hole that the painter may copy from."""


class ShotFill:
    """Fills the holes of one shot, window after window; nothing outside the shot is looked at.

    Attributes:
        painted: Keys painted so far that later windows may show again.
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
        left: Left = NOTHING,
        copies: bool = True,
        network: "NetworkPainter | None" = None,
        network_part: Callable[[int], Mask] | None = None,
        judge: Judge | None = None,
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
            left: What the windows before the first one to fill have left.
            copies: Whether pixels are copied from other frames.
            network: What paints what is not copied; None is the classic painter alone.
            network_part: Pixels of a frame, full size, that the network paints; the classic painter
                paints the others. None is all of them.
            judge: Decides between ways to paint a key; None is the plain one.
        """
        self._judge = judge
        self.painted, self._carried = list(left.painted), left.carried
        self._copies, self._network, self._network_part = copies, network, network_part
        if network is not None and left.limits is not None:
            network.limits = left.limits
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
        reel, far = self._reel, self._kept_frames()
        reel.move(window.context_start, window.context_stop, self._end)
        carried = {item.index: item for item in self._carried}
        drafts = {
            i: carried[i].resumed(reel[i])
            if i in carried
            else draft(reel[i], window, reel, self._found.camera, far, self._plates, self._copies)
            for i in targets(window, reel)
        }
        self._fill_unseen(window, drafts)
        forget(self.painted)
        self._carried = tuple(Carried.of(item) for i, item in drafts.items() if i >= window.stop)
        for i, item in drafts.items():
            if i < window.stop:
                yield finish(item)

    @property
    def left(self) -> Left:
        """What a fill needs that goes on after the last window."""
        limits = None if self._network is None else self._network.limits
        return Left(tuple(self.painted), self._carried, limits)

    def _fill_unseen(self, window: Window, drafts: Mapping[int, Draft]) -> None:
        """Fill what no frame shows, by the network, the classic painter, or each its part."""
        items = list(drafts.values())
        if self._network is None:
            fill_unseen(items, self._found.camera, self.painted, self._seed, self._judge)
            return
        if self._network_part is not None:
            missing = [~item.known for item in items]
            fill_unseen(items, self._found.camera, self.painted, self._seed, self._judge)
            for item, was_missing in zip(items, missing, strict=True):
                part = self._network_part(item.frame.index)[item.rect.slices]
                item.known = item.known & ~(was_missing & part)
        frames = Shot(window.start - window.lead, window.stop + window.tail)
        self._network.paint(Take(frames, self._reel.__getitem__, drafts))

    def _kept_frames(self) -> list[Frame]:
        """The frames from all over a long shot, loaded when they are first needed."""
        if self._far is None:
            self._far = []
            if self._is_long:
                self._far = far_frames(self._pictures, self._hole, self._no_source, self._found)
        return self._far


def targets(window: Window, reel: Reel) -> list[int]:
    """Frames of the window and its tail that have something to fill."""
    return [i for i in range(window.start, window.stop + window.tail) if reel[i].hole.any()]


def draft(
    frame: Frame,
    window: Window,
    reel: Reel,
    camera: Camera,
    far: Sequence[Frame],
    plates: Sequence[Frame],
    copies: bool,  # noqa: FBT001 - the last of what never changes within a shot
) -> Draft:
    """Lay plates, copy what other frames show, and match both to the picture around the hole.

    Without ``copies`` nothing is copied, and what plates leave open is missing.
    """
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
    nothing = np.zeros_like(hole)
    if not copies or not left.any():
        sure = np.full(hole.shape, PLATE_TRUST, np.float32)
        return Draft(frame, rect, hole, laid, sure, truth, ~left, nothing)
    copied = copy_frame(frame.index, truth, left, anchor, rect, camera, near, beyond)
    fill = match_seam(copied.rgb, truth, left & copied.known, copied.known & anchor)
    rgb = np.where(left[..., None], fill, truth)
    sure = np.where(laid, np.float32(PLATE_TRUST), copied.confidence)
    known = ~left | copied.known
    return Draft(frame, rect, hole, copied.known | laid, sure, rgb, known, nothing)


def fill_unseen(
    drafts: Sequence[Draft],
    camera: Camera,
    painted: list[Painted],
    seed: int,
    judge: Judge | None = None,
) -> None:
    """Fill what no frame shows: carry painted keys, paint new ones, smooth the specks.

    New keys are added to ``painted``.
    """
    for key in painted:
        carry_key(key, drafts, camera)
    for _ in range(MAX_KEYS):
        worst = max(drafts, key=lambda d: d.missing, default=None)
        if worst is None or worst.missing < SPECK:
            break
        key = paint_draft(worst, drafts, camera, seed, judge)
        painted.append(key)
        carry_key(key, drafts, camera)
    for item in drafts:
        smooth(item)


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


def paint_draft(
    item: Draft, drafts: Sequence[Draft], camera: Camera, seed: int, judge: Judge | None
) -> Painted:
    """Paint the missing pixels of a draft, with as much of the picture around as they need.

    Nothing is taken from what moves of its own, which the frames of the other ``drafts`` tell.
    """
    around = item.rect.grown(max(PAINT_CONTEXT, *item.rect.size), item.frame.size)
    rgb = to_levels(item.frame.rgb[around.slices])
    known = item.frame.hole[around.slices] == 0
    moves = moving(item.frame, [one.frame for one in drafts], camera, around)
    barred = known & ((item.frame.barred[around.slices] > 0) | moves)
    inner = item.rect.moved(-around.top, -around.left).slices
    rgb[inner], known[inner] = item.rgb, item.known
    return paint_key(item.frame.index, around, rgb, known, seed, barred, judge)


def forget(painted: list[Painted]) -> None:
    """Drop the oldest painted keys that no longer fit the memory set aside for them."""
    while sum(key.nbytes for key in painted) > CARRIED_BYTES and len(painted) > 1:
        del painted[0]
