"""A market of hand-written quotes and trades, and an exchange at it, for the tests of the simulator's REST side."""

import json

import numpy as np
import pandas as pd

from qtw_lab.core import VirtualClock
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.simulator.asking import Request, reply
from qtw_lab.venues.simulator.recorded import RecordedMarket
from qtw_lab.venues.simulator.trading_rest import routes
from qtw_lab.venues.ticks import BAR, DAILY_BAR, QUOTE, TICK, TRADE, Symbols, condition_mask

#: 09:30 in New York on a Tuesday; the session before was Friday 2023-12-29.
OPEN = pd.Timestamp("2024-01-02 14:30", tz="UTC").value
SECOND = 10**9


def quote(symbol: int, second: float, bid: float, ask: float, size: float = 100) -> np.ndarray:
    """A quote so many seconds after the opening."""
    row = _row(QUOTE, symbol, second, bid, size)
    row["other_price"], row["other_size"], row["flag"] = ask, size, ord("V")
    return row


def trade(
    symbol: int, second: float, price: float, size: float = 100, *, number: int = 0, letters: str = ""
) -> np.ndarray:
    """A trade so many seconds after the opening."""
    row = _row(TRADE, symbol, second, price, size)
    row["id"], row["conditions"] = number, condition_mask(letters)
    return row


def daily(symbol: int, date: str, close: float, volume: float = 1000.0) -> np.ndarray:
    """A bar of an earlier day."""
    row = np.zeros(1, BAR)
    row["kind"], row["symbol"] = DAILY_BAR, symbol
    row["time"] = pd.Timestamp(date, tz="America/New_York").as_unit("ns").value
    for name in ("open", "high", "low", "close", "vwap"):
        row[name] = close
    row["volume"], row["count"] = volume, 10
    return row


def market(*rows: np.ndarray, names: tuple[str, ...] = ("AAA", "BBB"), days: tuple[np.ndarray, ...] = ()):
    """A recorded market of those rows, in the order of their times."""
    together = np.concatenate(rows)
    return RecordedMarket.from_rows(
        together[np.argsort(together["time"], kind="stable")],
        Symbols(names),
        daily=np.concatenate(days) if days else None,
    )


def still():
    """A market whose quotes stand for two hours, for tests in which nothing has to move: AAA at 100, BBB at 50."""
    rows = [quote(0, 0, 99.9, 100.1), quote(1, 0, 49.9, 50.1), trade(0, 1, 100.0, number=1)]
    return market(*rows, trade(0, 7200, 100.0, number=2), days=(daily(0, "2023-12-29", 100.0),))


#: A moment at which it has been quoted.
STILL = pd.Timestamp(OPEN + 5 * SECOND, tz="UTC")


class Desk:
    """An exchange at a market, its clock, and its REST side without a network."""

    def __init__(self, played, second: float = 0.0, **settings) -> None:
        self.market = played
        self.clock = VirtualClock(pd.Timestamp(OPEN + round(second * SECOND), tz="UTC"))
        self.exchange = PaperBroker(played, self.clock, **settings)
        self.routes = routes(played, self.exchange, self.clock)

    def at(self, second: float) -> "Desk":
        """Move on to so many seconds after the opening, and let orders meet what happened."""
        self.clock.moment = pd.Timestamp(OPEN + round(second * SECOND), tz="UTC")
        self.exchange.poll()
        return self

    def ask(self, method: str, target: str, body=None, status: int = 200):
        """The JSON that a request is answered with; its status must be that."""
        answer = reply(self.routes, Request.of(method, target, body))
        assert answer.status == status, (answer.status, answer.body)
        return json.loads(answer.content()) if answer.content() else None

    def order(self, side: str, qty, kind: str = "market", status: int = 200, **more):
        """The answer to a day order in AAA, unless `more` says otherwise."""
        body = {"symbol": "AAA", "side": side, "qty": qty, "type": kind, "time_in_force": "day", **more}
        return self.ask("POST", "/v2/orders", body, status)

    def now(self, order_id: str):
        """An order as it is now."""
        return self.ask("GET", f"/v2/orders/{order_id}")

    def told(self) -> list[tuple[str, str]]:
        """Event and time of every update so far."""
        return [(update["event"], update["timestamp"]) for update in self.exchange.updates]


def _row(kind: int, symbol: int, second: float, price: float, size: float) -> np.ndarray:
    row = np.zeros(1, TICK)
    row["kind"], row["symbol"], row["time"] = kind, symbol, OPEN + round(second * SECOND)
    row["price"], row["size"], row["exchange"], row["tape"] = price, size, ord("V"), ord("C")
    return row
