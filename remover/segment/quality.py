"""Which of SAM 2's candidates to take and which frames to remember, as published; pure.

Three methods that change no weight of the network are put together here:

* SAMURAI (Yang et al., arXiv 2411.11922): the candidate with the largest mean of motion and mask
  score ("Motion Modeling"), and a memory of frames on which mask, object and motion score pass
  thresholds ("Motion-Aware Memory Selection").
* SAM2Long (Ding et al., arXiv 2410.16268, "Object-aware Memory Bank Construction"): only frames
  that show the object with a sure enough mask are remembered. Its tree of pathways is not made:
  which of them holds is only known at the end, so all would have to be kept until then.
* DAM4SAM (Videnovic et al., CVPR 2025, arXiv 2411.17576, "DRM Management Protocol"): frames on
  which something beside the object was nearly taken for it are kept longer, as anchors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from remover.segment.kalman import Box, area, joint, overlap
from remover.types import Mask

MOTION_SHARE = 0.15
"""Weight of the motion score among candidates, alpha of SAMURAI."""

STEADY_FRAMES = 15
"""Frames that an object must have been followed for before its motion says anything."""

STEADY_SCORE = 0.3
"""Mask score at or below which it is no longer followed."""

MASK_SCORE, OBJECT_SCORE, MOTION_SCORE = 0.5, 0.0, 0.0
"""What a frame must exceed to be remembered: overlap that the network expects, its logit of the
object being there, overlap with the predicted box."""

ANCHOR_SCORE = 0.8
"""Mask score that an anchor must exceed."""

ANCHOR_AREA = 0.2
"""How far the area of an anchor's mask may be from the usual one, as a share of that."""

ANCHOR_RATIO = 0.7
"""Share of the joint box that the mask's box has at most where a distractor is near."""

USUAL_OVER = 10
"""Frames with the object whose median area is the usual one."""

ANCHOR_GAP = 5
"""Frames from one anchor to the next at least."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What the network and the motion say of one object on one frame."""

    mask: float
    """The overlap with the truth that the network expects, 0 to 1."""
    presence: float
    """Its logit of the object being in the picture."""
    motion: float | None
    """Overlap of the mask's box with the predicted one, 0 to 1; None where nothing is predicted."""
    area: int
    """Pixels of the mask."""
    share: float
    """Area of the mask's box by that of the box around it and what else was nearly taken."""


def weighed(mask_scores: Sequence[float], motion_scores: Sequence[float]) -> list[float]:
    """What each candidate is worth, of which the largest is taken.

    ``alpha s_kf + (1 - alpha) s_mask``, the selection of SAMURAI.
    """
    return [
        MOTION_SHARE * motion + (1 - MOTION_SHARE) * mask
        for mask, motion in zip(mask_scores, motion_scores, strict=True)
    ]


def is_remembered(scores: Scores) -> bool:
    """Whether a frame goes into the memory: all its scores exceed their thresholds.

    A frame without the object never does, which DAM4SAM and SAM2Long ask for too.
    """
    return (
        scores.mask > MASK_SCORE
        and scores.presence > OBJECT_SCORE
        and scores.area > 0
        and (scores.motion is None or scores.motion > MOTION_SCORE)
    )


def is_anchor(scores: Scores, areas: Sequence[int], since: int | None) -> bool:
    """Whether a frame tells the object from a distractor, and may be trusted to.

    Args:
        scores: Of the frame.
        areas: The latest areas of the object, this frame's not among them.
        since: Frames since the last anchor; None if there is none.
    """
    if not areas or (since is not None and since < ANCHOR_GAP):
        return False
    usual = float(np.median(areas))
    return (
        is_remembered(scores)
        and scores.share < ANCHOR_RATIO
        and scores.mask > ANCHOR_SCORE
        and abs(scores.area - usual) <= ANCHOR_AREA * usual
    )


def box_of(mask: Mask) -> Box | None:
    """The box of a mask (H, W), None if that is empty."""
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    return (left, top, left + width, top + height) if width else None


def share_of_joint_box(mask: Mask, others: Sequence[Mask]) -> float:
    """How much of the box around a mask and a distractor the mask's own box is, 0 to 1.

    The distractor is the largest connected part that another candidate has beside the mask, the
    one that gives the smallest share; 1 without any.
    """
    own = box_of(mask)
    if own is None:
        return 1.0
    shares = [1.0]
    for other in others:
        part = _largest_part(other & ~mask)
        beside = None if part is None else box_of(part)
        if beside is not None:
            shares.append(area(own) / area(joint(own, beside)))
    return min(shares)


def motion_scores(boxes: Sequence[Box | None], expected: Box) -> list[float]:
    """Overlap of each candidate's box with the predicted one, ``IoU(x(t+1|t), M)``."""
    return [0.0 if box is None else overlap(box, expected) for box in boxes]


def _largest_part(mask: Mask) -> Mask | None:
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    return np.asarray(parts == largest)
