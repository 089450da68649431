"""Breaks and restarts: whatever happens to the stream or the process, the bars are in the end those of no break."""

import shutil
from functools import cache

import numpy as np
import pytest
from engine_venue import AHEAD, SECOND, START, STEP, Driver, bars_of, flags_of, payload, random_market, steps_of

from qtw_lab.live.engine import Engine
from qtw_lab.live.gaps import ATTEMPTS, REPORTED_LATE
from qtw_lab.live.journal import Journal
from qtw_lab.live.outcome import Event, Stances
from qtw_lab.live.outlets import written
from qtw_lab.live.profile import checked
from qtw_lab.live.resuming import resumed
from qtw_lab.live.rows import ROW, Flag
from qtw_lab.venues.feeds import Inbound, Kind

NAMES = ("AAA", "BBB", "CCC")


def profile(**engine):
    return checked(
        {
            "universe": {"symbols": list(NAMES), "min_price": 0, "min_dollar_volume": 0, "min_volume": 0},
            "signals": {"min_volume": 0, "max_spread_bps": 10_000},
            "engine": {"stale_seconds": 3600, **engine},
            "strategy": "momentum_threshold",
            "parameters": {"lookback": 1, "entry": 0.0005, "exit": 0.0},
        }
    )


def engine(**engine):
    return Engine(profile(**engine), calendar="24/7")


@cache
def market(seed, seconds=160, rate=1.5):
    return random_market(seed, NAMES, seconds=seconds, rate=rate)


@cache
def undisturbed(seed, until=80):
    driver = Driver(engine(), market(seed)).run(until)
    return bars_of(steps_of(driver.outcomes), driver.engine.symbols.names)


def gaps_of(driver):
    return [step.content for step in steps_of(driver.outcomes) if isinstance(step, Event) and step.kind == "gap"]


def same_bars(found, whole, until=60):
    """The bars up to then, exactly, and not one more or less; the first minute apart, which began before anything."""
    end = START + until * SECOND
    one = {key: bar for key, bar in found.items() if key[2] + key[0] * SECOND <= end and key[::2] != (60, START)}
    other = {key: bar for key, bar in whole.items() if key[2] + key[0] * SECOND <= end and key[::2] != (60, START)}
    assert one.keys() == other.keys()
    np.testing.assert_equal(one, other)


def no_decision_from_a_hole(steps, names):
    """Neither a decision nor a change of stance is made on a bar that has a hole when it is decided on."""
    holed, count = set(), 0
    for step in steps:
        if isinstance(step, np.ndarray) and step.dtype == ROW:
            for row in step[step["level"] == 5]:
                key = (int(row["symbol"]), int(row["time"]))
                (holed.add if row["flags"] & Flag.HOLE else holed.discard)(key)
        elif isinstance(step, Stances):
            for number, decision in zip(step.numbers.tolist(), step.decisions.tolist(), strict=True):
                if (number, step.time) in holed:
                    count += 1
                    assert np.isnan(decision)
        elif isinstance(step, np.ndarray):
            for row in step:
                assert (int(row["symbol"]), int(row["time"])) not in holed or row["gate"] == b"hole"
    return count


@pytest.mark.parametrize(
    ("down", "mute"),
    [
        (((20, 21),), ()),
        (((20.25, 33.5),), ()),
        (((15, 16), (17, 18), (30, 41)), ()),
        (((15, 16), (16.25, 16.5), (16.75, 17)), ()),  # it breaks again before the first gap is filled
        ((), ((25, 31),)),
        (((12, 14), (50, 58)), ((25, 31),)),
    ],
)
@pytest.mark.parametrize("seed", [1, 2])
def test_gaps_that_are_filled_leave_the_bars_of_no_gap(seed, down, mute):
    driver = Driver(engine(), market(seed), down=down, mute=mute).run(90)
    steps, names = steps_of(driver.outcomes), driver.engine.symbols.names
    same_bars(bars_of(steps, names), undisturbed(seed, 90))
    flags = flags_of(steps, names)
    assert not any(flag & Flag.HOLE for (_, _, time), flag in flags.items() if time < START + 60 * SECOND)
    states = [gap["state"] for gap in gaps_of(driver)]
    assert states.count("open") == states.count("filled") >= 1 + (len(down) + len(mute)) // 3
    assert not driver.engine.gaps.open
    first = next(gap for gap in gaps_of(driver) if gap["state"] == "filled")
    assert all(
        flag & Flag.BACKFILL
        for (level, _, time), flag in flags.items()
        if level == 1 and first["start"] <= time and time + SECOND <= first["end"]
    )


