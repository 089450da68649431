from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import SPA, StepM
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from qtw_lab.core import DataError
from qtw_lab.stats import snooping as s
from tests.stats.contestants import draws, long_run_deviation, noise, table

TESTS = (s.reality_check, s.spa_test, s.step_m)


@pytest.mark.parametrize("seed", range(6))
def test_p_values_are_those_of_arch_on_the_same_resamples(seed):
    """arch has the statistic without deviations, whatever its `studentize` says, and counts without the first 1."""
    x, market = table(seed), noise(400, 1, seed + 100)[:, 0]
    expected = SPA(-market, -x, block_size=7, reps=300, seed=seed)
    expected.compute()
    rows = draws(400, 7, 300, seed)
    found = s.spa_test(x, market, block=7, studentize=False, indices=rows)
    count = np.array([found.lower, found.consistent, found.upper]) * 301 - 1
    np.testing.assert_allclose(count / 300, expected.pvalues)
    check = s.reality_check(x, market, block=7, indices=rows)
    assert check.p_value == found.upper
    assert check.statistic == found.statistic == pytest.approx(20 * (x - market[:, None]).mean(axis=0).max())
    assert (check.reps, check.block) == (300, 7.0)


@pytest.mark.parametrize("seed", range(6))
def test_studentised_p_values_are_those_of_arch_for_columns_brought_to_one_deviation(seed):
    x = table(seed)
    expected = SPA(np.zeros(400), -x / long_run_deviation(x, 7), block_size=7, reps=300, seed=seed)
    expected.compute()
    found = s.spa_test(x, block=7, indices=draws(400, 7, 300, seed))
    count = np.array([found.lower, found.consistent, found.upper]) * 301 - 1
    np.testing.assert_allclose(count / 300, expected.pvalues)
    ratio = 20 * x.mean(axis=0) / long_run_deviation(x, 7)
    assert found.statistic == pytest.approx(ratio.max())
    assert found.best == ratio.argmax()


