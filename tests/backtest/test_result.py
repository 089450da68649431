"""What a result says about itself."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import Facts


@pytest.fixture(scope="module")
def result():
    bars = qtw.Lab.offline().bars("AAPL", start="2005-01-01", end="2010-12-31", source="stocks")
    return qtw.backtest("sma_cross", bars, costs=qtw.Costs(commission_bps=10, spread_bps=2))


def test_the_first_figures_are_trials_costs_execution_and_data(result):
    names = [fact.name for fact in result.facts(trials=12)]
    assert names[:4] == ["trials", "costs", "execution", "data_fingerprint"]
    assert result.facts(trials=12)["trials"] == 12
    assert result.bars.fingerprint.startswith(result.facts()["data_fingerprint"])


def test_every_figure_has_a_definition_or_is_plain_text(result):
    missing = [f.name for f in result.facts() if not f.definition and f.unit not in ("text", "count")]
    assert missing == []


def test_the_facts_survive_json(result):
    again = Facts.from_json(result.facts().to_json())
    assert again["sharpe"] == result.stats["sharpe"]
    document = json.dumps(result.to_dict(), allow_nan=False)
    assert result.order_hash in document


def test_returns_compound_to_the_equity(result):
    np.testing.assert_allclose((1 + result.returns).cumprod() * 100_000, result.equity, rtol=1e-12)


def test_weights_are_the_market_value_over_equity(result):
    held = (result.positions * result.bars.close).sum(axis=1) / result.equity
    np.testing.assert_allclose(result.weights.sum(axis=1), held, atol=1e-12)
    assert result.weights.max().max() <= 1 + 1e-9


def test_costs_paid_are_commission_and_slippage(result):
    by_hand = (
        result.orders["commission"].sum()
        + (result.orders["quantity"] * (result.orders["price"] - result.orders["quoted"]).abs()).sum()
    )
    assert result.stats["costs_paid"] == pytest.approx(by_hand)


def test_the_benchmark_buys_each_symbol_when_first_seen(bars_of):
    nan = float("nan")
    bars = bars_of(X=[10.0, 20.0, 20.0], Y=[nan, 5.0, 10.0])
    held = qtw.backtest("buy_and_hold", bars, cash=100.0).benchmark
    # Half in X doubles to 100 at once; half waits as cash for Y and doubles from its first bar to its second.
    assert held.tolist() == pytest.approx([100.0, 150.0, 200.0])


def test_the_order_hash_moves_with_any_fill(result):
    orders = result.orders.copy()
    orders.loc[3, "price"] *= 1 + 1e-7
    assert replace(result, orders=orders).order_hash != result.order_hash
    assert replace(result, orders=result.orders.iloc[:-1]).order_hash != result.order_hash
    noise = result.orders.assign(price=result.orders["price"] * (1 + 1e-15))
    assert replace(result, orders=noise).order_hash == result.order_hash


def test_notes_carry_the_caveats_of_data_costs_and_execution(bars_of):
    frame = pd.DataFrame({"close": [1.0, 2.0, 3.0]}, index=pd.date_range("2024-01-01", periods=3))
    notes = qtw.backtest("buy_and_hold", qtw.Bars.from_frame(frame, symbol="X"), execution="same_close").notes
    assert any("close stands for" in note for note in notes)
    assert any("no costs" in note for note in notes)
    assert any("optimistic" in note for note in notes)


def test_a_strategy_that_never_trades_has_figures_and_undefined_ratios(bars_of, told):
    facts = qtw.backtest(told(0, 0, 0), bars_of(X=[1.0, 2.0, 3.0])).facts()
    assert facts["total_return"] == 0.0
    assert facts["trades"] == 0
    assert facts.fact("win_rate").shown == "–"
    assert facts.fact("sharpe").shown == "–"


def test_the_result_shows_itself_in_a_notebook(result):
    bundle = result._repr_mimebundle_()
    assert "Sharpe ratio" in bundle["text/html"]
    assert "SmaCross" in repr(result)
