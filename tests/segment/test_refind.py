"""Objects found again after a cut by their look, on made-up scenes with known masks."""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import cv2
import numpy as np
import pytest

from remover.progress import Silent
from remover.segment import MaskStore, segment
from remover.segment.likeness import compare, details_of, lab_of, view_of
from remover.segment.refind import LOOKS, search
from remover.types import MaskPrompt, PointPrompt, Shot, Size

SIZE = Size(130, 190)
SIDE = 56


@cache
def grain(seed: int, height: int, width: int, contrast: float = 45) -> np.ndarray:
    """A surface with structure of several sizes, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    total = np.tile(rng.uniform(90, 160, 3).astype(np.float32), (height, width, 1))
    for cell in (5, 9, 21):
        coarse = rng.normal(0, contrast / 2, (height // cell + 2, width // cell + 2, 3))
        total += cv2.resize(coarse.astype(np.float32), (width, height))
    return np.clip(total, 0, 255).astype(np.uint8)


class Film:
    """Shots of a thing before a place; implements ``Pictures``.

    A shot is (number of frames, seed of the place, seed of the thing or None, (x, y) of the thing
    on its first frame, its size as a share of ``SIDE``).
    """

    def __init__(self, *shots, light: int = 0):
        self.frames = [
            (place, thing, (x + 2 * i, y), scale)
            for count, place, thing, (x, y), scale in shots
            for i in range(count)
        ]
        self.num_frames, self.size, self.light = len(self.frames), SIZE, light
        edges = np.cumsum([0, *(count for count, *_ in shots)])
        self.shots = [Shot(int(a), int(b)) for a, b in pairwise(edges)]

    def mask(self, index: int) -> np.ndarray:
        _, thing, (x, y), scale = self.frames[index]
        mask = np.zeros(SIZE, bool)
        if thing is not None:
            side = round(SIDE * scale)
            mask[y : y + side, x : x + side] = True
        return mask

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        for place, thing, (x, y), scale in self.frames[start:stop]:
            picture = grain(place, *SIZE).copy()
            if thing is not None:
                side = round(SIDE * scale)
                skin = cv2.resize(grain(thing, SIDE, SIDE), (side, side))
                picture[y : y + side, x : x + side] = skin
            yield picture

    def box(self, index: int, object_id: int = 1) -> PointPrompt:
        rows, columns = np.nonzero(self.mask(index))
        edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        return PointPrompt("box", index, object_id, box=tuple(float(edge) for edge in edges))


class Turned(Film):
    """A film whose later shots show the thing from its other side."""

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        for index, picture in enumerate(super().read(start, stop), start):
            mask = self.mask(index)
            if index >= self.shots[0].stop and mask.any():
                rows, columns = np.nonzero(mask)
                own = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
                picture[own] = picture[own][:, ::-1].copy()
            yield picture


def run(film, prompts, folder):
    with MaskStore(folder, film.size, film.num_frames) as store:
        account = segment(film, prompts, film.shots, store, tracker="builtin", progress=Silent())
        return [store.get(i) for i in range(film.num_frames)], account


def overlap(one: np.ndarray, two: np.ndarray) -> float:
    return float((one & two).sum() / max(1, (one | two).sum()))


def test_an_object_is_found_again_in_another_place_after_an_insert(tmp_path):
    film = Film((6, 1, 50, (40, 60), 1.0), (4, 2, None, (0, 0), 1.0), (6, 3, 50, (80, 50), 1.25))
    maps, account = run(film, [MaskPrompt(2, 1, film.mask(2))], tmp_path)
    found = [overlap(maps[i] == 1, film.mask(i)) for i in range(10, 16)]
    assert min(found) > 0.75
    assert account.lost == (Shot(6, 10),)
    assert account.unsure == (Shot(10, 16),)
    (note,) = account.notes
    assert note.startswith("object 1 was found again by its look on frame 1")
    assert note.endswith("check frames 10 to 15")
    assert not any(maps[i].any() for i in range(6, 10))


def test_an_object_that_faces_the_other_way_after_a_cut_is_found_again(tmp_path):
    """Its details do not match, since they are mirrored."""
    film = Turned((6, 1, 50, (40, 60), 1.0), (8, 3, 50, (80, 50), 1.1))
    view = view_of(next(iter(film.read(2, 3))), film.mask(2), is_pointed_at=True)
    assert search([view], film, film.shots[1]) is None
    maps, account = run(film, [MaskPrompt(2, 1, film.mask(2))], tmp_path)
    assert min(overlap(maps[i] == 1, film.mask(i)) for i in range(6, 14)) > 0.6
    assert account.lost == ()
    assert account.unsure == (Shot(6, 14),)
    (note,) = account.notes
    assert note.endswith("check frames 6 to 13")


def test_the_place_without_the_object_is_not_taken_for_it(tmp_path):
    """Also where the mask holds a rim of the place around the object."""
    film = Film((5, 1, 50, (40, 60), 1.0), (3, 2, None, (0, 0), 1.0), (5, 1, None, (0, 0), 1.0))
    wide = cv2.dilate(film.mask(2).astype(np.uint8), np.ones((21, 21), np.uint8)) > 0
    maps, account = run(film, [MaskPrompt(2, 1, wide)], tmp_path)
    assert account.lost == (Shot(5, 13),)
    assert account.notes == ()
    assert not any(maps[i].any() for i in range(5, 13))


def test_another_object_in_the_same_place_is_not_taken_for_it(tmp_path):
    film = Film((5, 1, 50, (40, 60), 1.0), (5, 2, 51, (40, 60), 1.0), (5, 1, 52, (50, 60), 1.0))
    _, account = run(film, [MaskPrompt(2, 1, film.mask(2))], tmp_path)
    assert account.lost == (Shot(5, 15),)


def test_of_two_objects_only_the_one_that_is_there_is_found(tmp_path):
    film = Film((5, 1, 50, (40, 60), 1.0), (5, 2, 51, (80, 60), 1.0), (5, 3, 51, (90, 30), 1.0))
    prompts = [MaskPrompt(2, 1, film.mask(2)), MaskPrompt(7, 2, film.mask(7))]
    maps, account = run(film, prompts, tmp_path)
    assert overlap(maps[12] == 2, film.mask(12)) > 0.75
    assert not any((labels == 1).any() for labels in maps[5:])
    assert [note[:8] for note in account.notes] == ["object 2"]
    assert account.confidence[12] == 0  # the other object is lost there


def test_no_find_is_made_from_a_find(tmp_path, monkeypatch):
    from remover.segment import refind

    held = []
    real = refind.known_views
    monkeypatch.setattr(refind, "known_views", lambda *a: held.append(a[-2]) or real(*a))
    film = Film(*((4, place, 50, (40, 60), 1.0) for place in (1, 2, 3)))
    _, account = run(film, [MaskPrompt(1, 1, film.mask(1))], tmp_path)
    assert account.lost == ()
    assert held == [Shot(0, 4)]


def test_a_few_frames_of_a_shot_are_looked_at():
    film = Film((40, 2, 50, (40, 60), 1.0))
    view = view_of(next(iter(film.read(3, 4))), film.mask(3), is_pointed_at=True)
    reads = []

    class Counted:
        num_frames, size = film.num_frames, film.size

        def read(self, start, stop):
            reads.append((start, stop))
            return film.read(start, stop)

    seen = search([view], Counted(), Shot(4, 40))
    assert len(reads) == LOOKS
    assert all(stop - start == 1 for start, stop in reads)
    assert overlap(seen.mask, film.mask(seen.frame)) > 0.9


def seen_in(picture, *, of, mask):
    view = view_of(of, mask, is_pointed_at=True)
    return compare(view, details_of(picture), lab_of(picture))


def test_a_turned_and_brighter_object_is_told():
    film = Film((1, 1, 50, (60, 40), 1.0))
    picture = next(iter(film.read(0, 1)))
    turn = cv2.getRotationMatrix2D((88, 68), 25, 0.8)
    turned = cv2.warpAffine(picture, turn, SIZE[::-1])
    other = np.clip(turned.astype(int) + 12, 0, 255).astype(np.uint8)
    mask, evidence = seen_in(other, of=picture, mask=film.mask(0))
    true = cv2.warpAffine(film.mask(0).astype(np.float32), turn, SIZE[::-1]) > 0.5
    assert overlap(mask, true) > 0.9
    assert evidence.is_sure


def test_two_equal_objects_are_not_told_apart():
    film = Film((1, 1, 50, (20, 60), 1.0))
    picture = next(iter(film.read(0, 1)))
    both = grain(2, *SIZE).copy()
    skin = grain(50, SIDE, SIDE)
    for x in (20, 110):
        both[60 : 60 + SIDE, x : x + SIDE] = skin
    seen = seen_in(both, of=picture, mask=film.mask(0))
    assert seen is None or not seen[1].is_sure


@pytest.mark.parametrize("kind", ["flat object", "flat picture", "tiny object"])
def test_what_has_no_details_is_not_looked_for(kind):
    film = Film((1, 1, 50, (60, 40), 1.0))
    picture, mask = next(iter(film.read(0, 1))), film.mask(0)
    if kind == "flat picture":
        assert seen_in(np.full_like(picture, 90), of=picture, mask=mask) is None
        return
    if kind == "flat object":
        picture[mask] = 120
        mask = cv2.erode(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    else:
        mask = np.zeros(SIZE, bool)
        mask[50:54, 70:74] = True
    assert view_of(picture, mask, is_pointed_at=True) is None
