"""Pixels that no frame shows, painted by a network: windows of latents over a shot of any length.

A window is encoded, denoised and decoded in a crop around what is missing. Pixels that copying has
settled are shown to the network as known. A window begins with frames that the one before has
filled, which are shown as known too; what they got fades into what this window makes of them.
"""

import time
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from remover.crops import LEAST_PIXELS, Crop, crop_around, snapped
from remover.device import is_out_of_memory
from remover.errors import WeightsError, memory_ran_out
from remover.fill.diffusion import (
    decoded,
    known_latents,
    part_velocity,
    resized_hole,
    union_of_groups,
)
from remover.fill.draft import Draft, Limits, Take, smooth
from remover.fill.joins import PartVelocity, blended, fading, shifted, whole
from remover.fill.networks import Networks
from remover.fill.patch import SPECK
from remover.fill.seam import RING
from remover.fill.working import from_working, laid, levels_in, open_in
from remover.masks import bounds
from remover.noise import latent_noise
from remover.painting import Joins, longest, overlap_of
from remover.progress import Progress
from remover.sampling import Velocity, sample, schedule
from remover.types import Rect, Shot, Size

GROUP = 4
"""Frames of a latent frame other than a window's first."""
SHORTEST = 9
"""Frames of the shortest window: a group of finished frames and one of new ones."""
QUIET_SECONDS = 20.0
"""Painting that is slower than this says now and then how far it is."""
REACH = 2 * RING
"""Pixels around what is missing that are decoded too, to be matched on."""


