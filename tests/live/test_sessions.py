"""Sessions: open or not at any moment, against the calendar library and dates known from the exchange."""

import time
import warnings

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from qtw_lab.core import DataError
from qtw_lab.live.sessions import Sessions

SECOND = 10**9
NYSE = Sessions("XNYS")


def at(text, zone="UTC"):
    return pd.Timestamp(text, tz=zone).value


def local(text):
    return at(text, "America/New_York")


@pytest.mark.parametrize(
    ("moment", "phase"),
    [
        ("2026-11-24 03:59:59", "closed"),
        ("2026-11-24 04:00", "pre"),
        ("2026-11-24 09:29:59", "pre"),
        ("2026-11-24 09:30", "open"),
        ("2026-11-24 15:59:59", "open"),
        ("2026-11-24 16:00", "post"),
        ("2026-11-24 19:59:59", "post"),
        ("2026-11-24 20:00", "closed"),
        ("2026-11-26 12:00", "closed"),  # Thanksgiving
        ("2026-11-28 12:00", "closed"),  # a Saturday
        ("2026-11-27 12:59:59", "open"),  # the half day after Thanksgiving
        ("2026-11-27 13:00", "post"),
        ("2026-11-27 16:59:59", "post"),
        ("2026-11-27 17:00", "closed"),
        ("2026-12-24 13:00", "post"),  # the half day before Christmas
    ],
)
def test_phases_of_new_york(moment, phase):
    assert NYSE.at(local(moment)).phase == phase


@pytest.mark.parametrize(
    ("date", "opens"),
    [("2026-10-30", "13:30"), ("2026-11-02", "14:30"), ("2026-03-06", "14:30"), ("2026-03-09", "13:30")],
)
def test_the_opening_follows_the_clocks_when_they_change(date, opens):
    assert NYSE.at(at(f"{date} 15:00")).opens == at(f"{date} {opens}")
    assert NYSE.at(local(f"{date} 04:00")).start == local(f"{date} 04:00")


def test_a_half_day_is_known_before_within_and_after():
    for moment in ("2026-11-27 01:00", "2026-11-27 05:00", "2026-11-27 12:00", "2026-11-27 14:00"):
        standing = NYSE.at(local(moment))
        assert standing.half_day
        assert standing.closes == local("2026-11-27 13:00")
    assert not NYSE.at(local("2026-11-27 18:00")).half_day


def test_the_next_opening_is_that_of_the_next_session_once_this_one_is_open():
    monday = local("2026-11-30 09:30")
    assert NYSE.at(local("2026-11-27 08:00")).next_open == local("2026-11-27 09:30")
    for moment in ("2026-11-27 09:30", "2026-11-27 14:00", "2026-11-27 18:00", "2026-11-29 12:00", "2026-11-30 05:00"):
        assert NYSE.at(local(moment)).next_open == monday


def test_the_session_has_its_date_and_closed_hours_have_none():
    assert NYSE.at(local("2026-11-27 10:00")).date == "2026-11-27"
    assert NYSE.at(local("2026-11-28 10:00")).date is None


def test_extended_hours_are_trading_on_request_only():
    moment = local("2026-11-24 08:00")
    assert not NYSE.trading(moment)
    assert NYSE.trading(moment, extended=True)
    assert NYSE.trading(local("2026-11-24 10:00"))


def test_a_market_that_never_closes_is_open_across_midnight():
    always = Sessions("24/7")
    for moment in ("2026-01-01 00:00", "2026-07-04 12:00", "2026-12-31 23:59:59.999999999"):
        assert always.at(at(moment)).phase == "open"
    assert always.traded(at("2026-01-01"), at("2026-01-08")) == 7 * 86_400 * SECOND


def test_a_lunch_break_is_no_trading():
    hongkong = Sessions("XHKG")
    phases = [hongkong.at(at(f"2026-11-24 {clock}", "Asia/Hong_Kong")).phase for clock in ("11:59", "12:30", "13:00")]
    assert phases == ["open", "break", "open"]
    assert not hongkong.trading(at("2026-11-24 12:30", "Asia/Hong_Kong"), extended=True)


def test_traded_time_is_six_and_a_half_hours_a_day_or_sixteen_extended():
    day, hour = local("2026-11-24"), 3600 * SECOND
    assert NYSE.traded(day, day + 24 * hour) == 6.5 * hour
    assert NYSE.traded(day, day + 24 * hour, extended=True) == 16 * hour
    assert NYSE.traded(local("2026-11-24 15:59"), local("2026-11-25 09:31")) == 120 * SECOND
    assert NYSE.traded(day, day) == 0


def test_every_minute_of_two_years_is_open_as_the_calendar_library_says():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pd.errors.Pandas4Warning)
        calendar = exchange_calendars.get_calendar("XNYS", start="2024-12-01", end="2027-02-01", side="left")
        opened = calendar.minutes
    minutes = pd.date_range("2025-01-01", "2026-12-31", freq="7min", tz="UTC")
    expected = minutes.isin(opened)
    sessions = Sessions("XNYS")
    found = np.array([sessions.trading(moment) for moment in minutes.as_unit("ns").asi8.tolist()])
    assert (found == expected).all()


@settings(max_examples=300, deadline=None)
@given(moment=some.integers(at("2000-01-03"), at("2028-12-01")))
def test_standings_follow_each_other_without_a_gap(moment):
    sessions = Sessions("XNYS")
    standing = sessions.at(moment)
    assert standing.start <= moment < standing.end
    assert sessions.at(standing.start) == standing
    assert sessions.at(standing.end).start == standing.end
    assert sessions.at(standing.start - 1).end == standing.start
    assert standing.next_open >= standing.end or standing.phase == "post"
    assert standing.next_open > moment


def test_an_unknown_calendar_and_a_year_without_a_calendar_are_told():
    with pytest.raises(DataError, match="no exchange calendar"):
        Sessions("XNYC")
    with pytest.raises(DataError, match="recorded from"):
        Sessions("XHKG").at(at("1925-01-05 12:00"))


def test_asking_again_within_a_phase_costs_less_than_five_microseconds():
    sessions, moment = Sessions("XNYS"), local("2026-11-24 10:00")
    sessions.at(moment)
    began = time.process_time()
    for step in range(20_000):
        sessions.at(moment + step)
    assert (time.process_time() - began) / 20_000 < 5e-6
