"""Agreement with vectorbt, an independent simulator, wherever the two share a feature."""

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab.core import DataError
from qtw_lab.data import SAMPLES

BUNDLED = [f"{name}:{symbol}" for name, source in SAMPLES.items() for symbol in source.symbols()]
#: Every fourth in the quick tests.
MOST = [
    symbol if place % 4 == 0 else pytest.param(symbol, marks=pytest.mark.slow) for place, symbol in enumerate(BUNDLED)
]
LAB = qtw.Lab.offline()
EXECUTIONS = ("next_open", "next_close", "same_close")
SIZINGS = {
    "all in": qtw.Sizing.all_in(),
    "a fraction": qtw.Sizing.fraction(0.5),
    "fixed cash": qtw.Sizing.fixed_cash(30_000.0),
    "fixed shares": qtw.Sizing.fixed_shares(20.0),  # few enough for no account to be ruined: vectorbt knows no ruin
}
DEAR = qtw.Costs(commission_bps=5, commission_per_order=1, spread_bps=4, slippage_bps=3)


def agree(strategy, bars, **terms) -> None:
    ours = qtw.backtest(strategy, bars, **terms)
    theirs = qtw.backtest(strategy, bars, engine="vectorbt", **terms)
    np.testing.assert_allclose(ours.equity, theirs.equity, rtol=1e-9)
    np.testing.assert_allclose(ours.positions, theirs.positions, rtol=1e-9, atol=1e-9)
    assert len(ours.orders) > 0
    for name in ("time", "symbol", "side"):
        assert ours.orders[name].tolist() == theirs.orders[name].tolist()
    fills = ["quantity", "price", "commission"]
    np.testing.assert_allclose(ours.orders[fills], theirs.orders[fills], rtol=1e-9)
    numbers = ["quantity", "entry_price", "exit_price", "commission", "pnl", "return"]
    np.testing.assert_allclose(ours.trades[numbers], theirs.trades[numbers], rtol=1e-9, atol=1e-7)
    assert ours.trades["status"].tolist() == theirs.trades["status"].tolist()
    for name in ("total_return", "sharpe", "max_drawdown", "orders"):
        np.testing.assert_allclose(ours.stats[name], theirs.stats[name], rtol=1e-9)


@pytest.mark.parametrize("symbol", MOST)
def test_every_shared_setting_agrees_on_every_bundled_symbol(symbol):
    """Executions, sizings, long only and long with short, under all costs both know: 24 runs a symbol."""
    bars = LAB.bars(symbol)
    for short in (False, True):
        strategy = qtw.strategies.SmaCross(fast=10, slow=50, short=short)
        for execution in EXECUTIONS:
            for sizing in SIZINGS.values():
                agree(strategy, bars, execution=execution, sizing=sizing, costs=DEAR)


@pytest.mark.parametrize("symbol", ["stocks:AAPL", "stocks:GOOG", "sp500:GE"])
@pytest.mark.parametrize("execution", EXECUTIONS)
@pytest.mark.parametrize("name", ["rsi_reversion", "donchian_breakout", "macd", "bollinger_reversion"])
def test_other_strategies_and_executions_agree_too(symbol, execution, name):
    agree(qtw.strategies.strategy(name), LAB.bars(symbol), execution=execution, costs=DEAR)


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


@pytest.mark.parametrize("symbol", BUNDLED)
@pytest.mark.parametrize(("loss", "gain"), [(0.05, None), (None, 0.1), (0.08, 0.15)])
def test_stops_agree_where_both_mean_the_same(symbol, loss, gain):
    """Levels from the entry close, met within the range of later bars, gaps filled at the open, the stop first.

    vectorbt is given an entry where the stance changes only: told to stay long, it would go in again after a stop.
    """
    import vectorbt as vbt

    bars = LAB.bars(symbol)
    ours = qtw.backtest(
        "sma_cross", bars, execution="same_close", costs=qtw.Costs(commission_bps=10),
        stops=qtw.Stops(stop_loss=loss, take_profit=gain),
    )  # fmt: skip
    stance = ours.decisions.iloc[:, 0].fillna(0.0).to_numpy()
    before = np.concatenate([[0.0], stance[:-1]])
    arrays = {name: getattr(bars, name).iloc[:, 0] for name in ("open", "high", "low", "close")}
    theirs = vbt.Portfolio.from_signals(
        arrays["close"], (stance == 1) & (before == 0), stance == 0, fees=0.001, init_cash=100_000, freq="1D",
        open=arrays["open"], high=arrays["high"], low=arrays["low"], sl_stop=np.nan if loss is None else loss,
        tp_stop=np.nan if gain is None else gain, stop_entry_price="fillprice", stop_exit_price="stopmarket",
        upon_stop_exit="close",
    )  # fmt: skip
    np.testing.assert_allclose(ours.equity, theirs.value(), rtol=1e-9)
    assert len(ours.orders) == theirs.orders.count()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"sizing": qtw.Sizing.volatility_target(0.1)}, "weights"),
        ({"stops": qtw.Stops(stop_loss=0.1)}, "stops"),
        ({"leverage": 2.0}, "leverage"),
        ({"costs": qtw.Costs(commission_min=1)}, "costs other than bps"),
    ],
)
def test_a_feature_the_engines_do_not_share_is_refused_by_name(change, what):
    with pytest.raises(DataError, match=what):
        qtw.backtest("sma_cross", LAB.bars("AAPL"), engine="vectorbt", **change)
