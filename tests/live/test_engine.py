"""The engine: bars by the book, the same again for the same inputs, and what it does about link, focus and halts."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from engine_venue import (
    AHEAD,
    SECOND,
    START,
    STEP,
    Driver,
    as_bytes,
    bars_of,
    flags_of,
    news,
    payload,
    random_market,
    steps_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.live.engine import Engine
from qtw_lab.live.log_format import Place
from qtw_lab.live.outcome import Event, Stances
from qtw_lab.live.profile import checked
from qtw_lab.live.resuming import Resumed, Standing
from qtw_lab.live.rows import Flag
from qtw_lab.venues.feeds import Inbound, Kind
from qtw_lab.venues.ticks import STATUS, TICK, packed

_spec = importlib.util.spec_from_file_location("slow_bars", Path(__file__).with_name("slow_bars.py"))
slow = importlib.util.module_from_spec(_spec)
sys.modules["slow_bars"] = slow
_spec.loader.exec_module(slow)

NAMES = ("AAA", "BBB", "CCC", "DDD", "EEE")


def profile(names=NAMES, **engine):
    return checked(
        {
            "universe": {
                "symbols": list(names) if names else None, "min_price": 0, "min_dollar_volume": 0, "min_volume": 0,
            },
            "signals": {"min_volume": 0},
            "engine": {"stale_seconds": 3600, **engine},
        }
    )  # fmt: skip


def expected(venue, seconds, since, until, names=NAMES):
    """Bars by the book of trades that stand in the end."""
    trades = slow.final_trades(venue.ticks)
    numbers = [venue.symbols.number(name) for name in names]
    found = slow.bars(trades, numbers, seconds, since, until)
    return {(seconds, venue.symbols.names[number], time): bar for (number, time), bar in found.items()}


def first_of(steps, level=1):
    return min(int(rows["time"][0]) for rows in steps if isinstance(rows, np.ndarray) and rows["level"][0] == level)


@pytest.mark.parametrize("seed", range(6))
def test_bars_of_the_stream_are_those_of_the_final_trades_to_the_last_bit(seed):
    """Late trades, repetitions, corrections and cancels included; nobody is asked for anything."""
    venue = random_market(seed, seconds=60)
    engine = Engine(profile(), calendar="24/7", asking=False)
    steps = steps_of(Driver(engine, venue).run(85).outcomes)
    found = bars_of(steps, engine.symbols.names)
    since = first_of(steps)
    until = START + 60 * SECOND
    for level in (1, 5, 60):
        mine = {key: bar for key, bar in found.items() if key[0] == level and key[2] < until}
        np.testing.assert_equal(mine, expected(venue, level, since, until))
    assert since <= START + 5 * SECOND
    assert engine.counts["corrected"] > 0
    assert engine.counts["cancelled"] > 0
    assert engine.counts["late"] > 0
    assert engine.counts["duplicates"] > 0


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), late=st.sampled_from([0.0, 0.25, 2.0]), empty=st.sampled_from(["carry", "hole"]))
def test_whatever_the_waiting_time_and_the_rule_for_empty_bars(seed, late, empty):
    venue = random_market(seed, names=NAMES[:2], seconds=30)
    engine = Engine(profile(NAMES[:2], late_seconds=late, empty=empty), calendar="24/7", asking=False)
    steps = steps_of(Driver(engine, venue).run(50).outcomes)
    found, since, until = bars_of(steps, engine.symbols.names), first_of(steps), START + 30 * SECOND
    trades = slow.final_trades(venue.ticks)
    for level in (1, 5):
        truth = slow.bars(trades, [0, 1], level, since, until, carry=empty == "carry")
        for (number, time), bar in truth.items():
            np.testing.assert_equal(found[level, NAMES[number], time], bar)


def test_the_same_things_in_the_same_order_give_the_same_bytes():
    venue = random_market(5)
    first = Driver(Engine(profile(), calendar="24/7"), venue, down=((20, 24),), mute=((40, 50),)).run(75)
    again = Engine(profile(), calendar="24/7")
    assert len(first.came) == len(first.outcomes)
    for one, outcome in zip(first.came, first.outcomes, strict=True):
        again.take(one)
        assert as_bytes(again.outcome()) == as_bytes(outcome)


def test_an_earlier_run_without_entries_is_a_first_start():
    """The profile's symbols are numbered first and in order, whatever comes first on the stream."""
    venue = random_market(6)
    empty = Resumed(Standing(), {}, Place(0, 0))
    names = ["EEE", "AAA", "CCC"]
    one = Driver(Engine(profile(names), calendar="24/7", resumed=empty), venue).run(30)
    two = Driver(Engine(profile(names), calendar="24/7"), venue).run(30)
    assert one.engine.symbols.names[:3] == names
    assert [as_bytes(o) for o in one.outcomes] == [as_bytes(o) for o in two.outcomes]


