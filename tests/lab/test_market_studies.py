"""The indicators that the market page can draw."""

import numpy as np
import pytest
import talib

from qtw_lab.core import DataError
from qtw_lab.lab import Lab
from qtw_lab.lab.market_studies import STUDIES, Choice


@pytest.fixture(scope="module")
def prices():
    bars = Lab.offline().bars("AAPL", "2010-01-01", "2012-12-31")
    return {name: array[:, 0].copy() for name, array in bars.values.items()}


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_draws_lines_as_long_as_the_bars_with_its_defaults(name, prices):
    choice = Choice.of(name)
    lines = choice.lines(prices)
    assert all(values.shape == prices["close"].shape and np.isfinite(values[-1]) for values in lines.values())
    assert all(label.startswith(choice.label) for label in lines)
    if choice.study.bars:
        assert f"{choice.label} {choice.study.bars}" in lines


@pytest.mark.parametrize(
    ("choice", "label", "expected"),
    [
        (Choice.of("sma", window=50), "SMA 50", lambda p: talib.SMA(p["close"], 50)),
        (Choice.of("ema", window=30), "EMA 30", lambda p: talib.EMA(p["close"], 30)),
        (Choice.of("bollinger"), "Bollinger 20, 2 upper", lambda p: talib.BBANDS(p["close"], 20, 2, 2)[0]),
        (Choice.of("donchian", window=55), "Donchian 55 lower", lambda p: talib.MIN(p["low"], 55)),
        (Choice.of("rsi", window=7), "RSI 7", lambda p: talib.RSI(p["close"], 7)),
        (Choice.of("macd"), "MACD 12, 26, 9 signal", lambda p: talib.MACD(p["close"], 12, 26, 9)[1]),
        (Choice.of("atr"), "ATR 14", lambda p: talib.ATR(p["high"], p["low"], p["close"], 14)),
        (Choice.of("stochastic"), "Stochastic 14, 3, 3 %D",
         lambda p: talib.STOCH(p["high"], p["low"], p["close"], 14, 3, 0, 3, 0)[1]),
        (Choice.of("adx"), "ADX 14 ADX", lambda p: talib.ADX(p["high"], p["low"], p["close"], 14)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_lines_are_those_of_an_independent_library(choice, label, expected, prices):
    np.testing.assert_allclose(choice.lines(prices)[label], expected(prices), rtol=1e-9, equal_nan=True)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Choice.of("smaa"), "Did you mean 'sma'"),
        (lambda: Choice.of("sma", windows=3), "parameter of sma"),
        (lambda: Choice("sma", (1,)), "window must be a whole number from 2 to 1000, not 1"),
        (lambda: Choice("sma", (20.5,)), "not 20.5"),
        (lambda: Choice("sma", (None,)), "not None"),
        (lambda: Choice("sma", (True,)), "not True"),
        (lambda: Choice("sma", (float("nan"),)), "not nan"),
        (lambda: Choice("macd", (12, 26)), "MACD has 3 parameters, not 2"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(make, words):
    with pytest.raises(DataError, match=words):
        make()


def test_a_fast_span_beyond_the_slow_one_is_refused_at_once():
    with pytest.raises(DataError, match="fast"):
        Choice.of("macd", fast=30, slow=20)
