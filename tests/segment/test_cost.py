import pytest

from remover.segment.choose import SIZES
from remover.segment.cost import NETWORKS, builtin_cost, sam2_cost
from remover.types import Cost


def test_every_size_has_figures_and_larger_ones_take_more():
    assert tuple(NETWORKS) == SIZES
    costs = [sam2_cost(size, "cpu", 10, 10) for size in SIZES]
    assert [c.seconds for c in costs] == sorted({c.seconds for c in costs})
    assert [c.memory_bytes for c in costs] == sorted({c.memory_bytes for c in costs})


def test_a_second_object_costs_its_masks_only():
    one, two = (sam2_cost("tiny", "cpu", 10, 10 * n).seconds for n in (1, 2))
    assert one < two < 2 * one


@pytest.mark.parametrize("device", ["cuda:0", "mps"])
def test_what_was_never_timed_is_not_known(device):
    assert sam2_cost("tiny", device, 10, 10).seconds is None


def test_the_built_in_tracker_takes_time_by_frame_and_memory_at_once():
    short, long = builtin_cost(1, 100), builtin_cost(1, 1000)
    assert short.seconds < long.seconds < 10 * short.seconds
    assert short.memory_bytes == long.memory_bytes > 0
    assert builtin_cost(2, 100).seconds > short.seconds


def test_the_built_in_tracker_is_not_loaded_where_nothing_is_pointed_at():
    assert builtin_cost(0, 0) == Cost()


def test_the_built_in_tracker_takes_a_small_part_of_what_sam_2_does():
    ours, theirs = builtin_cost(1, 100), sam2_cost("tiny", "cpu", 101, 101)
    assert ours.seconds < theirs.seconds / 10
    assert ours.memory_bytes < theirs.memory_bytes
