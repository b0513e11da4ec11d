import pytest

from remover.segment.choose import SIZES
from remover.segment.cost import NETWORKS, sam2_cost


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
