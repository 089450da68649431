"""Indicators: a series from a price table. Arrays in, arrays out, one rule for bars that do not exist.

Every function takes float64 arrays (T, N), or (T,), and answers in the same shape, NaN until its window is full. A
window may be an array (K,): a table of one column then gives (T, K), a table of N columns takes one window for each. A
bar that does not exist (NaN) is not counted: the answer is NaN there, and what follows is as if it were cut out.
"""

from qtw_lab.indicators.changes import crossed_above, crossed_below, lag, log_returns, momentum, returns, roc
from qtw_lab.indicators.channels import Bands, atr, bollinger, donchian, keltner, true_range, volatility, vwap
from qtw_lab.indicators.memory import (
    adx_memory,
    atr_memory,
    ema_memory,
    kama_memory,
    keltner_memory,
    macd_memory,
    rsi_memory,
    wilder_memory,
)
from qtw_lab.indicators.moving import (
    ema,
    kama,
    rolling_beta,
    rolling_correlation,
    rolling_max,
    rolling_min,
    rolling_std,
    rolling_sum,
    slope,
    sma,
    wilder,
    wma,
    z_score,
)
from qtw_lab.indicators.oscillators import Adx, Macd, Stochastic, adx, cci, macd, mfi, obv, rsi, stochastic, williams_r

__all__ = [
    "Adx", "Bands", "Macd", "Stochastic", "adx", "adx_memory", "atr", "atr_memory", "bollinger", "cci", "crossed_above",
    "crossed_below", "donchian", "ema", "ema_memory", "kama", "kama_memory", "keltner", "keltner_memory", "lag",
    "log_returns", "macd", "macd_memory", "mfi", "momentum", "obv", "returns", "roc", "rolling_beta",
    "rolling_correlation", "rolling_max", "rolling_min", "rolling_std", "rolling_sum", "rsi", "rsi_memory", "slope",
    "sma", "stochastic", "true_range", "volatility", "vwap", "wilder", "wilder_memory", "williams_r", "wma", "z_score",
]  # fmt: skip
