"""Smooth surfaces through known pixels: membranes for seams and for what nothing else fills."""

import cv2
import numpy as np
import numpy.typing as npt

from remover.fill.frames import Float, disk, mean_level

Known = npt.NDArray[np.bool_]

RING = 3
"""Width of the ring of known pixels around a hole that a seam is matched on, in pixels."""
CLIP = 40.0
"""Largest correction, in levels: more than this is another thing, not another exposure."""
SHADOW_FADES = 16.0
"""Pixels from a shadow within which what is filled beside it is in it, too: further inside, nothing
tells where it would end, and a smear looks worse than a short shadow."""
DEEPEST = 2.5
"""Largest difference that a shadow makes, a logarithm."""
BLACK = 8.0
"""Levels that count as no darker than this: they are mostly noise."""
RIM_BLUR = 3.0
"""Standard deviation, in pixels, of the means on both sides of a painted rim."""
RIM_CLIP = 40.0
"""Largest correction of what was painted, in levels."""
RIM_VARIANCES = 2.0
"""How many times the texture's variance the squared step at a rim must be to be corrected."""
PASSES = 8
"""Smoothing passes at each level of the pyramid."""


def membrane(values: Float, known: Known) -> Float:
    """Continue ``values`` smoothly from the known pixels over all others.

    A pull-push pyramid (Gortler et al., SIGGRAPH 1996) gives the start, a few diffusion passes
    on each level take its blocks away. Known pixels keep their values exactly.

    Args:
        values: (h, w, c) float32; ignored where ``known`` is False.
        known: (h, w).

    Returns:
        (h, w, c) float32; zero everywhere if nothing is known.
    """
    weight = known.astype(np.float32)
    if not known.any():
        return np.zeros_like(values)
    if known.all():
        return values.copy()
    height, width = known.shape
    kept = np.where(known[..., None], values, np.float32(0))
    if min(height, width) <= 2:
        mean = kept.reshape(-1, kept.shape[2]).sum(axis=0) / weight.sum()
        return np.where(known[..., None], values, mean.astype(np.float32))
    half = ((width + 1) // 2, (height + 1) // 2)
    small_weight = cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    small = planes(cv2.resize(kept, half, interpolation=cv2.INTER_AREA))
    seen = small_weight > 0
    small = np.where(seen[..., None], small / np.maximum(small_weight, 1e-6)[..., None], 0)
    coarse = membrane(small.astype(np.float32), seen)
    filled = planes(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR))
    result = np.where(known[..., None], values, filled)
    for _ in range(PASSES):
        smooth = planes(cv2.blur(result, (3, 3), borderType=cv2.BORDER_REPLICATE))
        result = np.where(known[..., None], values, smooth)
    return result


def planes(picture: npt.ArrayLike) -> Float:
    """Give the channel axis back that OpenCV drops from pictures with one channel."""
    array = np.asarray(picture, np.float32)
    return array[..., None] if array.ndim == 2 else array


def ring_around(hole: Known, radius: int = RING) -> Known:
    """Pixels outside the hole that are within ``radius`` of it."""
    grown = cv2.dilate(hole.astype(np.uint8), disk(radius)) > 0
    return grown & ~hole


def match_seam(fill: Float, truth: Float, hole: Known, anchor: Known) -> Float:
    """Shift ``fill`` smoothly so that it meets ``truth`` on the anchors around the hole.

    Args:
        fill: (h, w, 3) levels, meaningful in the hole and on the anchors.
        truth: (h, w, 3) levels, meaningful outside the hole.
        hole: (h, w) pixels being filled.
        anchor: (h, w) pixels where both are known; those near the hole are used.

    Returns:
        The corrected fill; unchanged if no anchor is near.
    """
    anchor = anchor & ring_around(hole)
    if not anchor.any():
        return fill
    gap = np.clip(truth - fill, -CLIP, CLIP)
    return fill + membrane(gap, anchor)


def shaded_beside(fill: Float, truth: Float, hole: Known, anchor: Known, shadow: Known) -> Float:
    """Let a shadow that stays in the picture go on for a little inside the hole.

    A shadow takes a share of the light: what it takes of bright ground must not be taken, level by
    level, from darker ground further inside.

    Args:
        fill: (h, w, 3) levels of the lit ground, meaningful in the hole and on the anchors.
        truth: (h, w, 3) levels, meaningful outside the hole.
        hole: (h, w) pixels being filled.
        anchor: (h, w) pixels where both are known; those near the hole are used.
        shadow: (h, w) pixels outside the hole that lie in the shadow.

    Returns:
        The darkened fill; unchanged if no anchor near the hole is in the shadow.
    """
    anchor = anchor & ring_around(hole)
    dark = anchor & shadow
    if not dark.any():
        return fill
    shown, lit = (np.log(np.maximum(mean_level(x), np.float32(BLACK))) for x in (truth, fill))
    taken = np.where(dark, np.clip(shown - lit, -DEEPEST, 0), 0).astype(np.float32)
    light = planes(membrane(taken[..., None], anchor))
    far = cv2.distanceTransform((~dark).astype(np.uint8), cv2.DIST_L2, 5) / np.float32(SHADOW_FADES)
    return np.asarray(fill * np.exp(light * np.exp(-far * far)[..., None]), np.float32)


def level_rim(made: Float, given: Known, hole: Known) -> Float:
    """Take steps of brightness away at a painted rim, where it is so smooth that they show.

    Patches of a smooth surface keep the brightness of where they were taken from. Where texture
    varies more than the step does nothing is changed: there it is part of the texture.

    Args:
        made: (h, w, 3) levels.
        given: (h, w): what is known and means something.
        hole: (h, w): what was painted.

    Returns:
        (h, w, 3) levels, changed in the hole alone.
    """
    (outer, outer_spread), (inner, inner_spread) = _means(made, given), _means(made, hole)
    step = outer - inner
    square = np.maximum((step * step).sum(axis=2), 1e-6)
    noise = np.float32(RIM_VARIANCES) * (outer_spread + inner_spread)
    step *= np.maximum(0, 1 - noise / square)[..., None]
    rim = hole & (cv2.dilate(given.astype(np.uint8), disk(2)) > 0)
    shift = membrane(np.clip(step, -RIM_CLIP, RIM_CLIP).astype(np.float32), rim)
    return np.where(hole[..., None], made + shift, made)


def _means(picture: Float, among: Known) -> tuple[Float, Float]:
    """Means (h, w, 3) near each pixel over those of ``among``, and their variance (h, w)."""
    weight = among.astype(np.float32)
    count = np.maximum(cv2.GaussianBlur(weight, (0, 0), RIM_BLUR), 1e-4)[..., None]
    kept = picture * weight[..., None]
    mean = cv2.GaussianBlur(kept, (0, 0), RIM_BLUR) / count
    square = cv2.GaussianBlur(kept * picture, (0, 0), RIM_BLUR) / count
    spread = np.maximum(square - mean * mean, 0).sum(axis=2)
    return np.asarray(mean, np.float32), np.asarray(spread, np.float32)
