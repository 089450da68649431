"""Moments are those of the models' own papers; bounds are four standard errors unless stated."""

import time

import numpy as np
import pytest

from qtw_lab.core import DataError
from qtw_lab.data import Shape, synthetic_bars
from qtw_lab.data.synthetic import MODELS, Garch, Gbm, Jumps, Regimes

YEAR = 1 / 252


def returns_of(bars):
    return np.diff(np.log(bars.values["close"]), axis=0)


def excess_kurtosis(x):
    return ((x - x.mean()) ** 4).mean() / x.var() ** 2 - 3


def test_gbm_has_the_stated_mean_and_volatility():
    r = returns_of(Gbm(drift=0.1, volatility=0.3).bars(Shape(symbols=100, bars=5001), 11))
    deviation = 0.3 * np.sqrt(YEAR)
    assert r.mean() == pytest.approx((0.1 - 0.3**2 / 2) * YEAR, abs=4 * deviation / np.sqrt(r.size))
    assert r.std() == pytest.approx(deviation, rel=4 / np.sqrt(2 * r.size))
    assert excess_kurtosis(r) == pytest.approx(0, abs=4 * np.sqrt(24 / r.size))


def test_the_expected_price_grows_at_the_drift():
    """E[S(1)] = S(0) exp(drift), for Merton's model too because its drift is compensated."""
    for model, deviation in ((Gbm(drift=0.1), 0.21), (Jumps(drift=0.1), 0.26)):
        bars = model.bars(Shape(symbols=4000, bars=252, first_price=1.0), 12)
        assert bars.values["close"][-1].mean() == pytest.approx(
            np.exp(0.1), abs=4 * np.exp(0.1) * deviation / np.sqrt(4000)
        )


def test_intraday_bars_have_the_same_volatility_a_year():
    bars = Gbm(volatility=0.3).bars(Shape(symbols=20, bars=5001, timeframe="5min"), 13)
    assert returns_of(bars).std() * np.sqrt(bars.periods_per_year) == pytest.approx(0.3, rel=4 / np.sqrt(2 * 100_000))


def test_garch_keeps_its_long_run_volatility_and_clusters_as_bollerslev_says():
    """With a = 0.1, b = 0.8: kurtosis 3 (1 - (a+b)^2) / (1 - (a+b)^2 - 2 a^2), autocorrelation of squares 0.14."""
    r = returns_of(Garch(volatility=0.25, alpha=0.1, beta=0.8).bars(Shape(symbols=300, bars=3001), 14))
    e = (r - r.mean())[500:]
    assert e.std() * np.sqrt(252) == pytest.approx(0.25, rel=0.01)
    assert excess_kurtosis(e) == pytest.approx(3 * 0.19 / 0.17 - 3, abs=0.06)
    s = e**2 - (e**2).mean()
    assert (s[1:] * s[:-1]).mean() / (s**2).mean() == pytest.approx(0.14, abs=0.02)
    assert (e[1:] * e[:-1]).mean() / e.var() == pytest.approx(0, abs=0.01)


def test_jumps_make_the_tails_that_merton_computed():
    """Variance s^2 dt + l dt (m^2 + d^2); fourth cumulant l dt (m^4 + 6 m^2 d^2 + 3 d^4)."""
    rate, mean, deviation, vol = 5.0, -0.02, 0.06, 0.2
    r = returns_of(Jumps(volatility=vol).bars(Shape(symbols=400, bars=2521), 15))
    variance = (vol**2 + rate * (mean**2 + deviation**2)) * YEAR
    fourth = rate * YEAR * (mean**4 + 6 * mean**2 * deviation**2 + 3 * deviation**4)
    lift = np.exp(mean + deviation**2 / 2) - 1
    assert r.mean() == pytest.approx(
        (0.06 - vol**2 / 2 + rate * (mean - lift)) * YEAR, abs=4 * np.sqrt(variance / r.size)
    )
    assert r.var() == pytest.approx(variance, rel=0.02)
    assert excess_kurtosis(r) == pytest.approx(fourth / variance**2, rel=0.08)


