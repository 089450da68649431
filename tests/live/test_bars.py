from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from qtw_lab.core import DataError
from qtw_lab.live.bars import BarColumns, warm
from qtw_lab.live.rows import ROW, Flag
from qtw_lab.venues.ticks import CANCEL, CORRECTION, QUOTE, STATUS, TICK, TRADE, condition_mask

if "slow_bars" not in sys.modules:
    _spec = importlib.util.spec_from_file_location("slow_bars", Path(__file__).with_name("slow_bars.py"))
    sys.modules["slow_bars"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["slow_bars"])
slow = sys.modules["slow_bars"]

SECOND = 10**9
START = 1_704_205_800 * SECOND


def tick(kind, seconds, price=10.0, size=100.0, *, symbol=0, number=0, **others):
    made = np.zeros(1, dtype=TICK)
    made["kind"], made["time"], made["price"], made["size"] = kind, START + round(seconds * SECOND), price, size
    made["symbol"], made["id"], made["exchange"], made["tape"] = symbol, number, ord("V"), ord("C")
    for name, value in others.items():
        made[name] = value
    return made


def trade(seconds, price=10.0, size=100.0, **others):
    return tick(TRADE, seconds, price, size, **others)


def at(seconds):
    return START + round(seconds * SECOND)


def made(intervals=(1, 5), symbols=(0,), since=0.0, **options):
    bars = BarColumns(intervals, **{"rows": 400, "kept": 1024, **options})
    bars.active(symbols, at(since))
    return bars


def rows_of(arrays, level=1, symbol=0):
    rows = np.concatenate([np.zeros(0, dtype=ROW), *arrays])
    return rows[(rows["level"] == level) & (rows["symbol"] == symbol)]