def test_with_nobody_to_ask_the_profile_must_name_its_symbols():
    with pytest.raises(DataError, match=r"universe\.symbols"):
        Engine(profile(None), asking=False)


def test_no_decision_sees_a_later_bar():
    """Every stance stands directly after the bars it was made from, and is of the newest of them."""
    venue = random_market(7)
    steps = steps_of(Driver(Engine(profile(), calendar="24/7"), venue, down=((20, 26),)).run(70).outcomes)
    newest, decided = 0, []
    for step in steps:
        if isinstance(step, Stances):
            assert step.time == newest
            decided.append(step.time)
        elif isinstance(step, np.ndarray) and step.dtype.names[0] == "level" and "vwap" in step.dtype.names:
            newest = max(newest, int(step["time"][0])) if step["level"][0] == 5 and not step["revision"][0] else newest
    assert decided == sorted(set(decided))
    assert set(np.diff(decided)) == {5 * SECOND}


def test_a_bar_waits_for_proof_that_nothing_before_its_end_is_missing():
    """The stream is slow: the bar closes when the first later event has come, not when time is up."""
    venue = random_market(8, late=False)
    engine = Engine(profile(), calendar="24/7", asking=False)
    driver = Driver(engine, venue).run(20)
    for now in range(START + 20 * SECOND + STEP, START + 21 * SECOND + 1, STEP):
        driver.give(Inbound(now + AHEAD, Kind.BEAT))
    assert engine.columns.closed <= START + 20 * SECOND
    driver.give(Inbound(START + 21 * SECOND + AHEAD, Kind.DATA, venue.stream(START + 20 * SECOND, START + 21 * SECOND)))
    assert engine.columns.closed == START + 20 * SECOND


def test_silence_of_all_channels_is_an_alarm_within_two_seconds_and_leaves_no_gap():
    venue = random_market(9, late=False)
    driver = Driver(Engine(profile(), calendar="24/7"), venue, mute=((20.0, 24.0),))
    alarms = []
    driver.after.append(lambda now: alarms.append(now) if driver.outcomes[-1].reconnect else None)
    driver.run(60)
    assert len(alarms) == 1
    assert START + 20 * SECOND < alarms[0] <= START + int(22.5 * SECOND)
    gaps = [step.content for step in steps_of(driver.outcomes) if isinstance(step, Event) and step.kind == "gap"]
    assert [gap["state"] for gap in gaps] == ["open", "filled"]


def test_the_first_watch_begins_when_the_time_is_known():
    """A stream that is confirmed and then mute is noticed, though no event ever told the time."""
    venue = random_market(10)
    venue.ticks, venue.arrivals = venue.ticks[:0], venue.arrivals[:0]
    driver = Driver(Engine(profile(), calendar="24/7"), venue).run(12)
    assert any(outcome.reconnect for outcome in driver.outcomes)


def test_a_clock_that_is_not_told_is_asked_for_again():
    venue = random_market(11)
    engine = Engine(profile(), calendar="24/7")
    venue.fault = "out of order"
    driver = Driver(engine, venue).run(3)
    assert engine.now is None
    venue.fault = None
    driver.run(20, begin=3)
    assert engine.now == START + 20 * SECOND - SECOND // 100 or engine.now > START + 19 * SECOND
    assert engine.selection.focus


def test_news_of_the_link_that_only_warn_do_not_hide_its_state():
    engine = Engine(profile(), calendar="24/7", asking=False)
    engine.take(news(START, "up"))
    engine.take(news(START, "warning", reason="slow client"))
    assert engine.link["state"] == "up"
    told = [step.content["state"] for step in engine.outcome().steps if isinstance(step, Event) and step.kind == "link"]
    assert told == ["up", "warning"]


def test_a_refusal_for_good_is_fatal():
    engine = Engine(profile(), calendar="24/7", asking=False)
    engine.take(news(START, "fatal", reason="keys refused"))
    assert engine.outcome().fatal == "keys refused"


# --- focus --------------------------------------------------------------------------------------------------------


