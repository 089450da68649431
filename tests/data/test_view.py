"""SQL over the store: it sees the bars, and can neither leave the store nor change it."""

from pathlib import Path

import pandas as pd
import pytest
from stored import KEY, frame

from qtw_lab.core import DataError
from qtw_lab.data.series import SeriesKey
from qtw_lab.data.store import Store


def object_of(store: Store, key: SeriesKey = KEY) -> Path:
    return store.folder / "objects" / f"{store.versions(key)[-1].content}.parquet"


def test_a_query_sees_the_current_version_of_every_series(store):
    store.write(KEY, frame(3))
    store.write(SeriesKey("files", "O-NEIL"), frame(3))  # the same bars: one object, two series
    store.write(KEY, frame(4))
    answer = store.query(
        "SELECT symbol, count(*) AS n, max(timestamp) AS last FROM bars GROUP BY symbol ORDER BY symbol"
    )
    assert answer["symbol"].tolist() == ["AAPL", "O-NEIL"]
    assert answer["n"].tolist() == [4, 3]
    assert answer["last"].dt.tz_convert("UTC").iloc[0] == pd.Timestamp("2024-01-04", tz="UTC")


def test_a_folder_with_quotes_in_its_name_can_be_queried(tmp_path):
    store = Store(tmp_path / "it's; DROP 'x'")
    store.write(KEY, frame(3))
    assert store.query("SELECT sum(volume) AS v FROM bars")["v"].iloc[0] == 3000.0


@pytest.mark.parametrize(
    "sql",
    [
        "COPY bars TO '{outside}/x.csv'",
        "COPY (SELECT 1) TO '{object}' (USE_TMP_FILE false)",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{object}' (USE_TMP_FILE false)",
        "SELECT * FROM read_csv('{outside}/secret.csv')",
        "SELECT * FROM '{outside}/secret.csv'",
        "SELECT * FROM read_text('{object}/../../../secret.csv')",
        "SELECT * FROM glob('{outside}/*')",
        "ATTACH '{outside}/x.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SELECT 1; SELECT 2",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW bars",
        "EXPORT DATABASE '{outside}/all'",
        "SELECT * FROM store",
        "SELECT nothing FROM bars",
        "SELEC 1",
        "",
    ],
)
def test_sql_can_neither_write_nor_leave_the_store(store, tmp_path, sql):
    store.write(KEY, frame(3))
    (tmp_path / "secret.csv").write_text("a\n1\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(DataError):
        store.query(sql.format(outside=tmp_path, object=object_of(store)))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
