"""The built-in tracker on made-up scenes with known masks."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover.errors import InputError, UsageError
from remover.progress import Silent
from remover.segment import MaskStore, segment
from remover.segment.cost import builtin_cost
from remover.segment.crop import Crop
from remover.segment.cut import discs
from remover.segment.judgement import UNSURE
from remover.segment.look import SURE
from remover.segment.refine import keep_parts
from remover.segment.run import ranges
from remover.segment.tracker import OPEN, decide, is_cut_off, trust_in_size
from remover.types import MaskPrompt, PointPrompt, Rect, Shot, Size

HEIGHT, WIDTH = 120, 180


def texture(seed: int, base: tuple[int, int, int], height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    total = np.tile(np.float32(base), (height, width, 1))
    for cell, contrast in ((4, 9), (13, 14)):
        coarse = rng.normal(0, contrast, (height // cell + 2, width // cell + 2, 3))
        total += cv2.resize(coarse.astype(np.float32), (width, height))
    return np.clip(total, 0, 255).astype(np.uint8)


class Scene:
    """Discs before a background that pans; implements ``Pictures``."""

    def __init__(self, paths, *, pan: float = 0.0, colours=((190, 60, 50), (60, 90, 190))):
        """Take for each object its (x, y) by frame, as an array (T, 2)."""
        self.paths = [np.asarray(path) for path in paths]
        self.num_frames = len(self.paths[0])
        self.size = Size(HEIGHT, WIDTH)
        self.ground = texture(1, (110, 140, 100), HEIGHT, WIDTH + int(pan * self.num_frames) + 1)
        self.skins = [texture(5 + i, colour, 40, 40) for i, colour in enumerate(colours)]
        self.pan = pan
        self.most_read = 0

    def mask(self, index: int, which: int = 0) -> np.ndarray:
        x, y = self.paths[which][index]
        rows, columns = np.ogrid[:HEIGHT, :WIDTH]
        return np.hypot(rows - y, columns - x) <= 16

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        self.most_read = max(self.most_read, stop - start)
        for index in range(start, stop):
            left = round(self.pan * index)
            picture = self.ground[:, left : left + WIDTH].copy()
            for which, skin in enumerate(self.skins[: len(self.paths)]):
                mask = self.mask(index, which)
                x, y = (round(v) for v in self.paths[which][index])
                rows, columns = np.nonzero(mask)
                picture[mask] = skin[(rows - y + 20) % 40, (columns - x + 20) % 40]
            yield picture

    def box(self, index: int, which: int = 0, object_id: int = 1) -> PointPrompt:
        rows, columns = np.nonzero(self.mask(index, which))
        edges = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        return PointPrompt("box", index, object_id, box=tuple(float(edge) for edge in edges))


class Turned:
    """Pictures of two scenes, one after the other."""

    def __init__(self, one: Scene, two: Scene):
        self.one, self.two = one, two
        self.num_frames, self.size = one.num_frames + two.num_frames, one.size

    def read(self, start: int, stop: int) -> Iterator[np.ndarray]:
        cut = self.one.num_frames
        yield from self.one.read(min(start, cut), min(stop, cut))
        yield from self.two.read(max(start, cut) - cut, max(stop, cut) - cut)


def line(start, end, frames: int) -> np.ndarray:
    return np.linspace(start, end, frames)


def run(pictures, prompts, folder, *, shots=None, tracker="builtin", grow=True):
    """The label maps and the account of a run."""
    with MaskStore(folder, pictures.size, pictures.num_frames) as store:
        account = segment(
            pictures,
            prompts,
            shots or [Shot(0, pictures.num_frames)],
            store,
            tracker=tracker,
            progress=Silent(),
            grow=grow,
        )
        assert {file.stem for file in folder.iterdir()} == {store.path.stem}
        return [store.get(index) for index in range(pictures.num_frames)], account


def overlap(one: np.ndarray, two: np.ndarray) -> float:
    return float((one & two).sum() / max(1, (one | two).sum()))


def mean_overlap(scene: Scene, maps, which: int = 0, object_id: int = 1) -> float:
    found = [overlap(m == object_id, scene.mask(i, which)) for i, m in enumerate(maps)]
    return float(np.mean(found))


@pytest.mark.parametrize("pan", [0.0, 2.0])
def test_a_box_is_followed_forwards(tmp_path, pan):
    scene = Scene([line((30, 40), (140, 80), 24)], pan=pan)
    maps, account = run(scene, [scene.box(0)], tmp_path)
    assert mean_overlap(scene, maps) > 0.8
    assert account.tracker == "builtin"
    assert account.lost == ()
    assert account.unsure == ()


def test_a_box_in_the_middle_is_followed_both_ways_in_bounded_memory(tmp_path):
    scene = Scene([line((30, 40), (90, 60), 40)])
    maps, _ = run(scene, [scene.box(36)], tmp_path)  # walks back over the edge of a block
    assert mean_overlap(scene, maps) > 0.8


def test_the_cost_counts_what_was_followed(tmp_path):
    scene = Scene([line((40, 60), (110, 70), 12)])
    _, made = run(scene, [scene.box(5)], tmp_path)
    assert made.cost == builtin_cost(1, 11)


def test_a_click_finds_its_object(tmp_path):
    scene = Scene([line((40, 50), (120, 70), 12)])
    maps, _ = run(scene, [PointPrompt("click", 0, 1, point=(42.0, 52.0))], tmp_path)
    assert mean_overlap(scene, maps) > 0.8


@pytest.mark.parametrize("kind", ["box", "click"])
def test_a_step_back_is_noted_once(tmp_path, monkeypatch, kind):
    scene = Scene([line((60, 50), (80, 60), 5)])
    click = PointPrompt("click", 2, 1, point=(70.0, 55.0))
    prompt = scene.box(2) if kind == "box" else click
    assert run(scene, [prompt], tmp_path)[1].notes == ()
    monkeypatch.setattr("remover.segment.first.survival", lambda *_: 0.0)
    maps, account = run(scene, [prompt], tmp_path)
    (note,) = account.notes
    assert note.startswith("object 1 on frame 2: ")
    assert "not found again on the frames around" in note
    assert note.endswith(" is taken")
    assert maps[2].any()
    assert account.unsure


def test_a_mask_is_kept_as_it_was_given(tmp_path):
    scene = Scene([line((40, 50), (120, 70), 12)])
    mask = scene.mask(3)
    mask[40:43, 80:120] = True
    maps, _ = run(scene, [MaskPrompt(3, 1, mask)], tmp_path)
    np.testing.assert_array_equal(maps[3] == 1, mask)
    assert overlap(maps[10] == 1, scene.mask(10)) > 0.6


def test_growth_holds_the_mask_as_tracked_and_leaves_a_users_mask_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("remover.segment.widen.BREADTH", 1)  # every rim is unsure
    scene = Scene([line((40, 50), (120, 70), 12)])
    mask = scene.mask(5)
    mask[::3] = False
    tracked, _ = run(scene, [MaskPrompt(5, 1, mask)], tmp_path, grow=False)
    grown, _ = run(scene, [MaskPrompt(5, 1, mask)], tmp_path)
    np.testing.assert_array_equal(grown[5] == 1, mask)
    assert all((one >= other).all() for one, other in zip(grown, tracked, strict=True))
    assert all((grown[i] > tracked[i]).any() for i in (2, 4, 6, 9))


@pytest.mark.parametrize("grow", [False, True])
def test_the_disc_of_a_click_is_always_in_its_mask(tmp_path, grow):
    """Also where the click is beside the object, or mends a mask on a later frame."""
    scene = Scene([line((40, 50), (64, 62), 5)])
    clicks = [(0, (42.0, 52.0)), (0, (90.0, 20.0)), (3, (130.0, 100.0))]
    prompts = [PointPrompt("click", frame, 1, point=point) for frame, point in clicks]
    maps, _ = run(scene, prompts, tmp_path, grow=grow)
    for frame, point in clicks:
        assert (maps[frame] == 1)[discs([point], scene.size)].all()


def test_masks_are_the_same_with_another_shot_beside_them(tmp_path):
    """Nothing is filled in over a cut, though the same thing is on both sides."""
    path = line((40, 40), (67, 49), 5)
    one, two = Scene([path]), Scene([path[::-1]])
    both, shots = Turned(one, two), [Shot(0, 5), Shot(5, 10)]
    alone, _ = run(one, [one.box(0)], tmp_path)
    again = two.box(0)
    later = PointPrompt("box", 5, 1, box=again.box)
    maps, _ = run(both, [one.box(0), later], tmp_path, shots=shots)
    for index in range(5):
        np.testing.assert_array_equal(maps[index], alone[index])


def test_two_objects_keep_their_ids(tmp_path):
    scene = Scene([line((50, 30), (122, 30), 10), line((122, 85), (50, 85), 10)])
    maps, _ = run(scene, [scene.box(0), scene.box(9, 1, object_id=2)], tmp_path)
    assert mean_overlap(scene, maps, 0, 1) > 0.8
    assert mean_overlap(scene, maps, 1, 2) > 0.8


def test_nothing_crosses_a_cut_and_the_other_shot_is_reported(tmp_path):
    one = Scene([line((40, 40), (100, 60), 10)])
    two = Scene([line((-90, 60), (-60, 60), 8)])
    both = Turned(one, two)
    shots = [Shot(0, 10), Shot(10, 18)]
    maps, account = run(both, [one.box(0)], tmp_path, shots=shots)
    assert mean_overlap(one, maps[:10]) > 0.8
    assert not any(labels.any() for labels in maps[10:])
    assert account.lost == (Shot(10, 18),)
    assert account.confidence[12] == 0


def test_a_span_that_begins_later_leaves_the_rest_alone(tmp_path):
    scene = Scene([line((30, 40), (140, 80), 20)])
    maps, account = run(scene, [scene.box(8)], tmp_path, shots=[Shot(6, 14)])
    assert [bool(m.any()) for m in maps] == [6 <= i < 14 for i in range(20)]
    assert account.lost == ()


def test_an_object_that_leaves_leaves_no_mask_behind(tmp_path):
    scene = Scene([line((120, 60), (260, 60), 28)])
    maps, account = run(scene, [scene.box(0)], tmp_path)
    gone = [i for i in range(28) if not scene.mask(i).any()]
    assert len(gone) > 5
    assert not any(maps[i].any() for i in gone[2:])
    assert account.lost == ()


def test_an_object_that_comes_back_is_found_again(tmp_path):
    away = np.concatenate([line((120, 60), (230, 60), 16), line((230, 60), (100, 60), 16)])
    scene = Scene([away])
    maps, _ = run(scene, [scene.box(0)], tmp_path)
    assert overlap(maps[31] == 1, scene.mask(31)) > 0.6


def test_an_object_that_vanishes_in_view_is_reported_as_lost(tmp_path):
    path = np.concatenate([line((60, 60), (80, 60), 10), np.full((10, 2), 900.0)])
    scene = Scene([path])
    _, account = run(scene, [scene.box(0)], tmp_path)
    assert account.lost
    assert 10 <= account.lost[0].start <= 12


def test_a_small_object_that_jumps_is_not_cut_off_by_its_crop(tmp_path):
    """It moves by most of its width a frame, and the motion that is measured misses that."""
    scene = Scene([line((20, 60), (160, 60), 7)])
    scene.skins = [np.full((40, 40, 3), (190, 60, 50), np.uint8)]
    maps, account = run(scene, [scene.box(0)], tmp_path)
    for index in range(1, 7):
        found, true = maps[index] == 1, scene.mask(index)
        assert (found & true).sum() > 0.9 * true.sum()
    assert account.lost == ()


@given(odds=st.floats(OPEN, 20), alike=st.floats(0, 1), sign=st.sampled_from([-1, 1]))
def test_cells_that_are_settled_without_like_cells_stay_on_their_side(odds, alike, sign):
    one = sign * np.full((1, 1), odds, np.float32)
    soft = decide(one, np.full((1, 1), alike, np.float32))
    assert sign * (soft[0, 0] - 0.5) > SURE


@given(share=st.floats(0.031, 3), is_at_border=st.booleans())
def test_what_is_left_of_an_object_that_went_is_not_trusted(share, is_at_border):
    """It is often a piece of the place, so that its look says nothing."""
    trust = trust_in_size(share * 500, 500.0, is_at_border=is_at_border)
    if is_at_border or share >= 0.6:
        assert trust == 1
    else:
        assert trust < 1
    if not is_at_border and share < 0.4:
        assert trust < UNSURE


@pytest.mark.parametrize(
    ("place", "rect", "is_cut"),
    [
        ((0, 3), Rect(8, 8, 40, 40), True),
        ((3, 3), Rect(8, 8, 40, 40), True),
        ((2, 2), Rect(8, 8, 40, 40), False),
        ((0, 2), Rect(0, 8, 40, 40), False),
        ((0, 2), Rect(8, 0, 40, 40), True),
        ((3, 2), Rect(8, 8, 48, 40), False),
    ],
)
def test_a_mask_is_cut_off_at_edges_that_are_none_of_the_picture(place, rect, is_cut):
    soft = np.zeros((4, 4), np.float32)
    soft[place] = 0.9
    assert is_cut_off(soft, Crop(rect, Size(32, 32)), Size(48, 48)) == is_cut


@pytest.mark.parametrize(("score", "is_kept"), [(0.9, True), (0.45, True), (0.35, False)])
def test_a_part_from_nowhere_needs_a_look_like_the_objects(score, is_kept):
    soft = np.zeros((20, 40), np.float32)
    soft[5:15, 5:15] = soft[8:12, 30:34] = 0.9
    expected = soft.copy()
    expected[:, 20:] = 0
    look = np.where(soft > 0.5, np.float32(0.8), np.float32(-1))
    look[8:12, 30:34] = score
    kept = keep_parts(soft, expected, look, look)
    assert (kept[9, 31] > 0.5) == is_kept
    assert np.array_equal(kept[:, :20], soft[:, :20])


def test_a_piece_of_the_place_is_dropped_where_it_was_carried_along():
    """It is expected there and looks like the object, as white does beside a white shirt."""
    soft = np.zeros((20, 40), np.float32)
    soft[5:15, 5:15] = soft[2:18, 22:38] = 0.9
    look = np.where(soft > 0.5, np.float32(0.8), np.float32(-1))
    wide = look.copy()
    wide[:, 20:] = -0.6
    kept = keep_parts(soft, soft, look, wide)
    assert not (kept[:, 20:] > 0.5).any()
    assert np.array_equal(kept[:, :20], soft[:, :20])
    assert not (keep_parts(soft, soft, look, np.full_like(look, -0.6)) > 0.5).any()


def test_a_short_gap_is_closed(tmp_path):
    """The object is hidden for a quarter of a second, and stays masked where it must be."""
    path = np.array([(50 + 2 * t, 60) for t in range(30)])
    hidden = path.copy()
    hidden[12:18] = (-100, -100)
    scene = Scene([hidden])
    maps, _ = run(scene, [scene.box(0)], tmp_path)
    for t in range(12, 18):
        x, y = path[t]
        assert (maps[t] == 1)[y - 6 : y + 7, x - 6 : x + 7].mean() > 0.9


def test_an_avoided_point_takes_its_part_out(tmp_path):
    scene = Scene([line((60, 60), (80, 60), 6), line((86, 60), (106, 60), 6)])
    wide = PointPrompt("box", 0, 1, box=(42.0, 42.0, 104.0, 78.0))
    with_both, _ = run(scene, [wide], tmp_path)
    assert (with_both[0][scene.mask(0, 1)] == 1).mean() > 0.8
    avoid = PointPrompt("avoid", 0, 1, point=(92.0, 60.0))
    maps, _ = run(scene, [wide, avoid], tmp_path)
    assert (maps[0][scene.mask(0, 1)] == 1).mean() < 0.2
    assert overlap(maps[0] == 1, scene.mask(0, 0) & ~scene.mask(0, 1)) > 0.7


def test_a_correction_on_a_later_frame_is_honoured(tmp_path):
    scene = Scene([line((40, 40), (60, 40), 16), line((120, 80), (140, 80), 16)])
    wrong = scene.box(0, 0)
    right = scene.box(12, 1)
    maps, _ = run(scene, [wrong, right], tmp_path)
    assert overlap(maps[12] == 1, scene.mask(12, 1)) > 0.8
    assert overlap(maps[15] == 1, scene.mask(15, 1)) > 0.8
    assert overlap(maps[1] == 1, scene.mask(1, 0)) > 0.8


def test_a_later_click_adds_to_what_was_tracked(tmp_path):
    scene = Scene([line((40, 40), (51, 40), 6), line((120, 80), (131, 80), 6)])
    more = PointPrompt("click", 3, 1, point=tuple(scene.paths[1][3]))
    maps, _ = run(scene, [scene.box(0), more], tmp_path)
    for index in (3, 5):
        both = scene.mask(index, 0) | scene.mask(index, 1)
        assert overlap(maps[index] == 1, both) > 0.75


def test_prompts_before_the_first_box_mend_the_way_back(tmp_path):
    scene = Scene([line((40, 40), (51, 40), 7), line((120, 80), (131, 80), 7)])
    avoid = PointPrompt("avoid", 1, 1, point=tuple(scene.paths[1][1]))
    both = MaskPrompt(4, 1, scene.mask(4, 0) | scene.mask(4, 1))
    maps, _ = run(scene, [both, avoid], tmp_path)
    assert overlap(maps[1] == 1, scene.mask(1, 0)) > 0.7
    assert overlap(maps[6] == 1, scene.mask(6, 0) | scene.mask(6, 1)) > 0.7


def test_only_avoided_points_cannot_start(tmp_path):
    scene = Scene([line((40, 40), (60, 40), 3)])
    with pytest.raises(InputError, match="only points to avoid on frame `1`"):
        run(scene, [PointPrompt("avoid", 1, 1, point=(5.0, 5.0))], tmp_path)


def test_an_empty_mask_finds_nothing(tmp_path):
    scene = Scene([line((40, 40), (60, 40), 3)])
    with pytest.raises(InputError, match="nothing was found where object `4`"):
        run(scene, [MaskPrompt(0, 4, np.zeros(scene.size, bool))], tmp_path)


def test_sixteen_bits_give_the_same_as_eight(tmp_path):
    class Deep(Scene):
        def read(self, start, stop):
            for picture in super().read(start, stop):
                yield picture.astype(np.uint16) * 257

    path = [line((30, 40), (60, 50), 5)]
    shallow, deep = Scene(path), Deep(path)
    for one, two in zip(
        run(shallow, [shallow.box(0)], tmp_path)[0],
        run(deep, [deep.box(0)], tmp_path)[0],
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)


def test_the_same_input_gives_the_same_masks(tmp_path):
    scene = Scene([line((30, 40), (90, 50), 8)])
    first, second = (run(scene, [scene.box(3)], tmp_path)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("size", [(9, 7), (16, 40), (33, 31)])
def test_tiny_pictures_are_survived(tmp_path, size):
    class Tiny:
        num_frames = 4

        def __init__(self):
            self.size = Size(*size)

        def read(self, start, stop):
            for index in range(start, stop):
                picture = np.full((*size, 3), 90, np.uint8)
                picture[2:6, 1 + index : 4 + index] = (200, 40, 40)
                yield picture

    box = PointPrompt("box", 0, 1, box=(1.0, 2.0, 4.0, 6.0))
    maps, _ = run(Tiny(), [box], tmp_path)
    assert maps[0].any()


class TestBoxesOnly:
    def test_key_boxes_move_evenly(self, tmp_path):
        scene = Scene([line((40, 40), (60, 40), 11)])
        keys = [
            PointPrompt("box", 0, 1, box=(0.0, 0.0, 10.0, 10.0)),
            PointPrompt("box", 10, 1, box=(100.0, 0.0, 110.0, 10.0)),
        ]
        maps, account = run(scene, keys, tmp_path, tracker="none")
        assert account.tracker == "none"
        assert np.flatnonzero(maps[5].any(axis=0))[[0, -1]].tolist() == [50, 59]

    def test_one_box_is_fixed_also_after_a_cut(self, tmp_path):
        scene = Scene([line((40, 40), (60, 40), 6)])
        key = PointPrompt("box", 2, 1, box=(5.0, 6.0, 9.0, 8.0))
        shots = [Shot(0, 3), Shot(3, 6)]
        maps, _ = run(scene, [key], tmp_path, tracker="none", shots=shots)
        assert all((m == maps[0]).all() for m in maps)

    def test_clicks_are_refused(self, tmp_path):
        scene = Scene([line((40, 40), (60, 40), 3)])
        with pytest.raises(UsageError, match="cannot honour `--click`"):
            run(scene, [PointPrompt("click", 0, 1, point=(1, 1))], tmp_path, tracker="none")


def test_ranges_join_over_small_gaps():
    flags = np.array([0, 1, 1, 0, 0, 1, 0, 0, 0, 1], bool)
    assert ranges(flags) == (Shot(1, 6), Shot(9, 10))
    assert ranges(flags & False) == ()