def test_bars_of_a_gap_wait_for_its_trades_and_are_then_decided_on_one_by_one():
    driver = Driver(engine(), market(3), down=((20, 28),)).run(80)
    quiet = Driver(engine(), market(3)).run(80)
    decided = [
        [(s.time, s.decisions.tolist()) for s in steps_of(d.outcomes) if isinstance(s, Stances)]
        for d in (driver, quiet)
    ]
    times = [time for time, _ in decided[0]]
    assert times == [time for time, _ in decided[1]] == sorted(set(times))
    # In the gap and ten seconds after it, what was reported late is known at once and not only later.
    apart = [(a, b) for a, b in zip(*decided, strict=True) if not START + 5 * SECOND <= a[0] < START + 40 * SECOND]
    for one, other in apart:
        np.testing.assert_equal(one, other)


def test_without_an_answer_bars_close_with_a_hole_after_a_minute_and_are_shown_anew_when_it_comes():
    venue = market(4)
    driver = Driver(engine(), venue, down=((20, 23),)).run(22.5)
    venue.fault = "no connection"
    try:
        driver.run(80, begin=22.5)
        assert driver.engine.columns.closed <= START + 20 * SECOND
        assert driver.engine.gaps.open[0].tries > 4
        driver.run(95, begin=80)
        assert driver.engine.columns.closed > START + 90 * SECOND
        steps = steps_of(driver.outcomes)
        assert no_decision_from_a_hole(steps, NAMES) > 0
        flags = flags_of(steps, driver.engine.symbols.names)
        assert all(flags[1, name, START + second * SECOND] & Flag.HOLE for name in NAMES for second in (20, 21, 22))
        assert [gap["state"] for gap in gaps_of(driver)] == ["open", "hole"]
    finally:
        venue.fault = None
    driver.run(160, begin=95)
    steps = steps_of(driver.outcomes)
    same_bars(bars_of(steps, driver.engine.symbols.names), undisturbed(4, 90))
    flags = flags_of(steps, driver.engine.symbols.names)
    assert not any(flag & Flag.HOLE for (_, _, time), flag in flags.items() if time < START + 60 * SECOND)
    assert [gap["state"] for gap in gaps_of(driver)] == ["open", "hole", "filled"]
    assert not driver.engine.gaps.open


def test_several_gaps_without_an_answer_are_each_given_up_and_none_is_forgotten():
    venue = market(5, 800)
    driver = Driver(engine(), venue, down=((20, 21), (25, 26), (30, 31))).run(20.25)
    venue.fault = "no connection"
    try:
        driver.run(790, begin=20.25)
    finally:
        venue.fault = None
    states = [(gap["state"], gap["start"]) for gap in gaps_of(driver)]
    starts = [start for state, start in states if state == "open"]
    assert len(starts) == 3
    assert [start for state, start in states if state == "hole"] == starts
    assert not driver.engine.gaps.open  # asked for in vain for so long that it is left
    told = [s.content["message"] for s in steps_of(driver.outcomes) if isinstance(s, Event) and s.kind == "warning"]
    assert sum(f"{ATTEMPTS} times in vain" in message for message in told) == 3


@pytest.mark.parametrize("asking", [True, False])
def test_where_nobody_answers_or_backfill_is_off_every_gap_is_a_hole_at_once(asking):
    one = Engine(profile(backfill=False), calendar="24/7", asking=asking)
    driver = Driver(one, market(6), down=((20, 22), (30, 33))).run(60)
    states = [gap["state"] for gap in gaps_of(driver)]
    assert states == ["open", "hole", "open", "hole"]
    assert not one.gaps.open
    steps = steps_of(driver.outcomes)
    flags = flags_of(steps, one.symbols.names)
    holed = {time for (level, _, time), flag in flags.items() if level == 1 and flag & Flag.HOLE}
    assert holed >= {START + second * SECOND for second in (20, 21, 30, 31, 32)}
    assert not {START + second * SECOND for second in (17, 25, 26, 27, 36, 37)} & holed
    assert no_decision_from_a_hole(steps, NAMES) > 0
    assert not any(outcome.questions for outcome in driver.outcomes[-100:])


