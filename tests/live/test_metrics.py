"""Delays are counted to a stated accuracy, and metrics keep their size."""

import errno
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError, SetupError
from qtw_lab.live import metrics as metrics_module
from qtw_lab.live.metrics import LagHistogram, Metrics, append_whole


@given(
    st.lists(st.floats(2e-6, 900), min_size=1, max_size=60), st.floats(0, 1), st.integers(1, 4)
)  # NumPy's quantile by the inverse of the distribution function is the definition it is held to
def test_quantiles_agree_with_numpy_to_half_a_bucket(seconds, share, times):
    lags = LagHistogram()
    lags.add(np.array(seconds), times)
    wanted = np.quantile(np.repeat(seconds, times), share, method="inverted_cdf")
    assert lags.quantile(share) == pytest.approx(wanted, rel=0.0222)
    assert lags.longest == max(seconds)
    assert lags.count == len(seconds) * times
    assert lags.mean == pytest.approx(np.mean(seconds))


def test_delays_out_of_range_are_counted_at_its_ends():
    lags = LagHistogram()
    lags.add([-1.0, 0.0, 1e-9, 5000.0])
    assert lags.count == 4
    assert lags.quantile(0.5) == 1e-6
    assert lags.quantile(1.0) == pytest.approx(2**30 * 1e-6, rel=0.03)
    assert lags.longest == 5000.0


def test_no_delay_has_no_quantile():
    lags = LagHistogram()
    assert math.isnan(lags.quantile(0.5))
    assert math.isnan(lags.mean)
    assert lags.summary() == {"count": 0}
    lags.add(np.array([]))
    assert lags.count == 0


def test_a_summary_is_in_milliseconds_and_clears():
    lags = LagHistogram()
    lags.add(0.002, 99)
    lags.add(0.5)
    summary = lags.summary()
    assert summary["count"] == 100
    assert summary["mean_ms"] == pytest.approx((99 * 2 + 500) / 100)
    assert summary["p50_ms"] == pytest.approx(2, rel=0.03)
    assert summary["p999_ms"] == pytest.approx(500, rel=0.03)
    assert summary["max_ms"] == 500.0
    lags.clear()
    assert lags.summary() == {"count": 0}


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_delay_that_is_no_number_is_refused(bad):
    with pytest.raises(DataError, match="NaN or infinite"):
        LagHistogram().add(bad)
    with pytest.raises(DataError, match="0 to 1"):
        LagHistogram().quantile(1.5)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_metrics_keep_one_older_file_and_their_size(tmp_path):
    metrics = Metrics(tmp_path / "deep" / "metrics.ndjson", max_bytes=2000)
    for number in range(200):
        metrics.record("heartbeat", number, {"number": number})
        metrics.flush()
    older = tmp_path / "deep" / "metrics.ndjson.1"
    assert sorted(path.name for path in older.parent.iterdir()) == ["metrics.ndjson", "metrics.ndjson.1"]
    assert metrics.path.stat().st_size <= 2000
    assert older.stat().st_size <= 2000
    kept = [line["number"] for line in lines(older) + lines(metrics.path)]
    assert kept == list(range(200 - len(kept), 200))


def test_metrics_wait_while_the_disk_is_full_and_the_newest_are_dropped_and_counted(tmp_path, monkeypatch):
    metrics = Metrics(tmp_path / "metrics.ndjson")

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(metrics_module, "append_whole", full)
        for number in range(30):
            metrics.record("heartbeat", number, {"fill": "x" * 50_000})
        with pytest.raises(SetupError, match="No space left"):
            metrics.flush()
    assert metrics.dropped == 10
    metrics.flush()
    assert [line["ts"] for line in lines(metrics.path)] == list(range(20))


def test_what_a_crash_left_of_a_line_costs_no_other(tmp_path):
    path = tmp_path / "file.ndjson"
    append_whole(path, b'{"a":1}\n{"b":')
    append_whole(path, b'{"c":3}\n')
    append_whole(path, b'{"d":4}\n')
    assert path.read_bytes() == b'{"a":1}\n{"b":\n{"c":3}\n{"d":4}\n'


def test_a_size_that_makes_no_sense_is_refused(tmp_path):
    with pytest.raises(DataError, match="METRICS_MAX_BYTES is 10"):
        Metrics(tmp_path / "m", max_bytes=10)


def test_a_field_that_json_cannot_hold_is_refused(tmp_path):
    with pytest.raises(DataError, match="JSON"):
        Metrics(tmp_path / "m").record("x", 0, {"rate": math.nan})
