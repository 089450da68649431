"""A desk on a paper account at a market made of bars, told by hand what its strategies say; its stores outlive it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pandas as pd

from qtw_lab.core import Bars, VirtualClock
from qtw_lab.ledger import Sizing
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.live.trading.desk import Closed, Desk
from qtw_lab.live.trading.sleeve import Seen
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.strategies import SmaCross
from qtw_lab.venues.brokers import OrderView
from qtw_lab.venues.mirror import Mirror
from qtw_lab.venues.outbox import Outbox
from qtw_lab.venues.paper.account_rules import LedgerRules
from qtw_lab.venues.paper.bar_market import BarMarket
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.embedded import EmbeddedBroker
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.store import MemoryStore, Store
from qtw_lab.venues.trader import Trader

D = Decimal
ZERO = Decimal(0)
NAMES = ("desk", "outbox", "mirror", "book")

#: By session what its strategy says of each symbol.
Said = Mapping[str, Mapping[str, float]]


def bars_of(**opens: Sequence[float]) -> Bars:
    """Daily bars that open at these prices and do not move until the next; from 2024-01-02."""
    index = pd.date_range("2024-01-02", periods=len(next(iter(opens.values()))), freq="B", tz="UTC")
    frames = {
        symbol: pd.DataFrame({name: list(map(float, prices)) for name in ("open", "high", "low", "close")}, index=index)
        for symbol, prices in opens.items()
    }
    for frame in frames.values():
        frame["volume"] = 1e6
    return Bars.from_frame(pd.concat(frames, axis=1), calendar="XNYS")


def terms(name: str, symbols: str = "X", strategy: str = "sma_cross", interval: str = "1D", **more) -> SessionTerms:
    """A session's terms; half of the account, unless they say otherwise."""
    return SessionTerms.given(name, strategy, symbols, interval, **{"allocation": 0.5, **more})


def shares(name: str, count: float, symbols: str = "X", **more) -> SessionTerms:
    """Terms of a session that holds so many shares of what it likes."""
    return terms(name, symbols, sizing=Sizing.fixed_shares(count), **more)


class Own(SmaCross):
    """A strategy of one's own, which can be imported."""


class Wrapped:
    """A broker that does as it is asked, until a test gives it an `error` to answer orders with."""

    def __init__(self, broker: EmbeddedBroker) -> None:
        self.broker, self.error, self.after = broker, None, False

    def __getattr__(self, name: str):
        return getattr(self.broker, name)

    def submit(self, ticket: Ticket) -> OrderView:
        """Send it, and raise the error instead; or `after` it was sent."""
        if self.error is not None and not self.after:
            raise self.error
        sent = self.broker.submit(ticket)
        if self.error is not None:
            raise self.error
        return sent


class Killed(BaseException):
    """The process ended, in the middle of whatever it did."""


class Tape:
    """Stores that outlive a process which is killed after so many writes, all of them counted together.

    Parameters
    ----------
    deaths : sequence of int
        After which writes, counted from the start of each process.
    """

    def __init__(self, *deaths: int) -> None:
        self.stores: dict[str, Store] = {name: _Taped(self) for name in NAMES}
        self.writes, self._deaths = 0, list(deaths)

    def count(self) -> None:
        """Another write is safe."""
        self.writes += 1
        if self._deaths and self.writes >= self._deaths[0]:
            self._deaths.pop(0)
            self.writes = 0
            raise Killed


class _Taped(MemoryStore):
    def __init__(self, tape: Tape) -> None:
        super().__init__()
        self._tape = tape

    def append(self, events: Sequence[Event]) -> None:
        """Keep these, or not at all."""
        super().append(events)
        if events:
            self._tape.count()


