import gc
import threading
import time

import pytest

from remover.train.prefetch import Prefetched


def test_items_come_in_order_and_not_too_far_ahead():
    made = []

    def items():
        for number in range(20):
            made.append(number)
            yield number

    found = Prefetched(items(), 2)
    assert next(found) == 0
    for _ in range(50):
        time.sleep(0.01)
        assert len(made) <= 1 + 2 + 1
    assert list(found) == list(range(1, 20))


def test_errors_come_where_the_item_would_have():
    def items():
        yield 1
        raise ValueError("broken")

    found = Prefetched(items(), 3)
    assert next(found) == 1
    with pytest.raises(ValueError, match="broken"):
        next(found)
    with pytest.raises(StopIteration):
        next(found)


def test_what_is_read_is_closed_with_it():
    closed = threading.Event()

    def items():
        try:
            while True:
                yield 0
        finally:
            closed.set()

    found = Prefetched(items(), 1)
    next(found)
    found.close()
    assert closed.is_set()
    assert not found._thread.is_alive()
    found.close()


def test_a_forgotten_one_ends_too():
    def items():
        while True:
            yield 0

    found = Prefetched(items(), 1)
    thread = found._thread
    del found
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()
