import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from qtw_lab.core import Bars, DataError, SetupError
from qtw_lab.data import Shape, TextFormat, read_bars, read_table, sample_bars, synthetic_bars, write_bars

KINDS = [".parquet", ".pq", ".csv", ".csv.gz"]
LINES = "Date,Open,High,Low,Close,Volume\n2024-01-02,1,2,0.5,1.5,100\n2024-01-03,1.5,2,1,1.25,200\n"


@pytest.fixture
def bars():
    return sample_bars("AAPL,FB", "2012-05-01", "2012-06-01")


@pytest.mark.parametrize("kind", KINDS)
def test_bars_come_back_to_the_last_digit(tmp_path, bars, kind):
    path = write_bars(bars, tmp_path / "new" / f"two{kind}")
    assert read_bars(path, adjustment="all").fingerprint == bars.fingerprint


def test_parquet_keeps_what_the_numbers_do_not_say(tmp_path):
    bars = synthetic_bars("gbm", Shape(bars=50, calendar="24/7", timeframe="1h"), seed=1)
    back = read_bars(write_bars(bars, tmp_path / "x.parquet"))
    kept = ("timeframe", "calendar", "adjustment", "source", "notes", "fingerprint")
    assert [getattr(back, name) for name in kept] == [getattr(bars, name) for name in kept]


def test_holes_are_left_out_and_come_back_as_holes(tmp_path):
    bars = synthetic_bars("gbm", Shape(symbols=3, bars=80, holes=0.2, late_listings=0.4), seed=2)
    assert read_bars(write_bars(bars, tmp_path / "h.csv"), adjustment="all").fingerprint == bars.fingerprint


def test_unknown_volume_survives(tmp_path):
    bars = sample_bars("JNJ", "2020-01-01", "2020-02-01")
    assert np.isnan(read_bars(write_bars(bars, tmp_path / "j.parquet")).values["volume"]).all()


def test_a_file_names_its_symbol_and_its_content(tmp_path):
    (tmp_path / "msft.csv").write_text(LINES)
    bars = read_bars(tmp_path / "msft.csv", timeframe="1D")
    assert bars.symbols == ("MSFT",)
    assert bars.source == "msft.csv"
    assert len(bars.series[0].content) == 64


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path, encoding):
    (tmp_path / "x.csv").write_text(LINES, encoding=encoding)
    assert len(read_bars(tmp_path / "x.csv")) == 2


def test_other_text_formats_can_be_stated(tmp_path):
    (tmp_path / "x.csv").write_text("Datum;Date;Close\nä;2024-01-02;1.234,5\nö;2024-01-03;1,5\n", encoding="cp1252")
    text = TextFormat(separator=";", decimal=",", thousands=".", encoding="cp1252")
    assert read_bars(tmp_path / "x.csv", text=text).close["X"].tolist() == [1234.5, 1.5]
    (tmp_path / "t.tsv").write_text(LINES.replace(",", "\t"))
    assert len(read_bars(tmp_path / "t.tsv")) == 2


def test_the_index_that_pandas_writes_is_read_as_times(tmp_path):
    frame = pd.DataFrame({"Close": [1.0, 2.0]}, index=pd.date_range("2024-01-02", periods=2))
    frame.to_csv(tmp_path / "x.csv")
    frame.to_parquet(tmp_path / "x.parquet")
    assert read_bars(tmp_path / "x.csv").index.equals(read_bars(tmp_path / "x.parquet").index)


def test_a_table_in_memory_is_read_the_same_way():
    assert read_bars(pd.DataFrame({"Date": ["2024-01-02", "2024-01-03"], "Close": [1.0, 2.0]}), "X").symbols == ("X",)


@pytest.mark.parametrize("text", [{"encoding": "klingon"}, {"separator": ""}, {"decimal": ""}, {"decimal": "12"}])
def test_a_text_format_that_makes_no_sense_is_refused(tmp_path, text):
    (tmp_path / "x.csv").write_text(LINES)
    with pytest.raises(DataError, match=r"x\.csv"):
        read_bars(tmp_path / "x.csv", text=TextFormat(**text))


