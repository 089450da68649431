"""Recorded runs as tables: what is found, and all that is on record of one."""

import time

import pandas as pd
import pytest

from qtw_lab.core import DataError, Fact, Facts, VirtualClock
from qtw_lab.lab import Lab
from qtw_lab.lab.runs_view import STATUSES, Wanted, found, kinds, record, runs_table, stamp
from qtw_lab.runs import DataUse, Registry


@pytest.fixture
def lab(tmp_path):
    return Lab.offline(tmp_path / "store")


def test_an_empty_registry_is_an_empty_table(lab):
    table = runs_table(lab)
    assert table.empty
    assert kinds(table) == []
    assert found(table, Wanted("notebook", "ok", "anything")).empty


def test_runs_are_found_by_kind_status_and_every_word(lab):
    registry = lab.registry
    registry.record("backtest", "sma_cross", Facts("A", (Fact("sharpe", 1.5),)), {"fast": 10, "symbols": ["AAPL"]}, ())
    registry.record("sweep", "sma_cross", None, {"symbols": ["IBM"], "recipe": {"hidden": "zzz"}}, ())
    failed = registry.begin("notebook", "nightly", {"who": "Ünal"})
    registry.fail(failed, "The cell 3 failed: 50% of [x] missing")
    registry.begin("notebook", "nightly")
    table = runs_table(lab)
    assert list(table["status"]) == ["running", "failed", "ok", "ok"]
    assert kinds(table) == ["backtest", "notebook", "sweep"]
    assert set(table["status"]) == set(STATUSES)

    def names(*terms):
        return [f"{row.kind} {row.status}" for row in found(table, Wanted(*terms)).itertuples()]

    assert names("", "", "SMA_cross") == ["sweep ok", "backtest ok"]
    assert names("", "", "sma aapl") == ["backtest ok"]
    assert names("", "", "50% [x]") == ["notebook failed"]
    assert names("", "", "ünal") == ["notebook failed"]
    assert names("", "", "zzz") == []
    assert names("notebook", "running") == ["notebook running"]


def test_thousands_of_runs_are_read_within_seconds_and_searched_at_once(tmp_path):
    clock = VirtualClock(pd.Timestamp("2024-01-02", tz="UTC"))
    registry = Registry(tmp_path / "runs.sqlite", clock)
    run = registry.record("backtest", "first", None, {"n": 0}, ())
    with registry._database.writing() as connection:
        (row,) = connection.execute("SELECT * FROM runs").fetchall()
        more = [(f"20240103T{n:012d}-abcd", *tuple(row)[1:]) for n in range(5_000)]
        connection.executemany(f"INSERT INTO runs VALUES ({', '.join('?' * len(row))})", more)
    lab = Lab.offline(tmp_path)
    began = time.perf_counter()
    table = runs_table(lab)
    read = time.perf_counter() - began
    began = time.perf_counter()
    chosen = found(table, Wanted(words="4999"))
    assert (len(table), len(chosen), run.name) == (5_001, 1, "first")
    assert read < 8
    assert time.perf_counter() - began < 0.5


def test_a_backtest_shows_what_it_was_made_from(lab):
    bars = lab.bars("AAPL", start="2011-01-01", end="2012-12-31")
    lab.backtest("sma_cross", bars, fast=5, slow=20)
    shown = record(lab, runs_table(lab)["id"].iloc[0])
    assert dict(shown.parameters.values)["strategy"] == "sma_cross"
    assert "recipe" not in set(shown.parameters["name"])
    assert shown.facts["total_return"] is not None
    assert shown.data["fingerprint"].tolist() == [bars.fingerprint]
    inputs = dict(shown.inputs.values)
    assert {"python", "package_sha256", "numpy", "fingerprint"} <= set(inputs)
    assert shown.cells.empty
    assert shown.files.empty
    assert dict(shown.about.values)["status"] == "ok"


def test_a_notebook_shows_its_cells_files_and_failure(lab, tmp_path):
    import nbformat

    cells = [nbformat.v4.new_code_cell("run_folder = ''"), nbformat.v4.new_code_cell("1/0")]
    cells[0]["metadata"]["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "broken.ipynb")
    with pytest.raises(Exception, match="ZeroDivisionError"):
        lab.run(tmp_path / "broken.ipynb")
    shown = record(lab, runs_table(lab)["id"].iloc[0])
    about = dict(shown.about.values)
    assert about["status"] == "failed"
    assert "ZeroDivisionError" in about["error"]
    assert shown.facts is None
    assert "notebook.ipynb" in set(shown.files["path"])
    assert len(shown.cells) >= 2


def test_an_unknown_run_is_refused(lab):
    with pytest.raises(DataError, match="There is no run 'nothing'"):
        record(lab, "nothing")


def test_the_stamp_changes_with_every_run(lab):
    before = stamp(lab.settings)
    lab.registry.record("backtest", "one", None, {}, [DataUse("f" * 64, ("A",), "here")])
    middle = stamp(lab.settings)
    assert stamp(lab.settings) == middle
    lab.registry.record("backtest", "two", None, {}, ())
    assert len({before, middle, stamp(lab.settings)}) == 3
