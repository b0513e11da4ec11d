"""Results of stage 1 on its own training clips, for curation: latents, and videos to look at.

Every clip's own object is removed with contrast guidance and many steps. What a person accepts (or,
where the true background is known, what is near enough to it) is what stage 2 learns from.

Legend: ``T H W`` frames and pixels, ``Z`` latent channels, ``t h w`` latent grid.
"""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from remover.errors import InputError
from remover.files import from_os_error, write_whole
from remover.models.dit import Contrast
from remover.progress import Progress
from remover.train.clips import Clip, Masks, Source, UnusableClip
from remover.train.draws import generator
from remover.train.encode import (
    MEGABYTE,
    clean_latents,
    digest_of,
    hole_latents,
    training_clips,
)
from remover.train.latents import Latents
from remover.train.masks import grown
from remover.train.networks import Learnt
from remover.train.presets import plain
from remover.train.samples import Sample
from remover.train.shards import ShardWriter
from remover.train.solve import pictures, solved
from remover.train.verdicts import SAMPLES, SCHEMA, Item, Verdict, append, items
from remover.train.videos import write_video

LATENTS, VIDEOS = "latents", "videos"
FPS = 12.0
"""Of the videos that are looked at; slow enough to judge."""
TINT = (230, 40, 60)
SEED = 0xC0DE


def make(
    maker: Learnt,
    clips: Source,
    target: Path,
    progress: Progress,
    part: tuple[int, int] = (1, 1),
) -> Latents:
    """Write a samples folder; goes on with one that was stopped.

    Args:
        maker: The network.
        clips: Where training clips come from.
        target: The folder.
        progress: Told of each clip.
        part: (i, n): the i-th of n parts of the clips, so that n machines can share them.

    Raises:
        InputError: No clip has an object of its own.
        OutputError: The folder holds others, or the disk is full.
    """
    settings = maker.settings
    order = [i for i in training_clips(clips, settings.seed) if i in set(clips.masked)]
    order = order[: settings.curation.clips or None][part[0] - 1 :: part[1]]
    if not order:
        raise InputError(
            "no training clip has a mask of its own object, so there is nothing to remove",
            hint="add masks beside the clips; `remover train check` says what it finds",
        )
    about = {
        "vae": digest_of(maker.vae),
        "data": plain(settings.data),
        "curation": plain(settings.curation),
        "part": list(part),
        "dtype": "float32" if settings.compute.precision == "fp32" else "bfloat16",
    }
    try:
        (target / VIDEOS).mkdir(parents=True, exist_ok=True)
        with ShardWriter(
            target / LATENTS,
            z_dim=maker.vae.config.z_dim,
            shard_bytes=settings.data.shard_mb * MEGABYTE,
            about=about,
        ) as writer:
            progress.start("sample", len(order), "clips")
            progress.skip(writer.done)
            listed = _List(target)
            for done, index in enumerate(order[writer.done :], writer.done + 1):
                _one(maker, clips, index, listed, writer, progress)
                progress.advance()
                if writer.is_due:
                    listed.flush()
                    writer.commit(done)
            listed.flush()
    except OSError as error:
        raise from_os_error(error, target) from error
    return Latents.read(target / LATENTS)


class _List:
    """The list of results and the verdicts that the truth gave, on disk now and then."""

    def __init__(self, target: Path) -> None:
        """Read the list as far as it was written.

        Raises:
            InputError: It is damaged.
        """
        self.target = target
        there = items(target) if (target / SAMPLES).is_file() else []
        self._items = {item.id: item for item in there}
        self._verdicts: list[Verdict] = []

    def add(self, item: Item, verdict: Verdict | None) -> None:
        """Remember a result."""
        self._items[item.id] = item
        if verdict is not None:
            self._verdicts.append(verdict)

    def flush(self) -> None:
        """Write the list, then the verdicts."""
        entries = [asdict(item) for item in self._items.values()]
        text = json.dumps({"schema": SCHEMA, "items": entries}, indent=1)
        write_whole(self.target / SAMPLES, text.encode())
        append(self.target, *self._verdicts)
        self._verdicts.clear()


def _one(
    maker: Learnt,
    clips: Source,
    index: int,
    listed: _List,
    writer: ShardWriter,
    progress: Progress,
) -> None:
    """Make, write and judge one result."""
    try:
        clip = clips.clip(index)
    except UnusableClip as error:
        writer.skip(error.name, error.reason)
        progress.warn(f"skipped `{error.name}`: {error.reason}")
        return
    assert clip.own is not None
    hole = grown(clip.own, maker.settings.data.dilate[1])
    sample = _sample(maker, clip, index, hole)
    assert sample.accepted is not None
    shown = pictures(maker.vae, sample.accepted[None].to(maker.device))[0]
    writer.add(sample)
    verdict = None
    if clip.background is not None:
        share = success(shown, clip.frames, clip.background, clip.own)
        is_good = share >= maker.settings.curation.success
        verdict = Verdict(sample.key, "yes" if is_good else "no", "truth")
    listed.add(_written(listed.target, sample.key, clip, hole, shown), verdict)


def _sample(maker: Learnt, clip: Clip, index: int, hole: Masks) -> Sample:
    """A sample with what the network makes of it as its accepted result."""
    clean = clean_latents(maker.vae, clip.frames)
    masked, mask = hole_latents(maker.vae, clip.frames, hole)
    noise = torch.randn(clean.shape, generator=generator(SEED, index))
    made = solved(
        maker.ask,
        torch.cat([masked, mask])[None].to(maker.device),
        noise[None].to(maker.device),
        steps=maker.settings.curation.steps,
        guidance=maker.settings.curation.guidance,
    )
    sample = Sample(f"{index:08d}-own", clean, masked, mask, int(Contrast.REMOVE))
    return replace(sample, accepted=made[0].float().cpu())


def success(
    result: npt.NDArray[np.uint8],
    original: npt.NDArray[np.uint8],
    background: npt.NDArray[np.uint8],
    own: Masks,
) -> float:
    """Share of an object's pixels that are nearer to the true background than to the object.

    Args:
        result: (T, H, W, 3).
        original: Likewise, with the object.
        background: Likewise, without it.
        own: (T, H, W), the object.
    """
    if not own.any():
        return 1.0
    made = result[own].astype(np.float32)
    to_object = np.abs(made - original[own]).sum(-1)
    to_truth = np.abs(made - background[own]).sum(-1)
    return float((to_truth < to_object).mean())


def _written(
    target: Path, key: str, clip: Clip, hole: Masks, result: npt.NDArray[np.uint8]
) -> Item:
    """Write the three videos of a result; its entry in the list."""
    tinted = clip.frames.copy()
    tinted[hole] = (tinted[hole] // 2 + np.array(TINT, np.uint8) // 2).astype(np.uint8)
    paths = {}
    for kind, frames in (("original", clip.frames), ("overlay", tinted), ("result", result)):
        paths[kind] = f"{VIDEOS}/{key}.{kind}.mp4"
        write_video(target / paths[kind], frames, FPS)
    length, height, width = clip.frames.shape[:3]
    return Item(key, clip.name, length, (height, width), FPS, **paths)
