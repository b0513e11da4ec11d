"""How SAM 2 is driven along one object: what it reads, which candidate it takes, what it keeps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from remover.segment.choose import Style
from remover.segment.kalman import overlap
from remover.segment.quality import (
    Scores,
    box_of,
    motion_scores,
    share_of_joint_box,
    weighed,
)
from remover.segment.recall import Course, Outputs, Recall
from remover.segment.sam2 import Network, Weigh
from remover.types import Mask


class Steering:
    """One object on its way through a shot; with upstream's style it changes nothing."""

    def __init__(self, network: Network, style: Style, *, backward: bool = False) -> None:
        """Begin a way forward, or backward, with nothing seen."""
        self._network = network
        self._style = style
        predictor = network.predictor
        self._recall = Recall(predictor.num_maskmem - 1, predictor.max_obj_ptrs_in_encoder - 1)
        self._course = Course()
        self.is_backward = backward

    @property
    def held(self) -> frozenset[int] | None:
        """The tracked frames that are read now or later; None leaves that to upstream's rule."""
        return self._recall.held if self._style.memory == "gated" else None

    @property
    def weigh(self) -> Weigh | None:
        """What scores the candidates of the coming frame; None leaves that to the network."""
        return self._weighed if self._style.motion and self._course.is_steady else None

    def read(self, outputs: Outputs, frame: int) -> Outputs:
        """The memory that the network reads on ``frame``."""
        if self._style.memory == "recent":
            return outputs
        return self._recall.read(outputs, frame, backward=self.is_backward)

    def saw(self, frame: int, output: dict[str, Any]) -> None:
        """Take note of what the network has just found on a frame."""
        if self._style.memory == "recent" and not self._style.motion:
            return
        mask, iou = _mask(output), self._network.iou
        box = box_of(mask)
        expected = self._course.expected
        if self._style.memory == "gated":
            others = [
                (logits > 0).cpu().numpy()
                for place, logits in enumerate(self._network.candidates)
                if place != self._network.chosen
            ]
            is_scored = self._style.motion and box is not None and expected is not None
            scores = Scores(
                mask=iou,
                presence=float(output["object_score_logits"].max()),
                motion=overlap(box, expected) if is_scored else None,  # type: ignore[arg-type]
                area=int(np.count_nonzero(mask)),
                share=share_of_joint_box(mask, others),
            )
            self._recall.saw(frame, scores)
        self._course.saw(box, iou)

    def passed(self, output: dict[str, Any], iou: float) -> None:
        """Take note of a prompted frame on the way, which is remembered anyway."""
        self._course.saw(box_of(_mask(output)), iou)

    def met(self, frame: int, output: dict[str, Any]) -> None:
        """Take a frame that was tracked well by another way for one's own."""
        self._recall.pick(frame)
        self.passed(output, 1.0)

    def turn(self) -> None:
        """Go the other way from where it began."""
        self._recall.turn()
        self._course = Course()
        self.is_backward = not self.is_backward

    def _weighed(self, candidates: torch.Tensor, ious: Sequence[float]) -> list[float]:
        expected = self._course.expected
        assert expected is not None
        boxes = [box_of((logits > 0).cpu().numpy()) for logits in candidates]
        return weighed(ious, motion_scores(boxes, expected))


def _mask(output: dict[str, Any]) -> Mask:
    """The mask (s, s) on the grid of the logits; empty where the object is not in the picture."""
    return np.asarray((output["pred_masks"][0, 0] > 0).cpu().numpy())