def test_symbols_that_enter_have_the_past_a_decision_rests_on_and_no_hole():
    venue = random_market(12, late=False)
    engine = Engine(profile(universe_refresh_seconds=3600), calendar="24/7")
    driver = Driver(engine, venue).run(10)
    since = engine.columns.closed
    steps = steps_of(driver.run(45, begin=10).outcomes)
    found, flags = bars_of(steps, engine.symbols.names), flags_of(steps, engine.symbols.names)
    until = START + 40 * SECOND
    truth = expected(venue, 1, START, until)
    assert {time for _, _, time in found} >= {START + second * SECOND for second in range(40)}
    for key, bar in truth.items():
        np.testing.assert_equal(found[key], bar, err_msg=str(key))
    assert not any(flag & Flag.HOLE for key, flag in flags.items() if key[2] < until)
    assert since > START


def test_the_past_is_asked_for_only_when_an_event_proves_that_the_venue_is_past_it():
    """A venue whose clock stands still for a moment is behind our idea of its time: its history would lack trades."""
    venue = random_market(12, late=False)
    driver = Driver(Engine(profile(), calendar="24/7"), venue).run(3)

    def asked():
        return [q for outcome in driver.outcomes for q in outcome.questions if q.about == "trades"]

    for now in range(START + 3 * SECOND + STEP, START + 6 * SECOND + 1, STEP):
        driver.give(Inbound(now + AHEAD, Kind.BEAT))
    assert driver.engine.now > START + 5.5 * SECOND
    assert not asked()
    driver.give(Inbound(START + 6 * SECOND + AHEAD, Kind.DATA, venue.stream(START + 3 * SECOND, START + 6 * SECOND)))
    assert [question.end for question in asked()] == [START + 5 * SECOND]


def test_bars_of_a_symbol_that_is_not_confirmed_have_a_hole_until_its_trades_came():
    venue = random_market(13, late=False)
    engine = Engine(profile(), calendar="24/7")
    driver = Driver(engine, venue, delay=30)  # 7.5 seconds until an answer
    steps = steps_of(driver.run(60).outcomes)
    names = engine.symbols.names
    early = [row for rows in steps if isinstance(rows, np.ndarray) and "vwap" in rows.dtype.names for row in rows]
    first = {}
    for row in early:
        first.setdefault((int(row["level"]), names[row["symbol"]], int(row["time"])), int(row["flags"]))
    assert any(flags & Flag.HOLE for flags in first.values())
    last = flags_of(steps, names)
    assert not any(flags & Flag.HOLE for flags in last.values())
    found = bars_of(steps, names)
    since = min(time for level, _, time in found if level == 5)
    for key, bar in expected(venue, 5, since, START + 50 * SECOND).items():
        np.testing.assert_equal(found[key], bar, err_msg=str(key))


def test_symbols_that_are_missing_from_the_subscription_keep_their_hole():
    venue = random_market(14)
    engine = Engine(profile(), calendar="24/7", asking=False)
    engine.take(Inbound(START + AHEAD, Kind.BEAT))
    missing = {"trades": ["EEE"], "quotes": ["EEE"]}
    engine.take(news(START, "subscribed", channels={"trades": 4, "quotes": 4}, missing=missing))
    for now in range(START + STEP, START + 20 * SECOND, STEP):
        content = venue.stream(now - STEP, now)
        engine.take(Inbound(now + AHEAD, Kind.DATA, content))
    flags = engine.columns.window(5, 3).flags[:, np.argsort(engine.columns.window(5, 3).numbers)]
    assert (flags[:, 4] & Flag.HOLE).all()
    assert not (flags[:, :4] & Flag.HOLE).any()


def test_a_symbol_that_leaves_with_a_stance_ends_it_by_a_signal():
    venue = random_market(15, late=False)
    content = {
        "universe": {"min_price": 0, "min_dollar_volume": 0, "min_volume": 0},
        "focus": {"size": 5, "min_residence_seconds": 0},
        "engine": {"stale_seconds": 3600, "universe_refresh_seconds": 20},
        "signals": {"min_volume": 0, "max_spread_bps": 10_000},
        "strategy": "buy_and_hold",
    }
    engine = Engine(checked(content), calendar="24/7")
    driver = Driver(engine, venue).run(18)
    assert engine.board.stances(np.arange(5)).tolist() == [1.0] * 5
    whole = venue._shot
    venue._shot = lambda name: {} if name == "CCC" else whole(name)
    steps = steps_of(driver.run(35, begin=18).outcomes)
    assert "CCC" not in engine.selection.focus
    signals = [row for rows in steps if isinstance(rows, np.ndarray) and "gate" in rows.dtype.names for row in rows]
    (last,) = [row for row in signals if row["gate"] == b"focus"]
    assert engine.symbols.names[last["symbol"]] == "CCC"
    assert (last["stance"], last["previous"]) == (0.0, 1.0)
    assert abs(last["price"] - 22.0) < 2


