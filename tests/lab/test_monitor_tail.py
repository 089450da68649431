"""The ends of files that others append to."""

import json
import math
from pathlib import Path

import pytest

from qtw_lab.lab import monitor_tail
from qtw_lab.lab.monitor_tail import Beats, Tail
from qtw_lab.live.metrics import Metrics


def append(path, text):
    with path.open("a") as file:
        file.write(text)


def test_a_line_is_told_when_it_is_whole(tmp_path):
    tail = Tail(tmp_path / "log", 3)
    assert tail.follow() == []
    append(tmp_path / "log", "one\ntw")
    assert tail.follow() == ["one"]
    append(tmp_path / "log", "o\nthree\nfour\n")
    assert tail.follow() == ["two", "three", "four"]
    assert list(tail.lines) == ["two", "three", "four"]
    assert tail.follow() == []


def test_a_file_that_begins_anew_is_read_from_its_beginning(tmp_path):
    path, tail = tmp_path / "log", Tail(tmp_path / "log")
    append(path, "a long line of the first run\n")
    tail.follow()
    path.write_text("short\n")
    assert tail.follow() == ["short"]
    path.rename(tmp_path / "log.1")
    append(path, "a line of the file that took its place\n")
    assert tail.follow() == ["a line of the file that took its place"]


def test_of_a_long_file_only_the_end_is_read(tmp_path):
    path, tail = tmp_path / "log", Tail(tmp_path / "log", 5)
    append(path, "".join(f"line {n}\n" for n in range(100_000)))
    told = tail.follow()
    assert told[-1] == "line 99999"
    assert len(told) < 30_000
    assert all(line.startswith("line ") for line in told), "the first, of which a part is missing, is left out"
    append(path, "".join(f"more {n}\n" for n in range(100_000)))
    assert tail.follow()[-1] == "more 99999"
    assert next(iter(tail.lines)) == "more 99995"


def test_a_line_without_end_does_not_fill_the_memory(tmp_path):
    path, tail = tmp_path / "log", Tail(tmp_path / "log")
    for _ in range(20):
        append(path, "x" * 100_000)
        assert tail.follow() == []
    assert len(tail._rest) <= monitor_tail._LINE
    append(path, "\nend\n")
    assert tail.follow()[-1] == "end"


def test_bytes_that_are_no_text_are_shown_as_far_as_they_can_be(tmp_path):
    (tmp_path / "log").write_bytes(b"caf\xe9 \xff\r\n")
    assert Tail(tmp_path / "log").follow() == ["caf\ufffd \ufffd"]


def beat(metrics, second, **changes):
    said = {"rates": {"trades": 10.0, "quotes": 50.0}, "lag": {"count": 3, "p50_ms": 1.5, "p99_ms": 9.0}} | changes
    metrics.record("realtime.heartbeat", second * 10**9, said)
    metrics.flush()


def test_the_beats_of_an_engine_are_its_rates_and_delays(tmp_path):
    metrics, beats = Metrics(tmp_path / "metrics.ndjson"), Beats(tmp_path / "metrics.ndjson", 3)
    metrics.record("realtime.link", 1, {"state": "up"})
    beat(metrics, 1)
    beat(metrics, 2, lag={"count": 0})
    beats.follow()
    assert beats.kept[0] == (10**9, 10.0, 50.0, 1.5, 9.0)
    assert math.isnan(beats.kept[1][3])
    for second in range(3, 8):
        beat(metrics, second)
        beats.follow()
    assert beats.columns()["time"] == [5000.0, 6000.0, 7000.0]
    assert beats.columns()["quotes"] == [50.0] * 3


def test_beats_go_on_when_the_metrics_are_set_aside(tmp_path):
    metrics, beats = Metrics(tmp_path / "metrics.ndjson", 2000), Beats(tmp_path / "metrics.ndjson")
    for second in range(1, 61):
        beat(metrics, second)
        beats.follow()
    assert (tmp_path / "metrics.ndjson.1").exists()
    assert [time for time, *_ in beats.kept] == [second * 10**9 for second in range(1, 61)]


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "1", '{"event": "realtime.heartbeat"}', '{"event": "realtime.heartbeat", "ts": 1, "rates": 3}'],
)  # fmt: skip
def test_a_line_of_the_metrics_that_says_nothing_is_passed_over(tmp_path: Path, line):
    (tmp_path / "m").write_text(line + "\n" + json.dumps({"event": "other"}) + "\n")
    beats = Beats(tmp_path / "m")
    beats.follow()
    assert not beats.kept
