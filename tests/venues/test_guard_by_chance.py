"""Whatever is sent, lost, canceled, replaced or restarted: what could be held at the worst stays within the limits."""

import contextlib
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from small_exchange import OPEN, Desk, still

from qtw_lab.core import VenueError
from qtw_lab.ledger.amounts import ZERO
from qtw_lab.ledger.limits import Limits
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Exit, Ticket
from qtw_lab.venues.brokers import LostAnswerError
from qtw_lab.venues.guard import Guard
from qtw_lab.venues.mirror import Mirror
from qtw_lab.venues.outbox import Outbox
from qtw_lab.venues.paper.embedded import EmbeddedBroker
from qtw_lab.venues.paper.store import MemoryStore
from qtw_lab.venues.refused import NotAllowedError, refusals
from qtw_lab.venues.trader import Trader

D = Decimal
MARKET = still()
PRICES = {"AAA": D(100), "BBB": D(50)}
LIMITS = Limits(max_symbol_value=2000, max_gross=3000, max_order_shares=15, max_open_orders=4)


class Wire:
    """A broker whose answers get lost when asked to."""

    def __init__(self, paper):
        self.broker, self.lost, self.taken = EmbeddedBroker(paper), False, []

    def submit(self, ticket):
        self.taken.append(ticket.client_order_id)
        sent = self.broker.submit(ticket)
        if self.lost:
            raise LostAnswerError("no answer")
        return sent

    def find(self, name):
        return None if self.lost else self.broker.find(name)

    def __getattr__(self, name):
        return getattr(self.broker, name)


class Story:
    """Somebody who trades on an account, with a guard."""

    def __init__(self):
        self.desk = Desk(MARKET, 5)
        self.paper, self.wire = self.desk.exchange, Wire(self.desk.exchange)
        self.stores, self.count, self.refused = [MemoryStore() for _ in range(3)], 0, []
        self.start()

    def start(self, *_):
        outbox, mirror, guard = self.stores
        self.outbox = Outbox(self.wire, outbox, self.paper.now, lambda seconds: None)
        self.mirror = Mirror(self.wire, mirror, self.paper.now)
        self.guard = Guard(
            LIMITS, self.wire, self.outbox, self.mirror, guard, now=self.paper.now, session=lambda: OPEN,
            prices=PRICES.get,
        )  # fmt: skip
        self.trader = Trader(self.wire, self.outbox, self.mirror, allow=self.guard)
        self.compare()

    def compare(self, *_):
        self.wire.lost = False
        self.trader.compare()
        assert self.trader.ready, self.trader.trouble

    def order(self, symbol, side, qty, away, shape, *, lost):
        """Send an order at the market or so far from the last price, with or without exits."""
        self.count += 1
        mark, up = PRICES[symbol], 1 if side == "buy" else -1
        kind, price = ("market", None) if away is None else ("limit", mark * (100 + away) / 100)
        more = {"shape": "bracket", "target": Exit(limit=mark * (1 + D("0.4") * up)),
                "stop_loss": Exit(stop=mark * (1 - D("0.4") * up))} if shape else {}  # fmt: skip
        self.wire.lost = lost
        self.tried(
            lambda name: self.trader.submit(
                Ticket(symbol, side, kind, "gtc" if shape else "day", qty=D(qty), limit_price=price,
                       client_order_id=name, **more)
            )
        )  # fmt: skip

    def tried(self, send):
        try:
            send(f"n{self.count}")
        except NotAllowedError:
            self.refused.append("guard")
        except RefusedError:
            self.refused.append("broker")
        except VenueError:
            self.compare()

    def cancel(self, which):
        orders = self.paper.open_orders()
        if orders:
            with contextlib.suppress(RefusedError):  # it is over already
                self.trader.cancel(orders[which % len(orders)].id)
            self.compare()

    def amend(self, which, qty):
        orders = self.paper.open_orders()
        if orders:
            self.tried(lambda name: self.trader.amend(orders[which % len(orders)].id, qty=D(qty)))

    def truth(self):
        """The most and the fewest shares of each symbol that the exchange's open orders could lead to."""
        orders = {order.id: order for order in self.paper.orders.values()}
        bounds = {symbol: [holding.qty] * 2 for symbol, holding in self.paper.book.holdings.items()}
        exits = {}
        for order in orders.values():
            if order.open and not order.parent:
                bound = bounds.setdefault(order.ticket.symbol, [ZERO, ZERO])
                left = order.qty - order.filled_qty
                bound[0 if order.ticket.buys else 1] += left if order.ticket.buys else -left
            elif order.open and not orders[order.parent].open:
                exits[order.parent] = order
        for order in exits.values():
            bound, left = bounds.setdefault(order.ticket.symbol, [ZERO, ZERO]), order.qty - order.filled_qty
            bound[0 if order.ticket.buys else 1] += left if order.ticket.buys else -left
        return {symbol: tuple(bound) for symbol, bound in bounds.items() if any(bound)}

    def judged(self):
        """The same as the guard sees it."""
        standing = self.guard.standing()
        bounds = {symbol: [shares] * 2 for symbol, shares in standing.positions.items()}
        for symbol, left, _ in standing.working:
            bounds.setdefault(symbol, [ZERO, ZERO])[0 if left > 0 else 1] += left
        return {symbol: tuple(bound) for symbol, bound in bounds.items() if any(bound)}


side = st.sampled_from(("buy", "sell"))
step = st.one_of(
    st.builds(
        lambda *given: lambda story: story.order(*given[:-1], lost=given[-1]),
        st.sampled_from(("AAA", "BBB")), side, st.integers(1, 16), st.sampled_from((None, None, -10, 10)),
        st.booleans(), st.sampled_from((False, False, False, True)),
    ),
    st.builds(lambda which: lambda story: story.cancel(which), st.integers(0, 9)),
    st.builds(lambda which, qty: lambda story: story.amend(which, qty), st.integers(0, 9), st.integers(1, 16)),
    st.just(Story.compare),
    st.just(Story.start),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(step, max_size=25))
def test_what_could_be_held_stays_within_the_limits(steps):
    story = Story()
    for act in steps:
        act(story)
        worst = {symbol: max(high, -low) * PRICES[symbol] for symbol, (high, low) in story.truth().items()}
        assert all(value <= LIMITS.max_symbol_value for value in worst.values())
        assert sum(worst.values()) <= LIMITS.max_gross
    story.compare()
    assert story.judged() == story.truth()
    standing = story.guard.standing()
    assert standing.positions == story.mirror.positions()
    assert standing.traded == sum(fill.qty * fill.price for fill in story.mirror.fills.values())
    assert len(list(refusals(story.stores[2].read()))) == len(story.refused)
    assert set(story.wire.taken) == set(story.outbox.intents)
