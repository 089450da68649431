"""`qtw paper`: the desk's commands against a simulator over real sockets, at work and not."""

import json
import subprocess
import sys
import time

import pandas as pd
import pytest

from qtw_lab.venues.simulator.choosing import chosen_market
from qtw_lab.venues.simulator.server import Simulator

START = pd.Timestamp("2024-01-05 15:00", tz="UTC")
FIRST = ("first", "sma_cross", "SAAAA,SAAAB", "--interval", "5s", "-p", "fast=2", "-p", "slow=3")
RUN = ("paper", "run", "--feed", "simulator", "--speed", "10")


@pytest.fixture
def exchange(storage, monkeypatch):
    with Simulator(chosen_market(symbols=3), start=START, speed=10, rate_limit=0) as served:
        for name in ("ALPACA_TRADING_REST_URL", "ALPACA_DATA_REST_URL"):
            monkeypatch.setenv(name, served.url)
        monkeypatch.setenv("ALPACA_DATA_WS_URL", served.stream_url("sip"))
        monkeypatch.setenv("ALPACA_REQUESTS_PER_MINUTE", "100000")
        monkeypatch.setenv("ALPACA_API_KEY_ID", "sim-key")
        monkeypatch.setenv("ALPACA_API_SECRET_KEY", "sim-secret")
        yield served


@pytest.fixture
def call(qtw):
    """A command of `qtw paper` that does what it is to; what it prints."""

    def done(*words):
        answer = qtw("paper", *words)
        assert (answer.code, answer.err) == (0, ""), answer
        return answer.out

    return done


def rows(call, *words):
    return json.loads(call(*words, "--json"))


def test_sessions_are_opened_and_changed_while_no_desk_is_at_work(exchange, call):
    assert call("open", *FIRST, "--allocation", "0.5") == "The session first begins with 50,000.00.\n"
    assert call("open", "second", "macd", "SAAAC", "--allocation", "1000", "--lot", "0") == (
        "The session second begins with 1,000.00.\n"
    )
    for what, status in (("pause", "paused"), ("continue", "running"), ("close", "stopped")):
        assert call(what, "second") == f"The session second is {status}.\n"
    assert call("stop", "first") == "The session first is stopped.\n"
    found = rows(call, "sessions")
    assert [(one["session"], one["status"], one["interval"]) for one in found] == [
        ("first", "stopped", "5s"), ("second", "stopped", "1min"),
    ]  # fmt: skip
    assert found[0] == {
        "session": "first", "status": "stopped", "strategy": "sma_cross", "interval": "5s",
        "symbols": "SAAAA,SAAAB", "equity": 50_000.0, "gain": 0.0, "fills": 0, "held": "",
    }  # fmt: skip
    assert "first" in call("sessions")


def test_halt_resume_and_reconcile(exchange, call):
    call("open", *FIRST)
    call("submit", "buy", "SAAAC", "5")
    call("submit", "buy", "SAAAC", "1", "--type", "limit", "--limit", "1")
    by = ("--by", "Ann Lee", "--reason", "it looks odd")
    assert call("halt", *by) == "Trading is halted, and open orders are canceled.\n"
    assert rows(call, "orders") == []
    assert rows(call, "reconcile") == [{"symbol": "SAAAC", "sessions": 0.0, "others": 5.0, "broker": 5.0}]
    assert "SAAAC" in call("reconcile")
    assert "1 positions are being closed" in call("halt", "--flatten", *by)
    assert rows(call, "refusals") == []
    assert call("refusals") == "No order was refused.\n"
    assert call("resume", *by) == "Trading may go on.\n"
    assert rows(call, "reconcile") == []
    assert call("reconcile") == "Nobody holds anything.\n"


