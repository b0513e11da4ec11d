"""Work shared out to threads."""

import threading
from collections.abc import Iterator

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remover.fill.spread import ahead, spread


@pytest.fixture(params=[1, 3])
def threads(request) -> Iterator[int]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(request.param)
    yield request.param
    cv2.setNumThreads(before)


@given(st.lists(st.integers(), max_size=20))
def test_results_come_in_the_order_of_their_items(items):
    assert spread(str, items) == [str(item) for item in items]
    assert list(ahead(str, items)) == [str(item) for item in items]


def test_as_many_threads_take_part_as_there_are(threads):
    if threads == 1:
        assert set(spread(lambda _: threading.get_ident(), range(8))) == {threading.get_ident()}
        return
    together = threading.Barrier(threads, timeout=120)
    spread(lambda _: together.wait(), range(threads))
    for _ in ahead(lambda _: together.wait(), range(threads)):
        continue


def test_only_a_few_items_are_taken_before_they_are_asked_for(threads):
    taken = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = ahead(str, items())
    assert next(results) == "0"
    assert len(taken) <= threads + 1
    results.close()


@pytest.mark.usefixtures("threads")
def test_an_error_is_passed_on():
    def fails(item: int) -> int:
        return 1 // item

    with pytest.raises(ZeroDivisionError):
        spread(fails, [1, 0, 2])
    with pytest.raises(ZeroDivisionError):
        list(ahead(fails, [1, 0, 2]))
