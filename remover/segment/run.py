"""All objects over all shots: prompts in, label maps and an honest account out."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import cv2
import numpy as np

from remover.device import is_out_of_memory
from remover.errors import DeviceError, UsageError
from remover.progress import Progress
from remover.segment.boxes import fill_box, interpolate, key_boxes
from remover.segment.choose import PREFIX, SIZES, Choice, Sam2
from remover.segment.cost import builtin_cost, sam2_cost
from remover.segment.hints import Hints
from remover.segment.judgement import UNSURE, Judgement, Work
from remover.segment.refind import find_again
from remover.segment.store import MaskStore, add
from remover.segment.walk import work_size
from remover.types import Cost, Mask, MaskPrompt, Pictures, PointPrompt, Segmentation, Shot, Size
from remover.weights import sha256

GAP = 3
"""Ranges of frames nearer than this are reported as one."""

FOUND_AGAIN = 0.45
"""Most confidence in the masks of a shot in which nobody pointed at the object: check them."""

Prompts = Sequence[PointPrompt | MaskPrompt]


def segment(
    pictures: Pictures,
    prompts: Prompts,
    shots: Sequence[Shot],
    store: MaskStore,
    *,
    tracker: Choice | Mapping[int, Choice],
    progress: Progress,
    facts: Mapping[str, Any] | None = None,
    grow: bool = True,
) -> Segmentation:
    """Write the masks of every prompted object, on every frame of the shots, into ``store``.

    Args:
        pictures: The video.
        prompts: What was pointed at, in coded pixels; at least one.
        shots: The frames to cover, in order. Nothing is tracked from one to another; where an
            object is not pointed at in one, it is looked for by what it looks like.
        store: Where the label maps go; what it holds stays. It is saved after every object and
            shot.
        tracker: ``builtin`` follows objects; ``none`` moves boxes evenly between key frames;
            ``Sam2`` is loaded and follows objects. One for all objects, or one by object id.
        progress: Where to say how far it is.
        facts: What an earlier run with the same arguments saved in ``store``, to go on with it.
        grow: Whether tracked masks are made ready for a removal: steadied, and widened where they
            are unsure. If not, they are as tracked, to be scored.

    Raises:
        InputError: Nothing is found where the user pointed.
        UsageError: A prompt that boxes alone cannot honour, with ``none``.
        WeightsError: The checkpoint does not fit, with ``Sam2``.
        DeviceError: Memory is used up, with ``Sam2``.
    """
    judgement = Judgement.begun(pictures.num_frames, facts or {})
    if judgement.account is None:
        of_object = {
            object_id: tracker[object_id] if isinstance(tracker, Mapping) else tracker
            for object_id in sorted({prompt.object_id for prompt in prompts})
        }
        made: dict[int, _Made] = {}
        for choice in dict.fromkeys(of_object.values()):
            own = [prompt for prompt in prompts if of_object[prompt.object_id] == choice]
            if choice == "none":
                one = _move_boxes(pictures, own, shots, store, progress)
            else:
                one = _follow(pictures, own, shots, store, judgement, progress, choice, grow=grow)
            made |= dict.fromkeys((prompt.object_id for prompt in own), one)
        _restore_user_masks(prompts, shots, store)
        judgement.account = {str(number): asdict(made[number]) for number in sorted(made)}
        store.save(judgement.facts())
    return _segmentation(judgement, judgement.account)


def _segmentation(judgement: Judgement, account: Mapping[str, Any]) -> Segmentation:
    """What is said of the masks once all are made."""
    is_unsure = (_smooth(judgement.confidence) < UNSURE) & ~judgement.is_lost
    by_name = {made["name"]: made for made in account.values()}
    costs = [Cost(**made["cost"]) for made in by_name.values()]
    times = [cost.seconds for cost in costs if cost.seconds is not None]
    return Segmentation(
        tracker=", ".join(by_name),
        unsure=ranges(is_unsure),
        lost=ranges(judgement.is_lost),
        confidence=judgement.confidence,
        notes=tuple(judgement.notes),
        trackers={int(number): made["name"] for number, made in account.items()},
        weights={name: sha for made in by_name.values() for name, sha in made["weights"].items()},
        cost=Cost(
            sum(times) if len(times) == len(costs) else None,
            max(cost.memory_bytes for cost in costs),
            max(cost.kept_bytes for cost in costs),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Made:
    """By what masks were made, and what it took."""

    name: str
    weights: Mapping[str, str] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)


def _follow(
    pictures: Pictures,
    prompts: Prompts,
    shots: Sequence[Shot],
    store: MaskStore,
    judgement: Judgement,
    progress: Progress,
    tracker: Choice,
    *,
    grow: bool,
) -> _Made:
    """Follow objects with one tracker, and look for them where nobody pointed."""
    size = pictures.size if isinstance(tracker, Sam2) else work_size(pictures.size)
    objects = {
        object_id: _hints(prompts, object_id, pictures.size, size)
        for object_id in sorted({prompt.object_id for prompt in prompts})
    }
    work = [
        (object_id, shot, {frame: hints for frame, hints in by_frame.items() if _in(frame, shot)})
        for object_id, by_frame in objects.items()
        for shot in shots
    ]
    engine = _engine(pictures, store, judgement, progress, tracker, grow=grow)
    met_work = [task for task in work if task[2]]
    engine.track(met_work)
    again = judgement.known_search()
    if again is None:
        again, lost = find_again(pictures, store, judgement, work, size, progress)
        for shot in lost:
            judgement.is_lost[shot.start : shot.stop] = True
            judgement.confidence[shot.start : shot.stop] = 0
        judgement.keep_search(again, store)
    if again:
        engine.track(again)
    for _, shot, _ in again:
        part = judgement.confidence[shot.start : shot.stop]
        np.minimum(part, FOUND_AGAIN, out=part)
    return _Made(engine.name, engine.weights, engine.cost([*met_work, *again]))


@dataclass(frozen=True, slots=True)
class _Engine:
    """What tracks through a list of work."""

    name: str
    """SAM 2's with its size."""
    track: Callable[[Sequence[Work]], None]
    weights: Mapping[str, str]
    cost: Callable[[Sequence[Work]], Cost]


