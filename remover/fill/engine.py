"""The fill of one shot, window by window: look, copy, paint what is left, mend the seams."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from remover.fill.align import Camera
from remover.fill.carry import lay
from remover.fill.copy import MARGIN, REACH, Sources, Target, copy_frame
from remover.fill.draft import Carried, Draft, Left, Take, finish, smooth
from remover.fill.flow import Field, Flows
from remover.fill.frames import Frame, Reel, to_levels
from remover.fill.inertia import followed
from remover.fill.moving import moving
from remover.fill.patch import SPECK, Judge, Painted, paint_key
from remover.fill.plates import PLATE_TRUST, as_sources, lay_plates
from remover.fill.seam import Known, match_seam, shaded_beside
from remover.fill.shade import Ground, Shading
from remover.fill.spread import spread
from remover.fill.survey import Survey, far_frames, surveyed
from remover.masks import bounds
from remover.progress import Clock, untimed
from remover.types import Mask, Patch, Pictures, Plate, Rect, Shot, Window

if TYPE_CHECKING:
    from remover.fill.paint import NetworkPainter

NOTHING = Left()
FLOW_REACH = 16
"""Frames to either side at which dense motion is measured and followed, where so many are held."""
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
        rim: Callable[[int], Mask] | None = None,
        plates: Sequence[Plate] = (),
        left: Left = NOTHING,
        copies: bool = True,
        network: "NetworkPainter | None" = None,
        network_part: Callable[[int], Mask] | None = None,
        shading: Shading | None = None,
        judge: Judge | None = None,
        clock: Clock = untimed,
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
            rim: Pixels of the hole that are true nevertheless, since they are mixed with the fill
                only to soften its border: they may be copied from.
            plates: Pictures of frames of the shot that are trusted above all others; the survey
                was told of their frames.
            left: What the windows before the first one to fill have left.
            copies: Whether pixels are copied from other frames.
            network: What paints what is not copied; None is the classic painter alone.
            network_part: Pixels of a frame, full size, that the network paints; the classic painter
                paints the others. None is all of them.
            shading: What is known of the object's shadows; what is lit up is part of the hole.
            judge: Decides between ways to paint a key; None is the plain one.
            clock: Times the parts ``flow``, ``copy`` and ``paint``.
        """
        self._judge, self._clock = judge, clock
        self.painted, self._carried = list(left.painted), left.carried
        self._copies, self._network, self._network_part = copies, network, network_part
        if network is not None and left.limits is not None:
            network.limits = left.limits
        self._pictures, self._hole, self._no_source = pictures, hole, no_source
        self._rim = rim
        self._found, self._seed = found, seed
        self._end = windows[-1].context_stop
        start, stop = surveyed(shot, windows)
        self._is_long = stop - start > REACH
        self._holds_all = all(
            w.context_start <= i < w.context_stop for w in windows for i in found.far
        )
        self._far: list[Frame] | None = None
        self._reel = Reel(pictures, hole, no_source, rim)
        self._plates, self._shading = as_sources(plates), shading
        self._flow_reach = flow_reach(shot, windows)
        frame, seen = self._reel.__getitem__, Shot(start, stop)
        self._flows = Flows(frame, pictures.size, found.camera, seen, self._flow_reach)

    def fill(self, window: Window) -> Iterator[Patch]:
        """Fill a window; windows come in order.

        Yields:
            One patch for every frame whose hole is not empty, in ascending order. Every pixel of
            the hole is filled, none outside it is.
        """
        reel = self._reel
        far = [] if self._holds_all else self._kept_frames()
        reel.move(window.context_start, window.context_stop, self._end)
        if self._holds_all:
            far = [reel[i] for i in self._found.far]
        with self._clock("flow"):
            sources = self._sources(window, far)
        carried = {item.index: item for item in self._carried}

        def begun(index: int) -> Draft:
            if index in carried:
                return resumed(carried[index], reel[index], self._shading)
            return draft(
                reel[index],
                sources if self._copies else None,
                self._found.camera,
                self._plates,
                self._shading,
            )

        indices = targets(window, reel)
        with self._clock("copy"):
            drafts = dict(zip(indices, spread(begun, indices), strict=True))
        with self._clock("paint"):
            self._fill_unseen(window, drafts)
        self._flows.forget(window.start)
        forget(self.painted)
        self._carried = tuple(Carried.of(item) for i, item in drafts.items() if i >= window.stop)
        for i, item in drafts.items():
            if i < window.stop:
                yield finish(item)

    def _sources(self, window: Window, far: Sequence[Frame]) -> Sources:
        """Where the frames of a window copy from."""
        frames = self._flows.frames
        first = max(frames.start, window.start - self._flow_reach)
        last = min(frames.stop, window.stop + window.tail + self._flow_reach) - 1
        before: Mapping[int, Field] = {}
        after: Mapping[int, Field] = {}
        if self._copies:
            self._flows.measure(range(first, last))
            ways = (
                range(first, window.stop + window.tail),
                range(last, window.start - 1, -1),
            )
            before, after = spread(partial(followed, self._flows), ways)

        def near(index: int) -> Frame | None:
            held = window.context_start <= index < window.context_stop
            return self._reel[index] if held else None

        return Sources(self._found.camera, near, far, before, after, self._flows.scale)

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
                self._far = far_frames(
                    self._pictures, self._hole, self._no_source, self._rim, self._found
                )
        return self._far


