"""Performance and risk: every figure of a track record, each defined once.

Returns are simple returns of each bar as fractions; one series gives a float, a table a vector with an entry a column.
Annual figures need `periods_per_year` unless the returns carry times. A NaN or infinite return is an error, for it has
no agreed meaning; where a figure is not defined (one bar, no variation, no loss) the answer is NaN and each docstring
says so.
"""

from __future__ import annotations

from typing import Final

from qtw_lab.stats.capacity import capacity_estimate, impact_cost
from qtw_lab.stats.captures import (
    batting_average,
    capture_ratio,
    down_beta,
    down_capture,
    up_beta,
    up_capture,
)
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
    "DEFINITIONS", "alpha", "average_loss", "average_win", "batting_average", "best", "beta", "cagr",
    "calmar_ratio", "capacity_estimate", "capture_ratio", "correlation", "crisis_table", "down_beta",
    "down_capture", "drawdown_series", "drawdowns", "expectancy", "expectancy_r", "expected_shortfall",
    "factor_shock", "historical_stress", "hit_rate", "impact_cost", "information_ratio", "kelly_fraction",
    "kurtosis", "market_shock", "max_consecutive_losses", "max_consecutive_wins", "max_drawdown", "monthly_returns",
    "omega_ratio", "payoff_ratio", "profit_factor", "rolling_beta", "rolling_correlation", "rolling_drawdown",
    "rolling_sharpe", "rolling_sortino", "rolling_value_at_risk", "rolling_volatility", "sharpe_ratio", "shock",
    "skewness", "sortino_ratio", "streaks", "tail_ratio", "total_return", "tracking_error", "trade_excursions",
    "ulcer_index", "up_beta", "up_capture", "value_at_risk", "var_coverage_test", "volatility", "win_rate", "worst",
    "yearly_returns",
]  # fmt: skip

_BY_FUNCTION: Final = {
    "total_return": "prod(1 + r) - 1 over simple returns of each bar",
    "cagr": "(1 + total return) ** (bars a year / bars) - 1",
    "volatility": "standard deviation (ddof 1) of returns x sqrt(bars a year)",
    "sharpe_ratio": "(mean - risk-free) / standard deviation (ddof 1) of returns x sqrt(bars a year)",
    "sortino_ratio": "(mean - target) / root mean square of shortfalls over all bars x sqrt(bars a year)",
    "max_drawdown": "lowest capital / highest capital before it - 1, starting capital included",
    "drawdown_series": "capital / highest capital so far - 1, starting capital included",
    "drawdowns": "stretches below a former high of capital; length (fall + rise) in bars from the peak to the recovery",
    "calmar_ratio": "CAGR / size of the deepest drawdown, over all bars",
    "omega_ratio": "sum of returns above the threshold / sum below it; threshold 0 unless said",
    "value_at_risk": "5% quantile of returns of one bar (95% level), historical; negative is a loss",
    "expected_shortfall": "mean of returns at or below the value at risk, historical; negative is a loss",
    "value_at_risk_gaussian": "mean + normal 5% quantile x standard deviation (ddof 1) of returns; negative is a loss",
    "value_at_risk_cornish_fisher": "as Gaussian, quantile bent by skewness and kurtosis; NaN outside its domain",
    "value_at_risk_filtered": "5% quantile of returns brought to the next bar's EWMA volatility (weight 0.94)",
    "expected_shortfall_gaussian": "mean - normal density at the 5% quantile / 5% x standard deviation (ddof 1)",
    "expected_shortfall_cornish_fisher": "mean of the Cornish-Fisher quantile beyond 5%; NaN outside its domain",
    "expected_shortfall_filtered": "mean of EWMA-rescaled returns at or below the filtered value at risk",
    "var_coverage_test": "Kupiec: share of returns below the forecast; Christoffersen: breaches after breaches",
    "ulcer_index": "root mean square of the drawdown over all bars",
    "tail_ratio": "size of the 95% quantile / size of the 5% quantile of returns",
    "skewness": "third standardised moment of returns, not corrected for sample size",
    "kurtosis": "fourth standardised moment of returns - 3, not corrected for sample size",
    "beta": "covariance with the benchmark / variance of the benchmark",
    "alpha": "bars a year x (mean excess return - beta x mean excess return of the benchmark)",
    "information_ratio": "mean / standard deviation (ddof 1) of the difference to the benchmark x sqrt(bars a year)",
    "tracking_error": "standard deviation (ddof 1) of the difference to the benchmark x sqrt(bars a year)",
    "correlation": "Pearson's correlation with the benchmark",
    "up_capture": "geometric mean return while the benchmark rose / the benchmark's own (Morningstar, of bars given)",
    "down_capture": "geometric mean return while the benchmark fell / the benchmark's own (Morningstar, of bars given)",
    "capture_ratio": "up capture / down capture",
    "batting_average": "bars at or above the benchmark's return / all bars",
    "up_beta": "beta over the bars with the benchmark above its mean",
    "down_beta": "beta over the bars with the benchmark below its mean",
    "hit_rate": "bars with a gain / bars with a gain or a loss",
    "best": "largest return of a bar",
    "worst": "smallest return of a bar",
    "monthly_returns": "prod(1 + r) - 1 over the bars of each month",
    "yearly_returns": "prod(1 + r) - 1 over the bars of each calendar year",
    "rolling_volatility": "volatility a year of the last bars of a window",
    "rolling_sharpe": "Sharpe ratio of the last bars of a window",
    "rolling_sortino": "Sortino ratio of the last bars of a window",
    "rolling_drawdown": "deepest drawdown within the last bars of a window, capital before them as first peak",
    "rolling_value_at_risk": "value at risk of the last bars of a window; a forecast for the next bar",
    "rolling_beta": "beta of the last bars of a window",
    "rolling_correlation": "correlation with the benchmark of the last bars of a window",
    "win_rate": "closed trades with a profit after costs / closed trades",
    "profit_factor": "sum of profits / sum of losses of closed trades after costs",
    "expectancy": "mean profit of a closed trade after costs",
    "average_win": "mean profit of the closed trades that made one",
    "average_loss": "mean result of the closed trades that lost",
    "payoff_ratio": "average win / size of the average loss",
    "max_consecutive_losses": "longest run of losing closed trades",
    "max_consecutive_wins": "longest run of winning closed trades",
    "streaks": "runs of closed trades with the same outcome after costs, in the order of the table",
    "expectancy_r": "mean profit after costs / amount at risk at the first stop, of closed trades with a known risk",
    "kelly_fraction": "share of wins - share of losses / payoff ratio: capital that an average loss should cost",
    "trade_excursions": "worst and best price while held / average entry price - 1, near and far bound of each",
    "capacity_estimate": "largest capital at which 5% of trades exceed 10% of the mean daily amount of 20 bars before",
    "impact_cost": "amount x coefficient x daily volatility x sqrt(amount / mean daily amount of 20 bars before)",
    "crisis_table": "total return, deepest drawdown and volatility a year of crises covered whole; NaN otherwise",
    "historical_stress": "crisis table of today's weights rebalanced at every bar, without costs",
    "shock": "sum of weight x move of each symbol",
    "market_shock": "sum of weight x beta x move of the market",
    "factor_shock": "sum of weight x exposure x move of each factor",
}

#: Figure -> its convention in one line, to be shown beside it; by function name and by the short name results use.
DEFINITIONS: Final[dict[str, str]] = {
    **_BY_FUNCTION,
    **{name.removesuffix("_ratio"): _BY_FUNCTION[name] for name in _BY_FUNCTION if name.endswith("_ratio")},
}
