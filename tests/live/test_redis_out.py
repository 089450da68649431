"""Events reach a real Redis server, and whether there is one never matters to the engine."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import redis

from qtw_lab.core import DataError, SetupError
from qtw_lab.live import redis_out
from qtw_lab.live.redis_out import RedisOut, bars_stream
from qtw_lab.live.rows import ROW, signal_rows

T0 = 1_704_205_800 * 10**9
NAMES = ["AAPL", "MSFT"]


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def started(port: int) -> subprocess.Popen[bytes]:
    program = shutil.which("redis-server")
    assert program, "redis-server is not installed; on Debian: apt-get install redis-server"
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    until(lambda: reachable(port))
    return process


def reachable(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def until(truth: Callable[[], Any], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.01)


@pytest.fixture
def port() -> Iterator[int]:
    number = free_port()
    process = started(number)
    yield number
    process.terminate()
    process.wait()


def entries(port: int, stream: str) -> list[dict[str, Any]]:
    with redis.Redis(port=port) as client:
        return [json.loads(fields[b"json"]) for _, fields in client.xrange(stream)]


def bars(level: int, count: int) -> np.ndarray:
    rows = np.zeros(count, ROW)
    rows["level"], rows["time"], rows["symbol"] = level, T0, np.arange(count) % 2
    rows["close"], rows["bid"] = np.arange(count) + 0.5, np.nan
    return rows


def test_bars_signals_focus_and_status_arrive_in_order(port):
    out = RedisOut(f"redis://127.0.0.1:{port}/0")
    out.bars(np.concatenate([bars(5, 2500), bars(60, 1)]), NAMES)
    out.signals(
        signal_rows(5, T0, [1], stances=[1.0], previous=[0.0], wanted=[1.0], prices=[10.5], gates=[None]), NAMES
    )
    out.focus({"focus": ["AAPL"]})
    out.status({"state": "running"})
    out.close()
    assert (out.sent, out.dropped, out.fault) == (2504, 0, None)
    fives = entries(port, "qtw:bars:5s")
    assert [entry["close"] for entry in fives] == [n + 0.5 for n in range(2500)]
    assert fives[1]["symbol"] == "MSFT"
    assert fives[1]["bid"] is None
    assert len(entries(port, bars_stream(60))) == 1
    assert entries(port, "qtw:signals")[0]["stance"] == 1.0
    assert entries(port, "qtw:focus") == [{"focus": ["AAPL"]}]
    assert entries(port, "qtw:status") == [{"state": "running"}]


def test_a_stream_keeps_about_so_many_entries(port):
    out = RedisOut(f"redis://127.0.0.1:{port}/0", length=200)
    for _ in range(10):
        out.bars(bars(1, 500), NAMES)
    out.close()
    assert out.sent == 5000
    assert 200 <= len(entries(port, "qtw:bars:1s")) < 700


def test_rows_that_change_after_they_were_given_go_out_as_they_were(port, monkeypatch):
    out = RedisOut(f"redis://127.0.0.1:{port}/0")
    rows = bars(1, 100)
    out.bars(rows, NAMES)
    rows["close"] = -1
    out.close()
    assert min(entry["close"] for entry in entries(port, "qtw:bars:1s")) == 0.5


def test_without_a_server_nothing_waits_and_everything_is_counted():
    out = RedisOut(f"redis://127.0.0.1:{free_port()}/0", waiting=5)
    slowest = 0.0
    for _ in range(200):
        begun = time.perf_counter()
        out.bars(bars(1, 10), NAMES)
        slowest = max(slowest, time.perf_counter() - begun)
    begun = time.perf_counter()
    out.close(0.2)
    assert time.perf_counter() - begun < 5.0
    assert (out.sent, out.dropped) == (0, 2000)
    assert out.fault == "ConnectionError"
    assert slowest < 0.5


def test_when_the_server_comes_back_events_go_out_again():
    port = free_port()
    first = started(port)
    out = RedisOut(f"redis://127.0.0.1:{port}/0")
    out.status({"number": 1})
    until(lambda: out.sent == 1)
    first.kill()
    first.wait()
    out.status({"number": 2})
    until(lambda: out.dropped == 1)
    second = started(port)
    sent = 0
    while out.sent == 1 and sent < 100:
        out.status({"number": 3})
        sent += 1
        time.sleep(0.1)
    assert out.fault is None
    out.close()
    assert entries(port, "qtw:status")[-1] == {"number": 3}
    assert out.sent + out.dropped == 2 + sent
    second.terminate()
    second.wait()


def test_a_server_that_accepts_and_is_mute_holds_nobody_up():
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        out = RedisOut(f"redis://127.0.0.1:{mute.getsockname()[1]}/0", waiting=2)
        begun = time.perf_counter()
        for number in range(50):
            out.status({"number": number})
        assert time.perf_counter() - begun < 0.5
        assert out.dropped >= 40
        out.close(0.1)


@pytest.mark.parametrize("url", ["", "http://127.0.0.1", "redis://:secret@127.0.0.1:port"])
def test_an_address_that_is_none_is_refused_without_repeating_it(url):
    with pytest.raises(DataError, match="REDIS_URL is no address") as caught:
        RedisOut(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_the_library_the_message_names_the_extra(monkeypatch):
    def absent(module: str, extra: str) -> None:
        raise SetupError(f"{module} is not installed: qtw-lab[{extra}]")

    monkeypatch.setattr(redis_out, "need", absent)
    with pytest.raises(SetupError, match=r"qtw-lab\[redis\]"):
        RedisOut("redis://127.0.0.1:1/0")
