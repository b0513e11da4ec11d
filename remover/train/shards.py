"""Writing latents into shards, and reading them back in the order of training.

Shards are tar files in WebDataset's layout, on disk or in an object store. Reading follows
``order``: any step can be taken up without reading what came before.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from remover.errors import InputError, OutputError
from remover.train.latents import (
    INDEX,
    PROGRESS,
    SCHEMA,
    Latents,
    Shard,
    Skipped,
    check_about,
    parsed,
)
from remover.train.order import steps
from remover.train.prefetch import Prefetched
from remover.train.samples import Sample
from remover.train.store import Place, record_of, tar_writer

__all__ = ["Latents", "ShardWriter", "Skipped", "batches"]

READERS = 4
"""Samples of a batch that are read at a time."""

AHEAD = 2
"""Batches that are read before they are asked for."""


class _Open:
    """A shard that is being written."""

    def __init__(self, place: Place, name: str, shape: tuple[int, int, int, int]) -> None:
        self.name, self.shape = name, shape
        self.keys: list[str] = []
        self.record = 0
        self._place = place
        self._writing = place.writing(name)
        self._tar = tar_writer(self._writing.__enter__())

    def add(self, sample: Sample, dtype: str) -> int:
        before = self._tar.tarstream.offset
        with self._place.saying(self.name):
            self._tar.write(record_of(sample, dtype))
        size = int(self._tar.tarstream.offset - before)
        assert self.record in (0, size), f"{sample.key} takes {size} bytes, not {self.record}"
        self.record = size
        self.keys.append(sample.key)
        return size

    def finish(self) -> Shard:
        try:
            with self._place.saying(self.name):
                self._tar.close()
        except BaseException as error:
            self.abandon(error)
            raise
        self._writing.__exit__(None, None, None)
        return Shard(self.name, self.shape, tuple(self.keys), self.record)

    def abandon(self, error: BaseException) -> None:
        """Leave nothing of it."""
        with contextlib.suppress(BaseException):
            self._tar.close()
        with contextlib.suppress(BaseException):
            self._writing.__exit__(type(error), error, error.__traceback__)


class ShardWriter:
    """Writes samples into shards, as a context manager.

    What was committed survives a stop: another writer with the same ``about`` goes on from there.
    """

    def __init__(
        self,
        url: Path | str,
        *,
        z_dim: int,
        shard_bytes: int,
        about: Mapping[str, Any],
    ) -> None:
        """Prepare to write, or to go on.

        Args:
            url: A folder, local or in an object store; it need not exist.
            z_dim: Latent channels.
            shard_bytes: About how large a shard gets.
            about: What the latents are of, plain values; ``dtype`` is what they are kept in,
                ``bfloat16`` (where it is left out) or ``float32``.

        Raises:
            OutputError: The folder holds latents already, or others that are half finished.
        """
        self._place = Place.of(url)
        self._shard_bytes = shard_bytes
        self._dtype = str(about.get("dtype", "bfloat16"))
        self.about = json.loads(json.dumps({**about, "z_dim": z_dim, "dtype": self._dtype}))
        self._open: dict[tuple[Any, ...], _Open] = {}
        self._waiting = 0
        self.shards: list[Shard] = []
        self.skipped: list[Skipped] = []
        self.done = 0
        """What the last commit was told."""
        self._take_up()

    def _take_up(self) -> None:
        if self._place.has(INDEX):
            raise OutputError(
                f"`{self._place.url}` holds latents already",
                hint="choose another folder, or delete this one",
            )
        if not self._place.has(PROGRESS):
            return
        found = parsed(self._place, PROGRESS)
        check_about(self._place.url, found["about"], self.about)
        self.shards = [Shard.parse(entry) for entry in found["shards"]]
        self.skipped = [Skipped(**entry) for entry in found["skipped"]]
        self.done = int(found["done"])

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Commit what is left and write the index; after an error, keep only what was committed."""
        if error is not None:
            for shard in self._open.values():
                shard.abandon(error)
            return
        self._finish_shards()
        self._place.write(INDEX, self._content())
        self._place.remove(PROGRESS)

    @property
    def num_samples(self) -> int:
        """Samples that were written, by earlier runs too."""
        open_keys = sum(len(shard.keys) for shard in self._open.values())
        return sum(shard.count for shard in self.shards) + open_keys

    @property
    def is_due(self) -> bool:
        """Whether enough was added since the last commit to fill a shard."""
        return self._waiting >= self._shard_bytes

    def add(self, sample: Sample) -> None:
        """Write a sample.

        Raises:
            OutputError: The disk is full, or the place refuses.
        """
        kind = (sample.shape, sample.accepted is not None)
        if kind not in self._open:
            number = len(self.shards) + len(self._open)
            self._open[kind] = _Open(self._place, f"shard-{number:05d}.tar", sample.shape)
        self._waiting += self._open[kind].add(sample, self._dtype)

    def skip(self, name: str, reason: str) -> None:
        """Remember a clip that was passed over."""
        self.skipped.append(Skipped(name, reason))

    def commit(self, done: int) -> None:
        """Finish all open shards and remember how far it is.

        Args:
            done: Anything that tells the caller where to go on; see ``done``.

        Raises:
            OutputError: The disk is full, or the place refuses.
        """
        self._finish_shards()
        self.done = done
        self._place.write(PROGRESS, self._content(done))

    def _finish_shards(self) -> None:
        while self._open:
            kind = next(iter(self._open))
            self.shards.append(self._open.pop(kind).finish())
        self._waiting = 0

    def _content(self, done: int | None = None) -> bytes:
        content: dict[str, Any] = {
            "schema": SCHEMA,
            "about": self.about,
            "shards": [shard.plain() for shard in self.shards],
            "skipped": [asdict(one) for one in self.skipped],
        }
        if done is not None:
            content["done"] = done
        return json.dumps(content).encode()


def batches(
    latents: Latents,
    *,
    size: int,
    seed: int,
    first: int,
    stop: int,
    part: slice = slice(None),
) -> Prefetched[list[Sample]]:
    """The samples of the steps ``first`` to ``stop`` (half open), all of one shape in each.

    They are read ahead by a thread, which ends when the iterator is closed or used up. What a step
    holds depends on the index, ``size``, ``seed`` and its number alone.

    Args:
        latents: Where from.
        size: Samples of a step, over all processes.
        seed: Of the order.
        first: The first step, counted from 0.
        stop: The step after the last.
        part: The places in a step that this process takes.

    Raises:
        InputError: There is nothing in it; while it runs, a shard is missing or damaged.
    """
    if not len(latents):
        raise InputError(
            f"`{latents.url}` holds no samples", hint="make them with `remover train encode`"
        )
    return Prefetched(_read(latents, size, seed, first, stop, part), AHEAD)


def _read(
    latents: Latents, size: int, seed: int, first: int, stop: int, part: slice
) -> Iterator[list[Sample]]:
    places = list(latents.buckets.values())
    counts = [len(bucket) for bucket in places]
    with ThreadPoolExecutor(READERS, "shards") as readers:
        for bucket, numbers in steps(counts, size, seed, first, stop):
            wanted = [places[bucket][number] for number in numbers[part]]
            yield list(readers.map(lambda place: latents.sample(*place), wanted))
