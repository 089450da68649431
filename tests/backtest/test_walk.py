"""The inside of a bar: which path is followed, and what the orders on it become. Numbers worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab.core import Bars, Order
from qtw_lab.strategies.order_list import OrderList

BEFORE = pd.Timestamp("2023-12-31", tz="UTC")
DAY = pd.Timedelta(days=1)


def _bars(*rows: tuple[float, ...]) -> Bars:
    """Open, high, low, close and perhaps volume."""
    table = pd.DataFrame([(*row, 1e6)[:5] for row in rows], columns=["open", "high", "low", "close", "volume"])
    table.index = pd.date_range("2024-01-01", periods=len(rows), tz="UTC")
    return Bars.from_frame(table.astype(float), symbol="X", calendar="XNYS")


def _flat(price: float) -> tuple[float, float, float, float]:
    return (price,) * 4


def _order(side: str, quantity: float, type: str = "market", *, at: int = 0, **given: Any) -> Order:  # noqa: A002  (a field)
    """Live in bar `at`."""
    return Order("X", side, quantity, BEFORE + at * DAY, type, **given)


def _run(orders: list[Order], *rows: tuple[float, ...], **given: Any) -> qtw.Result:
    return qtw.backtest(OrderList(orders), _bars(*rows), **{"cash": 10_000.0} | given)


def _fills(result: qtw.Result) -> list[tuple[int, float, float]]:
    """Bar, signed shares, price."""
    orders = result.orders
    bars = result.bars.index.get_indexer(orders["time"])
    signed = np.where(orders["side"] == "buy", 1.0, -1.0) * orders["quantity"]
    return list(zip(bars.tolist(), signed.tolist(), orders["price"].tolist(), strict=True))


TAKER = qtw.Costs(commission_bps=100, maker_bps=0)


@pytest.mark.parametrize(
    ("order", "price", "fee"),
    [
        (_order("buy", 1, "limit", limit_price=99), 99, 0),
        (_order("buy", 1, "limit", limit_price=102), 100, 1.0),  # at the open: it takes
        (_order("buy", 1, "stop", stop_price=103), 103, 1.03),
        (_order("buy", 1, "stop_limit", stop_price=103, limit_price=106), 103, 1.03),  # touched, its limit is better
        (_order("buy", 1, "stop_limit", stop_price=103, limit_price=101), 101, 0),  # waits for its own limit
    ],
    ids=["limit", "limit at the open", "stop", "stop-limit that takes", "stop-limit that rests"],
)
def test_the_makers_rate_is_for_a_limit_that_fills_inside_the_bar_at_its_own_limit(order, price, fee):
    result = _run([order], (100, 105, 98, 100), _flat(100), costs=TAKER)
    assert _fills(result.optimistic) == [(0, 1.0, price)]
    assert result.optimistic.orders["commission"].tolist() == pytest.approx([fee])


@pytest.mark.parametrize(
    "order",
    [
        _order("sell", 10, "stop", stop_price=95),
        _order("sell", 10, "trailing_stop", trail_price=5),
        _order("sell", 10, "trailing_stop", trail_percent=5),
    ],
    ids=["stop", "trailing amount", "trailing percent"],
)
def test_what_the_volume_leaves_of_a_stop_that_was_touched_goes_on_as_a_market_order(order):
    """5 of 10 find volume at the stop; the price recovers, and the rest leaves at the next open all the same."""
    result = _run(
        [_order("buy", 10), order], _flat(100), (100, 100, 94, 98, 50), (98, 99, 97, 98, 50), participation=0.1
    )
    assert _fills(result) == [(0, 10, 100), (1, -5, 95), (2, -5, 98)]
    assert result.submitted["state"].tolist() == ["filled", "filled"]


def test_a_stop_limit_that_is_touched_keeps_its_limit_for_what_the_volume_leaves():
    result = _run(
        [_order("buy", 10, "stop_limit", stop_price=103, limit_price=104)],
        (100, 103, 99, 103, 50), (105, 105, 104.5, 105, 50), (105, 105, 103, 104, 50), participation=0.1,
    )  # fmt: skip
    assert _fills(result) == [(0, 5, 103), (2, 5, 104)]


def test_the_worse_path_is_the_one_that_leaves_less_at_the_close():
    """Down first: bought at 97, and the target of 103 is still to come. Up first: bought at 97 and held at 99."""
    order = _order("buy", 10, "limit", limit_price=97, take_profit=103)
    result = _run([order], (100, 104, 96, 99), _flat(99))
    assert _fills(result) == [(0, 10, 97)]
    assert _fills(result.optimistic) == [(0, 10, 97), (0, -10, 103)]
    assert result.equity.iloc[0] == 10_000 + 10 * (99 - 97)
    assert result.optimistic.equity.iloc[0] == 10_000 + 10 * (103 - 97)
    assert result.orders["ambiguous"].tolist() == [True]
    assert result.ambiguous_trades == 1.0


def test_a_bar_that_ends_alike_on_both_paths_is_not_ambiguous_and_goes_low_first():
    orders = [_order("buy", 10), _order("sell", 10, "stop", stop_price=95), _order("buy", 10, "stop", stop_price=105)]
    result = _run(orders, (100, 106, 94, 100), _flat(100))
    # Low first: sold at 95, bought at 105. High first: bought at 105, sold at 95. The same in the end.
    assert _fills(result) == [(0, 10, 100), (0, -10, 95), (0, 10, 105)]
    assert not result.orders["ambiguous"].any()


def test_an_ambiguous_bar_without_a_fill_on_the_worse_path_shows_in_the_band():
    order = _order("buy", 10, "stop_limit", stop_price=104, limit_price=101)
    result = _run([order], (100, 105, 100, 104), _flat(104))
    assert result.orders.empty
    assert _fills(result.optimistic) == [(0, 10, 101)]
    assert result.band.loc["final_equity"].tolist() == [10_000.0, 10_030.0]


def test_a_bar_that_stands_still_meets_everything_once():
    orders = [
        _order("buy", 1, "limit", limit_price=100), _order("buy", 2, "stop", stop_price=100),
        _order("buy", 3, "stop_limit", stop_price=100, limit_price=100),
    ]  # fmt: skip
    assert _fills(_run(orders, _flat(100), _flat(100))) == [(0, 1, 100), (0, 2, 100), (0, 3, 100)]


def test_a_trailing_order_does_not_follow_the_bars_before_its_own():
    order = _order("sell", 5, "trailing_stop", at=1, trail_price=5)
    result = _run([_order("buy", 5), order], (100, 130, 100, 100), (100, 101, 96, 97), (97, 97, 90, 90))
    # Up first, 101 is the best price and the stop at 96 is met; down first it stands at 95 then, and at 96 from 101 on.
    assert _fills(result)[1:] == [(1, -5, 96)]
    assert _fills(result.optimistic)[1:] == [(2, -5, 96)]


def test_orders_beside_a_position_do_not_disturb_its_own_stop(told):
    """The stop stands at 95; a limit adds at 97 first, so the mean is 98.5 and the stop moves to 93.575."""
    bars = _bars(_flat(100), (100, 100, 94, 96), (96, 96, 93, 93))
    result = qtw.backtest(
        told(1, 1, 1), bars, orders=[_order("buy", 10, "limit", limit_price=97, at=1)], cash=10_000.0,
        execution="same_close", sizing=qtw.Sizing.fixed_shares(10), stops=qtw.Stops(stop_loss=0.05),
    )  # fmt: skip
    assert _fills(result) == [(0, 10, 100), (1, 10, 97), (2, -20, pytest.approx(98.5 * 0.95))]


PRICES = st.integers(90, 110).map(float)


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(PRICES, PRICES, PRICES, PRICES),
    st.sampled_from(["limit", "stop"]),
    st.sampled_from(["buy", "sell"]),
    PRICES,
    st.sampled_from(["pessimistic", "optimistic"]),
)
def test_a_lone_order_fills_if_and_only_if_its_price_is_in_reach(bar, kind, side, level, path):
    """One order, one bar: the open if that will do, else the level if the bar has it; no path can change it."""
    open_, close = bar[0], bar[3]
    high, low = max(bar), min(bar)
    order = _order(side, 1, kind, **{f"{kind}_price": level})
    result = _run([order], (open_, high, low, close), _flat(close))
    result = result if path == "pessimistic" else result.optimistic
    wants_down = (side == "buy") == (kind == "limit")
    first = [fill for fill in _fills(result) if fill[0] == 0]
    if (open_ <= level) if wants_down else (open_ >= level):
        assert first == [(0, 1.0 if side == "buy" else -1.0, open_)]
    elif (low <= level) if wants_down else (high >= level):
        assert first == [(0, 1.0 if side == "buy" else -1.0, level)]
    else:
        assert first == []
    assert not result.orders["ambiguous"].any()
