"""Decisions bar by bar are those that a backtest makes on the same bars, for every strategy of the house.

The session is one of the synthetic market, with late reports, corrections and cancels; bars wait for them, so that a
decision is made on what stands in the end. Prices are rounded to cents, where sliding averages tie.
"""

import json
import struct
from functools import cache

import numpy as np
import pytest

from qtw_lab.core import Timeframe
from qtw_lab.live.engine import Engine
from qtw_lab.live.outcome import Stances
from qtw_lab.live.profile import checked
from qtw_lab.live.rows import ROW
from qtw_lab.strategies import STRATEGIES, Panel
from qtw_lab.venues.feeds import Inbound, Kind
from qtw_lab.venues.simulator.synthetic import SyntheticMarket
from qtw_lab.venues.ticks import QUOTE
from qtw_lab.venues.wire.encoding import encode

SECOND = 10**9
SPAN = 1200

#: Short, so that they act within 240 bars.
PARAMETERS = {
    "sma_cross": {"fast": 3, "slow": 12},
    "ema_cross": {"fast": 3, "slow": 12},
    "macd": {"fast": 4, "slow": 9, "signal": 4},
    "rsi_reversion": {"window": 6, "low": 35.0, "exit": 50.0, "high": 65.0, "short": True},
    "time_series_momentum": {"lookback": 30},
    "cross_sectional_momentum": {"lookback": 30, "skip": 3, "rebalance": "bar"},
    "volatility_trend": {"lookback": 30, "window": 20},
    "pairs": {"window": 20, "entry": 1.0},
    "donchian_breakout": {"entry": 20, "exit": 10},
    "bollinger_reversion": {"window": 12},
    "blend": {
        "members": [
            {"strategy": "sma_cross", "parameters": {"fast": 3, "slow": 9}},
            {"strategy": "macd", "parameters": {}},
        ]
    },
    "momentum_threshold": {"lookback": 3, "entry": 0.001, "exit": 0.0005},
}


@cache
def recorded(count):
    """A session as it came in: one payload a second, in order of arrival; and the names."""
    market = SyntheticMarket(seed=3, date="2026-03-10", symbols=count, events_per_second=12 * count)
    begin = market.hours.begin + market.hours.opens * SECOND + 600 * SECOND
    news = {"state": "subscribed", "channels": {"trades": count}, "missing": {}}
    things = [Inbound(begin, Kind.LINK, json.dumps(news).encode())]
    for second in range(SPAN):
        at = begin + second * SECOND
        ticks = market.events(at, at + SECOND)
        ticks = ticks[ticks["kind"] != QUOTE].copy()
        ticks["price"] = np.round(ticks["price"], 2)
        content = encode(ticks, market.symbols)
        things.append(Inbound(at + SECOND, Kind.DATA, struct.pack("<IB", len(content), 2) + content))
    return things, tuple(market.symbols.names)


@cache
def session(name):
    """What the engine made of it: bars and stances."""
    things, names = recorded(2 if name == "pairs" else 20)
    content = {
        "universe": {"symbols": list(names)},
        "engine": {"late_seconds": 60, "stale_seconds": 3600, "stream_quotes": False, "bar_limit": 1000},
        "signals": {"min_volume": 0},
        "strategy": name,
        "parameters": PARAMETERS.get(name, {}),
    }
    profile = checked(content)
    engine = Engine(profile, asking=False)
    steps = []
    for thing in things:
        engine.take(thing)
        steps += engine.outcome().steps
    rows = np.concatenate([s for s in steps if isinstance(s, np.ndarray) and s.dtype == ROW])
    return profile.built(), rows[rows["level"] == 5], [s for s in steps if isinstance(s, Stances)], len(names)


def whole(rows, width):
    """All bars as a backtest sees them: (T, N) arrays, symbols in the order of their numbers."""
    assert not rows["revision"].any(), "a bar changed after it was decided on"
    times = np.unique(rows["time"])
    place = np.searchsorted(times, rows["time"])
    arrays = []
    for name in ("open", "high", "low", "close", "volume"):
        array = np.full((len(times), width), np.nan)
        array[place, rows["symbol"]] = rows[name]
        arrays.append(array)
    return Panel(*arrays, times, Timeframe(5, "s").periods_per_year("XNYS"))


@pytest.mark.parametrize("name", [*STRATEGIES, "momentum_threshold"])
def test_decisions_are_those_of_a_backtest_on_the_same_bars_to_the_last_bit(name):
    strategy, rows, stances, width = session(name)
    panel = whole(rows, width)
    expected = strategy.decide(panel)
    assert [s.time for s in stances] == panel.times.tolist()
    assert len(stances) > 200
    found = np.full_like(expected, np.nan)
    for row, one in enumerate(stances):
        found[row, one.numbers] = one.decisions
    assert np.array_equal(found, expected, equal_nan=True)
    assert np.isfinite(expected).any()
    assert len(np.unique(expected[np.isfinite(expected)])) > 1 or name == "buy_and_hold"


def test_the_recorded_prices_are_in_cents_and_the_session_has_amendments():
    things, names = recorded(20)
    engine = Engine(checked({"universe": {"symbols": list(names)}}), asking=False)
    for thing in things[:300]:
        engine.take(thing)
    counts = engine.counts
    assert counts["late"] > 0
    assert counts["trades"] > 5000
    close = engine.columns.window(5, 50).close
    assert np.array_equal(np.round(close, 2), close)
