"""A slower bar is the bar that resampling makes, and is seen when it is known to be complete and not before."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab import indicators as ind
from qtw_lab.core import Bars, DataError
from qtw_lab.data.resampling import resample
from qtw_lab.data.synthetic import Shape, synthetic_bars
from qtw_lab.strategies import Panel, Strategy, check, param
from qtw_lab.strategies.stances import stance
from qtw_lab.strategies.timeframes import memory_of, slower, warmup_of

NAN = np.nan
ARRAYS = ("open", "high", "low", "close", "volume")
NEW_YORK = {"zone": "America/New_York", "opens": "09:30"}


class WeeklyTrendCross(Strategy):
    """Long while the fast daily average is above the slow one and the last week closed above its own average."""

    fast: int = param(5, low=1, high=200)
    slow: int = param(20, low=2, high=500)
    weeks: int = param(4, low=2, high=200)

    @property
    def warmup(self):
        return max(self.slow - 1, warmup_of(self.weeks, "1W"))

    @property
    def memory(self):
        return max(self.slow, memory_of(self.weeks, "1W"))

    def signals(self, prices):
        week = slower(prices, "1W")
        above = week.panel.close - ind.sma(week.panel.close, self.weeks)
        trend = week.onto(above, warmup=warmup_of(self.weeks, "1W"))
        fast, slow = ind.sma(prices.close, self.fast), ind.sma(prices.close, self.slow)
        return stance(((fast > slow) & (trend > 0), 1.0), otherwise=0.0, given=(fast, slow, trend))


class QuarterHourBreakout(Strategy):
    """Long above the highest of the last complete quarters of an hour, flat below the lowest, on one-minute bars."""

    holds = True
    quarters: int = param(4, low=2, high=100)

    @property
    def warmup(self):
        return warmup_of(self.quarters, "15min", "1min")

    @property
    def memory(self):
        return memory_of(self.quarters, "15min", "1min")

    def signals(self, prices):
        quarter = slower(prices, "15min", bar="1min")
        channel = ind.donchian(quarter.panel.high, quarter.panel.low, self.quarters)
        top = quarter.onto(channel.upper, warmup=warmup_of(self.quarters, "15min", "1min"))
        bottom = quarter.onto(channel.lower, warmup=warmup_of(self.quarters, "15min", "1min"))
        return stance((prices.close > top, 1.0), (prices.close < bottom, 0.0), otherwise=NAN, given=(top, bottom))


def walk(index, symbols=2, seed=4, holes=False, calendar="XNYS", timeframe=None):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0005, 0.01, (len(index), symbols)), axis=0))
    if holes:
        close[: len(index) // 5, -1] = NAN
        close[rng.random(close.shape) < 0.25] = NAN
        close[len(index) // 2 : len(index) // 2 + 12, 0] = NAN
        close[np.isnan(close).all(axis=1), -1] = 50.0
    open_ = close * (1 + rng.normal(0, 0.003, close.shape))
    parts = {
        "open": open_,
        "high": np.maximum(open_, close) * 1.002,
        "low": np.minimum(open_, close) * 0.998,
        "close": close,
        "volume": np.where(np.isnan(close), NAN, rng.integers(100, 999, close.shape).astype(float)),
    }
    names = [f"S{j}" for j in range(symbols)]
    frame = pd.concat({k: pd.DataFrame(v, index=index, columns=names) for k, v in parts.items()}, axis=1)
    return Bars.from_frame(frame, holes="keep", calendar=calendar, timeframe=timeframe)


def sessions(days):
    """One-minute bars of New York sessions."""
    each = [pd.date_range(f"{day} 09:30", f"{day} 15:59", freq="min", tz="America/New_York") for day in days]
    return pd.DatetimeIndex([at for day in each for at in day]).tz_convert("UTC")


def cut(prices, stop, start=0):
    return replace(prices, **{name: getattr(prices, name)[start:stop] for name in (*ARRAYS, "times")})


WORLDS = {
    "days to weeks": (walk(pd.bdate_range("2023-11-06", periods=90, tz="UTC"), holes=True), "1W", {}),
    "days to two weeks": (walk(pd.bdate_range("2023-11-08", periods=90, tz="UTC")), "2W", {}),
    "days to months": (walk(pd.bdate_range("2023-11-01", periods=140, tz="UTC"), holes=True), "1ME", {}),
    "days to quarters": (walk(pd.bdate_range("2023-01-02", periods=300, tz="UTC")), "3ME", {}),
    "all days to weeks": (walk(pd.date_range("2024-01-03", periods=60, tz="UTC"), calendar="24/7"), "1W", {}),
    "hours to four": (
        walk(pd.date_range("2024-01-03 02:00", periods=150, freq="h", tz="UTC"), calendar="24/7", holes=True),
        "4h",
        {"bar": "1h"},
    ),
    "hours to days": (
        walk(pd.date_range("2024-01-03", periods=150, freq="h", tz="UTC"), calendar="24/7"),
        "1D",
        {"bar": "1h"},
    ),
    "half hours of New York to hours": (
        walk(sessions(["2024-03-07", "2024-03-08", "2024-03-11"])[::30], timeframe="30min"),
        "1h",
        {"bar": "30min", **NEW_YORK},
    ),
    "half hours of New York to days": (
        walk(sessions(["2024-03-07", "2024-03-08", "2024-03-11", "2024-03-12"])[::30], timeframe="30min", holes=True),
        "1D",
        {"bar": "30min", **NEW_YORK},
    ),
    "half hours of New York to weeks": (
        walk(sessions(pd.bdate_range("2024-10-28", periods=20).strftime("%Y-%m-%d"))[::30], timeframe="30min"),
        "1W",
        {"bar": "30min", **NEW_YORK},
    ),
}


def test_friday_does_not_complete_the_week_but_the_next_bar_does_even_after_a_holiday():
    # Thursday 11, Friday 12, (Monday 15 is a holiday) Tuesday 16 to Friday 19, Monday 22 January 2024
    days = ["2024-01-05", "2024-01-08", "2024-01-11", "2024-01-12", "2024-01-16", "2024-01-19", "2024-01-22"]
    close = np.arange(1.0, 8.0)[:, None]
    prices = Panel(close, close, close, close, close, pd.DatetimeIndex(days, tz="UTC").as_unit("ns").asi8, 252.0)
    week = slower(prices, "1W")
    # the week of the 5th had begun before these bars; that of the 22nd is not over
    np.testing.assert_array_equal(week.panel.close.ravel(), [NAN, 4.0, 6.0, NAN])
    np.testing.assert_array_equal(week.panel.open.ravel(), [NAN, 2.0, 5.0, NAN])
    np.testing.assert_array_equal(week.panel.volume.ravel(), [NAN, 9.0, 11.0, NAN])
    np.testing.assert_array_equal(week.onto(week.panel.close).ravel(), [NAN, NAN, NAN, NAN, 4.0, 4.0, 6.0])
    assert week.panel.periods_per_year == 52.0


def test_the_last_hour_of_a_four_hour_period_completes_it():
    hours = np.arange(10, dtype=np.int64) * 3600 * 10**9
    close = np.arange(10.0)[:, None]
    four = slower(Panel(close, close, close, close, close, hours, 8760.0), "4h", bar="1h")
    np.testing.assert_array_equal(four.onto(four.panel.close).ravel(), [NAN, NAN, NAN, 3, 3, 3, 3, 7, 7, 7])
    assert four.panel.periods_per_year == 2190.0
    missing = np.array([0, 1, 2, 5, 6, 7])  # without its last hour, a period is complete at the next period's first bar
    part = slower(cut_rows(Panel(close, close, close, close, close, hours, 8760.0), missing), "4h", bar="1h")
    np.testing.assert_array_equal(part.onto(part.panel.close).ravel(), [NAN, NAN, NAN, 2, 2, 7])


def cut_rows(prices, rows):
    return replace(prices, **{name: getattr(prices, name)[rows] for name in (*ARRAYS, "times")})


@pytest.mark.parametrize("name", WORLDS)
def test_slower_bars_are_those_of_resampling(name):
    bars, timeframe, options = WORLDS[name]
    got, wanted = slower(Panel.of(bars), timeframe, **options).panel, resample(bars, timeframe)
    assert got.times.tolist() == wanted.index.as_unit("ns").asi8.tolist()
    assert got.periods_per_year == pytest.approx(wanted.periods_per_year, rel=1e-12)
    assert len(got.times) >= 3
    for field in ARRAYS:
        mine = getattr(got, field)
        np.testing.assert_array_equal(mine[1:-1], wanted.values[field][1:-1])
        for end in (0, -1):  # whole, or not said
            assert np.isnan(mine[end]).all() or np.array_equal(mine[end], wanted.values[field][end], equal_nan=True)


@pytest.mark.parametrize("name", WORLDS)
def test_nothing_is_seen_before_its_time_at_any_cut(name):
    bars, timeframe, options = WORLDS[name]
    prices = Panel.of(bars)

    def seen(part):
        made = slower(part, timeframe, **options)
        return np.hstack([made.onto(getattr(made.panel, field)) for field in ARRAYS])

    whole = seen(prices)
    assert np.isfinite(whole).any()
    for stop in range(1, len(bars) + 1):
        np.testing.assert_array_equal(seen(cut(prices, stop)), whole[:stop])


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.integers(1, 400), min_size=3, max_size=60),
    timeframe=st.sampled_from(["15min", "1h", "90min", "4h", "1D"]),
    zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]),
    opens=st.sampled_from(["00:00", "09:30"]),
)
def test_bars_at_any_minutes_are_seen_only_once_complete(steps, timeframe, zone, opens):
    times = (np.datetime64("2024-03-09T20:00").astype("datetime64[ns]").astype(np.int64)) + np.cumsum(
        np.array(steps, dtype=np.int64)
    ) * 60 * 10**9
    close = np.arange(1.0, len(times) + 1)[:, None]
    prices = Panel(close, close, close, close, close, times, 525_600.0)
    made = slower(prices, timeframe, bar="1min", zone=zone, opens=opens)
    whole = made.onto(made.panel.close).ravel()
    for stop in range(1, len(times) + 1):
        part = slower(cut(prices, stop), timeframe, bar="1min", zone=zone, opens=opens)
        np.testing.assert_array_equal(part.onto(part.panel.close).ravel(), whole[:stop])
    known = np.isfinite(whole)
    assert (whole[known] <= close.ravel()[known]).all()  # closes count the bars, so a later one would show
    assert known[-1] or len(np.unique(made.panel.times)) < 3


def test_a_period_a_symbol_did_not_trade_in_is_passed_over():
    days = pd.date_range("2024-01-01", periods=28, tz="UTC")
    close = np.arange(1.0, 29.0)[:, None] * [1.0, 100.0]
    close[7:14, 0] = NAN
    prices = Panel(close, close, close, close, close, days.as_unit("ns").asi8, 365.0)
    week = slower(prices, "1W")
    np.testing.assert_array_equal(week.panel.close[:, 0], [7, NAN, 21, 28])
    np.testing.assert_array_equal(week.onto(week.panel.close)[[13, 19, 20], 0], [7, 7, 21])
    np.testing.assert_array_equal(week.onto(week.panel.close)[[13, 19, 20], 1], [1400, 1400, 2100])


def test_volume_is_unknown_where_a_part_is():
    days = pd.date_range("2024-01-01", periods=14, tz="UTC").as_unit("ns").asi8
    close = np.ones((14, 1))
    volume = np.r_[np.ones(9), NAN, np.ones(4)][:, None]
    week = slower(Panel(close, close, close, close, volume, days, 365.0), "1W")
    np.testing.assert_array_equal(week.panel.volume.ravel(), [7.0, NAN])
    np.testing.assert_array_equal(week.panel.close.ravel(), [1.0, 1.0])


@pytest.mark.parametrize("start", range(7))
@pytest.mark.parametrize(("index", "days"), [(pd.date_range, 7), (pd.bdate_range, 5)])
def test_the_warm_up_is_enough_wherever_a_history_begins_and_the_memory_too(start, index, days):
    dates = index(pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(days=start), periods=80)
    prices = Panel.of(walk(dates, calendar="24/7"))

    def third(part):
        week = slower(part, "1W")
        return week.onto(ind.sma(week.panel.close, 3))

    whole = third(prices)
    warmup, memory = warmup_of(3, "1W", days=days), memory_of(3, "1W", days=days)
    assert np.isfinite(whole[warmup:]).all()
    for stop in range(memory, 81):
        np.testing.assert_allclose(third(cut(prices, stop, stop - memory))[-1], whole[stop - 1], rtol=1e-12)


def test_the_warm_up_is_no_longer_than_the_worst_case_needs():
    # from a Tuesday, six days are lost; three weeks of seven follow, and the last day of them completes the third
    prices = Panel.of(walk(pd.date_range("2024-01-02", periods=40, tz="UTC"), calendar="24/7"))
    week = slower(prices, "1W")
    known = np.isfinite(week.onto(ind.sma(week.panel.close, 3))[:, 0])
    assert int(np.argmax(known)) == warmup_of(3, "1W") - 1  # one to spare, for weeks that only the next bar completes
    masked = np.isfinite(week.onto(ind.sma(week.panel.close, 3), warmup=warmup_of(3, "1W"))[:, 0])
    assert int(np.argmax(masked)) == warmup_of(3, "1W")


def test_warm_up_and_memory_take_arrays_of_parameters():
    assert warmup_of(np.array([2, 3]), "1W").tolist() == [20, 27]
    assert memory_of(np.array([2, 3]), "4h", "1h").tolist() == [13, 17]
    assert (warmup_of(2, "1ME"), warmup_of(2, "1ME", days=5)) == (92, 68)
    assert (warmup_of(1, "1D", "1h"), warmup_of(1, "2W", "1W")) == (49, 3)


@pytest.mark.parametrize("index", [pd.bdate_range, pd.date_range])
def test_a_weekly_filter_over_daily_crosses_keeps_the_laws_of_every_strategy(index):
    calendar = "24/7" if index is pd.date_range else "XNYS"
    bars = walk(index("2023-01-04", periods=260, tz="UTC"), calendar=calendar)
    report = check(WeeklyTrendCross(), bars)
    report.raise_if_broken()
    tested = {finding.law for finding in report.findings if finding.passed}
    assert {"warmup", "causal", "window-invariant", "symbols apart", "parameter columns"} <= tested
    assert check(WeeklyTrendCross(), bars, cuts=range(1, 261)).ok


def test_the_filter_runs_in_a_backtest_and_in_a_sweep_of_parameter_columns():
    bars = walk(pd.bdate_range("2022-01-03", periods=400, tz="UTC"))
    swept = qtw.sweep(
        WeeklyTrendCross, bars, grid={"fast": [3, 5], "weeks": [3, 6, 9]}, metrics=("total_return", "trades")
    )
    assert swept.evaluated == "columns"
    assert (swept.table["trades"] > 0).all()
    for (fast, weeks, symbol), row in swept.table.iterrows():
        alone = qtw.backtest(WeeklyTrendCross(fast=fast, weeks=weeks), bars.select(symbol))
        assert alone.equity.iloc[-1] / 100_000.0 - 1.0 == pytest.approx(row["total_return"], abs=1e-9)


def test_one_minute_bars_with_channels_of_quarter_hours():
    bars = synthetic_bars("gbm", Shape(symbols=2, bars=700, timeframe="1min", calendar="24/7"), seed=2)
    check(QuarterHourBreakout(), bars).raise_if_broken()
    result = qtw.backtest(QuarterHourBreakout(), bars)
    assert len(result.orders) > 4
    quarter = slower(Panel.of(bars), "15min", bar="1min")
    wanted = resample(bars, "15min")
    np.testing.assert_array_equal(quarter.panel.high[1:-1], wanted.values["high"][1:-1])


@pytest.mark.parametrize(
    ("timeframe", "options", "message"),
    [
        ("1D", {}, "not slower than bars of 1D"),
        ("4h", {}, "say how long the given bars last"),
        ("90min", {"bar": "1h"}, "do not add up"),
        ("5D", {}, "do not add up"),
        ("1ME", {"bar": "1W"}, "do not add up"),
        ("1W", {"bar": "2D"}, "do not add up"),
        ("fortnight", {}, "not a timeframe"),
        ("1W", {"bar": "1M"}, "minutes or months"),
        ("1W", {"zone": "Mars/Olympus", "bar": "1h"}, "no time zone 'Mars/Olympus'"),
        ("4h", {"opens": "9.30", "bar": "1h"}, "opens='9.30' is not a time of day"),
        ("4h", {"opens": "24:00", "bar": "1h"}, "not a time of day"),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_can(timeframe, options, message):
    prices = Panel.of(WORLDS["all days to weeks"][0])
    with pytest.raises(DataError, match=message):
        slower(prices, timeframe, **options)


def test_bars_shorter_than_said_are_refused():
    with pytest.raises(DataError, match=r"3600 seconds apart, so they are not bars of 1D\. Say how long"):
        slower(Panel.of(WORLDS["hours to four"][0]), "1W")


def test_no_bars_and_values_of_another_shape_are_refused():
    prices = Panel.of(WORLDS["all days to weeks"][0])
    with pytest.raises(DataError, match="no bars"):
        slower(cut(prices, 0), "1W")
    week = slower(prices, "1W")
    for values in (np.zeros((3, 2)), np.zeros(len(week.panel.close)), np.zeros((len(week.panel.close), 3))):
        with pytest.raises(DataError, match="do not belong to slower bars"):
            week.onto(values)


@pytest.mark.parametrize("days", [6, 0, "5"])
def test_days_a_week_are_five_or_seven(days):
    with pytest.raises(DataError, match="5 or 7 days a week"):
        warmup_of(3, "1W", days=days)


def test_truth_values_and_one_column_for_all_symbols_come_back_as_numbers():
    prices = Panel.of(WORLDS["all days to weeks"][0])
    week = slower(prices, "1W")
    market = week.onto(week.panel.close[:, :1] > 0)
    assert market.shape == prices.close.shape
    assert set(np.unique(market[np.isfinite(market)])) == {1.0}
