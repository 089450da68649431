"""The stated memories, measured: the same last bars after two different pasts."""

from __future__ import annotations

import numpy as np
import pytest

from qtw_lab import indicators as ind
from qtw_lab.core import DataError


def last_value(function, bars, memory, seed):
    """The last value on the last `memory` bars, and on bars whose earlier part stood at ten times the price."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, bars)))
    past = 1000 * np.exp(np.cumsum(rng.normal(0, 0.01, 300)))
    price = np.concatenate([past, close])
    return function(price[-memory:])[-1], function(price)[-1]


AVERAGES = {
    "ema 1": (lambda x: ind.ema(x, 1), ind.ema_memory(1)),
    "ema 10": (lambda x: ind.ema(x, 10), ind.ema_memory(10)),
    "ema 50": (lambda x: ind.ema(x, 50), ind.ema_memory(50)),
    "wilder 14": (lambda x: ind.wilder(x, 14), ind.wilder_memory(14)),
    "kama 10": (lambda x: ind.kama(x, 10), ind.kama_memory(10)),
    "kama 5, 2, 12": (lambda x: ind.kama(x, 5, 2, 12), ind.kama_memory(5, 12)),
    "macd": (lambda x: ind.macd(x).histogram, ind.macd_memory(26, 9)),
}


@pytest.mark.parametrize("name", AVERAGES)
@pytest.mark.parametrize("seed", range(5))
def test_an_average_of_the_last_memory_bars_is_that_of_the_whole_history(name, seed):
    function, memory = AVERAGES[name]
    short, entire = last_value(function, memory, memory, seed)
    assert abs(short - entire) < 1e-9 * 1000


MOVES = {
    "rsi": (lambda x: ind.rsi(x, 14), ind.rsi_memory(14), 100),
    "atr": (lambda x: ind.atr(1.01 * x, 0.99 * x, x, 14), ind.atr_memory(14), 1000),
    "adx": (lambda x: ind.adx(1.01 * x, 0.99 * x, x, 14).adx, ind.adx_memory(14), 100),
    "keltner": (lambda x: ind.keltner(1.01 * x, 0.99 * x, x, 20).upper, ind.keltner_memory(20), 1000),
}


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("seed", range(5))
def test_an_indicator_of_moves_forgets_the_moves_it_started_with(name, seed):
    function, memory, scale = MOVES[name]
    rng = np.random.default_rng(seed)
    price = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, memory + 300)))
    assert abs(function(price[-memory:])[-1] - function(price)[-1]) < 1e-8 * scale


def test_the_bound_is_close_to_what_it_takes():
    """A start of 1 before prices of 0 falls below 1e-9 within the stated bars and not much sooner."""
    memory = ind.ema_memory(10)
    path = ind.ema(np.concatenate([np.ones(10), np.zeros(200)]), 10)[9:]
    first = int(np.argmax(path < 1e-9))
    assert first == memory - 10


def test_vectors_give_vectors():
    windows = np.array([1, 5, 20])
    assert ind.ema_memory(windows).tolist() == [ind.ema_memory(int(n)) for n in windows]
    assert ind.kama_memory(windows, windows).tolist() == [ind.kama_memory(int(n), int(n)) for n in windows]
    assert ind.adx_memory(windows).tolist() == [ind.adx_memory(int(n)) for n in windows]
    assert ind.wilder_memory(1) == 1


def test_a_window_below_one_has_no_memory():
    with pytest.raises(DataError, match="window=0"):
        ind.ema_memory(0)
