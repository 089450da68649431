"""A paper broker in a process that is killed again and again while a client trades, and what must be true after each.

The broker's process is forked from a warm one and speaks through a pipe, so that a thousand kills take minutes. The
client is the one that strategies have: `Outbox` writes an order down under a name, sends it once, and asks for it by
that name when an answer is lost; `Mirror` compares accounts.
"""

import contextlib
import mmap
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from multiprocessing import Pipe
from pathlib import Path

import pandas as pd
from small_exchange import OPEN, SECOND, daily, market, quote, trade
from test_kill import body

from qtw_lab.core import VirtualClock
from qtw_lab.ledger.lifecycle import FINAL
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.brokers import FillView, LostAnswerError, OrderView
from qtw_lab.venues.mirror import Mirror
from qtw_lab.venues.outbox import Outbox, order_name
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.embedded import EmbeddedBroker
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.store import MemoryStore, SqliteStore, reading
from qtw_lab.venues.simulator.exchange_tickets import ticket_of

#: Seconds of the market that pass in one.
SPEED = 10
#: A book is begun anew after so many kills, so that reading it does not become most of the work.
KILLS_OF_A_BOOK = 50


@dataclass
class Figures:
    """What a drill came to."""

    kills: int = 0
    inside: int = 0
    orders: int = 0
    fills: int = 0
    unanswered: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills ({self.inside} inside a transaction) in {self.seconds:.0f} s: {self.orders} orders "
            f"and {self.fills} fills acknowledged, {self.unanswered} orders whose answer was lost with the process; "
            f"{len(self.lost)} lost, {len(self.doubled)} doubled, {len(self.wrong)} faults of the book or the mirror"
        )


class Running:
    """Market time, the same in every process."""

    def __init__(self) -> None:
        self.zero = time.monotonic()

    def now(self) -> pd.Timestamp:
        return pd.Timestamp(OPEN + int((5 + SPEED * (time.monotonic() - self.zero)) * SECOND), tz="UTC")


class WatchedStore(SqliteStore):
    """A book that says, in memory which outlives its process, whether it is inside a transaction."""

    def __init__(self, path: Path, flag: mmap.mmap) -> None:
        super().__init__(path)
        self.flag = flag

    def append(self, events) -> None:
        self.flag[0] = 1
        super().append(events)
        self.flag[0] = 0


class Link:
    """The broker's process as a client sees it: whatever it is asked may stay without an answer."""

    name = "piped"

    def __init__(self, tape, clock: Running, path: Path) -> None:
        self.tape, self.clock, self.path = tape, clock, path
        self.flag = mmap.mmap(-1, 1)
        self.pid = 0

    def start(self) -> None:
        self.flag[0] = 0
        self.pipe, theirs = Pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                self.pipe.close()
                self._serve(theirs)
            finally:
                os._exit(1)
        theirs.close()

    def ended(self) -> int:
        """Wait until the process is gone; by which signal it went."""
        _, status = os.waitpid(self.pid, 0)
        self.pipe.close()
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0

    def _serve(self, pipe) -> None:
        store = WatchedStore(self.path, self.flag)
        broker = EmbeddedBroker(PaperBroker(self.tape, self.clock, model=FillModel.alpaca(), store=store))
        while True:
            what, words = pipe.recv()
            try:
                pipe.send((True, getattr(broker, what)(*words)))
            except RefusedError as err:
                pipe.send((False, (err.status, err.content["message"], err.content.get("code"))))

    def _asked(self, what: str, *words):
        try:
            self.pipe.send((what, words))
            fine, answer = self.pipe.recv()
        except (EOFError, OSError) as err:
            raise LostAnswerError(f"No answer to {what}: the process is gone.") from err
        if not fine:
            raise RefusedError(*answer)
        return answer

    def submit(self, ticket) -> OrderView:
        return self._asked("submit", ticket)

    def cancel(self, order_id: str) -> None:
        self._asked("cancel", order_id)

    def find(self, name: str) -> OrderView | None:
        return self._asked("find", name)

    def orders(self, status: str = "open", after: int | None = None) -> list[OrderView]:
        return self._asked("orders", status, after)

    def fills(self, after: int | None = None) -> list[FillView]:
        return self._asked("fills", after)


class Client:
    """Sends orders and cancels some, asks for its fills, and remembers all it was told."""

    def __init__(self, link: Link, chance: random.Random, session: str) -> None:
        self.link, self.chance, self.session = link, chance, session
        self.outbox = Outbox(link, MemoryStore(), lambda: link.clock.now().value)
        self.told: dict[str, OrderView] = {}
        self.canceled: set[str] = set()
        self.fills: dict[str, FillView] = {}

    def trade(self) -> None:
        """Go on until the link breaks; first of all find out what became of the last order."""
        with contextlib.suppress(LostAnswerError):
            self.outbox.resolve()
            for intent in [one for one in self.outbox.intents.values() if one.state != "refused"][-3:]:
                self.send(intent.ticket)  # sent again only if it is absent
            while True:
                self.send(self.wish())
                if self.chance.random() < 0.5:
                    self.fills |= {fill.id: fill for fill in self.link.fills()}

    def wish(self):
        number = len(self.outbox.intents)
        name = order_name(self.session, "AAA", OPEN, number)
        return ticket_of(body(self.chance, ["AAA", "BBB"]) | {"client_order_id": name})

    def send(self, ticket) -> None:
        with contextlib.suppress(RefusedError):
            order = self.outbox.submit(ticket)
            self.told[ticket.client_order_id] = order
            if self.chance.random() < 0.2 and order.status not in FINAL:
                self.link.cancel(order.id)
                self.canceled.add(order.id)