def seconds_of(rows):
    return ((rows["time"] - START) // SECOND).tolist()


def test_levels_close_in_order_of_their_ends_shortest_first():
    bars = made((1, 2, 4))
    closed = [(int(a["level"][0]), seconds_of(a)[0]) for a in bars.advance(at(4))]
    assert closed == [(1, 0), (1, 1), (2, 0), (1, 2), (1, 3), (2, 2), (4, 0)]


def test_a_watermark_inside_a_bar_leaves_it_open_and_one_that_falls_changes_nothing():
    bars = made()
    assert seconds_of(rows_of(bars.advance(at(1.999)))) == [0]
    assert bars.advance(at(0.5)) == []
    assert seconds_of(rows_of(bars.advance(at(2)))) == [1]


def test_the_quote_of_a_bar_is_the_last_before_its_end_and_is_carried_on():
    bars = made()
    bars.add(np.concatenate([
        tick(QUOTE, 0.2, 9.9, other_price=10.1), tick(QUOTE, 0.9, 9.8, other_price=10.2),
        tick(QUOTE, 0.5, 1.0, other_price=2.0), tick(QUOTE, 1.0, 9.7, other_price=0.0),
    ]))  # fmt: skip
    rows = rows_of(bars.advance(at(3)))
    assert rows["bid"].tolist() == [9.8, 9.7, 9.7]
    np.testing.assert_array_equal(rows["ask"], [10.2, np.nan, np.nan])
    window = bars.window(1, 2)
    assert window.bid.tolist() == [9.7]


def test_a_symbol_is_halted_from_its_halt_until_it_is_resumed_or_trades():
    bars = made(symbols=(0, 1))
    bars.add(np.concatenate([
        tick(STATUS, 1.5, np.nan, np.nan, flag=ord("H")), tick(STATUS, 3.5, np.nan, np.nan, flag=ord("T")),
        tick(STATUS, 1.5, np.nan, np.nan, symbol=1, flag=ord("2")), trade(2.5, symbol=1),
    ]))  # fmt: skip
    closed = bars.advance(at(5))
    for symbol, halted in ((0, [0, 1, 1, 1, 0]), (1, [0, 1, 1, 0, 0])):
        flags = rows_of(closed, symbol=symbol)["flags"]
        assert ((flags & int(Flag.HALTED)) > 0).astype(int).tolist() == halted
        assert rows_of(closed, 5, symbol)["flags"][0] & int(Flag.HALTED)


def test_an_empty_bar_repeats_the_last_price_or_has_none_and_counts_volume_that_sets_no_price():
    odd_lot = {"conditions": condition_mask("I")}
    for empty, price in (("carry", 10.0), ("hole", np.nan)):
        bars = made(empty=empty)
        bars.add(np.concatenate([trade(0.5), trade(1.5, 12.0, 7, **odd_lot)]))
        row = rows_of(bars.advance(at(2)))[1]
        np.testing.assert_array_equal([row[name] for name in ("open", "high", "low", "close")], [price] * 4)
        assert (row["volume"], row["count"], row["flags"]) == (7.0, 1, int(Flag.EMPTY))


def test_a_late_trade_revises_its_bar_those_that_repeat_its_close_and_the_longer_ones():
    bars = made()
    bars.add(np.concatenate([trade(0.5, 10.0), trade(3.5, 11.0)]))
    bars.advance(at(6))
    bars.add(trade(1.5, 12.0, 50))
    rows = bars.revised()
    assert [(int(r["level"]), seconds_of(rows)[k], float(r["close"]), int(r["flags"])) for k, r in enumerate(rows)] == [
        (1, 1, 12.0, int(Flag.LATE)),
        (1, 2, 12.0, int(Flag.LATE | Flag.EMPTY)),
        (5, 0, 11.0, int(Flag.LATE)),
    ]
    assert rows["revision"].tolist() == [1, 1, 1]
    assert rows["high"][2] == 12.0
    assert rows["volume"][2] == 250.0
    assert bars.counts["late"] == 1
    assert not len(bars.revised())
    assert bars.window(1, 10).close[:, 0].tolist() == [10, 12, 12, 11, 11, 11]


def test_a_correction_and_a_cancel_of_closed_bars_revise_them():
    bars = made()
    bars.add(np.concatenate([trade(0.5, 10.0, number=1), trade(0.6, 99.0, number=2), trade(2.5, 11.0, number=3)]))
    bars.advance(at(5))
    bars.add(tick(CORRECTION, 0.6, 10.5, 30, number=2, second_id=4, other_price=99.0))
    bars.add(tick(CANCEL, 2.5, 11.0, number=3))
    rows = bars.revised()
    first = rows[(rows["level"] == 1) & (rows["time"] == START)][0]
    assert (first["high"], first["close"], first["volume"], first["flags"]) == (10.5, 10.5, 130.0, int(Flag.CORRECTED))
    longer = rows[rows["level"] == 5][0]
    assert (longer["close"], longer["volume"], longer["count"]) == (10.5, 130.0, 2)
    assert bars.window(1, 5).close[:, 0].tolist() == [10.5] * 5
    assert (bars.counts["corrected"], bars.counts["cancelled"]) == (1, 1)


def test_a_cancel_that_carries_its_own_time_finds_its_trade_before_and_after_it():
    for order in (slice(None), slice(None, None, -1)):
        bars = made()
        bars.add(np.concatenate([trade(0.5, number=7), tick(CANCEL, 2.25, number=7)][order]))
        assert rows_of(bars.advance(at(3)))["volume"].tolist() == [0.0, 0.0, 0.0]


def test_the_same_id_at_two_times_is_two_trades_and_without_an_id_nothing_is_a_duplicate():
    bars = made()
    bars.add(np.concatenate([trade(0.1, number=7), trade(0.2, number=7), trade(0.1, number=7), trade(0.3), trade(0.3)]))
    assert rows_of(bars.advance(at(1)))["volume"].tolist() == [400.0]
    assert bars.counts["duplicates"] == 1


def test_what_claims_to_come_from_the_future_or_from_before_is_counted_and_not_applied():
    bars = made()
    bars.add(
        np.concatenate([trade(5.1), trade(5.0), trade(-1), trade(0, np.nan), trade(0, 10, -5), trade(0, 0)]), at(0)
    )
    assert (bars.counts["outliers"], bars.counts["before"]) == (4, 1)
    assert rows_of(bars.advance(at(6)))["volume"].tolist() == [0, 0, 0, 0, 0, 100]


def test_a_symbol_that_is_activated_within_a_bar_has_partial_bars_first_and_nothing_before():
    bars = made(symbols=(3,))
    bars.advance(at(2))
    bars.active([900_000], at(2.5))
    bars.add(np.concatenate([trade(2.75, symbol=900_000), trade(3.5, symbol=900_000)]))
    closed = bars.advance(at(10))
    assert seconds_of(rows_of(closed, 1, 900_000)) == list(range(2, 10))
    assert (rows_of(closed, 1, 900_000)["flags"] & int(Flag.PARTIAL)).astype(bool).tolist() == [True] + [False] * 7
    assert rows_of(closed, 5, 900_000)["flags"].tolist() == [int(Flag.PARTIAL), int(Flag.EMPTY)]
    assert rows_of(closed, 5, 900_000)["volume"].tolist() == [200.0, 0.0]
    window = bars.window(1, 10)
    assert window.numbers.tolist() == [3, 900_000]
    assert np.isnan(window.close[:2, 1]).all()
    assert (window.flags[:2, 1] == int(Flag.EMPTY | Flag.HOLE)).all()


def test_symbols_that_leave_make_room_and_the_others_keep_their_bars():
    bars = made(symbols=range(5))
    bars.add(np.concatenate([trade(0.5, 10.0 + s, symbol=s) for s in range(5)]))
    bars.advance(at(1))
    bars.inactive([1, 3])
    bars.add(np.concatenate([trade(1.5, 20.0 + s, symbol=s) for s in range(5)]))
    closed = bars.advance(at(2))
    assert sorted(closed[0]["symbol"].tolist()) == [0, 2, 4]
    window = bars.window(1, 2)
    assert {n: window.close[:, k].tolist() for k, n in enumerate(window.numbers.tolist())} == {
        0: [10, 20], 2: [12, 22], 4: [14, 24],
    }  # fmt: skip
    assert bars.counts["inactive"] == 2
    bars.active([1, *range(100, 400)], at(2))
    bars.add(trade(0.75, 30.0, symbol=4))
    assert bars.revised()["symbol"].tolist() == [4]
    assert len(bars.advance(at(3))[0]) == 304


def test_a_night_without_events_has_no_bars_and_costs_no_time():
    bars = made((1, 5, 60), symbols=range(100), idle=30.0)
    bars.add(trade(0.5))
    assert len(rows_of(bars.advance(at(3 * 86_400)))) == 31
    bars.add(trade(3 * 86_400 + 10.5, 11.0))
    closed = bars.advance(at(3 * 86_400 + 12))
    assert seconds_of(rows_of(closed)) == [3 * 86_400 + 10, 3 * 86_400 + 11]
    assert rows_of(closed)["close"].tolist() == [11.0, 11.0]
    minutes = rows_of(bars.advance(at(3 * 86_400 + 60)), 60)
    assert seconds_of(minutes) == [3 * 86_400]


def test_a_trade_after_a_night_needs_no_watermark_in_between():
    """It is too far ahead for the ring: the bars before it close by themselves and come with the next watermark."""
    late = 3 * 86_400 + 10.5
    asked, unasked = made(idle=30.0), made(idle=30.0)
    for bars in (asked, unasked):
        bars.add(trade(0.5))
    closed = asked.advance(at(100))
    for bars in (asked, unasked):
        bars.add(trade(late, 11.0))
    closed += asked.advance(at(late + 1))
    other = unasked.advance(at(late + 1))
    for level in (1, 5):
        assert repr(rows_of(closed, level).tolist()) == repr(rows_of(other, level).tolist())


def test_bars_that_are_held_longer_than_patience_close_with_a_hole_and_can_be_filled_later():
    bars = made(patience=10.0, lateness=5.0)
    bars.add(trade(0.5, number=1))
    bars.hold(at(1))
    assert seconds_of(rows_of(bars.advance(at(50)))) == [0]
    bars.add(trade(60.5, 12.0, number=9))
    forced = rows_of(bars.advance(at(60)))
    assert len(forced) > 20
    assert (forced["flags"] & int(Flag.HOLE)).all()
    last = seconds_of(forced)[-1]
    gone = np.concatenate([trade(1.5, 11.0, number=2), trade(last - 0.5, 11.5, number=3), trade(59.5, 11.75, number=4)])
    bars.fill(gone, at(1), at(60))
    bars.release()
    rest = rows_of(bars.advance(at(62)))
    found = {int(r["time"]): r for r in [*forced, *rest]}
    found |= {int(r["time"]): r for r in rows_of([bars.revised()])}
    close = [float(found[at(s)]["close"]) for s in range(1, 62)]
    assert close == [11.0] * (last - 2) + [11.5] * (60 - last) + [11.75, 12.0, 12.0]
    assert not any(found[at(s)]["flags"] & int(Flag.HOLE) for s in range(1, 60))
    assert all(found[at(s)]["flags"] & int(Flag.BACKFILL) for s in range(1, 60))


def test_a_span_that_is_made_anew_has_only_the_trades_that_are_given_though_others_are_remembered():
    bars = made()
    bars.add(np.concatenate([trade(0.5, 10.0, number=1), trade(1.5, 99.0, number=2), trade(2.5, 12.0, number=3)]))
    bars.advance(at(4))
    bars.fill(np.concatenate([trade(1.25, 11.0, number=2), trade(2.5, 12.0, number=3)]), at(1), at(3), anew=True)
    found = {int(row["time"] - START) // SECOND: row for row in rows_of([bars.revised()])}
    assert [float(found[second]["close"]) for second in (1, 2)] == [11.0, 12.0]
    assert [int(found[second]["count"]) for second in (1, 2)] == [1, 1]
    bars.add(tick(CANCEL, 2.5, number=3))  # what was entered anew is remembered as before
    bars.add(trade(1.25, 11.0, number=2))
    after = rows_of([bars.revised()])
    assert seconds_of(after) == [2, 3]
    assert after["close"].tolist() == [11.0, 11.0]


def test_a_span_of_the_past_that_begins_within_a_bar_carries_that_bars_price():
    bars = made(lateness=2.0)
    bars.add(np.concatenate([trade(3.5, 10.0, number=1), trade(4.25, 11.0, number=2), trade(8.5, 12.0, number=3)]))
    bars.advance(at(20))
    bars.fill(np.concatenate([trade(6.5, 11.5, number=4), trade(8.5, 12.0, number=3)]), at(4.5), at(10))
    found = {int(row["time"] - START) // SECOND: float(row["close"]) for row in rows_of([bars.revised()])}
    assert [found[second] for second in range(5, 10)] == [11.0, 11.5, 11.5, 12.0, 12.0]
    assert found.get(4, 11.0) == 11.0


def test_a_price_from_long_before_a_symbol_came_is_not_carried_past_later_trades():
    bars = made(lateness=5.0)
    bars.add(trade(0.5, number=1))
    bars.advance(at(37))
    bars.active([1], at(37))
    bars.advance(at(40))
    before = np.concatenate([trade(32.5, 10.0, symbol=1, number=2), trade(35.5, 11.0, symbol=1, number=3)])
    bars.fill(np.concatenate([before, trade(39.5, 12.0, symbol=1, number=4)]), at(30), at(40), [1])
    found = {time: row for row in rows_of([bars.revised()], symbol=1) for time in seconds_of(np.array([row]))}
    assert np.isnan([found[second]["close"] for second in (37, 38)]).all()  # not 10.0, which was no longer the last
    assert found[39]["close"] == 12.0


def test_what_is_too_late_is_named_asked_for_and_put_in_its_place():
    bars = made((1, 5), lateness=5.0)
    bars.add(np.concatenate([trade(1.5, 10.0, number=1), trade(40.5, 11.0, number=2)]))
    bars.advance(at(42))
    bars.add(trade(2.5, 10.5, number=3))
    assert bars.counts["beyond"] == 1
    (place,) = bars.beyond().tolist()
    assert place == (0, at(0), at(5))
    assert not len(bars.beyond())
    bars.fill(np.concatenate([trade(1.5, 10.0, number=1), trade(2.5, 10.5, number=3)]), place[1], place[2], [0])
    rows = bars.revised()
    longer = rows[rows["level"] == 5][0]
    assert (longer["open"], longer["close"], longer["volume"], longer["revision"]) == (10.0, 10.5, 200.0, 1)
    assert longer["flags"] == int(Flag.BACKFILL)
    assert bars.window(5, 100).close[0, 0] == 10.5
    assert bars.window(1, 100).close[:5, 0].tolist()[1:] == [10.0, 10.5, 10.5, 10.5]


def test_a_long_session_goes_round_every_ring_and_equals_the_bars_of_the_book():
    rng = np.random.default_rng(5)
    count, span = 1500, 900
    ticks = np.concatenate([trade(0)] * count)
    ticks["time"] = START + np.sort(rng.integers(0, span * SECOND, count))
    ticks["symbol"], ticks["id"] = rng.integers(0, 2, count), np.arange(1, count + 1)
    ticks["price"], ticks["size"] = rng.integers(900, 1100, count) / 100, rng.integers(1, 300, count)
    arrival = ticks["time"] + (rng.exponential(2.0, count) * SECOND).astype(np.int64)
    order = np.argsort(arrival, kind="stable")
    bars = BarColumns((1, 5, 60, 300), rows=(40, 40, 40, 3), kept=512, lateness=60.0, patience=20.0)
    bars.active([0, 1], START)
    found = {}
    for place in np.array_split(order, 200):
        bars.add(ticks[place])
        rows = [*bars.advance(min(int(arrival[place].max()) - SECOND, at(span))), bars.revised()]
        found |= {tuple(row[["level", "symbol", "time"]].tolist()): row for array in rows for row in array}
    rows = [*bars.advance(at(span)), bars.revised()]
    found |= {tuple(row[["level", "symbol", "time"]].tolist()): row for array in rows for row in array}
    assert bars.counts["beyond"] == 0
    assert bars.counts["late"] > 200
    final = slow.final_trades(ticks)
    for level in (1, 5, 60, 300):
        book = slow.bars(final, (0, 1), level, START, at(span))
        assert {key[1:] for key in found if key[0] == level} == set(book)
        for (symbol, time), values in book.items():
            row = found[level, symbol, time]
            seen = [row[name] for name in ("open", "high", "low", "close", "volume", "vwap", "count")]
            np.testing.assert_equal([float(x) for x in seen], [float(x) for x in values[:7]])


def test_a_window_is_a_view_of_one_piece_wherever_the_ring_stands():
    bars = made(rows=7)
    for second in range(30):
        bars.add(trade(second + 0.5, 10.0 + second))
        bars.advance(at(second + 1))
        window = bars.window(1, 7)
        assert window.close[:, 0].tolist() == [10.0 + s for s in range(max(0, second - 6), second + 1)]
        assert np.diff(window.times).tolist() == [SECOND] * (len(window.times) - 1)
        assert window.close.base is not None
    assert bars.window(1, 3).close[:, 0].tolist() == [37.0, 38.0, 39.0]


def test_history_of_a_symbol_can_be_shown_beside_the_others():
    bars = made(symbols=(0, 1))
    bars.add(trade(5.5, 10.0))
    closed = bars.advance(at(7))
    history = rows_of(closed, symbol=0).copy()
    history["symbol"], history["close"] = 1, 77.0
    bars.restore(history[:3])
    window = bars.window(1, 10)
    assert window.close[:, 1].tolist()[:3] == [77.0] * 3
    assert np.isnan(window.close[3:, 1]).all()
    assert window.close[5:, 0].tolist() == [10.0, 10.0]
    bars.add(trade(6.5, 11.0))
    assert bars.revised()["close"].tolist()[0] == 11.0
    assert bars.window(1, 1).close[0, 0] == 11.0


def test_memory_stays_as_it_is_however_long_the_session():
    bars = made((1, 5), symbols=range(20), rows=20, kept=64)
    arrays = [id(a) for a in bars._columns._arrays()]
    for second in range(600):
        bars.add(np.concatenate([trade(second + 0.5, symbol=s, number=20 * second + s + 1) for s in range(20)]))
        bars.advance(at(second + 1))
    assert [id(a) for a in bars._columns._arrays()] == arrays
    assert (bars._closed, bars._revised) == ([], [])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"intervals": (5, 12)}, "multiple"), ({"intervals": ()}, "whole seconds"), ({"rows": 0}, "rows=0"),
        ({"rows": (1, 2)}, "rows"), ({"empty": "nothing"}, "'carry' or 'hole'"), ({"kept": 1}, "kept=1"),
        ({"lateness": -1.0}, "lateness"), ({"patience": 1e9}, "patience"), ({"idle": float("nan")}, "idle"),
    ],
)  # fmt: skip
def test_parameters_out_of_bounds_are_refused(given, said):
    with pytest.raises(DataError, match=said):
        BarColumns(**given)


