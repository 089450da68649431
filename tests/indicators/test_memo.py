"""Columns kept for later are the columns that would be computed anew, to the last bit."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from qtw_lab import indicators as ind
from qtw_lab.indicators.memo import Memo, in_use


def series(bars=60, seed=0):
    close = 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.02, bars)))[:, None]
    close[5] = np.nan
    close.flags.writeable = False
    return close


def memo(*anchors, limit=10_000_000):
    return Memo(limit, anchors, threading.Lock())


ASKED = {
    "one parameter": lambda x: ind.sma(x, [3, 5, 3, 9]),
    "a single window": lambda x: ind.sma(x, 4),
    "two parameters": lambda x: ind.rolling_std(x, [3, 5, 5], ddof=0),
    "several outputs": lambda x: np.hstack(ind.macd(x, [3, 4], [6, 9], [2, 2])),
    "several inputs": lambda x: ind.atr(x + 1, x - 1, x, [3, 7]),
    "one axis": lambda x: ind.ema(x[:, 0], 5),
    "a derived series": lambda x: ind.sma(ind.returns(x), [2, 3]),
    "a table, which is not kept": lambda x: ind.lag(ind.sma(x, [3, 4]), 2),
}


@pytest.mark.parametrize("name", ASKED)
def test_every_answer_is_the_same_and_an_array_of_its_own(name):
    close, ask = series(), ASKED[name]
    expected = ask(close)
    kept = memo(close)
    for _ in range(3):
        with kept.used():
            found = ask(close)
        assert np.array_equal(found, expected, equal_nan=True)
        assert found.shape == expected.shape
        found[:] = 0.0  # spoils nothing for the next


def test_a_column_is_computed_once():
    close, calls = series(), []
    kept = memo(close)

    def fill(table):
        calls.append(table.tolist())
        return np.repeat(table[:, :, None].astype(float), len(close), axis=2)

    for windows in ([1, 2, 2], [2, 3], [3, 1]):
        table = np.array([windows])
        found = kept.taken("kernel", [close], table, 1, fill)
        assert found[0, :, 0].tolist() == windows
    assert calls == [[[1, 2]], [[3]]]
    assert kept.columns == 3


def test_other_prices_are_other_columns():
    one, other = series(seed=1), series(seed=2)
    kept = memo(one)
    with kept.used():
        assert not np.array_equal(ind.sma(one, [3]), ind.sma(other, [3]), equal_nan=True)
        assert np.array_equal(ind.sma(other.copy(), [3]), ind.sma(other, [3]), equal_nan=True)
    assert kept.columns == 2


def test_the_limit_is_kept_and_what_does_not_fit_is_computed():
    close = series()
    kept = memo(close, limit=5 * 60 * 8)
    with kept.used():
        for windows in ([2, 3], [3, 4], [5, 6, 7], [2, 9]):
            found = ind.sma(close, windows)
            assert kept.bytes <= 5 * 60 * 8
            with memo().used():
                assert np.array_equal(found, ind.sma(close, windows), equal_nan=True)
    assert 0 < kept.columns <= 5


def test_it_is_used_only_where_it_was_asked_for():
    kept = memo()
    assert in_use() is None
    with kept.used():
        assert in_use() is kept
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(in_use).result() is None
        with pytest.raises(ZeroDivisionError), memo().used():
            raise ZeroDivisionError
        assert in_use() is kept
    assert in_use() is None


def test_threads_share_it():
    close = series(400)
    kept = memo(close)
    expected = {w: ind.sma(close, [w, w + 1]) for w in range(1, 60)}

    def ask(window):
        with kept.used():
            return np.array_equal(ind.sma(close, [window, window + 1]), expected[window], equal_nan=True)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, [w for _ in range(20) for w in expected]))
    assert kept.columns == 60
