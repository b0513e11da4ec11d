"""Clips and masks to cached latents: what ``remover train encode`` does.

The order of the samples, their masks and the division into shards follow the settings alone, so an
encoding that was stopped goes on at its last finished shard and ends with the same bytes.

Legend: ``T H W`` frames and pixels, ``Z`` latent channels, ``t h w`` latent grid.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from remover.errors import InputError
from remover.fill.diffusion import known_latents
from remover.models.load import AnyVae
from remover.models.stream import Stream
from remover.progress import Progress, Silent
from remover.train.clips import Clip, Masks, Source, UnusableClip, Video, own_generator, source
from remover.train.latents import Latents, Skipped, check_about, is_finished
from remover.train.masks import Drawn, Pool, drawn
from remover.train.pools import pool_of
from remover.train.presets import plain
from remover.train.samples import Sample
from remover.train.settings import GROUP, Data, Settings
from remover.train.shards import ShardWriter

MEGABYTE = 1 << 20

RECIPE = 1
"""Raised when the same settings make other samples than before."""

_ORDER, _MASKS = 1, 2
"""Tell the draws of an encoding apart."""


def encode(
    settings: Settings,
    target: Path | str,
    vae: AnyVae,
    *,
    is_stage2: bool = False,
    progress: Progress | None = None,
    clips: Source | None = None,
) -> Latents:
    """Encode every training clip as often as the settings say, each time with another mask.

    Args:
        settings: What to encode.
        target: A folder, local or in an object store. What another run finished there is kept.
        vae: The autoencoder.
        is_stage2: Whether it is for the second stage, which learns from unrelated masks alone.
        progress: Told of every sample and every clip that is skipped.
        clips: Where clips come from; None is what the settings say.

    Raises:
        InputError: There is nothing to encode.
        OutputError: The folder holds latents of other settings, or the disk is full.
    """
    progress = progress or Silent()
    data = settings.data
    clips = source(data, settings.seed) if clips is None else clips
    about = about_of(settings, len(clips), vae, is_stage2=is_stage2)
    found = _finished(target, about)
    if found is not None:
        progress.note(f"`{target}` holds these latents already")
        return found
    order = training_clips(clips, settings.seed)
    pool = pool_of(clips, data, settings.seed)
    with ShardWriter(
        target, z_dim=vae.config.z_dim, shard_bytes=data.shard_mb * MEGABYTE, about=about
    ) as writer:
        each = data.repeats * data.frames
        progress.start("encode", each * len(order))
        progress.skip(each * writer.done)
        for done, index in enumerate(order[writer.done :], writer.done + 1):
            try:
                clip = clips.clip(index)
            except UnusableClip as error:
                writer.skip(error.name, error.reason)
                progress.warn(f"skipped `{error.name}`: {error.reason}")
            else:
                holes = _holes(clip, index, pool, settings, is_stage2=is_stage2)
                for sample in samples_of(vae, clip.frames, index, holes):
                    writer.add(sample)
            progress.advance(each)
            if writer.is_due:
                writer.commit(done)
        if not writer.num_samples:
            raise _nothing(data, len(order), writer.skipped)
    return Latents.read(target)


def _holes(
    clip: Clip, index: int, pool: Pool, settings: Settings, *, is_stage2: bool
) -> Iterator[Drawn]:
    """The masks of one clip; stage 2 learns from unrelated ones alone (paper, section 3.3)."""
    data = settings.data
    own, leading = (0.0, data.leading_stage2) if is_stage2 else (data.own, data.leading)
    for repeat in range(data.repeats):
        rng = own_generator(settings.seed, _MASKS, index, repeat)
        yield drawn(rng, clip, index, pool, data, own=own, leading=leading)


def samples_of(vae: AnyVae, video: Video, index: int, holes: Iterable[Drawn]) -> Iterator[Sample]:
    """The samples of one clip, with the keys ``INDEX-0``, ``INDEX-1`` and so on.

    Args:
        vae: The autoencoder.
        video: (T, H, W, 3), 1 + 4k frames.
        index: The clip's number.
        holes: Its masks; each makes one sample.
    """
    clean = clean_latents(vae, video)
    for repeat, drawn_mask in enumerate(holes):
        masked, mask = hole_latents(vae, video, drawn_mask.hole)
        key = f"{index:08d}-{repeat}"
        yield Sample(key, clean, masked, mask, int(drawn_mask.contrast))


def clean_latents(vae: AnyVae, video: Video) -> Tensor:
    """The normalised latents (Z, t, h, w) of a video (T, H, W, 3), float32 on the CPU."""
    stream = Stream()
    with torch.no_grad():
        found = [vae.encode(piece.to(vae.weight)[None], stream)[0] for piece in _pieces(video)]
    return torch.cat(found, dim=1).float().cpu()


def hole_latents(vae: AnyVae, video: Video, hole: Masks) -> tuple[Tensor, Tensor]:
    """The latents of the masked video and of the mask, each (Z, t, h, w), as for ``clean_latents``.

    Args:
        vae: The autoencoder.
        video: (T, H, W, 3).
        hole: (T, H, W).
    """
    sizes = _sizes(len(video))
    holes = torch.split(torch.from_numpy(hole), sizes)
    with torch.no_grad():
        known = known_latents(vae, zip(_pieces(video), holes, strict=True), None)[0]
    masked, mask = known.float().cpu().chunk(2)
    return masked.contiguous(), mask.contiguous()


def _sizes(frames: int) -> list[int]:
    return [1, *[GROUP] * ((frames - 1) // GROUP)]


def _pieces(video: Video) -> Iterator[Tensor]:
    """The frames of a latent frame at a time, (C, T, H, W) in [-1, 1]."""
    for piece in torch.split(torch.from_numpy(video), _sizes(len(video))):
        yield piece.permute(3, 0, 1, 2).float() / 127.5 - 1


def training_clips(clips: Source, seed: int) -> list[int]:
    """The clips that are not held out, in the order in which they are encoded."""
    rng = own_generator(seed, _ORDER)
    order = [int(index) for index in rng.permutation(len(clips))]
    return [index for index in order if index not in clips.held_out]


def about_of(settings: Settings, count: int, vae: AnyVae, *, is_stage2: bool) -> dict[str, Any]:
    """What decides the latents; latents with another one are others."""
    return {
        "recipe": RECIPE,
        "stage": 2 if is_stage2 else 1,
        "seed": settings.seed,
        "clips": count,
        "data": plain(settings)["data"],
        "vae": digest_of(vae),
        "z_dim": vae.config.z_dim,
        "dtype": "float32" if settings.compute.precision == "fp32" else "bfloat16",
    }


def digest_of(vae: AnyVae) -> str:
    """The sha256 of an autoencoder's weights and statistics."""
    total = hashlib.sha256(repr(vae.config).encode())
    for name, part in sorted(vae.state_dict().items()):
        total.update(name.encode())
        total.update(part.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def _finished(target: Path | str, about: Mapping[str, Any]) -> Latents | None:
    """Latents that another run finished in the same place, if there are any.

    Raises:
        OutputError: They are of other settings.
        InputError: They are damaged.
    """
    if not is_finished(target):
        return None
    found = Latents.read(target)
    check_about(target, found.about, about)
    found.check_whole()
    return found


def _nothing(data: Data, count: int, skipped: Sequence[Skipped]) -> InputError:
    first = f", as `{skipped[0].name}`: {skipped[0].reason}" if skipped else ""
    return InputError(
        f"none of the {count} clips in `{data.folder}` can be used{first}",
        hint=f"look at them: remover train check '{data.folder}'",
    )
