"""A factor study from end to end: what was planted is found, what is noise is not, and the parts agree."""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import qtw_lab as qtw
from qtw_lab.core import Bars, DataError
from qtw_lab.research import factors, leaks
from qtw_lab.research.factors import FACTORS, factor_study, ic_decay

NAMES = [f"N{k:02d}" for k in range(20)]


def world(planted, length=500, seed=0):
    """Bars and a factor: the return from the close of t + 1 to that of t + 2 has that correlation with the factor."""
    rng = np.random.default_rng(seed)
    factor, shocks = rng.normal(size=(2, length, len(NAMES)))
    moves = 0.01 * (planted * factor + math.sqrt(1 - planted**2) * shocks)
    late = np.vstack([np.zeros((2, len(NAMES))), moves[:-2]])
    index = pd.date_range("2010-01-01", periods=length, tz="UTC")
    close = pd.DataFrame(100 * np.cumprod(1 + late, axis=0), index=index, columns=NAMES)
    return Bars.from_frame(pd.concat({"close": close}, axis=1), calendar="24/7"), pd.DataFrame(factor, index, NAMES)


@pytest.fixture(scope="module")
def stocks():
    names = ["AAPL", "BAC", "CVX", "GE", "HD", "JNJ", "JPM", "KO", "MRK", "PEP"]
    return qtw.Lab.offline().bars(names, "2000-01-01", "2004-12-31", source="sp500")


def test_what_was_planted_is_found():
    """Pearson IC of 20 names at 500 bars: 0.2, give or take 3 / sqrt(19 x 500)."""
    bars, factor = world(0.2)
    study = factor_study(factor, bars, horizons=(1,), method="pearson", costs=qtw.Costs(commission_bps=1))
    assert study.ic.loc[1, "mean"] == pytest.approx(0.2, abs=0.03)
    assert study.ic.loc[1, "t"] > 10
    assert study.monotonicity[1] == 1.0
    assert study.quantile_summary.loc[(1, "spread"), "t"] > 10
    assert study.portfolio.gross.stats["sharpe"] > study.portfolio.net.stats["sharpe"] > 2


def test_a_planted_spread_has_the_size_it_must_have():
    """Mean of the top fifth of a standard normal is 1.3998 (phi(0.8416) / 0.2); both ends, 0.3 x 1%: 84 basis points.

    Of 20 drawn names the mean of the four largest is expected at 1.33 (Blom's scores), so 80.
    """
    bars, factor = world(0.3, length=2000)
    scores = scipy.stats.norm.ppf((np.arange(17, 21) - 0.375) / 20.25).mean()
    found = factor_study(factor, bars, horizons=(1,)).quantile_summary.loc[(1, "spread"), "mean"]
    assert found == pytest.approx(2 * scores * 0.3 * 0.01, rel=0.08)


def test_information_of_one_bar_fades_as_the_root_of_the_horizon():
    """Only the first of h returns knows the factor: 0.3 / sqrt(h)."""
    bars, factor = world(0.3, length=3000)
    found = ic_decay(factor, bars, (1, 4, 9), method="pearson")["mean"]
    np.testing.assert_allclose(found, [0.3, 0.15, 0.1], atol=0.03)


def test_noise_is_no_factor():
    bars, factor = world(0.0, seed=5)
    study = factor_study(factor, bars)
    assert study.ic["t"].abs().max() < 3
    assert (study.ic["p_counted"] > 0.05).all()


@pytest.mark.slow
def test_the_t_of_noise_is_standard_normal_from_end_to_end():
    drawn = (world(0.0, 250, seed) for seed in range(200))
    found = [ic_decay(factor, bars, (1,)).loc[1, "t"] for bars, factor in drawn]
    assert scipy.stats.kstest(found, "norm").pvalue > 0.01


def test_a_study_is_made_of_its_parts(stocks):
    study = factor_study("momentum", stocks, horizons=(5, 1), quantiles=3, costs=qtw.Costs(commission_bps=5))
    factor = FACTORS["momentum"](stocks)
    assert study.name == "momentum"
    assert study.horizons == (1, 5)
    for horizon in study.horizons:
        forward = factors.forward_returns(stocks, horizon)
        ic = factors.information_coefficient(factor, forward)
        pd.testing.assert_series_equal(study.coefficients[horizon], ic, check_names=False)
        assert study.ic.loc[horizon, "mean"] == pytest.approx(ic.mean())
        pd.testing.assert_frame_equal(
            study.quantile_returns[horizon], factors.quantile_returns(factor, forward, 3), check_names=False
        )
    assert study.rebalance == 5
    assert study.trials == 2
    expected = factors.long_short(factor, stocks, quantiles=3, every=5, costs=qtw.Costs(commission_bps=5))
    assert study.portfolio.net.order_hash == expected.net.order_hash


