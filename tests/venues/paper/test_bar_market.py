"""Bars as quotes and trades: when each price is quoted, what was known when, and which bars make no market."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab.core import DataError
from qtw_lab.venues.moments import SECOND
from qtw_lab.venues.paper.bar_market import BarMarket
from qtw_lab.venues.ticks import DAILY_BAR, QUOTE, TRADE

NAN = float("nan")
HOUR = 3600 * SECOND
CORNERS = ("open", "low", "high", "close")


def table(index, first=100.0):
    """Bars whose four prices are all different: 100, 98, 103, 101, then ten more at each bar."""
    base = first + 10.0 * np.arange(len(index))
    return pd.DataFrame({"open": base, "high": base + 3, "low": base - 2, "close": base + 1}, index=index)


def market(index, calendar="XNYS", **more):
    return BarMarket(qtw.Bars.from_frame(table(index), symbol="X", calendar=calendar, **more))


def days(*dates):
    return pd.DatetimeIndex(dates)


def hours(start, count, freq="1h"):
    return pd.date_range(start, periods=count, freq=freq, tz="America/New_York")


def at(text, zone="America/New_York"):
    return pd.Timestamp(text, tz=zone).as_unit("ns").value


def moments(values, zone="America/New_York"):
    return [str(one)[:16] for one in pd.DatetimeIndex(values, tz="UTC").tz_convert(zone)]


def aapl(start="2012-10-01", end="2012-12-31"):
    """Bundled prices; the exchange was shut on 29 and 30 October and closed early on 23 November and 24 December."""
    return qtw.Lab.offline().bars(["AAPL"], start, end)


def prices(rows):
    return rows["price"].tolist()


#: Two symbols for nine hours over two days and a half day, of which the second is listed late and once does not trade.
def listed_late():
    index = hours("2024-07-02 13:30", 3).append(hours("2024-07-03 09:30", 4)).append(hours("2024-07-05 09:30", 2))
    late = table(index, 500.0)
    late.iloc[[0, 1, 2, 5]] = NAN
    frame = pd.concat({"OLD": table(index), "NEW": late}, axis=1)
    return BarMarket(qtw.Bars.from_frame(frame, calendar="XNYS", holes="keep"))


# When bars are


def test_a_daily_bar_lasts_from_the_opening_to_the_close_of_its_session_half_days_included():
    made = market(days("2024-07-02", "2024-07-03", "2024-07-05"))
    assert moments(made.opens) == ["2024-07-02 09:30", "2024-07-03 09:30", "2024-07-05 09:30"]
    assert moments(made.ends) == ["2024-07-02 16:00", "2024-07-03 13:00", "2024-07-05 16:00"]
    assert made.span == (at("2024-07-02 09:30"), at("2024-07-05 16:00"))


def test_a_daily_bar_has_the_hours_of_its_season():
    made = market(days("2024-03-08", "2024-03-11"))  # clocks changed between them
    assert moments(made.opens, "UTC") == ["2024-03-08 14:30", "2024-03-11 13:30"]


def test_intraday_bars_last_for_their_timeframe_and_the_last_of_a_session_no_longer_than_that():
    made = market(hours("2024-07-02 14:30", 2).append(hours("2024-07-03 11:30", 2)))
    assert moments(made.ends) == ["2024-07-02 15:30", "2024-07-02 16:00", "2024-07-03 12:30", "2024-07-03 13:00"]
    assert made.opens.tolist() == made.bars.index.asi8.tolist()
    minutes = market(hours("2024-07-03 12:58", 2, "1min"))
    assert moments(minutes.ends) == ["2024-07-03 12:59", "2024-07-03 13:00"]


def test_around_the_clock_there_are_bars_on_weekends_that_end_where_the_next_begin():
    made = market(pd.date_range("2024-07-05", periods=4), "24/7")  # a Friday
    assert moments(made.opens, "UTC") == [f"2024-07-0{day} 00:00" for day in (5, 6, 7, 8)]
    assert made.ends[:-1].tolist() == made.opens[1:].tolist()
    hourly = market(pd.date_range("2024-07-06 22:00", periods=4, freq="1h", tz="UTC"), "24/7")
    assert hourly.ends[:-1].tolist() == hourly.opens[1:].tolist()


@pytest.mark.parametrize(
    "index",
    [
        days("2024-07-03", "2024-07-04"),  # a holiday
        days("2024-07-05", "2024-07-06"),  # a Saturday
        hours("2024-07-02 15:30", 2),
        hours("2024-07-03 12:30", 2),  # a half day
        hours("2024-07-04 10:30", 2),
    ],
)
def test_a_bar_outside_the_sessions_of_its_calendar_is_refused(index):
    with pytest.raises(DataError, match=r"The bar of .* lies outside the sessions of XNYS; drop such bars, or load"):
        market(index, timeframe="1h" if index.tz else "1d")


def test_a_bar_with_no_session_within_a_day_of_it_is_refused_as_any_other():
    with pytest.raises(DataError, match="lies outside the sessions"):
        market(days("2024-03-30"), timeframe="1d")  # the Saturday after Good Friday


def test_a_bar_before_the_opening_is_refused():
    with pytest.raises(DataError, match="lies outside the sessions"):
        market(hours("2024-07-02 08:00", 1), timeframe="1h")


def test_a_bar_that_is_stamped_before_the_opening_and_lasts_beyond_it_begins_with_the_session():
    made = market(hours("2024-07-02 09:00", 2))
    assert moments(made.opens) == ["2024-07-02 09:30", "2024-07-02 10:00"]


@pytest.mark.parametrize(("freq", "name"), [("W-FRI", "1W"), ("MS", "1ME")])
def test_bars_longer_than_a_day_make_no_market(freq, name):
    with pytest.raises(DataError, match=f"A market needs bars of a day or less; there are 5 bars of {name}"):
        market(pd.date_range("2024-01-01", periods=5, freq=freq))


# What is quoted


def test_each_bar_is_quoted_at_its_open_low_high_and_close_and_a_trade_follows_each_quote():
    made = market(days("2024-07-02", "2024-07-03"))
    rows, times = made.arrivals(*made.span)
    assert rows["kind"].tolist() == [QUOTE, TRADE] * 8
    assert prices(rows[::2]) == prices(rows[1::2]) == [100, 98, 103, 101, 110, 108, 113, 111]
    assert times.tolist() == rows["time"].tolist()
    assert moments(times[:8:2]) == [f"2024-07-02 {time}" for time in ("09:30", "11:40", "13:50", "15:59")]
    assert moments(times[8::2]) == [f"2024-07-03 {time}" for time in ("09:30", "10:40", "11:50", "12:59")]
    assert (made.ends - times[6::8]).tolist() == [1000, 1000]  # within the session


def test_quotes_have_no_spread_and_show_as_much_as_anybody_asks_for():
    made = market(days("2024-07-02"), timeframe="1d")
    (quote,) = made.latest_quotes([0], made.span[1])
    assert quote["price"] == quote["other_price"] == 101.0
    assert quote["size"] == quote["other_size"] == 1e9


def test_trades_have_ids_of_their_own():
    rows = listed_late().arrivals(*listed_late().span).rows
    trades = rows[rows["kind"] == TRADE]
    assert len({(one["symbol"], one["id"]) for one in trades}) == len(trades)
    assert (trades["id"] > 0).all()


def test_bundled_bars_are_quoted_at_their_opens_and_known_whole_at_their_ends():
    bars = aapl()
    made = BarMarket(bars)
    assert len(made.opens) == len(bars) == 62
    for t, (opens, ends) in enumerate(zip(made.opens, made.ends, strict=True)):
        row = {name: bars.values[name][t, 0] for name in CORNERS}
        assert prices(made.latest_trades([0], opens)) == prices(made.latest_quotes([0], opens)) == [row["open"]]
        assert prices(made.latest_trades([0], ends)) == [row["close"]]
        assert prices(made.arrivals(opens, ends).rows[::2]) == list(row.values())
    early = [str(day.date()) for day, ends in zip(bars.index, made.ends, strict=True) if moments([ends])[0][11:] < "16"]
    assert early == ["2012-11-23", "2012-12-24"]


def test_a_symbol_that_is_listed_late_is_not_quoted_before_nor_where_it_does_not_trade():
    made = listed_late()
    old, new = (made.symbols.number(name) for name in ("OLD", "NEW"))
    listed = at("2024-07-03 09:30")
    assert len(made.latest_trades([new], listed - 1)) == len(made.latest_quotes([new], listed - 1)) == 0
    assert made.latest_trades([new, old], listed - 1)["symbol"].tolist() == [old]
    assert prices(made.latest_trades([new, old], listed)) == [530.0, 130.0]
    assert not len(made.arrivals(made.span[0], listed, [new]).rows)
    # its third bar is a hole: nothing arrives, and its last trade stands
    assert not len(made.arrivals(at("2024-07-03 11:30"), at("2024-07-03 12:30"), [new]).rows)
    assert prices(made.latest_trades([new], at("2024-07-03 12:00"))) == [541.0]
    assert prices(made.latest_trades([new], at("2024-07-03 12:30"))) == [560.0]


# What was known when


def test_before_the_first_bar_nothing_is_known():
    made, before = listed_late(), at("2024-07-02 13:30") - 1
    for rows in (made.latest_trades([0, 1], before), made.latest_quotes([0, 1], before)):
        assert len(rows) == 0
    assert len(made.previous_daily([0, 1], before)) == len(made.previous_daily([0, 1], 0)) == 0
    assert len(made.arrivals(0, before + 1).rows) == 0
    assert len(made.arrivals(before, before + 2).rows) == 2


def test_nothing_arrives_after_the_last_bar_which_stays_known():
    made = listed_late()
    assert len(made.arrivals(made.span[1], made.span[1] + 100 * HOUR).rows) == 0
    assert prices(made.latest_trades([0], made.span[1] + 100 * HOUR)) == [181.0]


MADE = listed_late()
ANY_MOMENT = st.integers(MADE.span[0] - HOUR, MADE.span[1] + HOUR) | st.sampled_from(
    [int(one) + near for one in (*MADE.opens, *MADE.ends) for near in (-1001, -1000, -999, -1, 0, 1)]
)


@given(ANY_MOMENT, st.sampled_from([[0], [1], [0, 1], [1, 0], []]))
def test_the_latest_is_the_last_that_arrived(now, numbers):
    rows = MADE.arrivals(MADE.span[0], now + 1, numbers).rows
    hole = at("2024-07-03 11:30") <= now < at("2024-07-03 12:30")  # whether a quote stands there is tested with orders
    for kind, latest in ((TRADE, MADE.latest_trades(numbers, now)), (QUOTE, MADE.latest_quotes(numbers, now))):
        if hole and kind == QUOTE:
            continue
        arrived = [rows[(rows["kind"] == kind) & (rows["symbol"] == number)] for number in numbers]
        assert repr(latest.tolist()) == repr([own[-1].item() for own in arrived if len(own)])


@given(st.tuples(ANY_MOMENT, ANY_MOMENT, ANY_MOMENT).map(sorted))
def test_arrivals_of_two_spans_are_those_of_the_whole_in_order_of_time(three):
    start, middle, end = three
    whole, parts = MADE.arrivals(start, end), [MADE.arrivals(start, middle), MADE.arrivals(middle, end)]
    assert np.concatenate([part.rows for part in parts]).tobytes() == whole.rows.tobytes()
    assert (np.diff(whole.times) >= 0).all()
    assert ((whole.times >= start) & (whole.times < end)).all()
    of_each = [MADE.arrivals(start, end, [number]).rows for number in (0, 1)]
    assert sum(map(len, of_each)) == len(whole.rows)


# The day before


@pytest.mark.parametrize(
    ("now", "closes"),
    [
        ("2024-07-02 15:00", []),
        ("2024-07-03 00:00", [121.0]),
        ("2024-07-03 12:00", [121.0]),
        ("2024-07-04 10:00", [161.0, 561.0]),
        ("2024-07-05 09:30", [161.0, 561.0]),
        ("2024-07-06 12:00", [181.0, 581.0]),
        ("2024-07-08 09:30", [181.0, 581.0]),
    ],
)
def test_the_bar_of_the_day_before_is_the_last_close_before_midnight_in_new_york(now, closes):
    rows = listed_late().previous_daily([0, 1], at(now))
    assert rows["close"].tolist() == closes
    assert (rows["kind"] == DAILY_BAR).all()
    assert rows["symbol"].tolist() == [0, 1][: len(closes)]


def test_on_a_monday_the_day_before_is_friday():
    made = market(days("2024-07-11", "2024-07-12", "2024-07-15"))
    assert [made.previous_daily([0], int(now))["close"].item() for now in made.opens[1:]] == [101.0, 111.0]


def test_around_the_clock_the_bar_of_the_day_before_has_a_close_as_well():
    made = market(pd.date_range("2024-07-05", periods=4), "24/7")
    assert {made.previous_daily([0], int(now))["close"].item() for now in made.opens[2:]} <= {101.0, 111.0, 121.0}


# What else an account asks


def test_every_symbol_is_an_asset_that_can_be_traded_in_parts_and_borrowed():
    made = listed_late()
    assets = made.assets()
    assert [made.symbols.number(asset["symbol"]) for asset in assets] == [0, 1]
    assert all(asset[what] is True for asset in assets for what in ("tradable", "fractionable", "shortable"))
    assert len({asset["id"] for asset in assets}) == 2
    assert assets == listed_late().assets()


def test_its_sessions_are_those_of_the_calendar_of_the_bars():
    around = market(pd.date_range("2024-07-05", periods=2), "24/7")
    assert len(market(days("2024-07-03"), timeframe="1d").sessions("2024-07-03", "2024-07-08")) == 3
    assert len(around.sessions("2024-07-03", "2024-07-08")) == 6
