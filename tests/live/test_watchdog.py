"""The watchdog: a dead stream is noticed in time, and a quiet market is not taken for one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from qtw_lab.core import DataError
from qtw_lab.live.sessions import Sessions
from qtw_lab.live.watchdog import Cadence, Freshness, Watchdog

SECOND = 10**9
NYSE = Sessions("XNYS")


def local(text):
    return pd.Timestamp(text, tz="America/New_York").value


NOON = local("2026-11-24 12:00")


def dog(expected=None, **rules):
    return Watchdog(NYSE, expected or {"trades": 1.0}, **rules)


def fed(watchdog, start, seconds, step=0.1, channels=("trades",)):
    """Data on the channels every `step` seconds, and a look each second; gives the time of the last."""
    last = start
    for place in range(1, round(seconds / step) + 1):
        last = start + round(place * step * SECOND)
        for channel in channels:
            watchdog.heard(channel, last)
        if place % max(1, round(1 / step)) == 0:
            assert watchdog.check(last).state == "alive"
    return last


def alarmed(watchdog, start, until, step=0.1):
    """Seconds after `start` at which a look first finds the stream dead; None if it never does."""
    for place in range(1, round((until - start) / SECOND / step) + 1):
        now = start + round(place * step * SECOND)
        if watchdog.check(now).dead:
            return (now - start) / SECOND
    return None


def test_a_mute_stream_is_noticed_within_twice_the_expected_cadence():
    watchdog = dog()
    watchdog.watch(["trades"], NOON)
    last = fed(watchdog, NOON, 30)
    assert alarmed(watchdog, last, last + 10 * SECOND) == pytest.approx(2.0)


def test_a_stream_that_never_begins_is_noticed_as_soon():
    watchdog = dog()
    watchdog.watch(["trades"], NOON)
    assert alarmed(watchdog, NOON, NOON + 10 * SECOND) == pytest.approx(2.0)


def test_the_alarm_names_the_channel_and_since_when():
    watchdog = dog()
    watchdog.watch(["trades"], NOON)
    last = fed(watchdog, NOON, 3)
    verdict = watchdog.check(last + 2 * SECOND)
    assert verdict.silent == {"trades": last}
    assert verdict.since == last
    assert verdict.reason == "Nothing came on trades for 2.0 s."


def test_one_silent_channel_among_others_is_told_but_does_not_end_the_link():
    watchdog = dog({"trades": 1.0, "quotes": 1.0})
    watchdog.watch(["trades", "quotes"], NOON)
    last = fed(watchdog, NOON, 5, channels=("trades", "quotes"))
    for place in range(1, 31):
        watchdog.heard("quotes", last + place * SECOND // 10)
        watchdog.check(last + place * SECOND // 10)
    verdict = watchdog.check(last + 3 * SECOND)
    assert (verdict.state, verdict.dead, verdict.since) == ("partly silent", False, None)
    assert verdict.silent == {"trades": last}


def test_a_channel_of_minute_bars_is_given_its_two_minutes():
    watchdog = dog({"trades": 1.0, "bars": 60.0})
    watchdog.watch(["bars"], NOON)
    assert alarmed(watchdog, NOON, NOON + 200 * SECOND, step=1.0) == pytest.approx(120.0)


def test_a_thin_market_teaches_patience_and_a_busy_one_takes_it_back():
    watchdog = dog()
    watchdog.watch(["trades"], NOON)
    now = NOON
    for _ in range(20):
        now += round(1.9 * SECOND)
        watchdog.heard("trades", now)
        assert not watchdog.check(now).dead
    assert alarmed(watchdog, now, now + 10 * SECOND) == pytest.approx(3.8)
    watchdog.watch(["trades"], now + 4 * SECOND)
    last = fed(watchdog, now + 4 * SECOND, 310)
    assert alarmed(watchdog, last, last + 10 * SECOND) == pytest.approx(2.0)


def test_patience_has_an_end():
    watchdog = dog(patience=5.0)
    watchdog.watch(["trades"], NOON)
    watchdog.check(NOON + 1 * SECOND)
    watchdog.heard("trades", NOON + 60 * SECOND)
    watchdog.check(NOON + 60 * SECOND)
    assert alarmed(watchdog, NOON + 60 * SECOND, NOON + 100 * SECOND) == pytest.approx(10.0)


def test_a_pause_that_nobody_watched_teaches_nothing():
    watchdog = dog(patience=50.0)
    watchdog.watch(["trades"], NOON)
    watchdog.heard("trades", NOON)
    watchdog.check(NOON)
    watchdog.heard("trades", NOON + 20 * SECOND)  # the reader itself stood still
    watchdog.check(NOON + 20 * SECOND)
    assert alarmed(watchdog, NOON + 20 * SECOND, NOON + 100 * SECOND) == pytest.approx(2.0)


def test_links_made_in_vain_are_made_less_and_less_often():
    watchdog, now, waits = dog(), NOON, []
    for _ in range(7):
        watchdog.watch(["trades"], now)
        wait = alarmed(watchdog, now, now + 60 * SECOND)
        waits.append(round(wait))
        now += round((wait + 1) * SECOND)
    assert waits == [2, 2, 4, 8, 16, 20, 20]
    watchdog.watch(["trades"], now)
    watchdog.heard("trades", now + SECOND // 2)
    assert alarmed(watchdog, now + SECOND // 2, now + 60 * SECOND) == pytest.approx(2.0)


def test_no_alarm_outside_the_session():
    watchdog = dog()
    watchdog.watch(["trades"], local("2026-11-27 12:59"))
    last = fed(watchdog, local("2026-11-27 12:59"), 59)
    for hours in range(1, 68):
        verdict = watchdog.check(last + hours * 3600 * SECOND)
        assert verdict.state == "idle"
    assert "closed" in verdict.reason


def test_silence_counts_from_the_opening_and_not_from_the_evening_before():
    watchdog = dog()
    watchdog.watch(["trades"], local("2026-11-24 15:59"))
    fed(watchdog, local("2026-11-24 15:59"), 50)
    morning = local("2026-11-25 09:30")
    watchdog.check(morning - SECOND)
    assert watchdog.check(morning + SECOND).state == "alive"
    assert alarmed(watchdog, morning + SECOND, morning + 9 * SECOND) == pytest.approx(1.0)


def test_extended_hours_are_watched_on_request_with_more_patience():
    early = local("2026-11-24 08:00")
    watchdog = dog(extended=True)
    watchdog.watch(["trades"], early)
    assert alarmed(watchdog, early, early + 60 * SECOND) == pytest.approx(20.0)
    plain = dog()
    plain.watch(["trades"], early)
    assert plain.check(early + 60 * SECOND).state == "idle"


def test_no_alarm_in_a_halt_of_the_whole_market_nor_right_after():
    watchdog = dog()
    watchdog.watch(["trades"], NOON)
    last = fed(watchdog, NOON, 5)
    watchdog.halt(last, halted=True)
    for second in range(1, 901):
        assert watchdog.check(last + second * SECOND).state == "idle"
    resumed = last + 901 * SECOND
    watchdog.halt(resumed, halted=False)
    assert watchdog.check(resumed + SECOND).state == "alive"
    assert alarmed(watchdog, resumed, resumed + 10 * SECOND) == pytest.approx(2.0)


def test_the_pause_of_a_halt_teaches_no_patience():
    watchdog = dog()
    watchdog.watch(["trades"], NOON)
    last = fed(watchdog, NOON, 5)
    watchdog.halt(last, halted=True)
    watchdog.halt(last + 60 * SECOND, halted=False)
    watchdog.heard("trades", last + 61 * SECOND)
    watchdog.check(last + 61 * SECOND)
    assert alarmed(watchdog, last + 61 * SECOND, last + 90 * SECOND) == pytest.approx(2.0)


def test_nothing_is_expected_of_a_link_that_is_down_or_has_no_subscription():
    watchdog = dog()
    assert watchdog.check(NOON).state == "idle"
    watchdog.watch(["trades"], NOON)
    watchdog.down()
    assert watchdog.check(NOON + 100 * SECOND).state == "idle"


def test_a_pause_of_the_engine_is_not_blamed_on_the_stream():
    watchdog = dog()
    watchdog.watch(["trades"], NOON)
    last = fed(watchdog, NOON, 5)
    woken = last + 30 * SECOND
    assert watchdog.check(woken).state == "alive"
    assert alarmed(watchdog, woken, woken + 10 * SECOND) == pytest.approx(2.0)


def test_an_engine_that_looks_too_rarely_still_finds_out():
    watchdog = dog()
    watchdog.watch(["trades"], NOON)
    last = fed(watchdog, NOON, 5)
    assert [watchdog.check(last + seconds * SECOND).state for seconds in (5, 10, 15)] == ["alive", "silent", "silent"]


def test_a_clock_that_went_back_is_no_alarm():
    watchdog = dog()
    watchdog.watch(["trades"], NOON)
    last = fed(watchdog, NOON, 5)
    watchdog.heard("trades", last - 3600 * SECOND)
    assert watchdog.check(last - 3600 * SECOND).state == "alive"


def test_what_came_is_counted_by_channel_even_where_nothing_is_expected():
    watchdog = dog({"trades": 1.0, "bars": 60.0})
    watchdog.watch(["trades"], NOON)
    watchdog.heard("trades", NOON, 5)
    watchdog.heard("trades", NOON + 1, 2)
    watchdog.heard("statuses", NOON)
    assert watchdog.counts == {"trades": 7, "bars": 0, "statuses": 1}


def test_a_channel_without_a_cadence_cannot_be_watched():
    with pytest.raises(DataError, match="Did you mean 'trades'"):
        dog().watch(["trade"], NOON)
    with pytest.raises(DataError, match="at least one channel"):
        Watchdog(NYSE, {})


@pytest.mark.parametrize(("expected", "cap"), [(0.0, 1.0), (2.0, 1.0), (1.0, float("inf")), (float("nan"), 1.0)])
def test_an_impossible_cadence_is_refused(expected, cap):
    with pytest.raises(DataError, match="A cadence needs"):
        Cadence(expected, cap)


@settings(max_examples=50, deadline=None)
@given(seed=some.integers(0, 2**32 - 1), rate=some.sampled_from([2.0, 5.0, 20.0, 200.0]))
def test_random_arrivals_are_rarely_and_a_following_outage_always_an_alarm(seed, rate):
    rng = np.random.default_rng(seed)
    events = NOON + np.cumsum(rng.exponential(1 / rate, round(rate * 120)) * SECOND).astype(np.int64)
    watchdog, alarms, place = dog(), 0, 0
    watchdog.watch(["trades"], NOON)
    for now in range(NOON, int(events[-1]), SECOND // 4):
        while place < len(events) and events[place] <= now:
            watchdog.heard("trades", int(events[place]))
            place += 1
        if watchdog.check(now).dead:
            alarms += 1
            watchdog.watch(["trades"], now)
    assert alarms <= (6 if rate < 5 else 0)
    last = int(events[-1])
    watchdog.heard("trades", last)
    found = alarmed(watchdog, last, last + 60 * SECOND)
    assert found is not None
    assert found <= (20.0 if rate < 5 else 4.0)


def test_each_symbol_has_an_age_of_its_own():
    fresh = Freshness()
    assert fresh.ages(np.array([5]), 9).tolist() == [np.inf]
    fresh.heard(np.array([5, 5000, 5]), np.array([3, 7, 2]) * SECOND)
    fresh.heard(np.array([], dtype=np.int32), np.array([], dtype=np.int64))
    assert fresh.ages(np.array([5, 6, 5000, 9000]), 10 * SECOND).tolist() == [7.0, np.inf, 3.0, np.inf]
    assert fresh.last(np.array([5000, 1])).tolist() == [7 * SECOND, -1]
