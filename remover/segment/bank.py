"""SAM 2's memory of one shot: prompts in, then frame by frame either way, in bounded memory.

Legend: ``S`` side of the network's square input, ``s = S / 4`` side of its mask logits. Frames are
counted from the first of the shot.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from remover.segment.choose import UPSTREAM, Style
from remover.segment.hints import Hints
from remover.segment.recall import Outputs
from remover.segment.sam2 import Network
from remover.segment.steering import Steering
from remover.segment.walk import shrink
from remover.types import RGB, Mask, Pictures, Shot, Size

BLOCK = 16
"""Pictures held at a time when walking backwards, at the network's size."""

LARGEST_HOLE = 8
"""Holes up to this many pixels of the logits' grid are filled, as upstream's extension does."""

FILLED = 0.1
"""Logit of a filled hole, upstream's too."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the pictures that the network was trained on, red, green and blue, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the network says of one object on one frame."""

    logits: torch.Tensor = field(repr=False)
    """(1, 1, s, s); above 0 is inside."""
    score: float
    """Logit of the object being in the picture at all."""
    iou: float
    """The overlap with the truth that the network expects of its mask, 0 to 1."""


class Frames:
    """The pictures of a shot as the network takes them, read when asked for.

    One is held when they are asked for in order, and a block when they are asked for backwards.
    """

    def __init__(self, pictures: Pictures, shot: Shot, side: int) -> None:
        """Read ``shot`` at ``side`` by ``side`` pixels."""
        self._pictures = pictures
        self._shot = shot
        self._side = side
        self._held: dict[int, npt.NDArray[np.uint8]] = {}
        self._next = -1
        self._stream: Iterator[RGB] = iter(())
        levels = torch.from_numpy(np.arange(256) / 255.0).float()[:, None]
        self._table = ((levels - torch.tensor(MEAN)) / torch.tensor(DEVIATION)).numpy()

    def __len__(self) -> int:
        """Number of frames of the shot."""
        return self._shot.stop - self._shot.start

    def __getitem__(self, frame: int) -> torch.Tensor:
        """The normalised picture (3, S, S) of a frame."""
        if frame not in self._held:
            self._load(frame)
        picture = self._held[frame]
        channels = [self._table[picture[..., channel], channel] for channel in range(3)]
        return torch.from_numpy(np.stack(channels))

    def _load(self, frame: int) -> None:
        if self._held and frame == min(self._held) - 1:
            start = max(0, frame - BLOCK + 1)
            stream = self._read(start, frame + 1)
            self._held = {index: self._small(p) for index, p in enumerate(stream, start)}
            self._next = -1
            return
        if frame != self._next:
            self._stream = self._read(frame, len(self))
        self._held = {frame: self._small(next(self._stream))}
        self._next = frame + 1

    def _read(self, start: int, stop: int) -> Iterator[RGB]:
        return self._pictures.read(self._shot.start + start, self._shot.start + stop)

    def _small(self, picture: RGB) -> npt.NDArray[np.uint8]:
        """Resized as upstream does, whose network saw such pictures."""
        eight_bits = shrink(picture, Size(*picture.shape[:2]))
        return np.asarray(Image.fromarray(eight_bits).resize((self._side, self._side)))


