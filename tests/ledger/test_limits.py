"""Limits at their edges, and what counts as over them because it is not known."""

import math
from dataclasses import FrozenInstanceError, fields, replace
from decimal import Decimal

import pytest

from qtw_lab.core import DataError
from qtw_lab.ledger.limits import Breach, Limits, Standing, breaches, standing_breaches
from qtw_lab.ledger.tickets import Exit, Ticket

D = Decimal
NOW = 1_704_205_800 * 10**9
SECOND = 10**9
#: 50 AAA at 100, 20 BBB short at 50, and an open order to buy 10 CCC at 20.
STANDING = Standing(
    now=NOW,
    equity=D(10_000), session_equity=D(10_000), peak_equity=D(10_000),
    positions={"AAA": D(50), "BBB": D(-20)},
    marks={"AAA": D(100), "BBB": D(50), "CCC": D(20)},
    mark_times={"AAA": NOW - 5 * SECOND, "BBB": NOW, "CCC": NOW},
    working=[("CCC", D(10), D(20))],
    traded=D(3000),
    order_times=[NOW - 61 * SECOND, NOW - 60 * SECOND, NOW - 59 * SECOND, NOW - SECOND, NOW],
)  # fmt: skip
#: Ten more, at most at 101 each.
BUY = Ticket("AAA", "buy", "limit", "day", qty=D(10), limit_price=D(101))
NAN = D("NaN")


def order(side, qty, symbol="AAA", kind="market", **more):
    return Ticket(symbol, side, kind, "day", qty=None if qty is None else D(qty), **more)


def rules(ticket, standing=STANDING, **limits):
    return [breach.rule for breach in breaches(ticket, standing, Limits(**limits))]


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("max_order_value", "1010"),  # 10 x 101
        ("max_order_shares", "10"),
        ("max_symbol_value", "6010"),  # 50 x 100 + 10 x 101
        ("max_gross", "7210"),  # 6010 + 20 x 50 + 10 x 20
        ("max_net", "5210"),  # 6010 - 1000 + 200
        ("max_leverage", "0.721"),  # 7210 / 10000
        ("max_turnover", "0.421"),  # (3000 + 1010 + 200) / 10000
        ("price_band", "0.01"),  # 101 / 100 - 1
        ("max_price_age", "5"),
        ("max_orders_per_minute", "4"),  # three within the minute, and this one
        ("max_open_orders", "2"),
    ],
)
def test_an_order_may_reach_a_limit_and_no_more(rule, value):
    step = D(1) if rule in ("max_orders_per_minute", "max_open_orders") else D("0.000001")
    assert breaches(BUY, STANDING, Limits(**{rule: D(value) + step})) == []
    assert breaches(BUY, STANDING, Limits(**{rule: D(value)})) == []
    tight = D(value) - step
    (breach,) = breaches(BUY, STANDING, Limits(**{rule: tight}))
    assert (breach.rule, breach.value) == (rule, value)
    assert D(breach.limit) == tight


@pytest.mark.parametrize(("rule", "value"), [("max_daily_loss", "0.02"), ("max_drawdown", "0.2")])
def test_a_loss_may_reach_its_limit_and_no_more(rule, value):
    standing = replace(STANDING, equity=D(9800), peak_equity=D(12_250))  # 200 of 10000, 2450 of 12250
    for limit, refused in ((D(value) + D("1e-9"), 0), (D(value), 0), (D(value) - D("1e-9"), 1)):
        limits = Limits(**{rule: limit})
        assert [breach.value for breach in breaches(BUY, standing, limits)] == [value] * refused
        assert [breach.rule for breach in standing_breaches(standing, limits)] == [rule] * refused


def test_leverage_without_an_order_counts_what_is_held_and_not_what_is_open():
    assert standing_breaches(STANDING, Limits(max_leverage="0.6")) == []  # (5000 + 1000) / 10000
    (breach,) = standing_breaches(STANDING, Limits(max_leverage="0.5999"))
    assert (breach.rule, breach.value) == ("max_leverage", "0.6")


def test_without_limits_everything_passes():
    assert breaches(BUY, STANDING, Limits()) == standing_breaches(STANDING, Limits()) == []


