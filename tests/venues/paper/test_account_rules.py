"""A paper account at a market of bars fills as the backtest does, and may do what the backtest's account may."""

from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from bar_desk import JULY, Desk, flat, opening

import qtw_lab as qtw
from qtw_lab.backtest.engine import backtest
from qtw_lab.core import DataError
from qtw_lab.ledger import Account, Costs, Sizing
from qtw_lab.ledger.purse import Purse, Wish
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.venues.paper.account_rules import AlpacaRules
from qtw_lab.venues.paper.bar_market import BarMarket
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.models import FillModel

D = Decimal
REFUSED = 40310000
GROSS = Account(buying_power="gross", leverage=2.0)
EVERYTHING = Costs(
    commission_bps=2, commission_per_share=0.001, commission_per_order=0.25, fees_per_share=0.0005, sell_fee_bps=0.5,
    sell_fee_per_share=0.0002, spread_bps=4, slippage_bps=3,
)  # fmt: skip


# How orders fill


def test_a_market_order_pays_the_open_made_worse_by_half_the_spread_and_slippage_and_the_fees():
    desk = Desk(opening(100.0, 110.0, 120.0), costs=EVERYTHING)
    desk.after(0).send(20)
    assert desk.fills == []
    desk.after(1).send(-20)
    desk.at(2)
    assert [fill.at for fill in desk.paper.book.fills] == desk.market.opens[1:].tolist()
    # 5 basis points worse than the opens; 2 of the amount, 20 x 0.0015 and 0.25 an order; sales 0.5 and 20 x 0.0002
    bought, sold = 110 * 1.0005, 120 * 0.9995
    fees = [20 * bought * 2e-4 + 0.03 + 0.25, 20 * sold * 2.5e-4 + 0.03 + 0.25 + 0.004]
    assert np.array(desk.fills) == pytest.approx(np.array([[20, bought, fees[0]], [-20, sold, fees[1]]]), abs=1e-6)
    assert desk.fills[0][1] == pytest.approx(110.055, abs=1e-9)
    assert desk.fills[1][1] == pytest.approx(119.94, abs=1e-9)
    assert float(desk.paper.book.cash) == pytest.approx(10_000 + 20 * (sold - bought) - sum(fees), abs=2e-6)


