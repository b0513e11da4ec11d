"""From weak evidence to a mask: what is inside a box, told from all that is outside.

Outside of the box is background for sure. Inside, the object is what the background does not look
like, what moves against it, and then, in rounds, what has the colours and the deep features of
what was found so far.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from remover.segment.appearance import Float
from remover.segment.crop import Crop, crop_around
from remover.segment.edges import mend
from remover.segment.features import dense, network
from remover.segment.refine import follow_edges
from remover.segment.still import Motion
from remover.segment.walk import Small
from remover.types import Mask, Rect, Size

AREA = 416 * 416
"""Pixels that the network looks at, about."""

ZOOM = 3.0
"""Most that a small object is enlarged by."""

MARGIN = 0.4
"""Surroundings that are known background, as a share of the box's longer side."""

LEAST_MARGIN = 0.047
"""The same as a share of the picture's longer side."""

NEIGHBOURS = 10
"""Cells of the background that a cell is held against."""

APART_CELLS = 5.0
"""Cells nearer than this do not count, for they look alike wherever they are."""

STRANGE_WEIGHT, MOVING_WEIGHT, APART_WEIGHT, PLACE_WEIGHT = 0.5, 0.5, 2.0, 0.5
"""Log odds for a unit of each evidence."""

LEAST_APART = -0.8
"""Most that a pixel that is seen again speaks against the object, before its weight."""

COLOUR_WEIGHT, LOOK_WEIGHT = 1.2, 3.0
"""Log odds for a unit of what the rounds learn."""

BIAS = 1.0
"""Log odds against the object with motion; without, ``STILL_BIAS``."""

STILL_BIAS = 3.0
STILL_STRANGE_WEIGHT = 1.0
CUT_WEIGHT = 1.0
"""Log odds for GrabCut's opinion, without motion."""

ROUNDS = 4

MENDED_ROUNDS, MENDED_AREA = 2, 300 * 300
"""In the last ones the network mends what was found, at about so many pixels."""

BINS = (16, 24, 24)
"""Bins of the colour histograms."""

RIDGE = 0.1


@dataclass(frozen=True, slots=True)
class Scene:
    """A box and its surroundings, as the network sees them."""

    crop: Crop
    picture: Small = field(repr=False)
    """The crop at half the work size, (h, w, 3)."""
    cells: Tensor = field(repr=False)
    """Descriptors (N, D)."""
    inside: Float = field(repr=False)
    """Share of the box in each cell."""
    strange: Float = field(repr=False)
    """How unlike the background each cell is, in standard deviations."""