def test_no_more_is_sold_than_held_where_short_sales_are_not_allowed():
    assert rules(order("sell", 50), allow_short=False) == []
    (breach,) = breaches(order("sell", 51), STANDING, Limits(allow_short=False))
    assert (breach.rule, breach.limit, breach.value) == ("allow_short", "0", "1")
    working = replace(STANDING, working=[("AAA", D(-30), D(120)), ("AAA", D(100), D(90))])
    assert rules(order("sell", 20), working, allow_short=False) == []
    assert rules(order("sell", 21), working, allow_short=False) == ["allow_short"]
    assert rules(order("buy", 5, "BBB"), allow_short=False) == []
    assert rules(order("sell", None, notional=D(10)), replace(STANDING, marks={}), allow_short=False) == ["allow_short"]


def test_only_allowed_symbols_are_opened_and_what_is_held_beside_them_may_be_closed():
    assert rules(order("buy", 1, "aaa"), symbols={"AAA"}) == []
    assert rules(order("buy", 1, "CCC"), symbols={"AAA"}) == ["symbols"]
    assert rules(order("buy", 20, "BBB"), symbols={"AAA"}) == []
    assert rules(order("buy", 21, "BBB"), symbols={"AAA"}) == ["symbols"]


def test_banned_symbols_are_not_traded_in_either_direction():
    assert rules(order("buy", 1, "bbb"), banned={"BBB"}) == ["banned"]
    assert rules(order("sell", 50), banned=["aaa"]) == ["banned"]
    assert rules(order("sell", 50), banned={"BBB"}) == []


@pytest.mark.parametrize(
    ("ticket", "away"),
    [
        (order("buy", 1, kind="limit", limit_price=D(110)), "0.1"),
        (order("sell", 1, kind="limit", limit_price=D(90)), "0.1"),
        (order("buy", 1, kind="stop", stop_price=D(110)), "0.1"),
        (order("sell", 1, kind="stop", stop_price=D(90)), "0.1"),
        (order("sell", 1, kind="stop_limit", stop_price=D(95), limit_price=D(90)), "0.1"),
        (order("buy", 1, kind="trailing_stop", trail_percent=D(10)), "0.1"),
        (order("sell", 1, kind="trailing_stop", trail_price=D(10)), "0.1"),
        (order("buy", 1, shape="bracket", target=Exit(limit=D(120)), stop_loss=Exit(stop=D(95), limit=D(90))), "0.1"),
    ],
)
def test_a_price_may_lie_as_far_as_the_band_on_the_worse_side(ticket, away):
    assert rules(ticket, price_band=away) == []
    (breach,) = breaches(ticket, STANDING, Limits(price_band=D(away) - D("0.0001")))
    assert (breach.rule, breach.value) == ("price_band", away)


@pytest.mark.parametrize(
    "ticket",
    [
        order("buy", 1, kind="limit", limit_price=D(1)),
        order("sell", 1, kind="limit", limit_price=D(1000)),
        order("buy", 1),
        order("sell", 1),
    ],
)
def test_prices_on_the_better_side_and_market_orders_are_in_any_band(ticket):
    assert rules(ticket, price_band="0.0001") == []


@pytest.mark.parametrize(
    ("marks", "times", "aged"),
    [
        ({}, {}, True),
        ({"AAA": NAN}, {"AAA": NOW}, True),
        ({"AAA": D(0)}, {"AAA": NOW}, True),
        ({"AAA": D(100)}, {}, True),
        ({"AAA": D(100)}, {"AAA": NOW - 10 * SECOND - 1}, True),
        ({"AAA": D(100)}, {"AAA": NOW + 10 * SECOND + 1}, True),
        ({"AAA": D(100)}, {"AAA": NOW - 10 * SECOND}, False),
    ],
)
def test_a_market_order_needs_a_last_price_that_is_fresh_even_if_it_reduces(marks, times, aged):
    standing = replace(STANDING, marks=marks, mark_times=times)
    for ticket in (order("buy", 1), order("sell", 50)):
        assert rules(ticket, standing, max_price_age=10) == (["max_price_age"] if aged else [])


