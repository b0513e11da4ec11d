import pytest

from remover import device
from remover.errors import DeviceError


def test_memory_is_known_and_bounded():
    assert device.total_memory() > 1 << 28
    assert device.BUDGET_SMALLEST <= device.picture_budget() <= device.BUDGET_LARGEST
    assert device.peak_memory() > 1 << 20


@pytest.mark.parametrize("wanted", ["auto", "cpu"])
def test_the_cpu_is_always_there(wanted):
    assert device.resolve(wanted) == "cpu"


def test_a_device_that_is_not_there_is_an_error():
    with pytest.raises(DeviceError, match="`cuda:99` is not available"):
        device.resolve("cuda:99")
