"""The money of one session: what it hears, what it wants to trade, and what it is worth."""

from decimal import Decimal

import pytest

from qtw_lab.ledger import Account, Costs, Sizing
from qtw_lab.ledger.book import Book, Charge, Fill
from qtw_lab.live.trading.sleeve import Seen, Sleeve
from qtw_lab.live.trading.terms import SessionTerms

D = Decimal
AT_TEN = {"X": Seen.at(10.0), "Y": Seen.at(20.0)}


def sleeve(symbols="X", strategy="sma_cross", cash=1000, **terms):
    return Sleeve(SessionTerms.given("one", strategy, symbols, "1min", **terms), Book(D(cash)))


def bought(one, qty, price=10, symbol="X", at=1, fee=0):
    signed, name = D(qty), str(len(one.book.entries))
    side = "buy" if signed > 0 else "sell"
    one.book.record(Fill(name, "o", symbol, 0, side, at, D(price), abs(signed), D(0), D(0), "fill", D(fee)))


def wanted(one, decisions, seen=None, free=None, since=0):
    seen = AT_TEN if seen is None else seen
    one.waiting = dict(decisions)
    return one.wanted(seen, seen.keys() if free is None else free, lambda start, end: since, 5)


def test_only_a_stance_that_is_new_is_news_and_none_is_flat():
    one = sleeve("X,Y")
    assert one.news({"X": 0.0, "Y": 1.0}) == {"Y": 1.0}
    one.hear({"Y": 1.0}, 60)
    assert one.news({"X": -1.0, "Y": 1.0}) == {"X": -1.0}
    assert one.news({"Y": 0.0}) == {"Y": 0.0}
    assert (one.heard, one.waiting, one.decided) == ({"Y": 1.0}, {"Y": 1.0}, {"Y": 60})


def test_every_weight_is_news():
    one = sleeve("X,Y", "cross_sectional_momentum")
    one.hear({"X": 0.5, "Y": 0.5}, 60)
    assert one.news({"X": 0.5, "Y": 0.5}) == {"X": 0.5, "Y": 0.5}


def test_a_later_decision_takes_the_place_of_one_that_waits():
    one = sleeve()
    one.hear({"X": 1.0}, 60)
    one.hear({"X": -1.0}, 120)
    assert (one.waiting, one.decided) == ({"X": -1.0}, {"X": 120})


@pytest.mark.parametrize(
    ("sizing", "shares"),
    [
        (Sizing.all_in(), "50"),  # half of 1000 for each of two symbols, at 10
        (Sizing.fixed_cash(300), "30"),
        (Sizing.fixed_shares(7), "7"),
        (Sizing.fraction(0.25), "25"),
    ],
)
def test_sizes_are_a_matter_of_the_sessions_own_equity(sizing, shares):
    one = sleeve("X,Y", sizing=sizing)
    assert wanted(one, {"X": 1.0}) == {"X": D(shares)}
    assert wanted(one, {"X": -1.0}) == {"X": -D(shares)}


def test_what_is_held_counts_and_a_turn_is_one_trade():
    one = sleeve(sizing=Sizing.fixed_shares(7))
    bought(one, 5)
    assert wanted(one, {"X": 1.0}) == {"X": D(2)}
    assert wanted(one, {"X": -1.0}) == {"X": D(-12)}
    assert wanted(one, {"X": 0.0}) == {"X": D(-5)}


def test_all_that_is_held_is_closed_to_the_last_digit_and_lots_do_not_matter():
    one = sleeve(account=Account(lot=1))
    bought(one, "3.123456789")
    assert wanted(one, {"X": 0.0}) == {"X": D("-3.123456789")}


def test_sizes_are_cut_towards_zero_to_a_billionth_and_to_lots():
    assert wanted(sleeve(), {"X": 1.0}, {"X": Seen.at(3.0)}) == {"X": D("333.333333333")}
    assert wanted(sleeve(account=Account(lot=10)), {"X": 1.0}, {"X": Seen.at(3.0)}) == {"X": D(330)}
    assert wanted(sleeve(account=Account(lot=10)), {"X": -1.0}, {"X": Seen.at(3.0)}) == {"X": D(-330)}


