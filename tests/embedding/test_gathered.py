"""Calls from many threads run together, each gets its own result, and the model is never called twice at once."""

import threading
import time
from collections.abc import Sequence

import pytest

from facesets_dagster.embedding.gathered import Gathered


class Model:
    """Squares numbers; slow, and it notices company."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.at_once = 0
        self.inside = 0

    def run(self, items: Sequence[int]) -> list[int]:
        self.inside += 1
        self.at_once = max(self.at_once, self.inside)
        self.sizes.append(len(items))
        time.sleep(0.002)
        self.inside -= 1
        if 13 in items:
            raise RuntimeError("13")
        return [item * item for item in items]


def test_each_thread_gets_its_own_result_and_calls_share() -> None:
    model = Model()
    square = Gathered(model.run, 4)
    wrong: list[int] = []

    def work(start: int) -> None:
        wrong.extend(item for item in range(start, start + 300, 10) if square(item + 100) != (item + 100) ** 2)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong
    assert model.at_once == 1
    assert sum(model.sizes) == 10 * 30
    assert max(model.sizes) == 4
    assert len(model.sizes) < 150


def test_a_lone_call_does_not_wait_for_company() -> None:
    model = Model()
    square = Gathered(model.run, 8)
    assert [square(item) for item in range(3)] == [0, 1, 4]
    assert model.sizes == [1, 1, 1]


def test_what_the_model_raises_comes_out_where_it_was_asked_and_the_next_call_works() -> None:
    model = Model()
    square = Gathered(model.run, 2)
    failed: list[int] = []

    def work(item: int) -> None:
        try:
            assert square(item) == item * item
        except RuntimeError:
            failed.append(item)

    threads = [threading.Thread(target=work, args=(item,)) for item in range(10, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert 13 in failed
    assert len(failed) <= 2
    assert square(5) == 25


def test_a_model_that_gives_too_few_results_is_an_error() -> None:
    short: Gathered[int, int] = Gathered(lambda items: [], 2)
    with pytest.raises(ValueError, match="zip"):
        short(1)
