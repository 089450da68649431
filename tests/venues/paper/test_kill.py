"""`qtw simulator serve` killed at random while clients trade: every acknowledged order is there afterwards, once."""

import os
import random
import signal
import subprocess
import sys
import time
from decimal import Decimal

import pandas as pd
import pytest
import requests

from qtw_lab.venues.paper.state import State
from qtw_lab.venues.paper.store import reading

COMMAND = [sys.executable, "-c", "from qtw_lab.cli.simulator import app; app()", "serve", "--rate-limit", "0"]
KEYS = {"APCA-API-KEY-ID": "sim-key", "APCA-API-SECRET-KEY": "sim-secret"}


class Server:
    """The command in a process of its own, always on the same port and the same storage folder."""

    def __init__(self, storage, port=0):
        self.storage, self.port, self.process = storage, port, None

    def start(self):
        words = [*COMMAND, "--port", str(self.port), "--symbols", "5", "--start", "10:00", "--speed", "20"]
        environment = {**os.environ, "QTW_STORAGE_DIR": str(self.storage)}
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        line = self.process.stdout.readline()
        assert line.startswith("Simulator at "), line + self.process.stderr.read()
        self.port = int(line.split("http://127.0.0.1:")[1].split(" ")[0])
        return self

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"


class Client:
    """Sends orders as somebody would who knows that an answer may be lost: it asks before it sends again."""

    def __init__(self, server, chance):
        self.server, self.chance = server, chance
        self.session = requests.Session()
        self.session.headers.update(KEYS)
        self.acknowledged, self.canceled = {}, set()

    def ask(self, method, path, **more):
        return self.session.request(method, self.server.url + path, timeout=10, **more)

    def submit(self, name, body):
        """Send an order until it is acknowledged; what was sent and not answered is looked for first."""
        for _ in range(200):
            try:
                answer = self.ask("POST", "/v2/orders", json=body | {"client_order_id": name})
                if answer.status_code == 422 and "client_order_id must be unique" in answer.text:
                    answer = self.ask("GET", f"/v2/orders:by_client_order_id?client_order_id={name}")
                if answer.status_code in (403, 422):  # the account may not do that now: nothing was taken
                    return None
                assert answer.status_code == 200, answer.text
                self.acknowledged[name] = answer.json()
                return answer.json()
            except requests.RequestException:
                time.sleep(0.05)
        raise AssertionError("the server does not come back")

    def cancel(self, order):
        try:
            if self.ask("DELETE", f"/v2/orders/{order['id']}").status_code == 204:
                self.canceled.add(order["id"])
        except requests.RequestException:
            pass


def body(chance, names):
    side = chance.choice(["buy", "buy", "sell"])
    order = {
        "symbol": chance.choice(names),
        "side": side,
        "qty": chance.randint(1, 9),
        "type": "market",
        "time_in_force": "day",
    }
    if chance.random() < 0.3:
        order |= {"type": "limit", "limit_price": "1.00" if side == "buy" else "5000.00", "time_in_force": "gtc"}
    elif chance.random() < 0.2 and side == "buy":
        order |= {"order_class": "bracket", "take_profit": {"limit_price": "9000"}, "stop_loss": {"stop_price": "0.50"}}
    return order


def through_kills(tmp_path, kills, seed=1):
    """Trade while the server is killed at random moments; what was acknowledged, and the account at the end."""
    chance = random.Random(seed)
    server = Server(tmp_path).start()
    client = Client(server, chance)
    names = sorted(asset["symbol"] for asset in client.ask("GET", "/v2/assets").json())
    number = 0
    try:
        for _ in range(kills):
            ends = time.monotonic() + chance.uniform(0.0, 0.6)
            killer = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    f"import os, time; time.sleep({chance.uniform(0.05, 0.5)}); os.kill({server.process.pid}, 9)",
                ]
            )
            while server.process.poll() is None and time.monotonic() < ends + 5:
                number += 1
                name, wish = f"order-{number}", body(chance, names)
                try:
                    answer = client.ask("POST", "/v2/orders", json=wish | {"client_order_id": name})
                except requests.RequestException:
                    break
                if answer.status_code == 200:
                    client.acknowledged[name] = answer.json()
                    if chance.random() < 0.2:
                        client.cancel(answer.json())
            killer.wait()
            server.process.communicate()
            server.start()
            if number:  # the one whose answer was lost is resolved by its name
                client.submit(name, wish)
    except BaseException:
        server.kill()
        raise
    return client, server


def judged(client, server, tmp_path):
    """Every acknowledged order is there once, canceled ones are canceled, and the account adds up."""
    listed, until = [], None
    while True:
        query = {"status": "all", "limit": 500, "nested": "true", "direction": "desc"} | (
            {"until": until} if until else {}
        )
        page = client.ask("GET", "/v2/orders", params=query).json()
        listed += [order for order in page if order["id"] not in {one["id"] for one in listed}]
        if len(page) < 500:
            break
        until = page[-1]["created_at"]
    by_name = {}
    for order in listed:
        by_name.setdefault(order["client_order_id"], []).append(order)
    assert {name for name, held in by_name.items() if len(held) > 1} == set()
    assert [name for name in client.acknowledged if name not in by_name] == []
    for name, order in client.acknowledged.items():
        assert by_name[name][0]["id"] == order["id"]
    assert {order["status"] for order in listed if order["id"] in client.canceled} <= {"canceled"}
    positions = {one["symbol"]: Decimal(one["qty"]) for one in client.ask("GET", "/v2/positions").json()}
    account = client.ask("GET", "/v2/account").json()
    server.kill()
    (path,) = (tmp_path / "paper").glob("simulator-*.sqlite")
    with reading(path) as events:
        state = State.of(events)
    assert state.faults() == []
    assert {symbol: holding.qty for symbol, holding in state.book.holdings.items()} == positions
    assert abs(state.book.cash - Decimal(account["cash"])) < Decimal("0.000001")
    return len(client.acknowledged), len(state.book.fills)


@pytest.mark.parametrize("kills", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_every_acknowledged_order_is_found_after_kills_once(tmp_path, kills):
    client, server = through_kills(tmp_path, kills)
    orders, fills = judged(client, server, tmp_path)
    print(f"{kills} kills: {orders} orders acknowledged, none lost, none doubled; {fills} fills")
    assert orders > kills


def test_the_markets_time_never_goes_back_and_an_unused_account_begins_with_the_market(tmp_path):
    server = Server(tmp_path).start()
    client = Client(server, random.Random(1))

    def now():
        return pd.Timestamp(client.ask("GET", "/v2/clock").json()["timestamp"])

    try:
        began = now()
        time.sleep(0.5)
        server.kill()
        server.start()
        assert abs(now() - began) < pd.Timedelta("60s")  # nothing was traded: it is ten o'clock again
        client.submit("one", {"symbol": "SAAAA", "side": "buy", "qty": 1, "type": "market", "time_in_force": "day"})
        time.sleep(2.2)
        seen = now()
        assert seen > began + pd.Timedelta("30s")
        server.kill()
        server.start()
        assert now() >= seen - pd.Timedelta("45s")  # it is noted every second, which is 20 of the market's
        assert [order["client_order_id"] for order in client.ask("GET", "/v2/orders?status=all").json()] == ["one"]
    finally:
        server.kill()
