"""What a result depends on, as plain values: equal keys, equal bytes.

A key is a flat mapping from a name that a person understands to a value; it is kept with work that
may be gone on with, and compared before that is done.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TypeAlias

from remover import files
from remover.config import CleanOptions
from remover.errors import InputError
from remover.report import versions
from remover.segment import Choice, Sam2
from remover.types import Prompt, VideoInfo

Key: TypeAlias = Mapping[str, str]

NOT_IN_RESULT = frozenset(
    {
        *("overwrite", "work", "resume", "sam2_weights", "tracker", "device", "strict"),
        *("sam2_memory", "sam2_motion", "sam2_refine"),
        *("painter", "weights", "dtype", "guidance"),
    }
)
"""Options that change no byte of the result, or are in the key by what they lead to."""

IN_MASKS = frozenset({"fps", "invert_mask", "start", "end"})
"""Options that decide the masks before their growth."""


def mask_key(
    info: VideoInfo,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    trackers: Mapping[int, Choice],
    device: str,
) -> Key:
    """What the masks depend on.

    Args:
        info: The video; its files are read.
        prompts: What was pointed at; mask files are read.
        options: Of the run.
        trackers: What follows each object; checkpoints are read.
        device: Where it computes.

    Raises:
        InputError: A file cannot be read.
    """
    found = {"the input": input_digest(info), "the device": device}
    for number, tracker in trackers.items():
        found[f"the tracker of object {number}"] = _tracker(tracker)
    # Of plates only the frames matter here: they too are looked at, and so need masks.
    told = [_told(p) if p.is_target or p.is_tracked else p.kind + p.text for p in prompts]
    found["the prompts"] = "; ".join(told)
    found["the growth"] = "none" if options.dilate == 0 else "where masks are unsure"
    found |= {f"the version of {name}": version for name, version in versions().items()}
    return found | _options(options, IN_MASKS)


def check_read(key: Key, prompts: Sequence[Prompt]) -> None:
    """Make sure that the files of the prompts still are what they were when ``key`` was made.

    To be called once they were read: whoever changed one before that changed what was read.

    Args:
        key: Of the result.
        prompts: What it was made with.

    Raises:
        InputError: One is another now, or gone.
    """
    then = f"{key['the prompts']}; {key['the help by hand']}"
    for prompt in prompts:
        if prompt.path is not None and _told(prompt) not in then:
            raise InputError(
                f"`{prompt.path}` changed while the run was going on",
                hint="wait until nothing writes to it any more, then run again",
            )


def result_key(masks: Key, prompts: Sequence[Prompt], options: CleanOptions, painter: str) -> Key:
    """What the whole result depends on: its masks and all else that changes a byte.

    Args:
        masks: What the masks depend on.
        prompts: What was pointed at.
        options: Of the run.
        painter: What paints, and with what.

    Raises:
        InputError: A file that a prompt names cannot be read.
    """
    names = {item.name for item in fields(options)} - NOT_IN_RESULT
    beside = [_told(p) for p in prompts if not (p.is_target or p.is_tracked)]
    own = {"the help by hand": "; ".join(beside), "the painter": painter}
    return {**masks, **own, **_options(options, names)}


def _tracker(tracker: Choice) -> str:
    if isinstance(tracker, Sam2):
        return f"sam2:{tracker.size}{tracker.style} {content_digest(tracker.checkpoint)}"
    return tracker


def _told(prompt: Prompt) -> str:
    content = content_digest(prompt.path) if prompt.path else ""
    return f"{prompt.kind} {prompt.text} {content}"


def input_digest(info: VideoInfo) -> str:
    """The sha256 of the input's content: of the file, or of all pictures of a sequence.

    Raises:
        InputError: A file cannot be read.
    """
    if not info.pictures:
        return content_digest(info.path)
    total = hashlib.sha256()
    for picture in info.pictures:
        total.update(f"{picture.name}\0{content_digest(picture)}\n".encode())
    return total.hexdigest()


def content_digest(path: Path) -> str:
    """The sha256 of a file, or of the names and contents of a folder's files.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return files.digest(path)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise InputError(
            f"`{path}` cannot be read: {reason}", hint="check that it is there and who may read it"
        ) from None


def short(key: Key) -> str:
    """A key as a name for a file."""
    return hashlib.sha256(json.dumps(sorted(key.items())).encode()).hexdigest()[:32]


def difference(old: Key, new: Key) -> str | None:
    """The first thing in which two keys differ, in words; None if they are equal."""
    for name in sorted(old.keys() | new.keys()):
        was, now = old.get(name, "unset"), new.get(name, "unset")
        if was == now:
            continue
        if len(was) > READABLE or len(now) > READABLE:
            return f"{name} changed"
        return f"{name} was `{was}` and is `{now}`"
    return None


READABLE = 60
"""Longest value that a sentence can hold."""


def _options(options: CleanOptions, names: frozenset[str] | set[str]) -> dict[str, str]:
    return {f"`--{name.replace('_', '-')}`": str(getattr(options, name)) for name in sorted(names)}
