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
from qtw_lab.ledger.costs import (
    adverse_move,
    affordable_quantity,
    borrow_fee,
    carry,
    commission,
    interest,
    sale_fees,
)

NAMES = [entry.name for entry in fields(Costs)]
LIMITS_AND_INCOME = ["commission_max_fraction", "sell_fee_per_share_max", "cash_rate"]
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
    assert costs.free == (name in LIMITS_AND_INCOME)  # an upper limit and interest earned take nothing from anybody
    assert costs.describe() == f"{name.replace('_', ' ')} 0.25"
    assert repr(costs) == f"Costs({name}=0.25)"
    assert eval(repr(costs)) == costs


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "value", [-1, -1e-300, math.nan, math.inf, -math.inf, True, False, "10", None, [1], 1j, Decimal(1)]
)
def test_a_cost_is_a_number_of_zero_or_more(name, value):
    if name == "maker_bps" and value is None:
        return  # the one figure that may be left out
    with pytest.raises(DataError, match=f"Costs: {name}=.* must be zero or more, and finite"):
        Costs(**{name: value})


@pytest.mark.parametrize("value", [10, 10.0, np.int64(10), np.float32(10), np.float64(10), Fraction(10)])
def test_a_cost_may_be_any_kind_of_number(value):
    assert Costs(commission_bps=value) == Costs(commission_bps=10.0)


@pytest.mark.parametrize("value", [1, 1.0, 1.5, 100])
def test_the_most_commission_is_a_fraction_not_a_percentage(value):
    with pytest.raises(DataError, match=r"commission_max_fraction=.* must lie below 1: .* so 1% is 0\.01"):
        Costs(commission_max_fraction=value)


def test_a_maker_rate_of_nothing_is_not_the_same_as_no_maker_rate():
    assert Costs(commission_bps=25).maker_bps is None
    given = Costs(commission_bps=25, maker_bps=0.0)
    assert given != Costs(commission_bps=25)
    assert given.describe() == "commission bps 25, maker bps 0"
    assert eval(repr(given)) == given
    assert Costs(maker_bps=0.0).free


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


@pytest.mark.parametrize(
    ("price", "quantity", "wanted"),
    [
        (100.0, 50.0, 0.35),  # 50 x 0.0035 = 0.175, below the least 0.35; 1% of 5,000 is far off
        (100.0, 1000.0, 3.5),  # 1,000 x 0.0035
        (10.0, -2.0, 0.2),  # the least 0.35 is more than 1% of 20: the 1% wins
        (0.25, 1000.0, 2.5),  # 1,000 x 0.0035 = 3.50 is more than 1% of 250
        (35.0, 1.0, 0.35),  # 1% of 35 is just the least commission
    ],
)
def test_the_most_commission_wins_over_the_least(price, quantity, wanted):
    assert commission(abs(quantity) * price, quantity, 0.0, 0.0035, 0.35, 0.0, 0.01) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((1000.0, 10.0, 0.0, 0.0, 0.0, 4.95), 4.95),  # flat
        ((1000.0, -10.0, 10.0, 0.02, 0.0, 4.95), 6.15),  # 4.95 + 1,000 x 0.001 + 10 x 0.02
        ((1000.0, 10.0, 0.0, 0.0, 6.0, 4.95), 6.0),  # the flat part counts towards the least
        ((100.0, 1.0, 0.0, 0.0, 0.0, 4.95, 0.01), 1.0),  # and towards the most, 1% of 100
        ((1000.0, 0.0, 10.0, 0.02, 6.0, 4.95, 0.0, 0.01), 0.0),  # no trade, no fee
        ((20.0, 2.0, 0.0, 0.0035, 0.35, 0.0, 0.01, 0.0002), 0.2004),  # the 1% of 20, and 2 x 0.0002 beyond it
        ((5000.0, -50.0, 0.0, 0.0035, 0.35, 0.0, 0.01, 0.0002), 0.36),  # the least, and 50 x 0.0002 on top
    ],
)
def test_flat_and_passed_on_fees_are_the_ones_on_paper(arguments, wanted):
    assert commission(*arguments) == pytest.approx(wanted, abs=1e-12)


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


