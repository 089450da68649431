"""Files for other programs: what is read back is what was there, to the last bit."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qtw_lab as qtw
from qtw_lab.core import DataError, Facts, SetupError
from qtw_lab.lab import Lab
from qtw_lab.lab.exports import PARQUET_KEY, SCHEMA, bars_table, csv_text, export


@pytest.fixture(scope="module")
def result():
    bars = Lab.offline().bars("AAPL,IBM", "2010-01-01", "2012-12-31")
    costs = qtw.Costs(commission_bps=7, spread_bps=3)
    return qtw.backtest(qtw.strategies.SmaCross(fast=5, slow=20), bars, costs=costs, sizing=qtw.Sizing.fraction(0.3))


def read_csv(path, *times):
    return pd.read_csv(path, parse_dates=list(times))


def test_a_csv_reads_back_bit_for_bit(result, tmp_path):
    found = read_csv(export(result, tmp_path / "r.csv"), "time").set_index("time")
    expected = bars_table(result)
    assert list(found.columns) == list(expected.columns)
    np.testing.assert_array_equal(found.index.as_unit("ns").asi8, expected.index.as_unit("ns").asi8)
    for name in expected:
        np.testing.assert_array_equal(found[name].to_numpy(), expected[name].to_numpy())
    assert (tmp_path / "r.csv").read_text().splitlines()[1].startswith("2010-01-04T00:00:00+00:00,100000.0,")


def test_a_parquet_file_reads_back_and_says_what_made_it(result, tmp_path):
    path = export(result, tmp_path / "r.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(path), bars_table(result), check_freq=False)
    told = json.loads(pq.read_schema(path).metadata[PARQUET_KEY])
    assert told["schema"] == SCHEMA
    assert told["data_fingerprint"] == result.bars.fingerprint
    assert told["order_hash"] == result.order_hash
    assert told["parameters"] == {"fast": 5, "slow": 20, "short": False}
    assert (told["strategy"], told["costs"]) == ("sma_cross", "commission bps 7, spread bps 3")


def test_a_json_document_is_strict_and_reads_back(result, tmp_path):
    def refused(constant):
        raise AssertionError(constant)

    text = export(result, tmp_path / "r.json").read_text("utf-8")
    found = json.loads(text, parse_constant=refused)
    assert found["bars"]["equity"] == result.equity.tolist()
    assert found["bars"]["time"][0] == "2010-01-04T00:00:00+00:00"
    assert found["orders"]["price"] == result.orders["price"].tolist()
    assert found["trades"]["pnl"] == result.trades["pnl"].tolist()
    assert found["stats"]["sharpe"] == result.stats["sharpe"]
    assert found["about"]["order_hash"] == result.order_hash
    assert Facts.from_json(json.dumps(found["facts"]))["sharpe"] == result.stats["sharpe"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_folder_holds_every_table(result, tmp_path, form):
    folder = export(result, tmp_path / "out", form)
    told = json.loads((folder / "about.json").read_text())
    assert {file.name for file in folder.iterdir()} == {*told["tables"], "about.json", "facts.json", "stats.json"}

    def read(name, *times):
        path = folder / f"{name}.{form}"
        return read_csv(path, *times) if form == "csv" else pd.read_parquet(path).reset_index()

    trades = read("trades", "entry_time", "exit_time")
    np.testing.assert_array_equal(trades["pnl"].to_numpy(), result.trades["pnl"].to_numpy())
    assert trades["symbol"].tolist() == result.trades["symbol"].tolist()
    np.testing.assert_array_equal(
        pd.DatetimeIndex(trades["exit_time"]).as_unit("ns").asi8,
        pd.DatetimeIndex(result.trades["exit_time"]).as_unit("ns").asi8,
    )
    weights = read("weights", "time")
    np.testing.assert_array_equal(weights["IBM"].to_numpy(), result.weights["IBM"].to_numpy())
    assert Facts.from_json((folder / "facts.json").read_text())["trades"] == result.stats["trades"]
    assert json.loads((folder / "stats.json").read_text())["sharpe"] == result.stats["sharpe"]


def test_a_folder_that_is_there_is_filled_and_a_dotted_one_too(result, tmp_path):
    (tmp_path / "v1.2").mkdir()
    assert (export(result, tmp_path / "v1.2") / "bars.csv").is_file()


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_the_same_result_gives_the_same_bytes(result, tmp_path, suffix):
    first, second = (export(result, tmp_path / f"{k}.{suffix}").read_bytes() for k in range(2))
    assert first == second


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=8))
def test_every_float_reads_back_from_its_text(values):
    import io

    table = pd.DataFrame({"n": range(len(values)), "x": values})
    found = pd.read_csv(io.StringIO(csv_text(table, index=False)))
    np.testing.assert_array_equal(found["x"].to_numpy(dtype=float), np.array(values))


def test_a_result_without_trades_is_exported_too(tmp_path):
    close = pd.Series(10.0, pd.bdate_range("2024-01-02", periods=40))
    flat = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close", "volume"), close))
    idle = qtw.backtest(qtw.strategies.SmaCross(fast=5, slow=20), qtw.Bars.from_frame(flat, symbol="X"))
    for name in ("a.csv", "a.parquet", "a.json", "folder"):
        export(idle, tmp_path / name)
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["orders"]["time"] == []
    assert found["stats"]["sharpe"] is None  # an account that never moved has none


def test_what_cannot_be_written_is_refused_and_leaves_nothing(result, tmp_path):
    with pytest.raises(DataError, match=r"cannot be written as '\.xlsx'; use \.csv, \.parquet, \.json, or a folder"):
        export(result, tmp_path / "r.xlsx")
    with pytest.raises(DataError, match="no form of tables 'xml'"):
        export(result, tmp_path / "r", "xml")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SetupError, match="Cannot write"):
        export(result, tmp_path / "file" / "r.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
