"""Trading on an account that is known, over real sockets: nothing is sent while it is not."""

import time
from decimal import Decimal

import pytest
from small_exchange import STILL, still

from qtw_lab.core import Settings, VenueError
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.alpaca_broker import AlpacaBroker
from qtw_lab.venues.backoff import Backoff
from qtw_lab.venues.brokers import LostAnswerError
from qtw_lab.venues.mirror import Mirror
from qtw_lab.venues.outbox import Outbox
from qtw_lab.venues.paper.store import MemoryStore
from qtw_lab.venues.simulator.server import Simulator
from qtw_lab.venues.trade_updates import TradeUpdates, updates_access
from qtw_lab.venues.trader import Trader, UnreconciledError

D = Decimal


@pytest.fixture
def simulator():
    with Simulator(still(), start=STILL, rate_limit=0) as simulator:
        yield simulator


@pytest.fixture
def make(simulator):
    opened = []

    def trader(outbox=None, mirror=None, **more):
        keys = {"alpaca_api_key_id": "sim-key", "alpaca_api_secret_key": "sim-secret"}
        settings = Settings(**keys, alpaca_trading_rest_url=simulator.url, _env_file=None)
        broker = AlpacaBroker(settings, timeout=(1.0, 1.0))
        updates = TradeUpdates(updates_access(settings), backoff=Backoff(seed=1, first=0.05, most=0.2), connecting=2.0)
        sent = Outbox(broker, outbox or MemoryStore(), time.time_ns)
        found = Trader(broker, sent, Mirror(broker, mirror or MemoryStore(), time.time_ns), updates, **more)
        found.open()
        opened.append(found)
        return found

    yield make_ready(trader)
    for one in opened:
        one.close()


def make_ready(trader):
    def made(**more):
        found = trader(**more)
        assert not found.ready
        until(found, lambda: found.ready)
        return found

    return made


def until(trader, true, seconds=10.0):
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, trader.trouble
        trader.turn(0.05)


def ticket(name, side="buy", qty=5):
    return Ticket("AAA", side, "market", "day", qty=D(qty), client_order_id=name)


def test_a_fill_is_known_as_soon_as_it_is_told(make):
    trader = make()
    trader.submit(ticket("a"))
    until(trader, lambda: trader.mirror.positions() == {"AAA": D(5)}, 3.0)
    assert [(order.external, order.status) for order in trader.mirror.orders.values()] == [(False, "filled")]
    assert trader.compare().nothing  # the stream had told everything, under the same names


def test_nothing_is_sent_in_a_break_and_what_happened_in_it_is_known_after(simulator, make):
    trader = make()
    simulator.fault({"kind": "silent_accept", "on": "updates"})
    simulator.fault({"kind": "drop", "on": "updates"})
    until(trader, lambda: not trader.ready)
    with pytest.raises(UnreconciledError, match="not reconciled"):
        trader.submit(ticket("b"))
    simulator.exchange.submit(ticket("other", qty=3))
    simulator.clear()
    simulator.fault({"kind": "drop", "on": "updates"})
    until(trader, lambda: trader.ready, 15.0)
    assert trader.mirror.positions() == {"AAA": D(3)}
    assert [order.external for order in trader.mirror.orders.values()] == [True]
    assert trader.submit(ticket("b")).client_order_id == "b"


def test_an_order_whose_answer_is_lost_blocks_the_next_until_it_is_looked_into(simulator, make):
    trader = make()
    trader.outbox._sleep = lambda seconds: None
    simulator.fault({"kind": "rest_5xx", "match": "POST", "when": "before", "times": 1})
    with pytest.raises(LostAnswerError):
        trader.submit(ticket("a"))
    assert not trader.ready
    with pytest.raises(UnreconciledError):
        trader.submit(ticket("b"))
    until(trader, lambda: trader.ready)
    assert trader.outbox.intents["a"].state == "absent"
    trader.submit(ticket("a"))
    until(trader, lambda: trader.mirror.positions() == {"AAA": D(5)})
    assert len(simulator.exchange.orders) == 1


def test_a_venue_that_does_not_answer_is_not_trusted_and_is_asked_again(simulator, make):
    trader = make(every=0.1)
    simulator.fault({"kind": "rest_5xx", "match": "/v2/positions", "code": 500})
    trader.broker._clock.sleep = lambda seconds: None
    until(trader, lambda: not trader.ready)
    assert "500" in trader.trouble
    simulator.clear()
    until(trader, lambda: trader.ready)
    assert trader.trouble == ""


def test_what_is_not_allowed_is_not_sent_but_canceling_is_always_allowed(simulator, make):
    def never(ticket):
        raise RefusedError(403, "the switch is off")

    trader = make(allow=never)
    with pytest.raises(RefusedError, match="the switch is off"):
        trader.submit(ticket("a"))
    assert trader.outbox.intents == {}
    resting = simulator.exchange.submit(Ticket("AAA", "buy", "limit", "gtc", qty=D(1), limit_price=D(1)))
    trader.mirror.doubt()
    trader.cancel(resting.id)
    assert simulator.exchange.find(resting.id).status == "canceled"
    with pytest.raises(UnreconciledError):
        trader.amend(resting.id, qty=D(2))


def test_after_a_restart_everything_is_known_again(simulator, make):
    outbox, mirror = MemoryStore(), MemoryStore()
    first = make(outbox=outbox, mirror=mirror)
    first.submit(ticket("a"))
    first.close()
    second = make(outbox=outbox, mirror=mirror)
    assert second.mirror.positions() == {"AAA": D(5)}
    assert second.submit(ticket("a")).client_order_id == "a"  # the same order, not another
    assert len(simulator.exchange.orders) == 1


def test_keys_that_are_refused_end_it(simulator, make):
    trader = make()
    simulator.fault({"kind": "auth", "on": "updates", "code": 401})
    simulator.fault({"kind": "drop", "on": "updates"})
    with pytest.raises(VenueError, match="cannot be watched"):
        until(trader, lambda: False, 5.0)
