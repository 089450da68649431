"""Triggers against the calendars of `exchange_calendars` itself and against clocks worked out on paper."""

import itertools
import warnings

import exchange_calendars
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.data.calendars import sessions
from qtw_lab.runs.schedule.planning import due_times
from qtw_lab.runs.schedule.triggers import Cron, Exchange, Interval, keys_of, read_trigger

BEGIN, END = pd.Timestamp("2023-12-31 23:59:59", tz="UTC"), pd.Timestamp("2024-12-31 23:59:59", tz="UTC")
NEW_YORK = "America/New_York"


@pytest.fixture(scope="module")
def year() -> pd.DataFrame:
    """The 252 sessions of 2024 in New York, straight from the library."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.Pandas4Warning)  # the library's own use of pandas
        table = exchange_calendars.get_calendar("XNYS", start="2023-12-01", end="2025-01-31").schedule
    table = table.loc["2024-01-01":"2024-12-31"]
    assert len(table) == 252
    return table


def dues(trigger, since=BEGIN, until=END) -> list[pd.Timestamp]:
    return list(due_times(trigger, since, until))


def local(trigger, since: str, until: str, zone: str = NEW_YORK) -> list[str]:
    """Due times within a span of local time, on the clocks there."""
    found = dues(trigger, pd.Timestamp(since, tz=zone), pd.Timestamp(until, tz=zone))
    return [f"{due.tz_convert(zone):%m-%d %H:%M%z}" for due in found]


# By the sessions of an exchange


@pytest.mark.parametrize(
    ("text", "event", "minutes"),
    [
        ("open+5m", "open", 5), ("close-30m", "close", -30), ("close+10m", "close", 10), ("open", "open", 0),
        ("open-36h", "open", -2_160),
    ],
)  # fmt: skip
def test_a_year_of_sessions_is_met_to_the_minute(year, text, event, minutes):
    expected = list(year[event] + pd.Timedelta(minutes=minutes))
    found = dues(read_trigger(text, {}, sessions))
    assert [due for due in found if due <= expected[-1] and due >= expected[0]] == expected


def test_the_opening_moves_by_an_hour_when_the_clocks_do():
    trigger = Exchange.read("open+5m", sessions)
    assert dues(trigger, pd.Timestamp("2024-03-08", tz="UTC"), pd.Timestamp("2024-03-12", tz="UTC")) == [
        pd.Timestamp("2024-03-08 14:35", tz="UTC"),
        pd.Timestamp("2024-03-11 13:35", tz="UTC"),
    ]
    assert dues(trigger, pd.Timestamp("2024-11-01", tz="UTC"), pd.Timestamp("2024-11-05", tz="UTC")) == [
        pd.Timestamp("2024-11-01 13:35", tz="UTC"),
        pd.Timestamp("2024-11-04 14:35", tz="UTC"),
    ]


def test_a_half_day_follows_its_early_close():
    trigger = Exchange.read("close+10m", sessions, days="half")
    assert local(trigger, "2024-01-01", "2025-01-01") == ["07-03 13:10-0400", "11-29 13:10-0500", "12-24 13:10-0500"]
    assert len(dues(Exchange.read("close+10m", sessions, days="full"))) == 249


def test_nothing_is_due_on_a_holiday():
    holidays = ("2024-01-01", "2024-03-29", "2024-07-04", "2024-11-28", "2024-12-25")
    found = {str(due.date()) for due in dues(Exchange.read("open", sessions))}
    assert not found & set(holidays)


@pytest.mark.parametrize("period", ["week", "month"])
def test_the_first_and_the_last_session_of_a_week_or_month(year, period):
    days = year.index
    label = [day.isocalendar()[:2] if period == "week" else (day.year, day.month) for day in days]
    frame = pd.DataFrame({"label": label, "close": year["close"]})
    for which in ("first", "last"):
        expected = list(getattr(frame.groupby("label", sort=False)["close"], which)())
        found = dues(Exchange.read("close", sessions, days=f"{which} of {period}"))
        if (period, which) == ("week", "last"):
            expected = expected[:-1]  # the week of 2024-12-30 ends in 2025
        assert found == expected


def test_the_last_session_before_good_friday_is_a_thursday():
    assert local(Exchange.read("close", sessions, days="last of week"), "2024-03-25", "2024-03-31") == [
        "03-28 16:00-0400"
    ]


def test_several_kinds_of_sessions_are_joined():
    both = dues(Exchange.read("close", sessions, days=["mon", "half"]))
    assert len(both) == len(dues(Exchange.read("close", sessions, days="mon, half")))
    mondays = {due for due in both if due.day_of_week == 0}
    assert len(both) - len(mondays) == 3  # the half days: a Wednesday, a Friday and a Tuesday


def test_another_exchange_has_other_hours():
    assert local(Exchange.read("open", sessions, calendar="XLON"), "2024-04-02", "2024-04-03", "Europe/London") == [
        "04-02 08:00+0100"
    ]


def test_after_the_end_of_a_calendars_record_nothing_is_due():
    def until_june(calendar, start, end):
        if str(end) > "2024-07":
            raise DataError("beyond the record")
        return sessions(calendar, start, end)

    trigger = Exchange.read("close", until_june)
    assert trigger.after(pd.Timestamp("2024-05-31", tz="UTC")) is not None
    assert trigger.after(pd.Timestamp("2024-07-01", tz="UTC")) is None


# By cron


def test_a_time_that_the_clocks_skip_is_due_at_the_first_one_that_exists():
    trigger = Cron.read("30 2 * * *", NEW_YORK)
    assert local(trigger, "2024-03-09", "2024-03-12") == ["03-09 02:30-0500", "03-10 03:00-0400", "03-11 02:30-0400"]


def test_a_time_that_comes_twice_is_due_once():
    trigger = Cron.read("30 1 * * *", NEW_YORK)
    assert local(trigger, "2024-11-02", "2024-11-05") == ["11-02 01:30-0400", "11-03 01:30-0400", "11-04 01:30-0500"]


def test_asked_within_the_second_pass_of_a_doubled_hour_it_does_not_go_back():
    trigger = Cron.read("30 1 * * *", NEW_YORK)
    second_pass = pd.Timestamp("2024-11-03 06:15", tz="UTC")  # 01:15 again
    assert trigger.after(second_pass) == pd.Timestamp("2024-11-04 06:30", tz="UTC")


def test_what_repeats_all_day_keeps_its_distance_through_both_changes():
    trigger = Cron.read("*/30 * * * *", NEW_YORK)
    for day, count in (("2024-03-10", 46), ("2024-11-03", 50), ("2024-11-04", 48)):
        begin = pd.Timestamp(day, tz=NEW_YORK)
        found = dues(trigger, begin, begin + pd.DateOffset(days=1))
        assert len(found) == count
        assert {b - a for a, b in itertools.pairwise(found)} == {pd.Timedelta(minutes=30)}


def test_weekdays_at_six_in_the_evening_over_a_year():
    found = dues(Cron.read("0 18 * * mon-fri", NEW_YORK))
    days = pd.bdate_range("2024-01-01", "2024-12-31", tz=NEW_YORK) + pd.Timedelta(hours=18)
    assert found == [day.tz_convert("UTC") for day in days if day.tz_convert("UTC") <= END]


# At an interval


def test_an_interval_falls_on_whole_hours_whatever_the_clocks_do():
    found = dues(
        Interval.read("every 6h", sessions), pd.Timestamp("2024-03-09", tz="UTC"), pd.Timestamp("2024-03-11", tz="UTC")
    )
    assert [due.hour for due in found] == [6, 12, 18, 0] * 2


def test_an_interval_is_counted_from_its_anchor():
    trigger = Interval.read("40m", sessions, anchor="2024-01-02 09:31")
    assert trigger.after(pd.Timestamp("2024-01-02 09:31", tz="UTC")) == pd.Timestamp("2024-01-02 10:11", tz="UTC")
    assert trigger.after(pd.Timestamp("2024-01-02 08:00", tz="UTC")) == pd.Timestamp("2024-01-02 08:11", tz="UTC")


def test_an_interval_between_open_and_close_follows_half_days_and_holidays():
    trigger = Interval.read("every 30m", sessions, between="open..close")
    for day, count in (("2024-11-27", 14), ("2024-11-28", 0), ("2024-11-29", 8), ("2024-11-30", 0)):
        begin = pd.Timestamp(day, tz=NEW_YORK)
        assert len(dues(trigger, begin, begin + pd.DateOffset(days=1))) == count


def test_an_interval_within_sessions_starts_at_its_first_mark():
    trigger = Interval.read("every 2h", sessions, between="open+5m..close-5m", days="wed")
    assert local(trigger, "2024-07-01", "2024-07-12") == [
        "07-03 09:35-0400", "07-03 11:35-0400",
        "07-10 09:35-0400", "07-10 11:35-0400", "07-10 13:35-0400", "07-10 15:35-0400",
    ]  # fmt: skip


# All of them

MOMENTS = st.datetimes(pd.Timestamp("2024-01-01"), pd.Timestamp("2024-12-30")).map(
    lambda at: pd.Timestamp(at, tz="UTC")
)
EXPRESSIONS = (
    "30 1 * * *",
    "15,45 1,2 * * *",
    "30 2 * * sun",
    "*/20 * * * *",
    "0 */3 * * *",
    "5 * * * 0-6",
    "0 0 1 * *",
)
TRIGGERS = (
    *(Cron.read(expression, zone) for expression in EXPRESSIONS for zone in (NEW_YORK, "Europe/London", "UTC")),
    Exchange.read("close+10m", sessions), Exchange.read("open-36h", sessions), Exchange.read("close+5d", sessions),
    Interval.read("every 7m", sessions), Interval.read("every 7m", sessions, between="open-1h..close+20h"),
)  # fmt: skip


@given(st.sampled_from(TRIGGERS), MOMENTS)
def test_the_next_due_time_is_later_and_nothing_lies_between(trigger, moment):
    due = trigger.after(moment)
    assert due > moment
    assert trigger.after(due - pd.Timedelta(1, unit="ns")) == due
    assert trigger.after(moment + (due - moment) / 2) == due


@pytest.mark.parametrize(
    ("text", "keys", "shown"),
    [
        ("close-30m", {}, "close-30m (XNYS)"),
        ("OPEN + 5m", {"days": "last of week", "calendar": "XLON"}, "open+5m (XLON, last of week)"),
        ("30 18 * * mon-fri", {"timezone": NEW_YORK}, "cron 30 18 * * mon-fri (America/New_York)"),
        ("15m", {}, "every 15m"),
        ("every 15m", {"between": "open..close-5m", "days": "half"}, "every 15m (XNYS, open..close-5m, half)"),
        ("every 1h", {"anchor": "2024-01-01 00:10"}, "every 1h (from 2024-01-01 00:10:00 UTC)"),
    ],
)
def test_a_trigger_is_read_and_shown_in_words(text, keys, shown):
    assert read_trigger(text, keys, sessions).text == shown


@pytest.mark.parametrize(
    ("text", "keys", "answer"),
    [
        ("noon", {}, "is no trigger. Write a moment of the session"),
        (15, {}, "15 is no trigger"),
        ("close+", {}, "is no moment of a session"),
        ("close+8d", {}, "more than a week from its session"),
        ("close+5x", {}, "is not a length of time"),
        ("close", {"calendar": "XNYX"}, "no exchange calendar 'XNYX'. Did you mean"),
        ("close", {"days": "friday"}, "There is no kind of session 'friday'. Did you mean 'fri'"),
        ("close", {"days": 5}, "days = 5 names no sessions"),
        ("close", {"timezone": "UTC"}, "timezone says nothing about the trigger 'close'; it takes calendar and days"),
        ("0 18 * * mon", {"timezone": "America/New_Yrok"}, "no time zone .* Did you mean 'America/New_York'"),
        ("0 18 * * mon", {"calendar": "XNYS"}, "calendar says nothing about the trigger"),
        ("99 18 * * mon", {}, r"cannot be read \(bad minute\)"),
        ("0 0 30 2 *", {}, "cannot be read|never due"),
        ("every 0s", {}, "too short an interval"),
        ("every 5m", {"between": "open"}, "names no two moments"),
        ("every 5m", {"between": "open..close", "anchor": "2024-01-01"}, "an anchor or is counted within sessions"),
        ("every 5m", {"anchor": "soon"}, "is not a date or time"),
        ("every 5m", {"between": 5}, "between = 5 must be text"),
    ],
)
def test_what_cannot_be_a_trigger_is_refused_with_what_would_work(text, keys, answer):
    with pytest.raises(DataError, match=answer):
        read_trigger(text, keys, sessions)


def test_the_keys_that_belong_to_a_trigger_are_known_without_reading_it():
    assert keys_of("every 5m") == ("anchor", "between", "calendar", "days")
    assert keys_of(None) == ()
