"""`qtw simulator serve`: a market in a process of its own, and what it refuses."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest


def test_it_says_where_it_is_serves_and_ends_by_itself(qtw):
    answer = qtw("simulator", "serve", "--port", "0", "--symbols", "3", "--max-seconds", "0.2")
    assert (answer.code, answer.err) == (0, "")
    (line,) = answer.out.splitlines()
    assert re.match(r"Simulator at http://127\.0\.0\.1:\d+ \(REST\), ws://127\.0\.0\.1:\d+/v2/iex", line)
    assert "key sim-key, secret sim-secret" in line


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_clients_can_talk_to_it_until_it_is_told_to_end(storage, number):
    command = [sys.executable, "-m", "qtw_lab", "simulator", "serve", "--port", "0", "--symbols", "3", "--speed", "5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        url = re.search(r"http://[\d.:]+", line)[0]
        assert "speed 5" in line
        request = urllib.request.Request(
            f"{url}/v2/clock", headers={"APCA-API-KEY-ID": "sim-key", "APCA-API-SECRET-KEY": "sim-secret"}
        )
        assert b"is_open" in urllib.request.urlopen(request, timeout=10).read()
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--symbols", "5", "--bundled"), "symbols and bundled are markets of different kinds"),
        (("--port", "99999"), "The port 99999 is none"),
        (("--speed", "-1"), "A speed of -1.0 is none"),
        (("--start", "yesterday"), "The start 'yesterday' is no moment"),
        (("--scenario", "none.json"), "The scenario none.json cannot be read"),
        (("--recorded", "none.parquet"), "none.parquet"),
        (("--date", "2024-01-06"), "2024-01-06"),
        (("--rate-limit", "-1"), "-1"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_paragraph(qtw, words, said):
    answer = qtw(
        "simulator", "serve", *([] if "--bundled" in words or "--recorded" in words else ["--symbols", "3"]), *words
    )
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("Error: ")
    assert answer.err.count("\n") == 1
    assert said in answer.err


def test_a_port_that_is_taken_is_named(qtw):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = qtw("simulator", "serve", "--port", port, "--symbols", "3")
    assert answer.code == 1
    assert f"Port {port} on 127.0.0.1 cannot be listened to" in answer.err
