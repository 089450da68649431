"""What a trade costs, worked out on paper."""

import math
from dataclasses import FrozenInstanceError, fields
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.ledger import Costs
from qtw_lab.ledger.costs import adverse_move, carry, commission

NAMES = [entry.name for entry in fields(Costs)]
AMOUNT = st.floats(0, 1e9)
RATE = st.floats(0, 1e4)


# --- the set of costs -----------------------------------------------------------------------------------------------


def test_without_a_word_trading_is_free():
    assert Costs().free
    assert Costs().describe() == "none (free trading)"
    assert repr(Costs()) == "Costs()"


@pytest.mark.parametrize("name", NAMES)
def test_any_cost_ends_free_trading_and_is_named(name):
    costs = Costs(**{name: 0.25})
    assert not costs.free
    assert costs.describe() == f"{name.replace('_', ' ')} 0.25"
    assert repr(costs) == f"Costs({name}=0.25)"
    assert eval(repr(costs)) == costs


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value", [-1, -1e-300, math.nan, math.inf, -math.inf, True, False, "10", None, [1], 1j, Decimal(1)]
)
def test_a_cost_is_a_number_of_zero_or_more(name, value):
    with pytest.raises(DataError, match=f"Costs: {name}=.* must be zero or more, and finite"):
        Costs(**{name: value})


@pytest.mark.parametrize("value", [10, 10.0, np.int64(10), np.float32(10), np.float64(10), Fraction(10)])
def test_a_cost_may_be_any_kind_of_number(value):
    assert Costs(commission_bps=value) == Costs(commission_bps=10.0)


def test_costs_are_named_and_frozen():
    with pytest.raises(TypeError):
        Costs(10.0)
    with pytest.raises(TypeError):
        Costs(commision_bps=10.0)
    with pytest.raises(FrozenInstanceError):
        Costs().spread_bps = 1.0


# --- commission -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "quantity", "bps", "per_share", "minimum", "wanted"),
    [
        (10_000.0, 100.0, 10.0, 0.0, 0.0, 10.0),  # 10,000 x 0.0010
        (10_000.0, -100.0, 10.0, 0.0, 0.0, 10.0),  # a sale pays as well
        (10_000.0, 100.0, 0.0, 0.005, 0.0, 0.5),  # 100 x 0.005
        (10_000.0, -100.0, 0.0, 0.005, 1.0, 1.0),  # the least fee counts
        (10_000.0, 1000.0, 0.0, 0.005, 1.0, 5.0),
        (10_000.0, 100.0, 10.0, 0.005, 1.0, 10.5),  # both kinds add up
        (0.0, 0.0, 10.0, 0.005, 1.0, 0.0),  # no trade, no fee
        (0.0, 100.0, 10.0, 0.0, 1.0, 1.0),  # a worthless share traded is a trade
        (10_000.0, 100.0, 0.0, 0.0, 0.0, 0.0),
    ],
)
def test_a_commission_is_the_one_on_paper(amount, quantity, bps, per_share, minimum, wanted):
    assert commission(amount, quantity, bps, per_share, minimum) == pytest.approx(wanted, abs=1e-12)


@given(AMOUNT, st.floats(-1e6, 1e6), RATE, RATE, RATE)
def test_a_commission_is_never_negative_never_below_the_minimum_and_blind_to_direction(
    amount, quantity, bps, share, least
):
    paid = commission(amount, quantity, bps, share, least)
    assert paid == commission(amount, -quantity, bps, share, least)
    assert paid >= (least if quantity else 0.0)
    assert commission(amount, 0.0, bps, share, least) == 0.0


@given(AMOUNT, st.floats(1, 1e6), RATE, RATE)
def test_without_a_minimum_twice_the_trade_costs_twice_as_much(amount, quantity, bps, share):
    once, twice = commission(amount, quantity, bps, share, 0.0), commission(2 * amount, 2 * quantity, bps, share, 0.0)
    assert twice == pytest.approx(2 * once, rel=1e-12)


