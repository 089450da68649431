"""Every figure beside the one of quantstats and ffn, on real daily returns of three stocks, 2000 to 2013.

Where they differ, the convention that makes the difference is put into a few lines of arithmetic on our figure, and
must give their number. Neither has capture ratios, a Cornish-Fisher tail or a turnover; `test_captures` holds the first
to SciPy, `test_risk` the second, and `test_activity` the third to a backtest. Both libraries are imported within the
tests: ffn adds methods to pandas when it is.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qtw_lab.data import sample_bars
from qtw_lab.stats import performance as p
from qtw_lab.stats import significance as g

YEAR = 252.0


@pytest.fixture(scope="module")
def closes() -> pd.DataFrame:
    """Adjusted closes without a time zone, which ffn does not take."""
    return sample_bars(["AAPL", "IBM", "MSFT"]).close.tz_localize(None)


@pytest.fixture(scope="module")
def returns(closes) -> pd.DataFrame:
    return closes.pct_change().iloc[1:]


def prices_of(r: pd.Series) -> pd.Series:
    """Capital with the start before the first return, as both libraries count from prices."""
    return pd.concat([pd.Series([1.0], [r.index[0] - pd.Timedelta(days=1)]), (1 + r).cumprod()])


SYMBOLS = pytest.mark.parametrize("symbol", ["AAPL", "IBM", "MSFT"])

#: Ours, and the function of quantstats that has the same convention.
AS_QUANTSTATS = {
    "comp": p.total_return,
    "cagr": lambda r: p.cagr(r, YEAR),
    "volatility": lambda r: p.volatility(r, YEAR),
    "sharpe": lambda r: p.sharpe_ratio(r, YEAR),
    "sortino": lambda r: p.sortino_ratio(r, YEAR),
    "omega": p.omega_ratio,
    "calmar": lambda r: p.calmar_ratio(r, YEAR),
    "max_drawdown": p.max_drawdown,
    "tail_ratio": p.tail_ratio,
    "best": p.best,
    "worst": p.worst,
    "win_rate": p.hit_rate,
    "value_at_risk": lambda r: p.value_at_risk(r, method="gaussian"),
    "conditional_value_at_risk": lambda r: p.expected_shortfall(r, method="gaussian"),
    # Theirs are of returns, ours of trades: a bar stands for a trade here.
    "profit_factor": p.profit_factor,
    "payoff_ratio": p.payoff_ratio,
    "avg_win": p.average_win,
    "avg_loss": p.average_loss,
    "consecutive_wins": p.max_consecutive_wins,
    "consecutive_losses": p.max_consecutive_losses,
}


@SYMBOLS
@pytest.mark.parametrize("name", AS_QUANTSTATS)
def test_figures_are_those_of_quantstats(returns, symbol, name):
    from quantstats import stats as theirs

    r = returns[symbol]
    assert AS_QUANTSTATS[name](r) == pytest.approx(getattr(theirs, name)(r), rel=1e-9)


@SYMBOLS
def test_the_historical_shortfall_and_the_drawdown_path_are_those_of_quantstats(returns, symbol):
    from quantstats import stats as theirs

    r = returns[symbol]
    expected = theirs.conditional_value_at_risk(r, method="historical")
    assert p.expected_shortfall(r) == pytest.approx(expected, rel=1e-9)
    pd.testing.assert_series_equal(
        p.drawdown_series(r), theirs.to_drawdown_series(r), check_names=False, check_freq=False, check_index_type=False
    )


@SYMBOLS
def test_rolling_ratios_and_calendar_returns_are_those_of_quantstats(returns, symbol):
    """Their Sortino ratio of a window that has no loss would be infinite; no window of half a year is."""
    from quantstats import stats as theirs

    r = returns[symbol]
    for ours, their in ((p.rolling_sharpe, theirs.rolling_sharpe), (p.rolling_sortino, theirs.rolling_sortino)):
        expected = their(r, rolling_period=126)
        np.testing.assert_allclose(ours(r, 126, YEAR).loc[expected.index], expected, rtol=1e-6)
    expected = theirs.rolling_volatility(r, rolling_period=126)
    np.testing.assert_allclose(p.rolling_volatility(r, 126, YEAR), expected, rtol=1e-9)
    months = theirs.monthly_returns(r)
    found = p.monthly_returns(r)
    np.testing.assert_allclose(
        found.fillna(0.0).to_numpy(), months.to_numpy(), atol=1e-12
    )  # 0 for a month without bars


@SYMBOLS
def test_figures_beside_a_benchmark_are_those_of_quantstats(returns, symbol):
    """Their information ratio is of one bar, not of a year."""
    from quantstats import stats as theirs

    r, market = returns[symbol], returns[["AAPL", "MSFT"]].mean(axis=1)
    greeks = theirs.greeks(r, market)
    assert p.beta(r, market) == pytest.approx(greeks["beta"], rel=1e-9)
    assert p.alpha(r, market, YEAR) == pytest.approx(greeks["alpha"], rel=1e-9)
    assert p.correlation(r, market) ** 2 == pytest.approx(theirs.r_squared(r, market), rel=1e-9)
    assert p.information_ratio(r, market, YEAR) / np.sqrt(YEAR) == pytest.approx(theirs.information_ratio(r, market))


@SYMBOLS
def test_where_quantstats_corrects_for_the_size_of_the_sample(returns, symbol):
    """Skewness times ``sqrt(T (T - 1)) / (T - 2)``, kurtosis likewise; the ulcer index divides by T - 1."""
    from quantstats import stats as theirs

    r, size = returns[symbol], len(returns)
    skew = p.skewness(r) * np.sqrt(size * (size - 1)) / (size - 2)
    excess = (size - 1) / ((size - 2) * (size - 3)) * ((size + 1) * p.kurtosis(r) + 6)
    assert theirs.skew(r) == pytest.approx(skew, rel=1e-9)
    assert theirs.kurtosis(r) == pytest.approx(excess, rel=1e-9)
    assert theirs.ulcer_index(r) == pytest.approx(p.ulcer_index(r) * np.sqrt(size / (size - 1)), rel=1e-9)
    record = g.TrackRecord(p.sharpe_ratio(r, 1), size, skew, excess + 3)
    assert theirs.probabilistic_sharpe_ratio(r) == pytest.approx(record.probability_above(0.0), rel=1e-9)
    assert g.probabilistic_sharpe_ratio(r) == pytest.approx(record.probability_above(0.0), abs=1e-5)


@SYMBOLS
def test_a_rate_a_year_is_compounded_by_others_and_divided_here(returns, symbol):
    """3% a year is ``1.03 ** (1 / 252) - 1`` a bar for quantstats and ffn, 0.03 / 252 here."""
    import ffn
    from quantstats import stats as theirs

    r = returns[symbol]
    theirs_a_year = YEAR * (1.03 ** (1 / YEAR) - 1)
    assert theirs_a_year == pytest.approx(0.02956, abs=1e-5)
    ours = p.sharpe_ratio(r, YEAR, risk_free=theirs_a_year)
    assert theirs.sharpe(r, rf=0.03) == pytest.approx(ours, rel=1e-9)
    assert ffn.core.calc_sharpe(r, rf=0.03, nperiods=252) == pytest.approx(ours, rel=1e-9)
    sortino = p.sortino_ratio(r, YEAR, target=theirs_a_year)
    assert theirs.sortino(r, rf=0.03) == pytest.approx(sortino, rel=1e-9)
    assert ffn.core.calc_sortino_ratio(r, rf=0.03, nperiods=252) == pytest.approx(sortino, rel=1e-9)


@SYMBOLS
def test_drawdowns_are_those_of_quantstats_which_names_other_days(returns, symbol):
    """Theirs start on the first day below the high and end on the last one; ours run from high to high."""
    from quantstats import stats as theirs

    r = returns[symbol]
    ours = p.drawdowns(r)
    expected = theirs.drawdown_details(theirs.to_drawdown_series(r)).sort_values("max drawdown", ignore_index=True)
    assert len(ours) == len(expected)
    np.testing.assert_allclose(ours["depth"][:20], expected["max drawdown"][:20] / 100, rtol=1e-9)
    bars = pd.Series(range(len(r)), r.index)
    whole = ours["peak"].notna() & ours["recovery"].notna() & (ours.index < 20)
    assert whole.any()
    starts, ends = bars[pd.DatetimeIndex(expected["start"])[whole]], bars[pd.DatetimeIndex(expected["end"])[whole]]
    assert (starts.to_numpy() == bars[ours["peak"][whole]].to_numpy() + 1).all()
    assert (ends.to_numpy() == bars[ours["recovery"][whole]].to_numpy() - 1).all()


@SYMBOLS
def test_figures_are_those_of_ffn(returns, symbol):
    import ffn

    r, price = returns[symbol], prices_of(returns[symbol])
    market = returns[["AAPL", "MSFT"]].mean(axis=1)
    assert p.total_return(r) == pytest.approx(ffn.core.calc_total_return(price), rel=1e-9)
    assert p.max_drawdown(r) == pytest.approx(ffn.core.calc_max_drawdown(price), rel=1e-9)
    assert p.sharpe_ratio(r, YEAR) == pytest.approx(ffn.core.calc_sharpe(r, nperiods=252), rel=1e-9)
    assert p.sortino_ratio(r, YEAR) == pytest.approx(ffn.core.calc_sortino_ratio(r, nperiods=252), rel=1e-9)
    expected = ffn.core.calc_information_ratio(r, market)
    assert p.information_ratio(r, market, YEAR) / np.sqrt(YEAR) == pytest.approx(expected, rel=1e-9)  # of one bar


@SYMBOLS
def test_ffn_counts_years_by_the_calendar(returns, symbol):
    """Growth a year over days between the first and the last price, 31,557,600 seconds a year, not 252 bars a year."""
    import ffn

    r, price = returns[symbol], prices_of(returns[symbol])
    years = (price.index[-1] - price.index[0]).total_seconds() / 31_557_600
    grown = (1 + p.cagr(r, YEAR)) ** (len(r) / YEAR / years) - 1
    assert ffn.core.calc_cagr(price) == pytest.approx(grown, rel=1e-9)
    assert grown == pytest.approx(p.cagr(r, YEAR), rel=0.01)
    calmar = p.calmar_ratio(r, YEAR) * grown / p.cagr(r, YEAR)
    assert ffn.core.calc_calmar_ratio(price) == pytest.approx(calmar, rel=1e-9)


@SYMBOLS
def test_ffn_has_the_ulcer_index_in_percent_and_counts_the_starting_capital(returns, symbol):
    import ffn

    r = returns[symbol]
    expected = 100 * p.ulcer_index(r) * np.sqrt(len(r) / (len(r) + 1))
    assert ffn.core.to_ulcer_index(prices_of(r)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("trials", "std"), [(1, 0.1), (2, 0.1), (10, 0.5), (1000, 0.03), (10**6, 1.0)])
def test_the_expected_maximum_is_that_of_ffn(trials, std):
    import ffn

    assert g.expected_maximum_sharpe(trials, std) == pytest.approx(
        ffn.core.calc_expected_max_sharpe(trials, std), rel=1e-9
    )


@SYMBOLS
def test_the_deflated_ratio_is_that_of_ffn_with_moments_corrected_for_the_size_of_the_sample(returns, symbol):
    """ffn takes pandas' skewness and kurtosis, ours are the plain ones; on 3,269 days the fifth digit differs."""
    import ffn

    r = returns[symbol]
    trials = np.random.default_rng(4).normal(0.0, 0.3, 60)  # of a year
    expected = ffn.core.calc_deflated_sharpe_ratio(r, trials, nperiods=252)
    std = trials.std(ddof=1) / np.sqrt(YEAR)
    corrected = g.TrackRecord(p.sharpe_ratio(r, 1), len(r), r.skew(), r.kurt() + 3)
    assert corrected.deflated(n_trials=60, trial_sharpe_std=std) == pytest.approx(expected, rel=1e-9)
    assert g.deflated_sharpe_ratio(r, n_trials=60, trial_sharpe_std=std) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("bars", "trials", "blocks"), [(320, 8, 8), (400, 25, 10), (96, 3, 4)])
