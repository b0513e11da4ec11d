"""What an object looks like to the network: two linear heads, and cells with known labels.

Legend: h, w cells of the network's grid; N cells of a crop; D length of a descriptor. The heads
are ridge regressions: one is fitted to the prompted frames alone, the other follows, and may only
learn what the first one confirms. Labels also come from the cells that look most alike, on the
prompted frames and on the last ones.
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
from remover.segment.features import CHANNELS, fast_dtype, network, with_one
from remover.segment.walk import Small
from remover.types import Mask, Size

RIDGE = 0.1
"""Regularisation as a share of the mean diagonal; a tenth of it loses 0.04 of the overlap."""

VARIANTS = (
    (1.0, 0.0, 0.0, False),
    (0.8, 0.12, -0.12, True),
    (1.25, -0.12, 0.12, False),
    (0.9, 0.12, 0.12, True),
    (1.0, -0.12, -0.12, True),
)
"""Zoom, shifts as shares of the crop, and mirroring of the crops that a head is fitted to."""

SHORT = 64
"""Length of the descriptors that cells are compared by: principal components."""

TEMPERATURE = 0.05
"""Of the softmax over likenesses."""

REACH = 32.0
"""Standard deviation of how far a cell is looked for on the last frames, in pixels."""

NUM_LAST = 2
"""Last frames whose cells are kept."""

PROMPTED_STEP, LAST_STEP = 2, 3
"""Of their cells every second and every third is enough."""

NUM_PROMPTED = 2
"""Prompted frames whose cells are kept: the first and the latest."""

DECAY = 0.95
"""How much of what the following head learned is kept from one frame to the next."""

RECENT_WEIGHT = 0.5
"""Weight of that against the prompted frames."""

SURE = 0.35
"""Distance from one half from which on a soft mask is sure."""

SLACK = 0.1
"""Score by which the fixed head may disagree and still confirm."""

FAR_AREA = 640 * 640
"""Pixels that the network looks at, at most, of a whole picture."""

NO_OBJECT = 0.02
"""Share of a cell, and of those beside it, that is no object's, up to which it is background."""

DEPTH = sum(CHANNELS)
SOLVER = cv2.DECOMP_CHOLESKY


@dataclass(frozen=True, slots=True)
class Seen:
    """A crop as the network sees it, and what is known of its cells."""

    crop: Crop
    cells: Tensor = field(repr=False)
    """Descriptors (N, D + 1), the last is 1."""
    short: Tensor = field(repr=False)
    """(N, SHORT), of length one."""
    fixed: Float = field(repr=False)
    """Score (h, w) by the head of the prompted frames: about 1 on the object, -1 elsewhere."""
    recent: Float = field(repr=False)
    """The same by the head that follows."""
    wide: Float = field(repr=False)
    """The same by a head that knows the whole place of the first prompted frame."""


@dataclass(frozen=True, slots=True)
class _Labelled:
    short: Tensor
    labels: Tensor
    places: Tensor | None = None
    """Centres (N, 2) in pixels of the picture; None where they do not matter."""