def test_a_gap_of_more_than_two_minutes_is_filled_too():
    venue = random_market(7, NAMES, seconds=240, rate=0.5)
    driver = Driver(engine(), venue, down=((30, 190),)).run(270)
    quiet = Driver(engine(), venue).run(270)
    found, whole = (bars_of(steps_of(d.outcomes), d.engine.symbols.names) for d in (driver, quiet))
    same_bars(found, whole, until=240)


def test_symbols_that_enter_while_the_link_is_down_have_all_their_bars():
    venue = market(8)
    content = profile().model_dump() | {"focus": {"size": 2, "min_residence_seconds": 0, "max_churn_per_refresh": 5}}
    content["universe"] |= {"symbols": None, "max_symbols": 100, "top_n": 100}
    content["engine"] |= {"universe_refresh_seconds": 22}
    content = {
        **content,
        "universe": {**content["universe"], "score_weights": dict(content["universe"]["score_weights"])},
    }
    one = Engine(checked(content), calendar="24/7")
    driver = Driver(one, venue, down=((20, 30),)).run(18)
    assert set(one.selection.focus) == {"AAA", "BBB"}
    whole = venue._shot
    driver.venue._shot = lambda name: {} if name == "AAA" else whole(name)
    try:
        steps = steps_of(driver.run(90, begin=18).outcomes)
    finally:
        del driver.venue._shot
    assert set(one.selection.focus) == {"BBB", "CCC"}
    found, truth = bars_of(steps, one.symbols.names), undisturbed(8, 90)
    mine = {key for key in found if key[1] == "CCC" and key[0] < 60 and key[2] < START + 60 * SECOND}
    assert {key[2] for key in mine if key[0] == 1} >= {START + second * SECOND for second in range(25, 60)}
    for key in mine:
        if not flags_of(steps, one.symbols.names)[key] & Flag.EMPTY:
            np.testing.assert_equal(found[key], truth[key])
    assert not any(f & Flag.HOLE for k, f in flags_of(steps, one.symbols.names).items() if k in mine)


def test_the_past_of_symbols_that_enter_waits_while_bars_are_held():
    venue = market(8)
    rules = profile().model_dump(mode="json") | {
        "focus": {"size": 2, "min_residence_seconds": 0, "max_churn_per_refresh": 5}
    }
    rules["universe"] |= {"symbols": None, "max_symbols": 100, "top_n": 100}
    rules["engine"] |= {"universe_refresh_seconds": 22}
    one = Engine(checked(rules), calendar="24/7")
    driver = Driver(one, venue, down=((20, 21),)).run(18)
    whole, answer, answers = venue._shot, venue.answer, []

    def slow(question, now):
        """The venue does not know of the gap's trades for a while."""
        if question.urgent and now < START + 50 * SECOND:
            venue.fault = "busy"
        try:
            answers.append(question.urgent)
            return answer(question, now)
        finally:
            venue.fault = None

    venue._shot = lambda name: {} if name == "AAA" else whole(name)
    venue.answer = slow
    try:
        steps = steps_of(driver.run(100, begin=18).outcomes)
    finally:
        del venue._shot, venue.answer
    assert set(one.selection.focus) == {"BBB", "CCC"}
    window = one.columns.window(1, 300)
    assert (np.diff(window.times) > 0).all()
    found, truth = bars_of(steps, one.symbols.names), undisturbed(8, 90)
    flags = flags_of(steps, one.symbols.names)
    mine = [k for k in found if k[1] == "CCC" and k[0] < 60 and k[2] < START + 60 * SECOND]
    assert {k[2] for k in mine if k[0] == 1} >= {START + second * SECOND for second in range(25, 60)}
    for key in mine:
        if not flags[key] & Flag.EMPTY:
            np.testing.assert_equal(found[key], truth[key])


