"""Performance and risk: every figure of a track record, each defined once.

Returns are simple returns of each bar as fractions; one series gives a float, a table a vector with an entry a column.
Annual figures need `periods_per_year` unless the returns carry times. A NaN or infinite return is an error, for it has
no agreed meaning; where a figure is not defined (one bar, no variation, no loss) the answer is NaN and each docstring
says so.
"""

from __future__ import annotations

from typing import Final

from qtw_lab.stats.growth import (
    cagr,
    calmar_ratio,
    drawdown_series,
    drawdowns,
    max_drawdown,
    monthly_returns,
    total_return,
    ulcer_index,
)
from qtw_lab.stats.ratios import (
    best,
    expected_shortfall,
    hit_rate,
    kurtosis,
    omega_ratio,
    rolling_sharpe,
    sharpe_ratio,
    skewness,
    sortino_ratio,
    tail_ratio,
    value_at_risk,
    volatility,
    worst,
)
from qtw_lab.stats.relative import alpha, beta, information_ratio, tracking_error
from qtw_lab.stats.trades import (
    average_loss,
    average_win,
    expectancy,
    max_consecutive_losses,
    payoff_ratio,
    profit_factor,
    win_rate,
)

__all__ = [
    "DEFINITIONS", "alpha", "average_loss", "average_win", "best", "beta", "cagr", "calmar_ratio", "drawdown_series",
    "drawdowns", "expectancy", "expected_shortfall", "hit_rate", "information_ratio", "kurtosis",
    "max_consecutive_losses", "max_drawdown", "monthly_returns", "omega_ratio", "payoff_ratio", "profit_factor",
    "rolling_sharpe", "sharpe_ratio", "skewness", "sortino_ratio", "tail_ratio", "total_return", "tracking_error",
    "ulcer_index", "value_at_risk", "volatility", "win_rate", "worst",
]  # fmt: skip

_BY_FUNCTION: Final = {
    "total_return": "prod(1 + r) - 1 over simple returns of each bar",
    "cagr": "(1 + total return) ** (bars a year / bars) - 1",
    "volatility": "standard deviation (ddof 1) of returns x sqrt(bars a year)",
    "sharpe_ratio": "(mean - risk-free) / standard deviation (ddof 1) of returns x sqrt(bars a year)",
    "sortino_ratio": "(mean - target) / root mean square of shortfalls over all bars x sqrt(bars a year)",
    "max_drawdown": "lowest capital / highest capital before it - 1, starting capital included",
    "drawdown_series": "capital / highest capital so far - 1, starting capital included",
    "drawdowns": "stretches below a former high of capital; length in bars from the peak to the recovery",
    "calmar_ratio": "CAGR / size of the deepest drawdown, over all bars",
    "omega_ratio": "sum of returns above the threshold / sum below it; threshold 0 unless said",
    "value_at_risk": "5% quantile of returns of one bar (95% level), historical; negative is a loss",
    "expected_shortfall": "mean of returns at or below the value at risk, historical; negative is a loss",
    "ulcer_index": "root mean square of the drawdown over all bars",
    "tail_ratio": "size of the 95% quantile / size of the 5% quantile of returns",
    "skewness": "third standardised moment of returns, not corrected for sample size",
    "kurtosis": "fourth standardised moment of returns - 3, not corrected for sample size",
    "beta": "covariance with the benchmark / variance of the benchmark",
    "alpha": "bars a year x (mean excess return - beta x mean excess return of the benchmark)",
    "information_ratio": "mean / standard deviation (ddof 1) of the difference to the benchmark x sqrt(bars a year)",
    "tracking_error": "standard deviation (ddof 1) of the difference to the benchmark x sqrt(bars a year)",
    "hit_rate": "bars with a gain / bars with a gain or a loss",
    "best": "largest return of a bar",
    "worst": "smallest return of a bar",
    "monthly_returns": "prod(1 + r) - 1 over the bars of each month",
    "rolling_sharpe": "Sharpe ratio of the last bars of a window",
    "win_rate": "closed trades with a profit after costs / closed trades",
    "profit_factor": "sum of profits / sum of losses of closed trades after costs",
    "expectancy": "mean profit of a closed trade after costs",
    "average_win": "mean profit of the closed trades that made one",
    "average_loss": "mean result of the closed trades that lost",
    "payoff_ratio": "average win / size of the average loss",
    "max_consecutive_losses": "longest run of losing closed trades",
}

#: Figure -> its convention in one line, to be shown beside it; by function name and by the short name results use.
DEFINITIONS: Final[dict[str, str]] = {
    **_BY_FUNCTION,
    **{name.removesuffix("_ratio"): _BY_FUNCTION[name] for name in _BY_FUNCTION if name.endswith("_ratio")},
}
