import errno

import cv2
import pytest
import torch

from remover import device
from remover.errors import DeviceError


def of_opencv(code: int) -> cv2.error:
    error = cv2.error("resize failed")
    error.code = code
    return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        of_opencv(-4),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_memory_that_is_used_up_is_known_from_any_library(error):
    assert device.is_out_of_memory(error)


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes differ"), OSError(errno.EIO, "no"), of_opencv(-215)]
)
def test_other_errors_are_not(error):
    assert not device.is_out_of_memory(error)


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