@contextlib.contextmanager
def killing(pid: int, after: float) -> Iterator[None]:
    """Kill a process that long from now, wherever it is then."""
    before = signal.signal(signal.SIGALRM, lambda *_: os.kill(pid, signal.SIGKILL))
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Judge:
    """Opens the book after a kill and compares it with what the client was told."""

    def __init__(self, link: Link, client: Client, figures: Figures) -> None:
        self.link, self.client, self.figures = link, client, figures
        self.mirrored = MemoryStore()

    def look(self) -> None:
        store = SqliteStore(self.link.path)
        try:
            paper = PaperBroker(
                self.link.tape, VirtualClock(self.link.clock.now()), store=store, model=FillModel.alpaca()
            )
            self._compare(paper)
            self.figures.wrong += paper.state.faults()
            self._reconcile(EmbeddedBroker(paper))
        finally:
            store.close()
        with reading(self.link.path) as events:
            names = Counter(event.content["client_order_id"] for event in events if event.kind == "accepted")
        self.figures.doubled += [name for name, count in names.items() if count > 1]

    def _compare(self, paper: PaperBroker) -> None:
        """Every order and every fill that was acknowledged is there as it was told, and nothing that nobody sent."""
        figures, client = self.figures, self.client
        for name, order in client.told.items():
            there = paper.orders.get(order.id)
            if there is None or there.client_order_id != name or there.filled_qty < order.filled_qty:
                figures.lost.append(name)
            elif order.status in FINAL and there.status != order.status:
                figures.wrong.append(f"{name} was {order.status} and is {there.status}")
        figures.lost += [name for name in client.canceled if paper.orders[name].status != "canceled"]
        fills = {fill.id: (fill.order, fill.price, fill.qty) for fill in paper.book.fills}
        told = {fill.id: (fill.order_id, fill.price, fill.qty) for fill in client.fills.values()}
        figures.lost += [name for name, terms in told.items() if fills.get(name) != terms]
        sent = {order.client_order_id for order in paper.orders.values() if not order.role}
        figures.wrong += [f"nobody sent {name}" for name in sent - set(client.outbox.intents)]
        shares = Counter[str]()  # a fill that were there twice would be more than was asked for
        for fill in paper.book.fills:
            shares[fill.order] += fill.qty
        figures.doubled += [name for name, qty in shares.items() if qty > (paper.orders[name].qty or 0)]

    def _reconcile(self, broker: EmbeddedBroker) -> None:
        """The mirror becomes equal to the account without any adjustment, and a second look changes nothing."""
        ours = {order.client_order_id for order in broker.orders("all")}
        mirror = Mirror(broker, self.mirrored, lambda: self.link.clock.now().value)
        found, again = mirror.reconcile(ours), mirror.reconcile(ours)
        if found.adjustments or found.external or not again.nothing or mirror.positions() != broker.positions():
            self.figures.wrong.append(f"the mirror is not clean: {found}, {again}")


def tape():
    """Ten thousand seconds of quotes and trades of two symbols that go up and down."""
    chance, rows, prices = random.Random(3), [], [100.0, 50.0]
    for second in range(10_000):
        for symbol in (0, 1):
            prices[symbol] = round(prices[symbol] + chance.choice([-0.05, 0.0, 0.05]), 2)
            rows.append(quote(symbol, second + 0.25, prices[symbol] - 0.05, prices[symbol] + 0.05))
            rows.append(trade(symbol, second + 0.5, prices[symbol], number=second + 1))
    played = market(*rows, days=(daily(0, "2023-12-29", 100.0), daily(1, "2023-12-29", 50.0)))
    played.sessions = cache(played.sessions)  # a process that begins shall not spend its life on the calendar
    return warmed(played)


def warmed(played):
    """The same market; all that a broker compiles or loads when it is first asked is there before it is forked."""
    broker = EmbeddedBroker(PaperBroker(played, Running(), model=FillModel.alpaca()))
    for number, symbol in enumerate(["AAA", "BBB"]):
        broker.submit(Ticket(symbol, "buy", "market", "day", qty=Decimal(1), client_order_id=f"warm-{number}"))
    for what in (broker.orders, broker.fills, broker.positions, broker.account):
        what()
    broker.submit(ticket_of(body(random.Random(1), ["AAA"]) | {"side": "buy", "client_order_id": "warm"}))
    return played


def drilled(folder: Path, kills: int, seed: int = 1) -> Figures:
    """The figures of so many kills at random moments, of brokers and their clients one after another."""
    figures, chance, played = Figures(), random.Random(seed), tape()
    began = time.perf_counter()
    for number in range(0, kills, KILLS_OF_A_BOOK):
        link = Link(played, Running(), folder / f"book-{number}.sqlite")
        client = Client(link, chance, f"drill-{number}")
        judge = Judge(link, client, figures)
        for _ in range(min(KILLS_OF_A_BOOK, kills - number)):
            link.start()
            with killing(link.pid, chance.uniform(0.001, 0.4)):
                client.trade()
                if link.ended() == signal.SIGKILL:
                    figures.kills += 1
            figures.inside += link.flag[0]
            figures.unanswered += len(client.outbox.unresolved)
            judge.look()
        figures.orders += len(client.told)
        figures.fills += len(client.fills)
    figures.seconds = time.perf_counter() - began
    return figures
