"""What could be held at the worst, by hand and against every choice of the orders that fill."""

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.ledger.exposure import Case, Reach, Standing, order_prices, reach
from qtw_lab.ledger.tickets import Exit, Ticket

D = Decimal
NOW = 1_704_205_800 * 10**9
SECOND = 10**9
SYMBOLS = ("AAA", "BBB", "CCC")
NAN = D("NaN")


def order(side, qty, symbol="AAA", kind="market", **more):
    return Ticket(symbol, side, kind, "day", qty=None if qty is None else D(qty), **more)


def standing(positions=None, working=(), marks=None, **more):
    money = {"equity": D(10_000), "session_equity": D(10_000), "peak_equity": D(10_000)}
    held = {symbol: D(shares) for symbol, shares in (positions or {}).items()}
    marks = {"AAA": D(100), "BBB": D(50), "CCC": D(20)} if marks is None else marks
    return Standing(now=NOW, **money, positions=held, marks=marks, working=working, **more)


def test_the_worst_of_open_orders_counts_on_each_side():
    account = standing({"AAA": 10}, [("AAA", D(20), D(105)), ("AAA", D(-40), D(99))])
    # all that buys: 10 x 100 + 20 x 105 + 5 x 100 = 3600; all that sells: (10 - 40) x 100 = -3000
    case = Case(order("buy", 5), account)
    assert (case.reaches, case.symbol_value) == ({"AAA": Reach(D(3600), D(-3000))}, D(3600))
    # a sale of 15 more: -4500 on that side, and 10 x 100 + 20 x 105 = 3100 on the other
    case = Case(order("sell", 15), account)
    assert (case.symbol_value, case.gross, case.net, case.lowest) == (D(4500), D(4500), D(4500), D(-45))


def test_an_open_order_to_exit_adds_no_exposure_though_its_price_is_high():
    assert Case(order("buy", 1), standing({"AAA": 10}, [("AAA", D(-10), D(150))])).symbol_value == D(1100)


def test_an_order_that_turns_a_position_counts_with_what_is_left_of_it():
    assert Case(order("sell", 120), standing({"AAA": 50})).symbol_value == D(7000)  # 50 - 120 = -70 at 100


def test_long_and_short_add_up_in_gross_and_offset_in_net():
    case = Case(order("buy", 10, kind="limit", limit_price=D(101)), standing({"AAA": 50, "BBB": -20}))
    assert (case.gross, case.net) == (D(7010), D(5010))  # 5000 + 1010 + 1000; 5000 + 1010 - 1000
    assert case.standing.held() == D(6000)


def test_turnover_is_what_was_traded_with_this_order_and_all_open_ones():
    account = standing(working=[("CCC", D(-10), D(25)), ("BBB", D(4), D(0))], traded=D(3000))
    assert Case(order("buy", 10), account).turnover == D(3000 + 1000 + 250 + 200)


@pytest.mark.parametrize(
    ("qty", "working", "reduces"),
    [
        (50, [], True),
        (51, [], False),
        (30, [("AAA", D(-20), D(120)), ("AAA", D(500), D(80))], True),
        (31, [("AAA", D(-20), D(120)), ("AAA", D(500), D(80))], False),
        (1, [("AAA", NAN, D(1))], False),  # nobody knows what that one gives away
        (1, [("BBB", NAN, D(1))], True),
    ],
)
def test_an_order_only_reduces_where_open_orders_do_not_give_the_same_shares_away(qty, working, reduces):
    assert Case(order("sell", qty), standing({"AAA": 50}, working)).reduces is reduces


def test_an_order_in_dollars_is_as_many_shares_as_it_can_come_to():
    case = Case(order("sell", None, kind="limit", notional=D(950), limit_price=D(95)), standing())
    assert (case.shares, case.value) == (D(-10), D(950))


@pytest.mark.parametrize(
    ("ticket", "named"),
    [
        (order("buy", 1), []),
        (order("buy", 1, kind="stop_limit", stop_price=D(104), limit_price=D(105)), [D(105), D(104)]),
        (order("buy", 1, kind="trailing_stop", trail_percent=D(5)), [D(105)]),
        (order("sell", 1, kind="trailing_stop", trail_price=D(7)), [D(93)]),
    ],
)
def test_the_prices_of_an_order_are_those_it_names_beside_the_last_one(ticket, named):
    assert order_prices(ticket, D(100)) == [D(100), *named]
    assert order_prices(ticket, None) == []