BROKEN_TEXT = {
    "empty.csv": (b"", "empty"),
    "blank.csv": (b"\n\n", "no columns"),
    "header.csv": (b"Date,Close\n", "no rows"),
    "twice.csv": (b"Date,Close,close\n2024-01-02,1,2\n", "two columns called 'close'"),
    "ragged.csv": (b"Date,Close\n2024-01-02,1\n2024-01-03,1,2,3\n", "as many columns as the first"),
    "semicolon.csv": (b"Date;Close\n2024-01-02;1,5\n", "separator=';'"),
    "latin.csv": ("Date,Close,Währung\n2024-01-02,1,x\n".encode("cp1252"), "cp1252"),
    "wide.csv": ("Date,Close\n2024-01-02,1\n".encode("utf-16"), "utf-16"),
    "words.csv": (b"Date,Close\n2024-01-02,high\n2024-01-03,low\n", "pd.to_numeric"),
    "money.csv": (b'Date,Close\n2024-01-02,"1,234.50"\n2024-01-03,7\n', "text or mixed"),
    "parquet.csv": (b"PAR1rest", "Rename it to .parquet"),
    "text.parquet": (LINES.encode(), "not a Parquet file"),
    "tiny.parquet": (b"PAR1", "damaged or truncated"),
    "cut.csv.gz": (gzip.compress(LINES.encode() * 50)[:60], "breaks off"),
    "plain.csv.gz": (LINES.encode(), "cannot be read"),
    "not a symbol!.csv": (LINES.encode(), "is not a symbol"),
    "prices.xlsx": (b"PK", "not read"),
}


@pytest.mark.parametrize("name", BROKEN_TEXT)
def test_a_broken_file_is_refused_with_a_remedy(tmp_path, name):
    content, words = BROKEN_TEXT[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_bars(tmp_path / name)


def test_a_truncated_parquet_file_is_refused_wherever_it_was_cut(tmp_path, bars):
    whole = write_bars(bars, tmp_path / "w.parquet").read_bytes()
    for size in (4, 5, 100, len(whole) // 2, len(whole) - 9, len(whole) - 1):
        (tmp_path / "cut.parquet").write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"cut\.parquet"):
            read_table(tmp_path / "cut.parquet")


def test_a_flipped_bit_never_gives_other_prices(tmp_path, bars):
    whole = write_bars(bars, tmp_path / "w.parquet").read_bytes()
    path = tmp_path / "flipped.parquet"
    for place in [*range(4, len(whole) - 3000, 97), *range(len(whole) - 3000, len(whole), 41)]:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            read = read_bars(path)
        except DataError:
            continue
        assert (
            read.fingerprint == bars.fingerprint or read.notes == ()
        )  # our own notes were hit: an ordinary table remains
        assert (read.tidy()[["open", "high", "low", "close"]].to_numpy() == bars.tidy().iloc[:, 2:6].to_numpy()).all()


def test_a_missing_file_is_answered_with_its_neighbour(tmp_path):
    (tmp_path / "prices.csv").write_text(LINES)
    with pytest.raises(DataError, match=r"Did you mean prices\.csv"):
        read_table(tmp_path / "price.csv")
    with pytest.raises(DataError, match="no file"):
        read_table(tmp_path / "nowhere" / "price.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        read_table(tmp_path / "folder.csv")


def test_damaged_notes_of_our_own_are_refused(tmp_path, bars):
    table = pq.read_table(write_bars(bars, tmp_path / "w.parquet"))
    pq.write_table(table.replace_schema_metadata({b"qtw_lab.bars": b"{}"}), tmp_path / "bad.parquet")
    with pytest.raises(DataError, match="damaged notes"):
        read_bars(tmp_path / "bad.parquet")


def test_a_parquet_file_of_texts_is_refused(tmp_path):
    pq.write_table(pa.table({"date": ["2024-01-02", "2024-01-03"], "close": ["1", "x"]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"pd\.to_numeric"):
        read_bars(tmp_path / "t.parquet")


def test_writing_needs_a_bar_and_a_known_kind(tmp_path, bars):
    with pytest.raises(DataError, match="not written"):
        write_bars(bars, tmp_path / "x.json")
    with pytest.raises(DataError, match="no bar"):
        write_bars(bars.head(0), tmp_path / "x.csv")


def test_a_write_that_fails_leaves_the_old_file(tmp_path, bars):
    path = write_bars(bars, tmp_path / "x.csv")
    before = path.read_bytes()
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(SetupError):
        write_bars(bars, blocked / "x.csv")
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*.part")) == []


def test_writing_replaces_what_was_there(tmp_path, bars):
    write_bars(bars, tmp_path / "x.parquet")
    assert isinstance(read_bars(write_bars(bars.tail(3), tmp_path / "x.parquet")), Bars)
    assert len(read_bars(tmp_path / "x.parquet")) == 3
