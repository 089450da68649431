"""Significance: whether a track record, or the best of many, is better than luck. Every test under one name.

Sharpe ratios are per period inside, never annualised; a probability or p-value is between 0 and 1; a seed makes every
resampling repeatable.
"""

from __future__ import annotations

from qtw_lab.stats.bootstrap import Interval, bootstrap_interval
from qtw_lab.stats.chance import ChanceTest, permutation_test, random_entry_test
from qtw_lab.stats.multiplicity import (
    FalseDiscoveries,
    effective_number_of_trials,
    false_discoveries,
    trial_clusters,
    trial_sharpe_std,
)
from qtw_lab.stats.overfitting import BacktestOverfitting, probability_of_backtest_overfitting
from qtw_lab.stats.resampling import (
    BlockLength,
    circular_bootstrap_indices,
    optimal_block_length,
    stationary_bootstrap_indices,
)
from qtw_lab.stats.sharpe_errors import SharpeInterval, lo_annualisation_factor, sharpe_interval, sharpe_standard_error
from qtw_lab.stats.sharpes import (
    TrackRecord,
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)
from qtw_lab.stats.snooping import RealityCheck, Stepwise, SuperiorAbility, reality_check, spa_test, step_m

__all__ = [
    "BacktestOverfitting", "BlockLength", "ChanceTest", "FalseDiscoveries", "Interval", "RealityCheck",
    "SharpeInterval", "Stepwise", "SuperiorAbility", "TrackRecord", "bootstrap_interval", "circular_bootstrap_indices",
    "deflated_sharpe_ratio", "effective_number_of_trials", "expected_maximum_sharpe", "false_discoveries",
    "lo_annualisation_factor", "minimum_track_record_length", "optimal_block_length", "permutation_test",
    "probabilistic_sharpe_ratio", "probability_of_backtest_overfitting", "random_entry_test", "reality_check",
    "sharpe_interval", "sharpe_standard_error", "spa_test", "stationary_bootstrap_indices", "step_m", "trial_clusters",
    "trial_sharpe_std",
]  # fmt: skip
