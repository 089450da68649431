"""Bars as an engine closes them, handed to another thread: whole, copied, and of what was asked for alone."""

from functools import partial

import numpy as np
import pytest
from engine_venue import SECOND, START, Driver, random_market
from minutes import MINUTE, OPEN, closed

from qtw_lab.live.engine import Engine
from qtw_lab.live.profile import checked
from qtw_lab.live.rows import Flag
from qtw_lab.live.trading.sleeve import Seen
from qtw_lab.live.trading.tap import Tap

NAMES = ("AAA", "BBB", "CCC")


def heard(tap, seconds=40):
    """All that a tap hands over of a small random market, and its engine, which decides on the shortest bars."""
    profile = checked({
        "universe": {"symbols": list(NAMES), "min_price": 0, "min_dollar_volume": 0, "min_volume": 0},
        "signals": {"min_volume": 0},
        "engine": {
            "stale_seconds": 3600, "bar_interval_seconds": 1, "bar_aggregate_seconds": 1, "more_levels": [1, 5],
        },
    })  # fmt: skip
    engine = Engine(profile, calendar="24/7", asking=False)
    engine.listen(partial(tap.closed, engine))
    Driver(engine, random_market(3, NAMES, seconds=seconds, late=False)).run(seconds + 15)
    found = []
    while (bars := tap.read(0.0)) is not None:
        found.append(bars)
    return found, engine


def test_every_bar_of_the_lengths_asked_for_comes_once_and_in_order():
    found, _ = heard(Tap({1: 10, 5: 4}, NAMES))
    assert {bars.seconds for bars in found} == {1, 5}
    for seconds, rows in ((1, 10), (5, 4)):
        mine = [bars for bars in found if bars.seconds == seconds]
        starts = [int(bars.times[-1]) for bars in mine]
        assert starts == sorted(set(starts))
        assert set(np.diff(starts)) == {seconds * SECOND}
        assert all(len(bars.times) == len(bars.close) <= rows for bars in mine)
        assert max(len(bars.times) for bars in mine) == rows
        assert all(bars.end == int(bars.times[-1]) + seconds * SECOND <= bars.now for bars in mine)


def test_a_window_does_not_change_once_it_is_handed_over():
    found, engine = heard(Tap({1: 10}, NAMES))
    by_start = {}
    for bars in found:
        for row, start in enumerate(bars.times.tolist()):
            values = bars.close[row].tobytes()
            assert by_start.setdefault(start, values) == values  # without late reports no bar is revised
    last = engine.columns.window(1, 10)
    assert not any(np.shares_memory(found[-1].close, array) for array in (last.close, last.open))
    assert min(by_start) >= START


def test_only_the_symbols_asked_for_come_in_their_order():
    found, engine = heard(Tap({5: 4}, ["CCC", "AAA"]))
    assert {bars.names for bars in found if len(bars.names) == 2} == {("CCC", "AAA")}
    numbers = dict(zip(engine.symbols.names, range(10), strict=False))
    assert found[-1].numbers.tolist() == [numbers["CCC"], numbers["AAA"]]
    assert (found[-1].close[-1] > [21, 19]).all()  # CCC is drawn around 22 and AAA around 20
    assert found[-1].bid.tolist() == [22, 20]


def test_of_a_symbol_that_is_none_nothing_comes():
    found, _ = heard(Tap({5: 4}, ["ZZZ"]))
    assert found == []
    both, _ = heard(Tap({5: 4}, ["ZZZ", "AAA"]))
    assert {bars.names for bars in both} == {("AAA",)}


def test_reading_waits_no_longer_than_it_is_told():
    assert Tap({1: 1}, NAMES).read(0.01) is None


def test_some_of_the_symbols():
    bars = closed(X=[1, 2], Y=[3, 4], Z=[5, 6], numbers=[7, 5, 9], end=OPEN, bid=[1, 2, 3], ask=[2, 3, 4])
    some = bars.of(["Z", "nothing", "X"])
    assert (some.names, some.numbers.tolist()) == (("Z", "X"), [9, 7])
    assert (some.close.tolist(), some.bid.tolist(), some.ask.tolist()) == ([[5, 1], [6, 2]], [3, 1], [4, 2])
    assert (some.seconds, some.now, some.end) == (60, OPEN, OPEN)
    assert some.times.tolist() == [OPEN - 2 * MINUTE, OPEN - MINUTE]


@pytest.mark.parametrize(
    ("bid", "ask", "seen"),
    [
        (9.0, 11.0, Seen(10.0, 9.0, 11.0)),
        (10.0, 10.0, Seen(10.0, 10.0, 10.0)),
        (11.0, 9.0, Seen.at(10.0)),  # crossed
        (0.0, 11.0, Seen.at(10.0)),
        (np.nan, np.nan, Seen.at(10.0)),
    ],
)
def test_prices_to_trade_at_are_the_last_with_the_quote_if_it_is_one(bid, ask, seen):
    bars = closed(X=[8, 10], Y=[10, np.nan], end=OPEN, bid=[bid, 1], ask=[ask, 2])
    assert bars.seen() == {"X": seen}


def test_a_price_is_as_old_as_the_last_bar_with_a_trade():
    bars = closed(A=[1, 1, 1, 1], B=[2, 2, 2, 2], C=[3, 3, 3, 3], end=OPEN, late=2.0)
    bars.flags[2:, 1] = Flag.EMPTY | Flag.HOLE
    bars.flags[:, 2] = Flag.EMPTY
    assert {name: one.age for name, one in bars.seen().items()} == {
        "A": 2 * SECOND, "B": 2 * SECOND + 2 * MINUTE, "C": 2 * SECOND + 4 * MINUTE,
    }  # fmt: skip
