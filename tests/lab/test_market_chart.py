"""The price chart of the market page."""

import numpy as np
import pandas as pd
import pytest
from minute_frames import minutes

from qtw_lab.core import DataError
from qtw_lab.lab import Lab
from qtw_lab.lab.market_chart import MOST_BARS, RANGES, Wish, chart, warming
from qtw_lab.lab.market_offers import offers as offers_of
from qtw_lab.lab.market_studies import Choice


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A lab with three sessions of minutes in its store."""
    made = Lab.offline(tmp_path_factory.mktemp("chart"))
    # the clocks change on the weekend after
    table = minutes(3, "2024-03-06")
    table = table.assign(high=table["high"] + 1, low=table["low"] - 1)
    made.add(table, "AAA", source="mine", timeframe="1min")
    return made


@pytest.fixture(scope="module")
def offers(lab):
    return offers_of(lab)


def test_the_figures_are_those_of_the_last_bar_and_of_what_is_shown(lab, offers):
    made = chart(lab, offers["stocks"], Wish("AAPL", "1D", "1Y", "raw", "2012-06-29"))
    bars = lab.bars("AAPL", None, "2012-06-29", adjustment="raw", source="stocks")
    last = bars.close["AAPL"]
    assert made.facts["close"] == last.iloc[-1]
    assert made.facts["change"] == pytest.approx(last.iloc[-1] / last.iloc[-2] - 1)
    year = last[last.index > "2011-06-29"]
    assert made.shown == len(year)
    assert made.facts["range_change"] == pytest.approx(year.iloc[-1] / year.iloc[0] - 1)
    assert made.facts["range_high"] == bars.high["AAPL"][year.index].max()
    assert made.facts["time"] == "2012-06-29"


@pytest.mark.parametrize("span", RANGES)
def test_every_range_shows_the_bars_since_then(span, lab, offers):
    made = chart(lab, offers["stocks"], Wish("IBM", span=span))
    reach = RANGES[span]
    expected = made.bars.index if reach is None else made.bars.index[made.bars.index > made.bars.index[-1] - reach]
    assert made.shown == len(expected)
    figure = made.picture("light").figure
    assert figure.children[0].x_range.start == -0.7
    assert figure.children[0].x_range.end == len(expected) - 0.3


@pytest.mark.parametrize(("timeframe", "count"), [("1D", 3270), ("1W", 679), ("1ME", 157)])
def test_longer_candles_are_made_of_days(timeframe, count, lab, offers):
    assert len(chart(lab, offers["stocks"], Wish("IBM", timeframe, "all")).bars) == count


def test_candles_within_the_day_show_the_clock_of_the_exchange(lab, offers):
    made = chart(lab, offers["mine"], Wish("AAA", "30min", "5D"))
    assert len(made.bars) == 39
    assert made.facts["time"] == "2024-03-08 20:30"
    figure = made.picture("dark").figure
    first = figure.select_one({"name": "bodies"}).data_source.data["time"][0]
    assert pd.Timestamp(first, unit="ms") == pd.Timestamp("2024-03-06 09:30")
    assert figure.children[-1].xaxis[0].axis_label == "time in America/New_York"


def test_nothing_later_than_asof_is_used(lab, offers):
    studies = (Choice.of("ema"), Choice.of("macd"))
    early = chart(lab, offers["stocks"], Wish("IBM", asof="2010-06-30", studies=studies))
    assert early.bars.index[-1] == pd.Timestamp("2010-06-30", tz="UTC")


def test_indicators_begin_before_what_is_shown(lab, offers):
    made = chart(lab, offers["stocks"], Wish("IBM", span="6M", studies=(Choice.of("sma", window=200),)))
    line = made.picture("light").figure.select_one({"name": "overlay SMA 200"}).data_source.data["y"]
    assert len(line) == made.shown
    assert np.isfinite(line).all()
    assert line[-1] == pytest.approx(made.bars.close["IBM"].tail(200).mean())
    assert warming(made) == ()


def test_an_indicator_without_a_value_yet_is_named_and_not_drawn(lab, offers):
    wish = Wish(
        "FB", span="all", studies=(Choice.of("sma", window=500), Choice.of("rsi", window=400), Choice.of("sma"))
    )
    made = chart(lab, offers["stocks"], wish)
    assert warming(made) == ("SMA 500", "RSI 400")
    figure = made.picture("light").figure
    assert figure.select_one({"name": "overlay SMA 500"}) is None
    assert figure.select_one({"name": "overlay SMA 20"}) is not None


def test_volume_and_panes_stand_below_in_the_order_chosen(lab, offers):
    studies = (Choice.of("rsi"), Choice.of("volume"), Choice.of("macd"))
    figure = chart(lab, offers["stocks"], Wish("IBM", studies=studies)).picture("light").figure
    assert [pane.title.text for pane in figure.children] == ["IBM, 1D", "", "RSI 14", "MACD 12, 26, 9"]
    without = chart(lab, offers["stocks"], Wish("IBM", studies=(Choice.of("rsi"),))).picture("light").figure
    assert [pane.title.text for pane in without.children] == ["IBM, 1D", "RSI 14"]
    assert without.children[-1].xaxis[0].visible


def test_closes_alone_are_drawn_as_a_line(lab, offers):
    made = chart(lab, offers["sp500"], Wish("AAPL", studies=(Choice.of("sma"), Choice.of("rsi"), Choice.of("volume"))))
    figure = made.picture("light").figure
    assert figure.select_one({"name": "close"}) is not None
    assert figure.select_one({"name": "RSI 14"}) is not None


def test_of_a_very_long_history_the_last_bars_are_drawn_and_the_notes_say_so(lab, offers):
    made = chart(lab, offers["sp500"], Wish("AAPL", span="all"))
    assert len(made.bars) > MOST_BARS == made.shown
    assert made.notes[0] == f"the last 8,000 of {len(made.bars):,} bars are drawn"


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish("AAPLE"), "Did you mean 'AAPL'"), (Wish("AAPL", "5min"), "timeframe of AAPL"),
        (Wish("AAPL", span="2Y"), "There is no range '2Y'"), (Wish("AAPL", adjustment="split"), "adjustment"),
        (Wish("AAPL", asof="yesterday"), "yesterday"), (Wish("AAPL", asof="1999-01-01"), "No bar lies|nothing"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_refused_in_words(wish, words, lab, offers):
    with pytest.raises(DataError, match=words):
        chart(lab, offers["stocks"], wish)


def test_a_single_bar_is_a_chart_too(tmp_path):
    own = Lab.offline(tmp_path)
    one = pd.DataFrame(
        {"open": 1.0, "high": 2.0, "low": 1.0, "close": 1.5, "volume": 3.0}, [pd.Timestamp("2024-03-04")]
    )
    own.add(one, "ONE", source="mine")
    made = chart(own, offers_of(own)["mine"], Wish("ONE", studies=(Choice.of("sma"), Choice.of("volume"))))
    assert made.shown == 1
    assert np.isnan(made.facts["change"])
    assert made.picture("light").figure is not None
