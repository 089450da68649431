"""The engine's bars beside bars by the book (slow_bars.py), for whatever order things come in."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from qtw_lab.live.bars import BarColumns
from qtw_lab.venues.ticks import CANCEL, CORRECTION, TICK, TRADE, condition_mask

_spec = importlib.util.spec_from_file_location("slow_bars", Path(__file__).with_name("slow_bars.py"))
slow = importlib.util.module_from_spec(_spec)

sys.modules["slow_bars"] = slow
_spec.loader.exec_module(slow)

SECOND = 10**9
START = 1_704_205_800 * SECOND  # a whole minute
SPAN = 12
LEVELS = (1, 2, 4)
SYMBOLS = (0, 2, 3)
CONDITIONS = [condition_mask(c) for c in ("@", "I", "T", "Z", "Q", "4", "W")]
#: Shrinking such a session takes minutes.
OPTIONS = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],
}


def row(kind, symbol, time, number, price, size, conditions=0, exchange=86, tape=67, second=0):
    made = np.zeros(1, dtype=TICK)
    for name, value in (
        ("kind", kind), ("symbol", symbol), ("time", time), ("id", number), ("price", price), ("size", size),
        ("conditions", conditions), ("exchange", exchange), ("tape", tape), ("second_id", second),
    ):  # fmt: skip
        made[name] = value
    return made


@st.composite
def trades(draw):
    """One trade; few times, prices and ids, so that they collide often."""
    return row(
        TRADE,
        draw(st.sampled_from(SYMBOLS)),
        START + draw(st.integers(0, SPAN * 4 - 1)) * SECOND // 4,
        draw(st.integers(0, 12)),
        draw(st.integers(1, 40)) / 4 + draw(st.sampled_from([0, 0.0001, 0.3333])),
        draw(st.sampled_from([1, 7, 100, 0.5, 0.000001, 33.333333, 250])),
        draw(st.sampled_from(CONDITIONS)),
        draw(st.sampled_from([68, 86])),
        draw(st.sampled_from([65, 67])),
    )


@st.composite
def sessions(draw, most=40):
    """What came in the end: trades, corrections (of corrections too), cancels and repetitions, in any order."""
    distinct = {}
    for trade in draw(st.lists(trades(), max_size=most)):
        key = tuple(trade[0][["symbol", "exchange", "id"]].tolist())
        distinct.setdefault(key if key[2] else len(distinct), trade)
    events = list(distinct.values())
    fresh = 1000
    for trade in list(events):
        if trade["id"][0] == 0:
            continue
        current = trade
        for _ in range(draw(st.sampled_from([0, 0, 0, 0, 1, 2]))):
            fresh += 1
            made = current.copy()
            made["kind"], made["second_id"] = CORRECTION, fresh
            made["price"] = draw(st.integers(1, 40)) / 4
            made["size"] = draw(st.sampled_from([1, 100, 50.25]))
            events.append(made)
            current = made.copy()
            current["id"] = fresh
        if draw(st.integers(0, 6)) == 0:
            made = draw(st.sampled_from([trade, current])).copy()
            made["kind"], made["second_id"] = CANCEL, 0
            events.append(made)
    named = [event for event in events if event["id"][0] != 0]
    events += draw(st.lists(st.sampled_from(named), max_size=10)) if named else []
    return draw(st.permutations(events))


def as_row(t):
    return row(TRADE, t.symbol, t.time, t.id, float(t.price), float(t.size), t.conditions, t.exchange, t.tape)


def together(rows):
    return np.concatenate([np.zeros(0, dtype=TICK), *rows])


def shown(row):
    return (
        *(float(row[name]) for name in ("open", "high", "low", "close", "volume", "vwap")),
        int(row["count"]),
        bool(row["flags"] & 1),
    )


class Reader:
    """Who keeps what the bars hand out."""

    def __init__(self, bars):
        self.bars, self.found, self.revision = bars, {}, {}

    def advance(self, watermark):
        for array in self.bars.advance(watermark):
            assert len(set(array["time"])) == 1
            assert len(set(array["level"])) == 1
            for row in array:
                key = (int(row["level"]), int(row["symbol"]), int(row["time"]))
                assert key not in self.found, "a bar came twice"
                self.found[key], self.revision[key] = shown(row), int(row["revision"])

    def revise(self, *, new=False):
        for row in self.bars.revised():
            key = (int(row["level"]), int(row["symbol"]), int(row["time"]))
            assert new or key in self.found
            assert row["revision"] > self.revision.get(key, 0)
            self.found[key], self.revision[key] = shown(row), int(row["revision"])


def expected(trades, levels=LEVELS, start=START, end=START + SPAN * SECOND, carry=True):
    found = {}
    for level in levels:
        for (symbol, time), values in slow.bars(trades, SYMBOLS, level, start, end, carry).items():
            found[level, symbol, time] = values
    return found


def same(one, other):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_equal(one[key], other[key], err_msg=str(key))


def same_window(bars, found, levels=LEVELS):
    for level in levels:
        window = bars.window(level, 100)
        names = ("open", "high", "low", "close", "volume")
        for t, time in enumerate(window.times.tolist()):
            for n, symbol in enumerate(window.numbers.tolist()):
                seen = [float(getattr(window, name)[t, n]) for name in names]
                np.testing.assert_equal(seen, list(found[level, symbol, time][:5]))


@st.composite
def deliveries(draw, events):
    """The events in batches, each followed by a watermark that never falls."""
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=6)))
    marks = sorted(draw(st.lists(st.integers(0, SPAN * 4), min_size=len(cuts) + 1, max_size=len(cuts) + 1)))
    pieces = [events[a:b] for a, b in zip([0, *cuts], [*cuts, len(events)], strict=True)]
    return [(together(piece), START + mark * SECOND // 4) for piece, mark in zip(pieces, marks, strict=True)]


@settings(max_examples=120, **OPTIONS)
@given(st.data(), st.sampled_from(["carry", "hole"]))
def test_any_order_repetition_batching_and_correction_gives_the_bars_of_the_final_trades(data, empty):
    events = data.draw(sessions())
    bars = BarColumns(LEVELS, rows=50, kept=256, empty=empty)
    bars.active(SYMBOLS, START)
    reader = Reader(bars)
    for ticks, watermark in data.draw(deliveries(events)):
        bars.add(ticks)
        reader.advance(watermark)
        reader.revise()
    reader.advance(START + SPAN * SECOND)
    reader.revise()
    same(reader.found, expected(slow.final_trades(together(events)), carry=empty == "carry"))
    same_window(bars, reader.found)
    assert bars.counts["beyond"] == 0
    assert bars.counts["unmatched"] == 0


def answer(bars, reader, final, places):
    """Ask for what was beyond, as the engine does by REST, until nothing is."""
    for place in places:
        some = [t for t in final if t.symbol == place["symbol"] and place["start"] <= t.time < place["end"]]
        rows = [as_row(t) for t in some]
        bars.fill(together(rows), int(place["start"]), int(place["end"]), [int(place["symbol"])])
    reader.revise()


@settings(max_examples=80, **OPTIONS)
@given(st.data(), st.sampled_from(["carry", "hole"]), st.sampled_from([4, 9]))
def test_what_was_forgotten_is_asked_for_and_then_exact(data, empty, kept):
    """So little memory that trades are forgotten all the time: what cannot be applied is named, and filled in."""
    events = data.draw(sessions())
    bars = BarColumns(LEVELS, rows=50, kept=kept, empty=empty)
    bars.active(SYMBOLS, START)
    reader, places = Reader(bars), []
    for ticks, watermark in data.draw(deliveries(events)):
        bars.add(ticks)
        reader.advance(watermark)
        places += list(bars.beyond())
    reader.advance(START + SPAN * SECOND)
    reader.revise()
    if bars.counts["unchecked"]:
        places += [(s, START, START + SPAN * SECOND) for s in SYMBOLS]
    places = [np.array(tuple(p), dtype=[("symbol", "i4"), ("start", "i8"), ("end", "i8")]) for p in places]
    answer(bars, reader, slow.final_trades(together(events)), places)
    same(reader.found, expected(slow.final_trades(together(events)), carry=empty == "carry"))


@settings(max_examples=80, **OPTIONS)
@given(st.data(), st.integers(0, SPAN * 4), st.integers(1, SPAN * 4), st.booleans())
def test_a_gap_that_is_held_and_filled_leaves_no_trace(data, begin, length, held):
    """Trades in a span never come by the stream; REST brings them, with some that the stream brought at its edges."""
    trade_list = data.draw(sessions())
    final = slow.final_trades(together(trade_list))
    stop = min(begin + length, SPAN * 4)
    gap = START + begin * SECOND // 4, START + max(stop, begin + 1) * SECOND // 4
    bars = BarColumns(LEVELS, rows=50, kept=256)
    bars.active(SYMBOLS, START)
    reader = Reader(bars)
    stream = [e for e in trade_list if not gap[0] <= e["time"][0] < gap[1]]
    if held:
        bars.hold(gap[0])
    for ticks, watermark in data.draw(deliveries(stream)):
        bars.add(ticks)
        reader.advance(watermark)
    if not held:
        bars.hole(*gap)
    rows = [as_row(t) for t in final if t.id]
    rows += [as_row(t) for t in final if not t.id and gap[0] <= t.time < gap[1]]
    bars.fill(together(rows), *gap)
    bars.release()
    reader.advance(START + SPAN * SECOND)
    reader.revise()
    same(reader.found, expected(final))
    flags = bars.window(1, 50).flags
    times = bars.window(1, 50).times
    inside = (times + SECOND > gap[0]) & (times < gap[1])
    assert ((flags[inside] & 2) == 2).all()
    assert not (flags[~inside] & 2).any()
    assert not (flags & 4).any()


@settings(max_examples=60, **OPTIONS)
@given(st.data(), st.integers(1, SPAN - 1), st.integers(0, 5))
def test_a_restart_from_the_journal_goes_on_without_a_missing_or_a_double_bar(data, stopped, lost):
    """The engine dies after a bar, its last journal entries may be lost; what came since is asked for and filled in."""
    final = slow.final_trades(together(data.draw(sessions())))
    rows = [as_row(t) for t in final]
    rows = sorted(rows, key=lambda r: int(r["time"][0]))
    first = BarColumns(LEVELS, rows=50, kept=256)
    first.active(SYMBOLS, START)
    first.add(together(rows))
    journal = first.advance(START + stopped * SECOND)
    journal = journal[: max(1, len(journal) - lost)]
    bars = BarColumns(LEVELS, rows=50, kept=256)
    reader = Reader(bars)
    for array in journal:
        for entry in array:
            reader.found[int(entry["level"]), int(entry["symbol"]), int(entry["time"])] = shown(entry)
    bars.active(SYMBOLS, START + stopped * SECOND)
    bars.restore(np.concatenate(journal))
    start, now = bars.unfinished, START + stopped * SECOND + SECOND // 2
    bars.hold(bars.closed)
    bars.add(together([r for r in rows if r["time"][0] >= now]))
    bars.fill(together([r for r in rows if start <= r["time"][0] < now]), start, now)
    bars.release()
    reader.advance(START + SPAN * SECOND)
    reader.revise(new=False)
    same(reader.found, expected(final))
    same_window(bars, reader.found)
