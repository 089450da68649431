"""Expected prices are lines of the packaged files, looked up by hand."""

import subprocess
import sys

import numpy as np
import pytest

from qtw_lab.core import DataError, SetupError
from qtw_lab.data import SAMPLES, sample, sample_bars


def test_raw_prices_are_the_lines_of_the_file():
    first = sample_bars("AAPL", adjustment="raw").tidy().iloc[0]
    assert [first[name] for name in ("open", "high", "low", "close", "volume")] == [
        118.56,
        132.06,
        118.5,
        130.31,
        9616100,
    ]
    assert str(first["timestamp"]) == "2000-03-01 00:00:00+00:00"


def test_adjusted_closes_are_the_adjusted_column_and_volume_stays_as_delivered():
    bars = sample_bars("AAPL")
    assert bars.close["AAPL"].iloc[0] == pytest.approx(4.186662803811, rel=1e-12)
    assert bars.open["AAPL"].iloc[0] == pytest.approx(118.56 * 4.186662803811 / 130.31, rel=1e-12)
    assert bars.volume["AAPL"].iloc[0] == 9616100
    assert bars.adjustment == "all"


def test_adjusting_keeps_the_order_of_open_high_low_and_close():
    values = sample_bars("AAPL,IBM,MSFT").values
    assert (values["high"] >= np.maximum(values["open"], values["close"])).all()
    assert (values["low"] <= np.minimum(values["open"], values["close"])).all()


def test_the_split_of_microsoft_shows_in_raw_prices_only():
    raw = sample_bars("MSFT", "2003-02-14", "2003-02-18", adjustment="raw").close["MSFT"]
    adjusted = sample_bars("MSFT", "2003-02-14", "2003-02-18").close["MSFT"]
    assert raw.iloc[1] / raw.iloc[0] - 1 == pytest.approx(-0.483, abs=1e-3)
    assert adjusted.iloc[1] / adjusted.iloc[0] - 1 == pytest.approx(0.0335, abs=1e-3)


def test_a_late_listing_is_missing_before_and_the_index_is_the_union():
    bars = sample_bars("AAPL,FB")
    assert bars.shape == (3270, 2)
    assert bars.present.sum(axis=0).tolist() == [3270, 196]
    assert str(bars.index[~bars.present[:, 1]][-1].date()) == "2012-05-17"
    assert "FB is first quoted on 2012-05-18" in bars.notes
    assert len(sample_bars("FB")) == 196


def test_closes_stand_for_the_other_prices_and_the_notes_say_so():
    bars = sample_bars("JNJ,SP500", "2022-12-28")
    assert bars.close.iloc[0].tolist() == [bars.open["JNJ"].iloc[0], 3783.22]
    assert np.isnan(bars.values["volume"]).all()
    notes = " ".join(bars.notes)
    assert all(words in notes for words in ("survivors only", "closes only", "without dividends"))
    assert "survivors" not in " ".join(sample_bars("SP500").notes)


def test_every_column_names_the_file_it_was_read_from():
    series = sample_bars("sp500:AAPL,SP500").series
    assert [ref.symbol for ref in series] == ["AAPL", "SP500"]
    assert series[0].content != series[1].content
    assert series[0].content.startswith("skfolio ")
    assert "sha256:" in series[0].content


@pytest.mark.parametrize(
    ("symbols", "dataset", "source"),
    [
        ("AAPL", None, "sample:stocks"),
        ("AAPL,JNJ", None, "sample:sp500"),
        ("sp500:AAPL", None, "sample:sp500"),
        (["sp500:AAPL", "msft"], None, "sample:sp500"),
        ("AAPL", "sp500", "sample:sp500"),
    ],
)
def test_the_data_set_is_the_one_named_or_the_first_that_has_all(symbols, dataset, source):
    assert sample_bars(symbols, "2012-01-01", "2012-02-01", dataset=dataset).source == source


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_the_symbols_named_in_advance_are_those_in_the_files(name):
    source = SAMPLES[name]
    assert (source.bars(source.symbols()).present.sum(axis=0) > 0).all()
    tables = [sample._table(file) for file in set(source.files.values())]
    listed = {s for t in tables for s in (t["Ticker"] if "Ticker" in t else t.columns.drop("Date"))}
    assert set(source.symbols()) == listed


def test_weeks_are_made_from_days_and_nothing_finer_is_made_up():
    weeks = sample_bars("AAPL", "2012-10-22", "2012-11-02", timeframe="1W")
    days = sample_bars("AAPL", "2012-10-22", "2012-11-02")
    assert [f"{at:%m-%d}" for at in weeks.index] == ["10-22", "10-29"]
    assert weeks.close["AAPL"].iloc[-1] == days.close["AAPL"].iloc[-1]
    assert weeks.volume["AAPL"].iloc[1] == days.volume["AAPL"].iloc[5:].sum()
    with pytest.raises(DataError, match="daily bars"):
        sample_bars("AAPL", timeframe="1h")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"symbols": "APPL"}, "Did you mean 'AAPL'"),
        ({"symbols": "FB,JNJ"}, "stocks: FB; sp500: JNJ"),
        ({"symbols": "stocks:AAPL,sp500:JNJ"}, "separately"),
        ({"symbols": "sp50:JNJ"}, "Did you mean 'sp500'"),
        ({"symbols": "IBM", "dataset": "sp500"}, "symbol in data set 'sp500'"),
        ({"symbols": "JNJ", "adjustment": "raw"}, "cannot be worked out"),
        ({"symbols": "AAPL", "adjustment": "split"}, "Ask for raw or all"),
        ({"symbols": "AAPL", "adjustment": "al"}, "Did you mean 'all'"),
        ({"symbols": "AAPL", "start": "2020-01-01"}, "2000-03-01 to 2013-03-01"),
        ({"symbols": "AAPL", "start": "2012-01-01", "end": "2011-01-01"}, "swap"),
        ({"symbols": "AAPL", "start": "whenever"}, "not a date"),
        ({"symbols": ""}, "No symbol"),
        ({"symbols": [1]}, "no bundled symbol|not a symbol"),
        ({"symbols": "AAPL", "timeframe": "fortnight"}, "not a timeframe"),
    ],
)
def test_a_request_that_cannot_be_served_says_what_can(arguments, words):
    with pytest.raises(DataError, match=words):
        sample_bars(**arguments)


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    absent = sample.PackagedFile("no_such_package_here", "a/b.csv.gz", "pip install 'qtw-lab[backtest]'")
    with pytest.raises(SetupError, match=r"pip install 'qtw-lab\[backtest\]'"):
        absent.locate()


def test_a_package_without_its_file_is_to_be_reinstalled():
    with pytest.raises(SetupError, match="Reinstall"):
        sample.PackagedFile("bokeh_sampledata", "_data/gone.csv.gz", "pip install bokeh-sampledata").locate()


def test_reading_samples_imports_neither_of_the_packages_that_ship_them():
    script = (
        "import sys; from qtw_lab.data import sample_bars; sample_bars('AAPL'); sample_bars('JNJ');"
        "heavy = ('bokeh_sampledata', 'skfolio', 'bokeh', 'sklearn', 'exchange_calendars');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_writing_into_a_result_does_not_spoil_the_next_one():
    bars = sample_bars("AAPL")
    frame = bars.close
    frame.iloc[:] = 1.0
    assert sample_bars("AAPL").fingerprint == bars.fingerprint