class Look:
    """Learns an object from a prompted frame and scores crops of other frames."""

    def __init__(self, picture: Small, mask: Float, crop: Crop) -> None:
        """Learn from a work picture (H, W, 3), its mask (H, W) and the crop around the object."""
        gram, target, cells, inside = _fit(picture, mask, crop)
        self._gram, self._target = gram, target
        self._far = _far_sums(picture, mask, crop)
        self._recent_gram = torch.zeros_like(gram)
        self._recent_target = torch.zeros_like(target)
        self._num_prompted = 1
        self._mean = cells[:, :-1].mean(0)
        centred = (cells[:, :-1] - self._mean).double()
        _, vectors = torch.linalg.eigh(centred.T @ centred)
        self._basis = vectors[:, -SHORT:].float()
        self._prompted = [self._known(cells, inside, crop)]
        self._last: list[_Labelled] = []
        self._solve()

    def learn_prompted(self, picture: Small, mask: Float, crop: Crop) -> None:
        """Add another prompted frame to what is trusted."""
        gram, target, cells, inside = _fit(picture, mask, crop)
        self._num_prompted += 1
        share = 1 / self._num_prompted
        self._gram += share * (gram - self._gram)
        self._target += share * (target - self._target)
        self._prompted.append(self._known(cells, inside, crop))
        del self._prompted[1 : 1 - NUM_PROMPTED]
        self._last.clear()
        self._solve()

    def see(self, picture: Small, crop: Crop) -> Seen:
        """Score a crop of a work picture (H, W, 3)."""
        cells = describe(crop.cut(picture))
        short = self._shorten(cells)
        grid = tuple(crop.grid)
        return Seen(
            crop,
            cells,
            short,
            _on_grid(cells @ self._fixed, grid),
            _on_grid(cells @ self._follower, grid),
            _on_grid(cells @ self._wide, grid),
        )

    def alike(self, seen: Seen, chosen: Mask, motion: tuple[float, float]) -> Float:
        """Share of the object in the known cells that look most like the chosen ones, (n,).

        Args:
            seen: A crop.
            chosen: Its cells to ask about, (h, w); n are True.
            motion: How far the object lies from its place on the last frame, as y, x from here to
                there.
        """
        rows = torch.from_numpy(np.flatnonzero(chosen))
        places = torch.from_numpy(seen.crop.places().reshape(-1, 2))[rows]
        return np.asarray(self._labels_of(seen.short[rows], places, motion).numpy(), np.float32)

    def learn(self, seen: Seen, soft: Float) -> None:
        """Let the follower and the last frames take over a decided crop (h, w)."""
        inside = soft > 0.5
        is_confirmed = np.where(inside, seen.fixed > -SLACK, seen.fixed < SLACK)
        chosen = (np.abs(soft - 0.5) > SURE) & is_confirmed
        if (chosen & inside).any() and (chosen & ~inside).any():
            labels, weight = (
                torch.from_numpy(part.reshape(-1).astype(np.float32)) for part in (inside, chosen)
            )
            gram, target = _sums(seen.cells, labels, weight)
            self._recent_gram += (1 - DECAY) * (gram - self._recent_gram)
            self._recent_target += (1 - DECAY) * (target - self._recent_target)
            self._solve_follower()
        some = _every(seen.crop.grid, LAST_STEP)
        places = torch.from_numpy(seen.crop.places().reshape(-1, 2))[some]
        labels = torch.from_numpy(np.ascontiguousarray(soft.reshape(-1)))[some]
        self._last.append(_Labelled(seen.short[some], labels, places))
        del self._last[:-NUM_LAST]

    def forget_last(self) -> None:
        """Drop the last frames, where the object was not followed from them."""
        self._last.clear()

    def _labels_of(self, short: Tensor, places: Tensor, motion: tuple[float, float]) -> Tensor:
        """Mean labels (n,) of the known cells, by likeness and, on the last frames, by place.

        Likeness less the squared distance is one product: both are bilinear in rows with places.
        """
        places = places / REACH
        middle = places.mean(0)
        there = torch.tensor(motion, dtype=torch.float32) / REACH
        keys = [functional.pad(known.short, (0, 4)) for known in self._prompted]
        for age, known in enumerate(reversed(self._last), 1):
            assert known.places is not None
            keys.append(_placed_key(known.short, known.places / REACH - there * age - middle))
        query = _placed_query(short / TEMPERATURE, places - middle)
        known_labels = [known.labels for known in (*self._prompted, *reversed(self._last))]
        return torch.softmax(query @ torch.cat(keys).T, dim=1) @ torch.cat(known_labels)

    def _known(self, cells: Tensor, inside: Tensor, crop: Crop) -> _Labelled:
        some = _every(crop.grid, PROMPTED_STEP)
        return _Labelled(self._shorten(cells[some]), inside[some])

    def _shorten(self, cells: Tensor) -> Tensor:
        return functional.normalize((cells[:, :-1] - self._mean) @ self._basis, dim=1)

    def _solve(self) -> None:
        self._fixed = ridge(self._gram, self._target)
        self._wide = ridge(self._gram + self._far[0], self._target + self._far[1])
        self._solve_follower()

    def _solve_follower(self) -> None:
        self._follower = ridge(
            self._gram + RECENT_WEIGHT * self._recent_gram,
            self._target + RECENT_WEIGHT * self._recent_target,
        )


def _placed_query(short: Tensor, places: Tensor) -> Tensor:
    square = (places * places).sum(1, keepdim=True)
    return torch.cat([short, places, -0.5 * square, torch.ones_like(square)], dim=1)


