"""`qtw realtime`: run, status, replay, refresh-assets, and what they say when something is wrong."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from qtw_lab.live.lease import Lease

QUICK = {
    "universe": {"max_symbols": 100, "top_n": 20, "min_dollar_volume": 0, "min_volume": 0},
    "focus": {"size": 5},
    "signals": {"entry_threshold": 1e-4, "exit_threshold": 0.0, "min_volume": 0},
}


@pytest.fixture
def profile(tmp_path):
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(QUICK))
    return path


def test_a_run_can_be_looked_at_and_replayed(qtw, storage, profile):
    words = ("--profile", profile, "--feed", "simulator", "--speed", "10", "--max-seconds", "9")
    answer = qtw("realtime", "run", *words)
    assert (answer.code, answer.err) == (0, "")
    first, last = answer.out.splitlines()
    assert first.startswith(f"Engine on alpaca-sip in {storage / 'realtime' / 'state'}")
    assert last == "Ended: the time asked for is over."

    status = qtw("realtime", "status", "--json").json
    assert (status["state"], status["pid"], status["focus"]) == ("stopped", None, 5)
    shown = qtw("realtime", "status").out
    assert "stopped" in shown
    assert max(map(len, shown.splitlines())) <= 80

    (recording,) = (storage / "realtime" / "state" / "recordings").glob("*")
    found = qtw("realtime", "replay", recording, "--into", storage / "again", "--json")
    assert (found.code, found.err) == (0, "")
    facts = {fact["name"]: fact["value"] for fact in found.json["facts"]}
    assert facts["same"] == "yes"
    assert facts["bars"] > 0
    refused = qtw("realtime", "replay", recording, "--into", storage / "again")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "There is a journal in" in refused.err


def test_the_status_of_an_engine_that_never_ran_says_so(qtw):
    answer = qtw("realtime", "status")
    assert answer.code == 0
    assert "No engine has run in" in answer.out
    assert qtw("realtime", "status", "--json").json == {"state": "stopped", "age": None, "pid": None}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("run",), 1, "needs ALPACA_API_KEY_ID and ALPACA_API_SECRET_KEY: put them in the environment or in .env"),
        (("run", "--feed", "xip"), 2, "There is no feed 'xip'. Did you mean 'sip'?"),
        (("run", "--feed", "replay"), 2, "replayed by `qtw realtime replay RECORDING`"),
        (("run", "--feed", "simulator", "--speed", "inf"), 2, "A speed of inf is none for an engine"),
        (("run", "--profile", "none.json"), 2, "The realtime profile none.json cannot be read"),
        (("run", "--profile", "retail_hour"), 2, "There is no profile template 'retail_hour'."),
        (("run", "--max-seconds", "-1"), 2, "Invalid value for '--max-seconds'"),
        (("replay", "none"), 2, "There is no recording in none"),
        (("replay",), 2, "Missing argument"),
        (("refresh-assets", "--feed", "sip"), 1, "needs ALPACA_API_KEY_ID"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_paragraph(qtw, words, code, said):
    answer = qtw("realtime", *words)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith("Error: ")
    assert answer.err.count("\n") == 1
    assert said in answer.err


def test_every_fault_of_a_profile_is_named_at_once(qtw, tmp_path):
    (tmp_path / "bad.json").write_text('{"focus": {"sise": 3}, "signals": {"max_spread_bps": -1}}')
    answer = qtw("realtime", "run", "--profile", tmp_path / "bad.json")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "has 2 faults" in answer.err
    assert "focus.sise is not known. Did you mean 'size'?" in answer.err
    assert "signals.max_spread_bps is -1" in answer.err


def test_a_second_engine_in_the_same_place_is_refused_with_the_first_ones_number(qtw, storage, profile):
    with Lease(storage / "realtime" / "state", time.time_ns()):
        answer = qtw("realtime", "run", "--profile", profile, "--feed", "simulator", "--max-seconds", "1")
    assert answer.code == 1
    assert f"process {os.getpid()}" in answer.err


def test_assets_are_saved(qtw, storage):
    answer = qtw("realtime", "refresh-assets", "--feed", "simulator", "--json")
    assert answer.json == {"path": str(storage / "realtime" / "state" / "assets_master.json"), "assets": 1000}
    assert "1,000 active assets saved to" in qtw("realtime", "refresh-assets", "--feed", "simulator").out


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_ctrl_c_and_sigterm_end_a_run_cleanly(storage, profile, number):
    command = [sys.executable, "-m", "qtw_lab", "realtime", "run", "--profile", str(profile), "--feed", "simulator"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("Engine on")
        time.sleep(0.5)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert out == f"Ended: {number.name}.\n"
