import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import Bars, DataError
from qtw_lab.data import SAMPLES, Shape, check, sample_bars, synthetic_bars


def without(bars, dates):
    frame = bars.tidy()
    gone = frame["timestamp"].isin(pd.DatetimeIndex(dates, tz="UTC"))
    return Bars.from_frame(frame[~gone], calendar=bars.calendar, timeframe=bars.timeframe)


def test_the_bundled_stocks_are_sound_but_for_two_memorable_weeks():
    report = check(sample_bars(SAMPLES["stocks"].symbols()))
    assert report.ok
    assert report.of("warning") == ()
    assert {(f.kind, f.symbol) for f in report.findings} == {
        ("spike", "AAPL"), ("spike", "MSFT"), ("short_history", "GOOG"), ("short_history", "FB"),
    }  # fmt: skip
    assert (report.bars, report.timeframe, report.calendar) == (12_154, "1D", "XNYS")


def test_the_bundled_closes_are_sound_but_for_one_thinly_traded_stock():
    report = check(sample_bars(SAMPLES["sp500"].symbols(), dataset="sp500"))
    assert report.ok
    assert {f.symbol for f in report.of("warning")} == {"RRC"}
    assert len(report.of("no_volume")) == 1


def test_a_panic_of_the_whole_market_is_no_bad_print():
    """On 2020-03-13 and 2020-03-16 nearly every stock moved by more than a tenth, up and down again."""
    report = check(sample_bars(SAMPLES["sp500"].symbols(), dataset="sp500"))
    assert report.of("market_move")[0].count > 20
    alone = check(sample_bars("sp500:BAC", "2019-01-01"))
    assert str(alone.of("bad_print")[0].first.date()) == "2020-03-13"


def test_missing_sessions_are_counted_and_holidays_are_not():
    bars = without(sample_bars("AAPL", "2012-10-01", "2012-11-30"), ["2012-10-23", "2012-10-24", "2012-11-23"])
    (finding,) = check(bars).of("gap")
    assert (finding.count, str(finding.first.date()), str(finding.last.date())) == (3, "2012-10-23", "2012-11-23")
    assert "2 gap(s), the longest 2" in finding.detail


def test_a_bar_on_a_holiday_is_flagged():
    frame = sample_bars("AAPL", "2012-11-19", "2012-11-30").tidy()
    frame.loc[len(frame)] = frame.iloc[-1]
    frame.loc[len(frame) - 1, "timestamp"] = pd.Timestamp("2012-11-22", tz="UTC")
    bars = Bars.from_frame(frame.sort_values("timestamp"), timeframe="1D", calendar="XNYS")
    (finding,) = check(bars).of("closed_day")
    assert (finding.severity, str(finding.first.date())) == ("warning", "2012-11-22")


def test_intraday_gaps_know_half_days_and_the_clock_change():
    bars = synthetic_bars("gbm", Shape(bars=7 * 390 // 5 + 42, timeframe="5min", start="2012-11-16"), seed=1)
    assert check(bars).findings == ()
    thinned = synthetic_bars("gbm", Shape(bars=3000, timeframe="5min", holes=0.2), seed=1)
    assert check(thinned).of("gap")[0].severity == "warning"


def test_extended_hours_are_told_from_closed_days():
    index = pd.DatetimeIndex(["2024-01-05 14:00", "2024-01-05 15:00", "2024-01-05 22:00", "2024-01-06 15:00"], tz="UTC")
    frame = pd.DataFrame({"Close": [1.0, 2, 3, 4]}, index=index)
    report = check(frame, symbol="X", calendar="XNYS", timeframe="1h")
    assert [(f.count, f.severity) for f in report.of("outside_hours")] == [(1, "info")]
    assert [(f.count, f.severity) for f in report.of("closed_day")] == [(1, "warning")]


def test_weeks_and_months_are_checked_by_their_period():
    weeks = sample_bars("AAPL", timeframe="1W")
    assert check(weeks).of("gap") == ()
    assert check(without(weeks, ["2005-02-28"])).of("gap")[0].count == 1
    assert check(sample_bars("AAPL", timeframe="1ME")).of("gap") == ()


def test_a_market_that_never_closes_is_recognised():
    frame = synthetic_bars("gbm", Shape(bars=100, calendar="24/7"), seed=1).tidy().drop(columns="symbol")
    report = check(frame, symbol="X")
    assert (report.calendar, report.findings) == ("24/7", ())


def test_a_stock_with_one_weekend_bar_is_not_taken_for_a_coin():
    frame = sample_bars("AAPL", "2012-01-01", "2012-03-01").tidy().drop(columns="symbol")
    frame.loc[0, "timestamp"] = pd.Timestamp("2012-01-01", tz="UTC")
    report = check(frame, symbol="AAPL")
    assert report.calendar == "XNYS"
    assert len(report.of("closed_day")) == 1


def test_times_without_a_zone_are_not_guessed_into_sessions():
    frame = pd.DataFrame({"Close": np.arange(1.0, 9)}, index=pd.date_range("2024-01-02 09:30", periods=8, freq="h"))
    assert {f.kind for f in check(frame, symbol="X").findings} == {"naive_times", "no_volume"}


def test_a_calendar_that_does_not_reach_is_said_not_hidden():
    frame = pd.DataFrame({"Close": [1.0, 2, 3]}, index=pd.date_range("1970-01-05", periods=3))
    (finding,) = check(frame, symbol="X", calendar="XTKS").of("unchecked_sessions")
    assert "recorded from 1997" in finding.detail


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"calendar": "NYSEE"}, "Did you mean"),
        ({"timeframe": "soon"}, "not a timeframe"),
        ({"data": [1.0]}, "not list"),
    ],
)
def test_a_wrong_question_is_an_error_and_not_a_finding(arguments, words):
    with pytest.raises(DataError, match=words):
        check(**{"data": sample_bars("AAPL")} | arguments)


def test_the_check_changes_nothing():
    bars = sample_bars("AAPL,FB")
    before = bars.fingerprint
    check(bars)
    assert Bars(bars.index, bars.symbols, bars.values, bars.timeframe, adjustment="all").fingerprint == before
