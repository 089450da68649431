"""What every indicator promises, checked for each line of one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab import indicators as ind
from qtw_lab.core import DataError

HLC = ("high", "low", "close")


@dataclass(frozen=True)
class Member:
    """How an indicator is called: its inputs, and two sets of whole parameters."""

    function: Callable
    inputs: tuple[str, ...]
    small: dict[str, int]
    large: dict[str, int]

    def __call__(self, prices, parameters=None, rows=slice(None)):
        found = self.function(
            *(prices[name][rows] for name in self.inputs), **(self.small if parameters is None else parameters)
        )
        return tuple(found) if isinstance(found, tuple) else (found,)


def windowed(function, *inputs, **more):
    return Member(function, inputs, {"window": 3, **more}, {"window": 7, **more})


MEMBERS = {
    "rolling_sum": windowed(ind.rolling_sum, "close"),
    "rolling_max": windowed(ind.rolling_max, "close"),
    "rolling_min": windowed(ind.rolling_min, "close"),
    "rolling_std": windowed(ind.rolling_std, "close"),
    "sma": windowed(ind.sma, "close"),
    "ema": windowed(ind.ema, "close"),
    "wma": windowed(ind.wma, "close"),
    "wilder": windowed(ind.wilder, "close"),
    "kama": Member(ind.kama, ("close",), {"window": 3, "fast": 2, "slow": 9}, {"window": 5, "fast": 3, "slow": 30}),
    "slope": windowed(ind.slope, "close"),
    "z_score": windowed(ind.z_score, "close"),
    "lag": Member(ind.lag, ("close",), {"periods": 1}, {"periods": 4}),
    "returns": Member(ind.returns, ("close",), {"periods": 1}, {"periods": 4}),
    "log_returns": Member(ind.log_returns, ("close",), {"periods": 1}, {"periods": 4}),
    "roc": Member(ind.roc, ("close",), {"periods": 2}, {"periods": 5}),
    "momentum": Member(ind.momentum, ("close",), {"periods": 2}, {"periods": 5}),
    "rsi": windowed(ind.rsi, "close"),
    "macd": Member(ind.macd, ("close",), {"fast": 2, "slow": 4, "signal": 3}, {"fast": 3, "slow": 8, "signal": 2}),
    "bollinger": Member(ind.bollinger, ("close",), {"window": 3, "deviations": 2}, {"window": 6, "deviations": 1}),
    "true_range": Member(ind.true_range, HLC, {}, {}),
    "atr": windowed(ind.atr, *HLC),
    "donchian": windowed(ind.donchian, "high", "low"),
    "keltner": Member(ind.keltner, HLC, {"window": 3, "multiplier": 2}, {"window": 6, "multiplier": 1}),
    "adx": windowed(ind.adx, *HLC),
    "stochastic": Member(
        ind.stochastic, HLC, {"window": 3, "smooth": 2, "signal": 3}, {"window": 5, "smooth": 1, "signal": 2}
    ),
    "cci": windowed(ind.cci, *HLC),
    "williams_r": windowed(ind.williams_r, *HLC),
    "mfi": windowed(ind.mfi, *HLC, "volume"),
    "obv": Member(ind.obv, ("close", "volume"), {}, {}),
    "vwap": windowed(ind.vwap, *HLC, "volume"),
    "rolling_beta": windowed(ind.rolling_beta, "close", "open"),
    "rolling_correlation": windowed(ind.rolling_correlation, "close", "open"),
    "volatility": windowed(ind.volatility, "close", periods_per_year=52),
    "crossed_above": Member(ind.crossed_above, ("close", "open"), {}, {}),
    "crossed_below": Member(ind.crossed_below, ("close", "open"), {}, {}),
}
each = pytest.mark.parametrize("member", MEMBERS.values(), ids=MEMBERS)
with_parameters = pytest.mark.parametrize(
    "member", [m for m in MEMBERS.values() if m.small], ids=[k for k, m in MEMBERS.items() if m.small]
)
BOOLEAN = {"crossed_above", "crossed_below"}


def some_prices(seed, bars=60, columns=3, holes=0.0):
    """Random bars; some equal to the bar before, some missing whole, some without a volume."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.02, (bars, columns)) * (rng.random((bars, columns)) > 0.2)
    close = 50 * np.exp(np.cumsum(steps, axis=0))
    spread = 0.01 * rng.random((2, bars, columns)) * (rng.random((bars, columns)) > 0.1)
    prices = {"open": close * np.exp(rng.normal(0, 0.01, close.shape)), "close": close}
    prices |= {"high": close * (1 + spread[0]), "low": close * (1 - spread[1])}
    prices["volume"] = np.floor(1000 * rng.random(close.shape))
    gone = rng.random(close.shape) < holes
    for values in prices.values():
        values[gone] = np.nan
    prices["volume"][rng.random(close.shape) < holes / 4] = np.nan
    return prices


def same(a, b):
    """Equal to the last bit, NaN included."""
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in zip(a, b, strict=True))


def test_the_table_names_every_public_indicator():
    public = {name for name in ind.__all__ if name.islower() and not name.endswith("_memory")}
    assert public == set(MEMBERS)


@each
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(0, 60), holes=st.sampled_from([0.0, 0.1, 0.6]))
@settings(max_examples=12, deadline=None)
def test_a_prefix_of_the_bars_gives_the_prefix_of_the_answer(member, seed, cut, holes):
    prices = some_prices(seed, holes=holes)
    entire = member(prices)
    assert same(member(prices, rows=slice(cut)), [part[:cut] for part in entire])


