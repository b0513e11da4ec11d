"""What a user brings to help where automatics fail: clean plates, masks of no-go areas."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from remover.plates import read_plate
from remover.resolve import frame_of
from remover.segment import MaskStore, load_masks, read_mask_image
from remover.types import Plan, Plate, Prompt, Shot, VideoInfo
from remover.video import FrameIndex


@dataclass(frozen=True, slots=True)
class ByHand:
    """Help that the user gave for one video."""

    keep: MaskStore | None
    """Pixels never to change."""
    no_source: MaskStore | None
    """Pixels never to copy."""
    plates: tuple[Plate, ...]
    """Pictures to trust above all others."""

    def plates_of(self, shot: Shot) -> list[Plate]:
        """The plates that show frames of ``shot``."""
        return [plate for plate in self.plates if shot.start <= plate.index < shot.stop]

    def frames_beside(self, frames: Shot, shots: Sequence[Shot]) -> list[int]:
        """The plates' frames in those shots that ``frames`` touches."""
        touched = (s for s in shots if s.start < frames.stop and frames.start < s.stop)
        return [plate.index for shot in touched for plate in self.plates_of(shot)]

    def doubts(self, plan: Plan) -> Iterator[str]:
        """Plates that no hole of the plan can use."""
        for shot in plan.shots:
            if not any(shot.start <= window.start < shot.stop for window in plan.windows):
                for index in sorted({plate.index for plate in self.plates_of(shot)}):
                    yield (
                        f"the plate of frame {index} is not used: nothing is removed in its "
                        f"shot, frames {shot.start} to {shot.stop - 1}"
                    )


@contextlib.contextmanager
def by_hand(
    prompts: Sequence[Prompt],
    info: VideoInfo,
    index: FrameIndex,
    default_frame: int,
    work: Path,
) -> Iterator[ByHand]:
    """Read the plates and the masks that ``--keep`` and ``--no-source`` name.

    Args:
        prompts: All that was given.
        info: The video.
        index: Its frames.
        default_frame: What a plate without a moment shows.
        work: An existing folder for the masks, which are deleted when the block ends.

    Raises:
        InputError: A file is missing or unreadable, a size or count differs, or it says nothing.
        UsageError: A moment lies past the end.
    """
    plates = _read_plates(prompts, info, index, default_frame)
    with (
        _marks("keep", prompts, info, index, work) as keep,
        _marks("no-source", prompts, info, index, work) as no_source,
    ):
        yield ByHand(keep, no_source, plates)


@contextlib.contextmanager
def _marks(
    kind: Literal["keep", "no-source"],
    prompts: Sequence[Prompt],
    info: VideoInfo,
    index: FrameIndex,
    work: Path,
) -> Iterator[MaskStore | None]:
    """The union of the user's masks of one kind, in a store of its own in ``work``.

    A file holds for the frames that a ``--mask`` would hold for; with a moment, an image holds
    for that frame alone.
    """
    chosen = [prompt for prompt in prompts if prompt.kind == kind]
    if not chosen:
        yield None
        return
    with MaskStore(work, info.size, index.num_frames, name=f"{kind}.bin") as store:
        for prompt in chosen:
            assert prompt.path is not None
            first, stop = 0, index.num_frames
            if prompt.moment is not None:
                first = frame_of(prompt.moment, index, f"`{prompt.text}`")
                stop = first + 1
                read_mask_image(prompt.path, info, f"--{kind}")  # one image, not a film of masks
            load_masks(
                prompt.path,
                info,
                index.num_frames,
                store,
                object_id=1,
                invert=False,
                first=first,
                stop=stop,
                flag=f"--{kind}",
            )
        yield store


def _read_plates(
    prompts: Sequence[Prompt], info: VideoInfo, index: FrameIndex, default_frame: int
) -> tuple[Plate, ...]:
    plates = []
    for prompt in prompts:
        if prompt.kind == "plate" and prompt.path is not None:
            frame = default_frame
            if prompt.moment is not None:
                frame = frame_of(prompt.moment, index, f"`{prompt.text}`")
            plates.append(read_plate(prompt.path, info, frame))
    return tuple(plates)