def test_a_buy_is_reckoned_at_the_ask_and_a_sale_at_the_bid():
    seen = {"X": Seen(10.0, 8.0, 12.5)}
    assert wanted(sleeve(), {"X": 1.0}, seen) == {"X": D(80)}  # 1000 dollars pay 80 at 12.50
    assert wanted(sleeve(), {"X": -1.0}, seen) == {"X": D(-100)}  # a sale needs no money


def test_the_expected_spread_counts_where_a_quote_has_none():
    costs = Costs(spread_bps=5000)  # a quarter above the last price
    assert wanted(sleeve(costs=costs), {"X": 1.0}, {"X": Seen.at(10.0)}) == {"X": D(80)}
    assert wanted(sleeve(costs=costs), {"X": 1.0}, {"X": Seen(10.0, 10.0, 10.000001)}) == {"X": D("99.99999")}


def test_fees_are_left_for():
    costs = Costs(commission_per_order=100)
    assert wanted(sleeve(costs=costs), {"X": 1.0}) == {"X": D(90)}


def test_sells_pay_for_buys_whatever_the_order_of_the_symbols():
    one = sleeve("X,Y", sizing=Sizing.fraction(1.0), account=Account(shorting=False))
    bought(one, 50, 20, "Y")
    assert one.book.cash == 0
    assert wanted(one, {"X": 1.0, "Y": 0.0}) == {"Y": D(-50), "X": D(100)}


def test_buys_that_are_too_much_together_shrink_together():
    one = sleeve("X,Y", sizing=Sizing.fixed_cash(1000))
    assert wanted(one, {"X": 1.0, "Y": 1.0}) == {"X": D(50), "Y": D(25)}


def test_a_session_that_may_not_sell_short_only_closes():
    one = sleeve(account=Account(shorting=False))
    assert wanted(one, {"X": -1.0}) == {}
    bought(one, 5)
    assert wanted(one, {"X": -1.0}) == {"X": D(-5)}


def test_proceeds_settle_by_the_exchanges_sessions():
    one = sleeve(account=Account.cash(settlement=2))
    bought(one, 100)
    bought(one, -100, at=3)
    assert one.book.cash == 1000
    assert [wanted(one, {"X": 1.0}, since=since) for since in (0, 1, 2)] == [{}, {}, {"X": D(100)}]


def test_what_has_no_price_or_is_not_free_waits_and_counts_at_its_last_price():
    one = sleeve("X,Y", sizing=Sizing.fraction(0.5))
    bought(one, 20, 20, "Y")  # 600 in cash
    one.marks["Y"] = D(40)
    both = {"X": 1.0, "Y": 0.0}
    assert wanted(one, both, {"X": Seen.at(10.0)}) == {"X": D(60)}  # half of 600 + 20 x 40, which 600 pays: 60
    assert wanted(one, both, free={"Y"}) == {"Y": D(-20)}
    assert wanted(one, both, free=()) == {}
    assert wanted(one, {}) == {}


def test_one_that_is_worth_nothing_closes_and_opens_nothing():
    one = sleeve(cash=-100)
    bought(one, 5)
    assert wanted(one, {"X": 1.0}) == {}
    assert wanted(one, {"X": 0.0}) == {"X": D(-5)}


def test_what_it_is_worth_and_began_with():
    one = sleeve()
    bought(one, 10, 10, fee=1)
    bought(one, -4, 12, fee=1)
    one.book.record(Charge("c", 5, "INT", D("-0.5")))
    assert one.book.cash == D("945.5")  # 1000 - 100 - 1 + 48 - 1 - 0.5
    assert one.equity == D("1005.5")  # 6 shares at what was paid for them: nobody has told of another price
    one.marks["X"] = D(13)
    assert one.equity == D("1023.5")
    assert one.start == 1000
    assert [fill.signed for fill in one.fills()] == [D(10), D(-4)]
