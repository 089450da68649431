from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from qtw_lab.core import DataError
from qtw_lab.stats import bootstrap as b
from qtw_lab.stats import performance as p

NORMAL = 0.0005 + 0.01 * np.random.default_rng(5).standard_normal(400)


def autoregressive(slopes, size, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((size, len(slopes)))
    for t in range(1, size):
        x[t] += np.asarray(slopes) * x[t - 1]
    return x


def test_an_interval_of_the_mean_is_near_the_normal_one():
    error = NORMAL.std() / np.sqrt(len(NORMAL))
    for method in ("percentile", "basic", "bca"):
        found = b.bootstrap_interval(NORMAL, np.mean, reps=4000, block=1, method=method)
        assert found.estimate == pytest.approx(NORMAL.mean())
        assert found.standard_error == pytest.approx(error, rel=0.05)
        assert found.low == pytest.approx(NORMAL.mean() - 1.96 * error, abs=0.15 * error)
        assert found.high == pytest.approx(NORMAL.mean() + 1.96 * error, abs=0.15 * error)
        assert (found.reps, found.block, found.method, found.confidence) == (4000, 1.0, method, 0.95)


def test_bounds_are_quantiles_and_their_reflections():
    [rows] = b.stationary_bootstrap_indices(len(NORMAL), 3, 500, seed=9)
    low, high = np.quantile(NORMAL[rows].mean(axis=1), [0.1, 0.9])
    percentile = b.bootstrap_interval(NORMAL, np.mean, 0.8, 500, 3, "percentile", 9)
    basic = b.bootstrap_interval(NORMAL, np.mean, 0.8, 500, 3, "basic", 9)
    assert (percentile.low, percentile.high) == (pytest.approx(low), pytest.approx(high))
    assert basic.low == pytest.approx(2 * NORMAL.mean() - high)
    assert basic.high == pytest.approx(2 * NORMAL.mean() - low)


def test_the_corrected_interval_is_that_of_scipy():
    """SciPy draws other resamples and leaves out single bars: equal within the error of 10,000 resamples."""
    x = np.random.default_rng(4).exponential(size=150)
    found = b.bootstrap_interval(x, np.var, reps=10_000, block=1, method="bca")
    expected = stats.bootstrap((x,), np.var, n_resamples=10_000, method="BCa", rng=np.random.default_rng(1))
    low, high = expected.confidence_interval
    assert found.low == pytest.approx(low, rel=0.03)
    assert found.high == pytest.approx(high, rel=0.03)
    assert found.low > b.bootstrap_interval(x, np.var, reps=10_000, block=1).low * 1.05  # it does correct something


def test_names_callables_and_callables_of_tables_agree():
    times = pd.Series(NORMAL, index=pd.bdate_range("2020-01-01", periods=len(NORMAL)))
    same = [
        b.bootstrap_interval(NORMAL, "sharpe", periods_per_year=252),
        b.bootstrap_interval(NORMAL, "sharpe_ratio", periods_per_year=252),
        b.bootstrap_interval(times, "sharpe"),
        b.bootstrap_interval(times, p.sharpe_ratio),
        b.bootstrap_interval(NORMAL, partial(p.sharpe_ratio, periods_per_year=252)),
        b.bootstrap_interval(NORMAL, lambda r: np.mean(r) / np.std(r, ddof=1) * np.sqrt(252)),
    ]
    for found in same:
        assert (found.estimate, found.low, found.high) == pytest.approx((same[0].estimate, same[0].low, same[0].high))


def test_a_callable_of_tables_is_called_with_many_resamples_at_once():
    calls = []

    def mean(table):
        calls.append(table.shape)
        return table.mean(axis=0)

    b.bootstrap_interval(NORMAL, mean, reps=300)
    assert (len(NORMAL), 300) in calls
    assert len(calls) < 10


def test_a_callable_that_mixes_columns_up_is_called_for_each():
    def lowest(r):
        return np.sort(r)[0]  # of a table this sorts along the wrong axis, and has the right shape

    assert b.bootstrap_interval(NORMAL, lowest, reps=50) == b.bootstrap_interval(NORMAL, "worst", reps=50)

    def of_one(r):
        if r.ndim != 1:
            raise TypeError("one series, please")
        return r.mean()

    assert b.bootstrap_interval(NORMAL, of_one, reps=50).estimate == pytest.approx(NORMAL.mean())


def test_the_default_block_is_the_optimal_one_and_at_least_a_bar():
    x = autoregressive([0.7], 500, seed=3)[:, 0]
    assert b.bootstrap_interval(x, np.mean, reps=10).block == b.optimal_block_length(x).stationary
    assert b.bootstrap_interval(NORMAL, np.mean, reps=10).block == max(1.0, b.optimal_block_length(NORMAL).stationary)


def test_one_seed_gives_one_answer():
    ask = partial(b.bootstrap_interval, NORMAL, "total_return", reps=200)
    assert ask(seed=1) == ask(seed=1)
    assert ask(seed=1) != ask(seed=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"returns": np.column_stack([NORMAL, NORMAL])}, "one series"),
        ({"returns": np.full(50, 0.001)}, "never vary"),
        ({"returns": [0.1]}, "never vary"),
        ({"returns": [0.1, np.nan]}, "finite"),
        ({"confidence": 1.0}, "confidence="),
        ({"confidence": 95}, "confidence="),
        ({"reps": 0}, "reps="),
        ({"block": 0.5}, "block="),
        ({"method": "normal"}, "method="),
        ({"statistic": "sharp"}, "Did you mean 'sharpe'"),
        ({"statistic": 3}, "callable"),
        ({"statistic": "sharpe"}, "periods_per_year"),
        ({"statistic": "worst", "periods_per_year": 252}, "periods_per_year"),
        ({"statistic": lambda r: r[:2]}, "one number"),
        ({"statistic": lambda r: np.nan}, "nothing to put bounds around"),
        ({"returns": np.append(np.full(20, 0.01), -0.01), "statistic": "omega_ratio"}, "of 1000 resamples is NaN or"),
        ({"statistic": lambda r: float(r is not None), "method": "bca"}, None),
    ],
)
def test_what_gives_no_interval_says_why(changes, message):
    wanted = {"returns": NORMAL, "statistic": np.mean} | changes
    if message is None:
        found = b.bootstrap_interval(**wanted)
        assert (found.low, found.high) == (1.0, 1.0)  # a figure that never varies has no width
        return
    with pytest.raises(DataError, match=message):
        b.bootstrap_interval(**wanted)


