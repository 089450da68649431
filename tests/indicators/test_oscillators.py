"""Against TA-Lib on real prices, and by hand where a rule decides."""

from __future__ import annotations

import numpy as np
import pytest
import talib

from qtw_lab import indicators as ind
from qtw_lab.core import DataError

CALLS = {
    "rsi": (lambda h, lo, c, v, n: ind.rsi(c, n), lambda h, lo, c, v, n: talib.RSI(c, n)),
    "macd": (
        lambda h, lo, c, v, n: ind.macd(c, n, 2 * n + 1, n),
        lambda h, lo, c, v, n: talib.MACD(c, n, 2 * n + 1, n),
    ),
    "adx": (
        lambda h, lo, c, v, n: ind.adx(h, lo, c, n),
        lambda h, lo, c, v, n: (talib.ADX(h, lo, c, n), talib.PLUS_DI(h, lo, c, n), talib.MINUS_DI(h, lo, c, n)),
    ),
    "stochastic": (
        lambda h, lo, c, v, n: ind.stochastic(h, lo, c, n, 3, 4),
        lambda h, lo, c, v, n: talib.STOCH(h, lo, c, n, 3, 0, 4, 0),
    ),
    "cci": (lambda h, lo, c, v, n: ind.cci(h, lo, c, n), lambda h, lo, c, v, n: talib.CCI(h, lo, c, n)),
    "williams_r": (
        lambda h, lo, c, v, n: ind.williams_r(h, lo, c, n),
        lambda h, lo, c, v, n: talib.WILLR(h, lo, c, n),
    ),
    "mfi": (ind.mfi, talib.MFI),
    "obv": (lambda h, lo, c, v, n: ind.obv(c, v), lambda h, lo, c, v, n: talib.OBV(c, v)),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("window", [2, 3, 14, 40])
def test_oscillators_equal_those_of_ta_lib(stocks, name, window):
    ours, theirs = CALLS[name]
    for prices in stocks.values():
        columns = [prices[key] for key in ("high", "low", "close", "volume")]
        found, expected = np.atleast_2d(ours(*columns, window)), np.atleast_2d(theirs(*columns, window))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_a_pure_rise_has_a_strength_of_100_and_a_pure_fall_of_0():
    up = np.arange(1.0, 40.0)
    assert (ind.rsi(up)[14:] == 100.0).all()
    assert (ind.rsi(up[::-1])[14:] == 0.0).all()


def test_prices_that_never_move_have_no_strength_as_in_ta_lib():
    flat = np.full(40, 12.5)
    assert (ind.rsi(flat)[14:] == 0.0).all()
    np.testing.assert_array_equal(ind.rsi(flat), talib.RSI(flat))


@pytest.mark.parametrize("name", sorted(set(CALLS) - {"macd"}))
def test_rules_for_bars_without_a_span_are_those_of_ta_lib(name):
    """Stretches in which nothing moves, nothing trades, or high is low."""
    rng = np.random.default_rng(4)
    close = np.cumsum(rng.normal(size=120).round(1) * (np.arange(120) % 40 < 20)) + 50
    gap = np.where(np.arange(120) % 40 < 15, 0.5, 0.0)
    columns = [close + gap, close - gap, close, np.where(np.arange(120) < 60, 100.0, 0.0)]
    ours, theirs = (np.atleast_2d(call(*columns, 5)) for call in CALLS[name])
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


def test_a_fast_span_that_is_the_longer_one_is_refused():
    with pytest.raises(DataError, match="fast=26 exceeds slow=12"):
        ind.macd(np.ones(60), 26, 12)
    with pytest.raises(DataError, match="fast=9 exceeds slow=8"):
        ind.macd(np.ones(60), [5, 9], 8)


def test_macd_parts_add_up(stocks):
    line, signal, histogram = ind.macd(stocks["FB"]["close"])
    np.testing.assert_array_equal(histogram, line - signal)
    assert np.isnan(line[:33]).all()
    assert np.isfinite(line[33:]).all()


def test_fixed_scales_hold(stocks):
    for prices in stocks.values():
        high, low, close, volume = (prices[name] for name in ("high", "low", "close", "volume"))
        scaled = [ind.rsi(close), *ind.adx(high, low, close), *ind.stochastic(high, low, close)]
        for part in [*scaled, ind.mfi(high, low, close, volume), ind.williams_r(high, low, close) + 100]:
            seen = part[~np.isnan(part)]
            assert seen.min() >= -1e-9
            assert seen.max() <= 100 + 1e-9


def test_balance_adds_and_takes_off_whole_volumes():
    """By hand: start 5, rise +3, no move, fall -9."""
    assert ind.obv([1.0, 2.0, 2.0, 1.0], [5.0, 3.0, 8.0, 9.0]).tolist() == [5.0, 8.0, 8.0, -1.0]


def test_prices_that_differ_by_rounding_alone_are_equal():
    """(high + low + close) / 3 of these two bars differs in the last digit and is the same number on paper."""
    high, low, close = [0.3, 0.1], [0.2, 0.3], [0.1, 0.2]
    assert sum([0.3, 0.2, 0.1]) != sum([0.1, 0.3, 0.2])
    assert ind.mfi(high, low, close, [9.0, 9.0], 1)[-1] == 0.0
    assert ind.cci(high, low, close, 2)[-1] == 0.0
