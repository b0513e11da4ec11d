"""Latents that were cached: the index of their shards, and reading them.

``index.json`` is written last; a folder without it is not finished. Each shard holds samples of one
shape.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from remover.errors import InputError, OutputError
from remover.train.samples import Sample
from remover.train.store import Place, sample_in

SCHEMA = 1
INDEX = "index.json"
PROGRESS = "progress.json"
"""What is finished so far, while it is written."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One tar file."""

    name: str
    shape: tuple[int, int, int, int]
    """(Z, t, h, w) of each sample."""
    keys: tuple[str, ...]
    """Of its samples, in order."""
    record: int
    """Bytes of each sample."""

    @property
    def count(self) -> int:
        """Number of samples."""
        return len(self.keys)

    def plain(self) -> dict[str, Any]:
        """For the index."""
        return {**asdict(self), "count": self.count}

    @classmethod
    def parse(cls, entry: Mapping[str, Any]) -> "Shard":
        """The inverse of ``plain``."""
        channels, frames, height, width = entry["shape"]
        shape = (int(channels), int(frames), int(height), int(width))
        return cls(str(entry["name"]), shape, tuple(entry["keys"]), int(entry["record"]))


@dataclass(frozen=True, slots=True)
class Skipped:
    """A clip that was passed over."""

    name: str
    reason: str


def parsed(place: Place, name: str) -> dict[str, Any]:
    """The index, or what is finished so far.

    Raises:
        InputError: It is missing, damaged, or of a later version.
    """
    try:
        found = json.loads(place.read(name))
        fits = found["schema"] == SCHEMA
    except (ValueError, KeyError, TypeError):
        raise InputError(
            f"`{place.name_of(name)}` is damaged",
            hint="delete the folder and make it again with `remover train encode`",
        ) from None
    if not fits:
        raise InputError(
            f"`{place.name_of(name)}` has the schema `{found['schema']}`; this version reads "
            f"`{SCHEMA}`",
            hint="use the version of remover that wrote it",
        )
    assert isinstance(found, dict)
    return found


def is_finished(url: Path | str) -> bool:
    """Whether a folder has an index."""
    return Place.of(url).has(INDEX)


def check_about(url: Path | str, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to go on with latents of something else.

    Raises:
        OutputError: They are; names the first difference.
    """
    key = first_difference(found, wanted)
    if key is not None:
        there, here = (_at(one, key) for one in (found, wanted))
        raise OutputError(
            f"`{url}` holds latents of other settings: `{key}` is `{there}` there and `{here}` now",
            hint="choose another folder, or delete this one",
        )


def first_difference(one: Mapping[str, Any], two: Mapping[str, Any]) -> str | None:
    """The first key whose values differ, as ``data.frames``."""
    for key in [*one, *(key for key in two if key not in one)]:
        if key not in one or key not in two or one[key] != two[key]:
            if isinstance(one.get(key), Mapping) and isinstance(two.get(key), Mapping):
                return f"{key}.{first_difference(one[key], two[key])}"
            return key
    return None


def _at(table: Mapping[str, Any], key: str) -> Any:
    found: Any = table
    for word in key.split("."):
        found = found.get(word, "nothing")
    return found


@dataclass(frozen=True)
class Latents:
    """Finished shards, or some of their samples."""

    url: str
    about: Mapping[str, Any]
    """What they are of."""
    shards: tuple[Shard, ...]
    skipped: tuple[Skipped, ...]
    """Clips that were passed over when they were made."""
    kept: frozenset[str] | None = None
    """The samples that are taken; None is all."""

    @classmethod
    def read(cls, url: Path | str) -> "Latents":
        """Read the index.

        Raises:
            InputError: There is none, it is damaged, or it names no samples.
        """
        place = Place.of(url)
        if not place.has(INDEX):
            raise InputError(
                f"`{url}` holds no latents"
                if not place.has(PROGRESS)
                else f"the latents in `{url}` are not finished",
                hint="make them with `remover train encode`",
            )
        found = parsed(place, INDEX)
        shards = tuple(Shard.parse(entry) for entry in found["shards"])
        skipped = tuple(Skipped(**entry) for entry in found["skipped"])
        return cls(str(url), found["about"], shards, skipped)

    def __len__(self) -> int:
        """How many samples are taken."""
        return sum(len(places) for places in self.buckets.values())

    @property
    def z_dim(self) -> int:
        """Latent channels."""
        return int(self.about["z_dim"])

    def only(self, keys: Iterable[str]) -> "Latents":
        """The samples with these keys.

        Raises:
            InputError: There are none.
        """
        kept = replace(self, kept=frozenset(keys))
        if not len(kept):
            raise InputError(
                f"none of the chosen samples is in `{self.url}`",
                hint="check that the verdicts belong to these samples",
            )
        return kept

    @cached_property
    def buckets(self) -> Mapping[tuple[int, int, int, int], tuple[tuple[int, int], ...]]:
        """The samples of each shape, as (number of the shard, place in it)."""
        found: dict[tuple[int, int, int, int], list[tuple[int, int]]] = {}
        for number, shard in enumerate(self.shards):
            for at, key in enumerate(shard.keys):
                if self.kept is None or key in self.kept:
                    found.setdefault(shard.shape, []).append((number, at))
        return {shape: tuple(places) for shape, places in sorted(found.items())}

    @cached_property
    def _place(self) -> Place:
        return Place.of(self.url)

    def sample(self, number: int, at: int) -> Sample:
        """One sample.

        Args:
            number: Of the shard.
            at: Its place in the shard.

        Raises:
            InputError: The shard is missing, cut off or damaged.
        """
        shard = self.shards[number]
        start = at * shard.record
        content = self._place.read(shard.name, start, start + shard.record)
        try:
            if len(content) < shard.record:
                raise ValueError("the file ends before it")
            found = sample_in(content)
            if found.key != shard.keys[at] or found.shape != shard.shape:
                raise ValueError("it is not what the index says")
        except ValueError as error:
            raise InputError(
                f"`{self._place.name_of(shard.name)}` is damaged at sample `{shard.keys[at]}`: "
                f"{error}",
                hint="delete the folder and make it again with `remover train encode`",
            ) from None
        return found

    def check_whole(self) -> None:
        """Look whether all shards are there and long enough.

        Raises:
            InputError: One is not.
        """
        for shard in self.shards:
            if self._place.size_of(shard.name) < shard.count * shard.record:
                raise InputError(
                    f"`{self._place.name_of(shard.name)}` is missing or cut off",
                    hint="delete the folder and make it again with `remover train encode`",
                )

    def samples(self) -> Iterator[Sample]:
        """All samples that are taken, in the order of the shards."""
        for number, shard in enumerate(self.shards):
            for at, key in enumerate(shard.keys):
                if self.kept is None or key in self.kept:
                    yield self.sample(number, at)
