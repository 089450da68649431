"""Weights of a factor's portfolio, and the account that trades them."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab.core import DataError
from qtw_lab.research.factor_portfolio import WeightList, long_short, long_short_weights
from qtw_lab.strategies import Panel

FIVE = list("ABCDE")


def noise(seed=0, rows=30, names=9, missing=0.2):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, names)).round(1)
    values[rng.random(values.shape) < missing] = np.nan
    return pd.DataFrame(values, columns=[f"N{k}" for k in range(names)])


@given(st.integers(0, 500), st.sampled_from(["quantile", "rank"]), st.integers(2, 5))
def test_both_sides_are_half_of_equity_or_nothing(seed, weighting, quantiles):
    weights = long_short_weights(noise(seed), weighting, quantiles).to_numpy()
    told = np.isfinite(weights).all(axis=1)
    longs, shorts = (np.where(np.isnan(weights), 0, side(weights, 0)).sum(axis=1) for side in (np.maximum, np.minimum))
    both = (np.isclose(longs, 0.5) & np.isclose(shorts, -0.5)) | ((longs == 0) & (shorts == 0))
    assert both[told].all()
    assert not longs[~told].any()


def test_weights_by_hand():
    factor = pd.DataFrame([[3.0, 1.0, 2.0, 5.0, 4.0, 6.0]], columns=list("ABCDEF"))
    assert long_short_weights(factor, quantiles=3).iloc[0].tolist() == [0, -0.25, -0.25, 0.25, 0, 0.25]
    by_rank = [-0.5, -2.5, -1.5, 1.5, 0.5, 2.5]
    assert long_short_weights(factor, "rank").iloc[0].tolist() == pytest.approx([x / 9 for x in by_rank])


def test_rebalancing_starts_with_the_first_bar_that_has_enough_names():
    factor = noise(rows=12, missing=0.0)
    factor.iloc[:3, 1:] = np.nan
    told = long_short_weights(factor, every=4).notna().all(axis=1)
    assert np.flatnonzero(told).tolist() == [3, 7, 11]


def test_names_without_a_factor_are_sold_at_a_rebalancing_and_all_are_if_too_few_have_one():
    factor = noise(rows=2, missing=0.0)
    factor.iloc[1, 0] = np.nan
    assert long_short_weights(factor).iloc[1, 0] == 0.0
    factor.iloc[1, 1:6] = np.nan
    assert (long_short_weights(factor).iloc[1] == 0.0).all()


def test_tied_names_leave_nothing_to_hold():
    factor = pd.DataFrame([[2.0] * 5], columns=FIVE)
    for weighting in ("quantile", "rank"):
        assert (long_short_weights(factor, weighting) == 0.0).all(axis=None)


def test_weights_that_cannot_be_are_refused():
    with pytest.raises(DataError, match="No bar has a factor for 50 names"):
        long_short_weights(noise(), fewest=50)
    with pytest.raises(DataError, match="weighting"):
        long_short_weights(noise(), "value")
    with pytest.raises(DataError, match="every=0"):
        long_short_weights(noise(), every=0)


def dated(values, symbols, start="2024-01-01"):
    return pd.DataFrame(values, index=pd.date_range(start, periods=len(values), tz="UTC"), columns=symbols)


def test_a_weight_list_gives_its_weights_to_the_bars_it_is_for(bars_of):
    bars = bars_of(A=[1.0, 2.0, 3.0], B=[1.0, 2.0, 3.0])
    given_weights = dated([[0.5, -0.5], [np.nan, 0.1], [0.0, 0.0]], ["A", "B"])
    listed = WeightList(given_weights)
    np.testing.assert_array_equal(listed.decide(Panel.of(bars)), given_weights)
    np.testing.assert_array_equal(listed.decide(Panel.of(bars.tail(2))), given_weights.tail(2))
    assert listed.kind == "weights"
    assert repr(listed) == "WeightList(3 bars, 2 symbols)"


def test_weight_lists_are_equal_if_their_weights_are():
    one, same, other = (WeightList(dated([[x]], ["A"])) for x in (0.5, 0.5, 0.4))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert one.parameters["bars"] == 1
    assert WeightList(dated([[0.5]], ["B"])) != one


def test_weights_that_fit_no_bars_are_refused(bars_of):
    bars = bars_of(A=[1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="2024-01-03"):
        WeightList(dated([[0.5]] * 2, ["A"])).decide(Panel.of(bars))
    with pytest.raises(DataError, match="2 symbols, the bars have 1"):
        WeightList(dated([[0.5, 0.5]] * 3, ["A", "B"])).decide(Panel.of(bars))
    with pytest.raises(DataError, match="time zone"):
        WeightList(pd.DataFrame({"A": [0.5]}))
    with pytest.raises(DataError, match="beyond 1"):
        WeightList(dated([[1.5]], ["A"]))
    with pytest.raises(DataError, match="made with weights"):
        WeightList()


def rising(bars_of, length=6):
    """E rises by 10% a bar, A falls by 10%, the others stand still."""
    steps = np.arange(length)
    return bars_of(A=100 * 0.9**steps, B=[50.0] * length, C=[50.0] * length, D=[50.0] * length, E=10 * 1.1**steps)


def test_the_account_by_hand(bars_of):
    """Decided at bar 0, filled at the open of bar 1 (which is its close): 0.5 long E, 0.5 short A from then on.

    At bar 2: 1 + 0.5 x 10% + 0.5 x 10% = 1.10; at bar 3 holdings have drifted: 1 + 0.5 x 21% + 0.5 x 19% = 1.20.
    """
    bars = rising(bars_of)
    factor = pd.DataFrame([[1.0, 2, 3, 4, 5]] * 6, index=bars.index, columns=FIVE)
    found = long_short(factor, bars, every=10, cash=1000.0)
    np.testing.assert_allclose(found.net.equity.iloc[:4], [1000, 1000, 1100, 1200])
    assert found.gross is found.net
    assert "no costs: real trading is dearer" in found.net.notes


def test_costs_are_paid_on_what_is_traded(bars_of):
    """Entering trades all of equity once: 10 bp of 1,000 are 1."""
    bars = rising(bars_of)
    factor = pd.DataFrame([[1.0, 2, 3, 4, 5]] * 6, index=bars.index, columns=FIVE)
    found = long_short(factor, bars, every=10, cash=1000.0, costs=qtw.Costs(commission_bps=10))
    assert found.net.stats["costs_paid"] == pytest.approx(1.0, rel=0.01)
    assert found.table.loc["costs_paid"].tolist() == pytest.approx([0.0, found.net.stats["costs_paid"]])
    assert found.table.loc["total_return", "net"] < found.table.loc["total_return", "gross"]


def test_the_break_even_cost_eats_the_gross_return():
    """Simulated again at that cost, the mean return is about nothing."""
    bars = qtw.Lab.offline().bars(["KO", "PEP", "JNJ", "PG", "XOM", "CVX"], "2000-01-01", "2004-12-31", source="sp500")
    factor = -bars.close.pct_change(5, fill_method=None)
    found = long_short(factor, bars, every=5, quantiles=3)
    assert found.breakeven_bps > 0
    eaten = long_short(factor, bars, every=5, quantiles=3, costs=qtw.Costs(commission_bps=found.breakeven_bps)).net
    gross = found.gross.returns.mean()
    assert abs(eaten.returns.mean()) < 0.05 * gross


def test_the_reference_engine_agrees(bars_of):
    bars = qtw.Lab.offline().bars(["KO", "PEP", "JNJ", "PG", "XOM", "CVX"], "2003-01-01", "2003-12-31", source="sp500")
    costs = qtw.Costs(commission_bps=5, spread_bps=2, borrow_bps_per_year=50)
    result = long_short(bars.close.pct_change(10, fill_method=None), bars, quantiles=3, every=5, costs=costs).net
    assert result.verify().agreement.agrees


def test_the_account_begins_with_the_first_decision(bars_of):
    bars = rising(bars_of)
    factor = pd.DataFrame([[1.0, 2, 3, 4, 5]] * 6, index=bars.index, columns=FIVE)
    factor.iloc[:3] = np.nan
    assert long_short(factor, bars).net.equity.index[0] == bars.index[3]
    factor.iloc[:5] = np.nan
    with pytest.raises(DataError, match="last bar"):
        long_short(factor, bars)


def test_an_account_that_never_trades_has_no_break_even(bars_of):
    bars = rising(bars_of)
    factor = pd.DataFrame(1.0, index=bars.index, columns=FIVE)
    assert math.isnan(long_short(factor, bars).breakeven_bps)


def test_a_bar_with_fewer_names_than_quantiles_is_no_first_rebalancing():
    factor = noise(rows=6, missing=0.0)
    factor.iloc[:2, 6:] = np.nan
    first = {w: int(long_short_weights(factor, w, 8).notna().all(axis=1).argmax()) for w in ("quantile", "rank")}
    assert first == {"quantile": 2, "rank": 0}
