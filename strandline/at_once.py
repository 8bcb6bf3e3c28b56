"""Work of one step on several threads of this process: what Arrow, zstd and the storage do leaves Python free meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """`work` of each item, in the order of the items: on `threads` threads, while this one makes the next item; with 0 on
    this one, item after item.

    At most `threads` + 1 items are made and not given yet; with one thread no work begins before the one before it is known to
    be done. Raises what an item or its work raises; work that runs is waited for first.
    """
    if threads == 0:
        yield from map(work, items)
        return
    running: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            if len(running) == threads:
                yield running.popleft().result()
            running.append(pool.submit(work, item))
            del item  # it need not outlive its work while the next one is made
        while running:
            yield running.popleft().result()
