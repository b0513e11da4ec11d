"""Made-up objects in made-up pictures, with their true masks and masks as trackers spoil them.

A shape is filled with parts of photographs, shaded, blurred, pasted with a shadow over another
photograph among other shapes, and compressed. Its true mask is widened or shrunk unevenly, brought
down to cells, made noisy, and given leaks beside it and lost parts.
"""

import cv2
import numpy as np

from remover.segment.refine import follow_edges

SIDE = 128
LONGEST_SIDE, SHORTEST_SIDE = 2400, 400


def pyramids(folder):
    """Every photograph at all sizes that are large enough."""
    found = []
    for path in sorted(folder.iterdir()):
        picture = cv2.imread(str(path))
        if picture is None:
            continue
        scale = min(1.0, LONGEST_SIDE / max(picture.shape[:2]))
        size = tuple(round(side * scale) for side in picture.shape[1::-1])
        levels = [cv2.resize(picture[..., ::-1], size, interpolation=cv2.INTER_AREA)]
        while min(levels[-1].shape[:2]) > SHORTEST_SIDE:
            levels.append(cv2.pyrDown(levels[-1]))
        found.append(levels)
    if not found:
        raise SystemExit(f"no photographs in {folder}")
    return found


class Maker:
    """Makes samples: a picture (SIDE, SIDE, 3), its true mask and a spoiled soft one."""

    def __init__(self, photographs, seed):
        self.rng = np.random.default_rng(seed)
        self.photographs = photographs

    def chance(self, share):
        return self.rng.random() < share

    def between(self, low, high):
        return self.rng.uniform(low, high)

    def clouds(self, scale):
        """Smooth noise with bumps of ``scale`` pixels."""
        count = max(2, int(np.ceil(SIDE / scale)) + 1)
        coarse = self.rng.standard_normal((count, count)).astype(np.float32)
        return cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)

    def photograph(self):
        return self.photographs[self.rng.integers(len(self.photographs))]

    def patch(self, levels):
        picture = levels[self.rng.integers(len(levels))]
        side = int(min(*picture.shape[:2], SIDE * self.between(1, 2.2)))
        top, left = (self.rng.integers(length - side + 1) for length in picture.shape[:2])
        part = picture[top : top + side, left : left + side]
        part = cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        if self.chance(0.5):
            part = part[:, ::-1]
        if self.chance(0.2):
            part = np.rot90(part)
        return np.ascontiguousarray(part, np.float32)

    def tinted(self, patch, amount):
        gains = self.rng.uniform(1 - amount, 1 + amount, (1, 1, 3)) * self.between(0.6, 1.3)
        offsets = self.rng.uniform(-25, 25, (1, 1, 3))
        return np.clip(patch * gains + offsets, 0, 255).astype(np.float32)

    def material(self, ground):
        """An even colour with a gradient, or a part of a photograph."""
        kind = self.rng.random()
        if kind < 0.2:
            even = np.full((SIDE, SIDE, 3), self.rng.uniform(0, 255, 3), np.float32)
            even += self.clouds(self.between(20, 80))[..., None] * self.between(0, 20)
            even += self.rng.normal(0, self.between(0, 6), even.shape)
            return np.clip(even, 0, 255).astype(np.float32)
        return self.tinted(self.patch(ground if kind < 0.45 else self.photograph()), 0.25)

    def filling(self, below, ground):
        """What a shape looks like: up to four materials, shaded, sometimes near its ground."""
        filled = self.material(ground)
        for _ in range(self.rng.integers(0, 4)):
            share = self.clouds(self.between(15, 50)) > self.between(-0.3, 1)
            soft = cv2.GaussianBlur(share.astype(np.float32), (0, 0), self.between(0.5, 2))
            filled += (self.material(ground) - filled) * soft[..., None]
        if self.chance(0.5):
            filled *= 1 + 0.25 * np.clip(self.clouds(60), -2, 2)[..., None]
        if self.chance(0.3):
            smooth = [cv2.GaussianBlur(one, (0, 0), 25) for one in (below, filled)]
            filled += self.between(0.2, 0.8) * (smooth[0] - smooth[1])
        return np.clip(filled, 0, 255).astype(np.float32)

    def shape(self):
        """The share of each pixel that a shape covers: a blob, a polygon, or a body with limbs."""
        side = 2 * SIDE
        x, y = self.rng.uniform(0.3, 0.7, 2) * side
        size = self.between(0.15, 0.6) * side
        kind = self.rng.random()
        drawn = np.zeros((side, side), np.uint8)
        if kind < 0.25:
            rows, columns = np.mgrid[0:SIDE, 0:SIDE]
            away = np.hypot(columns - x / 2, rows - y / 2) / (size / 2)
            blob = self.clouds(self.between(25, 60)) - 1.2 * away**2 + 0.8
            wide = cv2.resize(blob.astype(np.float32), (side, side))
            drawn = (wide > 0).astype(np.uint8) * 255
        elif kind < 0.4:
            count = self.rng.integers(3, 10)
            angles = np.sort(self.rng.uniform(0, 2 * np.pi, count))
            reach = size * self.rng.uniform(0.5, 1.3, count)
            corners = np.stack([x + reach * np.cos(angles), y + reach * np.sin(angles)], axis=1)
            cv2.fillPoly(drawn, [corners.astype(np.int32)], 255, cv2.LINE_AA)
        else:
            self.draw_body(drawn, x, y, size)
        if self.chance(0.15):
            place = tuple(int(c + self.rng.normal(0, 0.3) * size) for c in (x, y))
            axes = tuple(max(3, int(size * self.between(0.1, 0.3))) for _ in range(2))
            cv2.ellipse(drawn, place, axes, 0, 0, 360, 0, -1)
        small = cv2.resize(drawn, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        return small.astype(np.float32) / 255

    def draw_body(self, drawn, x, y, size):
        for _ in range(self.rng.integers(1, 4)):
            place = tuple(int(c + self.rng.normal(0, 0.25) * size) for c in (x, y))
            axes = tuple(max(4, int(size * self.between(0.25, high))) for high in (1.0, 0.8))
            cv2.ellipse(drawn, place, axes, self.between(0, 180), 0, 360, 255, -1, cv2.LINE_AA)
        for _ in range(self.rng.integers(0, 7)):
            start = np.array([x, y]) + self.rng.normal(0, 0.3, 2) * size
            angle, width = self.between(0, 2 * np.pi), self.between(0.03, 0.22) * size
            for _ in range(self.rng.integers(1, 4)):
                step = np.array([np.cos(angle), np.sin(angle)]) * size * self.between(0.25, 0.7)
                ends = [tuple(point.astype(int).tolist()) for point in (start, start + step)]
                cv2.line(drawn, *ends, 255, max(2, int(width)), cv2.LINE_AA)
                start, angle = start + step, angle + self.rng.normal(0, 0.6)
                width *= self.between(0.6, 1)

    def pasted(self, below, filled, cover):
        """A shape over a picture, sometimes with a soft outline or blurred by motion."""
        if self.chance(0.5):
            cover = cv2.GaussianBlur(cover, (0, 0), self.between(0.4, 1.6))
        if self.chance(0.25):
            kernel = self.streak()
            moved = cv2.filter2D(filled * cover[..., None], -1, kernel)
            cover = cv2.filter2D(cover, -1, kernel)
            filled = moved / np.maximum(cover, 1e-3)[..., None]
        return below + (filled - below) * cover[..., None], cover

    def streak(self):
        length, angle = int(self.rng.integers(3, 12)), self.between(0, np.pi)
        kernel, middle = np.zeros((length, length), np.float32), (length - 1) / 2
        x, y = middle * np.cos(angle), middle * np.sin(angle)
        ends = [(round(middle + sign * x), round(middle + sign * y)) for sign in (-1, 1)]
        cv2.line(kernel, *ends, 1.0)
        return kernel / kernel.sum()

    def ground(self, levels):
        """What is behind: a photograph, sometimes two, and some shapes that are not meant."""
        below = self.tinted(self.patch(levels), 0.15)
        if self.chance(0.4):
            share = (self.clouds(self.between(30, 90)) > 0).astype(np.float32)
            soft = cv2.GaussianBlur(share, (0, 0), self.between(0.5, 1.5))
            below += (self.filling(below, levels) - below) * soft[..., None]
        for _ in range(self.rng.integers(0, 3)):
            if self.chance(0.5):
                cover = self.shape() * (self.clouds(40) > -0.5)
                below, _ = self.pasted(below, self.filling(below, levels), cover)
        return below

    def shaded(self, below, cover):
        """With a soft shadow of the shape beside it."""
        moves = [
            [1, self.between(-1, 1), self.between(-25, 25)],
            [0, self.between(0.15, 0.6), self.between(20, 70)],
        ]
        shadow = cv2.warpAffine(cover, np.float32(moves), (SIDE, SIDE))
        shadow = cv2.GaussianBlur(shadow, (0, 0), self.between(0.7, 3))
        return below * (1 - self.between(0.2, 0.6) * shadow)[..., None]

    def sample(self):
        true = np.zeros((SIDE, SIDE), np.float32)
        while not 0.015 < true.mean() < 0.8:
            levels = self.photograph()
            below, cover = self.ground(levels), self.shape()
            if self.chance(0.4):
                below = self.shaded(below, cover)
            picture, cover = self.pasted(below, self.filling(below, levels), cover)
            true = (cover > 0.45).astype(np.float32)
        if self.chance(0.4):
            picture = cv2.GaussianBlur(picture, (0, 0), self.between(0.3, 1.2))
        picture = picture + self.rng.normal(0, self.between(0, 5), picture.shape)
        picture = np.clip(picture, 0, 255).astype(np.uint8)
        if self.chance(0.7):
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(self.rng.integers(40, 96))]
            picture = cv2.imdecode(cv2.imencode(".jpg", picture, quality)[1], cv2.IMREAD_COLOR)
        return picture, true, self.boxed(self.spoiled(picture, true), true)

    def spoiled(self, picture, true):
        """The soft mask that a tracker might have had."""
        if self.chance(0.06):
            return cv2.GaussianBlur(true, (0, 0), self.between(0.6, 2))
        outline = true
        if self.chance(0.75):
            out, into = (
                cv2.distanceTransform(part.astype(np.uint8), cv2.DIST_L2, 3)
                for part in (1 - true, true)
            )
            widened = self.rng.normal(1.2, 2.8)
            uneven = self.clouds(self.between(15, 60)) * self.between(0, 5)
            outline = (out - into < widened + uneven).astype(np.float32)
        count = max(6, int(SIDE / self.between(3, 13)))
        cells = cv2.resize(outline, (count, count), interpolation=cv2.INTER_AREA)
        cells = cv2.GaussianBlur(cells, (0, 0), self.between(0.3, 1.1))
        odds = (2 * cells - 1) * self.between(1.5, 5) + self.rng.normal(0, 0.5)
        odds += cv2.resize(self.clouds(self.between(10, 40)), (count, count)) * self.between(0, 1.5)
        odds += self.rng.normal(0, self.between(0, 0.7), odds.shape)
        near = np.clip(3 * cv2.GaussianBlur(cells, (0, 0), 2.5), 0, 1)
        for _ in range(self.rng.integers(0, 4)):
            blots = np.clip(self.clouds(self.between(15, 45)) - self.between(0.2, 1), 0, 1.5)
            blots = cv2.resize(blots, (count, count)) * self.between(1, 5)
            odds += blots * near if self.chance(0.6) else -blots * (cells > 0.2)
        wide = cv2.resize(odds.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        soft = 1 / (1 + np.exp(-np.clip(wide, -8, 8)))
        if self.chance(0.3):
            soft = follow_edges(picture.astype(np.float32) / 255, soft.astype(np.float32))
        return np.clip(soft, 0, 1).astype(np.float32)

    def boxed(self, soft, true):
        """Nothing is left outside of a box that the user might have drawn."""
        if not self.chance(0.4):
            return soft
        rows, columns = np.nonzero(true)
        slack = self.rng.integers(0, 3, 4)
        kept = np.zeros_like(soft)
        top, left = max(0, rows.min() - slack[0]), max(0, columns.min() - slack[1])
        kept[top : rows.max() + 1 + slack[2], left : columns.max() + 1 + slack[3]] = 1
        return soft * kept
