"""What becomes due and what was missed, on paper and for laptops that are closed at random."""

import random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.data.calendars import sessions
from qtw_lab.runs.schedule.occurrences import Occurrence
from qtw_lab.runs.schedule.planning import MOST, Policy, due_times, plan, readiness, retry_at
from qtw_lab.runs.schedule.triggers import Interval, read_trigger

HOUR = pd.Timedelta(hours=1)
NOON = pd.Timestamp("2024-01-02 12:00", tz="UTC")
HOURLY = Interval.read("every 1h", sessions)
GRACE = pd.Timedelta(minutes=5)


def states(made) -> list[tuple[int, str]]:
    """Hour and state of each new occurrence."""
    return [(one.due.hour, one.state) for one in made.new]


def waits(number: int, due: pd.Timestamp, attempts: int = 0) -> Occurrence:
    return Occurrence(number, "night", due, "waiting", "it broke" if attempts else None, attempts)


def test_what_is_due_in_time_waits_to_be_run_under_every_policy():
    for missed in ("skip", "once", "all"):
        made = plan(HOURLY, Policy(missed, GRACE), NOON, (), NOON + HOUR + GRACE)
        assert states(made) == [(13, "waiting")]
        assert made.until == NOON + HOUR + GRACE


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("skip", [(13, "missed"), (14, "missed"), (15, "missed")]),
        ("once", [(13, "missed"), (14, "missed"), (15, "waiting")]),
        ("all", [(13, "waiting"), (14, "waiting"), (15, "waiting")]),
    ],
)
def test_three_hours_asleep_are_left_out_made_up_for_by_one_run_or_all_run(missed, expected):
    assert states(plan(HOURLY, Policy(missed, GRACE), NOON, (), NOON + 3.5 * HOUR)) == expected


def test_up_to_the_grace_it_is_in_time_and_a_moment_later_it_is_not():
    for late, state in ((GRACE, "waiting"), (GRACE + pd.Timedelta(1, unit="ns"), "missed")):
        assert states(plan(HOURLY, Policy("skip", GRACE), NOON, (), NOON + HOUR + late)) == [(13, state)]


def test_after_a_long_sleep_the_one_that_is_in_time_is_run_though_the_others_are_skipped():
    made = plan(HOURLY, Policy("skip", GRACE), NOON, (), NOON + 3 * HOUR + GRACE)
    assert states(made) == [(13, "missed"), (14, "missed"), (15, "waiting")]


def test_one_that_still_waits_gives_way_to_the_next_so_that_no_queue_grows():
    made = plan(HOURLY, Policy("once", GRACE), NOON, [waits(7, NOON)], NOON + HOUR)
    assert [(one.id, one.state) for one in made.dropped] == [(7, "missed")]
    assert "overtaken by the one due 2024-01-02 13:00:00" in made.dropped[0].reason


def test_one_that_waits_to_be_tried_again_and_is_overtaken_has_failed():
    made = plan(HOURLY, Policy("skip", GRACE), NOON, [waits(7, NOON, attempts=1)], NOON + HOUR)
    assert [(one.id, one.state) for one in made.dropped] == [(7, "failed")]
    assert made.dropped[0].reason.startswith("it broke (overtaken by")


def test_where_all_are_run_they_queue():
    made = plan(HOURLY, Policy("all", GRACE), NOON, [waits(7, NOON)], NOON + HOUR)
    assert (states(made), made.dropped) == ([(13, "waiting")], ())


def test_one_that_waited_while_everybody_was_away_was_missed_if_missed_ones_are_skipped():
    late = NOON + pd.Timedelta(minutes=50)
    assert plan(HOURLY, Policy("skip", GRACE), NOON, [waits(7, NOON)], late).dropped[0].state == "missed"
    assert plan(HOURLY, Policy("once", GRACE), NOON, [waits(7, NOON)], late).dropped == ()


def test_one_that_waited_for_a_free_place_while_time_was_kept_is_still_run():
    late = NOON + pd.Timedelta(minutes=50)
    looked = late - pd.Timedelta(seconds=1)
    assert plan(HOURLY, Policy("skip", GRACE), looked, [waits(7, NOON)], late).dropped == ()


def test_a_clock_that_is_set_back_changes_nothing():
    made = plan(HOURLY, Policy("all", GRACE), NOON, (), NOON - HOUR)
    assert (made.until, made.new) == (NOON, ())