def test_an_order_in_dollars_counts_as_the_most_shares_it_can_come_to():
    ticket = order("buy", None, kind="limit", notional=D(950), limit_price=D(95))
    assert rules(ticket, max_order_value=950, max_order_shares=10) == []  # 950 / 95
    assert rules(ticket, max_order_value="949.99", max_order_shares="9.99") == ["max_order_value", "max_order_shares"]
    assert rules(ticket, max_symbol_value=6000) == []  # 50 + 10 at 100
    assert rules(ticket, max_symbol_value="5999.99") == ["max_symbol_value"]
    assert rules(order("sell", None, notional=D(5000)), max_gross=1) == []  # all that is held, and no more
    assert rules(order("sell", None, notional=D("5000.01")), max_gross=1) == ["max_gross"]


EXPOSURE = {"max_symbol_value": 1, "max_gross": 1, "max_net": 1, "max_leverage": "0.0001", "max_turnover": "0.0001"}


@pytest.mark.parametrize(
    ("ticket", "reduces"),
    [
        (order("sell", 50), True),
        (order("sell", "50.000000001"), False),
        (order("sell", 1), True),
        (order("buy", 1), False),
        (order("buy", 20, "BBB"), True),
        (order("buy", 21, "BBB"), False),
        (order("sell", 1, "BBB"), False),
        (order("sell", 1, "CCC"), False),
    ],
)
def test_an_order_that_only_reduces_is_exempt_from_exposure_loss_and_drawdown(ticket, reduces):
    standing = replace(STANDING, equity=D(1), peak_equity=D(20_000))
    found = rules(ticket, standing, **EXPOSURE, max_daily_loss="0.01", max_drawdown="0.01")
    assert found == ([] if reduces else [*EXPOSURE, "max_daily_loss", "max_drawdown"])


def test_an_order_that_reduces_is_held_to_limits_of_size_price_and_rate():
    ticket = order("sell", 50, kind="limit", limit_price=D(50))
    found = rules(
        ticket, max_order_value=1, max_order_shares=1, price_band="0.1", max_orders_per_minute=1, max_open_orders=1,
        max_gross=1,
    )  # fmt: skip
    assert found == ["max_order_value", "max_order_shares", "price_band", "max_orders_per_minute", "max_open_orders"]


@pytest.mark.parametrize("equity", [NAN, D("Infinity"), D(0), D(-1), D(10) ** 15])
def test_without_a_sound_equity_nothing_is_opened_and_all_is_closed(equity):
    standing = replace(STANDING, equity=equity)
    assert rules(BUY, standing) == ["equity"]
    assert rules(order("sell", 50), standing, max_leverage=5, max_daily_loss="0.5") == []
    assert [breach.rule for breach in standing_breaches(standing, Limits())] == ["equity"]


@pytest.mark.parametrize("name", ["session_equity", "peak_equity"])
@pytest.mark.parametrize("amount", [NAN, D(0), D(-5)])
def test_a_loss_that_cannot_be_reckoned_is_over_its_limit(name, amount):
    standing = replace(STANDING, **{name: amount})
    rule = {"session_equity": "max_daily_loss", "peak_equity": "max_drawdown"}[name]
    limits = Limits(max_daily_loss=1, max_drawdown=1)
    assert [(breach.rule, breach.value) for breach in standing_breaches(standing, limits)] == [(rule, "unknown")]


PRICED = {
    "max_order_value": 10**6, "price_band": 1, "max_symbol_value": 10**6, "max_gross": 10**6, "max_net": 10**6,
    "max_leverage": 10**6, "max_turnover": 10**6,
}  # fmt: skip


def test_an_unknown_price_of_the_symbol_is_over_every_limit_that_needs_it():
    standing = replace(STANDING, marks={"BBB": D(50), "CCC": D(20)})
    assert rules(BUY, standing, **PRICED) == list(PRICED)


def test_an_unknown_price_of_something_else_that_is_held_or_ordered_is_over_the_limits_of_the_whole():
    whole = ["max_gross", "max_net", "max_leverage"]
    for symbol, found in (("BBB", whole), ("CCC", [*whole, "max_turnover"])):
        marks = {name: mark for name, mark in STANDING.marks.items() if name != symbol}
        assert rules(BUY, replace(STANDING, marks=marks), **PRICED) == found
    stale = replace(STANDING, mark_times=STANDING.mark_times | {"BBB": NOW - 60 * SECOND})
    assert rules(BUY, stale, **PRICED, max_price_age=59) == whole
    assert rules(BUY, stale, **PRICED, max_price_age=60) == []