def test_trades_whose_times_cannot_be_are_fetched():
    venue, wild = market(5), random_market(5, NAMES, seconds=160)
    stream = venue.stream

    def skewed(begin, end):
        """For a second all events claim to be twenty seconds ahead."""
        if not START + 30 * SECOND < end <= START + 31 * SECOND:
            return stream(begin, end)
        some = wild.ticks[(wild.arrivals >= begin) & (wild.arrivals < end)].copy()
        some["time"] += 20 * SECOND
        return payload(some, wild.symbols) if len(some) else b""

    venue.stream = skewed
    try:
        driver = Driver(engine(), venue).run(80)
    finally:
        del venue.stream
    assert driver.engine.counts["wild"] > 0
    same_bars(bars_of(steps_of(driver.outcomes), driver.engine.symbols.names), undisturbed(5))


# --- what comes too late ------------------------------------------------------------------------------------------


def test_what_is_too_late_to_be_revised_is_asked_for_one_question_at_a_time():
    venue = random_market(9, NAMES, seconds=210, rate=0.5)
    picked = np.flatnonzero(
        (venue.ticks["kind"] == 116) & (abs(venue.ticks["time"] - START - 30 * SECOND) < 20 * SECOND)
    )[::3]
    venue.arrivals[picked] = START + 130 * SECOND  # more than a minute after they happened
    order = np.argsort(venue.arrivals, kind="stable")
    venue.ticks, venue.arrivals = venue.ticks[order], venue.arrivals[order]
    driver = Driver(engine(), venue).run(200)
    late = [
        len([q for q in o.questions if q.end - q.start <= 60 * SECOND and q.about == "trades"]) for o in driver.outcomes
    ]
    assert max(late) == 1
    assert sum(late) == 2  # spans of a minute
    on_time = random_market(9, NAMES, seconds=210, rate=0.5)
    quiet = Driver(engine(), on_time).run(200)
    found, whole = (bars_of(steps_of(d.outcomes), d.engine.symbols.names) for d in (driver, quiet))
    same_bars(found, whole, until=150)


def test_a_question_about_what_came_late_is_put_again_when_it_had_no_answer():
    venue = random_market(9, NAMES, seconds=210, rate=0.5)
    picked = np.flatnonzero(
        (venue.ticks["kind"] == 116) & (abs(venue.ticks["time"] - START - 30 * SECOND) < 20 * SECOND)
    )[:1]
    venue.arrivals[picked] = START + 130 * SECOND
    order = np.argsort(venue.arrivals, kind="stable")
    venue.ticks, venue.arrivals = venue.ticks[order], venue.arrivals[order]
    driver = Driver(engine(), venue).run(125)
    venue.fault = "no connection"
    driver.run(140, begin=125)
    venue.fault = None
    driver.run(200, begin=140)
    quiet = Driver(engine(), random_market(9, NAMES, seconds=210, rate=0.5)).run(200)
    found, whole = (bars_of(steps_of(d.outcomes), d.engine.symbols.names) for d in (driver, quiet))
    same_bars(found, whole, until=150)


# --- restart ------------------------------------------------------------------------------------------------------


def journalled(seed, folder, until=80):
    """A run with a journal, and how long that was after each thing that came in."""
    driver = Driver(engine(), market(seed))
    sizes = []
    with Journal(folder, sync_seconds=None) as journal:
        for now in range(START + STEP, START + until * SECOND + 1, STEP):
            for one in driver._things(now):
                driver.give(one)
                journal.write_symbols(one.received, driver.engine.symbols.names)
                for step in driver.outcomes[-1].steps:
                    written(journal, one.received, step)
                journal.flush()
                sizes.append((now, next(folder.glob("*.log")).stat().st_size))
    return driver, sizes


def cut(folder, size, target):
    """The journal as a crash left it after so many bytes."""
    shutil.copytree(folder, target)
    with next(target.glob("*.log")).open("r+b") as file:
        file.truncate(size)


def restarts(count, seed, tmp_path):
    whole = undisturbed(seed, 80)
    folder = tmp_path / "journal"
    _, sizes = journalled(seed, folder)
    rng = np.random.default_rng(seed)
    # Before the first bars are written a restart is a first start, a little later.
    first = next(place for place, (moment, _) in enumerate(sizes) if moment >= START + 7 * SECOND)
    for trial in range(count):
        place = int(rng.integers(first, len(sizes) - 90))
        moment, size = sizes[place]
        torn = int(rng.integers(0, 300)) * int(rng.integers(0, 2))
        target = tmp_path / f"cut{trial}"
        cut(folder, max(sizes[0][1], size - torn), target)
        one_restart(target, seed, (moment - START) / SECOND, float(rng.choice([0.25, 1, 3, 9.5])), whole)
        shutil.rmtree(target)