def test_a_factor_may_be_a_table_a_name_or_a_function(stocks):
    def last_month(bars):
        return FACTORS["reversal"](bars)

    by_name, by_function, by_table = (
        factor_study(given, stocks, horizons=(1,), tried=1)
        for given in ("reversal", last_month, FACTORS["reversal"](stocks))
    )
    assert (by_name.name, by_function.name, by_table.name) == ("reversal", "last_month", "factor")
    assert by_name.ic.equals(by_function.ic)
    assert by_name.ic.equals(by_table.ic)
    assert factor_study("reversal", stocks, horizons=(1,), name="R").name == "R"


def test_transforms_and_neutralising_come_in_this_order(stocks):
    groups = {name: name < "HD" for name in stocks.symbols}
    exposures = {"beta": factors.beta(stocks, 60)}
    study = factor_study(
        "reversal", stocks, horizons=(1,), quantiles=3, transform="z_score", groups=groups, exposures=exposures
    )
    expected = factors.neutralised(factors.z_scores(factors.reversal(stocks)), groups, exposures)
    pd.testing.assert_frame_equal(study.factor, expected, check_names=False)
    assert study.treatment == ("z_score", "less group means and beta")
    assert factor_study("reversal", stocks, horizons=(1,), transform="rank").treatment == ("rank",)


def test_ranks_alone_change_no_rank_correlation(stocks):
    plain, changed = (factor_study("reversal", stocks, horizons=(1,), transform=how) for how in (None, "rank"))
    np.testing.assert_allclose(plain.coefficients, changed.coefficients)


def test_a_study_of_the_first_bars_does_not_know_the_later_ones(stocks):
    """Coefficients whose label was complete by then are the same; and no weight was decided otherwise."""
    whole = factor_study("reversal", stocks, horizons=(5,))
    part = factor_study("reversal", stocks.head(400), horizons=(5,))
    pd.testing.assert_frame_equal(whole.coefficients.iloc[: 400 - 6], part.coefficients.iloc[: 400 - 6])
    pd.testing.assert_series_equal(
        whole.portfolio.net.equity.loc[: part.bars.index[-1]], part.portfolio.net.equity, check_freq=False
    )


def test_treated_factors_do_not_look_ahead(stocks):
    groups = {name: name < "HD" for name in stocks.symbols}

    def treated(bars):
        small = factors.winsorised(factors.reversal(bars, 10))
        return factors.neutralised(factors.ranked(small), groups, factors.volatility(bars, 20))

    assert not leaks.detect(treated, stocks.head(300)).leaking


def test_more_factors_tried_make_p_larger(stocks):
    one, many = (factor_study("momentum", stocks, horizons=(1, 5), tried=tried) for tried in (1, 10))
    assert many.trials == 20
    np.testing.assert_allclose(one.ic["p_counted"], (one.ic["p_value"] * 2).clip(upper=1))
    np.testing.assert_allclose(many.ic["p_counted"], (one.ic["p_value"] * 20).clip(upper=1))


def test_what_cannot_be_studied_is_refused(stocks):
    factor = FACTORS["reversal"](stocks)
    few = stocks.select(["KO", "PEP", "JNJ"])
    for change, message in (
        ({"factor": "momentun"}, "Did you mean 'momentum'"),
        ({"factor": factor.iloc[1:]}, "rows from"),
        ({"factor": factor.drop(columns="KO")}, "other names"),
        ({"factor": factor.values}, "DataFrame"),
        ({"factor": factor * np.nan}, "No bar has 5 names"),
        ({"bars": stocks.close}, "Bars"),
        ({"horizons": ()}, "horizons is empty"),
        ({"horizons": 5}, "several whole numbers"),
        ({"horizons": (0,)}, "horizon=0"),
        ({"horizons": (5000,)}, "horizon=5000 needs more"),
        ({"quantiles": 11}, "quantiles=11 of 10 names"),
        ({"entry": "now"}, "entry"),
        ({"method": "kendall"}, "method"),
        ({"transform": "log"}, "transform"),
        ({"weighting": "cap"}, "weighting"),
        ({"rebalance": 0}, "rebalance=0"),
        ({"tried": 0}, "tried=0"),
        ({"factor": "reversal", "bars": few, "quantiles": 3}, "No bar has 5 names"),
    ):
        arguments = {"factor": factor, "bars": stocks} | change
        with pytest.raises(DataError, match=message):
            factor_study(arguments.pop("factor"), arguments.pop("bars"), **arguments)
