"""Daily bars of whole sources, kept at hand."""

import time

import numpy as np
import pandas as pd
import pytest
from minute_frames import minutes
from stored import frame

from qtw_lab.core import DataError
from qtw_lab.data.synthetic import Shape, synthetic_bars
from qtw_lab.lab import Lab, market_bars
from qtw_lab.lab.market_bars import opened


@pytest.fixture
def lab(tmp_path):
    return Lab.offline(tmp_path)


def test_days_are_made_of_minutes_where_a_symbol_has_no_days(lab):
    lab.add(minutes(), "AAA", source="mine", timeframe="1min")
    lab.add(frame(30, "2024-02-01"), "BBB", source="mine")
    bars = opened(lab, "mine").bars
    assert bars.symbols == ("AAA", "BBB")
    assert bars.close["AAA"].dropna().round(2).to_dict() == {
        pd.Timestamp("2024-03-04", tz="UTC"): 103.89, pd.Timestamp("2024-03-05", tz="UTC"): 107.79,
    }  # fmt: skip


def test_a_source_without_days_is_refused_in_words(lab):
    weekly = frame(4).set_axis(pd.date_range("2024-01-01", periods=4, freq="W-MON", tz="UTC"))
    lab.add(weekly, "AAA", source="weeks", timeframe="1W")
    with pytest.raises(DataError, match="weeks has no daily bars"):
        opened(lab, "weeks")


def test_an_unknown_source_is_refused_with_near_misses(lab):
    with pytest.raises(DataError, match="Did you mean 'stocks'"):
        opened(lab, "stock")


def test_only_series_that_changed_are_read_again(lab, monkeypatch):
    for symbol in ("AAA", "BBB", "CCC"):
        lab.add(frame(30), symbol, source="mine")
    before = opened(lab, "mine")
    lab.add(frame(31), "BBB", source="mine")
    asked = []
    real = Lab.bars
    monkeypatch.setattr(
        Lab, "bars", lambda self, symbols, **more: asked.append(list(symbols)) or real(self, symbols, **more)
    )
    after = opened(lab, "mine")
    assert asked == [["BBB"]]
    assert after.stamp != before.stamp
    assert after.bars.symbols == ("AAA", "BBB", "CCC")
    assert len(after.bars) == 31
    assert after.bars.fingerprint == real(lab, ["AAA", "BBB", "CCC"], source="mine").fingerprint


def test_a_series_that_shrank_or_went_leaves_nothing_behind(lab):
    for symbol in ("AAA", "BBB"):
        lab.add(frame(30), symbol, source="mine")
    opened(lab, "mine")
    lab.add(frame(10), "AAA", source="mine", afresh=True)
    assert opened(lab, "mine").bars.present[:, 0].sum() == 10
    for path in lab.store.folder.glob("series/mine/1D/AAA*.json"):
        path.unlink()
    assert opened(lab, "mine").bars.symbols == ("BBB",)


def test_the_same_bars_are_not_read_twice_and_few_sources_are_kept(lab):
    for number in range(5):
        lab.add(frame(30), "AAA", source=f"mine{number}")
    first = opened(lab, "mine0").bars
    assert opened(lab, "mine0").bars is first
    for number in range(1, 5):
        opened(lab, f"mine{number}")
    assert opened(lab, "mine0").bars is not first


@pytest.mark.parametrize("factors", ["none", "all", "some", "split unknown"])
def test_many_symbols_are_read_by_one_query_as_they_are_one_by_one(factors, lab, monkeypatch):
    for place, symbol in enumerate(("AAA", "BRK.B", "BTC/USD", "^IDX")):
        table = frame(40 + place, close=50.0 + place)
        if factors == "all" or (factors == "some" and place % 2):
            table = table.assign(
                split_factor=np.where(np.arange(len(table)) < 20, 0.5, 1.0), factor=np.linspace(0.4, 1, len(table))
            )
        if factors == "split unknown":
            table = table.assign(factor=np.linspace(0.4, 1, len(table)))
        lab.add(table, symbol, source="mine", notes=[f"of {symbol}"])
    monkeypatch.setattr(market_bars, "_MANY", 1)
    quick = opened(lab, "mine").bars
    slow = lab.bars(list(quick.symbols), source="mine")
    assert quick.fingerprint == slow.fingerprint
    assert (quick.calendar, quick.adjustment, quick.source, quick.series) == (
        slow.calendar,
        slow.adjustment,
        slow.source,
        slow.series,
    )
    assert len(quick.notes) == len(slow.notes)


def test_damaged_bars_are_named_by_the_quick_way_too(lab, monkeypatch):
    for symbol in ("AAA", "BBB"):
        lab.add(frame(30), symbol, source="mine")
    monkeypatch.setattr(market_bars, "_MANY", 1)
    damaged = next(lab.store.folder.glob("objects/*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-10])
    with pytest.raises(DataError, match="are damaged"):
        opened(lab, "mine")


@pytest.mark.slow
def test_thousands_of_stored_symbols_are_opened_once_and_then_at_hand(lab):
    many = synthetic_bars("universe", Shape(symbols=1000, bars=300), seed=3)
    for place, symbol in enumerate(many.symbols):
        table = pd.DataFrame({name: array[:, place] for name, array in many.values.items()}, index=many.index)
        lab.add(table, symbol, source="many")
    opened(lab, "many")
    begun = time.perf_counter()
    assert opened(lab, "many").bars.shape == (300, 1000)
    assert time.perf_counter() - begun < 2.0  # reading every list of versions; bars are at hand