def _engine(
    pictures: Pictures,
    store: MaskStore,
    judgement: Judgement,
    progress: Progress,
    tracker: Choice,
    *,
    grow: bool,
) -> _Engine:
    """The tracker that was chosen, ready; PyTorch is loaded here and nowhere above."""
    from remover.segment.propagate import ShotTrack, num_steps

    def track(work: Sequence[Work]) -> None:
        progress.start("tracking", sum(num_steps(shot, met) for _, shot, met in work))
        for object_id, shot, met in work:
            if judgement.passes_over():
                progress.skip(num_steps(shot, met))
                continue
            ShotTrack(pictures, shot, object_id, met, store, judgement, progress, grow=grow).run()
            judgement.finish(store)

    def cost(work: Sequence[Work]) -> Cost:
        return builtin_cost(
            sum(len(met) for _, _, met in work), sum(num_steps(shot, met) for _, shot, met in work)
        )

    if not isinstance(tracker, Sam2):
        return _Engine("builtin", track, {}, cost)
    from remover.segment.follow import Task, follow, num_pictures
    from remover.segment.sam2 import load

    progress.start("load", None)
    digest = sha256(tracker.checkpoint)
    with _naming_memory(tracker):
        size, network = load(tracker.checkpoint, tracker.size, tracker.device)

    def tasks_of(work: Sequence[Work]) -> list[Task]:
        shots = sorted({shot for _, shot, _ in work})
        return [Task(shot, {n: met for n, other, met in work if other == shot}) for shot in shots]

    def track_with_sam2(work: Sequence[Work]) -> None:
        with _naming_memory(replace(tracker, size=size)):
            tasks, style = tasks_of(work), tracker.style
            follow(network, pictures, tasks, store, judgement, progress, style, grow=grow)

    def cost_of(work: Sequence[Work]) -> Cost:
        looks = [(num_pictures(task), len(task.objects)) for task in tasks_of(work)]
        num_masks = sum(count * objects for count, objects in looks)
        return sam2_cost(size, tracker.device, sum(count for count, _ in looks), num_masks)

    name = f"{PREFIX}{size}"
    return _Engine(name, track_with_sam2, {name: digest}, cost_of)


