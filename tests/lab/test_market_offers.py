"""Who has prices, of which symbols, in bars of which lengths."""

import shutil
import time

import pandas as pd
import pytest
from minute_frames import minutes
from stored import frame

from qtw_lab.core import DataError
from qtw_lab.lab import Lab
from qtw_lab.lab.market_bars import opened
from qtw_lab.lab.market_offers import offers, stamp


@pytest.fixture
def lab(tmp_path):
    return Lab.offline(tmp_path)


def test_bundled_data_are_offered_without_a_store(lab):
    offered = offers(lab)
    assert list(offered) == ["stocks", "sp500"]
    assert offered["stocks"].symbols == ("AAPL", "FB", "GOOG", "IBM", "MSFT")
    assert offered["stocks"].timeframes("AAPL") == ("1D", "1W", "1ME")


def test_a_source_of_the_store_is_offered_with_the_bars_that_its_own_add_up_to(lab):
    lab.add(minutes(), "AAA", source="mine", timeframe="1min")
    lab.add(frame(30), "BBB", source="mine")
    offer = offers(lab)["mine"]
    assert offer.timeframes("AAA") == ("1min", "5min", "15min", "30min", "1h", "1D", "1W", "1ME")
    assert offer.timeframes("BBB") == ("1D", "1W", "1ME")
    with pytest.raises(DataError, match="Did you mean 'BBB'"):
        offer.timeframes("BBBB")


def test_a_source_with_two_calendars_is_offered_as_two(lab):
    lab.add(frame(30), "AAA", source="mine")
    always = frame(30).set_axis(pd.date_range("2024-01-01", periods=30, tz="UTC"))
    lab.add(always, "COIN", source="mine", calendar="24/7")
    offered = offers(lab)
    assert offered["mine (24/7)"].symbols == ("COIN",)
    assert offered["mine (XNYS)"].symbols == ("AAA",)
    assert opened(lab, "mine (24/7)").bars.calendar == "24/7"


def test_a_series_that_cannot_be_read_is_left_out_and_named(lab):
    lab.add(frame(30), "AAA", source="mine")
    lab.add(frame(30), "BBB", source="mine")
    path = next(lab.store.folder.glob("series/mine/1D/BBB*.json"))
    path.write_text("{}")
    offer = offers(lab)["mine"]
    assert offer.symbols == ("AAA",)
    assert "BBB 1D cannot be read" in offer.notes[0]


def test_the_stamp_changes_with_every_write_and_with_nothing_else(lab):
    assert stamp(lab) == ()
    lab.add(frame(30), "AAA", source="mine")
    one = stamp(lab)
    opened(lab, "mine")
    assert stamp(lab) == one != ()
    time.sleep(0.02)  # more than the file system's clock ticks
    lab.add(frame(31), "AAA", source="mine")
    assert stamp(lab) != one
    shutil.rmtree(lab.store.folder)
    assert stamp(lab) == ()
