"""A plan goes through in blocks, and nothing else is held."""

import tracemalloc

import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest import streaming
from qtw_lab.backtest.checkpoints import Checkpoint
from qtw_lab.backtest.harvest import Keep
from qtw_lab.backtest.plan import Block
from qtw_lab.backtest.streaming import Record

BARS = qtw.Lab.offline().bars("AAPL", start="2009-01-01", end="2010-12-31")


def peak(monkeypatch, **given) -> float:
    """Most memory that Python and NumPy hold while sweeping, in MB."""
    qtw.sweep("sma_cross", BARS, grid={"fast": [2], "slow": [5, 6]})
    monkeypatch.setattr(streaming, "Record", recorded)
    tracemalloc.start()
    try:
        qtw.sweep("sma_cross", BARS, **given)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def recorded(*given):
    """A record, from whose making on the peak counts: a job before asks for room that it never touches."""
    tracemalloc.reset_peak()
    return Record(*given)


def test_with_top_memory_does_not_grow_with_the_grid(monkeypatch):
    grid = {"fast": range(2, 242), "slow": range(242, 492)}  # 60,000 rows, which alone would take 5.7 MB
    assert peak(monkeypatch, grid=grid, top=10, memory_limit="5MB") < 5


def test_the_memory_limit_is_kept(monkeypatch):
    grid = {"fast": range(2, 60), "slow": range(60, 260)}
    assert peak(monkeypatch, grid=grid, memory_limit="8MB") < 8


def test_touching_spans_are_joined():
    assert streaming._joined([(4, 6), (0, 2), (2, 4), (8, 9)]) == [(0, 6), (8, 9)]


@pytest.mark.parametrize(
    ("span", "spans", "left"),
    [
        ((0, 10), ((2, 4), (6, 20)), [(0, 2), (4, 6)]),
        ((5, 10), ((0, 5), (10, 12)), [(5, 10)]),
        ((5, 10), ((0, 20),), []),
    ],
)
def test_what_is_left_of_a_span(span, spans, left):
    assert streaming._without(span, spans) == left


def test_a_record_knows_what_is_to_do(tmp_path):
    keep, point = Keep(("sharpe",), None, "sharpe"), Checkpoint(tmp_path / "c", {"data": "x"})
    first = Record(keep, 10, 2, point)
    first.add(Block(2, 4, {}), pd.Series(range(4)).to_numpy(float).reshape(2, 2, 1))
    first.save(now=False)  # not yet time
    assert not list(point.parts())
    first.save(now=True)
    second = Record(keep, 10, 2, point)
    assert second.todo == [(0, 2), (4, 10)]
    assert second.done == 4
    assert second.found()[0].tolist() == [4, 5, 6, 7]