def flow_reach(shot: Shot, windows: Sequence[Window]) -> int:
    """Frames to either side at which dense motion is measured: half of the windows' context.

    Each of these frames is filled roughly from as many around it, so that what is measured is the
    same in whatever window it is needed.
    """
    before = [w.start - w.context_start for w in windows if w.context_start > shot.start]
    after = [w.context_stop - w.stop - w.tail for w in windows if w.context_stop < shot.stop]
    return min([FLOW_REACH, *(max(1, count // 2) for count in before + after)])


def targets(window: Window, reel: Reel) -> list[int]:
    """Frames of the window and its tail that have something to fill."""
    return [i for i in range(window.start, window.stop + window.tail) if reel[i].hole.any()]


def draft(
    frame: Frame,
    sources: Sources | None,
    camera: Camera,
    plates: Sequence[Frame],
    shading: Shading | None = None,
) -> Draft:
    """Lay plates, light up, copy what other frames show, and match it to what is around the hole.

    Without ``sources`` nothing is copied, and what plates leave open is missing.
    """
    tight = bounds(frame.hole)
    assert tight is not None
    rect = tight.grown(MARGIN, frame.size)
    hole = frame.hole[rect.slices] > 0
    truth, laid = lay_plates(frame, rect, camera, plates)
    ground = ground_of(frame, rect, shading, laid)
    left, anchor = hole & ~laid, (frame.barred[rect.slices] == 0) | laid
    if ground is not None:
        truth = np.where((ground.share > 0)[..., None], ground.levels, truth)
        left &= ~(ground.beside(left) if sources is not None else ground).settled
    nothing = np.zeros_like(hole)
    if sources is None or not left.any():
        sure = np.full(hole.shape, PLATE_TRUST, np.float32)
        return Draft(frame, rect, hole, laid, sure, truth, ~left, nothing, ground)
    beyond = [f for f in sources.far if abs(f.index - frame.index) > REACH]
    target = Target(frame.index, rect, truth, left, anchor)
    copied = copy_frame(target, replace(sources, far=beyond))
    kept = shadow_kept(frame, rect, shading)
    ring, found = copied.known & (anchor | kept), copied.known & left
    fill = shaded_beside(copied.rgb, truth, found, ring, kept)
    fill = match_seam(fill, truth, found, ring)
    rgb = np.where(left[..., None], fill, truth)
    sure = np.where(laid, np.float32(PLATE_TRUST), copied.confidence)
    if ground is not None:
        ground = ground.beside(copied.known & left)
        left &= ~ground.settled
        rgb = np.where(left[..., None], rgb, truth)
    known = ~left | copied.known
    taken = (copied.known & left) | laid
    return Draft(frame, rect, hole, taken, sure, rgb, known, nothing, ground)


def resumed(carried: Carried, frame: Frame, shading: Shading | None) -> Draft:
    """The draft of a frame that the window before has filled."""
    item = carried.resumed(frame)
    ground = ground_of(frame, item.rect, shading, np.zeros_like(item.hole))
    if ground is not None:  # where no fill is needed, only a plate can have been copied
        beside = ground.beside(item.copied)
        item.ground = beside.without(beside.settled & item.copied)
    return item


def ground_of(frame: Frame, rect: Rect, shading: Shading | None, laid: Known) -> Ground | None:
    """What lies around the hole, lit without the object; what is ``laid`` stays as it is."""
    if shading is None:
        return None
    found = shading.ground(frame.index, rect, to_levels(frame.rgb[rect.slices]))
    return None if found is None else found.without(laid)


def shadow_kept(frame: Frame, rect: Rect, shading: Shading | None) -> Known:
    """Pixels around the hole in a shadow that stays: no source, but the fill is matched to them."""
    kept = None if shading is None else shading.kept(frame.index)
    outside = frame.hole[rect.slices] == 0
    return np.zeros_like(outside) if kept is None else kept[rect.slices] & outside


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