@each
@given(seed=st.integers(0, 2**32 - 1), holes=st.sampled_from([0.1, 0.6, 1.0]))
@settings(max_examples=8, deadline=None)
def test_a_missing_bar_is_as_if_it_were_cut_out(member, seed, holes):
    prices = {name: values[:, 0] for name, values in some_prices(seed, columns=1, holes=holes).items()}
    present = ~np.isnan([prices[name] for name in member.inputs]).any(axis=0)
    dense = member({name: values[present] for name, values in prices.items()})
    for found, expected in zip(member(prices), dense, strict=True):
        assert np.array_equal(found[present], expected, equal_nan=found.dtype.kind == "f")
        assert not (found[~present] if found.dtype.kind == "b" else ~np.isnan(found[~present])).any()


@each
def test_a_table_gives_what_its_columns_give(member):
    prices = some_prices(5, holes=0.1)
    for k in range(3):
        alone = member({name: values[:, k] for name, values in prices.items()})
        assert same([part[:, k] for part in member(prices)], alone)
        assert all(part.ndim == 1 for part in alone)


@with_parameters
@pytest.mark.parametrize("holes", [0.0, 0.2])
def test_parameter_arrays_give_what_a_loop_gives(member, holes):
    prices = some_prices(6, columns=1, holes=holes)
    rows = [member.small, member.large, member.small, member.small]
    fixed = {"periods_per_year"}
    stack = {k: member.small[k] if k in fixed else np.array([row[k] for row in rows]) for k in member.small}
    for part, *columns in zip(member(prices, stack), *(member(prices, row) for row in rows), strict=True):
        assert part.shape == (60, 4)
        assert same([part], [np.concatenate(columns, axis=1)])


@with_parameters
def test_a_table_takes_one_parameter_for_each_column(member):
    prices = some_prices(7, columns=2, holes=0.1)
    both = {k: member.small[k] if k == "periods_per_year" else [member.small[k], member.large[k]] for k in member.small}
    first, second = member(prices, member.small), member(prices, member.large)
    for part, a, b in zip(member(prices, both), first, second, strict=True):
        assert same([part], [np.column_stack([a[:, 0], b[:, 1]])])


@each
def test_inputs_are_left_as_they_are_and_may_be_read_only(member):
    prices = some_prices(8, holes=0.1)
    before = {name: values.copy() for name, values in prices.items()}
    for values in prices.values():
        values.flags.writeable = False
    member(prices)
    assert same(prices.values(), before.values())


@each
def test_no_bars_give_no_answer(member):
    assert all(part.shape == (0, 3) for part in member(some_prices(9), rows=slice(0)))


@with_parameters
@pytest.mark.parametrize("bars", [1, 2, 3])
def test_a_window_longer_than_the_history_gives_nothing(member, bars):
    key = next(k for k in ("window", "periods", "slow") if k in member.small)
    for size in (bars + 1, 10**12):
        found = member(some_prices(10, bars=bars), {**member.small, key: size})
        assert all(np.isnan(part).all() for part in found)


@each
def test_answers_are_never_infinite(member):
    prices = some_prices(11, bars=30)
    prices["close"][10:14] = 0.0
    prices["low"][10:14] = 0.0
    prices["volume"][5:20] = 0.0
    prices["open"][:] = 3.0
    assert not any(np.isinf(part).any() for part in member(prices))


@each
def test_prices_that_never_move_give_a_stated_answer(member):
    flat = {name: np.full(30, 0.1) for name in ("open", "high", "low", "close")} | {"volume": np.full(30, 100.0)}
    level = {
        "rolling_max",
        "rolling_min",
        "sma",
        "ema",
        "wma",
        "wilder",
        "kama",
        "lag",
        "bollinger",
        "donchian",
        "keltner",
        "vwap",
    }
    undefined = {"z_score", "rolling_beta", "rolling_correlation"}
    name = next(k for k, m in MEMBERS.items() if m is member)
    expected = 0.1 if name in level else {"rolling_sum": 0.1 * 3, "obv": 100.0}.get(name, 0.0)
    for part in member(flat):
        np.testing.assert_allclose(part[-1], np.nan if name in undefined else expected, rtol=1e-14, atol=1e-15)


@with_parameters
@pytest.mark.parametrize("wrong", [0, -3, 2.5, float("nan"), "5", None, True, [2, 0], [[2]], []], ids=repr)
def test_a_parameter_that_is_not_a_whole_number_from_one_is_refused(member, wrong):
    key = next(k for k in ("window", "periods") if k in member.small) if "slow" not in member.small else "slow"
    with pytest.raises(DataError, match=f"{key}="):
        member(some_prices(12, columns=1), {**member.small, key: wrong})


@with_parameters
def test_parameter_arrays_of_the_wrong_length_are_refused(member):
    key = next(k for k in ("slow", "window", "periods") if k in member.small)
    with pytest.raises(DataError, match="as long as the table is wide"):
        member(some_prices(13), {**member.small, key: [9, 9]})


@each
def test_inputs_of_no_use_are_refused(member):
    prices = some_prices(14)
    first = member.inputs[0]
    cases = {
        "array of numbers": prices["close"].astype(str),
        "bars, columns": np.zeros((60, 3, 1)),
        "infinite at row 4, column 1": np.where(np.arange(180).reshape(60, 3) == 13, np.inf, prices["close"]),
    }
    for words, bad in cases.items():
        with pytest.raises(DataError, match=words):
            member({**prices, first: bad})
    if len(member.inputs) > 1:
        for bad in (prices[first][:-1], prices[first][:, :2]):
            with pytest.raises(DataError, match="do not fit together"):
                member({**prices, first: bad})
