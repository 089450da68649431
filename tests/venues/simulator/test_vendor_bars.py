"""Bars are worked out by hand from a few trades, or again in decimals by a loop that shares nothing with the code."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.venues.market import CANCELED, CORRECTED, INCORRECT, Arrivals
from qtw_lab.venues.simulator.vendor_bars import added, bars_of, finished, standing, sums_of
from qtw_lab.venues.ticks import (
    CANCEL,
    CORRECTION,
    DAILY_BAR,
    MINUTE_BAR,
    TICK,
    TRADE,
    condition_mask,
)


def trades(*given, tape="A"):
    """Rows of (time, price, size, conditions), with ids in order."""
    rows = np.zeros(len(given), dtype=TICK)
    rows["kind"], rows["tape"], rows["id"] = TRADE, ord(tape), np.arange(len(given)) + 1
    for row, (time, price, size, conditions) in zip(rows, given, strict=True):
        row["time"], row["price"], row["size"], row["conditions"] = time, price, size, condition_mask(conditions)
    return rows


def bar(rows, kind=MINUTE_BAR):
    made = bars_of(rows, np.zeros(len(rows), dtype=np.int64), kind)
    assert len(made) == 1
    return made[0]


def test_an_odd_lot_adds_volume_and_sets_no_price():
    made = bar(trades((1, 10.0, 100, " "), (2, 12.0, 5, "I"), (3, 10.5, 100, " ")))
    assert (made["open"], made["high"], made["low"], made["close"]) == (10.0, 10.5, 10.0, 10.5)
    assert (made["volume"], made["count"], made["vwap"]) == (205.0, 3, 10.25)


def test_a_form_t_trade_prices_a_minute_and_not_a_day():
    rows = trades((1, 9.0, 100, "T"), (2, 10.0, 100, " "))
    assert bar(rows)["open"] == 9.0
    assert bar(rows, DAILY_BAR)["open"] == 10.0
    assert bar(rows, DAILY_BAR)["volume"] == 200.0


def test_official_prices_count_in_nothing():
    made = bar(trades((1, 10.0, 100, " "), (2, 11.0, 700, "Q"), (3, 12.0, 700, "M")))
    assert (made["high"], made["volume"], made["count"]) == (10.0, 100.0, 1)


def test_a_trade_out_of_sequence_closes_a_day_only_if_it_is_the_first():
    assert bar(trades((1, 10.0, 100, " "), (2, 11.0, 100, "Z")), DAILY_BAR)["close"] == 10.0
    assert bar(trades((1, 11.0, 100, "Z"), (2, 11.5, 100, "Z")), DAILY_BAR)["close"] == 11.0


def test_without_a_price_there_is_no_bar():
    rows = trades((1, 10.0, 5, "I"))
    assert not len(bars_of(rows, np.zeros(1, dtype=np.int64), MINUTE_BAR))
    assert not len(bars_of(rows[:0], np.zeros(0, dtype=np.int64), MINUTE_BAR))


def test_the_id_orders_trades_of_one_instant():
    made = bar(trades((1, 10.0, 100, " "), (1, 10.2, 100, " "), (1, 10.1, 100, " "))[::-1])
    assert (made["open"], made["close"]) == (10.0, 10.1)


def notice(kind, number, **fields):
    row = trades((1, 10.0, 100, " "))
    row["kind"], row["id"] = kind, number
    for name, value in fields.items():
        row[name] = value
    return row


def test_a_corrected_trade_is_replaced_at_its_own_time():
    rows = np.concatenate([
        trades((1, 10.0, 100, " "), (2, 11.0, 100, " ")),
        notice(CORRECTION, 1, second_id=9, price=10.5, size=50.0),
    ])  # fmt: skip
    known = standing(Arrivals(rows, np.array([1, 2, 7])), now=7)
    assert known[["id", "time", "price", "flag"]].tolist() == [
        (1, 1, 10.0, INCORRECT), (9, 1, 10.5, CORRECTED), (2, 2, 11.0, 0),
    ]  # fmt: skip
    assert bar(known)["open"] == 10.5
    assert bar(known)["volume"] == 150.0
    assert bar(standing(Arrivals(rows, np.array([1, 2, 7])), now=6))["open"] == 10.0


def test_a_correction_can_be_corrected_and_then_cancelled():
    rows = np.concatenate([
        trades((1, 10.0, 100, " ")),
        notice(CORRECTION, 1, second_id=2, price=11.0),
        notice(CORRECTION, 2, second_id=3, price=12.0),
        notice(CANCEL, 3),
    ])  # fmt: skip
    arrivals = Arrivals(rows, np.array([1, 2, 3, 4]))
    assert bar(standing(arrivals, now=3))["open"] == 12.0
    assert standing(arrivals, now=4)["flag"].tolist() == [INCORRECT, INCORRECT, CANCELED]


def test_a_notice_for_another_exchange_changes_nothing():
    rows = np.concatenate([trades((1, 10.0, 100, " ")), notice(CANCEL, 1, exchange=ord("N"))])
    assert standing(Arrivals(rows, np.array([1, 2])), now=9)["flag"].tolist() == [0]


def in_decimals(rows):
    """Open, high, low, close, volume and vwap of plain trades, one after the other."""
    ordered = sorted(rows.tolist(), key=lambda row: (row[5], row[6]))
    prices = [Decimal(str(row[9])) for row in ordered]
    sizes = [Decimal(str(row[10])) for row in ordered]
    worth = sum(price * size for price, size in zip(prices, sizes, strict=True))
    ends = (prices[0], max(prices), min(prices), prices[-1])
    return [float(value) for value in (*ends, sum(sizes), worth / sum(sizes))]


CENTS = st.integers(1, 100_000).map(lambda cents: cents / 100)
SIZES = st.integers(1, 10_000_000).map(lambda parts: parts / 10_000)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 59), CENTS, SIZES), min_size=1, max_size=30), st.randoms())
def test_bars_equal_sums_in_decimals_whatever_the_order(drawn, chance):
    rows = trades(*((time, price, size, " ") for time, price, size in drawn))
    shuffled = rows[chance.sample(range(len(rows)), len(rows))]
    made = bar(shuffled)
    expected = in_decimals(rows)
    assert made.item() == bar(rows).item()
    got = [float(made[name]) for name in ("open", "high", "low", "close", "volume", "vwap")]
    assert got[:5] == expected[:5]
    assert got[5] == pytest.approx(expected[5], abs=1e-6 * len(rows) / expected[4] + 1e-9)


LETTERS = st.sampled_from([" ", "I", "T", "Z", "U", "Q", "4", "6", "O"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 99), CENTS, SIZES, LETTERS), min_size=1, max_size=40))
def test_a_day_added_up_in_parts_is_the_day(drawn):
    rows = trades(*drawn)
    whole = bars_of(rows, np.zeros(len(rows), dtype=np.int64), DAILY_BAR)
    parts = sums_of(rows, rows["time"] // 7 * 7, DAILY_BAR)
    assert finished(added(parts, np.zeros(len(parts), dtype=np.int64)), DAILY_BAR).tolist() == whole.tolist()
