from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import Bars
from qtw_lab.core.facts import MEDIA_TYPE
from qtw_lab.research.allocation import Allocator
from qtw_lab.research.portfolio_comparison import MORE_TRIALS, PortfolioComparison
from qtw_lab.research.portfolios import portfolio_walk_forward
from qtw_lab.stats import performance as p
from qtw_lab.stats.bootstrap import optimal_block_length, stationary_bootstrap_indices
from qtw_lab.stats.significance import reality_check, spa_test


@pytest.fixture(scope="module")
def bars(bars_of) -> Bars:
    rng = np.random.default_rng(21)
    steps = rng.normal(0.0005, 1.0, (400, 4)) * [0.004, 0.01, 0.02, 0.03] + rng.normal(0, 0.003, (400, 1))
    close = 50 * np.exp(np.cumsum(steps, axis=0))
    return bars_of(**{f"S{k}": close[:, k] for k in range(4)})


@pytest.fixture(scope="module")
def found(bars) -> PortfolioComparison:
    told = ["inverse_volatility", Allocator(name="hrp", max_weight=0.6)]
    return portfolio_walk_forward(bars, told, train=60, rebalance=20, costs=qtw.Costs(commission_bps=5), reps=300)


@pytest.fixture(scope="module")
def alone(bars) -> PortfolioComparison:
    return portfolio_walk_forward(bars, [], train=60, rebalance=20)


def test_the_table_holds_the_figures_of_each_account(found):
    for label, portfolio in found.portfolios.items():
        row, stats = found.table.loc[label], portfolio.result.stats
        returns = portfolio.result.equity.pct_change().iloc[1:]
        assert row["sharpe"] == pytest.approx(returns.mean() / returns.std(ddof=1) * np.sqrt(252))
        assert row["volatility"] == pytest.approx(returns.std(ddof=1) * np.sqrt(252))
        equity = portfolio.result.equity
        assert row["max_drawdown"] == pytest.approx((equity / equity.cummax() - 1).min())
        assert row["cagr"] == pytest.approx((equity.iloc[-1] / equity.iloc[0]) ** (252 / (len(equity) - 1)) - 1)
        assert row["turnover"] == stats["turnover"]
        assert row["cost_drag"] == stats["cost_drag"]
        assert row["effective"] == pytest.approx((1 / (portfolio.weights**2).sum(axis=1)).mean())
        assert row["ex_ante"] == pytest.approx(np.sqrt((portfolio.rebalances["ex_ante"] ** 2).mean()))
        assert row["risk_ratio"] == pytest.approx(row["volatility"] / row["ex_ante"])
        assert row["kept"] == 0


def test_equal_weight_comes_first_and_has_no_difference_to_itself(found):
    assert list(found.table.index) == ["equal_weight", "inverse_volatility", "hrp(max_weight=0.6)"]
    assert found.table.loc["equal_weight", ["difference", "low", "high"]].isna().all()
    assert found.trials == 3


def test_the_interval_draws_both_histories_at_the_same_bars(found):
    """By hand: Sharpe ratios of both at the same resampled bars, their difference, its 2.5% and 97.5% quantiles."""
    label = "inverse_volatility"
    mine, theirs = found.returns[label].to_numpy(), found.returns["equal_weight"].to_numpy()
    rows = np.concatenate(list(stationary_bootstrap_indices(len(mine), found.block, 300, seed=0)))

    def sharpes(returns):
        drawn = returns[rows]
        return drawn.mean(axis=1) / drawn.std(axis=1, ddof=1) * np.sqrt(252)

    low, high = np.quantile(sharpes(mine) - sharpes(theirs), [0.025, 0.975])
    row = found.table.loc[label]
    assert row["low"] == pytest.approx(low)
    assert row["high"] == pytest.approx(high)
    assert row["difference"] == pytest.approx(
        found.table.loc[label, "sharpe"] - found.table.loc["equal_weight", "sharpe"]
    )


def test_blocks_are_long_enough_for_means_and_spreads(found):
    returns = found.returns.to_numpy()
    means = np.median(optimal_block_length(returns[:, 1:] - returns[:, :1]).stationary)
    spreads = np.median(optimal_block_length(returns**2).stationary)
    assert found.block == pytest.approx(max(1.0, means, spreads))


def test_tests_count_every_allocator_against_equal_weight(found):
    mine, theirs = found.returns.iloc[:, 1:], found.returns["equal_weight"]
    drawn = {"reps": 300, "block": found.block, "seed": 0}
    assert found.tests["reality_check"] == reality_check(mine, theirs, **drawn).p_value
    assert found.tests["spa"] == spa_test(mine, theirs, **drawn).consistent
    level = mine / mine.std() * theirs.std()
    assert found.tests["spa_same_risk"] == pytest.approx(spa_test(level, theirs, **drawn).consistent)