def look_at(picture: Small, box: tuple[float, float, float, float]) -> Scene:
    """Look at a box (left, top, right, bottom) of a work picture and its surroundings."""
    left, top, right, bottom = box
    size = Size(*picture.shape[:2])
    margin = max(LEAST_MARGIN * max(size), MARGIN * max(right - left, bottom - top))
    height = min(bottom + margin, size.height) - max(0, top - margin)
    width = min(right + margin, size.width) - max(0, left - margin)
    scale = min(ZOOM, float(np.sqrt(AREA / (height * width))))
    crop = crop_around((top, left, bottom, right), scale, margin, size)
    pixels = crop.cut(picture)
    net = network()
    mirrored = [tap.flip(-1) for tap in net(np.ascontiguousarray(pixels[:, ::-1]))]
    taps = [(one + other) / 2 for one, other in zip(net(pixels), mirrored, strict=True)]
    cells = dense(taps)
    filled = np.zeros(size, np.float32)
    filled[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = 1
    inside = crop.cells_of(filled)
    flat = cells.reshape(-1, cells.shape[2])
    strange = _strangeness(flat[:, taps[0].shape[0] :], inside)
    rect = crop.rect
    half = (max(8, rect.size.width // 2), max(8, rect.size.height // 2))
    small = cv2.resize(
        np.ascontiguousarray(picture[rect.slices]), half, interpolation=cv2.INTER_AREA
    )
    return Scene(crop, np.asarray(small, np.uint8), flat, inside, strange)


def _strangeness(cells: Tensor, inside: Float) -> Float:
    """How unlike their nearest cells of the background cells are (h, w)."""
    outside = torch.from_numpy(inside.reshape(-1) < 0.05)
    height, width = inside.shape
    if int(outside.sum()) < NEIGHBOURS:
        return np.zeros((height, width), np.float32)
    unit = functional.normalize(cells - cells.mean(0), dim=1)
    likeness = unit @ unit[outside].T
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    places = torch.stack([rows, columns], dim=2).reshape(-1, 2).float()
    likeness[torch.cdist(places, places[outside]) < APART_CELLS] = -1
    nearest = likeness.topk(min(NEIGHBOURS, likeness.shape[1]), dim=1).values.mean(1)
    known = nearest[outside]
    strange = (known.median() - nearest) / (known.std() + 0.02)
    return np.asarray(strange.reshape(height, width).numpy(), np.float32)


def settle(
    scene: Scene,
    box: tuple[float, float, float, float],
    motion: Motion | None,
    cut: Mask | None,
    sure: Mask,
    avoided: Mask,
    size: Size,
) -> Float:
    """The object's soft mask (h, w) at half the work size.

    Args:
        scene: What the box and its surroundings look like.
        box: (left, top, right, bottom) in pixels of the work picture.
        motion: At half the work size.
        cut: GrabCut's opinion, (h, w) at half the work size; used without motion.
        sure: What is the object for sure, likewise.
        avoided: What is not, likewise.
        size: Half the work size.
    """
    rect = _halved(scene.crop.rect, size)
    target = (scene.picture.shape[1], scene.picture.shape[0])

    def here(whole: Float | Mask) -> Float:
        part = np.ascontiguousarray(whole[rect.slices].astype(np.float32))
        return np.asarray(cv2.resize(part, target), np.float32)

    left, top, right, bottom = (value / 2 for value in box)
    filled = np.zeros(size, np.float32)
    filled[int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))] = 1
    inside = (here(filled) > 0.5) & (here(avoided) < 0.5)
    fixed = here(sure) > 0.5
    place = -_from_middle(scene.crop, box)
    if motion is None:
        cells = STILL_STRANGE_WEIGHT * np.clip(scene.strange, -1, 4) + PLACE_WEIGHT * place
        odds = _widen(cells, target) - STILL_BIAS
        if cut is not None:
            odds += CUT_WEIGHT * (2 * here(cut) - 1)
    else:
        cells = STRANGE_WEIGHT * np.clip(scene.strange, -1, 4) + PLACE_WEIGHT * place
        odds = _widen(cells, target) - BIAS
        odds += MOVING_WEIGHT * here(motion.moving)
        odds += APART_WEIGHT * np.maximum(here(motion.apart), LEAST_APART)
    soft = _rounds(scene, odds, inside, fixed)
    whole = np.zeros(size, np.float32)
    wide = cv2.resize(soft, (rect.size.width, rect.size.height))
    whole[rect.slices] = np.asarray(wide, np.float32)
    return whole


def _rounds(scene: Scene, odds: Float, inside: Mask, fixed: Mask) -> Float:
    """Learn colours and deep features from what was found, and find again."""
    guide = scene.picture.astype(np.float32) / np.float32(255)
    bins = _bins(scene.picture)
    height, width = scene.inside.shape
    now = odds
    for left in range(ROUNDS, -1, -1):
        likely = 1 / (1 + np.exp(-np.clip(now, -30, 30)))
        soft = np.where(fixed, 1, np.where(inside, likely, 0)).astype(np.float32)
        if left < MENDED_ROUNDS:
            edged = mend(scene.picture, soft, area=MENDED_AREA)
        else:
            edged = follow_edges(guide, soft)
        soft = np.where(fixed, 1, np.where(inside, edged, 0)).astype(np.float32)
        if left == 0 or soft.sum() < 4:
            break
        shares = cv2.resize(soft, (width, height), interpolation=cv2.INTER_AREA)
        cells = np.where(scene.inside > 0.05, shares, 0).astype(np.float32)
        look = _widen(_look(scene.cells, cells), (soft.shape[1], soft.shape[0]))
        now = odds + COLOUR_WEIGHT * _colour_odds(bins, soft) + LOOK_WEIGHT * np.clip(look, -1, 1)
    return soft


def _widen(cells: Float, target: tuple[int, int]) -> Float:
    wide = cv2.resize(cells.astype(np.float32), target, interpolation=cv2.INTER_CUBIC)
    return np.asarray(wide, np.float32)


def _look(cells: Tensor, soft: Float) -> Float:
    """Scores (h, w) of a ridge regression on the cells' own soft labels, about -1 to 1."""
    labels = torch.from_numpy(soft.reshape(-1).astype(np.float32))
    weight = 0.5 * labels / labels.sum().clamp(min=1e-3)
    weight += 0.5 * (1 - labels) / (1 - labels).sum().clamp(min=1e-3)
    rows = torch.cat([cells, torch.ones(len(cells), 1)], dim=1)
    weighted = rows * weight[:, None]
    gram, target = weighted.T @ rows, weighted.T @ (2 * labels - 1)
    damped = gram + RIDGE * gram.diagonal().mean() * torch.eye(len(gram))
    _, head = cv2.solve(
        damped.double().numpy(), target.double().numpy()[:, None], flags=cv2.DECOMP_CHOLESKY
    )
    scores = rows @ torch.from_numpy(np.asarray(head[:, 0], np.float32))
    return np.asarray(scores.numpy().reshape(soft.shape), np.float32)


def _bins(picture: Small) -> npt.NDArray[np.int64]:
    lab = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2Lab), np.int64)
    index = np.zeros(picture.shape[:2], np.int64)
    for channel, count in enumerate(BINS):
        index = index * count + lab[..., channel] * count // 256
    return index


