"""A second client library, alpaca-trade-api, which shares no code with alpaca-py, against the served simulator.

It needs the libraries of its time, so it runs in an environment of its own, which `tools/second_client.sh` makes once.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_exchange import daily, market, quote, trade

from qtw_lab.venues.simulator.server import Simulator

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / ".venv-second"
TALK = ROOT / "tests" / "support" / "second_client.py"


@pytest.fixture(scope="module")
def python() -> Path:
    done = subprocess.run(
        ["sh", str(ROOT / "tools" / "second_client.sh"), str(FOLDER), sys.executable],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"tools/second_client.sh failed:\n{done.stderr[-2000:]}"
    return FOLDER / "bin" / "python"


@pytest.fixture(scope="module")
def said(python):
    rows = []
    for minute in range(20):
        for symbol, base in ((0, 100.0), (1, 50.0)):
            price = base + minute / 10
            rows.append(quote(symbol, 60 * minute, price - 0.05, price + 0.05))
            rows += [trade(symbol, 60 * minute + k, price + k / 100, 10, number=60 * minute + k) for k in range(1, 6)]
    days = [
        daily(symbol, day, close) for symbol, close in ((0, 99.0), (1, 51.0)) for day in ("2023-12-28", "2023-12-29")
    ]
    played = market(*rows, days=tuple(days))
    with Simulator(played, start="2024-01-02T09:50:10", hold=True, rate_limit=0) as simulator:
        done = subprocess.run(
            [str(python), str(TALK), simulator.url], capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_history_comes_in_full(said):
    data = said["data"]
    assert data["bars"] == [
        [name, round(base + k / 10 + 0.01, 2), 50] for name, base in (("AAA", 100), ("BBB", 50)) for k in range(20)
    ]
    assert data["bars_of_one"] == pytest.approx([100.05, 100.15, 100.25])
    assert data["days"] == ["2024-01-02", "2023-12-29", "2023-12-28"]
    assert data["trades"] == [[100.01, 1], [100.02, 2]]
    assert data["trades_of_both"] == 2 * 19 * 5
    assert data["quotes"] == [[49.95, 50.05], [50.05, 50.15]]
    assert (data["bars_one_by_one"], data["trades_one_by_one"], data["quotes_one_by_one"]) == (25, 7, 7)


def test_the_latest_of_everything_is_found_for_one_and_for_several(said):
    data = said["data"]
    assert data["latest_bar"] == data["latest_bars"]["AAA"] == pytest.approx(101.95)
    assert data["latest_trade"] == data["latest_trades"]["AAA"] == pytest.approx(101.95)
    assert data["latest_quote"] == data["latest_quotes"]["AAA"] == pytest.approx(101.95)
    assert data["latest_quotes"]["BBB"] == pytest.approx(51.95)
    assert data["snapshot"] == pytest.approx(100.01)
    assert data["snapshots"] == {"AAA": 99.0, "BBB": 51.0}


def test_the_account_and_its_surroundings_are_told(said):
    trading = said["trading"]
    assert trading["account"] == ["100000", "ACTIVE"]
    assert trading["clock"] == [True, "2024-01-02 16:00:00-05:00"]
    assert trading["calendar"] == ["13:00:00", "16:00:00"]
    assert (trading["assets"], trading["asset"]) == (["AAA", "BBB"], "BBB")
    assert trading["settings"] == [False, True]


def test_orders_go_their_way(said):
    trading = said["trading"]
    assert trading["filled"] == ["filled", "101.95"]
    assert trading["position"] == ["10", 1]
    assert trading["replaced"] == ["3", "91", "replaced"]
    assert trading["orders"] == ["filled", "replaced", "new"]
    assert (trading["open"], trading["closed"], trading["left"]) == (0, ["4", "AAA"], 0)
    assert trading["activities"] == [["AAA", "6", "sell"], ["AAA", "4", "sell"], ["AAA", "10", "buy"]]
    assert (trading["page"], trading["history"]) == (2, 100_000.0)
    assert trading["duplicate"] == [422, 40010001, "client_order_id must be unique"]


def test_watchlists_are_kept(said):
    assert said["watchlists"] == [["AAA"], ["AAA", "BBB"], ["BBB"], ["BBB"], "other", ["other"], []]