def test_the_probability_of_overfitting_is_that_of_ffn(bars, trials, blocks):
    """Both rank by the Sharpe ratio per bar, average ties and take a logit of 0 for overfit."""
    import ffn

    r = pd.DataFrame(np.random.default_rng(bars).normal(0.0002, 0.01, (bars, trials)))
    expected = ffn.core.calc_prob_backtest_overfitting(r, n_blocks=blocks, full_output=True)
    found = g.probability_of_backtest_overfitting(r, blocks)
    assert found.pbo == expected["pbo"]
    np.testing.assert_allclose(found.logits, expected["logits"], rtol=1e-9)


def test_ffn_leaves_out_the_newest_bars_that_fill_no_block_and_ours_the_oldest():
    """Of 103 bars in 4 blocks three are left out: theirs are the last, ours the first."""
    import ffn

    r = pd.DataFrame(np.random.default_rng(8).normal(0.0, 0.01, (103, 9)))
    expected = ffn.core.calc_prob_backtest_overfitting(r, n_blocks=4, full_output=True)
    np.testing.assert_allclose(g.probability_of_backtest_overfitting(r[:100], 4).logits, expected["logits"], rtol=1e-9)
    shifted = ffn.core.calc_prob_backtest_overfitting(r[3:], n_blocks=4, full_output=True)
    np.testing.assert_allclose(g.probability_of_backtest_overfitting(r, 4).logits, shifted["logits"], rtol=1e-9)


def test_a_strategy_that_held_nothing_in_a_half_has_no_probability_of_overfitting_in_ffn_and_stands_at_zero_here():
    import ffn

    r = np.random.default_rng(9).normal(0.0, 0.01, (80, 3))
    r[:40, 2] = 0.0
    assert np.isnan(ffn.core.calc_prob_backtest_overfitting(pd.DataFrame(r), n_blocks=4))
    assert 0.0 <= g.probability_of_backtest_overfitting(r, 4).pbo <= 1.0


@SYMBOLS
def test_quantstats_rounds_the_share_of_bars_with_a_return_up_to_whole_percent(returns, symbol):
    from quantstats import stats as theirs

    assert theirs.exposure(returns[symbol]) == np.ceil(100 * p.exposure(returns[symbol])) / 100