#: Words, and what is said to them.
REFUSED = [
    (("open", "First", "sma_cross", "SAAAA"), "A session cannot be named 'First'"),
    (("open", "one", "nix", "SAAAA"), "There is no strategy 'nix'"),
    (("open", "one", "sma_cross", "SAAAA", "-p", "fats=3"), "There is no parameter of sma_cross 'fats'"),
    (("open", "one", "sma_cross", "SAAAA", "-p", "fast"), "-p"),
    (("open", "one", "sma_cross", "SAAAA", "--interval", "soon"), "'soon' is not a timeframe"),
    (("open", "one", "sma_cross", "SAAAA", "--allocation", "0"), "must be above 0"),
    (("open", "one", "sma_cross", "SAAAA", "--allocation", "200000"), "100,000.00 are free"),
    (("open", "first", "sma_cross", "SAAAA"), "There was a session first before"),
    (("open", "one", "sma_cross"), "Missing argument"),
    (("pause", "frist"), "There is no session 'frist'. Did you mean 'first'?"),
    (("continue", "first"), "The session first is running and cannot become running"),
    (("close",), "Missing argument"),
    (("halt", "--by", "Ann"), "Missing option '--reason'"),
    (("resume", "--by", "", "--reason", "x"), "give your name"),
    (("diverge", "frist"), "There is no session 'frist'"),
    (("run", "--session", "none.json"), "The sessions in none.json cannot be read"),
    (("run", "--feed", "xip"), "There is no feed 'xip'"),
    (("run", "--feed", "simulator", "--speed", "0"), "A speed of 0 is none"),
]  # fmt: skip


def test_what_cannot_be_done_is_said_in_one_paragraph(exchange, call, qtw):
    call("open", *FIRST, "--allocation", "0.0001")
    for words, said in REFUSED:
        answer = qtw("paper", *words)
        assert (answer.code, answer.out) == (2, ""), words
        assert answer.err.startswith("Error: "), words
        assert answer.err.count("\n") == 1, words
        assert said in answer.err, words


def test_where_there_was_no_desk_it_is_said_how_to_begin_one(exchange, qtw):
    halt = ("halt", "--by", "Ann", "--reason", "x")
    for words in (("sessions",), ("pause", "x"), ("reconcile",), ("diverge", "x"), ("refusals",), ("watch",), halt):
        answer = qtw("paper", *words)
        assert (answer.code, answer.out) == (1, ""), words
        assert "There is no desk here yet; `qtw paper run` begins one." in answer.err


def test_limits_that_cannot_be_read_keep_the_desk_from_working(exchange, call, qtw, storage):
    call("open", *FIRST)
    (limits,) = (storage / "paper" / "desks").glob("*/desk.sqlite")
    limits.with_name("limits.json").write_text('{"max_gross": "much"}')
    answer = qtw(*RUN, "--max-seconds", "1")
    assert answer.code == 2
    assert "The limits in limits.json cannot be read" in answer.err


def test_a_desk_trades_is_commanded_and_ends_when_its_time_is_over(exchange, call, storage, tmp_path):
    path = tmp_path / "sessions.json"
    terms = {"name": "third", "strategy": "buy_and_hold", "symbols": ["SAAAC"], "interval": "5s", "allocation": 0.2}
    path.write_text(json.dumps([terms]))
    call("open", *FIRST, "--allocation", "0.5")
    command = [sys.executable, "-m", "qtw_lab", *RUN, "--session", str(path), "--max-seconds", "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        assert str(storage / "paper" / "desks") in first
        bought(call, "third")
        assert call("pause", "first") == "The session first is paused.\n"
        assert call("close", "third") == "The session third is closing.\n"
        until(lambda: rows(call, "sessions")[1]["status"] == "stopped")
        assert rows(call, "sessions")[0]["status"] == "paused"
        assert all(one["others"] == 0 for one in rows(call, "reconcile"))
        process.terminate()
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[-1] == "The desk ended: SIGTERM."
    assert "third" in call("sessions")


def bought(call, name):
    until(lambda: any(one["session"] == name and one["fills"] for one in rows(call, "sessions")))


def until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)