class Turns(qtw.Strategy):
    """Long for three bars, short for three."""

    def signals(self, prices):
        bars = np.arange(len(prices.close))[:, None]
        return np.where(bars // 3 % 2 == 0, 1.0, -1.0) * np.ones_like(prices.close)


@pytest.mark.parametrize(
    "costs", [EVERYTHING, Costs.alpaca_equities("2026-06-30"), Costs.interactive_brokers_tiered(), Costs(spread_bps=3)]
)
def test_orders_of_a_backtest_fill_at_its_prices_and_fees(costs):
    bars = qtw.Lab.offline().bars(["AAPL"], "2012-10-01", "2012-12-31")
    theirs = backtest(Turns, bars, sizing=Sizing.fixed_shares(12.5), costs=costs, cash=10_000, engine="reference")
    desk = Desk(bars, costs=costs)
    orders = theirs.orders.set_index("time")
    for t, date in enumerate(bars.index[1:]):
        if date in orders.index:
            way = 1 if orders.loc[date, "side"] == "buy" else -1
            desk.after(t).send(way * orders.loc[date, "quantity"], "AAPL")
    desk.after(len(bars) - 1)
    prices, fees = zip(*[fill[1:] for fill in desk.fills], strict=True)
    assert len(prices) == 21
    assert prices == pytest.approx(orders["price"].tolist(), rel=1e-9)
    assert fees == pytest.approx(orders["commission"].tolist(), abs=1e-6)


def test_limit_orders_pay_what_is_quoted_and_the_makers_rate_where_they_rest():
    costs = Costs(commission_bps=20, maker_bps=10, spread_bps=100)
    desk = Desk(opening(100.0, 100.0), costs=costs)
    desk.send(1, kind="limit", limit_price=D(101))  # marketable
    desk.at(0, 1).send(1, kind="limit", limit_price=D(97))  # reached at the low
    desk.after(0)
    assert desk.fills == [(1.0, 100.0, 0.2), (1.0, 97.0, 0.097)]


def test_orders_for_the_auctions_pay_open_and_close_made_worse():
    desk = Desk(opening(100.0, 110.0), costs=Costs(spread_bps=20))
    desk.send(1, life="cls")
    desk.to(desk.market.opens[1] - 3600 * 10**9).send(1, life="opg")
    desk.at(1, 1)
    assert [price for _, price, _ in desk.fills] == pytest.approx([101 * 1.001, 110 * 1.001], abs=1e-9)


def test_a_quote_knows_nothing_of_volume_so_impact_is_refused_where_costs_make_prices_worse():
    with pytest.raises(DataError, match="a quote tells nothing of a day's volume, so there can be no impact; give 0"):
        FillModel.backtest(Costs(impact=0.1, spread_bps=2))
    assert FillModel.backtest() == FillModel.backtest(Costs())
    assert FillModel(costs=Costs(impact=0.1)).paid(D(10), buys=True) == 10


# What the account may do


@pytest.mark.parametrize("account", [Account(), GROSS])
def test_one_order_turns_a_position(account):
    desk = Desk(flat(), account)
    for qty, held in ((10, "10"), (-25, "-15"), (18, "3"), (-3, "0")):
        desk.send(qty)
        assert desk.held == D(held)
    assert desk.paper.book.cash == 10_000
    assert desk.paper.state.faults() == []


@pytest.mark.parametrize(("account", "power"), [(Account(), 10_023.75), (GROSS, 19_976.25)])
def test_parts_of_a_share_can_be_sold_short_and_covered(account, power):
    desk = Desk(flat(), account)
    desk.send(-2.5)
    desk.send(0.125)
    assert (desk.held, desk.power) == (D("-2.375"), power)
    if account is not GROSS:
        desk.send(-50_000)  # a cash account needs no margin for them, and buys with what they brought
        assert desk.refused("51002.376")["code"] == REFUSED
        desk.send("51002.375")
        assert (desk.held, desk.power) == (1000, 0)


@pytest.mark.parametrize(
    ("account", "costs", "most"),
    [
        (Account(), Costs(), 1000),
        (Account(), Costs(spread_bps=50), "997.506234413"),  # 10.025 a share
        (Account(), Costs(commission_bps=25), "997.506234413"),
        (Account(), Costs(commission_min=10), 999),
        (Account(), Costs(sell_fee_bps=100), 1000),
        (Account(leverage=1.5), Costs(), 1500),
        (GROSS, Costs(), 2000),
        (Account.cash(), Costs(), 1000),
    ],
)
def test_an_order_for_all_that_can_be_paid_is_taken_and_one_for_more_is_refused(account, costs, most):
    desk = Desk(flat(), account, costs)
    assert desk.power == D(10_000) * D(str(account.leverage))
    said = desk.refused(D(str(most)) + D("0.001"))
    assert (said["code"], said["message"]) == (REFUSED, "insufficient buying power")
    desk.send(D(str(most)))
    assert desk.held == D(str(most))
    assert desk.power == pytest.approx(D(0), abs=D("0.01"))


@pytest.mark.parametrize(
    ("first", "order", "more"),
    [
        (0, -2000, -1),
        (1200, 800, 1),
        (1200, -3200, -1),  # closing 1,200 frees them: 2,000 beyond
        (-1200, 3200, 1),
        (-1200, -800, -1),
        (-2000, 2000, 2001),  # covers are free; beyond that they free power
    ],
)
def test_a_gross_account_holds_up_to_leverage_times_its_equity_of_either_side(first, order, more):
    desk = Desk(flat(), GROSS)
    if first:
        desk.send(first)
    if abs(more) == 1:
        assert desk.refused(order + more)["code"] == REFUSED
    desk.send(order)
    assert desk.held == first + order
    assert desk.power == 20_000 - 10 * abs(first + order)


def test_open_orders_reserve_what_they_may_cost_and_a_replacement_counts_instead_of_its_order():
    desk = Desk(flat(), Account())
    low = {"kind": "limit", "life": "gtc", "limit_price": D(8)}
    old = desk.send(600, **low)
    assert desk.power == 5200
    assert desk.refused(521)["code"] == REFUSED
    assert desk.refused(651, **low)["code"] == REFUSED
    with pytest.raises(RefusedError, match="insufficient buying power"):
        desk.paper.amend(old, qty=D(1251))
    desk.paper.amend(old, qty=D(1250))
    assert desk.power == 0


@pytest.mark.parametrize(
    ("settlement", "sold", "spendable"),
    [
        (1, 0, 1),  # Tuesday, and the half day after it
        (1, 1, 2),  # the half day, and Friday: the holiday between is no session
        (1, 2, 3),  # Friday and Monday
        (2, 0, 2), (2, 1, 3), (2, 2, 4),
    ],
)  # fmt: skip
def test_proceeds_of_a_sale_buy_again_once_so_many_sessions_have_opened(settlement, sold, spendable):
    desk = Desk(flat(), Account.cash(settlement=settlement), Costs(commission_per_order=1))
    desk.at(sold).send(900)
    desk.at(sold, 60).send(-400)
    assert (desk.paper.book.cash, desk.power) == (4998, 999)
    for moment in (desk.market.ends[sold], desk.market.opens[spendable] - 1):
        assert desk.to(moment).refused(100)["code"] == REFUSED
    assert desk.at(spendable).power == 4998
    desk.send("499.7")
    assert desk.held == D("999.7")


def test_orders_come_in_lots_and_what_closes_may_be_anything():
    desk = Desk(flat(), Account(lot=5))
    assert {desk.refused(qty)["message"] for qty in (7, 2.5, -7)} == {"X is traded in lots of 5 shares"}
    desk.send(10)
    desk.paper.split("X", D("0.33"))
    desk.send(-3.3)
    assert desk.held == 0


def test_where_shorting_is_forbidden_no_more_is_sold_than_is_held():
    desk = Desk(flat(), Account(shorting=False))
    assert desk.refused(-1)["message"] == 'asset "X" cannot be sold short'
    desk.send(10)
    assert desk.refused(-10.5)["message"] == 'asset "X" cannot be sold short'
    desk.send(-10)
    assert desk.held == 0


def test_a_symbol_that_has_no_price_yet_cannot_be_ordered():
    frame = pd.DataFrame({"close": [np.nan, 20.0, 20.0]}, index=pd.DatetimeIndex(JULY[:3]))
    both = pd.concat({"OLD": frame.fillna(10.0), "X": frame}, axis=1)
    desk = Desk(qtw.Bars.from_frame(both, holes="keep"))
    assert desk.refused(1)["message"] == 'asset "X" has no price yet'
    desk.at(1).send(1)
    assert desk.fills == [(1.0, 20.0, 0.0)]


FEES = Costs(commission_per_share=0.1)


@pytest.mark.parametrize(
    ("account", "costs", "first", "wanted"),
    [
        (Account(), EVERYTHING, 0, 5000),
        (Account(), EVERYTHING, -600, 5000),
        (Account(shorting=False), EVERYTHING, 600, -600),
        (Account(leverage=3), EVERYTHING, 0, 5000),
        (GROSS, Costs(spread_bps=20, commission_bps=5), 300, 5000),
        (GROSS, FEES, 0, -5000),
        (GROSS, FEES, -600, 5000),
        (GROSS, Costs(sell_fee_bps=10), 0, -5000),
    ],
)
def test_what_the_purse_of_the_backtest_grants_is_taken(account, costs, first, wanted):
    desk = Desk(flat(), account, costs)
    if first:
        desk.send(first)
    purse = Purse(float(desk.paper.book.cash), [SimpleNamespace(shares=float(desk.held), last=10.0)], costs, account)
    paid = float(desk.paper.model.paid(D(10), buys=wanted > 0))
    wish = Wish(0, wanted, paid, 10.0, costs.commission_bps, costs.commission_per_order)
    granted = D(repr(purse.granted(wish, purse.moment([10.0]), 1.0))).quantize(D("1e-9"), "ROUND_DOWN")
    assert abs(granted) > 590
    desk.send(granted)
    assert desk.held == first + granted


def test_orders_that_wait_do_not_close_a_position_twice():
    desk = Desk(flat(), Account(shorting=False))
    desk.send(10)
    desk.after(0).send(-10)
    assert desk.refused(-10)["message"] == 'asset "X" cannot be sold short'


def test_what_a_cover_costs_is_not_spent_by_another_order_meanwhile():
    desk = Desk(flat(), Account())
    desk.send(-1000)  # 20,000 in cash, of which the cover takes 10,000
    desk.after(0).send(1000)
    assert desk.power == 10_000


def test_the_fees_of_orders_that_wait_are_not_spent_by_another_meanwhile():
    desk = Desk(flat(), Account(), Costs(commission_per_order=100))
    desk.after(0).send(500)
    assert desk.refused(490)["code"] == REFUSED  # 5,000 and 100 for the one, 4,900 and 100 for the other


def test_an_account_that_is_worth_nothing_opens_nothing():
    desk = Desk(opening(10.0, 40.0), Account(), cash=1000)
    desk.send(-100)
    desk.at(1)  # worth -2,000
    assert desk.refused(-1)["code"] == REFUSED


def test_an_order_that_only_reduces_comes_in_lots_too():
    desk = Desk(flat(), Account(lot=5))
    desk.send(10)
    desk.refused(-3)


def test_a_symbol_without_a_bar_trades_nothing():
    index = pd.date_range("2024-07-02 09:30", periods=3, freq="1h", tz="America/New_York")
    frame = pd.DataFrame({"close": [10.0, np.nan, 12.0]}, index=index)
    desk = Desk(qtw.Bars.from_frame(frame, symbol="X", calendar="XNYS", holes="keep"))
    desk.at(1).send(1)
    desk.after(2)
    assert desk.fills == [(1.0, 12.0, 0.0)]


# The default


def test_without_rules_the_account_is_alpacas_margin_account():
    bars = flat()
    desk = Desk(bars, rules=AlpacaRules())
    bare = PaperBroker(BarMarket(bars), desk.clock, 10_000)
    assert isinstance(bare._rules, AlpacaRules)
    assert bare.model == FillModel()
    assert desk.power == bare.buying_power(bare.now()) == desk.paper.balance(desk.paper.now()).buying_power == 20_000
    assert desk.refused(-2.5)["message"] == "fractional orders cannot be sold short"
    desk.send(10)
    said = desk.refused(-25)
    assert (said["code"], said["message"][:34]) == (REFUSED, "insufficient qty available for ord")
    desk.send(5, kind="limit", limit_price=D(8))
    assert "potential wash trade" in desk.refused(-5)["message"]
    # a short sale is reckoned at 3% above the ask: 19,860 are left for it
    desk.send(-5, kind="limit", limit_price=D(12))
    assert Desk(bars, rules=AlpacaRules()).refused(-1942)["code"] == REFUSED