def test_the_two_regimes_have_their_own_volatility_and_share_of_time():
    model, shape = Regimes(), Shape(symbols=50, bars=20_000)
    stormy = model.states(shape.bars, 16)
    r = returns_of(model.bars(shape, 16))
    assert model.stormy_share == pytest.approx(0.25)
    assert stormy.mean() == pytest.approx(0.25, abs=0.08)  # 20,000 bars are only some 150 storms
    assert r[stormy[1:]].std() * np.sqrt(252) == pytest.approx(0.35, rel=0.01)
    assert r[~stormy[1:]].std() * np.sqrt(252) == pytest.approx(0.12, rel=0.01)
    leaving = ~stormy[1:][stormy[:-1]]
    assert leaving.mean() == pytest.approx(0.03, abs=4 * np.sqrt(0.03 * 0.97 / leaving.size))


def test_a_one_factor_market_has_the_stated_correlation_between_all_pairs():
    r = returns_of(synthetic_bars("universe", Shape(symbols=10, bars=20_001), seed=17, correlation=0.4))
    pairs = np.corrcoef(r.T)[np.triu_indices(10, 1)]
    assert pairs == pytest.approx(np.full(45, 0.4), abs=4 * (1 - 0.4**2) / np.sqrt(20_000))


@pytest.mark.parametrize("model", sorted(set(MODELS) - {"jumps", "regimes"}))
def test_a_correlation_matrix_is_met_pair_by_pair(model):
    matrix = np.array([[1, 0.8, -0.3], [0.8, 1, 0.1], [-0.3, 0.1, 1]])
    r = returns_of(synthetic_bars(model, Shape(symbols=3, bars=20_001), seed=18, correlation=matrix))
    assert np.corrcoef(r.T) == pytest.approx(matrix, abs=0.04)


def test_a_singular_matrix_is_a_market_of_one():
    r = returns_of(synthetic_bars("gbm", Shape(symbols=2, bars=100), seed=1, correlation=[[1, 1], [1, 1]]))
    assert r[:, 0] == pytest.approx(r[:, 1], abs=1e-9)


def test_two_thousand_symbols_over_ten_years_take_seconds():
    began = time.perf_counter()
    bars = synthetic_bars("universe", Shape(symbols=2000, bars=2500), seed=19)
    assert bars.shape == (2500, 2000)
    assert time.perf_counter() - began < 20  # about 3 s alone; the bound leaves room for a busy machine


@pytest.mark.parametrize(
    ("model", "parameters", "words"),
    [
        ("gmb", {}, "Did you mean 'gbm'"),
        ("gbm", {"volatilty": 0.2}, "Did you mean 'volatility'"),
        ("gbm", {"volatility": 0.0}, "above zero"),
        ("gbm", {"drift": float("inf")}, "finite"),
        ("gbm", {"correlation": 1.0}, "below 1"),
        ("gbm", {"correlation": [[1, 0], [0, 1]]}, "3 x 3"),
        ("gbm", {"correlation": [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]}, "eigenvalue"),
        ("garch", {"alpha": 0.2, "beta": 0.8}, "less than 1"),
        ("garch", {"alpha": -0.1}, "zero or more"),
        ("jumps", {"jumps_per_year": -1}, "zero or more"),
        ("regimes", {"calm_stays": 1.0}, "between 0 and 1"),
        ("gbm", {"drift": 300.0}, "overflow"),
        ("gbm", {"volatility": "high"}, "finite number"),
        ("gbm", {"correlation": [[1, 2], [3]]}, "square table"),
        ("gbm", {"correlation": "much"}, "square table"),
    ],
)
def test_parameters_that_make_no_market_are_refused(model, parameters, words):
    with pytest.raises(DataError, match=words):
        synthetic_bars(model, Shape(symbols=3, bars=1000), seed=1, **parameters)
