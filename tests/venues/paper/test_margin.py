"""What an account may do under Alpaca's rules: tables worked out by hand, and chance that must never break them."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from bar_desk import JULY, Desk, flat, opening
from hypothesis import given
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab.core import DataError
from qtw_lab.ledger.book import Charge, Fill, Split
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.venues.moments import SECOND, instant
from qtw_lab.venues.paper.account_rules import AlpacaRules
from qtw_lab.venues.paper.lending import Lending
from qtw_lab.venues.paper.margin import day_trades

D = Decimal
TODAY = AlpacaRules(intraday_margin="2000-01-01")
#: Friday to Wednesday around the day on which trades began to settle after one session; Monday is a holiday.
MAY = ("2024-05-23", "2024-05-24", "2024-05-28", "2024-05-29", "2024-05-30")
JUNE = ("2026-06-02", "2026-06-03", "2026-06-04", "2026-06-05")


def standing(desk):
    said = desk.paper.standing(desk.paper.now())
    return said.power, said.own, said.multiplier, said.shorting


# Without margin


def test_an_account_whose_multiplier_is_one_spends_what_its_sales_bring_at_once_and_borrows_nothing():
    desk = Desk(flat(), rules=AlpacaRules())
    desk.paper.configure({"max_margin_multiplier": "1"})
    assert standing(desk) == (10_000, 10_000, 1, False)
    assert desk.refused(-1)["message"] == "account is not allowed to short"
    assert desk.refused(1001)["message"] == "insufficient buying power"
    desk.send(1000)
    desk.send(-1000)
    assert standing(desk) == (10_000, 10_000, 1, False)
    desk.send(1000)


def test_below_two_thousand_dollars_nothing_is_lent():
    desk = Desk(flat(), rules=AlpacaRules(), cash=1999)
    assert standing(desk) == (1999, 1999, 1, False)
    assert (desk.refused(-1)["code"], desk.refused(200)["code"]) == (40310000, 40310000)
    assert standing(Desk(flat(), rules=AlpacaRules(), cash=2000)) == (4000, 2000, 2, True)


def test_what_was_sold_short_is_not_spent_by_an_account_that_may_borrow_no_more():
    desk = Desk(flat(), rules=AlpacaRules())
    desk.send(-500)
    assert standing(desk)[:2] == (15_000, 10_000)
    desk.paper.configure({"max_margin_multiplier": "1"})
    assert standing(desk) == (10_000, 10_000, 1, False)
    desk.send(500)  # closing is always allowed


@pytest.mark.parametrize(
    ("sold", "spendable"),
    [
        (0, 2),  # Thursday before the change: two sessions, which are Friday and Tuesday
        (1, 3),  # Friday before it: two sessions, Tuesday and Wednesday
        (2, 3),  # Tuesday, the first day of the new rule: one session
        (3, 4),
    ],
)
def test_a_cash_account_spends_proceeds_when_they_have_settled_by_the_rule_of_the_trades_date(sold, spendable):
    desk = Desk(flat(dates=MAY), rules=AlpacaRules(cash_account=True))
    desk.at(sold).send(1000)
    desk.at(sold, 60).send(-400)
    assert desk.paper.book.cash == 4000
    for moment in (desk.market.opens[sold] + 120 * SECOND, desk.market.opens[spendable] - 1):
        assert standing(desk.to(moment)) == (0, 0, 1, False)
        assert desk.refused(1)["message"] == "insufficient buying power"
    assert standing(desk.at(spendable)) == (4000, 4000, 1, False)
    assert desk.refused(-601)["code"] == 40310000  # held 600
    desk.send(400)


def test_a_cash_account_borrows_no_shares():
    desk = Desk(flat(), rules=AlpacaRules(cash_account=True))
    assert desk.refused(-1)["message"] == "account is not allowed to short"


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-900, 900).filter(bool)), max_size=12))
def test_a_cash_account_never_pays_with_money_that_is_not_there_and_settled(orders):
    desk = Desk(flat(dates=MAY), rules=AlpacaRules(cash_account=True))
    for place, (bar, qty) in enumerate(sorted(orders, key=lambda one: one[0])):
        desk.at(bar, place)
        power = desk.power
        try:
            desk.send(qty)
        except RefusedError:
            continue
        assert 0 <= desk.power <= power
        assert desk.paper.book.cash >= 0
        assert desk.held >= 0
        assert qty < 0 or 10 * qty <= power


# Intraday margin


@pytest.mark.parametrize(
    ("price", "most"),
    [
        (10, 2000),  # Regulation T: twice 10,000; 30% of it are 6,000
        (5, 4000),  # half must be kept, as much as there is
        (2, 5000),  # all of it must be kept: nothing can be borrowed
    ],
)
def test_no_order_makes_an_intraday_margin_deficit(price, most):
    desk = Desk(flat(float(price)), rules=TODAY)
    assert desk.refused(most + 1)["code"] == 40310000
    desk.send(most)
    balance = desk.paper.balance(desk.paper.now())
    assert balance.equity == 10_000 >= balance.maintenance_margin


def test_a_deficit_is_refused_in_words_of_its_own_where_buying_power_would_do():
    desk = Desk(flat(2.0), rules=TODAY)
    said = desk.refused(5001)
    assert (said["message"], said["intraday_margin_level"]) == (
        "order would create or increase an intraday margin deficit", "-2",
    )  # fmt: skip
    # a share sold short keeps 2.50, and is reckoned at 2.06
    assert desk.refused(-4001)["intraday_margin_level"] == "-2.5"
    desk.send(-4000)


def test_open_orders_count_as_if_they_were_filled():
    desk = Desk(flat(2.0), rules=TODAY)
    desk.send(2000, kind="limit", life="gtc", limit_price=D("1.5"))
    assert desk.refused(3501)["intraday_margin_level"] == "-2"
    desk.send(3500)


def test_an_order_above_the_market_is_valued_at_the_market():
    desk = Desk(flat(2.49), rules=TODAY)
    above = {"kind": "limit", "limit_price": D("2.51")}
    assert desk.refused(4017, **above)["intraday_margin_level"] == "-2.33"  # all of 2.49 must be kept, not half of 2.51
    desk.send(4016, **above)


def test_a_deficit_that_is_there_lets_nothing_be_opened_and_everything_be_closed():
    desk = Desk(opening(10.0, 6.0), rules=TODAY)
    desk.send(2000)
    desk.at(1)  # 12,000 of shares, 10,000 owed
    assert desk.refused(1)["code"] == 40310000
    desk.send(-1500)


def test_the_rule_begins_on_its_date():
    desk = Desk(flat(2.0, dates=JUNE), rules=AlpacaRules())
    desk.at(1).send(5001)
    assert "intraday margin deficit" in Desk(flat(2.0, dates=JUNE), rules=AlpacaRules()).at(2).refused(5001)["message"]


steps = st.tuples(
    st.integers(0, 4), st.integers(-6000, 6000).filter(bool), st.sampled_from([None, "0.9", "0.99", "1", "1.01", "1.1"])
)
paths = st.lists(st.integers(150, 900).map(lambda cents: cents / 100), min_size=5, max_size=5)


def wide(opens):
    """Bars that open at these prices and range from half of them to twice as much."""
    first = np.array(opens)
    frame = pd.DataFrame({"open": first, "high": 2 * first, "low": first / 2, "close": first})
    return qtw.Bars.from_frame(frame.set_index(pd.DatetimeIndex(JULY)), symbol="X")


@given(paths, st.lists(steps, max_size=14))
def test_an_accepted_order_never_leaves_less_than_the_maintenance_margin_at_its_own_price(opens, orders):
    desk = Desk(wide(opens), rules=TODAY)
    for place, (bar, qty, factor) in enumerate(sorted(orders, key=lambda one: one[0])):
        desk.at(bar, place)
        terms = {} if factor is None else {"kind": "limit", "limit_price": round(D(str(opens[bar])) * D(factor), 2)}
        before = desk.held
        try:
            desk.send(qty, life="day", **terms)
        except RefusedError:
            continue
        now = desk.paper.now()
        assert desk.power >= 0
        if abs(desk.held) > abs(before):
            balance = desk.paper.balance(now)
            assert balance.equity >= balance.maintenance_margin
    assert desk.paper.state.faults() == []


# Only closing


def test_a_position_of_more_than_six_times_the_equity_can_only_be_closed():
    desk = Desk(opening(10.0, 5.99, 6.01), rules=AlpacaRules())
    desk.send(2000)
    desk.at(1)  # worth 11,980 with 1,980 of its own: 6.05 times
    assert desk.refused(1)["message"] == "account is restricted to liquidation only"
    desk.at(2)  # 12,020 with 2,020
    assert desk.refused(1)["message"] == "insufficient buying power"
    desk.at(2).send(-2000)


# Pattern day trading, until June 2026


def fills(text):
    """Fills of one day from words such as `+250 ABC`, a second apart."""
    found, at = [], instant("2026-01-05T15:00:00Z")
    for place, part in enumerate(text.split(",")):
        qty, symbol = part.split()
        side = "buy" if qty.startswith("+") else "sell"
        qty = abs(D(qty))
        found.append(Fill(str(place), "o", symbol, 0, side, at + place * SECOND, D(10), qty, D(0), qty, "filled"))
    return found


@pytest.mark.parametrize(
    ("text", "made"),
    [
        # the examples of FINRA's Regulatory Notice 21-13, as Alpaca shows them
        ("+250 ABC,+250 ABC,-500 ABC", 1),
        ("+100 ABC,-100 ABC,+100 ABC,-100 ABC", 2),
        ("+500 ABC,-100 ABC,-100 ABC,-300 ABC", 1),
        ("+250 ABC,+300 ABC,+100 ABC,-150 ABC,-175 ABC", 1),
        ("+199 ABC,+142 ABC,-1 ABC,+45 ABC,-100 ABC,-200 ABC", 2),
        ("+200 ABC,+100 XYZ,-100 ABC,-100 XYZ", 2),
        # short sales, and what only opens
        ("-100 ABC,+40 ABC,+60 ABC", 1),
        ("+100 ABC,+100 XYZ", 0),
        # a fill that turns a position closes it and opens another
        ("+100 ABC,-200 ABC,+100 ABC", 2),
    ],
)
def test_day_trades_are_counted_as_finra_counts_them(text, made):
    assert day_trades(fills(text), ["2026-01-05"], "2026-01-05").made == made
    assert day_trades(fills(text), ["2026-01-06"], "2026-01-05").made == 0


def test_what_was_held_overnight_makes_no_day_trade_and_a_split_is_no_trade():
    bought, sold = fills("+100 ABC")[0], fills("-400 ABC")[0]
    earlier = Fill("e", "o", "ABC", 0, "buy", bought.at - 86_400 * SECOND, D(10), D(100), D(0), D(100), "filled")
    split, paid = Split("s", bought.at - 5, "ABC", D(4)), Charge("c", bought.at - 4, "DIV", D(1), "ABC")
    days = ["2026-01-04", "2026-01-05"]
    assert day_trades([earlier, split, paid, sold], days, days[1]) == (0, frozenset())
    assert day_trades([earlier, bought], days, days[1]) == (0, {"ABC"})


def trader(check="entry", cash=10_000, dates=("2026-01-05", "2026-01-06", "2026-01-07", "2026-01-08", "2026-01-09",
                                               "2026-01-12", "2026-01-13"), **more):  # fmt: skip
    """An account that has made three day trades: one on the first day, two on the second."""
    desk = Desk(flat(dates=dates), rules=AlpacaRules(pdt_check=check, **more), cash=cash)
    for bar, second in ((0, 0), (1, 0), (1, 60)):
        desk.at(bar, second).send(10)
        desk.send(-10)
    return desk


def test_the_order_that_could_make_a_fourth_day_trade_is_refused_until_one_is_five_sessions_ago():
    desk = trader()
    for bar in (1, 2, 4):
        said = desk.at(bar, 120).refused(1)
        assert said == {"code": 40310100, "message": "trade denied due to pattern day trading protection"}
    desk.at(5).send(10)  # the first of the three is out of the window
    desk.send(-10)
    assert desk.refused(1)["code"] == 40310100
    desk.at(6).send(1)


@pytest.mark.parametrize("more", [{"cash": 25_000}, {"check": "off"}, {"cash_account": True}, {"dates": JUNE}])
def test_it_is_not_refused_where_the_rule_does_not_apply(more):
    desk = trader(**more)
    (desk.at(2) if more.get("dates") or more.get("cash_account") else desk).send(1)


def test_what_the_account_was_worth_at_the_last_close_counts():
    desk = Desk(wide([10.0, 10.0, 20.0, 20.0, 10.0]), rules=AlpacaRules(pdt_check="entry"), cash=24_000)
    desk.send(200)
    for second in (0, 60, 120):
        desk.at(1, second).send(10)
        desk.send(-10)
    assert desk.at(2).refused(1)["code"] == 40310100  # 26,000 now, 24,000 at the last close
    desk.at(4).send(1)  # 24,000 now, 26,000 then


def test_on_exit_what_was_opened_today_cannot_be_closed_and_pairs_of_open_orders_count():
    desk = trader("exit")
    desk.at(2).send(10)
    assert desk.refused(-10)["code"] == 40310100
    low = desk.send(5, kind="limit", limit_price=D(8))
    desk.at(3)  # bought yesterday, and the order of yesterday has ended
    low = desk.send(5, kind="limit", limit_price=D(8))
    assert desk.refused(-10, kind="limit", limit_price=D(11))["code"] == 40310100
    desk.paper.cancel(low)
    desk.send(-10)


# Numbers of the rules


def test_a_market_order_is_reckoned_at_the_ask_or_above_it_as_the_collar_says():
    desk = Desk(flat(), rules=AlpacaRules(collar=D("0.04")))
    assert desk.refused(1924)["cost_basis"] == "20009.6"  # 10.40 each
    desk.after(0).send(1923)
    assert desk.power == 20_000 - 1923 * D("10.4")
    desk.at(1)
    assert desk.paper.book.cash == 10_000 - 19_230
    Desk(flat(), rules=AlpacaRules()).send(2000)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: AlpacaRules(pdt_check="always"), "pattern day trading"),
        (lambda: AlpacaRules(collar=D(-1)), "collar"),
        (lambda: AlpacaRules(intraday_margin="soon"), "intraday_margin"),
        (lambda: Lending(shares=-1), "must not be below 0"),
    ],
)
def test_rules_that_cannot_be_are_refused(make, said):
    with pytest.raises(DataError, match=said):
        make()


def test_july_is_a_month_of_the_present_settlement():
    desk = Desk(flat(dates=JULY), rules=AlpacaRules(cash_account=True))
    desk.send(1000)
    desk.send(-1000)
    assert desk.power == 0
    assert desk.at(1).power == 10_000
