from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.plots import candles


def data(layout: Any, name: str) -> dict[str, Any]:
    return layout.select_one({"name": name}).data_source.data


def test_marks_stand_at_the_bar_and_price_of_the_trade(apple: pd.DataFrame, trades: pd.DataFrame) -> None:
    layout = candles(apple, trades)
    last = len(apple)
    assert data(layout, "long entry")["entry_bar"].tolist() == [last - 90, last - 20]
    assert data(layout, "short entry")["entry_bar"].tolist() == [last - 70]
    assert data(layout, "exit")["exit_bar"].tolist() == [last - 80, last - 50]
    np.testing.assert_array_equal(data(layout, "long entry")["entry_price"], trades["entry_price"].iloc[[0, 2]])


def test_a_closed_trade_is_joined_in_the_colour_of_its_result(apple: pd.DataFrame, trades: pd.DataFrame) -> None:
    assert list(data(candles(apple, trades), "trades")["result"]) == ["gain", "loss"]
    # without a profit column the prices decide: AAPL rose from the first entry to the first exit or fell, as they say
    plain = trades.drop(columns=["pnl", "return", "quantity", "symbol"]).iloc[:1]
    better = plain.assign(side="short", entry_price=80.0, exit_price=70.0)
    assert list(data(candles(apple, better), "trades")["result"]) == ["gain"]


def test_a_time_within_a_bar_belongs_to_that_bar(apple: pd.DataFrame, trades: pd.DataFrame) -> None:
    later = trades.assign(entry_time=trades["entry_time"] + pd.Timedelta(hours=15))
    layout = candles(apple, later)
    assert data(layout, "short entry")["entry_bar"].tolist() == [len(apple) - 70]


def test_trades_outside_the_bars_are_counted_in_the_legend(apple: pd.DataFrame, trades: pd.DataFrame) -> None:
    layout = candles(apple.tail(60), trades)
    labels = [item.label.value for item in layout.children[0].legend[0].items]
    assert "1 trade(s) outside these bars not drawn" in labels
    assert layout.select_one({"name": "short entry"}) is None  # it began before the first bar ...
    assert len(data(layout, "exit")["exit_bar"]) == 1  # ... but ended inside


def test_trades_after_the_last_bar_are_not_put_on_it(apple: pd.DataFrame, trades: pd.DataFrame) -> None:
    layout = candles(apple.iloc[:-85], trades.iloc[1:])
    assert [item.label.value for item in layout.children[0].legend[0].items] == [
        "2 trade(s) outside these bars not drawn"
    ]


def test_no_trades_are_no_marks(apple: pd.DataFrame, trades: pd.DataFrame) -> None:
    layout = candles(apple.tail(30), trades.iloc[:0])
    assert layout.select_one({"name": "long entry"}) is None


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.drop(columns=["side", "exit_time"]), "lacks exit_time, side"),
        (lambda t: t.assign(symbol=["AAPL", "IBM", "AAPL"]), "2 symbols \\(AAPL, IBM\\)"),
        (lambda t: t.assign(side="buy"), "'long' or 'short', not 'buy'"),
        (lambda t: t.assign(entry_price="x"), "trades' entry_price must be numbers"),
        (lambda t: t.assign(entry_time=t["entry_time"].dt.tz_localize(None)), "both a time zone, or neither"),
        (lambda t: t.assign(entry_time="yesterday noon"), "cannot be compared"),
    ],
)
def test_trades_that_cannot_be_placed_are_refused(
    apple: pd.DataFrame, trades: pd.DataFrame, spoil: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        candles(apple, spoil(trades))
