"""How a network paints a video: windows, working size, what is where, and what that takes; pure.

What is tried, in this order, until the memory holds it: windows of the length that the release was
trained with, both networks on the device, then one at a time, then the transformer block by block;
shorter windows; at last crops that are worked on smaller. On a CPU, weights are kept in 32 bits or,
for 2 % more time, in 16 that are cast layer by layer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from remover.crops import LATENT, LEAST_PIXELS, TRAINED_PIXELS, UNIT, crop_around
from remover.device import network_budget, total_memory
from remover.fill.choose import Network
from remover.models.config import WINOGRAD_CHANNELS, VaeConfig
from remover.models.cost import decode_flop, dit_flop, encode_flop
from remover.models.memory import dit_bytes, dit_parameters, vae_bytes, vae_parameters
from remover.painting import Joins, Offload, PaintPlan, overlap_of
from remover.plan import picture_bytes, windows_of_shot
from remover.types import Rect, Shot, Size, Window

LENGTHS = (81, 65, 49, 41, 33, 25, 17, 9)
"""Frames of a window, 1 + 4k; 81 are what the release was trained with."""
SHORTEST_NATIVE = 33
"""Rather than shorter windows than this, a crop is worked on smaller."""
WINDOWS_TOGETHER = 3
"""Windows that are denoised together where they are not handed over."""
BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
PICTURES_SHARE = 4
"""Part of the machine's memory that a window's pictures may fill."""
DIT_FLOPS, VAE_FLOPS, NARROW_FLOPS = 58e9, 140e9, 10e9
"""Operations a second of two cores of a small server in float32, as measured: of the transformer,
of an autoencoder in Winograd's form, and of one too narrow for it."""


class _Mode(NamedTuple):
    """Where the weights are, and in what."""

    offload: Offload
    weights: str


@dataclass(frozen=True, slots=True)
class Scene:
    """What is to be painted, as far as masks tell."""

    shots: Sequence[Shot]
    """Whose frames may be looked at."""
    boxes: Sequence[Rect | None]
    """For each frame, where its hole is, or None."""
    size: Size
    """Of the pictures."""
    bytes_per_sample: int
    """1 or 2."""


def paint_plan(network: Network, scene: Scene, *, steps: int | None, joins: Joins) -> PaintPlan:
    """Decide how ``network`` paints ``scene`` on its device.

    The total memory is taken, not what is free, so that the same machine makes the same plan.

    Args:
        network: The checkpoint.
        scene: What is to be painted.
        steps: Of the solver; None is as many as the release was distilled for.
        joins: How windows meet.
    """
    from remover.sampling import DEFAULT_STEPS

    steps = DEFAULT_STEPS if steps is None else steps
    budget = network_budget(network.device)
    held = total_memory() // PICTURES_SHARE // picture_bytes(scene.size, scene.bytes_per_sample)
    together = 1 if joins is Joins.HAND_OVER else WINDOWS_TOGETHER
    lengths = [n for n in LENGTHS if _stretch(n, together) <= held] or [LENGTHS[-1]]
    modes = _modes(network)
    frames, mode, pixels = next(
        (plan for plan in _plans(scene, lengths, modes) if _takes(network, *plan) <= budget),
        (lengths[-1], modes[-1], LEAST_PIXELS),
    )
    overlap = overlap_of(frames)
    memory = _takes(network, frames, mode, pixels)
    waiting = 0 if mode.offload is Offload.NONE else _weight_bytes(network, mode.weights)
    return PaintPlan(
        frames=frames,
        overlap=overlap,
        stretch=_stretch(frames, together),
        pixels=pixels,
        joins=joins,
        steps=steps,
        dtype=network.dtype,
        weights=mode.weights,
        offload=mode.offload,
        device=network.device,
        memory_bytes=memory,
        host_bytes=memory if network.device == "cpu" else waiting,
        seconds=_seconds(network, scene, frames, overlap, pixels, steps),
    )


