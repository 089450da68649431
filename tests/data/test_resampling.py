import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtw_lab.core import Bars, DataError
from qtw_lab.data import Shape, resample, sample_bars, synthetic_bars


def days(dates, closes, **options):
    frame = pd.DataFrame({"Close": closes}, index=pd.DatetimeIndex(dates))
    return Bars.from_frame(frame, symbol="X", timeframe="1D", **options)


def test_a_week_is_first_highest_lowest_last_and_sum():
    bars = sample_bars("AAPL", "2012-10-22", "2012-10-26", adjustment="raw")
    week = resample(bars, "1W").tidy().iloc[0]
    v = {name: array[:, 0] for name, array in bars.values.items()}
    assert week["timestamp"] == pd.Timestamp("2012-10-22", tz="UTC")
    assert [week[name] for name in ("open", "high", "low", "close", "volume")] == [
        v["open"][0], v["high"].max(), v["low"].min(), v["close"][-1], v["volume"].sum(),
    ]  # fmt: skip


def test_monthly_bars_agree_with_pandas():
    bars = sample_bars("MSFT")
    ours = resample(bars, "1ME")
    close = bars.close["MSFT"]
    months = close.index.tz_localize(None).to_period("M")
    assert ours.close["MSFT"].to_numpy() == pytest.approx(close.groupby(months).last().to_numpy())
    assert ours.high["MSFT"].to_numpy() == pytest.approx(bars.high["MSFT"].groupby(months).max().to_numpy())


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000), holes=st.floats(0, 0.6), target=st.sampled_from(["10min", "30min", "1h", "1D", "1W"])
)
def test_resampling_loses_and_invents_nothing(seed, holes, target):
    bars = synthetic_bars(
        "gbm", Shape(symbols=3, bars=400, timeframe="5min", holes=holes, start="2012-11-19"), seed=seed
    )
    longer = resample(bars, target)
    v, w = bars.values, longer.values
    assert np.nansum(w["volume"], axis=0) == pytest.approx(np.nansum(v["volume"], axis=0))
    assert (np.nanmax(w["high"], axis=0) == np.nanmax(v["high"], axis=0)).all()
    assert (np.nanmin(w["low"], axis=0) == np.nanmin(v["low"], axis=0)).all()
    for column in range(3):
        assert w["open"][longer.present[:, column], column][0] == v["open"][bars.present[:, column], column][0]
        assert w["close"][longer.present[:, column], column][-1] == v["close"][bars.present[:, column], column][-1]
    assert longer.index[0] <= bars.index[0]


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1000), steps=st.sampled_from([("15min", "1h"), ("30min", "1D"), ("1h", "1W"), ("1D", "1ME")])
)
def test_two_steps_give_what_one_step_gives(seed, steps):
    bars = synthetic_bars(
        "gbm", Shape(symbols=2, bars=1200, timeframe="5min", holes=0.1, start="2012-10-15"), seed=seed
    )
    assert resample(resample(bars, steps[0]), steps[1]).fingerprint == resample(bars, steps[1]).fingerprint


@pytest.mark.parametrize("target", ["1W", "1ME"])
def test_a_finished_period_does_not_change_when_more_bars_come(target):
    bars = sample_bars("AAPL,FB", "2012-04-01", "2012-12-31")
    whole = resample(bars, target)
    for count in (30, 31, 32, 100, 150):
        known = resample(bars.head(count), target, partial="drop")
        for name, array in known.values.items():
            np.testing.assert_array_equal(array, whole.values[name][: len(known)])


def test_an_unfinished_period_is_kept_with_a_note_or_dropped():
    bars = sample_bars("AAPL", "2012-10-22", "2012-10-31")
    assert "ends early" in resample(bars, "1W").notes[-1]
    assert len(resample(bars, "1W", partial="drop")) == 1
    assert "ends early" not in " ".join(resample(bars.head(5), "1W").notes)
    with pytest.raises(DataError, match="longer history"):
        resample(bars.head(5), "1ME", partial="drop")


def test_a_friday_before_a_closed_weekend_finishes_its_week_and_a_holiday_may_too():
    """Good Friday 2012-04-06 was no session, so Thursday finished that week."""
    assert resample(sample_bars("AAPL", "2012-04-02", "2012-04-05"), "1W").notes == sample_bars("AAPL").notes


def test_hours_count_from_the_opening_on_both_sides_of_the_clock_change():
    bars = synthetic_bars("gbm", Shape(bars=156, timeframe="5min", start="2013-03-08"), seed=1)
    starts = [f"{at:%d %H:%M}" for at in resample(bars, "1h").index]
    assert starts == [f"08 {h}:30" for h in range(14, 21)] + [f"11 {h}:30" for h in range(13, 20)]


def test_whole_hour_bars_stay_on_whole_hours():
    index = pd.date_range("2024-01-03 14:00", periods=7, freq="h", tz="UTC")
    bars = Bars.from_frame(pd.DataFrame({"Close": np.arange(1.0, 8)}, index=index), symbol="X")
    assert [at.minute for at in resample(bars, "2h").index] == [0] * 4


def test_a_day_is_a_session_with_its_early_and_late_bars():
    index = pd.DatetimeIndex(["2024-01-03 13:00", "2024-01-03 15:00", "2024-01-04 00:30", "2024-01-04 15:00"], tz="UTC")
    bars = Bars.from_frame(pd.DataFrame({"Close": [1.0, 2, 3, 4]}, index=index), symbol="X", timeframe="30min")
    assert resample(bars, "1D").close["X"].tolist() == [3.0, 4.0]


def test_an_unknown_volume_makes_the_sum_unknown():
    frame = pd.DataFrame({"Close": [1.0, 1, 1], "Volume": [5, np.nan, 7]}, index=pd.date_range("2024-01-05", periods=3))
    bars = Bars.from_frame(frame, symbol="X", timeframe="1D", calendar="24/7")
    assert resample(bars, "1W").volume["X"].isna().tolist() == [True]


def test_a_symbol_without_a_bar_in_a_period_has_none_in_the_result():
    weeks = resample(sample_bars("AAPL,FB", "2012-05-07", "2012-05-25"), "1W")
    assert weeks.present.tolist() == [[True, False], [True, True], [True, True]]


def test_the_same_length_gives_the_same_bars():
    bars = sample_bars("AAPL")
    assert resample(bars, "1D") is bars


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("1D", "1h", "not known"),
        ("5min", "7min", "not a multiple"),
        ("5min", "1min", "or longer"),
        ("1W", "1ME", "straddle"),
        ("1D", "2D", "no agreed start"),
        ("1D", "soon", "not a timeframe"),
    ],
)
def test_a_length_the_bars_do_not_add_up_to_is_refused(source, target, words):
    bars = days(["2024-01-02", "2024-01-03"], [1.0, 2.0])
    if source != "1D":
        bars = (
            resample(bars, source)
            if source == "1W"
            else synthetic_bars("gbm", Shape(bars=10, timeframe=source), seed=1)
        )
    with pytest.raises(DataError, match=words):
        resample(bars, target)


def test_a_calendar_nobody_knows_is_named():
    with pytest.raises(DataError, match="no exchange calendar 'MOON'"):
        resample(days(["2024-01-02", "2024-01-03"], [1.0, 2.0], calendar="MOON"), "1W")