# --- fill price -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((0.0, 0.0, 0.0, 0.0, 0.0), 0.0),
        ((4.0, 0.0, 0.0, 0.0, 0.0), 0.0002),  # half of four basis points
        ((0.0, 3.0, 0.0, 0.0, 0.0), 0.0003),
        ((4.0, 3.0, 0.0, 0.02, 0.01), 0.0005),
        ((0.0, 0.0, 0.5, 0.02, 0.01), 0.001),  # 0.5 x 0.02 x 0.1
        ((0.0, 0.0, 1.0, 0.02, 0.25), 0.01),  # 1 x 0.02 x 0.5
        ((4.0, 3.0, 0.5, 0.02, 0.01), 0.0015),
        ((4.0, 3.0, 0.5, math.nan, 0.01), 0.0005),  # volatility not known yet
        ((4.0, 3.0, 0.5, 0.02, math.nan), 0.0005),  # volume not known
        ((4.0, 3.0, 0.5, 0.02, 0.0), 0.0005),
        ((4.0, 3.0, 0.5, -0.02, 0.01), 0.0005),
    ],
)
def test_a_fill_is_worse_than_the_price_by_what_paper_says(arguments, wanted):
    assert adverse_move(*arguments) == pytest.approx(wanted, abs=1e-15)


@given(RATE, RATE, st.floats(0, 10), st.floats(0, 1), st.floats(0, 100), st.floats(1, 100))
def test_a_fill_is_never_better_than_the_price_and_a_larger_order_never_cheaper(
    spread, slip, impact, vol, share, times
):
    move = adverse_move(spread, slip, impact, vol, share)
    assert move >= 0.0
    assert adverse_move(spread, slip, impact, vol, share * times) >= move


def test_four_times_the_order_has_twice_the_impact():
    assert adverse_move(0.0, 0.0, 0.7, 0.03, 0.04) == pytest.approx(2 * adverse_move(0.0, 0.0, 0.7, 0.03, 0.01))


# --- holding --------------------------------------------------------------------------------------------------------

DAY = 86_400.0


@pytest.mark.parametrize(
    ("cash", "short", "seconds", "borrow", "margin", "wanted"),
    [
        (1000.0, 0.0, 365 * DAY, 100.0, 0.06, 0.0),  # a plain long position
        (-1000.0, 0.0, 365 * DAY, 0.0, 0.06, 60.0),
        (1000.0, 5000.0, 365 * DAY, 100.0, 0.06, 50.0),
        (-1000.0, 5000.0, 365 * DAY, 100.0, 0.06, 110.0),
        (0.0, 3_650_000.0, DAY, 100.0, 0.0, 100.0),  # 3,650,000 x 1% / 365
        (0.0, 3_650_000.0, 3 * DAY, 100.0, 0.0, 300.0),  # over a weekend
        (-36_500.0, 0.0, DAY / 2, 0.0, 0.1, 5.0),
        (-1000.0, 5000.0, 0.0, 100.0, 0.06, 0.0),
    ],
)
def test_holding_costs_what_paper_says(cash, short, seconds, borrow, margin, wanted):
    assert carry(cash, short, seconds, borrow, margin) == pytest.approx(wanted, abs=1e-9)


@given(st.floats(-1e9, 1e9), AMOUNT, st.floats(0, 1e8), RATE, st.floats(0, 1))
def test_holding_never_pays(cash, short, seconds, borrow, margin):
    assert carry(cash, short, seconds, borrow, margin) >= 0.0
    assert carry(abs(cash), 0.0, seconds, borrow, margin) == 0.0


@given(st.floats(-1e6, 0), st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_two_spans_cost_what_one_of_their_length_costs(cash, short, first, second):
    whole = carry(cash, short, first + second, 50.0, 0.05)
    assert carry(cash, short, first, 50.0, 0.05) + carry(cash, short, second, 50.0, 0.05) == pytest.approx(
        whole, rel=1e-9
    )


def test_a_fill_is_at_most_the_whole_price_worse():
    assert adverse_move(0.0, 0.0, 5.0, 1.0, 4.0) == 1.0