# --- sales ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((10_000.0, -100.0, 0.206, 0.000195, 9.79), 0.2255),  # 10,000 x 20.60/million + 100 x 0.000195
        ((10_000.0, 100.0, 0.206, 0.000195, 9.79), 0.0),  # a buy
        ((10_000.0, 0.0, 0.206, 0.000195, 9.79), 0.0),
        ((600_000.0, -60_000.0, 0.0, 0.000195, 9.79), 9.79),  # 60,000 x 0.000195 = 11.70
        ((600_000.0, -60_000.0, 0.0, 0.000195, 0.0), 11.7),  # no limit
        ((600_000.0, -60_000.0, 0.278, 0.000166, 8.30), 24.98),  # 16.68 + 8.30: only the part by share is limited
    ],
)
def test_the_fees_of_a_sale_are_the_ones_on_paper(arguments, wanted):
    assert sale_fees(*arguments) == pytest.approx(wanted, abs=1e-12)


# --- what money buys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((1001.0, 10.0, 10.0, 0.0, 0.0), 100.0),  # 1,000 + 0.1%
        ((1001.0, 10.0, 0.0, 0.01, 0.0), 100.0),  # 1,000 + 100 x 0.01
        ((1001.0, 10.0, 0.0, 0.0, 1.0), 100.0),
        ((1004.95, 10.0, 0.0, 0.0, 0.0, 4.95), 100.0),
        ((1000.02, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0002), 100.0),
        ((20.2004, 10.0, 0.0, 0.0035, 0.35, 0.0, 0.01, 0.0002), 2.0),  # 20 + 1% + 2 x 0.0002
        ((4.0, 10.0, 0.0, 0.0, 5.0), 0.0),  # not even the fee
        ((0.0, 10.0, 10.0, 0.0, 0.0), 0.0),
        ((-5.0, 10.0, 10.0, 0.0, 0.0, 0.0, 0.01), 0.0),
    ],
)
def test_money_buys_what_paper_says(arguments, wanted):
    assert affordable_quantity(*arguments) == pytest.approx(wanted, rel=1e-12)


@given(
    st.floats(0.01, 1e6), st.floats(0.01, 1e4), st.floats(0, 100), st.floats(0, 1), st.floats(0, 50), st.floats(0, 50),
    st.sampled_from([0.0, 0.005, 0.01, 0.5]), st.floats(0, 0.1),
)  # fmt: skip
def test_money_buys_just_what_it_pays_for(power, price, bps, share, least, order, most, passed_on):
    rates = (bps, share, least, order, most, passed_on)
    quantity = affordable_quantity(power, price, *rates)
    if quantity > 0.0:
        assert quantity * price + commission(quantity * price, quantity, *rates) == pytest.approx(power, rel=1e-9)
    else:
        assert commission(1e-9 * price, 1e-9, *rates) >= power - 1e-6


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


@pytest.mark.parametrize(
    ("cash", "margin", "income", "wanted"),
    [
        (-36_500.0, 0.10, 0.03, 10.0),  # 36,500 x 10% / 365, a day
        (36_500.0, 0.10, 0.03, -3.0),
        (36_500.0, 0.10, 0.0, 0.0),
        (0.0, 0.10, 0.03, 0.0),
    ],
)
def test_interest_is_paid_on_debt_and_earned_on_cash(cash, margin, income, wanted):
    assert interest(cash, DAY, margin, income) == pytest.approx(wanted, abs=1e-12)


@given(st.floats(-1e9, 1e9), AMOUNT, st.floats(0, 1e8), RATE, st.floats(0, 1))
def test_holding_is_borrowing_and_interest(cash, short, seconds, borrow, margin):
    parts = borrow_fee(short, seconds, borrow) + interest(cash, seconds, margin, 0.0)
    assert carry(cash, short, seconds, borrow, margin) == pytest.approx(parts, rel=1e-12, abs=1e-300)


def test_every_fee_compiles_as_it_stands():
    numba = pytest.importorskip("numba")
    cases = {
        commission: (20.0, 2.0, 1.0, 0.0035, 0.35, 4.95, 0.01, 0.0002),
        sale_fees: (600_000.0, -60_000.0, 0.206, 0.000195, 9.79),
        affordable_quantity: (1000.0, 10.0, 1.0, 0.0035, 0.35, 4.95, 0.01, 0.0002),
        borrow_fee: (5000.0, DAY, 100.0),
        interest: (-1000.0, DAY, 0.06, 0.03),
    }
    for function, arguments in cases.items():
        assert numba.njit(function)(*arguments) == function(*arguments)
    assert numba.njit(commission)(10_000.0, 100.0, 10.0, 0.0, 1.0) == 10.0  # the defaults too


def test_a_fill_is_at_most_the_whole_price_worse():
    assert adverse_move(0.0, 0.0, 5.0, 1.0, 4.0) == 1.0
