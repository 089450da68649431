"""Sums of fills are those of adding everything up, and open orders come to what they can still fill."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.ledger.tally import Tally, exits_open, still_open
from qtw_lab.ledger.tickets import Exit, Ticket

D = Decimal
NAN = D("NaN")


def same(one, other):
    return [str(part) for part in one] == [str(part) for part in other]


fills = st.lists(st.tuples(
    st.sampled_from("abc"), st.sampled_from(("X", "Y")), st.integers(-5, 5).filter(bool).map(D),
    st.integers(1, 9).map(D), st.booleans(),
))  # fmt: skip


@given(fills)
def test_sums_kept_up_are_sums_added_up(made):
    tally = Tally()
    for order, symbol, shares, price, counts in made:
        tally.fill(order, symbol, shares, price, counts=counts)
    held = {symbol: sum(one[2] for one in made if one[1] == symbol) for symbol in ("X", "Y")}
    assert tally.positions == {symbol: shares for symbol, shares in held.items() if shares}
    assert tally.traded == sum(abs(shares) * price for _, _, shares, price, counts in made if counts)
    for order in "abc":
        assert tally.filled.get(order, 0) == sum(abs(one[2]) for one in made if one[0] == order)
        assert tally.spent.get(order, 0) == sum(abs(one[2]) * one[3] for one in made if one[0] == order)


@pytest.mark.parametrize(
    ("ticket", "mark", "left"),
    [
        (Ticket("X", "buy", "market", "day", qty=D(5)), D(10), (D(3), D(0))),
        (Ticket("X", "buy", "market", "day", qty=D(5)), None, (D(3), D(0))),
        (Ticket("X", "sell", "limit", "day", qty=D(5), limit_price=D(9)), D(10), (D(-3), D(10))),
        (Ticket("X", "sell", "limit", "day", qty=D(5), limit_price=D(9)), None, (D(-3), NAN)),
        (Ticket("X", "buy", "limit", "day", qty=D(5), limit_price=D(12)), D(10), (D(3), D(12))),
        (Ticket("X", "buy", "trailing_stop", "day", qty=D(5), trail_price=D(1)), D(10), (D(3), D(11))),
        (Ticket("X", "buy", "market", "day", qty=D(1)), D(10), (D(0), D(0))),  # more was filled than it asked for
        (Ticket("X", "buy", "market", "day", qty=NAN), D(10), (NAN, D(0))),
        (Ticket("X", "buy", "market", "day", notional=D(100)), D(10), (D(8), D(0))),
        (Ticket("X", "buy", "limit", "day", notional=D(100), limit_price=D(5)), D(10), (D(16), D(10))),
        (Ticket("X", "buy", "market", "day", notional=D(100)), None, (NAN, D(0))),
        (Ticket("X", "buy", "market", "day"), D(10), (NAN, D(0))),
    ],
)
def test_an_order_comes_to_what_it_has_not_filled_at_the_dearest(ticket, mark, left):
    assert same(still_open(ticket, mark, D(2), D(20)), left)


def test_exits_of_which_one_cancels_the_other_count_once_at_the_higher_price():
    exits = {"target": Exit(limit=D(8)), "stop_loss": Exit(stop=D(13), limit=D(14))}
    entry = Ticket("X", "sell", "market", "gtc", qty=D(5), shape="bracket", **exits)
    assert same(still_open(entry, D(10)), (D(-5), D(0)))
    assert same(exits_open(entry, D(10), D(5), D(2)), (D(3), D(14)))
    pair = Ticket("X", "buy", "limit", "gtc", qty=D(5), limit_price=D(8), shape="oco", **exits)
    assert same(still_open(pair, D(10), D(1)), (D(4), D(14)))
    assert same(exits_open(pair, D(10), D(4)), (D(4), D(14)))