def test_a_length_that_is_not_made_and_foreign_rows_are_refused():
    bars = made()
    with pytest.raises(DataError, match="no bars of 60 s"):
        bars.window(60, 10)
    with pytest.raises(DataError, match="TICK"):
        bars.add(np.zeros(1, dtype=ROW))
    with pytest.raises(DataError, match="later than its start"):
        bars.fill(trade(0), at(2), at(2))


def test_kernels_can_be_compiled_before_a_session():
    """Afterwards a session with late trades, a gap and a journal compiles nothing more."""
    from qtw_lab.live import kernels_add, kernels_restore, kernels_roll

    warm()
    kernels = [kernels_add.add, kernels_roll.close_base, kernels_roll.close_upper, kernels_roll.revise_base]
    kernels += [kernels_roll.revise_upper, kernels_restore.put_back, kernels_restore.go_on]
    assert [len(kernel.signatures) for kernel in kernels] == [1] * len(kernels)


def test_rows_that_a_reader_gave_as_a_view_with_gaps_or_read_only_are_taken_too():
    bars = made()
    ticks = np.concatenate([trade(0.1), trade(0.2), trade(0.3)])
    ticks.flags.writeable = False
    bars.add(ticks[::2])
    bars.add(np.frombuffer(ticks.tobytes(), dtype=TICK))
    assert rows_of(bars.advance(at(1)))["volume"].tolist() == [500.0]


