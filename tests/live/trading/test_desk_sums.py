"""Whatever strategies say and people do beside them: sessions and the rest come to the account, to the last digit."""

from decimal import Decimal

import numpy as np
import pytest
from by_hand import Rig, bars_of, shares, terms
from desk_scripts import SESSIONS, Bar, by_hand, lived, scripts
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.data.sample import SAMPLES
from qtw_lab.ledger import Costs, Sizing
from qtw_lab.live.trading.bar_replay import BarReplay, replayed
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.venues.paper.models import FillModel

D = Decimal

COSTS = Costs(
    commission_bps=5, commission_per_share=0.001, commission_min=1.0, spread_bps=4, slippage_bps=1, sell_fee_bps=0.206,
    sell_fee_per_share=0.000166, fees_per_share=3e-6,
)  # fmt: skip
MODELS = {
    "all at once": FillModel.backtest(COSTS),
    "in parts": FillModel(partials=0.7, costs=COSTS, adverse=True),
    "thin": FillModel(sized=True, participation=1e-8, costs=COSTS),
    "late": FillModel(latency=30.0, costs=COSTS),
}
BARS = bars_of(X=[10, 11.37, 12.01, 9.99, 10.5, 10.123], Y=[20, 19.5, 21.2, 22.222, 18, 17])

sizings = st.sampled_from([Sizing.fixed_shares(30), Sizing.fixed_cash(777), Sizing.all_in(), Sizing.fraction(0.3)])


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=25)
@given(script=scripts(6), sizes=st.lists(sizings, min_size=3, max_size=3))
def test_sessions_and_orders_by_hand_come_to_the_account(model, script, sizes):
    sessions = [terms(name, "X,Y", sizing=size, allocation=0.3) for name, size in zip(SESSIONS, sizes, strict=True)]
    lived(Rig(BARS, *sessions, model=MODELS[model]), script)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=400)
@given(script=scripts(6), sizes=st.lists(sizings, min_size=3, max_size=3))
def test_sessions_and_orders_by_hand_come_to_the_account_at_length(model, script, sizes):
    sessions = [terms(name, "X,Y", sizing=size, allocation=0.3) for name, size in zip(SESSIONS, sizes, strict=True)]
    lived(Rig(BARS, *sessions, model=MODELS[model]), script)


@settings(max_examples=25)
@given(script=scripts(6, hand=False))
def test_where_all_fills_everybody_has_what_it_said_last(script):
    rig = lived(Rig(BARS, *(shares(name, 10, "X,Y", allocation=0.3) for name in SESSIONS)), script)
    for name in SESSIONS:
        stance = {}
        for bar in script[:-1]:  # what is said at the last close is not traded any more
            stance |= bar.said.get(name, {})
        assert rig.held(name) == {symbol: 10 * D(one) for symbol, one in sorted(stance.items()) if one}


def real(name, strategy, symbols, allocation, **parameters):
    return SessionTerms.given(name, strategy, symbols, "1D", parameters=parameters, allocation=allocation)


REAL = [
    real("slow", "sma_cross", "AAPL,IBM", 30_000, fast=5, slow=20, short=True),
    real("quick", "macd", "IBM,MSFT", 30_000),
    real("back", "rsi_reversion", "MSFT,AAPL,IBM", 25_000),
    real("weights", "cross_sectional_momentum", "AAPL,MSFT", 10_000, lookback=40),
]


@pytest.fixture(scope="module")
def stocks():
    return SAMPLES["stocks"].bars(["AAPL", "IBM", "MSFT"]).tail(250)


def test_real_strategies_share_an_account_to_the_last_digit(stocks):
    replay = BarReplay(stocks, model=FillModel.backtest(COSTS))
    for one in REAL:
        replay.desk.open(one)
    replay.run()
    state, book = replay.desk.state, replay.paper.book
    assert (state.faults(), replay.paper.state.faults()) == ([], [])
    assert book.cash - sum(one.book.cash for one in state.sleeves.values()) == 5_000
    held = {symbol: sum(one.book.held(symbol) for one in state.sleeves.values()) for symbol in stocks.symbols}
    assert {symbol: qty for symbol, qty in held.items() if qty} == {
        name: one.qty for name, one in book.holdings.items()
    }
    several = [order for order in state.orders.values() if len(order.parts) > 1]
    assert len(several) > 10
    assert any(min(order.parts.values()) < 0 < max(order.parts.values()) for order in several)
    fees = sum((fill.fee for one in state.sleeves.values() for fill in one.fills()), D(0))
    assert fees == sum((fill.fee for fill in book.fills), D(0)) > 0


def test_where_trading_is_free_company_makes_no_difference(stocks):
    replay = BarReplay(stocks)
    for one in REAL:
        replay.desk.open(one)
    replay.run()
    for one in REAL:
        alone = replayed(SessionTerms.read({**one.written(), "allocation": 1.0}), stocks, one.allocation)
        np.testing.assert_allclose(replay.equity(one.name), alone.equity(one.name), rtol=0, atol=0.01)


def test_what_is_traded_by_hand_is_nobodys():
    said = ({"a": {"X": 1.0}, "b": {"X": -1.0}}, {"a": {"X": 0.0}}, {"c": {"Y": 1.0}}, {})
    rig = Rig(BARS, *(shares(name, 10, "X,Y", allocation=0.3) for name in SESSIONS))
    lived(rig, [Bar(one, (("X", 5),)) for one in said])
    assert sum(one.qty for one in by_hand(rig)) == 20
    assert (rig.together(), rig.account.positions()) == ({"X": D(-10), "Y": D(10)}, {"X": D(10), "Y": D(10)})
