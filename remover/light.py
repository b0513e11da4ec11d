"""What is looked at between the masks and the fill: the camera's motion, and shadows."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from remover.byhand import ByHand
from remover.fill import Survey, survey, surveyed
from remover.journal import Journal
from remover.masking import Masks
from remover.plan import cut_to
from remover.progress import Progress
from remover.region import Region
from remover.shades import Shades, ShadeStore, decided, find_shades
from remover.types import Plan, Shot, Window
from remover.video import RgbPictures


@dataclass(frozen=True, slots=True)
class Scene:
    """A video whose masks are there."""

    pictures: RgbPictures
    region: Region
    masks: Masks
    hand: ByHand
    planned: Callable[[], Plan]
    """Makes the plan of the region as it is then."""


@dataclass(frozen=True, slots=True)
class Light:
    """What was found of a video."""

    surveys: Mapping[Shot, Survey]
    """Of the shots with holes."""
    shades: Shades | None
    """The shadows of what is removed; None where nobody looked for them."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to say of the shadows."""
        return () if self.shades is None else self.shades.notes


def shots_to_fill(plan: Plan, span: Shot) -> list[tuple[Shot, list[Window]]]:
    """The shots with holes, cut to the frames whose masks are known, and their windows."""
    shots = cut_to(plan.shots, span.start, span.stop)
    pairs = [(s, [w for w in plan.windows if s.start <= w.start < s.stop]) for s in shots]
    return [(shot, windows) for shot, windows in pairs if windows]


def surveys(
    scene: Scene, plan: Plan, journal: Journal, progress: Progress
) -> Mapping[Shot, Survey]:
    """Measure the camera's motion in every shot with holes, as far as the journal lacks it."""
    todo = list(_ranges(scene, plan))
    progress.start("motion", sum(part.stop - part.start for _, _, _, part in todo))
    found = {}
    for shot, windows, shown, part in todo:
        known = journal.survey(shot)
        if known is None:
            hole = scene.region.object_hole
            known = survey(scene.pictures, hole, shot, windows, progress, shown)
            journal.keep_survey(shot, known)
        else:
            progress.skip(part.stop - part.start)
        found[shot] = known
    return found


def _ranges(scene: Scene, plan: Plan) -> Iterator[tuple[Shot, list[Window], list[int], Shot]]:
    """Each shot with its windows, the frames of its plates, and the frames to look at."""
    for shot, windows in shots_to_fill(plan, scene.masks.span):
        shown = [plate.index for plate in scene.hand.plates_of(shot)]
        yield shot, windows, shown, surveyed(shot, windows, shown)


@contextlib.contextmanager
def lit(
    scene: Scene,
    asked: str,
    journal: Journal,
    progress: Progress,
    *,
    fills: bool,
) -> Iterator[tuple[Light, Plan]]:
    """What is found of the light, and the plan once the shadows that go are in the region.

    Args:
        scene: The video.
        asked: The value of ``--shadows``.
        journal: What an interrupted run has done of it.
        progress: Told of the stages ``motion`` and ``shadows``.
        fills: Whether anything is looked at; masks alone do not need it.

    Raises:
        OutputError: The disk is full or gone.
    """
    plan, folder = scene.planned(), journal.folder
    if not fills:
        yield Light({}, None), plan
        return
    found = surveys(scene, plan, journal, progress)
    known = ShadeStore.reopened(folder, plan.num_frames)
    with known or ShadeStore(folder, plan.num_frames) as store:
        if known is None:
            parts = [(part, found[shot]) for shot, _, _, part in _ranges(scene, plan)]
            find_shades(store, scene.pictures, scene.region.object_hole, parts, progress)
        holes = [scene.region.has_object(index) for index in range(plan.num_frames)]
        shades = decided(store, list(found), holes, _mode(asked, scene.masks))
        scene.region.join(shades)
        plan = journal.plan or scene.planned()
        journal.keep_plan(plan)
        yield Light(found, shades), plan


def _mode(asked: str, masks: Masks) -> str:
    """What ``auto`` means: a mask that somebody made says what is to go, to the pixel."""
    if asked != "auto":
        return asked
    trackers = masks.segmentation.trackers
    names: Sequence[str] = tuple(trackers.values()) or (masks.segmentation.tracker,)
    return "keep" if "mask" in names else "sure"
