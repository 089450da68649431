"""Hours of exchanges, against what the exchanges publish."""

import pandas as pd
import pytest

from qtw_lab.core import DataError
from qtw_lab.venues.killswitch.hours import OpenHours


def at(text, zone="America/New_York"):
    return pd.Timestamp(text, tz=zone).value


@pytest.mark.parametrize(
    ("moment", "opened"),
    [
        ("2026-11-25 09:29:59.999", None),
        ("2026-11-25 09:30", "2026-11-25 09:30"),
        ("2026-11-25 15:59:59.999", "2026-11-25 09:30"),
        ("2026-11-25 16:00", None),
        ("2026-11-25 03:00", None),
        ("2026-11-26 12:00", None),  # Thanksgiving
        ("2026-11-27 12:59", "2026-11-27 09:30"),
        ("2026-11-27 13:00", None),  # the afternoon of a half day
        ("2026-11-28 12:00", None),  # Saturday
        ("2026-03-09 09:30", "2026-03-09 09:30"),  # the Monday after clocks were changed
    ],
)
def test_the_new_york_stock_exchange_is_open_when_it_says(moment, opened):
    assert OpenHours("XNYS").opened(at(moment)) == (None if opened is None else at(opened))


def test_a_lunch_break_is_no_trading_and_what_follows_it_begins_anew():
    hours, zone = OpenHours("XHKG"), "Asia/Hong_Kong"
    assert hours.opened(at("2026-03-02 11:59", zone)) == at("2026-03-02 09:30", zone)
    assert hours.opened(at("2026-03-02 12:30", zone)) is None
    assert hours.opened(at("2026-03-02 13:00", zone)) == at("2026-03-02 13:00", zone)


def test_what_never_closes_has_been_open_for_days():
    hours = OpenHours("24/7")
    midnight = at("2026-03-02", "UTC")
    for moment in (midnight - 1, midnight, midnight + 1):
        assert midnight - hours.opened(moment) > 86_400 * 10**9


def test_hours_far_apart_can_be_asked_of_one_calendar():
    hours = OpenHours("XNYS")
    for day in ("2012-06-20", "2026-06-22", "2019-06-20", "2026-06-23"):
        assert hours.opened(at(f"{day} 10:00")) == at(f"{day} 09:30")
        assert hours.opened(at(f"{day} 17:00")) is None


def test_an_unknown_calendar_is_refused_when_it_is_asked():
    with pytest.raises(DataError, match="no exchange calendar 'XNYZ'"):
        OpenHours("XNYZ").opened(at("2026-03-02"))