def one_restart(folder, seed, at, pause, whole):
    """Dead from `at` for `pause` seconds; what both runs wrote together has every bar once, and right."""
    with Journal(folder, sync_seconds=None) as journal:
        was = resumed(folder, 300)
        before = [entry.content for entry in journal.read() if getattr(entry.content, "dtype", None) == ROW]
    again = Engine(profile(), calendar="24/7", resumed=was)
    driver = Driver(again, market(seed), delay=2)
    begin = min(round((at + pause) * 4) / 4, 55)
    driver.take_up(START + int(begin * SECOND))
    driver.run(90, begin=begin)
    steps = [*before, *steps_of(driver.outcomes)]
    found = bars_of(steps, again.symbols.names)
    same_bars(found, whole, until=60)
    assert not again.gaps.open


def test_a_restart_at_any_place_gives_every_bar_once_and_right(tmp_path):
    restarts(8, 21, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [21, 22, 23, 24])
def test_two_hundred_restarts(seed, tmp_path):
    restarts(50, seed, tmp_path)


def test_a_decision_that_was_not_written_down_any_more_is_made_again(tmp_path):
    """The journal ends after the bar and before what was decided on it."""
    folder = tmp_path / "journal"
    driver = Driver(engine(), market(25))
    with Journal(folder, sync_seconds=None) as journal:
        driver.run(30)
        journal.write_symbols(0, driver.engine.symbols.names)
        steps = steps_of(driver.outcomes)
        last = max(place for place, step in enumerate(steps) if isinstance(step, Stances))
        for step in steps[:last]:
            written(journal, 1, step)
    again = Engine(profile(), calendar="24/7", resumed=resumed(folder))
    second = Driver(again, market(25))
    second.take_up(START + 31 * SECOND)
    second.run(40, begin=31)
    first = next(step for step in steps_of(second.outcomes) if isinstance(step, Stances))
    assert first.time == steps[last].time
    np.testing.assert_equal(
        dict(zip(first.numbers.tolist(), first.decisions.tolist(), strict=True)),
        dict(zip(steps[last].numbers.tolist(), steps[last].decisions.tolist(), strict=True)),
    )


def test_members_of_the_focus_without_bars_start_anew_after_a_restart(tmp_path):
    folder = tmp_path / "journal"
    driver = Driver(engine(), market(26))
    with Journal(folder, sync_seconds=None) as journal:
        driver.run(1.5)
        journal.write_symbols(0, driver.engine.symbols.names)
        for step in steps_of(driver.outcomes):
            written(journal, 1, step)
    was = resumed(folder)
    assert was.standing.focus
    assert not any(len(rows) for rows in was.rows.values())
    again = Engine(profile(), calendar="24/7", resumed=was)
    second = Driver(again, market(26))
    second.take_up(START + 3 * SECOND)
    second.run(30, begin=3)
    assert len(again.columns.window(5, 3).numbers) == 3
    assert not (again.columns.window(5, 3).flags & Flag.HOLE).any()


def test_after_a_long_stop_only_what_a_window_shows_is_fetched(tmp_path):
    folder = tmp_path / "journal"
    driver = Driver(engine(), market(27))
    with Journal(folder, sync_seconds=None) as journal:
        driver.run(30)
        journal.write_symbols(0, driver.engine.symbols.names)
        for step in steps_of(driver.outcomes):
            written(journal, 1, step)
    venue = random_market(28, NAMES, seconds=60)
    for name in ("time",):
        venue.ticks[name] += 86_400 * SECOND
    venue.arrivals += 86_400 * SECOND
    again = Engine(profile(), calendar="24/7", resumed=resumed(folder))
    second = Driver(again, venue)
    second.take_up(START + 86_400 * SECOND)
    second.run(86_430, begin=86_400)
    asked = [q for o in second.outcomes for q in o.questions if q.about == "trades"]
    assert {q.end - q.start for q in asked} <= {1500 * SECOND + REPORTED_LATE, 60 * SECOND}
    assert [gap["state"] for gap in gaps_of(second)] == ["open", "hole", "open", "filled"]
    assert again.columns.closed >= START + 86_428 * SECOND
    beat = Inbound(START + 86_440 * SECOND + AHEAD, Kind.BEAT)
    again.take(beat)
