"""Quality figures with their published definitions, on 8-bit R'G'B' pictures; pure.

Sources: SSIM by Wang, Bovik, Sheikh and Simoncelli (IEEE TIP 2004); dtSSD after Erofeev et al.
(BMVC 2015); J and F by Perazzi et al. (CVPR 2016). ``leftover`` is this project's own.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from remover.types import Mask, Rect

Picture = npt.NDArray[np.uint8]

VISIBLE = 30
"""Levels by which an object pixel must differ from the clean picture to count as visible."""


def psnr(squared_error: float) -> float:
    """Peak signal to noise ratio in dB of a mean squared error in levels, at most 100."""
    if squared_error <= 1e-10 * 255**2:
        return 100.0
    return 10 * math.log10(255**2 / squared_error)


def ssim(first: Picture, second: Picture) -> npt.NDArray[np.float32]:
    """Structural similarity of two luma pictures (H, W), for each pixel; 1 is equal."""
    a, b = first.astype(np.float32), second.astype(np.float32)

    def blur(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(values, (11, 11), 1.5), np.float32)

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2
    covariance = blur(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    bottom = (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return np.asarray(top / bottom, np.float32)


def luma(picture: Picture) -> Picture:
    """Gray levels (H, W) of a picture."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def region_similarity(predicted: Mask, true: Mask) -> float:
    """J: intersection over union of two masks; 1 where both are empty."""
    union = _count(predicted | true)
    return 1.0 if union == 0 else _count(predicted & true) / union


def boundary_accuracy(predicted: Mask, true: Mask) -> float:
    """F: how well the masks' outlines agree within 0.8 % of the picture's diagonal."""
    outline, true_outline = _outline(predicted), _outline(true)
    if not outline.any() and not true_outline.any():
        return 1.0
    if not outline.any() or not true_outline.any():
        return 0.0
    radius = math.ceil(0.008 * math.hypot(*true.shape))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    near_true = cv2.dilate(true_outline.astype(np.uint8), kernel) > 0
    near = cv2.dilate(outline.astype(np.uint8), kernel) > 0
    precision = _count(outline & near_true) / _count(outline)
    recall = _count(true_outline & near) / _count(true_outline)
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def _outline(mask: Mask) -> Mask:
    """The pixels of a mask that touch its outside."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    inner = cv2.erode(mask.astype(np.uint8), cross, borderValue=1) > 0
    return np.asarray(mask & ~inner, bool)


def _count(mask: Mask) -> int:
    return int(np.count_nonzero(mask))


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else math.nan


@dataclass(frozen=True, slots=True)
class Score:
    """Figures of one cleaned clip against its true background."""

    psnr_mask: float
    """dB, squared error pooled over every pixel of the object in every frame."""
    psnr_box: float
    """dB, mean over frames, in the object's box with 16 pixels around it."""
    ssim_box: float
    leftover: float
    """Share of the visible object's pixels that still look more like it than like the truth."""
    dtssd: float
    """Levels: how much the change from frame to frame differs from the true one."""
    features: float
    """Mean distance of deep features to the truth's in the object, 0 to 16, over the frames on
    which it was measured; NaN if there are none."""
    outside: float
    """Mean change in levels of pixels that were not to change."""
    psnr_effects: float
    """dB, as ``psnr_mask`` over the object's shadow; NaN if it has none."""
    recall: float
    """Share of the true object's pixels that the masks hold; NaN if no masks were given."""
    similarity: float
    """Mean J of the masks; NaN if no masks were given."""


class Scorer:
    """Adds up a clip frame by frame; frames may be forgotten once they are added."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._error = self._count = 0.0
        self._box: list[float] = []
        self._ssim: list[float] = []
        self._left = self._visible = 0
        self._change = self._change_count = 0.0
        self._features: list[float] = []
        self._outside = self._outside_count = 0.0
        self._shadow = self._shadow_count = 0.0
        self._held = self._true = 0
        self._similarity: list[float] = []
        self._previous: tuple[Picture, Picture] | None = None

    def add(
        self,
        shown: Picture,
        clean: Picture,
        source: Picture,
        true: Mask,
        *,
        effects: Mask | None = None,
        predicted: Mask | None = None,
        features: float | None = None,
        is_cut: bool = False,
    ) -> None:
        """Add one frame.

        Args:
            shown: The result (H, W, 3).
            clean: The true background.
            source: The input with the object.
            true: The object's exact mask (H, W).
            effects: The object's shadow, which may change too.
            predicted: The mask that was used, without growth.
            features: Distance of deep features to the truth's in the object, if measured.
            is_cut: A cut lies right before this frame.
        """
        error = (shown.astype(np.float32) - clean) ** 2
        if true.any():
            self._error += float(error[true].sum(dtype=np.float64))
            self._count += 3 * _count(true)
            rows, columns = np.nonzero(true)
            box = Rect(rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
            area = np.s_[
                max(0, box.top - 16) : box.bottom + 16, max(0, box.left - 16) : box.right + 16
            ]
            self._box.append(psnr(float(error[area].mean(dtype=np.float64))))
            self._ssim.append(float(ssim(luma(shown), luma(clean))[area].mean()))
            self._add_leftover(shown, clean, source, true)
        if effects is not None and effects.any():
            self._shadow += float(error[effects].sum(dtype=np.float64))
            self._shadow_count += 3 * _count(effects)
        still = ~true if effects is None else ~(true | effects)
        difference = np.abs(shown.astype(np.int16) - source)[still]
        self._outside += float(difference.sum())
        self._outside_count += difference.size
        if self._previous is not None and not is_cut and true.any():
            before, clean_before = self._previous
            wrong = (shown.astype(np.float32) - before) - (clean.astype(np.float32) - clean_before)
            self._change += float((wrong[true] ** 2).sum())
            self._change_count += 3 * _count(true)
        self._previous = shown, clean
        if features is not None:
            self._features.append(features)
        if predicted is not None:
            self._held += _count(predicted & true)
            self._true += _count(true)
            self._similarity.append(region_similarity(predicted, true))

    def _add_leftover(self, shown: Picture, clean: Picture, source: Picture, true: Mask) -> None:
        visible = true & (np.abs(source.astype(np.int16) - clean).max(axis=2) > VISIBLE)
        to_source = ((shown.astype(np.int32) - source) ** 2).sum(axis=2)
        to_clean = ((shown.astype(np.int32) - clean) ** 2).sum(axis=2)
        self._left += _count((to_source < to_clean) & visible)
        self._visible += _count(visible)

    def result(self) -> Score:
        """The figures over all frames added."""
        has_masks = bool(self._similarity)
        return Score(
            psnr_mask=psnr(self._error / max(1.0, self._count)),
            psnr_box=_mean(self._box),
            ssim_box=_mean(self._ssim),
            leftover=self._left / max(1, self._visible),
            dtssd=math.sqrt(self._change / max(1.0, self._change_count)),
            features=_mean(self._features),
            outside=self._outside / max(1.0, self._outside_count),
            psnr_effects=(
                psnr(self._shadow / self._shadow_count) if self._shadow_count else math.nan
            ),
            recall=self._held / max(1, self._true) if has_masks else math.nan,
            similarity=_mean(self._similarity),
        )