def test_minute_bars_equal_those_that_the_vendor_makes_of_the_same_trades():
    """Beside `simulator.vendor_bars`, written apart from this, with conditions, corrections and cancels."""
    from qtw_lab.venues.market import Arrivals
    from qtw_lab.venues.simulator.vendor_bars import bars_of, standing
    from qtw_lab.venues.ticks import MINUTE_BAR

    rng = np.random.default_rng(7)
    ticks = np.concatenate([trade(0)] * 600)
    ticks["time"] = START + np.sort(rng.integers(0, 300 * SECOND, 600))
    ticks["id"], ticks["symbol"] = np.arange(1, 601), rng.integers(0, 3, 600)
    ticks["price"], ticks["size"] = rng.integers(900, 1100, 600) / 100, rng.integers(1, 300, 600)
    ticks["conditions"] = [condition_mask(c) for c in rng.choice(list("@@@@IFTZ4WQ"), 600)]
    fixed = ticks[::40].copy()
    fixed["kind"], fixed["second_id"], fixed["price"] = CORRECTION, fixed["id"] + 10_000, 10.25
    fixed["other_price"], fixed["other_size"] = ticks[::40]["price"], ticks[::40]["size"]
    gone = ticks[7::50].copy()
    gone["kind"] = CANCEL
    everything = np.concatenate([ticks, fixed, gone])
    final = standing(Arrivals(everything, everything["time"]), now=at(400))
    vendor = bars_of(final, final["time"] // (60 * SECOND) * (60 * SECOND), MINUTE_BAR)
    bars = made((1, 60), symbols=range(3))
    bars.add(everything)
    ours = np.concatenate(bars.advance(at(300)))
    ours = ours[(ours["level"] == 60) & (ours["flags"] & int(Flag.EMPTY) == 0)]
    ours = ours[np.lexsort((ours["time"], ours["symbol"]))]
    assert len(vendor) == 15
    for name in ("symbol", "time", "open", "high", "low", "close", "volume", "count"):
        np.testing.assert_array_equal(ours[name], vendor[name])
    np.testing.assert_allclose(ours["vwap"], vendor["vwap"], rtol=1e-15)