class Bank:
    """One shot: prompts in, then frame by frame in either direction, in bounded memory."""

    def __init__(
        self, network: Network, pictures: Pictures, shot: Shot, style: Style = UPSTREAM
    ) -> None:
        """Begin with no prompt; ``style`` is how the network is driven."""
        self._network = network
        self._predictor = network.predictor
        self._style = style
        self._steering: dict[int, Steering] = {}
        self._starts: dict[int, int] = {}
        self._iou: dict[tuple[int, int], float] = {}
        frames = Frames(pictures, shot, self._predictor.image_size)
        self.state: dict[str, Any] = {
            "images": frames,
            "num_frames": len(frames),
            "offload_video_to_cpu": False,
            "offload_state_to_cpu": False,
            "video_height": pictures.size.height,
            "video_width": pictures.size.width,
            "device": network.device,
            "storage_device": network.device,
            "point_inputs_per_obj": {},
            "mask_inputs_per_obj": {},
            "cached_features": {},
            "constants": {},
            "obj_id_to_idx": OrderedDict(),
            "obj_idx_to_id": OrderedDict(),
            "obj_ids": [],
            "output_dict_per_obj": {},
            "temp_output_dict_per_obj": {},
            "frames_tracked_per_obj": {},
        }

    @property
    def reach(self) -> int:
        """Frames back that the network still reads, and one to spare."""
        return int(max(self._predictor.num_maskmem, self._predictor.max_obj_ptrs_in_encoder)) + 1

    def prompt(self, object_id: int, frame: int, hints: Hints) -> Found:
        """Condition on what was pointed at on a frame.

        A frame that was not tracked yet is looked at by itself; on a tracked one the hints mend
        what tracking brought there.

        Args:
            object_id: Whose prompt it is.
            frame: Counted from the start of the shot.
            hints: In pixels of the video; at least one.
        """
        self._starts.setdefault(object_id, frame)
        boxes = hints.boxes
        iou = 1.0
        with self._network.computing():
            if hints.mask is not None or len(boxes) > 1:
                mask = self._united(object_id, frame, hints)
                self._predictor.add_new_mask(self.state, frame, object_id, mask)
                boxes = ()
            points = [*hints.clicks, *hints.avoids]
            if boxes or points:
                labels = [1] * len(hints.clicks) + [0] * len(hints.avoids)
                for _ in range(self._num_looks(boxes)):
                    self._predictor.add_new_points_or_box(
                        self.state,
                        frame,
                        object_id,
                        points=torch.tensor(points).reshape(-1, 2),
                        labels=torch.tensor(labels, dtype=torch.int32),
                        box=boxes[0] if boxes else None,
                    )
                iou = self._network.iou
            output = self._fresh(object_id)[frame]
            self._predictor.propagate_in_video_preflight(self.state)
        self._iou[object_id, frame] = iou
        return _found(output, iou)

    def step(self, object_id: int, frame: int, *, backward: bool = False) -> Found:
        """Find an object on the frame after (or before) the one that was found last.

        Args:
            object_id: An object with a prompt.
            frame: Counted from the start of the shot; a prompted frame gives what is known.
            backward: The direction of travel.
        """
        outputs = self._outputs(object_id)
        prompted = outputs["cond_frame_outputs"]
        steering = self._steering.setdefault(object_id, Steering(self._network, self._style))
        if frame in prompted:
            if backward == steering.is_backward:
                steering.passed(prompted[frame], self._iou[object_id, frame])
            return _found(prompted[frame], self._iou[object_id, frame])
        if backward != steering.is_backward:
            start = self._starts[object_id]
            steering.turn()
            steering.passed(prompted[start], self._iou[object_id, start])
        output = self._look(steering, outputs, frame)
        outputs["non_cond_frame_outputs"][frame] = output
        tracked = self.state["frames_tracked_per_obj"][self.state["obj_id_to_idx"][object_id]]
        tracked.clear()  # only the latest frame is ever mended
        tracked[frame] = {"reverse": backward}
        self._prune(object_id, frame, backward=backward)
        return _found(output, self._network.iou)

    def again(
        self, object_id: int, frames: Sequence[int], seen: Sequence[int], *, backward: bool
    ) -> Iterator[Found]:
        """Find an object once more on frames that it was tracked through, from their other side.

        Args:
            object_id: An object with a prompt.
            frames: Neighbours in the order of travel, none of them prompted.
            seen: Frames tracked lately that lie before them on this way, in its order; those that
                are still in memory are what it begins with, beside the prompted ones.
            backward: The direction of travel.

        Yields:
            What is found on each frame. It is not remembered for ``step``.
        """
        outputs = self._outputs(object_id)
        tracked = outputs["non_cond_frame_outputs"]
        own = {at: tracked[at] for at in seen if at in tracked}
        steering = Steering(self._network, self._style, backward=backward)
        for at, output in own.items():
            steering.met(at, output)
        for frame in frames:
            both = {**outputs, "non_cond_frame_outputs": own}
            own[frame] = output = self._look(steering, both, frame)
            found = _found(output, self._network.iou)
            held = steering.held
            for other in list(own):
                if abs(other - frame) > self.reach if held is None else other not in held:
                    del own[other]
            yield found

    def _look(self, steering: Steering, outputs: Outputs, frame: int) -> dict[str, Any]:
        """Run the network on a frame and note what it says."""
        with self._network.computing(), self._network.weighing(steering.weigh):
            output, _ = self._predictor._run_single_frame_inference(
                inference_state=self.state,
                output_dict=steering.read(outputs, frame),
                frame_idx=frame,
                batch_size=1,
                is_init_cond_frame=False,
                point_inputs=None,
                mask_inputs=None,
                reverse=steering.is_backward,
                run_mem_encoder=True,
            )
        steering.saw(frame, output)
        found: dict[str, Any] = output
        return found

    def forget_tracked(self) -> None:
        """Keep only what was prompted."""
        self._steering.clear()
        for outputs in self.state["output_dict_per_obj"].values():
            outputs["non_cond_frame_outputs"].clear()
        for tracked in self.state["frames_tracked_per_obj"].values():
            tracked.clear()

    def num_kept(self, object_id: int) -> int:
        """How many tracked frames of an object are in memory."""
        return len(self._outputs(object_id)["non_cond_frame_outputs"])

    def _prune(self, object_id: int, frame: int, *, backward: bool) -> None:
        """Drop what is not read any more; the way back begins with what the way there found."""
        outputs = self._outputs(object_id)["non_cond_frame_outputs"]
        start = frame if backward else self._starts[object_id]
        held = self._steering[object_id].held
        for other in list(outputs):
            if held is not None:
                is_read = other == frame or other in held  # points mend the latest frame
            else:
                is_read = min(abs(other - frame), abs(other - start)) <= self.reach
            if not is_read:
                del outputs[other]

    def _num_looks(self, boxes: Sequence[Any]) -> int:
        """How often a prompt is shown; from the second time on upstream adds the mask it gave."""
        return 2 if boxes and self._style.refine else 1

    def _outputs(self, object_id: int) -> dict[str, dict[int, Any]]:
        index = self.state["obj_id_to_idx"][object_id]
        found: dict[str, dict[int, Any]] = self.state["output_dict_per_obj"][index]
        return found

    def _fresh(self, object_id: int) -> dict[int, Any]:
        """What prompts gave that is not in the memory yet, by frame."""
        index = self.state["obj_id_to_idx"][object_id]
        found: dict[int, Any] = self.state["temp_output_dict_per_obj"][index]["cond_frame_outputs"]
        return found

    def _united(self, object_id: int, frame: int, hints: Hints) -> Mask:
        """The union (H, W) of the given mask and of what each box alone would give."""
        size = Size(self.state["video_height"], self.state["video_width"])
        mask: Mask = np.zeros(size, np.bool_) if hints.mask is None else hints.mask.copy()
        for box in hints.boxes:
            for _ in range(self._num_looks(hints.boxes)):
                self._predictor.add_new_points_or_box(self.state, frame, object_id, box=box)
            output = self._fresh(object_id).pop(frame)
            mask |= to_mask(output["pred_masks"], size)
        return mask


def to_mask(logits: torch.Tensor, size: Size) -> Mask:
    """The mask (H, W) of logits (1, 1, s, s), with small holes filled."""
    return np.asarray(_at(logits, size).numpy() > 0)


def to_soft(logits: torch.Tensor, size: Size) -> npt.NDArray[np.float32]:
    """The probability (h, w) that a pixel is inside, of logits (1, 1, s, s), as of ``to_mask``."""
    return np.asarray(torch.sigmoid(_at(logits, size)).numpy(), np.float32)


def _at(logits: torch.Tensor, size: Size) -> torch.Tensor:
    filled = torch.from_numpy(fill_holes(logits[0, 0].float().cpu().numpy()))[None, None]
    return torch.nn.functional.interpolate(filled, size=tuple(size), mode="bilinear")[0, 0]


def fill_holes(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Logits (s, s) in which small parts of the outside count as inside."""
    outside = (logits <= 0).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=8)
    is_hole = stats[:, cv2.CC_STAT_AREA] <= LARGEST_HOLE
    is_hole[0] = False
    return np.where(is_hole[parts], np.float32(FILLED), logits)


def _found(output: dict[str, Any], iou: float) -> Found:
    return Found(output["pred_masks"], float(output["object_score_logits"].max()), iou)