def _colour_odds(bins: npt.NDArray[np.int64], soft: Float) -> Float:
    """How much more common each pixel's colour is inside than outside: log odds to 2.5."""
    shares = []
    for weight in (soft, 1 - soft):
        flat = np.bincount(bins.ravel(), weight.ravel(), int(np.prod(BINS)))
        count = flat.reshape(BINS) / max(1.0, float(flat.sum()))
        for axis in range(3):
            rolled = np.roll(count, 1, axis) + np.roll(count, -1, axis)
            count = 0.5 * count + 0.25 * rolled
        shares.append(count.ravel())
    odds = np.log((shares[0] + 2e-5) / (shares[1] + 2e-5))
    return np.asarray(np.clip(odds, -2.5, 2.5)[bins], np.float32)


def _from_middle(crop: Crop, box: tuple[float, float, float, float]) -> Float:
    """Squared distance of the cells to the middle of a box; 1 on the inscribed ellipse."""
    left, top, right, bottom = box
    places = crop.places()
    y = (2 * places[..., 0] - top - bottom) / max(1.0, bottom - top)
    x = (2 * places[..., 1] - left - right) / max(1.0, right - left)
    return np.asarray(x * x + y * y, np.float32)


def region_of(scene: Scene, size: Size) -> Rect:
    """What a scene shows, at half the work size ``size``."""
    return _halved(scene.crop.rect, size)


def _halved(rect: Rect, size: Size) -> Rect:
    top, left = min(rect.top // 2, size.height - 1), min(rect.left // 2, size.width - 1)
    bottom = min(size.height, max(top + 1, (rect.bottom + 1) // 2))
    return Rect(top, left, bottom, min(size.width, max(left + 1, (rect.right + 1) // 2)))
