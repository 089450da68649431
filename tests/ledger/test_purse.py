"""What a decision calls for and what the account lets through of it: by hand, and for any account at all."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qtw_lab.ledger import Account, Costs, Sizing
from qtw_lab.ledger.purse import Purse, Wish, sign

NAN = float("nan")
FREE, PLAIN = Costs(), Account()
NO_SHORTS = Account(shorting=False)
#: 1,000 in cash and 10 shares at 10; nothing of the other at 20: worth 1,100.
WORTH = 1100.0


@dataclass
class Held:
    """A position as the purse sees it."""

    shares: float
    last: float


def purse_of(cash, *positions, costs=FREE, rules=PLAIN, unsettled=()):
    """A purse with these (shares, price), and the moment at those prices."""
    purse = Purse(cash, [Held(*one) for one in positions], costs, rules, unsettled)
    return purse, purse.moment([price for _, price in positions])


def wish(symbol, quantity, price, *, worse=0.0, costs=FREE):
    """A trade that pays by `worse` more (or gets less) than the price that is quoted."""
    paid = price * (1 + sign(quantity) * worse)
    return Wish(symbol, quantity, paid, price, costs.commission_bps, costs.commission_per_order)


def booked(purse, wishes, moment):
    """What is granted by symbol, in turn; each is booked before the next is asked for."""
    found = {}
    for one, quantity in purse.in_turn(wishes, moment):
        found[one.symbol] = quantity
        purse.cash -= quantity * one.price + purse.fee(one, quantity)
        purse._held[one.symbol].shares += quantity
    return found


def two(**more):
    return purse_of(1000.0, (10.0, 10.0), (0.0, 20.0), **more)


# How large


@pytest.mark.parametrize(
    ("sizing", "signal", "first", "second"),
    [
        (Sizing.all_in(), 1.0, 45.0, 27.5),  # 1,100 / 2 symbols
        (Sizing.all_in(), -0.5, -37.5, -13.75),
        (Sizing.fixed_cash(300), 1.0, 20.0, 15.0),
        (Sizing.fixed_cash(300), -0.5, -25.0, -7.5),
        (Sizing.fixed_shares(7), 1.0, -3.0, 7.0),
        (Sizing.fixed_shares(7), -0.5, -13.5, -3.5),
        (Sizing.fraction(0.2), 1.0, 12.0, 11.0),  # 220 of 1,100
        (Sizing.fraction(0.2), -0.5, -21.0, -5.5),
    ],
)
def test_a_signal_orders_the_difference_between_what_its_rule_wants_and_what_is_held(sizing, signal, first, second):
    purse, moment = two()
    assert moment.equity == WORTH
    orders = [purse.ordered(sizing, "signals", j, signal, moment.prices[j], WORTH) for j in (0, 1)]
    assert orders == pytest.approx([first, second], rel=1e-12)


@pytest.mark.parametrize(("weight", "wanted"), [(0.5, 45.0), (1.0, 100.0), (-0.5, -65.0), (0.05, -4.5)])
def test_a_weight_is_a_part_of_equity_whatever_the_rule(weight, wanted):
    purse, _ = two()
    for sizing in (Sizing.target_weights(), Sizing("fixed_cash", 5.0)):
        assert purse.ordered(sizing, "weights", 0, weight, 10.0, WORTH) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(("weight", "wanted"), [(0.1, 0.0), (0.11, 0.0), (0.12, 3.2), (0.07, -2.3), (0.0, -10.0)])
def test_a_weight_within_the_band_of_its_target_orders_nothing_and_beyond_it_all_of_the_difference(weight, wanted):
    purse, _ = two()  # 100 are held, the band is 22 on either side: weights of 0.0709 to 0.1109
    order = purse.ordered(Sizing.target_weights(0.02), "weights", 0, weight, 10.0, WORTH)
    assert order == pytest.approx(wanted, rel=1e-12)


def test_a_weight_at_the_edge_of_the_band_orders_nothing():
    purse, _ = purse_of(900.0, (10.0, 10.0))
    assert purse.ordered(Sizing.target_weights(0.125), "weights", 0, 0.225, 10.0, 1000.0) == 0.0


@pytest.mark.parametrize("kind", ["signals", "weights"])
@pytest.mark.parametrize("equity", [WORTH, 0.0, -50.0])
def test_a_decision_of_nothing_sells_exactly_what_is_held_whatever_the_lots_and_the_worth(kind, equity):
    rules = Account(lot=5, min_notional=1e6)
    purse, _ = purse_of(1000.0, (7.3, 10.0), (-2.1, 20.0), rules=rules)
    assert [purse.ordered(Sizing.all_in(), kind, j, 0.0, 10.0, equity) for j in (0, 1)] == [-7.3, 2.1]


@pytest.mark.parametrize("equity", [0.0, -1.0])
def test_an_account_that_is_worth_nothing_orders_nothing_else(equity):
    purse, _ = two()
    assert purse.ordered(Sizing.fixed_shares(50), "signals", 0, 1.0, 10.0, equity) == 0.0


@pytest.mark.parametrize(
    ("shares", "order"),
    [(25.9, 15.0), (24.9999999999, 15.0), (12.0, 0.0), (8.0, 0.0), (4.0, -5.0), (-3.5, -10.0)],
)
def test_orders_are_cut_to_lots_towards_nothing(shares, order):
    purse, _ = two(rules=Account(lot=5))
    assert purse.ordered(Sizing.fixed_shares(abs(shares)), "signals", 0, sign(shares), 10.0, WORTH) == order


def test_an_odd_lot_is_closed_whole_and_turned_in_lots():
    purse, _ = purse_of(1000.0, (7.5, 10.0), rules=Account(lot=1))
    assert purse.lots(0, -7.5) == -7.5
    assert purse.lots(0, -7.6) == -7.0
    assert purse.lots(0, -12.5) == -12.0


@pytest.mark.parametrize(("least", "shares", "order"), [(50, 15, 5), (51, 15, 0), (50, 6, 0), (40, 6, -4)])
def test_an_order_below_the_least_amount_is_not_sent_even_if_it_reduces(least, shares, order):
    purse, _ = two(rules=Account(min_notional=least))
    assert purse.ordered(Sizing.fixed_shares(shares), "signals", 0, 1.0, 10.0, WORTH) == order


def test_an_order_that_closes_is_sent_however_small():
    purse, _ = two(rules=Account(min_notional=1000, shorting=False))
    assert purse.ordered(Sizing.fixed_shares(3), "signals", 0, -1.0, 10.0, WORTH) == -10.0


def test_dust_is_not_sent():
    purse, _ = two()  # a billionth of 1,100 is 1.1e-6: 1.1e-7 shares at 10
    assert purse.ordered(Sizing.fixed_shares(10 + 1.0e-7), "signals", 0, 1.0, 10.0, WORTH) == 0.0
    assert purse.ordered(Sizing.fixed_shares(10 + 1.2e-7), "signals", 0, 1.0, 10.0, WORTH) > 0.0


def test_an_account_without_shorts_orders_no_more_than_is_held():
    purse, _ = two(rules=NO_SHORTS)
    assert [purse.ordered(Sizing.all_in(), "signals", j, -1.0, 10.0, WORTH) for j in (0, 1)] == [-10.0, 0.0]
    assert purse.ordered(Sizing.target_weights(), "weights", 0, -0.3, 10.0, WORTH) == -10.0


def test_a_moment_values_what_has_no_price_at_its_last():
    purse, _ = two()
    moment = purse.moment([NAN, 30.0])
    assert (moment.marks, moment.equity) == ([10.0, 30.0], WORTH)


# How much of it


def test_sells_come_before_buys_and_pay_for_them():
    purse, moment = purse_of(0.0, (0.0, 20.0), (10.0, 10.0), (4.0, 5.0))
    wishes = [wish(0, 6.0, 20.0), wish(1, -10.0, 10.0), wish(2, -4.0, 5.0)]
    assert list(booked(purse, wishes, moment).items()) == [(1, -10.0), (2, -4.0), (0, 6.0)]
    assert purse.cash == 0.0
    unbooked, moment = purse_of(0.0, (0.0, 20.0), (10.0, 10.0), (4.0, 5.0))
    assert dict(unbooked.in_turn(wishes, moment))[wishes[0]] == 0.0


@pytest.mark.parametrize(("lot", "granted"), [(0.0, (10.0, 10.0)), (4.0, (8.0, 8.0))])
def test_buys_that_cost_more_than_there_is_are_scaled_down_together(lot, granted):
    costs, rules = Costs(commission_bps=100), Account(lot=lot)
    purse, moment = purse_of(303.0, (0.0, 10.0), (0.0, 20.0), costs=costs, rules=rules)
    wishes = [wish(0, 20.0, 10.0, costs=costs), wish(1, 20.0, 20.0, costs=costs)]  # 600 and 6 of commission
    assert booked(purse, wishes, moment) == pytest.approx({0: granted[0], 1: granted[1]}, rel=1e-12)
    assert purse.cash == pytest.approx(303.0 - 1.01 * (10 * granted[0] + 20 * granted[1]), abs=1e-9)


def test_the_last_of_several_buys_is_cut_by_fees_that_do_not_shrink_with_the_size():
    costs = Costs(commission_min=5)
    purse, moment = purse_of(105.0, (0.0, 10.0), (0.0, 10.0), costs=costs)
    # 2 x (100 + 5) are needed, so half of each: the first costs 55, which leaves 50, or 4.5 shares and their fee
    assert booked(purse, [wish(0, 10.0, 10.0), wish(1, 10.0, 10.0)], moment) == pytest.approx({0: 5.0, 1: 4.5})


@pytest.mark.parametrize(
    ("costs", "cash", "granted"),
    [
        (FREE, 500.0, 50.0),
        (Costs(commission_bps=10), 1001.0, 100.0),
        (Costs(commission_per_share=0.01, fees_per_share=0.01), 1002.0, 100.0),
        (Costs(commission_min=1), 1001.0, 100.0),
        (Costs(commission_per_order=7), 1007.0, 100.0),
        (Costs(commission_min=5, commission_max_fraction=0.01), 101.0, 10.0),
        (Costs(sell_fee_bps=50), 500.0, 50.0),  # only sales pay that
        (Costs(commission_min=5), 5.0, 0.0),
    ],
)
def test_what_can_be_paid_leaves_room_for_the_fees(costs, cash, granted):
    purse, moment = purse_of(cash, (0.0, 10.0), costs=costs)
    assert booked(purse, [wish(0, 200.0, 10.0, costs=costs)], moment) == pytest.approx({0: granted}, rel=1e-12)
    assert purse.cash == pytest.approx(0.0 if granted else cash, abs=1e-9)


def test_buys_are_paid_at_the_price_paid_and_not_at_the_quoted_one():
    purse, moment = purse_of(1010.0, (0.0, 10.0))
    assert booked(purse, [wish(0, 200.0, 10.0, worse=0.01)], moment) == pytest.approx({0: 100.0})


@pytest.mark.parametrize(("leverage", "granted"), [(1.0, 90.0), (1.5, 140.0), (2.0, 190.0)])
def test_leverage_of_a_cash_account_borrows_on_equity(leverage, granted):
    purse, moment = purse_of(900.0, (10.0, 10.0), rules=Account(leverage=leverage))
    assert booked(purse, [wish(0, 500.0, 10.0)], moment) == pytest.approx({0: granted})


def test_proceeds_that_have_not_settled_buy_nothing():
    unsettled = ((3, 300.0), (4, 100.0))
    purse, moment = purse_of(1000.0, (0.0, 10.0), rules=Account.cash(settlement=2), unsettled=unsettled)
    assert booked(purse, [wish(0, 500.0, 10.0)], moment) == pytest.approx({0: 60.0})


def test_short_sales_of_a_cash_account_need_no_margin_and_those_of_a_gross_one_do():
    for rules, granted in ((PLAIN, -500.0), (Account(buying_power="gross", leverage=2.0), -200.0)):
        purse, moment = purse_of(1000.0, (0.0, 10.0), rules=rules)
        # what is sold gets 9.90, but counts at the 10 that are quoted
        assert booked(purse, [wish(0, -500.0, 10.0, worse=0.01)], moment) == pytest.approx({0: granted})


@pytest.mark.parametrize(
    ("shares", "cash", "wanted", "granted"),
    [
        (100.0, 0.0, 400.0, 100.0),  # worth 1,000: power of 2,000 less the 1,000 that are held
        (100.0, 0.0, -400.0, -300.0),  # what closes is free and frees 1,000
        (-100.0, 2000.0, 400.0, 300.0),
        (-100.0, 2000.0, -400.0, -100.0),
        (-300.0, 4000.0, 300.0, 300.0),  # beyond its power already, but covering is always granted
        (-300.0, 4000.0, 600.0, 500.0),
    ],
)
def test_a_gross_account_holds_leverage_times_its_equity_of_either_side(shares, cash, wanted, granted):
    rules = Account(buying_power="gross", leverage=2.0)
    purse, moment = purse_of(cash, (shares, 10.0), rules=rules)
    assert booked(purse, [wish(0, wanted, 10.0)], moment) == pytest.approx({0: granted})


def test_the_covers_of_a_gross_account_are_whole_and_only_what_goes_beyond_is_scaled():
    purse, moment = purse_of(200.0, (-10.0, 10.0), (0.0, 10.0), rules=Account(buying_power="gross"))
    # worth 100, all of it in the short; once covered, 100 for the 50 and the 100 that go beyond: two thirds
    granted = booked(purse, [wish(0, 15.0, 10.0), wish(1, 10.0, 10.0)], moment)
    assert granted == pytest.approx({0: 10 + 10 / 3, 1: 20 / 3})


@pytest.mark.parametrize(
    ("cash", "per_order", "granted"),
    [(350.0, 0.0, 35 / 3), (350.0, 60.0, 10.0), (200.0, 0.0, 10.0)],  # the last is worth -100: it only covers
)
def test_a_cash_account_always_covers_a_short_and_buys_beyond_with_what_is_left(cash, per_order, granted):
    costs = Costs(commission_per_order=per_order)
    purse, moment = purse_of(cash, (-10.0, 30.0), costs=costs)
    assert booked(purse, [wish(0, 15.0, 30.0, costs=costs)], moment) == pytest.approx({0: granted})


def test_an_account_that_is_worth_nothing_closes_and_opens_nothing():
    purse, moment = purse_of(100.0, (-10.0, 30.0), (5.0, 10.0), (0.0, 10.0))
    wishes = [wish(0, -5.0, 30.0), wish(1, -9.0, 10.0), wish(2, 1.0, 10.0)]
    assert booked(purse, wishes, moment) == {0: 0.0, 1: -5.0, 2: 0.0}


def test_an_odd_lot_is_covered_whole_though_what_is_granted_is_no_lot():
    purse, moment = purse_of(106.0, (-10.5, 10.0), rules=Account(lot=1))
    assert booked(purse, [wish(0, 12.0, 10.0)], moment) == {0: 10.5}


def test_a_fee_is_commission_and_what_sales_pay():
    costs = Costs(commission_bps=10, commission_per_share=0.01, commission_per_order=1, fees_per_share=0.02,
                  sell_fee_bps=2, sell_fee_per_share=0.05, sell_fee_per_share_max=3)  # fmt: skip
    purse, _ = two(costs=costs)
    bought, sold = wish(0, 100.0, 10.0, costs=costs), wish(0, -100.0, 10.0, costs=costs)
    assert purse.fee(bought, 100.0) == pytest.approx(1 + 1 + 1 + 2)
    assert purse.fee(sold, -100.0) == pytest.approx(1 + 1 + 1 + 2 + 0.2 + 3)
    assert purse.fee(bought, 0.0) == 0.0


# Any account at all

ALIKE = st.builds(
    Costs, commission_bps=st.floats(0, 50), commission_per_share=st.floats(0, 0.05), fees_per_share=st.floats(0, 0.01),
    sell_fee_bps=st.floats(0, 10),
)  # fmt: skip
ANY_COSTS = st.builds(
    Costs, commission_bps=st.floats(0, 50), commission_min=st.floats(0, 2), commission_per_order=st.floats(0, 2),
    commission_max_fraction=st.sampled_from([0.0, 0.01]), sell_fee_per_share=st.floats(0, 0.01),
)  # fmt: skip
ANY_RULES = st.builds(
    Account, leverage=st.floats(1, 4), buying_power=st.sampled_from(["cash", "gross"]), shorting=st.booleans(),
    lot=st.sampled_from([0.0, 1.0]),
)  # fmt: skip


@st.composite
def cases(draw, costs, rules, *, long_only=False):
    """A purse, the trades that are wanted of it, and their moment."""
    count, charged = draw(st.integers(1, 4)), draw(costs)
    held = st.floats(0 if long_only else -500, 500)
    purse, moment = purse_of(
        draw(st.floats(20, 1e6)), *((draw(held), draw(st.floats(1, 500))) for _ in range(count)), costs=charged,
        rules=draw(rules),
    )  # fmt: skip
    sizes = [draw(st.floats(-1e4, 1e4)) for _ in range(count)]
    if long_only:
        sizes = [max(size, -held.shares) for size, held in zip(sizes, purse._held, strict=True)]
    worse = draw(st.floats(0, 0.02))
    return purse, [wish(j, size, moment.prices[j], worse=worse, costs=charged) for j, size in enumerate(sizes)], moment


@given(cases(ALIKE | ANY_COSTS, st.sampled_from([PLAIN, NO_SHORTS, Account.cash(), Account(lot=1)]), long_only=True))
def test_an_account_that_does_not_borrow_never_owes_money(case):
    purse, wishes, moment = case
    booked(purse, wishes, moment)
    assert purse.cash >= -1e-6
    assert all(held.shares >= -1e-9 for held in purse._held)


@given(cases(ALIKE | ANY_COSTS, ANY_RULES))
def test_no_more_is_granted_than_was_wanted_nor_less_than_what_closes(case):
    purse, wishes, moment = case
    before = [held.shares for held in purse._held]
    for j, quantity in booked(purse, wishes, moment).items():
        wanted = wishes[j].quantity
        assert quantity * sign(wanted) >= 0.0
        assert abs(quantity) <= abs(wanted) * (1 + 1e-12)
        closing = min(abs(wanted), max(-sign(wanted) * before[j], 0.0))
        assert abs(quantity) >= closing * (1 - 1e-12)


@given(cases(ALIKE, st.builds(Account, buying_power=st.just("gross"), leverage=st.floats(1, 4))))
def test_a_gross_account_never_holds_more_than_leverage_times_its_equity_unless_it_did_before(case):
    purse, wishes, moment = case
    before = sum(abs(held.shares) * mark for held, mark in zip(purse._held, moment.marks, strict=True))
    booked(purse, wishes, moment)
    after = sum(abs(held.shares) * mark for held, mark in zip(purse._held, moment.marks, strict=True))
    assert after <= max(before, purse.rules.leverage * moment.equity) + 1e-6


@given(st.floats(20, 1e6), st.lists(st.tuples(st.floats(1, 1e4), st.floats(1, 500)), min_size=2, max_size=5), ALIKE)
def test_buys_that_are_scaled_down_keep_their_proportions_and_spend_all_there_is(cash, buys, costs):
    purse, moment = purse_of(cash, *((0.0, price) for _, price in buys), costs=costs)
    wishes = [wish(j, size, price, costs=costs) for j, (size, price) in enumerate(buys)]
    assume(sum(one.quantity * one.price for one in wishes) > cash)
    granted = booked(purse, wishes, moment)
    parts = np.array([granted[j] / one.quantity for j, one in enumerate(wishes)])
    assert parts == pytest.approx(np.full(len(parts), parts[0]), rel=1e-9)
    assert purse.cash == pytest.approx(0.0, abs=1e-6)
