"""Performance and risk: every figure of a track record, each defined once.

Returns are simple returns of each bar as fractions; one series gives a float, a table a vector with an entry a column.
Annual figures need `periods_per_year` unless the returns carry times. A NaN or infinite return is an error, for it has
no agreed meaning; where a figure is not defined (one bar, no variation, no loss) the answer is NaN and each docstring
says so.
"""

from __future__ import annotations

from qtw_lab.stats.activity import exposure, traded_weights, turnover
from qtw_lab.stats.capacity import capacity_estimate, impact_cost
from qtw_lab.stats.captures import (
    batting_average,
    capture_ratio,
    down_beta,
    down_capture,
    up_beta,
    up_capture,
)
from qtw_lab.stats.definitions import DEFINITIONS
from qtw_lab.stats.excursions import trade_excursions
from qtw_lab.stats.growth import (
    cagr,
    calmar_ratio,
    drawdown_series,
    drawdowns,
    max_drawdown,
    monthly_returns,
    total_return,
    ulcer_index,
    yearly_returns,
)
from qtw_lab.stats.intervals import performance_intervals, trade_intervals
from qtw_lab.stats.ratios import (
    best,
    expected_shortfall,
    hit_rate,
    kurtosis,
    omega_ratio,
    sharpe_ratio,
    skewness,
    sortino_ratio,
    tail_ratio,
    value_at_risk,
    volatility,
    worst,
)
from qtw_lab.stats.relative import alpha, beta, correlation, information_ratio, tracking_error
from qtw_lab.stats.risk import var_coverage_test
from qtw_lab.stats.rolling import (
    rolling_beta,
    rolling_correlation,
    rolling_drawdown,
    rolling_sharpe,
    rolling_sortino,
    rolling_value_at_risk,
    rolling_volatility,
)
from qtw_lab.stats.stress import crisis_table, factor_shock, historical_stress, market_shock, shock
from qtw_lab.stats.trades import (
    average_loss,
    average_win,
    expectancy,
    expectancy_r,
    kelly_fraction,
    max_consecutive_losses,
    max_consecutive_wins,
    payoff_ratio,
    profit_factor,
    streaks,
    win_rate,
)

__all__ = [
    "DEFINITIONS", "alpha", "average_loss", "average_win", "batting_average", "best", "beta", "cagr", "calmar_ratio",
    "capacity_estimate", "capture_ratio", "correlation", "crisis_table", "down_beta", "down_capture",
    "drawdown_series", "drawdowns", "expectancy", "expectancy_r", "expected_shortfall", "exposure", "factor_shock",
    "historical_stress", "hit_rate", "impact_cost", "information_ratio", "kelly_fraction", "kurtosis", "market_shock",
    "max_consecutive_losses", "max_consecutive_wins", "max_drawdown", "monthly_returns", "omega_ratio",
    "payoff_ratio", "performance_intervals", "profit_factor", "rolling_beta", "rolling_correlation",
    "rolling_drawdown", "rolling_sharpe", "rolling_sortino", "rolling_value_at_risk", "rolling_volatility",
    "sharpe_ratio", "shock", "skewness", "sortino_ratio", "streaks", "tail_ratio", "total_return", "tracking_error",
    "trade_excursions", "trade_intervals", "traded_weights", "turnover", "ulcer_index", "up_beta", "up_capture",
    "value_at_risk", "var_coverage_test", "volatility", "win_rate", "worst", "yearly_returns",
]  # fmt: skip