def _placed_key(short: Tensor, places: Tensor) -> Tensor:
    square = (places * places).sum(1, keepdim=True)
    return torch.cat([short, places, torch.ones_like(square), -0.5 * square], dim=1)


def _every(grid: Size, step: int) -> Tensor:
    """Indices of every ``step``-th cell of a grid, each row shifted against the one above."""
    rows, columns = torch.meshgrid(
        torch.arange(grid.height), torch.arange(grid.width), indexing="ij"
    )
    chosen = (rows * (step // 2 + 1) + columns) % step == 0
    return torch.nonzero(chosen.reshape(-1))[:, 0]


def ridge(gram: Tensor, target: Tensor) -> Tensor:
    """The head (D,) of damped normal equations (D, D) and (D,)."""
    damped = gram + RIDGE * gram.diagonal().mean() * torch.eye(len(gram))
    system = np.asarray(damped.double().numpy())
    _, head = cv2.solve(system, target.double().numpy()[:, None], flags=SOLVER)
    return torch.from_numpy(np.asarray(head[:, 0], np.float32))


def _fit(picture: Small, mask: Float, crop: Crop) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean sums over variants of a crop; descriptors (N, D + 1) and labels (N,) of the crop."""
    gram, target = torch.zeros(DEPTH + 1, DEPTH + 1), torch.zeros(DEPTH + 1)
    first: tuple[Tensor, Tensor] | None = None
    for zoom, down, across, is_mirrored in VARIANTS:
        variant = _variant(crop, zoom, down, across, Size(*picture.shape[:2]))
        pixels, inside = variant.cut(picture), variant.cells_of(mask)
        if is_mirrored:
            pixels = np.ascontiguousarray(pixels[:, ::-1])
            inside = np.ascontiguousarray(inside[:, ::-1])
        cells = describe(pixels)
        labels = torch.from_numpy(inside.reshape(-1))
        one = _sums(cells, labels, torch.ones_like(labels))
        gram += one[0] / len(VARIANTS)
        target += one[1] / len(VARIANTS)
        first = first or (cells, labels)
    assert first is not None
    return gram, target, *first


def _far_sums(picture: Small, mask: Float, crop: Crop) -> tuple[Tensor, Tensor]:
    """Sums of the normal equations over all of a picture but the object, as much as a half."""
    bounds = Size(*picture.shape[:2])
    most = float(np.sqrt(FAR_AREA / (bounds.height * bounds.width)))
    scale = min(crop.size.height / crop.rect.size.height, most)
    whole = crop_around((0.0, 0.0, float(bounds.height), float(bounds.width)), scale, 0, bounds)
    touched = cv2.dilate(whole.cells_of(mask), np.ones((3, 3), np.uint8))
    cells = describe(whole.cut(picture))
    labels = torch.from_numpy((np.asarray(touched) > NO_OBJECT).reshape(-1).astype(np.float32))
    return _sums(cells, torch.zeros_like(labels), 1 - labels)


def _sums(cells: Tensor, labels: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of the normal equations; object and surroundings weigh the same."""
    one, other = labels * weight, (1 - labels) * weight
    share = 0.5 * one / one.sum().clamp(min=1) + 0.5 * other / other.sum().clamp(min=1)
    weighted = cells * share[:, None]
    return weighted.T @ cells, weighted.T @ (2 * labels - 1)


def _variant(crop: Crop, zoom: float, down: float, across: float, bounds: Size) -> Crop:
    """A crop at ``zoom`` times the scale, shifted by shares of its sides."""
    rect = crop.rect
    height, width = rect.size
    scale = zoom * crop.size.height / height
    middle = (rect.top + rect.bottom) / 2 + down * height, (rect.left + rect.right) / 2
    y, x = middle[0], middle[1] + across * width
    half_height, half_width = (side / max(1.0, zoom) / 2 for side in (height, width))
    box = (y - half_height, x - half_width, y + half_height, x + half_width)
    return crop_around(box, scale, 0, bounds)


def describe(pixels: Small) -> Tensor:
    """Descriptors (N, D + 1) of the pixels (H, W, 3) of a crop, the last is 1."""
    see = network(dtype=fast_dtype())
    return with_one(see(pixels)).reshape(-1, DEPTH + 1)


def _on_grid(values: Tensor, grid: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return np.asarray(values.numpy().reshape(grid), np.float32)
