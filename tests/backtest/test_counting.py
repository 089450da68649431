"""The public sweep and search are those of their modules, and count."""

import inspect

import qtw_lab as qtw
from qtw_lab.backtest import counting
from qtw_lab.backtest.search import search
from qtw_lab.backtest.sweep import sweep


def test_they_have_the_arguments_and_words_of_what_they_call():
    for public, plain in ((counting.sweep, sweep), (counting.search, search)):
        assert inspect.signature(public) == inspect.signature(plain)
        assert public.__doc__ == plain.__doc__
    assert qtw.sweep is counting.sweep
    assert qtw.search is counting.search


def test_the_room_that_is_called_counts_as_its_function_does(bars_of, tmp_path, monkeypatch):
    monkeypatch.setenv("QTW_STORAGE_DIR", str(tmp_path))
    bars = bars_of(A=[1.0, 2, 3, 4])
    assert qtw.backtest("buy_and_hold", bars).ledger.path == tmp_path / "trials.sqlite"
    assert qtw.backtest.backtest("buy_and_hold", bars, cash=5.0).facts()["trials"] == 2
