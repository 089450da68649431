from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab.core import DataError
from qtw_lab.stats import performance as p

DAYS = pd.date_range("2024-01-01", periods=5, tz="UTC")
HIGH = pd.DataFrame({"X": [101.0, 110.0, 108.0, 120.0, 130.0]}, index=DAYS)
LOW = pd.DataFrame({"X": [90.0, 98.0, 95.0, 80.0, 70.0]}, index=DAYS)


def trade(first=0, last=3, entry=100.0, leave=103.0, side="long", **more):
    row = {"symbol": "X", "side": side, "entry_time": DAYS[first], "exit_time": DAYS[last], "entry_price": entry}
    return pd.DataFrame([row | {"exit_price": leave} | more])


def numbers(table):
    return table[["mae", "mfe", "mae_bound", "mfe_bound"]].iloc[0].round(10).tolist()


def test_the_bars_held_whole_are_certain_and_the_first_and_last_only_possible():
    """Bought in bar 0 at 100, sold in bar 3 at 103: bars 1 and 2 reach 95 to 110, bars 0 and 3 also 80 to 120."""
    table = p.trade_excursions(trade(), HIGH, LOW)
    assert numbers(table) == [-0.05, 0.10, -0.20, 0.20]
    assert table["ambiguous"].tolist() == [True]


def test_an_entry_at_the_open_holds_its_bar_and_an_exit_at_the_open_does_not():
    """Bars 0, 1 and 2: 90 to 110."""
    table = p.trade_excursions(trade(), HIGH, LOW, fills="open")
    assert numbers(table) == [-0.10, 0.10, -0.10, 0.10]
    assert table["ambiguous"].tolist() == [False]


def test_an_entry_at_the_close_does_not_hold_its_bar_and_an_exit_at_the_close_does():
    """Bars 1, 2 and 3: 80 to 120."""
    assert numbers(p.trade_excursions(trade(), HIGH, LOW, fills="close")) == [-0.20, 0.20, -0.20, 0.20]


def test_a_short_trade_gains_by_what_a_long_one_loses():
    assert numbers(p.trade_excursions(trade(side="short"), HIGH, LOW)) == [-0.10, 0.05, -0.20, 0.20]


def test_within_one_bar_only_the_prices_paid_are_certain():
    one = trade(1, 1)
    assert numbers(p.trade_excursions(one, HIGH, LOW)) == [0.0, 0.03, -0.02, 0.10]
    assert numbers(p.trade_excursions(one, HIGH, LOW, fills="open")) == [0.0, 0.03, 0.0, 0.03]


def test_an_exit_by_a_stop_happens_inside_its_bar():
    """Entered at an open, stopped at 85 in bar 3, whose high of 120 may have come before."""
    stopped = trade(leave=85.0, reason="stop_loss")
    assert numbers(p.trade_excursions(stopped, HIGH, LOW, fills="open")) == [-0.15, 0.10, -0.20, 0.20]
    assert numbers(p.trade_excursions(trade(reason="signal"), HIGH, LOW, fills="open"))[2:] == [-0.10, 0.10]


def test_an_open_trade_is_held_to_the_end_of_the_last_bar():
    running = trade(last=4, status="open", reason="end of data")
    assert numbers(p.trade_excursions(running, HIGH, LOW, fills="open")) == [-0.30, 0.30, -0.30, 0.30]


def test_a_missing_bar_counts_as_not_seen():
    holes = HIGH.drop(DAYS[1]).reindex(DAYS), LOW.drop(DAYS[1]).reindex(DAYS)
    assert numbers(p.trade_excursions(trade(), *holes)) == [-0.05, 0.08, -0.20, 0.20]


def test_no_trades_give_an_empty_table():
    table = p.trade_excursions(trade().iloc[:0], HIGH, LOW)
    assert table.empty
    assert list(table.columns) == ["mae", "mfe", "mae_bound", "mfe_bound", "ambiguous"]


def test_rows_keep_the_labels_of_the_trades():
    both = pd.concat([trade(), trade(side="short")]).set_axis([7, 3])
    assert p.trade_excursions(both, HIGH, LOW).index.tolist() == [7, 3]


@pytest.mark.parametrize(
    ("trades", "words"),
    [
        (trade().drop(columns="side"), "no column side"),
        (trade(side="buy"), "side 'buy' is unknown"),
        (trade().assign(symbol="Y"), "no symbol Y; they have X"),
        (trade().assign(entry_time=DAYS[0] - pd.Timedelta(hours=1)), "entry_time 2023-12-31 23:00.* is no bar"),
        (trade(first=3, last=0), "ends before it begins"),
        (trade(entry=0.0), "entry_price or exit_price has a price"),
        (trade(leave=np.nan), "entry_price or exit_price has a price"),
    ],
    ids=str,
)
def test_trades_that_make_no_sense_are_refused(trades, words):
    with pytest.raises(DataError, match=words):
        p.trade_excursions(trades, HIGH, LOW)


def test_prices_that_make_no_sense_are_refused():
    with pytest.raises(DataError, match="same bars and symbols"):
        p.trade_excursions(trade(), HIGH, LOW.iloc[1:])
    with pytest.raises(DataError, match="exchanged"):
        p.trade_excursions(trade(), LOW, HIGH)
    with pytest.raises(DataError, match="low has a price"):
        p.trade_excursions(trade(), HIGH, -LOW)
    with pytest.raises(DataError, match="every bar and every symbol once"):
        p.trade_excursions(trade(), pd.concat([HIGH, HIGH]), pd.concat([LOW, LOW]))
    for wrong in ("noon", None, 1):
        with pytest.raises(DataError, match="it can be open, close, inside"):
            p.trade_excursions(trade(), HIGH, LOW, fills=wrong)


@given(
    first=st.integers(0, 4), length=st.integers(0, 4), side=st.sampled_from(["long", "short"]),
    fills=st.sampled_from(["open", "close", "inside"]), entry=st.floats(85, 115), leave=st.floats(85, 115),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_bounds_enclose_each_other_and_the_result(first, length, side, fills, entry, leave):
    held = trade(first, min(first + length, 4), entry, leave, side)
    row = p.trade_excursions(held, HIGH, LOW, fills).iloc[0]
    result = (leave / entry - 1) * (1 if side == "long" else -1)
    assert row["mae_bound"] <= row["mae"] <= min(0.0, result) + 1e-12
    assert row["mfe_bound"] >= row["mfe"] >= max(0.0, result) - 1e-12
    assert row["ambiguous"] == (row["mae"] != row["mae_bound"] or row["mfe"] != row["mfe_bound"])


def test_the_trades_of_a_backtest_are_understood():
    bars = qtw.Lab.offline().bars("AAPL,IBM", "2010-01-01", "2011-12-31")
    trades = qtw.backtest(qtw.strategies.SmaCross(fast=5, slow=20), bars).trades
    table = p.trade_excursions(trades, bars.high, bars.low, fills="open")
    gained = (trades["exit_price"] / trades["entry_price"] - 1) * trades["side"].map({"long": 1, "short": -1})
    assert len(trades) > 10
    assert not table["ambiguous"].any()
    assert (table["mae"] <= gained + 1e-12).all()
    assert (table["mfe"] >= gained - 1e-12).all()