def _coverage(statistic, truth, samples, **options):
    """Share of samples whose interval holds the truth."""
    held = 0
    for sample in samples:
        found = b.bootstrap_interval(sample, statistic, reps=300, **options)
        held += found.low <= truth <= found.high
    return held / len(samples)


def _mean(table):
    return table.mean(axis=0)


def test_nine_of_ten_intervals_hold_the_mean_of_independent_returns():
    samples = np.random.default_rng(11).standard_normal((300, 200))
    assert _coverage(_mean, 0.0, samples, confidence=0.9) == pytest.approx(0.9, abs=0.045)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["percentile", "basic", "bca"])
def test_intervals_hold_the_truth_about_as_often_as_they_say(method):
    """Of 95%: 1 to 3 points short for independent returns, 3 to 4 for autoregressions of slope 0.3, give or take 1."""
    rng = np.random.default_rng(12)
    independent = 0.1 + rng.standard_normal((1000, 250))
    assert 0.915 < _coverage(_mean, 0.1, independent, method=method) < 0.96
    sharpe = partial(p.sharpe_ratio, periods_per_year=1)
    assert 0.915 < _coverage(sharpe, 0.1, independent, method=method) < 0.96
    dependent = autoregressive([0.3] * 1000, 500, seed=13)[100:].T
    assert 0.9 < _coverage(_mean, 0.0, dependent, method=method) < 0.95
