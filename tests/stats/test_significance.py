"""The public names, called as the interface says."""

import numpy as np
import pytest

from qtw_lab.stats import significance as g

RETURNS = np.random.default_rng(1).normal(0.001, 0.01, 500)
MATRIX = np.random.default_rng(2).normal(0.0, 0.01, (400, 8))


def test_every_public_name_is_there():
    assert all(hasattr(g, name) for name in g.__all__)


def test_the_figures_of_one_track_record_are_probabilities_and_lengths():
    assert 0.5 < g.probabilistic_sharpe_ratio(RETURNS, benchmark_sharpe=0.0) < 1
    luck = g.expected_maximum_sharpe(100, 0.05)
    assert luck == pytest.approx(0.05 * 2.530, abs=1e-3)  # 0.4228 x 2.3263 + 0.5772 x 2.6778 standard deviations
    assert g.deflated_sharpe_ratio(RETURNS, n_trials=100, trial_sharpe_std=0.05) == pytest.approx(
        g.probabilistic_sharpe_ratio(RETURNS, benchmark_sharpe=luck)
    )
    assert g.minimum_track_record_length(RETURNS, benchmark_sharpe=0.0, confidence=0.95) > 1


def test_the_tests_of_the_best_of_many_give_what_the_interface_names():
    overfit = g.probability_of_backtest_overfitting(MATRIX, n_partitions=16)
    assert 0 <= overfit.pbo <= 1
    assert len(overfit.logits) == 12_870
    assert overfit.degradation is not None
    assert 0 < g.reality_check(MATRIX, benchmark=None, reps=200, block=None, seed=0).p_value <= 1
    spa = g.spa_test(MATRIX, benchmark=None, reps=200, block=None, seed=0)
    assert 0 < spa.lower <= spa.consistent <= spa.upper <= 1
    assert list(g.step_m(MATRIX, reps=200).superior) == []
    interval = g.bootstrap_interval(RETURNS, "sharpe_ratio", reps=200, periods_per_year=252)
    assert interval.low < interval.estimate < interval.high
