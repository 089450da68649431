import numpy as np
import pandas as pd
import pytest

from qtw_lab.core import Bars
from qtw_lab.data import Shape, check, sample_bars, synthetic_bars


def market(**options):
    return synthetic_bars("gbm", Shape(bars=400), seed=21, volatility=0.2, **options)


def changed(bars, **columns):
    """The bars with some fields replaced by functions of a copy."""
    frame = bars.tidy()
    for name, change in columns.items():
        frame[name] = change(frame[name].to_numpy().copy())
    return Bars.from_frame(frame, calendar=bars.calendar, timeframe=bars.timeframe)


def scaled(rows, factor):
    def change(values):
        values[rows] *= factor
        return values

    return change


def prices(rows, factor):
    return dict.fromkeys(("open", "high", "low", "close"), scaled(rows, factor))


def test_a_quiet_market_has_nothing_to_report():
    assert check(market()).findings == ()


@pytest.mark.parametrize(("symbol", "dates"), [("MSFT", ["2003-02-18"]), ("AAPL", ["2000-06-21", "2005-02-28"])])
def test_the_known_splits_are_found_in_raw_prices_and_no_other_day(symbol, dates):
    found = check(sample_bars(symbol, adjustment="raw")).of("suspected_split")
    assert [str(f.first.date()) for f in found] == dates
    assert all("2:1" in f.detail and f.severity == "warning" for f in found)


@pytest.mark.parametrize("symbol", ["AAPL", "MSFT", "IBM", "GOOG", "FB"])
def test_adjusted_prices_have_no_suspected_split(symbol):
    """On 2000-09-29 Apple fell by 52% on news: its volume was 22 times the usual one."""
    assert check(sample_bars(symbol)).of("suspected_split") == ()


@pytest.mark.parametrize(
    ("ratio", "factor"),
    [("2:1", 1 / 2), ("3:1", 1 / 3), ("3:2", 2 / 3), ("1:2", 2.0), ("1:10", 10.0), ("20:1", 1 / 20)],
)
def test_a_split_of_any_usual_ratio_is_found_on_its_day(ratio, factor):
    rows = slice(200, None)
    bars = changed(market(), **prices(rows, factor), volume=scaled(rows, 1 / factor))
    (finding,) = check(bars).of("suspected_split")
    assert finding.first == bars.index[200]
    assert ratio in finding.detail
    assert check(bars).of("spike", "bad_print") == ()


def test_a_crash_with_exploding_volume_is_a_spike_and_no_split():
    bars = changed(market(), **prices(slice(200, None), 0.5), volume=scaled(slice(200, 201), 20))
    report = check(bars)
    assert report.of("suspected_split") == ()
    assert report.of("spike")[0].first == bars.index[200]


def test_a_bad_print_is_told_from_a_move_that_lasts():
    bars = changed(market(), **prices(slice(200, 201), 1.3))
    (finding,) = check(bars).of("bad_print")
    assert (finding.severity, finding.first, finding.count) == ("warning", bars.index[200], 1)
    assert check(bars).of("spike") == ()


def test_a_spike_is_measured_against_the_past_only():
    """What comes later changes no verdict on a day whose next bar was known."""
    bars = changed(market(), **prices(slice(100, None), 1.4))
    calm = check(bars.head(150)).of("spike")
    wild = check(changed(bars, **prices(slice(150, None, 2), 3.0))).of("spike")
    assert calm[0].first == bars.index[100]
    assert wild[0].first == bars.index[100]


def test_closes_alone_cannot_tell_a_split_from_news_and_the_finding_says_so():
    (finding,) = check(sample_bars("sp500:AAPL")).of("suspected_split")
    assert (finding.severity, str(finding.first.date())) == ("info", "2000-09-29")
    assert "closes only" in finding.detail


def test_an_unchanged_close_is_stale_and_a_long_one_worse():
    def hold(count):
        def change(values):
            values[100 : 101 + count] = values[100]
            return values

        return dict.fromkeys(("open", "high", "low", "close"), change)

    assert check(changed(market(), **hold(4))).of("stale_run") == ()
    (brief,) = check(changed(market(), **hold(5))).of("stale_run")
    (long,) = check(changed(market(), **hold(12))).of("stale_run")
    assert (brief.severity, brief.count, long.severity, long.count) == ("info", 5, "warning", 12)


def test_zero_volume_is_counted_with_its_longest_run():
    (finding,) = check(changed(market(), volume=scaled(slice(50, 56), 0.0))).of("zero_volume")
    assert (finding.severity, finding.count) == ("warning", 6)
    assert "6 in a row" in finding.detail
    (single,) = check(changed(market(), volume=scaled(slice(50, 51), 0.0))).of("zero_volume")
    assert single.severity == "info"


def test_an_open_outside_its_bar_is_flagged():
    bars = changed(market(), open=scaled(slice(10, 11), 1.2))
    (finding,) = check(bars).of("ohlc_order")
    assert (finding.count, finding.first) == (1, bars.index[10])


def test_the_opening_gap_of_an_intraday_series_is_no_spike():
    """Every session opens 3% from the close before: unusual for five minutes, usual for a night."""
    bars = synthetic_bars("gbm", Shape(bars=78 * 60, timeframe="5min"), seed=5)
    session = np.unique(bars.index.normalize(), return_inverse=True)[1]
    jumps = np.where(session % 2, 1.03, 1.0)
    moved = changed(bars, **dict.fromkeys(("open", "high", "low", "close"), lambda values: values * jumps))
    assert check(moved).of("spike", "bad_print") == ()
    assert check(changed(moved, **prices(slice(3000, None), 1.05))).of("spike")[0].first == bars.index[3000]


def test_bars_of_constant_price_need_no_scale():
    frame = pd.DataFrame({"Close": [5.0] * 50}, index=pd.bdate_range("2024-02-20", periods=50))
    assert {f.kind for f in check(frame, symbol="X").findings} == {"stale_run", "no_volume", "closed_day"}
