"""Names that are safe as files, and lists of versions that are not believed blindly."""

import json

import pytest
from stored import KEY, frame

from qtw_lab.core import DataError
from qtw_lab.data.series import SeriesKey


@pytest.mark.parametrize(
    "symbol", ["../AAPL", "..", "A B", "", "A\x00B", "a" * 40, "A;B", "A%2FB", "/etc/passwd", ".x"]
)
def test_names_that_could_leave_the_folder_are_refused(symbol):
    with pytest.raises(DataError):
        SeriesKey("files", symbol)


@pytest.mark.parametrize("source", ["..", "a/b", "", "Files", "a b", "x" * 33, "-a", "a\n"])
def test_sources_that_could_leave_the_folder_are_refused(source):
    with pytest.raises(DataError):
        SeriesKey(source, "X")


@pytest.mark.parametrize("symbol", ["^GSPC", "BTC/USD", "BRK.B", "EURUSD=X", "CON", "AUX.L", "ES_F", "RDS-A", "A^/B"])
def test_odd_symbols_are_stored_under_safe_names_and_found_again(store, symbol):
    key = SeriesKey("files", symbol)
    store.write(key, frame(2))
    (path,) = (store.folder / "series" / "files" / "1D").glob("*.json")
    assert not set(path.name) & set('/\\:*?"<>|^')
    assert path.name.partition(".")[0] not in {"CON", "AUX"}
    assert store.keys() == (key,)
    assert store.bars(symbol, adjustment="raw").symbols == (symbol,)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 9}', '{"format": 1, "source": "x"}', "\x00\xff"])
def test_a_damaged_list_of_versions_is_named_and_does_not_hide_other_series(store, text):
    store.write(KEY, frame(3))
    store.write(SeriesKey("files", "IBM"), frame(3))
    path = store.folder / "series" / "files" / "1D" / "AAPL.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"AAPL\.json is damaged"):
        store.bars("AAPL")
    assert len(store.bars("IBM")) == 3
    listing = store.list().set_index("symbol")
    assert "damaged" in listing.loc["AAPL", "fault"]
    assert listing.loc["IBM", "fault"] == ""


def test_a_list_under_another_name_is_not_believed(store):
    store.write(KEY, frame(3))
    path = store.folder / "series" / "files" / "1D" / "AAPL.json"
    path.rename(path.with_name("MSFT.json"))
    with pytest.raises(DataError, match="not what its name says"):
        store.bars("MSFT")


def test_the_pointer_is_plain_json_a_person_can_read(store):
    store.write(KEY, frame(3))
    plain = json.loads((store.folder / "series" / "files" / "1D" / "AAPL.json").read_text())
    assert plain["symbol"] == "AAPL"
    assert plain["versions"][0]["first"] == "2024-01-01T00:00:00+00:00"
