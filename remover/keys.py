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

NOT_IN_RESULT = frozenset({"overwrite", "work", "resume", "sam2_weights", "tracker", "device"})
"""Options that change no byte of the result, or are in the key by what they lead to."""

IN_MASKS = frozenset({"fps", "invert_mask", "start", "end"})
"""Options that decide the masks before their growth."""


def mask_key(
    info: VideoInfo,
    prompts: Sequence[Prompt],
    options: CleanOptions,
    tracker: Choice,
    device: str,
) -> Key:
    """What the masks depend on.

    Args:
        info: The video; its files are read.
        prompts: What was pointed at; mask files are read.
        options: Of the run.
        tracker: What follows the objects; a checkpoint is read.
        device: Where it computes.

    Raises:
        InputError: A file cannot be read.
    """
    found = {"the input": input_digest(info), "the device": device}
    found["the tracker"] = (
        f"sam2:{tracker.size} {content_digest(tracker.checkpoint)}"
        if isinstance(tracker, Sam2)
        else tracker
    )
    told = [f"{p.kind} {p.text} {content_digest(p.path) if p.path else ''}" for p in prompts]
    found["the prompts"] = "; ".join(told)
    found |= {f"the version of {name}": version for name, version in versions().items()}
    return found | _options(options, IN_MASKS)


def result_key(masks: Key, options: CleanOptions) -> Key:
    """What the whole result depends on: its masks and every option that changes a byte."""
    names = {item.name for item in fields(options)} - NOT_IN_RESULT
    return {**masks, **_options(options, names)}


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