# --- halts --------------------------------------------------------------------------------------------------------


def status(symbol, time, code, reason):
    row = np.zeros(1, dtype=TICK)
    row["kind"], row["symbol"], row["time"], row["flag"], row["tape"] = STATUS, symbol, time, ord(code), ord("C")
    row["conditions"] = packed(reason)
    row["price"] = row["other_price"] = row["size"] = row["other_size"] = np.nan
    return row


def give_status(driver, now, *rows):
    driver.give(Inbound(now + AHEAD, Kind.DATA, payload(np.concatenate(rows), driver.venue.symbols)))


@pytest.mark.parametrize("reason", ["MWC1", "LUDP"])
def test_a_halt_of_everything_is_no_silence(reason):
    venue = random_market(16, seconds=20, late=False)
    driver = Driver(Engine(profile(), calendar="24/7"), venue).run(20)
    now = START + 20 * SECOND
    give_status(driver, now, *(status(symbol, now, "H", reason) for symbol in range(5)))
    count = len(driver.outcomes)
    driver.run(50, begin=20)
    assert not any(outcome.reconnect for outcome in driver.outcomes[count:])
    assert driver.engine.columns.closed >= START + 49 * SECOND  # bars close by the clock meanwhile
    later = START + 50 * SECOND
    give_status(driver, later, *(status(symbol, later, "T", "MWCQ") for symbol in range(5)))
    driver.run(56, begin=50)
    assert any(outcome.reconnect for outcome in driver.outcomes[-30:])


def test_nothing_changes_in_a_halted_symbol_until_it_trades_again():
    """Its notice of resumption is missed; a trade that sets a price tells."""
    venue = random_market(17, late=False)
    engine = Engine(profile(), calendar="24/7")
    driver = Driver(engine, venue).run(20)
    now = START + 20 * SECOND
    mine = (venue.ticks["symbol"] == 0) & (venue.arrivals >= now) & (venue.arrivals < START + 30 * SECOND)
    venue.ticks, venue.arrivals = venue.ticks[~mine], venue.arrivals[~mine]
    give_status(driver, now, status(0, now, "H", "T1"))
    steps = steps_of(driver.run(55, begin=20).outcomes)
    flags = flags_of(steps, engine.symbols.names)
    halted = {
        time for (level, name, time), flag in flags.items() if level == 1 and flag & Flag.HALTED and name == "AAA"
    }
    assert {START + second * SECOND for second in range(20, 30)} <= halted
    assert max(halted) < START + 40 * SECOND
    assert not any(flag & Flag.HALTED for (_, name, _), flag in flags.items() if name != "AAA")


def test_an_answer_that_cannot_be_read_is_a_warning_and_no_end():
    venue = random_market(18)
    engine = Engine(profile(), calendar="24/7")
    venue.trades = lambda question, now: {"AAA": [{"t": "yesterday"}]}
    driver = Driver(engine, venue, down=((20, 22),)).run(40)
    told = [s.content["message"] for s in steps_of(driver.outcomes) if isinstance(s, Event) and s.kind == "warning"]
    assert any("cannot be read" in message for message in told)


def test_the_asset_master_is_renewed_once_a_day():
    venue = random_market(19, seconds=2)
    engine = Engine(profile(), calendar="24/7", assets=[{"symbol": "AAA"}])
    driver = Driver(engine, venue).run(5)
    asked = [question.about for outcome in driver.outcomes for question in outcome.questions]
    assert asked.count("assets") == 1
    assert asked.index("snapshots") < asked.index("assets")
    assert len(engine.selection.assets) == 5
    for hour in range(1, 30):
        driver.give(Inbound(START + hour * 3600 * SECOND + AHEAD, Kind.BEAT))
        for question in driver.outcomes[-1].questions:
            driver.give(venue.answer(question, START + hour * 3600 * SECOND))
    asked = [question.about for outcome in driver.outcomes for question in outcome.questions]
    assert asked.count("assets") == 2


def test_what_is_told_can_be_written_as_json():
    driver = Driver(Engine(profile(), calendar="24/7"), random_market(20), down=((10, 12),)).run(30)
    for step in steps_of(driver.outcomes):
        if isinstance(step, Event):
            json.dumps(step.content, allow_nan=False)