def test_a_very_long_absence_is_worked_off_in_portions_that_lose_nothing():
    every_second = Interval.read("every 1s", sessions)
    now, until, seen = NOON + 2 * HOUR, NOON, []
    while until < now:
        made = plan(every_second, Policy("once", GRACE), until, (), now)
        assert len(made.new) <= MOST
        seen += [one.due for one in made.new]
        until = made.until
    assert seen == list(pd.date_range(NOON, now, freq="1s", inclusive="right"))


TRIGGERS = [
    read_trigger(text, keys, sessions)
    for text, keys in (
        ("close-30m", {}), ("open+5m", {"days": "last of week"}), ("close+10m", {"days": "half"}),
        ("30 2 * * *", {"timezone": "America/New_York"}), ("0 */6 * * *", {"timezone": "Europe/London"}),
        ("every 5h", {}), ("every 3h", {"between": "open..close"}),
    )
]  # fmt: skip
YEAR = pd.Timestamp("2024-01-01", tz="UTC")


def looks(seed: int) -> list[pd.Timestamp]:
    """Moments in a year at which somebody looks at the clock: now and then while awake, never while asleep."""
    chance, at, found = random.Random(seed), YEAR, []
    while at < YEAR + pd.Timedelta(days=366):
        step = chance.choice((1, 10, 100, 600))
        for _ in range(chance.randint(1, 40)):
            at += pd.Timedelta(minutes=chance.uniform(0, step))
            found.append(at)
        at += pd.Timedelta(minutes=chance.uniform(0, chance.choice((30, 60 * 24, 60 * 24 * 20))))
    return found


@given(
    st.integers(0, 2**32).map(looks),
    st.sampled_from(TRIGGERS),
    st.sampled_from(["skip", "once", "all"]),
    st.integers(0, 120),
)
def test_whenever_the_laptop_is_closed_every_due_time_is_decided_once_and_by_the_policy(
    moments, trigger, missed, grace
):
    policy, since = Policy(missed, pd.Timedelta(minutes=grace)), YEAR
    kept: dict[pd.Timestamp, str] = {}
    looked: dict[pd.Timestamp, pd.Timestamp] = {}
    for now in moments:
        made = plan(trigger, policy, since, (), now)
        for one in made.new:
            assert one.due not in kept
            kept[one.due], looked[one.due] = one.state, now
        since = made.until
    expected = list(due_times(trigger, YEAR, moments[-1]))
    assert sorted(kept) == expected
    newest_of = {now: due for due, now in sorted(looked.items())}
    for due, state in kept.items():
        newest = newest_of[looked[due]]
        in_time = looked[due] - due <= policy.grace
        assert (
            state
            == {
                "all": "waiting",
                "once": "waiting" if due == newest else "missed",
                "skip": "waiting" if in_time and due == newest else "missed",
            }[missed]
        )


def needed(state: str, **more: object) -> dict[str, Occurrence]:
    return {"data": Occurrence(1, "data", NOON, state, **more)}


def test_an_occurrence_goes_when_what_it_depends_on_went_well():
    assert readiness({}).go
    assert readiness(needed("ok")).go


@pytest.mark.parametrize("state", ["waiting", "running"])
def test_it_waits_while_that_is_not_known(state):
    assert (readiness(needed(state)).go, readiness(needed(state)).never) == (False, None)


@pytest.mark.parametrize(
    ("state", "went"), [("failed", "failed"), ("skipped", "was skipped"), ("missed", "was missed")]
)
def test_it_never_goes_when_that_went_wrong(state, went):
    assert readiness(needed(state)).never == f"it depends on data of 2024-01-02 12:00:00 UTC, which {went}"


def test_one_good_and_one_bad_dependency_are_bad():
    both = {**needed("ok"), "news": None}
    assert readiness(both).never == "it depends on news, which has not been due yet"


def test_a_pause_doubles_up_to_a_day():
    minute = pd.Timedelta(minutes=1)
    pauses = [retry_at(attempt, 20, minute, NOON) - NOON for attempt in range(1, 15)]
    assert pauses[:4] == [minute, 2 * minute, 4 * minute, 8 * minute]
    assert pauses[-1] == pd.Timedelta(days=1)
    assert retry_at(1, 0, minute, NOON) is None