def _plans(
    scene: Scene, lengths: Sequence[int], modes: Sequence[_Mode]
) -> Iterator[tuple[int, _Mode, int]]:
    """Window length, what is where, and pixels of a crop, the best first."""
    long = [length for length in lengths if length >= SHORTEST_NATIVE] or [lengths[0]]
    pixels = 0
    for length in long:
        pixels = _native_pixels(scene, length)
        for mode in modes:
            yield length, mode, pixels
    while pixels > LEAST_PIXELS:
        pixels = max(LEAST_PIXELS, pixels * 3 // 4)
        yield long[-1], modes[-1], pixels
    for length in lengths:
        if length < long[-1]:
            yield length, modes[-1], LEAST_PIXELS


def _stretch(frames: int, together: int) -> int:
    """Frames of so many windows that overlap."""
    return frames + (together - 1) * (frames - overlap_of(frames))


def _native_pixels(scene: Scene, length: int) -> int:
    """Working pixels of the largest crop, at native resolution where training knew such sizes."""
    largest = 0
    for window in _windows(scene, length, overlap_of(length)):
        crop = _crop(scene, window, TRAINED_PIXELS)
        if crop is not None:
            # A part of a hole may lie across one more line of the lattice than the whole.
            largest = max(largest, (crop.height + UNIT) * (crop.width + UNIT))
    return min(largest, TRAINED_PIXELS)


def _windows(scene: Scene, length: int, overlap: int) -> Iterator[Window]:
    for shot in scene.shots:
        yield from windows_of_shot(shot, scene.boxes, scene.size, length, 0, overlap)


def _crop(scene: Scene, window: Window, pixels: int) -> Size | None:
    """Working size of a window's crop."""
    found = [box for box in scene.boxes[window.start : window.stop + window.tail] if box]
    if not found:
        return None
    whole = found[0]
    for box in found[1:]:
        whole = whole.union(box)
    return crop_around(whole, scene.size, pixels).size


def _takes(network: Network, frames: int, mode: _Mode, pixels: int) -> int:
    """Bytes on the device at the peak."""
    item = BYTES[network.dtype]
    height, width = _shape(pixels)
    latents = 1 + (frames - 1) // 4
    dit_work = dit_bytes(network.dit, latents, height // LATENT, width // LATENT, item)
    vae_work = vae_bytes(network.vae, height, width, item)
    dit_weights = dit_parameters(network.dit) * BYTES[mode.weights]
    vae_weights = vae_parameters(network.vae) * item
    if mode.offload is Offload.NONE:
        return _weight_bytes(network, mode.weights) + max(dit_work, vae_work)
    is_whole = mode.offload is Offload.MODEL
    held = dit_weights if is_whole else 3 * dit_weights // network.dit.num_layers
    return max(held + dit_work, vae_weights + vae_work)


def _weight_bytes(network: Network, weights: str) -> int:
    """Bytes of both networks' weights."""
    transformer = dit_parameters(network.dit) * BYTES[weights]
    return transformer + vae_parameters(network.vae) * BYTES[network.dtype]


def _shape(pixels: int) -> Size:
    """A picture of so many pixels, with sides that are multiples of 16."""
    height = max(16, round((pixels * 9 / 16) ** 0.5 / 16) * 16)
    return Size(height, max(16, -(-pixels // height // 16) * 16))


def _modes(network: Network) -> tuple[_Mode, ...]:
    """Where weights may be and in what, the fastest first."""
    if network.device != "cpu":
        return tuple(_Mode(offload, network.dtype) for offload in Offload)
    kept = [network.dtype]
    if network.dtype == "fp32":
        kept.append(network.stored if network.stored != "fp32" else "bf16")
    return tuple(_Mode(Offload.NONE, weights) for weights in kept)


def _seconds(
    network: Network, scene: Scene, frames: int, overlap: int, pixels: int, steps: int
) -> float | None:
    """Time of all windows on two cores of a small server; not known for GPUs."""
    if network.device != "cpu" or network.dtype != "fp32":
        return None
    seconds = 0.0
    is_wide = isinstance(network.vae, VaeConfig) and network.vae.base_dim >= WINOGRAD_CHANNELS
    vae_rate = VAE_FLOPS if is_wide else NARROW_FLOPS
    for window in _windows(scene, frames, overlap):
        size = _crop(scene, window, pixels)
        if size is None:
            continue
        count = window.lead + window.stop - window.start + window.tail
        latents = 1 + -(-(count - 1) // 4)
        shape = (4 * latents - 3, size.height, size.width)
        vae = 2 * encode_flop(*shape, network.vae) + decode_flop(*shape, network.vae)
        guided = 1 if network.guidance in (None, 1) else 2
        grid = (latents, size.height // LATENT, size.width // LATENT)
        seconds += vae / vae_rate + guided * steps * dit_flop(network.dit, *grid) / DIT_FLOPS
    return seconds