def test_an_edge_that_is_there_is_seen_and_one_that_is_not_is_not(bars_of):
    """Calm symbols earn, wild ones only move: weighing by risk is better. Then none earns, and nothing is."""
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 1.0, (900, 4)) * [0.003, 0.003, 0.03, 0.03]
    noise -= noise.mean(axis=0)
    p_values = []
    for drift in ([0.001, 0.001, 0, 0], [0, 0, 0, 0]):
        close = 50 * np.exp(np.cumsum(noise + drift, axis=0))
        bars = bars_of(**{f"S{k}": close[:, k] for k in range(4)})
        told = portfolio_walk_forward(bars, ["inverse_volatility", "hrp"], train=60, rebalance=20, reps=300)
        p_values.append(told.tests["spa_same_risk"])
        if any(drift):
            assert (told.table["low"].dropna() > 0).all()
    assert p_values[0] < 0.02
    assert p_values[1] > 0.1


def test_facts_state_the_trials_first_and_the_allocators_after(found):
    facts = found.facts()
    assert next(iter(facts)).name == "trials"
    assert facts["trials"] == 3
    assert facts["costs"] == qtw.Costs(commission_bps=5).describe()
    assert facts["best"] == found.best == found.table["sharpe"].idxmax()
    assert facts["difference"] == pytest.approx(found.table.loc[found.best, "difference"], nan_ok=True)
    assert facts["spa"] == found.tests["spa"]
    assert facts["sharpe_hrp(max_weight=0.6)"] == found.table.loc["hrp(max_weight=0.6)", "sharpe"]
    assert facts["effective_equal_weight"] == pytest.approx(4.0)
    assert facts["window"] == "60 bars, rolling"
    assert facts["period"] == f"{found.returns.index[0]:%Y-%m-%d} to {found.returns.index[-1]:%Y-%m-%d}"
    assert facts.notes[0] == MORE_TRIALS
    assert replace(found, anchored=True).facts()["window"] == "60 bars, growing"
    assert all(fact.definition for fact in facts if fact.name.startswith(("sharpe_", "risk_ratio_", "effective_")))


def test_a_notebook_shows_the_facts(found):
    shown = found._repr_mimebundle_()
    assert "Portfolios against equal weight" in shown["text/html"]
    assert "Sharpe ratio, inverse_volatility" not in shown["text/html"]  # that is what the table is for
    names = [fact["name"] for fact in shown[MEDIA_TYPE]["facts"]]
    assert names[0] == "trials"
    assert "sharpe_inverse_volatility" in names
    assert repr(found).startswith("PortfolioComparison(4 symbols, 3 allocators; Sharpe equal_weight ")


def test_histories_begin_with_the_first_decision(found, bars):
    assert found.equity.index[0] == bars.index[60]
    assert (found.equity.iloc[0] == 100_000.0).all()
    assert found.returns.index[0] == bars.index[61]
    np.testing.assert_allclose((1 + found.returns).prod() * 100_000.0, found.equity.iloc[-1])


def test_weights_and_their_spread_stand_side_by_side(found):
    assert found.latest["hrp(max_weight=0.6)"].equals(found["hrp(max_weight=0.6)"].weights.iloc[-1])
    assert found.latest["equal_weight"].tolist() == [0.25] * 4
    assert found.effective["inverse_volatility"].equals(found["inverse_volatility"].rebalances["effective"])
    assert list(found.effective) == list(found.latest) == list(found.portfolios)


def test_equal_weight_alone_has_nothing_to_be_tested_against(alone):
    assert alone.trials == 1
    assert np.isnan([*alone.tests.values(), alone.block]).all()
    assert alone.table[["difference", "low", "high"]].isna().all(axis=None)
    assert alone.facts()["best"] == "equal_weight"


def test_an_allocator_that_does_the_same_differs_by_nothing(bars):
    same = Allocator(name="equal_weight", max_weight=0.9)
    told = portfolio_walk_forward(bars, [same], train=60, rebalance=20, reps=50)
    assert told.table.loc[same.label, ["difference", "low", "high"]].tolist() == [0.0, 0.0, 0.0]
    assert told.tests["spa"] == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_figures(bars, found):
    told = ["inverse_volatility", Allocator(name="hrp", max_weight=0.6)]
    again = portfolio_walk_forward(bars, told, train=60, rebalance=20, costs=qtw.Costs(commission_bps=5), reps=300)
    pd.testing.assert_frame_equal(again.table, found.table)
    assert again.tests == found.tests
    other = replace(found, seed=1)
    assert not other.table["low"].equals(found.table["low"])
    assert p.sharpe_ratio(found.returns["equal_weight"], 252) == found.table.loc["equal_weight", "sharpe"]
