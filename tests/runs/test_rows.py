"""Runs as rows, on a real connection."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from qtw_lab.core import SeriesRef
from qtw_lab.runs.database import Database
from qtw_lab.runs.rows import Rows, enter_data, table
from qtw_lab.runs.run import DataUse, Run

NOW = pd.Timestamp("2024-01-02 14:30:00.123456789", tz="UTC")


@pytest.fixture
def run(tmp_path):
    times = (NOW, NOW + pd.Timedelta("90s"))
    return Run("id-1", "notebook", "a", "ok", *times, tmp_path / "runs" / "id-1-a", {"x": [1, "é"]}, None, {"m": None})


def stored(tmp_path, run):
    database, rows = Database(tmp_path / "runs.sqlite"), Rows(tmp_path)
    with database.writing() as connection:
        rows.insert(connection, run)
    with database.reading() as connection:
        row = connection.execute("SELECT * FROM runs").fetchone()
    return row, rows.run(row)


def test_a_run_comes_back_as_it_was(tmp_path, run):
    row, back = stored(tmp_path, run)
    assert back == run
    assert row["folder"] == "runs/id-1-a"


def test_what_a_run_does_not_have_comes_back_as_none(tmp_path, run):
    bare = replace(run, finished=None, folder=None, status="running")
    assert stored(tmp_path, bare)[1] == bare


def test_a_folder_elsewhere_is_kept_whole(tmp_path, run):
    elsewhere = replace(run, folder=tmp_path.parent / "elsewhere")
    row, back = stored(tmp_path, elsewhere)
    assert row["folder"] == str(tmp_path.parent / "elsewhere")
    assert back.folder == elsewhere.folder


def test_data_is_entered_by_series_where_there_are_some(tmp_path, run):
    uses = [
        DataUse("f1", ("AAPL", "IBM"), "s", (SeriesRef("s", "AAPL", "1D", "c1"), SeriesRef("s", "IBM", "1D", "c2"))),
        DataUse("f2", ("X", "Y"), "table"), DataUse("f3", (), "none"),
    ]  # fmt: skip
    stored(tmp_path, run)
    with Database(tmp_path / "runs.sqlite").writing() as connection:
        enter_data(connection, run.id, uses)
        rows = connection.execute("SELECT fingerprint, symbol, content FROM data_used ORDER BY rowid").fetchall()
    assert [tuple(row) for row in rows] == [
        ("f1", "AAPL", "c1"), ("f1", "IBM", "c2"), ("f2", "X", ""), ("f2", "Y", ""), ("f3", "", "")
    ]  # fmt: skip


def test_a_table_of_runs_has_times_and_seconds(run):
    shown = table([run, replace(run, finished=None, folder=None)])
    assert shown["seconds"].iloc[0] == 90.0
    assert shown["seconds"].isna().tolist() == [False, True]
    assert shown["folder"].isna().tolist() == [False, True]
    assert table([]).empty
