"""Returns of many strategies are those of their full results, to the last bit."""

import numpy as np
import pytest

import qtw_lab as qtw
from qtw_lab.backtest.engine import backtest
from qtw_lab.backtest.equities import returns_at, returns_of
from qtw_lab.backtest.plan import planned
from qtw_lab.backtest.sweep import sweep
from qtw_lab.backtest.terms import Terms
from qtw_lab.core import DataError


@pytest.fixture(scope="module")
def bars():
    return qtw.Lab.offline().bars(["IBM", "MSFT"], start="2008-01-01", end="2010-12-31", source="stocks")


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"costs": qtw.Costs(commission_bps=7, spread_bps=3), "stops": qtw.Stops(stop_loss=0.05)},
        {"sizing": qtw.Sizing.volatility_target(0.1), "execution": "next_close"},
        {"entry": qtw.Entry.limit(0.01)},
    ],
    ids=["plain", "costs and stops", "measured sizing", "entry orders"],
)
@pytest.mark.parametrize("name", ["sma_cross", "rsi_reversion", "cross_sectional_momentum"])
def test_they_are_the_returns_of_the_results(bars, terms, name):
    chosen = [qtw.strategies.strategy(name), qtw.strategies.strategy(name)]
    if chosen[0].kind == "weights" and {"entry", "sizing"} & set(terms):
        terms = {"costs": qtw.Costs(commission_bps=1)}  # weights take no entry orders and no sizes
    found = returns_of(chosen, bars, Terms.given(**terms))
    expected = backtest(chosen[0], bars, **terms).returns.to_numpy()
    np.testing.assert_array_equal(found, np.column_stack([expected, expected]))


@pytest.mark.parametrize("columned", [True, False])
def test_combinations_of_a_plan_together_are_those_alone(bars, columned):
    plan = planned(qtw.strategies.SmaCross(), {"fast": [5, 10, 20], "slow": [50, 60]})
    one = bars.select("IBM")
    terms = Terms.given(costs=qtw.Costs(commission_bps=7))
    found = returns_at(plan, np.array([0, 3, 5]), one, terms, columned=columned)
    np.testing.assert_array_equal(found, returns_of([plan.one(place) for place in (0, 3, 5)], one, terms))


def test_rows_of_a_sweep_are_found_by_their_index(bars):
    found = sweep("sma_cross", bars, grid={"fast": [5, 10], "slow": [50, 60]})
    rows = found.table.index[[5, 0, 3]]
    table = found.returns_of(rows)
    assert table.columns.equals(rows)
    for row in rows:
        np.testing.assert_array_equal(table[row].to_numpy(), found.result(row).returns.to_numpy())
    with pytest.raises(DataError, match=r"\(7, 50, 'MSFT'\) is not a row of this sweep"):
        found.returns_of([(7, 50, "MSFT")])


def test_a_symbol_listed_late_has_no_returns_before(bars_of):
    nan = float("nan")
    bars = bars_of(A=[1.0, 2, 3, 4, 5, 6, 7], B=[nan, nan, 1.0, 2, 3, 4, 5])
    found = sweep("sma_cross", bars, grid={"fast": [1], "slow": [2]})
    assert found.returns(2).isna().sum().to_dict() == {(1, 2, "A"): 0, (1, 2, "B"): 2}
