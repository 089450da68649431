"""Threads that share a queue: every block once, few held at a time, and no error lost."""

import threading

import numpy as np
import pytest

from qtw_lab.backtest import crew
from qtw_lab.backtest.plan import Block


def blocks(count, drawn=None):
    for k in range(count):
        if drawn is not None:
            drawn.append(k)
        yield Block(k, k + 1, {"n": np.array([k])})


def square(columns):
    return columns["n"][:, None, None] ** 2.0


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_every_block_is_delivered_once_with_its_own_values(workers):
    got, ticks = {}, []
    crew.run(square, blocks(500), lambda b, v: got.update({b.start: v.item()}), lambda: ticks.append(1), workers)
    assert got == {k: k**2 for k in range(500)}
    assert ticks


def test_blocks_are_drawn_as_they_are_needed():
    drawn, done, gate = [], [], threading.Event()

    def deliver(block, values):
        done.append(block.start)
        assert len(drawn) - len(done) <= 3
        gate.set()

    crew.run(square, blocks(200, drawn), deliver, lambda: None, 3)
    assert gate.is_set()


def test_an_error_of_the_work_ends_it_and_is_raised():
    def broken(columns):
        if columns["n"][0] == 7:
            raise ValueError("seven")
        return square(columns)

    drawn = []
    with pytest.raises(ValueError, match="seven"):
        crew.run(broken, blocks(100_000, drawn), lambda b, v: None, lambda: None, 2)
    assert len(drawn) < 100_000


def test_an_interrupt_keeps_what_was_delivered():
    got = []

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crew.run(square, blocks(10**9), lambda b, v: got.append(b.start), interrupted, 2)
    assert sorted(got) == list(range(len(got)))
    assert got


def test_columns_are_cut_into_pieces():
    class Job:
        def __init__(self):
            self.sizes = []

        def evaluate(self, columns):
            self.sizes.append(len(columns["n"]))
            return square(columns)

    job = Job()
    values = crew.in_pieces(job, {"n": np.arange(10)}, 4)
    assert values[:, 0, 0].tolist() == [k**2 for k in range(10)]
    assert job.sizes == [4, 4, 2]
