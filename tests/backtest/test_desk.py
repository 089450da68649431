"""How orders become rows: one a line, those of a symbol together, legs behind their parent."""

import numpy as np
import pandas as pd
import pytest

from qtw_lab.backtest import desk as d
from qtw_lab.backtest.desk import Desk
from qtw_lab.backtest.market import Market
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Order
from qtw_lab.ledger import Entry

DAY = pd.Timedelta(days=1)
START = pd.Timestamp("2024-01-01", tz="UTC")


@pytest.fixture
def bars(bars_of):
    return bars_of(X=[1.0] * 4, Y=[1.0] * 4)


def _order(symbol: str = "X", side: str = "buy", at: pd.Timestamp = START, **given: object) -> Order:
    return Order(symbol, side, given.pop("quantity", 1.0), at, **given)


def test_no_orders_are_no_rows(bars):
    desk = Desk.of(bars, Terms.given())
    assert desk.rows.shape == (0, d.FIELDS)
    assert desk.spans.tolist() == [[0, 0], [0, 0]]
    assert desk.states(desk.rows, 0, Market.of(bars, Terms.given())).shape == (0, 3)


def test_the_rows_of_a_symbol_lie_together_in_the_order_given(bars):
    orders = [_order("Y", quantity=1), _order("X", quantity=2), _order("Y", quantity=3), _order("X", quantity=4)]
    desk = Desk.of(bars, Terms.given(), orders)
    assert desk.spans.tolist() == [[0, 2], [2, 4]]
    assert desk.rows[:, d.QUANTITY].tolist() == [2, 4, 1, 3]
    assert desk.rows[:, d.OWNER].tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize(
    ("at", "live"),
    [
        (START - DAY, 0),
        (START, 1),  # a bar starts then; the order is live from the next
        (START + pd.Timedelta(seconds=1), 1),
        (START + 3 * DAY, 4),  # never
        (pd.Timestamp("2024-01-01 19:00", tz="America/New_York"), 2),  # midnight of 2 January in UTC
        (pd.Timestamp("2023-12-31 18:00", tz="America/New_York"), 0),
    ],
)
def test_an_order_is_live_from_the_first_bar_that_starts_after_it_was_submitted(bars, at, live):
    assert Desk.of(bars, Terms.given(), [_order(at=at)]).rows[0, d.LIVE] == live


def test_a_row_says_what_the_order_says(bars):
    order = _order(
        "X", "sell", quantity=7, type="stop_limit", stop_price=9.0, limit_price=8.5, good_for=3, oco="exit"
    )  # fmt: skip
    trail = _order(type="trailing_stop", trail_percent=5.0, time_in_force="day")
    rows = Desk.of(bars, Terms.given(), [order, trail]).rows
    first = rows[0]
    assert (first[d.SIDE], first[d.QUANTITY], first[d.STOP], first[d.LIMIT]) == (-1, 7, 9.0, 8.5)
    assert d.TYPES[int(first[d.TYPE])] == "stop_limit"
    assert (d.FORCES[int(first[d.FORCE])], first[d.BARS], first[d.GROUP]) == ("gtc", 3, 0)
    assert (rows[1, d.TRAIL], rows[1, d.TRAIL_FRACTION], rows[1, d.GROUP]) == (0, 0.05, -1)
    assert d.FORCES[int(rows[1, d.FORCE])] == "day"
    assert (rows[:, d.STATUS] == d.IDLE).all()


def test_groups_of_one_name_are_one_within_a_symbol_and_two_across_symbols(bars):
    orders = [_order("X", oco="a"), _order("Y", oco="a"), _order("X", oco="b"), _order("X", oco="a")]
    groups = Desk.of(bars, Terms.given(), orders).rows[:, d.GROUP]
    by_owner = dict(zip((0, 2, 3, 1), groups, strict=True))
    assert by_owner[0] == by_owner[3]
    assert len({by_owner[0], by_owner[1], by_owner[2]}) == 3


def test_legs_follow_their_order_and_cancel_each_other_only(bars):
    orders = [_order(take_profit=11.0, stop_loss=9.0), _order(side="sell", take_profit=0.2, legs_relative=True)]
    rows = Desk.of(bars, Terms.given(), orders).rows
    assert rows[:, d.PARENT].tolist() == [-1, 0, 0, -1, 3]
    assert rows[:, d.SIDE].tolist() == [1, -1, -1, -1, 1]
    assert (rows[1, d.STOP], rows[2, d.LIMIT]) == (9.0, 11.0)
    assert [d.TYPES[int(row[d.TYPE])] for row in rows[[1, 2, 4]]] == ["stop", "limit", "limit"]
    assert rows[4, d.LEG] == -0.2  # a short's target lies below
    assert rows[1, d.GROUP] == rows[2, d.GROUP] != rows[4, d.GROUP]
    assert (rows[[1, 2, 4], d.GROUP] < -1).all()
    assert np.isnan(rows[1:3, d.QUANTITY]).all()  # known when the parent is filled


def test_with_entry_orders_the_first_row_of_every_symbol_is_its_entry(bars):
    desk = Desk.of(bars, Terms.given(entry=Entry.limit(0.01)), [_order("Y")])
    assert desk.spans.tolist() == [[0, 1], [1, 3]]
    assert desk.rows[[0, 1], d.STATUS].tolist() == [d.CANCELLED, d.CANCELLED]
    assert desk.rows[:, d.OWNER].tolist() == [-1, -1, 0]


def test_the_end_of_an_order_is_told_in_words_and_legs_and_entries_are_not_orders(bars):
    orders = [_order("X", take_profit=11.0), _order("Y"), _order("Y"), _order("Y"), _order("X")]
    desk = Desk.of(bars, Terms.given(entry=Entry.limit(0.01)), orders)
    rows = desk.rows.copy()
    ends = {0: (d.FILLED, 2.0, 20.0), 1: (d.EXPIRED, 0, 0), 2: (d.CANCELLED, 1, 5), 3: (d.REJECTED, 0, 0)}
    ends[4] = (d.WORKING, 0, 0)
    for row in rows:
        if row[d.OWNER] >= 0:
            row[[d.STATUS, d.DONE, d.PAID]] = ends[int(row[d.OWNER])] if row[d.PARENT] < 0 else (d.CANCELLED, 9, 9)
    states = desk.states(rows, 5, Market.of(bars, Terms.given()))
    words = [d.STATES[int(code)] for code in states[:, 0]]
    assert words == ["filled", "expired", "cancelled", "rejected", "open"]
    assert states[:, 1].tolist() == [2, 0, 1, 0, 0]
    assert states[[0, 2], 2].tolist() == [10.0, 5.0]
    assert np.isnan(states[[1, 3, 4], 2]).all()
