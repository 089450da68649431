"""Information coefficients, quantiles and turnover, against SciPy, pandas and sums on paper."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.research.factor_scores import (
    forward_returns,
    ic_summary,
    information_coefficient,
    monotonicity,
    quantile_returns,
    quantile_summary,
    turnover,
)

FIVE = list("ABCDE")


def noise(rows=60, names=12, seed=0, missing=0.1, ties=False):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, names))
    if ties:
        values = values.round(0)
    values[rng.random(values.shape) < missing] = np.nan
    return pd.DataFrame(values, columns=[f"N{k}" for k in range(names)])


def test_forward_returns_by_hand(bars_of):
    """Opens 10, 11, 12, 15, closes 10, 12, 12, 18."""
    bars = bars_of(X={"open": [10.0, 11, 12, 15], "close": [10.0, 12, 12, 18]})
    for horizon, entry, expected in (
        (1, "next_open", [12 / 11 - 1, 15 / 12 - 1, np.nan, np.nan]),
        (2, "next_open", [15 / 11 - 1, np.nan, np.nan, np.nan]),
        (1, "close", [0.2, 0.0, 0.5, np.nan]),
        (3, "close", [0.8, np.nan, np.nan, np.nan]),
    ):
        np.testing.assert_allclose(forward_returns(bars, horizon, entry)["X"], expected)


def test_a_missing_bar_at_either_end_leaves_no_label(bars_of):
    bars = bars_of(X=[10.0, np.nan, 12.0, 15.0, 16.0], Y=[1.0] * 5)
    assert forward_returns(bars, 1, "close")["X"].isna().tolist() == [True, True, False, False, True]
    assert forward_returns(bars, 1)["X"].isna().tolist() == [True, False, False, True, True]


def test_forward_returns_that_cannot_be_are_refused(bars_of):
    bars = bars_of(X=[1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="needs more than 3 bars; there are 3"):
        forward_returns(bars, 2)
    with pytest.raises(DataError, match="entry"):
        forward_returns(bars, 1, "open")
    with pytest.raises(DataError, match="horizon=0"):
        forward_returns(bars, 0)
    with pytest.raises(DataError, match="Bars"):
        forward_returns(bars.close)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("method", "oracle"), [("spearman", scipy.stats.spearmanr), ("pearson", scipy.stats.pearsonr)])
def test_the_coefficient_is_that_of_scipy_at_each_bar(method, oracle, ties):
    factor, forward = noise(seed=1, ties=ties), noise(seed=2)
    found = information_coefficient(factor, forward, method)
    for t in range(len(factor)):
        both = factor.iloc[t].notna() & forward.iloc[t].notna()
        expected = oracle(factor.iloc[t][both], forward.iloc[t][both]).statistic
        assert found.iloc[t] == pytest.approx(expected, abs=1e-12)


def test_a_constant_factor_has_no_ic():
    factor = pd.DataFrame([[1.0] * 5, [1.0, 2, 3, 4, 5]], columns=FIVE)
    forward = pd.DataFrame([[0.1, 0.2, 0.3, 0.4, 0.5]] * 2, columns=FIVE)
    assert information_coefficient(factor, forward).tolist()[1] == 1.0
    assert math.isnan(information_coefficient(factor, forward).iloc[0])


def test_bars_with_few_names_have_no_ic():
    factor = pd.DataFrame([[1.0, 2, 3, 4, np.nan]], columns=FIVE)
    assert information_coefficient(factor, factor).isna().all()
    assert information_coefficient(factor, factor, fewest=4).tolist() == [1.0]


def test_tables_that_do_not_fit_are_refused():
    factor = noise()
    with pytest.raises(DataError, match="forward returns"):
        information_coefficient(factor, factor.head(5))
    with pytest.raises(DataError, match="fewest=1"):
        information_coefficient(factor, factor, fewest=1)


@given(st.floats(-0.9, 0.9), st.integers(0, 100))
def test_a_planted_coefficient_is_found(planted, seed):
    """Returns made of the factor and noise, 300 names and 60 bars: the mean is off by 1 / sqrt(18000) or so."""
    rng = np.random.default_rng(seed)
    factor, shocks = rng.normal(size=(2, 60, 300))
    forward = planted * factor + math.sqrt(1 - planted**2) * shocks
    found = information_coefficient(pd.DataFrame(factor), pd.DataFrame(forward), "pearson").mean()
    assert found == pytest.approx(planted, abs=0.04)


def test_a_summary_by_hand():
    """Four coefficients 0.1, 0.3, 0.2, 0.2: mean 0.2, deviation sqrt(0.02 / 3); horizon 3 has 84 a year."""
    coefficients = pd.DataFrame({3: [0.1, 0.3, np.nan, 0.2, 0.2]})
    row = ic_summary(coefficients, 252.0, pd.DataFrame({3: [10, 20, 99, 10, 20]})).loc[3]
    deviation = math.sqrt(0.02 / 3)
    assert row["mean"] == pytest.approx(0.2)
    assert row["icir"] == pytest.approx(0.2 / deviation * math.sqrt(84))
    assert row["positive"] == 1.0
    assert row["bars"] == 4
    assert row["names"] == 15.0
    assert math.isnan(row["t"])  # four bars are too few for nine lags


def test_a_horizon_must_be_a_number_of_bars():
    with pytest.raises(DataError, match="horizon='x'"):
        ic_summary(pd.DataFrame({"x": [0.1]}), 252.0)


def test_quantile_returns_are_those_of_groupby():
    factor, forward = noise(seed=3, missing=0.0), noise(seed=4)
    found = quantile_returns(factor, forward, 4)
    for t in range(len(factor)):
        groups = pd.qcut(factor.iloc[t], 4, labels=[1, 2, 3, 4])
        expected = forward.iloc[t].groupby(groups, observed=True).mean()
        np.testing.assert_allclose(found.iloc[t][[1, 2, 3, 4]].astype(float), expected, atol=1e-12)
    np.testing.assert_allclose(found["spread"], found[4] - found[1])


def test_membership_does_not_know_who_will_have_a_label():
    """The best name has no label: the second best must not move up, so the top quantile has no return."""
    factor = pd.DataFrame([[1.0, 2, 3, 4, 5]], columns=FIVE)
    forward = pd.DataFrame([[0.1, 0.2, 0.3, 0.4, np.nan]], columns=FIVE)
    assert quantile_returns(factor, forward).iloc[0].isna().tolist() == [False] * 4 + [True, True]
    assert quantile_returns(factor, forward)[4].tolist() == [0.4]


def test_quantiles_of_a_constant_factor_have_no_spread():
    factor = pd.DataFrame([[1.0] * 5], columns=FIVE)
    found = quantile_returns(factor, factor * 0.1).iloc[0]
    assert found[3] == pytest.approx(0.1)
    assert math.isnan(found["spread"])


def test_a_quantile_summary_by_hand():
    returns = pd.DataFrame({1: [0.0, 0.02], 2: [0.04, 0.06], "spread": [0.04, 0.04]})
    found = quantile_summary(returns, 2)
    assert found["mean"].tolist() == pytest.approx([0.01, 0.05, 0.04])
    assert found["per_bar"].tolist() == pytest.approx([0.005, 0.025, 0.02])
    assert found.index.tolist() == [1, 2, "spread"]


def test_monotonicity_is_a_rank_correlation():
    means = [0.3, 0.1, 0.2, 0.4, 0.4]
    assert monotonicity(means) == pytest.approx(scipy.stats.spearmanr(range(5), means).statistic)
    assert monotonicity([3.0, 2.0, 1.0]) == -1.0
    assert math.isnan(monotonicity([0.1, 0.1]))
    assert math.isnan(monotonicity([0.1, np.nan]))
    assert math.isnan(monotonicity([0.1]))


def test_turnover_by_hand():
    """A and E change places from the first bar to the second; then nothing changes."""
    factor = pd.DataFrame([[1.0, 2, 3, 4, 5], [5.0, 2, 3, 4, 1], [5.0, 2, 3, 4, 1]], columns=FIVE)
    row = turnover(factor).loc[1]
    assert row["rank_autocorrelation"] == pytest.approx((1 - 6 * 32 / 120 + 1.0) / 2)
    assert row[[f"left_{q}" for q in range(1, 6)]].tolist() == [0.5, 0.0, 0.0, 0.0, 0.5]
    assert turnover(factor, lags=(2,)).loc[2, "left_1"] == 1.0


def test_a_name_without_a_factor_any_more_has_left():
    factor = pd.DataFrame([[1.0, 2, 3, 4, 5, 6], [np.nan, 2, 3, 4, 5, 6]], columns=list("ABCDEF"))
    assert turnover(factor, quantiles=3)["left_1"].tolist() == [0.5]


def test_a_quantile_that_shrinks_has_been_left_though_nobody_came():
    """Six names in three quantiles: A and B lowest; of four names A alone is."""
    factor = pd.DataFrame([[1.0, 2, 3, 4, 5, 6], [1.0, 2, 3, 4, np.nan, np.nan]], columns=list("ABCDEF"))
    assert turnover(factor, quantiles=3, fewest=4)["left_1"].tolist() == [0.5]


def test_bars_that_tell_nothing_are_no_turnover():
    factor = pd.DataFrame([[1.0, 2, 3, 4, 5], [np.nan] * 5], columns=FIVE)
    assert turnover(factor).isna().all(axis=None)


def test_a_lag_beyond_the_bars_is_refused():
    with pytest.raises(DataError, match="lag=60 needs more than 60 bars"):
        turnover(noise(), (60,))


@given(st.integers(0, 200))
def test_a_monotone_change_of_the_factor_changes_nothing(seed):
    factor, forward = noise(rows=8, seed=seed), noise(rows=8, seed=seed + 1)
    other = np.exp(factor)
    pd.testing.assert_series_equal(information_coefficient(factor, forward), information_coefficient(other, forward))
    pd.testing.assert_frame_equal(quantile_returns(factor, forward), quantile_returns(other, forward))
    pd.testing.assert_frame_equal(turnover(factor), turnover(other))
