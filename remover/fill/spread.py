"""Work on frames that do not depend on each other, shared out to threads."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import cv2

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def spread(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    """What ``work`` makes of each item, in their order.

    As many threads as OpenCV may use take part; what is made does not depend on their number as
    long as ``work`` changes nothing that another call reads.
    """
    todo = list(items)
    threads = min(cv2.getNumThreads(), len(todo))
    if threads <= 1:
        return [work(item) for item in todo]
    with ThreadPoolExecutor(threads, thread_name_prefix="fill") as workers:
        return list(workers.map(work, todo))


def ahead(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """The same one after the other: a few items are worked on while the next ones are made.

    Holds no more items than there are threads, and one.
    """
    threads = cv2.getNumThreads()
    if threads <= 1:
        yield from map(work, items)
        return
    waiting: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as workers:
        for item in items:
            waiting.append(workers.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
