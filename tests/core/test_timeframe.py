"""A bar's length is read one way only, and annualises as the calendar says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError, Timeframe

WRITTEN = [
    ("1D", "1D"), ("d", "1D"), ("day", "1D"), ("Days", "1D"), ("2d", "2D"), ("1s", "1s"), ("30sec", "30s"),
    ("90 seconds", "90s"), ("1min", "1min"), ("1Min", "1min"), ("5MIN", "5min"), ("5m", "5min"), ("15T", "15min"),
    ("60 minutes", "60min"), ("mins", "1min"), ("1h", "1h"), ("1H", "1h"), ("4hours", "4h"), ("2hr", "2h"),
    ("1W", "1W"), ("1wk", "1W"), ("2weeks", "2W"), ("1ME", "1ME"), ("1mo", "1ME"), ("3months", "3ME"), ("month", "1ME"),
    (" 1 h ", "1h"), ("007D", "7D"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), WRITTEN)
def test_lengths_are_read_as_vendors_write_them(text, wanted):
    assert str(Timeframe.parse(text)) == wanted


@pytest.mark.parametrize(
    "text", ["", " ", "5", "D1", "-1D", "1.5h", "1 fortnight", "100ms", "1us", "ws", "ds", "mss", "1D 1h", "W-FRI", "B",
             "9" * 5000 + "D", "1D\n2D", None, 5, 1.0, b"1D", ["1D"]],
)  # fmt: skip
def test_what_is_no_length_is_refused_in_a_short_message(text):
    with pytest.raises(DataError, match="not a timeframe") as caught:
        Timeframe.parse(text)
    assert len(str(caught.value)) < 120
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["1M", "M", "5M", " 3 M "])
def test_a_capital_m_is_refused_because_half_the_world_means_months(text):
    with pytest.raises(DataError, match="minutes or months"):
        Timeframe.parse(text)


@pytest.mark.parametrize(
    ("count", "unit"), [(0, "D"), (-1, "D"), (1, "Y"), (1, "d"), (1.5, "D"), (True, "D"), ("1", "D"), (None, "D")]
)
def test_a_length_is_a_whole_number_of_known_units(count, unit):
    with pytest.raises(DataError, match="cannot last"):
        Timeframe(count, unit)


def test_a_parsed_length_is_itself():
    span = Timeframe(5, "min")
    assert Timeframe.parse(span) is span


@given(st.integers(1, 999_999), st.sampled_from(["s", "min", "h", "D", "W", "ME"]))
def test_any_length_reads_back_from_its_own_text(count, unit):
    span = Timeframe(count, unit)
    assert Timeframe.parse(str(span)) == span
    assert span.seconds == count * {"s": 1, "min": 60, "h": 3600, "D": 86400, "W": 604800, "ME": 2629746}[unit]


def test_a_month_is_a_twelfth_of_the_mean_gregorian_year():
    """146,097 days in 400 years."""
    assert Timeframe(12, "ME").seconds == 146_097 * 86_400 / 400


# 252 sessions of 6.5 hours, 365 days of 24 hours, 260 days of 24 hours.
YEARS = [
    ("1D", "XNYS", 252), ("2D", "XNYS", 126), ("1D", "24/7", 365), ("1D", "24/5", 260), ("1D", "XLON", 252),
    ("1h", "XNYS", 1638), ("30min", "XNYS", 3276), ("1min", "XNYS", 98_280), ("1s", "XNYS", 5_896_800),
    ("1h", "24/7", 8760), ("1min", "24/7", 525_600), ("1h", "24/5", 6240), ("4h", "24/7", 2190),
    ("1W", "XNYS", 52), ("1W", "24/7", 52), ("2W", "XNYS", 26), ("1ME", "XNYS", 12), ("3ME", "24/7", 4),
    ("12ME", "XNYS", 1),
]  # fmt: skip


@pytest.mark.parametrize(("span", "calendar", "wanted"), YEARS)
def test_a_year_has_as_many_bars_as_can_be_counted_by_hand(span, calendar, wanted):
    assert Timeframe.parse(span).periods_per_year(calendar) == pytest.approx(wanted, rel=1e-12)


def test_bars_shorter_than_a_session_are_intraday():
    assert [Timeframe(1, unit).intraday for unit in ("s", "min", "h", "D", "W", "ME")] == [True] * 3 + [False] * 3
