"""Agreement with vectorbt, an independent simulator, wherever the two share a feature."""

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab.core import DataError
from qtw_lab.data import SAMPLES

BUNDLED = [f"{name}:{symbol}" for name, source in SAMPLES.items() for symbol in source.symbols()]
LAB = qtw.Lab.offline()


def agree(strategy, bars, **terms) -> None:
    ours = qtw.backtest(strategy, bars, **terms)
    theirs = qtw.backtest(strategy, bars, engine="vectorbt", **terms)
    np.testing.assert_allclose(ours.equity, theirs.equity, rtol=1e-9)
    np.testing.assert_allclose(ours.positions, theirs.positions, rtol=1e-9, atol=1e-9)
    assert ours.order_hash == theirs.order_hash
    assert len(ours.orders) > 0
    numbers = ["quantity", "entry_price", "exit_price", "commission", "pnl", "return"]
    np.testing.assert_allclose(ours.trades[numbers], theirs.trades[numbers], rtol=1e-9, atol=1e-7)
    assert ours.trades["status"].tolist() == theirs.trades["status"].tolist()
    np.testing.assert_allclose(ours.stats["sharpe"], theirs.stats["sharpe"], rtol=1e-9)


@pytest.mark.parametrize("symbol", BUNDLED)
def test_sma_cross_at_the_same_close_with_proportional_fees_agrees_on_every_bundled_symbol(symbol):
    agree(
        qtw.strategies.SmaCross(fast=10, slow=50),
        LAB.bars(symbol),
        execution="same_close",
        costs=qtw.Costs(commission_bps=10),
    )


@pytest.mark.parametrize("symbol", ["stocks:AAPL", "stocks:GOOG", "sp500:GE"])
@pytest.mark.parametrize("execution", ["next_open", "next_close", "same_close"])
@pytest.mark.parametrize("name", ["rsi_reversion", "donchian_breakout", "macd", "bollinger_reversion"])
def test_other_long_strategies_and_executions_agree_with_slippage_too(symbol, execution, name):
    costs = qtw.Costs(commission_bps=5, spread_bps=4, slippage_bps=3)
    agree(qtw.strategies.strategy(name), LAB.bars(symbol), execution=execution, costs=costs)


def test_our_numbers_are_those_vectorbt_gives_when_called_by_hand():
    import vectorbt as vbt

    close = LAB.bars("AAPL").close["AAPL"]
    fast, slow = close.rolling(10).mean(), close.rolling(50).mean()
    portfolio = vbt.Portfolio.from_signals(close, fast > slow, fast <= slow, fees=0.001, init_cash=100_000, freq="1D")
    ours = qtw.backtest("sma_cross", LAB.bars("AAPL"), execution="same_close", costs=qtw.Costs(commission_bps=10))
    np.testing.assert_allclose(ours.equity, portfolio.value(), rtol=1e-9)
    assert len(ours.orders) == portfolio.orders.count()
    assert len(ours.trades) == portfolio.trades.count()
    np.testing.assert_allclose(ours.stats["total_return"], portfolio.total_return(), rtol=1e-9)
    np.testing.assert_allclose(ours.stats["max_drawdown"], portfolio.max_drawdown(), rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"sizing": qtw.Sizing.fixed_shares(1)}, "fixed_shares sizing"),
        ({"stops": qtw.Stops(stop_loss=0.1)}, "stops"),
        ({"leverage": 2.0}, "leverage"),
        ({"costs": qtw.Costs(commission_min=1)}, "costs other than bps"),
    ],
)
def test_a_feature_the_engines_do_not_share_is_refused_by_name(change, what):
    with pytest.raises(DataError, match=what):
        qtw.backtest("sma_cross", LAB.bars("AAPL"), engine="vectorbt", **change)
