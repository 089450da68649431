"""Small records whose answers can be counted on fingers."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.venues.market import MINUTE, SECOND
from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.ticks import BAR, DAILY_BAR, MINUTE_BAR, QUOTE, TICK, TRADE, UPDATED_BAR, Symbols, condition_mask

#: 10:00 in New York on 2024-01-05, a session.
TEN = pd.Timestamp("2024-01-05 15:00", tz="UTC").value
NIGHT = pd.Timestamp("2024-01-05 05:00", tz="UTC").value


def rows_of(*given):
    """Trades of (symbol, seconds after ten, price), of 100 shares."""
    rows = np.zeros(len(given), dtype=TICK)
    rows["kind"], rows["tape"], rows["id"], rows["size"] = TRADE, ord("A"), np.arange(len(given)) + 1, 100.0
    for row, (symbol, seconds, price) in zip(rows, given, strict=True):
        row["symbol"], row["time"], row["price"] = symbol, TEN + seconds * SECOND, price
    return rows


def market_of(*given, **more):
    return RecordedMarket.from_rows(rows_of(*given), Symbols(["AAPL", "IBM"]), **more)


def test_rows_arrive_in_their_order_and_none_before_it_happened():
    market = market_of((0, 0, 10.0), (0, 70, 11.0), (0, 50, 12.0))
    assert market.arrivals(*market.span).times.tolist() == [TEN, TEN + 70 * SECOND, TEN + 70 * SECOND]
    assert len(market.events(TEN, TEN + 70 * SECOND)) == 1
    assert market.delay == 20 * SECOND + 1


def test_nothing_is_known_before_it_arrives():
    market = market_of((0, 0, 10.0), (0, 70, 11.0), (0, 50, 12.0))
    asked = ([0], TEN, TEN + MINUTE)
    assert market.trades(*asked, TEN + 69 * SECOND)["price"].tolist() == [10.0]
    assert market.trades(*asked, TEN + 70 * SECOND)["price"].tolist() == [10.0, 12.0]


def test_symbols_come_in_the_order_asked():
    market = market_of((0, 0, 10.0), (1, 1, 20.0), (0, 2, 11.0))
    assert market.trades([1, 0], TEN, TEN + MINUTE, TEN + MINUTE)["price"].tolist() == [20.0, 10.0, 11.0]
    assert market.latest_trades([1, 0], TEN + MINUTE)["price"].tolist() == [20.0, 11.0]


def test_a_minute_is_published_after_a_second_and_updated_at_the_half_minute_if_it_changed():
    market = market_of((0, 0, 10.0), (0, 70, 11.0), (0, 50, 12.0), (0, 200, 10.0))
    bars, times = market.published(TEN, TEN + 4 * MINUTE)
    kinds = [(int(kind), (at - TEN) // SECOND) for kind, at in zip(bars["kind"], times.tolist(), strict=True)]
    assert kinds == [
        (MINUTE_BAR, 61), (DAILY_BAR, 61), (UPDATED_BAR, 90), (MINUTE_BAR, 121), (DAILY_BAR, 121),
    ]  # fmt: skip
    assert bars["close"].tolist() == [10.0, 10.0, 12.0, 11.0, 11.0]


def test_a_bar_is_there_once_its_minute_is_finished():
    market = market_of((0, 0, 10.0), (0, 30, 11.0))
    assert not len(market.bars([0], 60, TEN, TEN + MINUTE, TEN + MINUTE))
    assert market.bars([0], 60, TEN, TEN + MINUTE, TEN + 61 * SECOND)["close"].tolist() == [11.0]
    assert market.bars([0], 15, TEN, TEN + MINUTE, TEN + 16 * SECOND)["close"].tolist() == [10.0]


def test_the_day_so_far_is_the_same_asked_forwards_and_backwards():
    market = market_of(*((0, 20 * place, 10.0 + place % 7) for place in range(60)))
    days = [market.bars([0], "1Day", NIGHT, TEN, TEN + at * MINUTE).tolist() for at in range(1, 19)]
    other = market_of(*((0, 20 * place, 10.0 + place % 7) for place in range(60)))
    back = [other.bars([0], "1Day", NIGHT, TEN, TEN + at * MINUTE).tolist() for at in range(18, 0, -1)]
    assert days == back[::-1]


def test_the_days_before_are_those_that_were_given():
    daily = np.zeros(1, dtype=BAR)
    daily["kind"], daily["time"], daily["close"] = DAILY_BAR, NIGHT - 24 * 3600 * SECOND, 9.0
    market = market_of((0, 0, 10.0), daily=daily)
    assert market.previous_daily([0, 1], TEN)["close"].tolist() == [9.0]
    found = market.bars([0], "1Day", NIGHT - 10**15, TEN, TEN + MINUTE)
    assert found["close"].tolist() == [9.0, 10.0]
    assert found["time"].tolist() == [NIGHT - 24 * 3600 * SECOND, NIGHT]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_of_trades_and_quotes_is_played(tmp_path, ending):
    table = pd.DataFrame({
        "symbol": ["IBM", "IBM", "AAPL"],
        "time": ["2024-01-05T15:00:00.000000001Z", "2024-01-05T15:00:01Z", "2024-01-05T15:00:02Z"],
        "price": [160.0, np.nan, 180.0], "size": [100.0, np.nan, 5.0],
        "bid": [np.nan, 159.9, np.nan], "ask": [np.nan, 160.1, np.nan],
        "bid_size": [np.nan, 300.0, np.nan], "ask_size": [np.nan, 200.0, np.nan],
        "conditions": ["@ F", None, "@I"], "exchange": ["Q", None, "D"], "tape": ["A", "A", "C"],
    })  # fmt: skip
    path = tmp_path / f"record.{ending}"
    table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    market = RecordedMarket(path)
    rows = market.events(*market.span)
    assert market.symbols.names == ["IBM", "AAPL"]
    assert rows["kind"].tolist() == [TRADE, QUOTE, TRADE]
    assert rows["time"][0] == TEN + 1
    assert rows["conditions"][2] == condition_mask("@I")
    assert rows[["price", "other_price", "size", "other_size"]][1].item() == (159.9, 160.1, 300.0, 200.0)
    assert rows["id"].tolist() == [1, 0, 1]
    assert [asset["exchange"] for asset in market.assets()] == ["NYSE", "NASDAQ"]


def test_what_is_wrong_with_a_record_is_said(tmp_path):
    with pytest.raises(DataError, match="at least one row"):
        market_of()
    with pytest.raises(DataError, match="comes twice"):
        RecordedMarket.from_rows(np.repeat(rows_of((0, 0, 10.0)), 2), Symbols(["AAPL"]))
    with pytest.raises(DataError, match="price nan"):
        market_of((0, 0, np.nan))
    with pytest.raises(DataError, match="before it happened"):
        market_of((0, 0, 10.0), arrivals=np.array([TEN - 1]))
    with pytest.raises(DataError, match="symbols are named"):
        market_of((2, 0, 10.0))
    path = tmp_path / "bad.csv"
    path.write_text("symbol,time,prise\nIBM,2024-01-05T15:00Z,1\n")
    with pytest.raises(DataError, match="price"):
        RecordedMarket(path)
    path.write_text("symbol,time,price,size\nIBM,2024-01-05T15:00Z,-1,1\n")
    with pytest.raises(DataError, match="not negative"):
        RecordedMarket(path)
    path.write_text("symbol,time,price,size\nIBM,soon,1,1\n")
    with pytest.raises(DataError, match="must hold times"):
        RecordedMarket(path)
    with pytest.raises(DataError, match="adjustment"):
        market_of((0, 0, 10.0)).bars([0], 60, TEN, TEN, TEN, "none")
    with pytest.raises(DataError, match="length of bars"):
        market_of((0, 0, 10.0)).bars([0], 0, TEN, TEN, TEN)
