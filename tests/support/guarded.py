"""A trader with a guard at a small exchange, whose files outlive it, for the tests of the guard."""

from decimal import Decimal

import pytest
from small_exchange import OPEN, Desk, daily, market, quote, still, trade

from qtw_lab.ledger.limits import Limits
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.guard import Guard
from qtw_lab.venues.mirror import Mirror
from qtw_lab.venues.outbox import Outbox
from qtw_lab.venues.paper.embedded import EmbeddedBroker
from qtw_lab.venues.paper.store import SqliteStore, reading
from qtw_lab.venues.refused import NotAllowedError, refusals
from qtw_lab.venues.trader import Trader

D = Decimal
STILL = still()


def falling():
    """AAA at 100, at 90 after ten minutes, at 120 after twenty and at 100 after an hour."""
    rows = [quote(1, 0, 49.9, 50.1)]
    for number, (second, price) in enumerate(((0, 100), (600, 90), (1200, 120), (3600, 100))):
        rows += [quote(0, second, price - 0.1, price + 0.1), trade(0, second + 1, price, number=number)]
    return market(*rows, trade(0, 7200, 100.0, number=9), days=(daily(0, "2023-12-29", 100.0),))


class Post:
    """A trader with a guard at a small exchange; `start` begins the process anew on the same files."""

    def __init__(self, folder, played=STILL, model=None, **limits):
        self.folder, self.limits = folder, limits
        self.desk = Desk(played, 5, **({} if model is None else {"model": model}))
        self.broker = EmbeddedBroker(self.desk.exchange)
        self.session, self.prices = OPEN, {"AAA": D(100), "BBB": D(50)}
        self.times, self.stores, self.switch = None, [], None
        self.start()

    def start(self):
        self.stop()
        now = self.desk.exchange.now
        for name in ("outbox", "mirror", "guard"):
            self.stores.append(SqliteStore(self.folder / f"{name}.sqlite"))
        self.outbox = Outbox(self.broker, self.stores[0], now, lambda seconds: None)
        self.mirror = Mirror(self.broker, self.stores[1], now)
        self.guard = Guard(
            Limits(**self.limits), self.broker, self.outbox, self.mirror, self.stores[2], now=now,
            session=lambda: self.session, prices=self.prices.get, switch=self.switch,
            priced=lambda symbol: now() if self.times is None else self.times.get(symbol),
        )  # fmt: skip
        self.trader = Trader(self.broker, self.outbox, self.mirror, allow=self.guard)
        self.trader.compare()
        return self

    def stop(self):
        for store in self.stores:
            store.close()
        self.stores = []

    def send(self, name, side="buy", qty=1, symbol="AAA", kind="market", **more):
        qty = None if qty is None else D(qty)
        life = "day" if more.get("shape", "simple") == "simple" else "gtc"
        ticket = Ticket(symbol, side, kind, more.pop("life", life), qty=qty, client_order_id=name, **more)
        return self.trader.submit(ticket)

    def refused(self, *order, **more):
        """The rules that an order would break, and that it was not sent."""
        before = (len(self.desk.exchange.orders), dict(self.outbox.intents))
        with pytest.raises(NotAllowedError) as caught:
            self.send(*order, **more)
        assert (len(self.desk.exchange.orders), dict(self.outbox.intents)) == before
        return [(one.rule, one.value) for one in caught.value.breaches]

    def log(self):
        with reading(self.folder / "guard.sqlite") as events:
            return list(refusals(events))


def limit(price):
    return {"kind": "limit", "limit_price": D(price)}