@pytest.mark.parametrize("studentize", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_superior_strategies_are_those_of_arch_on_the_same_resamples(seed, studentize):
    """arch centres like the consistent test; none of these strategies is bad enough for that to matter."""
    x = table(seed)
    x += np.maximum(0.0, -x.mean(axis=0))
    x[:, [1, 5, 7]] += 0.003 * np.array([1, 2, 4])
    scaled = x / long_run_deviation(x, 5) if studentize else x
    expected = StepM(np.zeros(400), -scaled, size=0.1, block_size=5, reps=500, seed=seed)
    expected.compute()
    found = s.step_m(x, size=0.1, block=5, studentize=studentize, indices=draws(400, 5, 500, seed))
    assert sorted(found.superior) == expected.superior_models
    assert expected.superior_models


def test_stepwise_p_values_by_hand():
    """Two strategies of means 2 and 1; their resampled means less these are as in the comments."""
    x = np.array([[3.0, 1.0], [2.0, -1.0], [1.0, 3.0]])
    rows = [
        [0, 0, 0],  # 1 and 0
        [2, 2, 2],  # -1 and 2
        [0, 1, 2],  # 0 and 0
        [2, 2, 0],  # -1/3 and 4/3
    ]
    # The larger of the two is at least 2, the better mean, in one of four; the second at least 1, its own, in two.
    found = s.step_m(x, size=0.5, block=1, studentize=False, indices=rows)
    np.testing.assert_allclose(found.p_values, [2 / 5, 3 / 5])
    assert found.superior == (0,)
    check = s.reality_check(x, block=1, indices=rows)
    assert (check.p_value, check.best) == (2 / 5, 0)
    assert check.statistic == pytest.approx(2 * np.sqrt(3))


@given(st.integers(0, 10_000), st.integers(1, 8))
@settings(max_examples=25, deadline=None)
def test_the_three_p_values_are_in_order_and_the_stepwise_one_of_the_best_is_the_upper(seed, count):
    x = table(seed, size=60, count=count)
    found = s.spa_test(x, reps=99, block=3, seed=seed)
    assert 0.01 <= found.lower <= found.consistent <= found.upper <= 1
    steps = s.step_m(x, reps=99, block=3, seed=seed)
    assert steps.p_values[found.best] == steps.p_values.min() == found.upper
    assert set(steps.superior) == set(np.flatnonzero(steps.p_values <= 0.05))


@given(st.integers(0, 10_000), st.floats(0.001, 1000))
@settings(max_examples=15, deadline=None)
def test_neither_the_unit_nor_the_order_of_strategies_matters(seed, unit):
    x = table(seed, size=80, count=5)
    order = np.random.default_rng(seed).permutation(5)
    for test in TESTS:
        found, moved = (test(values, reps=60, block=4, size=0.2) if test is s.step_m else test(values, reps=60, block=4)
                        for values in (x, unit * x[:, order]))  # fmt: skip
        if test is s.step_m:
            np.testing.assert_allclose(moved.p_values, found.p_values[order])
        else:
            assert order[moved.best] == found.best
            name = "p_value" if test is s.reality_check else "consistent"
            assert getattr(moved, name) == pytest.approx(getattr(found, name))


def test_a_good_strategy_among_a_hundred_is_found():
    """Sharpe 3.2 a year over four years: 6.3 standard errors, where the best of 100 by chance has about 2.5."""
    for seed in range(5):
        x = noise(1000, 100, seed)
        x[:, 42] += 0.002
        x = pd.DataFrame(x, columns=[f"rule {k}" for k in range(100)])
        check, spa, steps = (test(x, reps=300, seed=seed) for test in TESTS)
        assert check.best == spa.best == "rule 42"
        assert max(check.p_value, spa.upper) < 0.01
        assert steps.superior[0] == "rule 42"
        assert list(steps.p_values.index) == list(x.columns)


def test_bad_strategies_of_large_spread_hide_an_edge_from_the_reality_check_only():
    x = noise(1000, 60, seed=1)
    x[:, 0] += 0.0016
    x[:, 1:] = 8 * x[:, 1:] - 0.03
    assert s.reality_check(x).p_value > 0.5
    assert s.spa_test(x).consistent < 0.01 < s.spa_test(x).upper


def test_a_strategy_that_is_the_benchmark_is_no_strategy():
    """Columns of no trade at all are common in a sweep: they change no p-value of a best that is better."""
    x = noise(300, 5, seed=2) + 0.0003
    still = np.column_stack([x, np.zeros((300, 2))])
    for test in TESTS:
        found, more = test(x, reps=200, block=2), test(still, reps=200, block=2)
        for field in ("p_value", "upper", "best", "statistic"):
            assert getattr(found, field, 0) == getattr(more, field, 0)
    market = noise(300, 1, seed=3)[:, 0]
    rounded = np.column_stack([(1 + market) * 1.1 / 1.1 - 1] * 2)
    assert (rounded[:, 0] != market).any()
    found = s.spa_test(rounded, market, reps=50)
    assert (found.statistic, found.lower, found.upper, found.block) == (0, 1, 1, 1)


def test_labels_and_shapes_come_back_as_given():
    x = noise(200, 3, seed=4)
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    assert s.reality_check(frame).best == "abc"[s.reality_check(x).best]
    assert isinstance(s.step_m(x[:, 0]).p_values, float)
    assert s.reality_check(x[:, 0]).best == 0


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"returns_matrix": [[0.1, np.nan], [0.1, 0.2], [0.1, 0.2]]}, "column 1"),
        ({"returns_matrix": np.empty((0, 2))}, "empty"),
        ({"returns_matrix": [[0.1, 0.2]]}, "at least 3"),
        ({"returns_matrix": noise(10, 2, 0)}, "at least 11"),
        ({"returns_matrix": pd.DataFrame(noise(50, 2, 0), columns=["a", "a"])}, "'a' comes twice"),
        ({"returns_matrix": np.column_stack([noise(50, 1, 0), np.full(50, 0.001)])}, "Column 1 differs"),
        ({"benchmark": np.zeros(49)}, "do not fit"),
        ({"reps": 0}, "reps="),
        ({"block": 51}, "block="),
        ({"indices": np.zeros((5, 49), dtype=int)}, "do not fit 50 bars"),
        ({"indices": np.zeros((0, 50), dtype=int)}, "do not fit"),
        ({"indices": np.full((50, 50), 50)}, "from 50 to 50"),
    ],
)
def test_what_cannot_be_tested_says_why(test, changes, message):
    with pytest.raises(DataError, match=message):
        test(**({"returns_matrix": noise(50, 2, 0)} | changes))


