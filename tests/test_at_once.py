"""Work on several threads comes back in order, a bounded number of items ahead, and no error leaves work running."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from strandline.at_once import in_order


@pytest.mark.parametrize("threads", [0, 1, 2, 5])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    def slower_first(item: int) -> int:
        time.sleep(0.002 * (10 - item))
        return item * item

    assert list(in_order(slower_first, range(10), threads)) == [n * n for n in range(10)]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_few_items_are_made_before_their_turn(threads: int) -> None:
    made, taken, ahead = 0, 0, 0

    def items() -> Iterator[int]:
        nonlocal made, ahead
        for item in range(20):
            made += 1
            ahead = max(ahead, made - taken)
            yield item

    for _ in in_order(lambda item: item, items(), threads):
        taken += 1
    assert (taken, ahead) == (20, threads + 1)


def test_with_threads_items_are_made_while_others_are_worked_on() -> None:
    second_is_made, seen = threading.Event(), []

    def items() -> Iterator[int]:
        yield 1
        second_is_made.set()
        yield 2

    def work(item: int) -> int:
        seen.append((item, second_is_made.wait(10)))
        return item

    assert list(in_order(work, items(), 1)) == [1, 2]
    assert seen == [(1, True), (2, True)]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_of_the_work_comes_out_when_nothing_runs_any_more(threads: int) -> None:
    begun, ended = [], []

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise ValueError("the second")
        time.sleep(0.05)
        ended.append(item)
        return item

    with pytest.raises(ValueError, match="the second"):
        list(in_order(work, range(10), threads))
    count = len(begun)
    assert sorted(ended) == sorted(set(begun) - {1})
    assert count < 10
    time.sleep(0.1)
    assert len(begun) == count


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_an_error_of_the_items_comes_out_after_the_work_that_was_begun(threads: int) -> None:
    done: list[int] = []

    def items() -> Iterator[int]:
        yield from (1, 2)
        raise ValueError("no third")

    def work(item: int) -> None:
        time.sleep(0.02)
        done.append(item)

    with pytest.raises(ValueError, match="no third"):
        list(in_order(work, items(), threads))
    count = len(done)
    assert set(done) <= {1, 2}
    time.sleep(0.1)
    assert len(done) == count
