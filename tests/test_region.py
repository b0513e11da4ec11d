import numpy as np
import pytest

from remover.compose import FillTotals, composed, put_in
from remover.errors import VerifyError
from remover.masks import bounds
from remover.region import Region
from remover.segment import MaskStore
from remover.types import COPIED, PAINTED, Filled, Patch, Rect, Shot, Size
from remover.video import Frame, probe


@pytest.fixture
def store(tmp_path):
    with MaskStore(tmp_path, Size(96, 128), 4) as masks:
        labels = np.zeros((96, 128), np.uint8)
        labels[40:50, 60:80] = 1
        masks.put(1, labels)
        yield masks


@pytest.mark.parametrize(("grow", "soft"), [(0, 0), (3, 0), (0, 2), (3, 2)])
def test_the_region_is_the_mask_grown_and_softened(store, grow, soft):
    region = Region(store, grow=grow, soft=soft)
    hole = region.hole(1)
    reach = grow + soft
    assert bounds(hole) == Rect(40 - reach, 60 - reach, 50 + reach, 80 + reach)
    assert np.array_equal(region.alpha(1) > 0, hole)
    assert not region.hole(0).any()


def test_frames_outside_the_range_have_no_extent(store):
    region = Region(store, grow=0, soft=0)
    boxes, areas = region.extents(Shot(0, 4), 4)
    assert boxes == [None, Rect(40, 60, 50, 80), None, None]
    assert areas == [0, 200, 0, 0]
    assert region.extents(Shot(2, 4), 4) == ([None] * 4, [0] * 4)


def make_patch(rect: Rect, origin: int) -> Patch:
    shape = rect.size
    return Patch(
        1,
        rect,
        np.full((*shape, 3), 90, np.float32),
        np.full(shape, origin, np.uint8),
        np.full(shape, 0.5, np.float32),
    )


def test_a_fill_that_leaves_the_object_open_is_no_output(store, make_clip):
    info = probe(make_clip(frames=2).path)
    planes = tuple(np.zeros((96, 128), np.uint8) for _ in range(3))
    frame = Frame(1, 1, 1, planes, None)
    region = Region(store, grow=0, soft=0)
    with pytest.raises(VerifyError, match="frame 1 leaves a part"):
        composed(frame, make_patch(Rect(40, 60, 50, 79), COPIED), region, info)
    with pytest.raises(VerifyError, match="frame 1 leaves a part"):
        composed(frame, make_patch(Rect(40, 60, 50, 80), 0), region, info)
    filled = composed(frame, make_patch(Rect(40, 60, 50, 80), PAINTED), region, info)
    done = put_in(frame, filled, region, info)
    assert bounds(done[0]) == Rect(40, 60, 50, 80)
    assert all(not plane.any() for plane in planes)


def test_a_fill_that_changes_more_than_the_region_is_no_output(store, make_clip):
    info = probe(make_clip(frames=2).path)
    planes = tuple(np.zeros((96, 128), np.uint8) for _ in range(3))
    frame = Frame(1, 1, 1, planes, None)
    region = Region(store, grow=0, soft=0)
    filled = composed(frame, make_patch(Rect(38, 60, 50, 80), PAINTED), region, info)
    filled.planes[1][0, 0] = 7
    with pytest.raises(VerifyError, match="1 samples outside the mask changed in frame 1"):
        put_in(frame, filled, region, info)


def test_shares_are_of_filled_pixels():
    totals = FillTotals()
    for rect, origin, sure in ((Rect(0, 0, 3, 4), COPIED, 6.0), (Rect(0, 0, 1, 4), PAINTED, 0.0)):
        totals.add(Filled(1, rect, (), np.full(rect.size, origin, np.uint8), sure))
    assert (totals.frames, totals.copied_share, totals.painted_share) == (2, 0.75, 0.25)
    assert totals.mean_confidence == 0.5
    assert FillTotals().mean_confidence is None
