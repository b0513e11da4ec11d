"""Hold a checkpoint of `small` against the painter without weights, on photographs it never saw.

    python tests/data/compare_small.py PHOTOS WEIGHTS -o sheet.png [--size 512x384] [--pixels N]

Every photograph stands still for nine frames, under holes of 5, 15 and 30 % that are never seen and
are shaped like objects (``made_up_objects.py``). Both painters fill what nothing shows, the rest is
the truth. PSNR and the distance of deep features in the hole, and the spread of the Laplacian there
against the truth's, on the middle frame: means by size of the hole, and the paired difference,
network less patches, with its standard error. What the autoencoder alone makes of the truth stands
beside them: a network over its latents can hardly be better. The sheet has a row a hole: picture
with the hole, truth, patches, network, autoencoder.
"""

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from made_up_objects import SIDE, Maker

from remover.bench_unseen import draft_of, filled
from remover.fill.align import Camera
from remover.fill.choose import choose
from remover.fill.draft import Take
from remover.fill.engine import fill_unseen
from remover.fill.networks import Networks
from remover.fill.paint import NetworkPainter
from remover.judge import feature_distance, foreignness
from remover.metrics import psnr
from remover.painting import Joins, Offload, PaintPlan
from remover.preview import write_png
from remover.progress import Silent
from remover.train.encode import clean_latents
from remover.train.solve import pictures
from remover.types import Shot

SHARES = (0.05, 0.15, 0.3)
FRAMES, STEPS = 9, 6
SHOWN = 384
"""Pixels that a picture of the sheet is wide."""
SCORES = ("psnr", "features", "sharpness")
PAINTERS = ("patches", "network", "autoencoder")


def photograph(path, width, height):
    """The middle of a photograph, (height, width, 3)."""
    picture = cv2.imread(str(path))[..., ::-1]
    scale = max(height / picture.shape[0], width / picture.shape[1])
    scaled = (round(side * scale) for side in picture.shape[1::-1])
    size = tuple(map(max, (width, height), scaled))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    whole = cv2.resize(np.ascontiguousarray(picture), size, interpolation=way)
    top, left = (whole.shape[0] - height) // 2, (whole.shape[1] - width) // 2
    return np.ascontiguousarray(whole[top : top + height, left : left + width])


def hole_of(maker, share, width, height):
    """An object's shape (height, width) of a share of the picture, somewhere in it."""
    whole = width, height
    while True:
        shape = maker.shape()
        rows, columns = np.nonzero(shape > 0.5)
        if len(rows) < SIDE:
            continue
        tight = shape[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        scale = np.sqrt(share * width * height / (tight > 0.5).sum())
        size = tuple(round(side * scale) for side in tight.shape[::-1])
        if size[0] >= width or size[1] >= height:
            continue
        left, top = (int(maker.rng.integers(a - b)) for a, b in zip(whole, size, strict=True))
        hole = np.zeros((height, width), bool)
        hole[top : top + size[1], left : left + size[0]] = cv2.resize(tight, size) > 0.5
        return hole


def by_patches(picture, hole):
    """The picture with what the painter without weights makes of the hole."""
    item = draft_of(0, picture, hole)
    fill_unseen([item], Camera(0, [], static=True), [], 0, foreignness)
    return filled(item)


def by_network(networks, picture, hole):
    """The middle frame of a still clip whose hole the network has filled."""
    drafts = {i: draft_of(i, picture, hole) for i in range(FRAMES)}
    take = Take(Shot(0, FRAMES), lambda i: drafts[i].frame, drafts)
    NetworkPainter(networks, seed=0, progress=Silent()).paint(take)
    return filled(drafts[FRAMES // 2])


def by_autoencoder(networks, picture, hole):
    """The picture with its hole as the autoencoder gives the truth back."""
    with networks.vae() as vae:
        latents = clean_latents(vae, np.stack([picture] * FRAMES))
        again = pictures(vae, latents[None])[0][FRAMES // 2]
    return np.where(hole[..., None], again, picture)


def networks_of(weights, pixels):
    plan = PaintPlan(
        frames=FRAMES,
        overlap=5,
        stretch=FRAMES,
        pixels=pixels,
        joins=Joins.HAND_OVER,
        steps=STEPS,
        dtype="fp32",
        weights="fp32",
        offload=Offload.NONE,
        device="cpu",
        memory_bytes=0,
        host_bytes=0,
        seconds=None,
    )
    return Networks(choose("small", str(weights), "cpu", "fp32", None), plan)


def edges(picture):
    return cv2.Laplacian(picture.astype(np.float32).mean(axis=2), cv2.CV_32F)


def scores(made, truth, hole):
    error = float(np.square(made[hole].astype(np.float64) - truth[hole]).mean())
    sharp = float(edges(made)[hole].std()) / max(float(edges(truth)[hole].std()), 1e-6)
    return psnr(error), feature_distance(made, truth, hole), sharp


def row_of(truth, hole, *made):
    shown = truth.copy()
    shown[hole] = 128
    small = [
        cv2.resize(one, (SHOWN, SHOWN * one.shape[0] // one.shape[1]), interpolation=way)
        for way in (cv2.INTER_AREA if truth.shape[1] > SHOWN else cv2.INTER_NEAREST,)
        for one in (shown, truth, *made)
    ]
    return np.hstack(small)


def compare(photographs, weights, size, pixels, rounds=1, seed=1):
    """Scores (holes, PAINTERS, SCORES), the share of each hole, and the rows of the sheet."""
    maker, networks = Maker([], seed), networks_of(weights, pixels)
    found, shares, rows = [], [], []
    for _ in range(rounds):
        for path in photographs:
            for share in SHARES:
                truth = photograph(path, *size)
                hole = hole_of(maker, share, *size)
                nets = [by(networks, truth, hole) for by in (by_network, by_autoencoder)]
                made = [by_patches(truth, hole), *nets]
                found.append([scores(one, truth, hole) for one in made])
                shares.append(share)
                rows.append(row_of(truth, hole, *made))
    return np.array(found), np.array(shares), rows


def summary(found, shares):
    """Means of all painters by share, and the paired difference, network less patches."""
    told = {"holes": len(found)}
    for at, name in enumerate(SCORES):
        table = {}
        for number, painter in enumerate(PAINTERS):
            values = found[:, number, at]
            means = {f"{share:.0%}": values[shares == share].mean() for share in SHARES}
            table[painter] = {**means, "mean": values.mean()}
        gap = found[:, 1, at] - found[:, 0, at]
        error = gap.std(ddof=1) / np.sqrt(len(gap))
        table["difference"] = {"mean": gap.mean(), "error": error}
        told[name] = {k: {n: round(float(v), 3) for n, v in t.items()} for k, t in table.items()}
    told["network is nearer in features"] = int((found[:, 1, 1] < found[:, 0, 1]).sum())
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--size", default="512x384")
    parser.add_argument("--pixels", type=int, default=720 * 1280, help="most, that are worked on")
    parser.add_argument("--rounds", type=int, default=1, help="holes of each size a photograph")
    arguments = parser.parse_args()
    size = tuple(int(side) for side in arguments.size.split("x"))
    paths = sorted(arguments.photographs.iterdir())
    found, shares, rows = compare(
        paths, arguments.weights, size, arguments.pixels, arguments.rounds
    )
    write_png(arguments.output, np.vstack(rows))
    print(json.dumps(summary(found, shares), indent=1))


if __name__ == "__main__":
    main()
