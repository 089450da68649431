"""The promise of the house: bars replayed through the live path and the paper broker give the backtest's equity."""

import functools
from dataclasses import replace

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab.core import DataError
from qtw_lab.data.sample import SAMPLES
from qtw_lab.ledger import Account, Costs, Sizing
from qtw_lab.live.trading.bar_replay import replayed
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.strategies import STRATEGIES, strategy

#: Everything a fill may cost beside its price, and what makes the price worse.
COSTS = Costs(
    commission_bps=5, commission_per_share=0.001, commission_min=1.0, commission_per_order=0.25, spread_bps=4,
    slippage_bps=1, sell_fee_bps=0.206, sell_fee_per_share=0.000166, sell_fee_per_share_max=8.3, fees_per_share=3e-6,
)  # fmt: skip
#: Bars from the end that the quick suite replays; strategies need up to 273 before they say anything.
QUICK = 400
CENT = 0.01

SYMBOLS = [(name, symbol) for name, dataset in SAMPLES.items() for symbol in dataset.files]


@functools.cache
def bundled(dataset: str, symbols: tuple[str, ...]):
    return SAMPLES[dataset].bars(list(symbols))


def compared(chosen, bars, costs=COSTS, **terms):
    """The greatest difference of equity between a backtest and the same bars lived through, and how many fills.

    An account that is worth nothing is closed: by the backtest at that very close, by a session at the next price, and
    so they are compared up to there.
    """
    result = qtw.backtest(chosen, bars, costs=costs, **terms)
    session = SessionTerms.given(
        "parity", chosen, list(bars.symbols), str(bars.timeframe), costs=costs, sizing=terms.get("sizing"),
        account=terms.get("account"),
    )  # fmt: skip
    lived = replayed(session, bars, terms.get("cash", 100_000.0))
    equity, tested = lived.equity("parity"), result.equity
    gone = (tested <= 0).to_numpy()
    ruined = bool(gone.any())
    until = int(gone.argmax()) if ruined else len(tested)
    orders = result.orders[result.orders["time"] < tested.index[until]] if ruined else result.orders
    fills = lived.paper.book.fills[: len(orders)]
    assert ruined or len(lived.paper.book.fills) == len(orders)
    assert [fill.symbol for fill in fills] == list(orders["symbol"])
    assert not ruined or lived.desk.state.sleeves["parity"].status == "stopped"
    assert not lived.desk.state.faults()
    assert not lived.paper.state.faults()
    assert equity.index[:until].equals(tested.index[:until])
    return float(np.abs(equity.to_numpy()[:until] - tested.to_numpy()[:until]).max()), len(fills)


def on_symbol(name: str, dataset: str, symbol: str, last: int | None):
    """A strategy on one symbol; one that compares two gets the next one as well."""
    symbols = list(SAMPLES[dataset].files)
    other = symbols[(symbols.index(symbol) + 1) % len(symbols)]
    bars = bundled(dataset, (symbol, other) if name == "pairs" else (symbol,))
    return strategy(name), bars if last is None else bars.tail(last)


def held(chosen, bars):
    """The two are equal; a history that is too short is refused by the backtest, and says nothing."""
    if len(bars) < chosen.warmup + 2:
        with pytest.raises(DataError, match="needs at least"):
            qtw.backtest(chosen, bars, costs=COSTS)
        return None
    difference, fills = compared(chosen, bars)
    assert difference < CENT
    return fills


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize(("dataset", "symbol"), SYMBOLS)
def test_every_strategy_on_every_symbol(name, dataset, symbol):
    held(*on_symbol(name, dataset, symbol, QUICK))


@pytest.mark.slow
@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize(("dataset", "symbol"), SYMBOLS)
def test_every_strategy_on_every_symbol_over_its_whole_history(name, dataset, symbol):
    assert held(*on_symbol(name, dataset, symbol, None)) != 0


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "pairs"])
@pytest.mark.parametrize("dataset", SAMPLES)
def test_every_strategy_on_all_symbols_of_a_data_set(name, dataset):
    bars = bundled(dataset, tuple(SAMPLES[dataset].files)).tail(QUICK)
    difference, fills = compared(strategy(name), bars)
    assert difference < CENT
    assert fills


TERMS = {
    "fixed cash": {"sizing": Sizing.fixed_cash(20_000.0)},
    "fixed shares": {"sizing": Sizing.fixed_shares(7)},
    "a fraction": {"sizing": Sizing.fraction(0.3)},
    "a band": {"sizing": Sizing.target_weights(0.05)},
    "whole shares": {"account": Account(lot=1)},
    "lots": {"account": Account(lot=10, min_notional=500.0)},
    "no shorts": {"account": Account(shorting=False)},
    "cash account": {"account": Account.cash(lot=1)},
    "two days to settle": {"account": Account.cash(settlement=2)},
    "borrowed money": {"account": Account(leverage=2.0), "sizing": Sizing.fraction(0.6)},
    "gross": {"account": Account(leverage=2.0, buying_power="gross"), "sizing": Sizing.fraction(0.6)},
    "little money": {"cash": 2500.0},
}


@pytest.mark.parametrize("name", ["sma_cross", "volatility_trend", "macd", "cross_sectional_momentum", "blend"])
@pytest.mark.parametrize("terms", TERMS)
def test_under_other_terms(name, terms):
    bars = bundled("stocks", ("AAPL", "IBM", "MSFT")).tail(QUICK)
    difference, _ = compared(strategy(name), bars, **TERMS[terms])
    assert difference < CENT


def test_it_would_notice_a_cent():
    bars = bundled("stocks", ("AAPL",)).tail(QUICK)
    result = qtw.backtest("macd", bars, costs=COSTS)
    dearer = replace(COSTS, commission_per_order=0.26)
    lived = replayed(SessionTerms.given("a", "macd", ["AAPL"], "1D", costs=dearer), bars)
    assert np.abs(lived.equity("a").to_numpy() - result.equity.to_numpy()).max() > CENT
