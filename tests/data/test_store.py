"""Reading back what was written, whole or adjusted, and asking for what is not there."""

import numpy as np
import pytest
from stored import KEY, MOMENT, frame

from qtw_lab.core import DataError
from qtw_lab.data.series import SeriesKey


def test_what_is_written_is_read_back_to_the_last_bit(store):
    given = frame(4, split_factor=0.25, factor=[0.2, 0.21, 0.22, 0.25])
    report = store.write(KEY, given, calendar="XNYS")
    table = store.table(KEY)
    assert table.drop(columns=["split_factor", "factor"]).to_numpy().tolist() == given.iloc[:, :5].to_numpy().tolist()
    assert table["factor"].tolist() == [0.2, 0.21, 0.22, 0.25]
    assert list(table.index) == list(given.index)
    assert (report.rows, report.added, report.previous, report.changed) == (4, 4, None, True)


def test_adjustments_multiply_prices_and_divide_volume(store):
    store.write(KEY, frame(2, split_factor=[0.5, 1.0], factor=[0.4, 1.0]))  # a 2:1 split and a dividend of a fifth
    closes = {how: store.bars("AAPL", adjustment=how).close["AAPL"].tolist() for how in ("all", "split", "raw")}
    volumes = {how: store.bars("AAPL", adjustment=how).volume["AAPL"].tolist() for how in ("all", "split", "raw")}
    assert closes == {"all": [40.0, 101.0], "split": [50.0, 101.0], "raw": [100.0, 101.0]}
    assert volumes == {"all": [2000.0, 1000.0], "split": [2000.0, 1000.0], "raw": [1000.0, 1000.0]}
    assert store.bars("AAPL", adjustment="split").adjustment == "split"


def test_bars_say_where_every_column_came_from(store):
    reports = [store.write(SeriesKey("files", name), frame(3)) for name in ("AAPL", "IBM")]
    bars = store.bars("IBM,AAPL")
    assert bars.symbols == ("IBM", "AAPL")
    assert bars.source == "files"
    assert [(ref.symbol, ref.content) for ref in bars.series] == [
        ("IBM", reports[1].content), ("AAPL", reports[0].content)
    ]  # fmt: skip


def test_symbols_of_different_length_share_one_index(store):
    store.write(SeriesKey("files", "AAPL"), frame(5))
    store.write(SeriesKey("files", "META"), frame(2, start="2024-01-04"))
    bars = store.bars(["AAPL", "META"])
    assert bars.shape == (5, 2)
    assert np.isnan(bars.close["META"].iloc[0])
    assert store.bars(["AAPL", "META"], start="2024-01-04", end="2024-01-04").shape == (1, 2)


def test_prices_without_factors_are_called_raw_whatever_was_asked(store):
    store.write(KEY, frame(3))
    bars = store.bars("AAPL", adjustment="all")
    assert bars.adjustment == "raw"
    assert any("no adjustment factors" in note for note in bars.notes)


def test_an_adjusted_close_becomes_the_factor_and_leaves_the_split_unknown(store):
    store.write(KEY, frame(2).assign(**{"Adj Close": [50.0, 101.0]}))
    assert store.bars("AAPL").close["AAPL"].tolist() == [50.0, 101.0]
    with pytest.raises(DataError, match="split factors of AAPL are not known"):
        store.bars("AAPL", adjustment="split")


def test_rows_without_a_price_are_counted_not_stored(store):
    given = frame(4)
    given.iloc[1] = np.nan
    report = store.write(KEY, given)
    assert (report.rows, report.skipped) == (3, 1)


def test_notes_travel_with_the_bars(store):
    store.write(KEY, frame(3), notes=["from a friend"])
    store.write(KEY, frame(3, start="2024-01-03"), notes=["from a stranger"])
    assert store.bars("AAPL", adjustment="raw").notes == ("from a friend", "from a stranger")


def test_every_version_stays_readable_with_its_parent(store):
    first = store.write(KEY, frame(3), origin="monday")
    second = store.write(KEY, frame(5), origin="friday")
    versions = store.versions(KEY)
    assert [v.content for v in versions] == [first.content, second.content]
    assert [(v.parent, v.origin, v.rows) for v in versions] == [(None, "monday", 3), (first.content, "friday", 5)]
    assert len(store.table(KEY, first.content[:10])) == 3
    assert versions[0].written_at == MOMENT


def test_a_missing_symbol_names_near_misses(store):
    store.write(KEY, frame(2))
    with pytest.raises(DataError, match="Did you mean 'AAPL'"):
        store.bars("APPL")
    with pytest.raises(DataError, match="stored as 1D bars, not 1h"):
        store.bars("AAPL", "1h")
    with pytest.raises(DataError, match="Did you mean 'files'"):
        store.bars("AAPL", source="file")
    with pytest.raises(DataError, match="Did you mean 'files/AAPL 1D'"):
        store.versions(SeriesKey("files", "AAPLE"))


def test_a_symbol_in_two_sources_asks_which(store):
    for source in ("files", "alpaca-iex"):
        store.write(SeriesKey(source, "AAPL"), frame(2))
    with pytest.raises(DataError, match="alpaca-iex, files"):
        store.bars("AAPL")
    assert store.bars("AAPL", source="files").source == "files"


def test_an_empty_store_says_so(store):
    assert store.list().empty
    with pytest.raises(DataError, match="none at all"):
        store.bars("AAPL")


def test_the_list_shows_every_series(store):
    store.write(KEY, frame(3), origin="here")
    store.write(SeriesKey("files", "IBM", "1h"), frame(3))
    listing = store.list()
    assert listing[["symbol", "timeframe", "rows", "versions", "origin"]].to_numpy().tolist() == [
        ["AAPL", "1D", 3, 1, "here"],
        ["IBM", "1h", 3, 1, ""],
    ]
