"""The reference's files have its names, are whole whenever they are read, and lose nothing by rotation."""

import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qtw_lab.core import DataError, SetupError
from qtw_lab.live import exports as exports_module
from qtw_lab.live.exports import LATEST, Exports, bar_lines
from qtw_lab.live.rows import ROW, Flag, signal_rows

T0 = 1_704_205_800 * 10**9  # 2024-01-02 14:30 UTC
SECOND = 10**9
NAMES = ["AAPL", "BRK.B", "NAN"]


def bars(level: int, time: int, count: int = 1, close: float = 10.25) -> np.ndarray:
    rows = np.zeros(count, ROW)
    rows["level"], rows["time"], rows["symbol"] = level, time, np.arange(count) % 3
    for name in ("open", "high", "low", "close", "vwap"):
        rows[name] = close
    rows["volume"], rows["count"] = 100.5, 7
    rows["bid"], rows["ask"] = math.nan, 10.26
    return rows


def parsed(path: Path) -> Any:
    return json.loads(path.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_bar_is_one_line_with_null_for_what_is_missing():
    rows = bars(5, T0 + 5 * SECOND, 3)
    rows["flags"] = [0, Flag.EMPTY | Flag.HOLE, 0]
    rows["close"][1] = math.nan
    found = [json.loads(line) for line in bar_lines(rows, NAMES)]
    assert found[0] == {
        "symbol": "AAPL", "ts": "2024-01-02T14:30:05.000Z", "interval": 5, "open": 10.25, "high": 10.25, "low": 10.25,
        "close": 10.25, "volume": 100.5, "vwap": 10.25, "trades": 7, "bid": None, "ask": 10.26, "flags": [],
        "revision": 0,
    }  # fmt: skip
    assert found[1]["close"] is None
    assert found[1]["flags"] == ["empty", "hole"]
    assert [each["symbol"] for each in found] == NAMES


def test_numbers_come_back_exactly():
    rows = bars(1, T0, 3)
    rows["close"] = [0.1 + 0.2, 1e-7, 123456789.000001]
    assert [json.loads(line)["close"] for line in bar_lines(rows, NAMES)] == rows["close"].tolist()


def test_the_files_of_the_reference_are_written_by_its_names(tmp_path):
    exports = Exports(tmp_path / "state", tmp_path / "data")
    exports.stream(T0, "connected", "iex")
    exports.universe(T0, [{"symbol": "AAPL", "score": 1.5}], total=8000)
    exports.focus(T0, {"AAPL": T0}, {"entered": ["AAPL"]})
    exports.bars(bars(1, T0, 2), NAMES)
    exports.bars(bars(5, T0, 1), NAMES)
    exports.bars(bars(60, T0, 1), NAMES)
    exports.signals(
        signal_rows(5, T0, [1], stances=[1.0], previous=[math.nan], wanted=[1.0], prices=[10.5], gates=["spread"]),
        NAMES,
    )
    assert not (tmp_path / "state").exists()
    exports.write()
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == [
        "bars_latest.json", "focus_state.json", "focus_summary.json", "signals_latest.json", "stream_state.json",
        "universe_ranked.json", "universe_state.json",
    ]  # fmt: skip
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "bars_1m_20240102.ndjson", "bars_1s_20240102.ndjson", "bars_5s_20240102.ndjson", "signals_20240102.ndjson",
    ]  # fmt: skip
    state = {path.stem: parsed(path) for path in (tmp_path / "state").iterdir()}
    assert state["stream_state"]["status"] == "connected"
    assert state["universe_state"] == {"updated_at": "2024-01-02T14:30:00.000Z", "count": 1}
    assert state["universe_ranked"]["entries"] == [{"symbol": "AAPL", "score": 1.5}]
    assert state["universe_ranked"]["total"] == 8000
    assert state["focus_state"]["symbols"] == [{"symbol": "AAPL", "since_ts": 1_704_205_800.0}]
    assert state["focus_summary"]["entered"] == ["AAPL"]
    assert len(state["bars_latest"]["rows"]) == 4
    assert state["signals_latest"]["rows"][0] == {
        "symbol": "BRK.B", "ts": "2024-01-02T14:30:00.000Z", "interval": 5, "stance": 1.0, "previous": None,
        "wanted": 1.0, "price": 10.5, "gate": "spread",
    }  # fmt: skip


def test_the_latest_bars_are_the_newest_two_hundred(tmp_path):
    exports = Exports(tmp_path, tmp_path)
    for second in range(3):
        exports.bars(bars(1, T0 + second * SECOND, 150), NAMES)
    exports.write()
    rows = parsed(tmp_path / "bars_latest.json")["rows"]
    assert len(rows) == LATEST == 200
    assert [row["ts"][17:19] for row in rows] == ["01"] * 50 + ["02"] * 150


def test_the_day_is_that_of_the_bar(tmp_path):
    exports = Exports(tmp_path, tmp_path)
    rows = bars(1, T0, 2)
    rows["time"][1] = T0 + 10 * 3600 * SECOND
    exports.bars(rows, NAMES)
    exports.write()
    assert len(lines(tmp_path / "bars_1s_20240102.ndjson")) == 1
    assert lines(tmp_path / "bars_1s_20240103.ndjson")[0]["ts"] == "2024-01-03T00:30:00.000Z"


def test_rotation_numbers_files_from_the_oldest_and_loses_no_line(tmp_path):
    exports = Exports(tmp_path, tmp_path, max_bytes=5000)
    for second in range(200):
        exports.bars(bars(1, T0 + second * SECOND), NAMES)
        exports.write()
    name = "bars_1s_20240102.ndjson"
    count = len(list(tmp_path.glob(name + ".*")))
    assert count > 5
    paths = [tmp_path / f"{name}.{number}" for number in range(1, count + 1)] + [tmp_path / name]
    assert all(path.stat().st_size <= 5000 for path in paths)
    stamps = [line["ts"] for path in paths for line in lines(path)]
    assert stamps == [exports_module.moment(T0 + second * SECOND) for second in range(200)]


def test_lines_wait_while_the_disk_is_full(tmp_path, monkeypatch):
    exports = Exports(tmp_path, tmp_path)

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(exports_module, "append_whole", full)
        exports.bars(bars(1, T0), NAMES)
        with pytest.raises(SetupError, match="No space left"):
            exports.write()
    exports.bars(bars(1, T0 + SECOND), NAMES)
    exports.write()
    exports.write()
    assert len(lines(tmp_path / "bars_1s_20240102.ndjson")) == 2


def test_beyond_what_may_wait_the_newest_lines_are_dropped_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(exports_module, "_WAITING", 1000)
    exports = Exports(tmp_path, tmp_path)
    for second in range(10):
        exports.bars(bars(1, T0 + second * SECOND), NAMES)
    exports.write()
    kept = lines(tmp_path / "bars_1s_20240102.ndjson")
    assert len(kept) + exports.dropped == 10
    assert exports.dropped > 0


def test_a_size_that_makes_no_sense_is_refused(tmp_path):
    with pytest.raises(DataError, match="REALTIME_NDJSON_MAX_BYTES is 0"):
        Exports(tmp_path, tmp_path, max_bytes=0)


def test_ten_thousand_bars_take_well_under_a_second_of_work(tmp_path):
    exports = Exports(tmp_path, tmp_path)
    begun = time.process_time()
    exports.bars(bars(1, T0, 10_000), NAMES)
    exports.write()
    assert time.process_time() - begun < 1.0  # 0.1 s when measured alone