class NetworkPainter:
    """Paints windows one after the other.

    Attributes:
        limits: What windows may take from here on.
        changes: What was changed because memory ran out, in sentences.
    """

    def __init__(self, networks: Networks, *, seed: int, progress: Progress) -> None:
        """Paint nothing yet; ``seed`` decides what is invented."""
        plan = networks.plan
        self.limits = Limits(plan.stretch, plan.pixels)
        self.changes: list[str] = []
        self._is_begun = False
        self._networks, self._seed, self._progress = networks, seed, progress

    def paint(self, take: Take) -> None:
        """Fill what is missing in the drafts of ``take``.

        Raises:
            DeviceError: The memory does not hold the smallest window.
            WeightsError: The checkpoint cannot be read, or makes what is no picture.
        """
        for item in take.drafts.values():
            if item.missing < SPECK:
                smooth(item)
        while any(item.missing for item in take.drafts.values()):
            before = {i: (d.rgb, d.known, d.painted) for i, d in take.drafts.items()}
            try:
                self._paint(needed(take, self._networks.plan.overlap))
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                for i, (rgb, known, painted) in before.items():
                    item = take.drafts[i]
                    item.rgb, item.known, item.painted = rgb, known, painted
                self._shrink(take)

    def _paint(self, take: Take) -> None:
        """Paint window after window; each begins with what the one before has finished."""
        start, stop = take.frames
        length = self.limits.frames
        overlap = min(self._networks.plan.overlap, overlap_of(length))
        while True:
            end = min(stop, start + length)
            self._paint_window(take.part(start, end))
            if end == stop:
                return
            start = end - overlap

    def _paint_window(self, take: Take) -> None:
        """Encode, denoise, decode, and lay what comes of it."""
        if not any(item.missing for item in take.drafts.values()):
            return
        crop = crop_around(_extent(take), take.size, self.limits.pixels)
        if not self._is_begun:
            self._is_begun = True
            network = self._networks.network
            self._progress.note(
                f"painting with `{network.name}` ({network.licence}) at {crop.size}"
            )
        hole = working_hole(take, crop)
        with self._networks.vae() as vae:
            known = known_latents(vae, pieces_of(take, crop, hole), _near(hole))
        latents = self._denoised(take.frames.start, crop, known.to(self._networks.network.device))
        near = snapped(crop.working(_extent(take).grown(REACH, take.size)), crop.size)
        shared = [i for i, item in take.drafts.items() if item.painted.any()]
        num_shared = max(shared, default=-1) + 1 - take.frames.start
        with self._networks.vae() as vae:
            pictures = frames_of(decoded(vae, latents, near))
            for i, picture in zip(range(*take.frames), pictures, strict=False):
                if i in take.drafts:
                    weight = fading(i - take.frames.start, num_shared) if i in shared else 1.0
                    shown = from_working(picture, crop.source(near), take.size)
                    lay(take.drafts[i], shown, weight)

    def _denoised(self, start: int, crop: Crop, known: Tensor) -> Tensor:
        """The clean latents (1, Z, t, h, w) of a window that begins at frame ``start``."""
        network, plan = self._networks.network, self._networks.plan
        noise = torch.from_numpy(self._noise(start, known.shape[2], crop))[None].to(known.device)
        table = schedule(network.sampler, plan.steps)
        with self._networks.dit() as dit:
            part = part_velocity(dit, self._networks.dtype, network.guidance or 1.0)
            velocity = self._joined(part, known)
            done, began = 0, time.monotonic()
            said = began
            latents = noise
            for state in sample(velocity, noise, network.sampler, table):
                latents, done, now = state, done + 1, time.monotonic()
                if now - said > QUIET_SECONDS and done < plan.steps:
                    said, left = now, (now - began) / done * (plan.steps - done)
                    self._progress.note(f"step {done} of {plan.steps}, {left:.0f} s left")
        if not torch.isfinite(latents).all():
            raise WeightsError(
                f"`{network.name}` made numbers that are not finite in `{plan.dtype}`",
                hint="compute in more bits, `--dtype bf16` or `--dtype fp32`, or check the weights",
            )
        return latents

    def _noise(self, start: int, count: int, crop: Crop) -> npt.NDArray[np.float32]:
        """Noise by place: the same for the same latents, whatever window holds them."""
        frames = range(start // GROUP, start // GROUP + count)
        channels = self._networks.network.vae.z_dim
        return latent_noise(self._seed, frames, crop.latent_rows, crop.latent_columns, channels)

    def _joined(self, part: PartVelocity, known: Tensor) -> Velocity:
        """The velocity of all latents, put together as the plan says."""
        plan = self._networks.plan
        length, overlap = (1 + (n - 1) // GROUP for n in (plan.frames, plan.overlap))
        if plan.joins is Joins.BLEND:
            return blended(part, known, length, overlap)
        if plan.joins is Joins.SHIFT:
            return shifted(part, known, length)
        return whole(part, known)

    def _shrink(self, take: Take) -> None:
        """Make windows shorter, or crops smaller, and say so.

        Raises:
            DeviceError: They are as small as they can be.
        """
        self._networks.release()
        old = self.limits
        frames = min(old.frames, longest(take.frames.stop - take.frames.start))
        height, width = crop_around(_extent(take), take.size, old.pixels).size
        if frames > SHORTEST:
            self.limits = Limits(max(SHORTEST, longest(frames // 2 + 1)), old.pixels)
            change = f"windows of {frames} frames; going on with {self.limits.frames}"
        elif height * width > LEAST_PIXELS:
            self.limits = Limits(old.frames, max(LEAST_PIXELS, height * width // 2))
            change = f"crops of {width}x{height}; going on with at most {self.limits.pixels} pixels"
        else:
            raise memory_ran_out()
        self.changes.append(f"the memory of `{self._networks.network.device}` ran out at {change}")
        self._progress.warn(self.changes[-1])


def needed(take: Take, overlap: int) -> Take:
    """The frames without which nothing that is missing can be painted well.

    Frames are left out in groups at the beginning, so that those that stay keep their groups.
    """
    wanted = [i for i, item in take.drafts.items() if item.missing or item.painted.any()]
    start, stop = take.frames
    first = start + max(0, min(wanted) - overlap - start) // GROUP * GROUP
    count = max(wanted) + 1 - first
    whole_groups = 1 + -(-(count - 1) // GROUP) * GROUP
    return take.part(first, min(stop, first + whole_groups))


def working_hole(take: Take, crop: Crop) -> Tensor:
    """(T, h, w) bool, 1 + 4k frames: what the network is to fill at the working size."""
    masks = [open_in(crop, take.frame(i), take.drafts.get(i)) for i in padded(take.frames)]
    hole = torch.from_numpy(np.stack(masks))
    if tuple(hole.shape[1:]) != tuple(crop.size):
        hole = resized_hole(hole, crop.size)
    return union_of_groups(hole, GROUP)


def pieces_of(take: Take, crop: Crop, hole: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The pictures (C, T, h, w) in [-1, 1] with their hole, a group of frames at a time."""
    group: list[npt.NDArray[np.float32]] = []
    first = 0
    for place, i in enumerate(padded(take.frames)):
        group.append(levels_in(crop, take.frame(i), take.drafts.get(i)))
        if place % GROUP == 0:
            video = torch.from_numpy(np.stack(group)).permute(3, 0, 1, 2) / 127.5 - 1
            yield video, hole[first : place + 1]
            group, first = [], place + 1


def padded(frames: Shot) -> list[int]:
    """The frames, the last one repeated until there are 1 + 4k."""
    count = frames.stop - frames.start
    more = -(count - 1) % GROUP
    return [*range(*frames), *[frames.stop - 1] * more]


def frames_of(pieces: Iterator[Tensor]) -> Iterator[npt.NDArray[np.float32]]:
    """Single pictures (h, w, 3) in levels, from pieces (C, T, h, w) in [-1, 1]."""
    for piece in pieces:
        levels = (piece.permute(1, 2, 3, 0) + 1) * 127.5
        yield from levels.cpu().numpy()


def lay(item: Draft, shown: tuple[npt.NDArray[np.float32], Rect], weight: float) -> None:
    """Fill the missing pixels of a draft from a painted part of its frame.

    Args:
        item: The draft.
        shown: Levels (h, w, 3) and the part of the frame that they show.
        weight: Of the new version, where an older one is there already.
    """
    missing, older = ~item.known, item.painted
    fill, seen = laid(item, shown, missing | older)
    newer = item.rgb + np.float32(weight) * (fill - item.rgb)
    item.rgb = np.where(missing[..., None], fill, np.where(older[..., None], newer, item.rgb))
    item.painted = item.painted | missing
    item.known = item.known | (missing & seen)


def _extent(take: Take) -> Rect:
    """Where anything is missing, or was painted and is open to a newer version."""
    whole_extent: Rect | None = None
    for item in take.drafts.values():
        found = bounds(~item.known | item.painted)
        if found is not None:
            moved = found.moved(item.rect.top, item.rect.left)
            whole_extent = moved if whole_extent is None else whole_extent.union(moved)
    assert whole_extent is not None
    return whole_extent


def _near(hole: Tensor) -> Rect | None:
    """The part of the working picture that any hole touches, in whole units."""
    found = bounds(hole.any(0).numpy())
    assert found is not None
    return snapped(found, Size(*hole.shape[1:]))