def test_what_is_no_longer_held_needs_no_price():
    standing = replace(STANDING, positions=STANDING.positions | {"GONE": D(0)})
    assert rules(BUY, standing, **PRICED) == []
    assert standing_breaches(standing, Limits(max_leverage=1)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"positions": {"AAA": NAN}},
        {"positions": {"ZZZ": NAN}},
        {"working": [("AAA", NAN, D(1))]},
        {"working": [("AAA", D(1), NAN)]},
        {"working": [("ZZZ", D(1), D(1))]},
    ],
)
def test_figures_that_are_no_numbers_are_over_the_limit(change):
    assert "max_gross" in rules(BUY, replace(STANDING, **change), max_gross=10**9)


def test_a_turnover_that_is_not_known_is_over_the_limit():
    assert rules(BUY, replace(STANDING, traded=NAN), max_turnover=10**9) == ["max_turnover"]


@pytest.mark.parametrize(
    "ticket",
    [
        order("buy", None),
        order("buy", "NaN"),
        order("buy", -1),
        order("buy", None, notional=NAN),
        order("buy", 1, kind="limit", limit_price=NAN),
        order("buy", 1, kind="limit", limit_price=D(0)),
    ],
)
def test_an_order_that_makes_no_sense_is_over_the_limit(ticket):
    assert "max_gross" in rules(ticket, max_gross=10**9)
    assert "max_order_value" in rules(ticket, max_order_value=10**9)


def test_times_of_orders_ahead_of_the_present_count_as_recent():
    standing = replace(STANDING, order_times=[NOW + 10 * SECOND] * 3)
    assert rules(BUY, standing, max_orders_per_minute=3) == ["max_orders_per_minute"]


def test_a_message_says_what_is_wrong_and_what_would_mend_it():
    (value,) = breaches(BUY, STANDING, Limits(max_order_value=1000))
    assert value.message == (
        "The value of the order comes to $1,010.00, over the limit of $1,000.00. Send a smaller order, or several."
    )
    (age,) = breaches(BUY, replace(STANDING, marks={}), Limits(max_price_age=10))
    assert age.message == (
        "The age of the last price cannot be known, so it may be over the limit of 10 seconds. Look at the prices, "
        "positions, open orders and equity: one of them is missing, stale or no number."
    )
    (banned,) = breaches(BUY, STANDING, Limits(banned={"AAA"}))
    assert banned == Breach(
        "banned", "none of the banned", "AAA", "AAA is banned. Trade something else, or take it out of banned."
    )


@pytest.mark.parametrize("name", [field.name for field in fields(Limits) if field.name.startswith(("max_", "price"))])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "much", True, [1], D(10) ** 15])
def test_a_limit_is_a_number_above_zero(name, value):
    with pytest.raises(DataError, match=rf"Limits: {name}=.* must be a number above 0"):
        Limits(**{name: value})


def test_fractions_are_at_most_one_and_counts_are_whole():
    for name in ("max_daily_loss", "max_drawdown", "price_band"):
        assert getattr(Limits(**{name: 1}), name) == 1
        with pytest.raises(DataError, match=rf"{name}=2 must be a fraction above 0 and at most 1"):
            Limits(**{name: 2})
    for name in ("max_orders_per_minute", "max_open_orders"):
        assert getattr(Limits(**{name: 3.0}), name) == 3
        with pytest.raises(DataError, match=rf"{name}=1\.5 must be a whole number"):
            Limits(**{name: 1.5})


def test_limits_read_numbers_by_their_digits_and_are_frozen():
    limits = Limits(max_daily_loss=0.1, max_gross="5000.50")
    assert (limits.max_daily_loss, limits.max_gross) == (D("0.1"), D("5000.50"))
    with pytest.raises(FrozenInstanceError):
        limits.max_gross = None
    with pytest.raises(TypeError):
        Limits(1)


@pytest.mark.parametrize("name", ["symbols", "banned"])
@pytest.mark.parametrize("value", ["AAPL", 5, [""], [None]])
def test_symbols_are_a_set_of_names(name, value):
    with pytest.raises(DataError, match=f"Limits: {name}"):
        Limits(**{name: value})


def test_an_empty_list_of_allowed_symbols_is_taken_for_a_mistake():
    with pytest.raises(DataError, match="nothing could be traded"):
        Limits(symbols=frozenset())
    with pytest.raises(DataError, match="allow_short=1 must be True or False"):
        Limits(allow_short=1)
