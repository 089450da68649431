"""Each question about a little worse, on results made to fail it and to pass it."""

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.engine import backtest
from qtw_lab.backtest.sweep import sweep
from qtw_lab.research import robustness
from qtw_lab.research.checks import Evidence
from tests.research.planted import Follow, bars_of, momentum, noise


def evidence(result, **more) -> Evidence:
    return Evidence(result=result, returns=result.returns.to_frame(), **more)


@pytest.fixture(scope="module")
def planted():
    return bars_of(momentum(0))


def test_costs_that_were_never_charged_are_charged_here(planted):
    check = robustness.costs(evidence(backtest(Follow, planted)))
    # half of the bars turn the whole position: some 250 full turns a year at 10 basis points
    assert check.table.index.tolist() == [0.0, 2.0, 5.0, 10.0, 20.0]
    assert check.table["cagr"].is_monotonic_decreasing
    assert check.passed == (check.table.loc[10.0, "cagr"] > 0)
    assert "free of cost" in check.reason


def test_twice_the_costs_are_those_of_a_backtest_at_twice_the_costs(planted):
    check = robustness.costs(evidence(backtest(Follow, planted, costs=qtw.Costs(commission_bps=2))))
    dearer = backtest(Follow, planted, costs=qtw.Costs(commission_bps=4))
    assert check.facts[0].value == pytest.approx(dearer.stats["cagr"], abs=1e-12)
    assert robustness.costs(evidence(backtest(Follow, planted, costs=qtw.Costs(commission_bps=40)))).passed is False


def test_a_slow_edge_survives_a_bars_delay_and_a_fast_one_does_not(planted):
    slow = bars_of(np.repeat([0.003, -0.003] * 15, 50) + noise(2))
    assert robustness.delay(evidence(backtest(Follow(lag=10), slow))).passed
    assert robustness.delay(evidence(backtest(Follow, planted))).passed is False


def test_a_gain_of_one_part_only_is_seen():
    path = noise(8)
    path[:300] = 0.004
    check = robustness.periods(evidence(backtest("buy_and_hold", bars_of(path))))
    assert check.table["total_return"].iloc[0] == pytest.approx(1.004**299 - 1, rel=0.8)
    assert check.passed == (check.facts[0].value >= 3)
    short = robustness.periods(evidence(backtest("buy_and_hold", bars_of(noise(0, bars=70)))))
    assert short.passed is None


def test_thirty_trades_are_asked_for(planted):
    assert robustness.trades(evidence(backtest(Follow, planted))).passed
    one = robustness.trades(evidence(backtest("buy_and_hold", planted)))
    assert (one.passed, one.reason) == (False, "It rests on 1 trade; 30 are asked for.")


def test_neighbours_in_the_grid_are_one_step_away(planted):
    swept = sweep(Follow, planted, grid={"lag": [1, 2, 5, 30]})
    row = swept.table.index[1]
    judged = evidence(swept.result(row), sweep=swept, row=row)
    check = robustness.neighbours(judged)
    assert check.table.index.get_level_values("lag").tolist() == [1, 5]
    assert check.facts[0].value == pytest.approx(swept.table["sharpe"].iloc[[0, 2]].mean())


def test_without_a_grid_each_number_is_moved_a_little(planted):
    check = robustness.neighbours(evidence(backtest(Follow(lag=20), planted)))
    assert check.table.index.tolist() == [f"Follow(lag={lag})" for lag in (16, 18, 22, 24)]
    near = robustness.neighbours(evidence(backtest(Follow(lag=1), planted)))
    assert near.table.index.tolist() == ["Follow(lag=2)"]  # lag 0 is out of bounds
    expected = backtest(Follow(lag=2), planted).stats["sharpe"]
    assert near.table["sharpe"].iloc[0] == pytest.approx(expected, abs=1e-12)


def test_a_rule_without_numbers_has_no_neighbours(planted):
    assert robustness.neighbours(evidence(backtest("buy_and_hold", planted))).passed is None


def test_a_spike_in_the_grid_is_no_plateau(planted):
    swept = sweep(Follow, planted, grid={"lag": range(1, 12)})
    row = swept.best("sharpe").index[0]
    assert row[0] == 1
    check = robustness.neighbours(evidence(swept.result(row), sweep=swept, row=row))
    beside = swept.table["sharpe"].iloc[1] / swept.table["sharpe"].iloc[0]
    assert check.passed == (beside >= 0.5)


def test_the_symbol_that_carries_it_is_left_out():
    bars = bars_of({"A": momentum(0, phi=0.4), "B": noise(1), "C": noise(2)})
    result = backtest(Follow, bars, sizing=qtw.Sizing.fraction(1 / 3))
    check = robustness.symbols(evidence(result))
    assert check.table.index[0] == "A"
    without = backtest(Follow, bars.select(["B", "C"]), sizing=qtw.Sizing.fraction(1 / 3))
    assert check.table.loc["A", "sharpe"] == pytest.approx(without.stats["sharpe"], abs=1e-12)
    assert check.passed is False
    alone = robustness.symbols(evidence(backtest(Follow, bars.select("A"))))
    assert alone.passed is None


def test_fills_at_the_deciding_close_are_no_prices_one_could_have_had(planted):
    assert robustness.fills(evidence(backtest(Follow, planted, execution="same_close"))).passed is False
    assert robustness.fills(evidence(backtest(Follow, planted))).passed


def test_unclear_bars_are_said():
    bars = qtw.Lab.offline().bars("AAPL", start="2007-01-01", end="2010-12-31", source="stocks")
    stops = qtw.Stops(stop_loss=0.01, take_profit=0.01)
    result = backtest("rsi_reversion", bars, stops=stops)
    check = robustness.band(evidence(result))
    assert check.facts[0].value == result.ambiguous_trades > 0
    assert check.passed == (result.ambiguous_trades <= 0.2)
    assert robustness.band(evidence(backtest("rsi_reversion", bars))).passed is None


def test_the_second_engine_is_asked(planted):
    check = robustness.engines(evidence(backtest(Follow, planted.head(200))))
    assert check.passed
    assert check.reason.startswith("Agrees with the reference engine on all")


def test_choosing_on_noise_does_not_pay():
    bars = bars_of(noise(21))
    swept = sweep(Follow, bars, grid={"lag": range(1, 25)}, costs=qtw.Costs(commission_bps=5))
    row = swept.best("sharpe").index[0]
    table = swept.returns_of(swept.table.index.drop(row))
    returns = pd.concat([swept.returns_of(pd.Index([row])), table], axis=1)
    judged = Evidence(result=swept.result(row), sweep=swept, row=row, returns=returns)
    check = robustness.choice(judged)
    assert check.facts[1].value > 0.05
    assert check.passed == (check.facts[0].value <= 0.5)
    assert robustness.choice(evidence(swept.result(row))).passed is None
