"""Splitting the difference of two accounts, trade by trade: worked out by hand, and for any trades at all."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.lab.diverging import CAUSES, Difference, Key, Trade, by_cause, differences

D = Decimal
LAST = {"X": D(20), "Y": D(50)}
#: Parts below a millionth of a dollar are left out, and a pair has at most three.
LEAST = D("0.000003")


def trade(qty, price=10, fee=0, cause="", asked=None):
    return Trade(D(qty), D(price), D(fee), D(qty if asked is None else asked), cause)


def told(planned, done, reasons=None):
    """Causes and effects of trades by bar (of X) or by (bar, symbol); `reasons` are those of `why`, by bar."""
    sides = ({Key(*(at if isinstance(at, tuple) else (at, "X"))): one for at, one in side.items()}
             for side in (planned, done))  # fmt: skip
    found = differences(*sides, LAST, lambda key: ((reasons or {}).get(key.bar, ""), "because"))
    return [(one.key.bar, one.cause, float(one.effect)) for one in found]


def test_the_same_trades_differ_in_nothing():
    both = {1: trade(10, 9, 1), 2: trade(-10, 12, 1)}
    assert told(both, both, {1: "clock", 2: "restart"}) == []


@pytest.mark.parametrize(
    ("planned", "done", "why", "expected"),
    [
        (trade(10), trade(10, "10.5"), "", [("fill price", -5.0)]),
        (trade(-10), trade(-10, "10.5"), "", [("fill price", 5.0)]),
        (trade(10, fee=1), trade(10, fee="3.5"), "", [("fee", -2.5)]),
        (trade(10), trade(10, "10.5", cause="restart"), "", [("restart", -5.0)]),
        (trade(10), trade(10, "10.5", cause="manual"), "", [("manual", -5.0)]),
        (trade(10), trade(10, "10.5", cause="partial"), "", [("fill price", -5.0)]),
        (trade(10), trade(6, cause="partial", asked=10), "clock", [("partial", -40.0)]),
        # six shares at half a dollar more; four that were to gain ten each and to cost 80 cents; 20 cents less for six
        (
            trade(10, fee=2), trade(6, "10.5", 1, "partial", 10), "",
            [("fill price", -3.0), ("partial", -39.2), ("fee", 0.2)],
        ),
        # two shares more gain 20 dollars and would cost 40 cents; the fee is 60 cents more than that for twelve
        (trade(10, fee=2), trade(12, fee=3), "", [("size", 19.6), ("fee", -0.6)]),
        (trade(10), trade(0, 0, cause="reject", asked=10), "clock", [("reject", -100.0)]),
        (trade(10, fee=2), trade(0, 0, cause="reject", asked=10), "", [("reject", -98.0)]),
        (trade(10), None, "restart", [("restart", -100.0)]),
        (trade(10), None, "", [("size", -100.0)]),
        (None, trade(10, fee=2), "bar differed", [("bar differed", 98.0)]),
        (trade(10), trade(12), "", [("size", 20.0)]),
        (trade(10), trade(-10), "clock", [("clock", -200.0)]),
        (trade(10), trade("10.0000000001"), "", []),
    ],
)  # fmt: skip
def test_a_pair_by_hand(planned, done, why, expected):
    sides = ({} if one is None else {1: one} for one in (planned, done))
    assert told(*sides, {1: why}) == [(1, *one) for one in expected]


def test_what_follows_from_a_cause_is_told_under_it_until_both_are_flat():
    planned = {1: trade(10), 2: trade(-10, 12), 3: trade(10), 4: trade(-10, 12)}
    done = {1: trade(0, 0, cause="reject", asked=10), 3: trade(8), 4: trade(-8, 12)}
    assert told(planned, done) == [(1, "reject", -100.0), (2, "reject", 80.0), (3, "size", -20.0), (4, "size", 16.0)]


def test_a_position_that_is_turned_is_not_flat_in_between():
    planned = {1: trade(10), 2: trade(-20), 3: trade(20)}
    done = {1: trade(0, 0, cause="reject", asked=10), 2: trade(-10), 3: trade(20)}
    assert [cause for _, cause, _ in told(planned, done)] == ["reject", "reject"]
    later = {4: trade(-10)}  # at last the session is flat; the backtest is not
    assert told({**planned, **later}, {**done, 4: trade(-11)})[-1][:2] == (4, "reject")


def test_another_cause_takes_over_from_the_first():
    planned = {1: trade(10), 2: trade(-5), 3: trade(-5)}
    done = {1: trade(6, cause="partial", asked=10), 2: trade(-4)}
    assert [cause for _, cause, _ in told(planned, done, {2: "clock"})] == ["partial", "clock", "clock"]


def test_a_cause_of_one_symbol_is_none_of_another():
    planned = {(1, "X"): trade(10), (2, "Y"): trade(10)}
    done = {(1, "X"): trade(0, 0, cause="reject"), (2, "Y"): trade(9)}
    assert [cause for _, cause, _ in told(planned, done)] == ["reject", "size"]


def test_binary_fractions_are_flat_again():
    planned = {1: trade("0.1"), 2: trade("0.2"), 3: trade("-0.30000000000000004"), 4: trade(10)}
    done = {1: trade(0, 0, cause="reject", asked="0.1"), 2: trade("0.2"), 3: trade("-0.2"), 4: trade(11)}
    assert told(planned, done)[-1] == (4, "size", 10.0)


def test_by_cause_counts_and_sums_in_the_order_of_the_causes():
    key = Key(1, "X")
    found = by_cause(
        [Difference(key, "fee", D(-1)), Difference(key, "fill price", D(2)), Difference(key, "fee", D(-3))]
    )
    assert list(found.items()) == [("fill price", (1, D(2))), ("fee", (2, D(-4)))]


def cents(low, high):
    return st.integers(low, high).map(lambda one: D(one) / 100)


TRADES = st.builds(
    Trade, st.integers(-10**6, 10**6).map(lambda one: D(one) / 1000), cents(1, 10**5), cents(0, 10**4),
    cents(-(10**5), 10**5), st.sampled_from(["", "partial", "reject", "restart", "manual"]),
)  # fmt: skip
KEYS = st.builds(Key, st.integers(0, 6), st.sampled_from(["X", "Y"]))
SIDES = st.dictionaries(KEYS, TRADES, max_size=10)


@given(SIDES, SIDES, cents(1, 10**5), st.sampled_from(["", *CAUSES]))
def test_effects_add_up_to_the_difference_of_the_gains(planned, done, price, why):
    last = {"X": price, "Y": 2 * price}
    found = differences(planned, done, last, lambda key: (why, ""))
    for key in {*planned, *done}:
        gains = [side[key].gain(last[key.symbol]) if key in side else D(0) for side in (done, planned)]
        pair = sum((one.effect for one in found if one.key == key), D(0))
        assert abs(pair - (gains[0] - gains[1])) < LEAST
    assert {one.cause for one in found} <= set(CAUSES)
    assert sum((effect for _, effect in by_cause(found).values()), D(0)) == sum((one.effect for one in found), D(0))


@given(SIDES, cents(1, 10**5), st.sampled_from(["", "clock"]))
def test_nothing_where_both_are_the_same(both, price, why):
    assert differences(both, dict(both), {"X": price, "Y": price}, lambda key: (why, "")) == []


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=1, max_size=12))
def test_what_follows_does_so_until_both_are_flat_and_no_longer(steps):
    """Against a plain walk: the first order was refused; nothing else is known of any."""
    planned = {place: trade(plan) for place, (plan, _) in enumerate(steps, 1)}
    done = {place: trade(real) for place, (_, real) in enumerate(steps, 1)}
    planned[0], done[0] = trade(7), trade(0, 0, cause="reject", asked=7)
    held, live, expected = 7, 0, "reject"
    walked = {0: "reject"}
    for place, (plan, real) in enumerate(steps, 1):
        walked[place] = expected
        held, live = held + plan, live + real
        expected = expected if held or live else "size"
    assert {bar: cause for bar, cause, _ in told(planned, done)}.items() <= walked.items()