class Rig:
    """A desk, its trader and its account, at the moment before the first bar.

    Parameters
    ----------
    bars : Bars
        The market.
    stores : dict of str to Store, optional
        What is known already, by `NAMES`.
    at : int, optional
        The moment, nanoseconds since 1970, UTC.
    broker : callable, optional
        Makes what the desk believes to be the broker of the broker.
    allow : callable, optional
        Makes what judges each order: given this rig, its outbox and its mirror.
    """

    def __init__(self, bars, *sessions, cash=100_000, model=None, rules=None, stores=None, at=None, broker=None,
                 allow=None):  # fmt: skip
        self.bars, self.market = bars, BarMarket(bars)
        stores = {name: MemoryStore() for name in NAMES} if stores is None else stores
        at = int(self.market.opens[0]) - 1 if at is None else at
        self.clock = VirtualClock(pd.Timestamp(at, unit="ns", tz="UTC"))
        self.paper = PaperBroker(
            self.market, self.clock, cash, model=FillModel.backtest() if model is None else model,
            rules=LedgerRules() if rules is None else rules, store=stores["book"],
        )  # fmt: skip
        self.account = EmbeddedBroker(self.paper)
        self.broker = self.account if broker is None else broker(self.account)
        now = self.paper.now
        outbox = Outbox(self.broker, stores["outbox"], now, sleep=lambda _: None)
        mirror = Mirror(self.broker, stores["mirror"], now)
        judge = None if allow is None else allow(self, outbox, mirror)
        self.trader = Trader(self.broker, outbox, mirror, allow=judge)
        self.desk = Desk(self.trader, stores["desk"], now, calendar=bars.calendar)
        self.trader.compare()
        self.desk.recover()
        for one in sessions:
            if one.name not in self.state.sleeves:
                self.desk.open(one)

    @property
    def state(self):
        return self.desk.state

    def at(self, moment: int) -> None:
        self.clock.moment = pd.Timestamp(int(moment), unit="ns", tz="UTC")

    def seen(self, t: int) -> dict[str, Seen]:
        """Prices at which bar `t` opens."""
        prices = self.bars.values["open"][t].tolist()
        return {symbol: Seen.at(price) for symbol, price in zip(self.bars.symbols, prices, strict=True)}

    def opens(self, t: int):
        """Bar `t` opens: what waits is traded; the orders."""
        self.at(self.market.opens[t])
        orders = self.desk.trade(self.seen(t))
        self.trader.compare()
        self.desk.settle()
        return orders

    def closes(self, t: int, said: Said | None = None) -> None:
        """Bar `t` closes, and strategies say this."""
        self.at(self.market.ends[t])
        self.trader.compare()
        self.desk.settle()
        start = int(self.bars.index.as_unit("ns").asi8[t])
        closes = dict(zip(self.bars.symbols, self.bars.values["close"][t].tolist(), strict=True))
        self.desk.closed([
            Closed(name, start, int(self.market.ends[t]), {one: closes[one] for one in sleeve.terms.symbols},
                   (said or {}).get(name, {}))
            for name, sleeve in self.state.sleeves.items() if start > self.state.bars.get(name, -1)
        ])  # fmt: skip

    def bar(self, t: int, said: Said | None = None):
        """Bar `t` from its open to its close; the orders at its open."""
        orders = self.opens(t)
        self.closes(t, said)
        return orders

    def send(self, name: str, symbol: str, qty: int) -> OrderView:
        """An order by hand, past the desk."""
        side = "buy" if qty > 0 else "sell"
        return self.account.submit(Ticket(symbol, side, "market", "day", qty=D(abs(qty)), client_order_id=name))

    # What is true

    def held(self, name: str) -> dict[str, Decimal]:
        """Shares of a session."""
        return {symbol: holding.qty for symbol, holding in sorted(self.state.sleeves[name].book.holdings.items())}

    def together(self) -> dict[str, Decimal]:
        """Shares of all sessions."""
        found: dict[str, Decimal] = {}
        for name in self.state.sleeves:
            for symbol, qty in self.held(name).items():
                found[symbol] = found.get(symbol, ZERO) + qty
        return {symbol: qty for symbol, qty in sorted(found.items()) if qty}

    def cash_beside(self) -> Decimal:
        """Cash of the account that no session has."""
        return self.paper.book.cash - sum((one.book.cash for one in self.state.sleeves.values()), ZERO)

    def sent(self) -> list[tuple[str, str, Decimal]]:
        """Symbol, side and shares of every order at the broker, oldest first."""
        return [(one.ticket.symbol, one.ticket.side, one.qty) for one in self.paper.orders.values()]

    def sound(self) -> None:
        """Nothing is lost or doubled, here and at the broker."""
        assert self.state.faults() == []
        assert self.paper.state.faults() == []
        names = [one.client_order_id for one in self.paper.orders.values()]
        assert len(names) == len(set(names))