@contextlib.contextmanager
def _naming_memory(tracker: Sam2) -> Iterator[None]:
    """Say what to do where SAM 2 needs more memory than there is.

    Raises:
        DeviceError: Memory is used up.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        name = PREFIX + (tracker.size or "auto")
        smaller = "" if tracker.size == SIZES[0] else f"use a smaller size, as `{PREFIX}tiny`, or "
        raise DeviceError(
            f"the memory of `{tracker.device}` is too small for `--tracker {name}`",
            hint=f"{smaller}pass `--tracker builtin`, which needs no network",
        ) from error


def ranges(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[Shot, ...]:
    """The runs of True in (T,) flags, half open, those with a small gap joined."""
    found: list[Shot] = []
    for index in np.flatnonzero(flags):
        if found and index - found[-1].stop < GAP:
            found[-1] = Shot(found[-1].start, int(index) + 1)
        else:
            found.append(Shot(int(index), int(index) + 1))
    return tuple(found)


def _hints(prompts: Prompts, object_id: int, full: Size, size: Size) -> dict[int, Hints]:
    """One object's prompts by frame, in pixels of the work size."""
    down, across = size.height / full.height, size.width / full.width
    by_frame: dict[int, Hints] = {}
    for prompt in prompts:
        if prompt.object_id != object_id:
            continue
        was = by_frame.get(prompt.frame, Hints())
        boxes, clicks, avoids, mask = was.boxes, was.clicks, was.avoids, was.mask
        if isinstance(prompt, MaskPrompt):
            small = _shrink_mask(prompt.mask, size)
            mask = small if mask is None else mask | small
        elif prompt.kind == "box" and prompt.box is not None:
            left, top, right, bottom = prompt.box
            boxes += ((left * across, top * down, right * across, bottom * down),)
        elif prompt.point is not None:
            scaled = (prompt.point[0] * across, prompt.point[1] * down)
            clicks += (scaled,) if prompt.kind == "click" else ()
            avoids += (scaled,) if prompt.kind == "avoid" else ()
        by_frame[prompt.frame] = Hints(boxes, clicks, avoids, mask)
    return by_frame


def _shrink_mask(mask: Mask, size: Size) -> Mask:
    """A mask at the work size; one that is thinner than its pixels keeps those it touches."""
    small = np.asarray(
        cv2.resize(mask.astype(np.float32), (size.width, size.height), interpolation=cv2.INTER_AREA)
    )
    return np.asarray(small > (0.5 if (small > 0.5).any() else 0))


def _restore_user_masks(prompts: Prompts, shots: Sequence[Shot], store: MaskStore) -> None:
    """On its own frame a user's mask is final, unless points on that frame change it."""
    for prompt in prompts:
        if not isinstance(prompt, MaskPrompt):
            continue
        is_changed = any(
            other is not prompt
            and (other.frame, other.object_id) == (prompt.frame, prompt.object_id)
            for other in prompts
        )
        if is_changed or not any(_in(prompt.frame, shot) for shot in shots):
            continue
        labels = store.get(prompt.frame)
        labels[labels == prompt.object_id] = 0
        store.put(prompt.frame, labels)
        add(store, prompt.frame, prompt.mask, prompt.object_id)


def _move_boxes(
    pictures: Pictures,
    prompts: Prompts,
    shots: Sequence[Shot],
    store: MaskStore,
    progress: Progress,
) -> _Made:
    """Fill key boxes; boxes of the same shot count where there are any, else all of them."""
    points = [prompt for prompt in prompts if isinstance(prompt, PointPrompt)]
    other = next((point.kind for point in points if point.kind != "box"), None)
    if other is not None:
        raise UsageError(
            f"`--tracker none` cannot honour `--{other}`: it only moves boxes",
            hint="use `--box`, or `--tracker builtin`",
        )
    progress.start("boxes", sum(shot.stop - shot.start for shot in shots))
    for shot in shots:
        for object_id, keys in key_boxes(points).items():
            own = {frame: box for frame, box in keys.items() if _in(frame, shot)}
            for index in range(*shot):
                mask = fill_box(interpolate(own or keys, index), pictures.size)
                add(store, index, mask, object_id)
        progress.advance(shot.stop - shot.start)
    return _Made("none")


def _in(frame: int, shot: Shot) -> bool:
    return shot.start <= frame < shot.stop


def _smooth(
    confidence: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """The median of each three neighbours."""
    padded = np.pad(confidence, 1, mode="edge")
    return np.asarray(np.median([padded[:-2], padded[1:-1], padded[2:]], axis=0))
