"""One fill in the compiled account: cash, shares, mean price, counts and the order list, each as on paper."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab.backtest import book as b
from qtw_lab.backtest.rules import ORDER_COLUMNS, Rules
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import Fill, Position
from qtw_lab.ledger import Account


class Desk:
    """An account of one symbol, to book fills in."""

    def __init__(self, rules: Rules, room: int = 50, cash: float = 1000.0) -> None:
        self.rules = rules
        self.state, self.book = np.zeros((b.STATES, 1)), np.zeros(b.BOOK)
        self.book[b.CASH] = cash
        self.orders = np.full((room, len(ORDER_COLUMNS)), np.nan)

    def fill(self, quantity: float, price: float, quoted: float | None = None, *, resting=False, first=True) -> "Desk":
        paid = float(price)
        told = paid if quoted is None else float(quoted)
        b.trade(3, 0, float(quantity), paid, told, 6, 2, resting, first, self.state, self.book, self.rules, self.orders)
        return self


def _rules(costs: qtw.Costs | None = None, **given) -> Rules:
    return Terms.given(costs, **given).rules("signals")


def test_the_places_of_the_book_do_not_overlap():
    assert b.UNSETTLED + 5 < b.BOOK  # five sessions are the longest settlement of an account
    assert len({b.CASH, b.FILLS, b.OPENED, b.TRADED, b.COMMISSION, b.SLIPPAGE, b.AMBIGUOUS, b.UNSETTLED}) == 8
    with pytest.raises(qtw.DataError):
        Account.cash(settlement=6)


def test_a_buy_takes_money_and_a_sale_brings_it():
    desk = Desk(_rules()).fill(5, 100).fill(-2, 110)
    assert desk.book[b.CASH] == 1000 - 500 + 220
    assert desk.state[b.HELD, 0] == 3
    assert desk.state[b.AVERAGE, 0] == 100
    assert (desk.book[b.FILLS], desk.book[b.OPENED], desk.book[b.TRADED]) == (2, 1, 720)


def test_slippage_and_fees_are_counted_apart():
    costs = qtw.Costs(commission_bps=100, commission_per_order=2, maker_bps=10, sell_fee_bps=50)
    desk = Desk(_rules(costs)).fill(10, 10.1, 10.0)
    assert desk.book[b.SLIPPAGE] == pytest.approx(1.0)
    assert desk.book[b.COMMISSION] == pytest.approx(2 + 1.01)
    desk.fill(-5, 10.0, resting=True, first=False)
    assert desk.orders[1, ORDER_COLUMNS.index("commission")] == pytest.approx(0.05 + 0.25)


def test_a_fill_is_listed_as_the_columns_say():
    desk = Desk(_rules(qtw.Costs(commission_per_share=1))).fill(-4, 9.9, 10.0)
    row = dict(zip(ORDER_COLUMNS, desk.orders[0], strict=True))
    assert row == {
        "bar": 3, "symbol": 0, "quantity": -4, "price": 9.9, "quoted": 10.0, "commission": 4, "reason": 6,
        "ambiguous": 0, "order": 2,
    }  # fmt: skip


def test_without_room_in_the_list_fills_are_counted_all_the_same():
    desk = Desk(_rules(), room=1).fill(1, 10).fill(1, 10).fill(1, 10)
    assert desk.book[b.FILLS] == 3
    assert desk.orders.shape == (1, len(ORDER_COLUMNS))


def test_a_turn_starts_a_new_position_with_its_own_mean_and_best_price():
    desk = Desk(_rules()).fill(5, 100)
    desk.state[b.BEST, 0] = 130
    desk.fill(-8, 120)
    assert desk.state[[b.HELD, b.AVERAGE, b.BEST], 0].tolist() == [-3, 120, 120]
    assert desk.book[b.OPENED] == 2


def test_the_best_price_stays_when_a_position_grows():
    desk = Desk(_rules()).fill(5, 100)
    desk.state[b.BEST, 0] = 130
    desk.fill(5, 110)
    assert desk.state[[b.AVERAGE, b.BEST], 0].tolist() == [105, 130]


def test_proceeds_wait_for_their_session_without_their_fees():
    desk = Desk(_rules(qtw.Costs(commission_per_share=1), account=Account.cash(settlement=2))).fill(5, 100)
    assert desk.book[b.UNSETTLED] == 0
    desk.fill(-2, 110)
    assert desk.book[b.UNSETTLED] == desk.book[b.UNSETTLED + 2] == 220 - 2
    assert desk.book[b.UNSETTLED + 1] == 0


def test_a_fill_uses_up_the_volume_of_its_bar_and_no_more_than_there_is():
    desk = Desk(_rules(participation=0.1))
    desk.state[b.ROOM, 0] = 6
    desk.fill(4, 10)
    assert desk.state[b.ROOM, 0] == 2
    desk.fill(-4, 10)
    assert desk.state[b.ROOM, 0] == 0


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 400)), min_size=1, max_size=20))
def test_shares_mean_price_and_cash_are_those_of_a_position_of_the_core(fills):
    """`core.orders.Position` is the house's other bookkeeping; quarters of a unit are exact in binary."""
    desk, position = Desk(_rules()), Position("X")
    for quantity, quarters in fills:
        desk.fill(quantity, quarters / 4)
        position = position.after(Fill("X", quantity, quarters / 4, 0.0, None))
    assert desk.state[b.HELD, 0] == position.quantity
    if position.quantity:
        assert desk.state[b.AVERAGE, 0] == pytest.approx(position.average_price)
    # Money in the account and shares at cost: what it started with and the profit booked.
    assert desk.book[b.CASH] + position.quantity * position.average_price == pytest.approx(1000 + position.realized)
