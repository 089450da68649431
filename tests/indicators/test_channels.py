from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib

from qtw_lab import indicators as ind
from qtw_lab.core import DataError


def agree(ours, theirs, **bounds):
    np.testing.assert_allclose(ours, theirs, **({"rtol": 1e-9, "atol": 1e-9} | bounds))


@pytest.mark.parametrize("window", [2, 5, 14, 50, 150])
def test_ranges_and_bands_equal_those_of_ta_lib(stocks, window):
    for prices in stocks.values():
        high, low, close = (prices[name] for name in ("high", "low", "close"))
        agree(ind.true_range(high, low, close), talib.TRANGE(high, low, close))
        agree(ind.atr(high, low, close, window), talib.ATR(high, low, close, window))
        upper, middle, lower = talib.BBANDS(close, window, 1.5, 1.5)
        agree(
            ind.bollinger(close, window, 1.5), (lower, middle, upper), atol=1e-7
        )  # TA-Lib subtracts squares of prices


def test_a_donchian_channel_is_the_extremes_of_pandas(stocks):
    high, low = stocks["AAPL"]["high"], stocks["AAPL"]["low"]
    lower, middle, upper = ind.donchian(high, low, 20)
    agree(upper, pd.Series(high).rolling(20).max(), rtol=0, atol=0)
    agree(lower, pd.Series(low).rolling(20).min(), rtol=0, atol=0)
    agree(middle, (upper + lower) / 2, rtol=0, atol=0)


def test_a_close_is_never_beyond_its_own_channel(stocks):
    prices = stocks["MSFT"]
    lower, _, upper = ind.donchian(prices["high"], prices["low"], 10)
    seen = ~np.isnan(upper)
    assert (prices["close"][seen] <= upper[seen]).all()
    assert (prices["close"][seen] >= lower[seen]).all()


def test_a_keltner_channel_is_an_average_and_ranges_of_ta_lib(stocks):
    high, low, close = (stocks["IBM"][name] for name in ("high", "low", "close"))
    lower, middle, upper = ind.keltner(high, low, close, 20, 1.5)
    agree(middle, talib.EMA(close, 20))
    agree(upper, talib.EMA(close, 20) + 1.5 * talib.ATR(high, low, close, 20))
    agree(lower, talib.EMA(close, 20) - 1.5 * talib.ATR(high, low, close, 20))


def test_a_column_of_widths_gives_a_column_of_bands():
    x = np.random.default_rng(0).normal(50, 1, (40, 1))
    lower, middle, upper = ind.bollinger(x, 10, [1.0, 2.5])
    assert lower.shape == middle.shape == upper.shape == (40, 2)
    agree((upper - middle)[9:, 1], 2.5 * (upper - middle)[9:, 0])


def test_the_volume_weighted_price_is_money_over_shares():
    """By hand: typical prices 2, 4, 6 with 1, 3, 0 shares."""
    prices = np.array([2.0, 4.0, 6.0])
    agree(ind.vwap(prices, prices, prices, [1.0, 3.0, 0.0], 2), [np.nan, 3.5, 4.0])
    assert np.isnan(ind.vwap(prices, prices, prices, np.zeros(3), 2)).all()


def test_volatility_is_the_deviation_of_log_returns_in_pandas(stocks):
    close = pd.Series(stocks["GOOG"]["close"])
    expected = np.log(close).diff().rolling(21).std() * np.sqrt(250)
    agree(ind.volatility(close, 21, 250), expected)


@pytest.mark.parametrize("wrong", [0, -252, float("nan"), [252.0, 12.0], "252"], ids=repr)
def test_bars_a_year_must_be_a_positive_number(wrong):
    with pytest.raises(DataError, match="periods_per_year="):
        ind.volatility(np.ones(9), 3, wrong)