@pytest.mark.parametrize("price", [NAN, D(0), D(-1), D("Infinity")])
def test_an_order_with_a_price_that_is_none_has_no_prices_at_all(price):
    assert order_prices(order("buy", 1, kind="limit", limit_price=price), D(100)) == []
    assert order_prices(order("buy", 1, kind="trailing_stop", trail_price=price), D(100)) == []


def test_the_band_is_measured_on_the_worse_side_of_the_order_and_its_exits():
    exits = {"shape": "bracket", "target": Exit(limit=D(120)), "stop_loss": Exit(stop=D(95), limit=D(88))}
    assert Case(order("buy", 1, **exits), standing()).band == D(12)
    assert Case(order("buy", 1, kind="limit", limit_price=D(90)), standing()).band == D(0)


@pytest.mark.parametrize(
    ("marks", "times", "good"),
    [
        ({"AAA": D(100)}, {"AAA": NOW - 10 * SECOND}, True),
        ({"AAA": D(100)}, {"AAA": NOW - 10 * SECOND - 1}, False),
        ({"AAA": D(100)}, {"AAA": NOW + 10 * SECOND + 1}, False),
        ({"AAA": D(100)}, {}, False),
        ({}, {"AAA": NOW}, False),
        ({"AAA": NAN}, {"AAA": NOW}, False),
    ],
)
def test_a_last_price_is_good_while_it_is_not_too_far_from_the_present(marks, times, good):
    account = standing(marks=marks, mark_times=times)
    assert account.mark("AAA", D(10)) == (D(100) if good else None)
    assert account.mark("AAA") == (None if marks.get("AAA", NAN).is_nan() else D(100))


def test_what_depends_on_something_unknown_is_unknown():
    case = Case(order("buy", 1), standing({"BBB": 5}, marks={"AAA": D(100)}))
    assert (case.gross, case.net, case.standing.held()) == (None, None, None)
    assert case.symbol_value == D(100)
    assert reach(D(1), None, []) is reach(None, D(1), []) is reach(D(1), D(1), [(None, D(1))]) is None


signed = st.integers(-200, 200).filter(bool).map(D)
accounts = st.builds(
    standing,
    st.dictionaries(st.sampled_from(SYMBOLS), st.integers(-200, 200), max_size=3),
    st.lists(st.tuples(st.sampled_from(SYMBOLS), signed, st.just(D(0))), max_size=4),
    st.fixed_dictionaries(dict.fromkeys(SYMBOLS, st.integers(1, 300).map(D))),
)


@given(st.sampled_from(SYMBOLS), signed, accounts)
def test_at_last_prices_the_worst_case_is_one_that_can_happen(symbol, shares, account):
    case = Case(order("buy" if shares > 0 else "sell", abs(shares), symbol), account)
    orders = [*((name, left) for name, left, _ in account.working), (symbol, shares)]
    values = []
    for filled in itertools.product((False, True), repeat=len(orders)):
        after = dict.fromkeys(SYMBOLS, D(0)) | dict(account.positions)
        for (name, left), done in zip(orders, filled, strict=True):
            after[name] += left if done else 0
        values.append({name: after[name] * account.marks[name] for name in SYMBOLS})
    assert case.gross == max(sum(map(abs, held.values())) for held in values)
    assert case.net == max(abs(sum(held.values())) for held in values)
    assert case.symbol_value == max(abs(held[symbol]) for held in values)
    assert account.held() == sum(map(abs, values[0].values()))


@given(st.sampled_from(SYMBOLS), signed, accounts)
def test_an_order_that_only_reduces_leaves_no_more_than_there_was_whichever_orders_of_its_side_fill(
    symbol, shares, account
):
    case = Case(order("buy" if shares > 0 else "sell", abs(shares), symbol), account)
    held = account.positions.get(symbol, D(0))
    same = sum(left for name, left, _ in account.working if name == symbol and left * shares > 0)
    assert case.reduces == (held * shares < 0 and held * (held + shares + same) >= 0)