def test_times_that_differ_from_the_benchmarks_are_refused():
    days = pd.bdate_range("2024-01-01", periods=51)
    x = pd.DataFrame(noise(50, 2, 0), index=days[:50])
    with pytest.raises(DataError, match="different times"):
        s.spa_test(x, pd.Series(np.zeros(50), index=days[1:]))


def test_a_size_that_no_p_value_can_reach_is_refused():
    with pytest.raises(DataError, match="take 2000"):
        s.step_m(noise(50, 2, 0), size=0.01, reps=50)
    for wrong in (0, 1, np.nan):
        with pytest.raises(DataError, match="size="):
            s.step_m(noise(50, 2, 0), size=wrong)


def _rejections(worlds, size, count, reps):
    """P-values (worlds, 3) of the reality check, the consistent test and the stepwise test, of noise."""
    found = []
    for seed in range(worlds):
        x = noise(size, count, seed)
        check, spa, steps = (test(x, reps=reps, block=1, seed=seed) for test in TESTS)
        found.append([check.p_value, spa.consistent, np.min(steps.p_values)])
    return np.array(found)


def test_noise_is_called_skill_about_as_often_as_allowed():
    """Of 160 worlds of 20 strategies without skill, 8 are expected at 5% or less; 17 or more have odds of 1 in 300."""
    rejected = (_rejections(160, 250, 20, 99) <= 0.05).sum(axis=0)
    assert (rejected < 17).all()
    assert (rejected > 1).all()


def test_the_p_value_of_one_strategy_without_skill_is_uniform():
    p_values = _rejections(250, 120, 1, 199)
    assert stats.kstest(p_values[:, 0], "uniform").pvalue > 0.01
    assert stats.kstest(p_values[:, 2], "uniform").pvalue > 0.01


@pytest.mark.slow
def test_of_a_thousand_worlds_of_noise_one_in_twenty_is_called_skill():
    rejected = (_rejections(1000, 500, 50, 499) <= 0.05).mean(axis=0)
    assert rejected[0] <= 0.065
    assert rejected[1] == pytest.approx(0.05, abs=0.015)
    assert rejected[2] == pytest.approx(0.05, abs=0.015)


@pytest.mark.slow
def test_the_power_to_find_one_good_strategy_among_a_hundred():
    """A Sharpe ratio of 2 a year over four years (4.0 standard errors) is found in nearly four worlds of five."""
    found = []
    for seed in range(300):
        x = noise(1000, 100, seed)
        x[:, 7] += 0.01 * 2 / np.sqrt(252)
        check, spa, steps = (test(x, reps=299, block=1, seed=seed) for test in TESTS)
        found.append([check.p_value <= 0.05, spa.consistent <= 0.05, 7 in steps.superior])
    assert (np.mean(found, axis=0) > 0.7).all()


def test_a_column_chosen_for_another_reason_is_judged_by_its_own_statistic_against_the_best_of_chance():
    returns = 0.01 * np.random.default_rng(2).standard_normal((400, 12))
    best, plain = s.spa_test(returns), 5
    assert s.spa_test(returns, of=best.best) == best
    other = s.spa_test(returns, of=plain)
    assert other.best == plain
    assert other.statistic < best.statistic
    assert other.consistent >= best.consistent
    named = pd.DataFrame(returns, columns=list("ABCDEFGHIJKL"))
    assert s.spa_test(named, of="F").consistent == other.consistent
    with pytest.raises(DataError, match="no column 'Z' among the 12"):
        s.spa_test(named, of="Z")
