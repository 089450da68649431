"""What an order would come to and each limit would make of it, said by the code that judges orders."""

from dataclasses import fields
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.ledger.limits import ALWAYS, Limits, Standing, breaches
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.live.trading.preview import Bound, Preview, bounds, limits_set

D = Decimal
SECOND = 10**9
STANDING = Standing(
    now=10**18, equity=D(9_900), session_equity=D(10_000), peak_equity=D(11_000), positions={"X": D(40)},
    marks={"X": D(100), "Y": D(50)}, mark_times={"X": 10**18 - 3 * SECOND, "Y": 10**18}, traded=D(2_000),
    working=[("Y", D(10), D(51))], order_times=[10**18 - SECOND] * 3,
)  # fmt: skip
ALL = Limits(
    max_order_value=5_000, max_order_shares=100, max_symbol_value=9_000, max_gross=20_000, max_net=20_000,
    max_leverage=2, max_turnover=3, max_daily_loss="0.05", max_drawdown="0.2", max_orders_per_minute=10,
    max_open_orders=5, price_band="0.1", max_price_age=60, allow_short=False, symbols={"X", "Y"}, banned={"GME"},
)  # fmt: skip


def order(side="buy", qty=10, symbol="X", **more):
    return Ticket(symbol, side, more.pop("kind", "market"), "day", qty=D(qty), client_order_id="hand-1", **more)


def test_every_limit_that_is_set_stands_there_with_what_the_order_makes_of_it():
    found = {one.rule: (one.bound, one.value) for one in bounds(order(), STANDING, ALL)}
    assert found == {
        "max_order_value": ("5000", "1000"), "max_order_shares": ("100", "10"), "price_band": ("0.1", "0"),
        "max_price_age": ("60", "3"), "max_orders_per_minute": ("10", "4"), "max_open_orders": ("5", "2"),
        "max_symbol_value": ("9000", "5000"),  # 50 shares at 100
        "max_gross": ("20000", "5510"), "max_net": ("20000", "5510"),  # and 10 of the other at 51
        "max_leverage": ("2", "0.556565657"),  # of 9,900
        "max_turnover": ("3", "0.351"),  # 2,000 + 1,000 + 510 of 10,000
        "max_daily_loss": ("0.05", "0.01"), "max_drawdown": ("0.2", "0.1"),
        "allow_short": ("0", "0"), "symbols": ("X, Y", "X"), "banned": ("GME", "X"),
    }  # fmt: skip
    assert all(one.kept and not one.message and not one.exempt for one in bounds(order(), STANDING, ALL))


def test_a_limit_that_is_broken_says_so_in_the_words_of_the_refusal():
    (found,) = bounds(order(qty=60), STANDING, Limits(max_order_value=5_000))
    (breach,) = breaches(order(qty=60), STANDING, Limits(max_order_value=5_000))
    assert found == Bound("max_order_value", "5000", "6000", kept=False, message=breach.message)


def test_limits_that_no_order_needs_to_keep_are_said_to_be_exempt():
    found = {one.rule: one.exempt for one in bounds(order("sell", 10), STANDING, ALL)}
    assert {rule for rule, exempt in found.items() if not exempt} == ALWAYS
    assert all(one.kept for one in bounds(order("sell", 10), STANDING, ALL))


def test_the_limits_that_always_hold_are_those_that_judge_orders_which_reduce():
    strict = Limits(
        **{one.name: D("1e-9") for one in fields(Limits) if one.name.startswith("max_") and "orders" not in one.name},
        max_orders_per_minute=1, max_open_orders=1, price_band=D("1e-9"), allow_short=False, banned={"X"},
        symbols={"Y"},
    )  # fmt: skip
    reducing = order("sell", 10, kind="limit", limit_price=D(90))
    assert {one.rule for one in breaches(reducing, STANDING, strict)} == ALWAYS


def test_what_is_not_known_counts_as_over_its_limit():
    blind = Standing(10**18, D("NaN"), D("NaN"), D("NaN"))
    found = {one.rule: one for one in bounds(order(), blind, Limits(max_order_value=5_000, max_daily_loss="0.1"))}
    assert {rule: one.value for rule, one in found.items()} == {
        "max_order_value": "unknown", "max_daily_loss": "unknown", "equity": "unknown"
    }  # fmt: skip
    assert not any(one.kept for one in found.values())


def test_an_order_in_a_symbol_that_is_not_allowed_breaks_that_limit():
    found = {one.rule: one.kept for one in bounds(order(symbol="Z"), STANDING, Limits(symbols={"X"}, banned={"Z"}))}
    assert found == {"symbols": False, "banned": False}


def test_of_many_symbols_the_first_are_named():
    assert limits_set(Limits(banned={f"S{n}" for n in range(9)})) == {"banned": "S0, S1, S2, S3, S4 … (9)"}
    assert limits_set(Limits()) == {}


@given(
    qty=st.integers(1, 200), side=st.sampled_from(["buy", "sell"]), symbol=st.sampled_from("XYZ"),
    value=st.integers(1, 20_000), leverage=st.integers(1, 3), short=st.booleans(),
)  # fmt: skip
def test_it_is_kept_if_and_only_if_the_guard_would_let_the_order_through(qty, side, symbol, value, leverage, short):
    limits = Limits(max_order_value=value, max_leverage=leverage, max_symbol_value=value, allow_short=short)
    ticket = order(side, qty, symbol)
    broken = {one.rule for one in breaches(ticket, STANDING, limits)}
    assert {one.rule for one in bounds(ticket, STANDING, limits) if not one.kept} == broken


def test_a_preview_is_written_and_read():
    found = Preview(
        order(kind="limit", limit_price=D("99.5")), "100", "1000", "40", "50", "30", "20000", "9900",
        bounds(order(), STANDING, ALL), ("no",), ("careful",),
    )  # fmt: skip
    assert Preview.read(found.written()) == found
    assert not found.allowed
    for text in ("", "{}", "[]", '{"ticket": null}', '"no"'):
        with pytest.raises(DataError, match="What the desk says of an order cannot be read"):
            Preview.read(text)
