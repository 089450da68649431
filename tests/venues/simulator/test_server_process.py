"""The simulator as a process: its one line, its end by a signal or in time, its errors, and which market it plays."""

import re
import signal
import subprocess
import sys
import time

import pandas as pd
import pytest
import requests
from simulated import KEYS, NAMES, rows_of

from qtw_lab.core import DataError
from qtw_lab.venues.simulator.broadcast import FAKEPACA
from qtw_lab.venues.simulator.choosing import beginning, chosen_market
from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.ticks import Symbols

COMMAND = [sys.executable, "-c", "from qtw_lab.cli.simulator import app; app()", "serve", "--port", "0"]
LINE = re.compile(r"Simulator at (http://127\.0\.0\.1:\d+) \(REST\), ws://127\.0\.0\.1:\d+/v2/iex .* speed 1\n")


def record(folder):
    """A record of two seconds as a CSV."""
    rows = rows_of(40)
    rows = rows[rows["kind"] == ord("t")]
    path = folder / "record.csv"
    pd.DataFrame(
        {
            "symbol": [NAMES[number] for number in rows["symbol"]],
            "time": pd.to_datetime(rows["time"], utc=True),
            "price": rows["price"],
            "size": rows["size"],
        }
    ).to_csv(path, index=False)
    return path


@pytest.mark.parametrize("sort", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_it_prints_one_line_serves_and_ends_cleanly_on_a_signal(tmp_path, sort):
    words = [*COMMAND, "--recorded", str(record(tmp_path))]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        found = LINE.fullmatch(line)
        assert found, line + process.stderr.read()
        assert requests.get(f"{found[1]}/v2/clock", headers=KEYS, timeout=5).json()["is_open"]
        start = time.monotonic()
        process.send_signal(sort)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out, err) == (0, "", "")
        assert time.monotonic() - start < 3


def test_it_ends_after_the_seconds_it_was_given_and_reads_its_scenario(tmp_path):
    scenario = tmp_path / "faults.toml"
    scenario.write_text('[[faults]]\nkind = "rest_5xx"\n')
    words = [*COMMAND, "--recorded", str(record(tmp_path)), "--scenario", str(scenario), "--max-seconds", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        address = LINE.fullmatch(process.stdout.readline())[1]
        time.sleep(0.1)
        assert requests.get(f"{address}/v2/clock", headers=KEYS, timeout=5).status_code == 503
        assert process.communicate(timeout=10) == ("", "")
        assert process.returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--recorded", "none.csv"], "none.csv"),
        (["--symbols", "5", "--bundled"], "symbols and bundled are markets of different kinds"),
        (["--symbols", "0"], "0"),
        (["--scenario", "none.toml"], "none.toml"),
        (["--symbols", "2", "--speed", "0"], "speed"),
        (["--symbols", "2", "--start", "noon"], "noon"),
    ],
)
def test_wrong_words_are_errors_of_the_input(words, said):
    from qtw_lab.cli.simulator import app

    with pytest.raises(DataError, match=said):
        app(["serve", "--port", "0", *words], standalone_mode=False)


def test_a_synthetic_market_starts_at_its_opening_a_record_where_it_begins():
    market = chosen_market(symbols=2, seed=3)
    assert beginning(market, "auto") == pd.Timestamp("2024-01-05 09:30", tz="America/New_York").value
    assert beginning(market, "10:15") == pd.Timestamp("2024-01-05 10:15", tz="America/New_York").value
    assert beginning(market, "2024-01-05T15:00Z") == pd.Timestamp("2024-01-05 15:00", tz="UTC").value
    late = RecordedMarket.from_rows(rows_of(4, start=rows_of(1)["time"][0] + 10**9), Symbols(NAMES))
    assert beginning(late, "auto") == late.span[0]
    with pytest.raises(DataError, match="no moment"):
        beginning(market, "noon")


def test_the_bundled_market_has_the_stocks_that_were_traded_then():
    assert chosen_market(bundled=True).symbols.names == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
    assert chosen_market(bundled=True, date="2003-03-03").symbols.names == ["AAPL", "IBM", "MSFT"]
    assert chosen_market(bundled=["IBM"], date="2003-03-03").symbols.names == ["IBM"]


def test_a_record_has_its_own_day(tmp_path):
    path = record(tmp_path)
    assert FAKEPACA not in chosen_market(recorded=path).symbols
    for more in ({"date": "2024-01-05"}, {"seed": 1}):
        with pytest.raises(DataError, match="leave date and seed out"):
            chosen_market(recorded=path, **more)
