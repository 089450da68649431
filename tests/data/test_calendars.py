"""Dates and hours come from the exchange's published calendar; the bundled prices are the independent witness."""

import pandas as pd
import pytest

from qtw_lab.core import DataError, SetupError, Timeframe
from qtw_lab.data import calendars, sample_bars


def hours(index):
    return [f"{at:%m-%d %H:%M}" for at in index]


def test_the_day_after_thanksgiving_ends_at_one_in_the_afternoon():
    day = calendars.sessions("XNYS", "2012-11-23", "2012-11-23").iloc[0]
    assert day["half_day"]
    assert day["open"] == pd.Timestamp("2012-11-23 14:30", tz="UTC")
    assert day["close"] == pd.Timestamp("2012-11-23 18:00", tz="UTC")


def test_the_clock_change_of_march_2013_moves_the_opening_in_utc():
    opens = calendars.sessions("XNYS", "2013-03-08", "2013-03-11")["open"]
    assert hours(opens) == ["03-08 14:30", "03-11 13:30"]


def test_hurricane_sandy_closed_two_days():
    days = calendars.sessions("XNYS", "2012-10-26", "2012-10-31").index
    assert [f"{d:%m-%d}" for d in days] == ["10-26", "10-31"]
    assert not calendars.is_session("XNYS", "2012-10-29")
    assert not calendars.is_session("XNYS", "2012-10-30")


def test_the_year_2012_had_250_sessions_without_its_holidays():
    days = calendars.sessions("XNYS", "2012-01-01", "2012-12-31").index
    closed = {"01-02", "01-16", "02-20", "04-06", "05-28", "07-04", "09-03", "10-29", "10-30", "11-22", "12-25"}
    weekdays = pd.date_range("2012-01-01", "2012-12-31", freq="B", tz="UTC")
    assert len(days) == 250
    assert {f"{d:%m-%d}" for d in weekdays.difference(days)} == closed


@pytest.mark.parametrize("symbols", ["AAPL", "sp500:JNJ"])
def test_the_bundled_prices_have_a_bar_on_every_session_and_on_no_other_day(symbols):
    index = sample_bars(symbols).index
    assert index.equals(calendars.expected_index("XNYS", "1D", index[0], index[-1]))


def test_hourly_bars_start_at_the_opening_and_the_last_one_is_short():
    assert hours(calendars.expected_index("XNYS", "1h", "2012-11-21", "2012-11-23"))[5:] == [
        "11-21 19:30", "11-21 20:30", "11-23 14:30", "11-23 15:30", "11-23 16:30", "11-23 17:30",
    ]  # fmt: skip


def test_hourly_bars_can_start_on_whole_hours():
    whole = hours(calendars.expected_index("XNYS", "1h", "2013-03-11", "2013-03-11", anchor="clock"))
    assert whole == [f"03-11 {hour}:00" for hour in range(13, 20)]


@pytest.mark.parametrize(("timeframe", "count"), [("1min", 390 + 210), ("5min", 78 + 42), ("30min", 13 + 7), ("8h", 2)])
def test_a_full_and_a_half_day_have_as_many_bars_as_fit(timeframe, count):
    assert len(calendars.expected_index("XNYS", timeframe, "2012-11-21", "2012-11-23")) == count


def test_a_lunch_break_has_no_bars():
    bars = hours(calendars.expected_index("XTKS", "1h", "2024-01-04", "2024-01-04"))
    assert bars == [f"01-04 {t}" for t in ("00:00", "01:00", "02:00", "03:30", "04:30", "05:30")]


def test_times_of_day_cut_the_index_and_bare_dates_do_not():
    assert hours(calendars.expected_index("XNYS", "2h", "2024-01-03 16:00", "2024-01-04 16:30")) == [
        "01-03 16:30", "01-03 18:30", "01-03 20:30", "01-04 14:30", "01-04 16:30",
    ]  # fmt: skip


def test_round_the_clock_never_closes():
    assert len(calendars.sessions("24/7", "2024-02-24", "2024-03-01")) == 7
    assert calendars.is_session("24/7", "2023-12-25")
    assert len(calendars.expected_index("24/7", "4h", "2024-02-29", "2024-02-29")) == 6


def test_weeks_begin_on_monday_and_months_on_the_first():
    assert hours(calendars.expected_index("XNYS", "1W", "2012-10-26", "2012-11-05")) == [
        "10-22 00:00", "10-29 00:00", "11-05 00:00",
    ]  # fmt: skip
    assert hours(calendars.expected_index("XNYS", "3ME", "2012-02-10", "2012-08-01")) == [
        "01-01 00:00", "04-01 00:00", "07-01 00:00",
    ]  # fmt: skip


def test_an_evening_trade_belongs_to_the_local_day_and_a_futures_evening_to_the_next():
    evening = pd.DatetimeIndex(["2024-01-04 00:30"], tz="UTC")
    assert str(calendars.session_dates("XNYS", evening)[0].date()) == "2024-01-03"
    assert str(calendars.session_dates("CMES", evening - pd.Timedelta(hours=1))[0].date()) == "2024-01-04"


def test_bar_starts_never_run_backwards_over_a_midnight():
    minutes = pd.date_range("2024-01-03 14:00", "2024-01-05 14:00", freq="10min", tz="UTC")
    for timeframe in ("1h", "4h", "7h", "13h"):
        starts = calendars.bar_starts("XNYS", minutes, timeframe)
        assert starts.is_monotonic_increasing
        assert bool((starts <= minutes).all())


def test_the_grid_of_expected_bars_and_the_grid_of_moments_agree():
    for anchor in ("open", "clock"):
        expected = calendars.expected_index("XNYS", "1h", "2012-10-01", "2013-04-01", anchor=anchor)
        assert calendars.bar_starts("XNYS", expected, "1h", anchor=anchor).equals(expected)
        assert calendars.anchor_of(expected, "XNYS", Timeframe(1, "h")) == anchor


def test_an_alias_names_the_same_calendar():
    assert calendars.sessions("NYSE", "2024-01-01", "2024-01-31").equals(
        calendars.sessions("XNYS", "2024-01-01", "2024-01-31")
    )


def test_the_calendar_grows_with_the_dates_asked_for():
    assert calendars.sessions("XNYS", "1985-01-01", "1985-01-02").index[0] == pd.Timestamp("1985-01-02", tz="UTC")
    assert calendars.is_session("XNYS", "2041-01-02")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: calendars.sessions("NYSEE", "2024-01-01", "2024-01-02"), "Did you mean 'NYSE'"),
        (lambda: calendars.is_session("xnys", "2024-01-02"), "'XNYS'"),
        (lambda: calendars.sessions("XNYS", "2024-02-01", "2024-01-02"), "swap"),
        (lambda: calendars.sessions("XNYS", "soon", "2024-01-02"), "not a date"),
        (lambda: calendars.sessions("XNYS", None, "2024-01-02"), "is needed"),
        (lambda: calendars.sessions("XTKS", "1980-01-01", "2024-01-02"), "recorded from 1997-01-01"),
        (lambda: calendars.expected_index("XNYS", "3D", "2024-01-01", "2024-01-09"), "no agreed start"),
        (lambda: calendars.expected_index("XNYS", "1h", None, "2024-01-09"), "both"),
    ],
)
def test_a_question_that_cannot_be_answered_says_why(call, words):
    with pytest.raises(DataError, match=words):
        call()


def test_a_calendar_the_library_cannot_build_is_a_matter_of_setup():
    with pytest.raises(SetupError, match="pip install -U exchange-calendars"):
        calendars.sessions("ASEX", "2024-01-01", "2024-01-02")
