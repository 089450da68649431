"""Combinatorial cross-validation, held against full backtests and plain loops."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import qtw_lab as qtw
from qtw_lab.core import Bars, DataError
from qtw_lab.research.combinatorial import combinatorial
from qtw_lab.stats import performance as p
from qtw_lab.stats.splits import CombinatorialPurgedCV, WalkForward
from qtw_lab.strategies import Panel, SmaCross, Strategy, param

GRID = {"fast": [2, 4, 8], "slow": [10, 20]}
COSTS = qtw.Costs(commission_bps=5, spread_bps=2)


class Lean(Strategy):
    """Long, flat or short throughout, as told."""

    side: int = param(0, low=-1, high=1)

    def signals(self, prices: Panel):
        return np.ones_like(prices.close) * self.side


@pytest.fixture(scope="module")
def bars(bars_of) -> Bars:
    rng = np.random.default_rng(11)
    steps = rng.normal(0.0005, 0.012, 320) + 0.004 * np.sin(np.arange(320) / 9)
    return bars_of(X=100 * np.exp(np.cumsum(steps)))


def test_combinatorial_paths_join_what_each_split_chose(bars):
    """Every split and path again, the long way: full backtests, plain loops."""
    cv = CombinatorialPurgedCV(5, 2, label_horizon=1, embargo=3)
    found = combinatorial(SmaCross, bars, GRID, cv, costs=COSTS)
    start = 19
    assert found.trials == 6
    assert found.paths.shape == (301, 4)
    pd.testing.assert_index_equal(found.paths.index, bars.index[start:])
    columns = {
        (fast, slow): qtw.backtest(SmaCross(fast=fast, slow=slow), bars, costs=COSTS).returns.iloc[start:]
        for fast in GRID["fast"] for slow in GRID["slow"]
    }  # fmt: skip
    chosen = []
    for (train, test), (_, row) in zip(cv.split(range(301)), found.choices.iterrows(), strict=True):
        sharpes = {key: p.sharpe_ratio(r.iloc[train], bars.periods_per_year) for key, r in columns.items()}
        best = max(sharpes, key=sharpes.get)
        assert best == (row["fast"], row["slow"])
        assert row["in_sample"] == pytest.approx(sharpes[best])
        outside = columns[best].iloc[test]
        assert row["out_of_sample"] == pytest.approx(p.sharpe_ratio(outside, bars.periods_per_year))
        chosen.append(best)
    groups = cv.groups(range(301))
    for path, splits in enumerate(cv.paths()):
        joined = pd.concat([columns[chosen[split]].iloc[groups[g]] for g, split in enumerate(splits)])
        np.testing.assert_array_equal(found.paths[path], joined)
        assert found.sharpes[path] == pytest.approx(p.sharpe_ratio(joined, bars.periods_per_year))


def test_with_one_combination_every_path_is_the_plain_backtest(bars):
    found = combinatorial(SmaCross(fast=4), bars, {"slow": [20]})
    plain = qtw.backtest(SmaCross(fast=4, slow=20), bars).returns.iloc[19:]
    for path in found.paths:
        np.testing.assert_array_equal(found.paths[path], plain)
    assert found.sharpes.nunique() == 1


def test_combinatorial_facts_state_trials_first_and_that_fits_saw_the_future(bars):
    facts = combinatorial(SmaCross, bars, GRID).facts()
    assert [fact.name for fact in facts][:4] == ["trials", "deflated_sharpe", "costs", "execution"]
    assert (facts["trials"], facts["splits"], facts["paths"]) == (6, 15, 5)
    assert facts["low_sharpe"] <= facts["median_sharpe"] <= facts["high_sharpe"]
    assert any("fits also saw bars after their test" in note for note in facts.notes)


def test_combinatorial_input_that_cannot_work_is_refused(bars):
    with pytest.raises(DataError, match=r"must be made with CombinatorialPurgedCV"):
        combinatorial(SmaCross, bars, GRID, cv=WalkForward(10, 5))
    with pytest.raises(DataError, match="memory_limit='10KB'"):
        combinatorial(SmaCross, bars, GRID, memory_limit="10KB")
    with pytest.raises(DataError, match="none traded"):
        combinatorial(Lean, bars, {"side": [0]})
    with pytest.raises(DataError, match="needs at least"):
        combinatorial(SmaCross, bars.head(20), {"slow": [20]})
    with pytest.raises(DataError, match="Bars are needed"):
        combinatorial(SmaCross, bars.close, GRID)
