"""What we know of an account becomes what the broker says, whatever happened meanwhile, and only once."""

from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_exchange import OPEN, SECOND, daily, market, quote, trade

from qtw_lab.core import DataError, Settings, VenueError, VirtualClock
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.alpaca_broker import AlpacaBroker
from qtw_lab.venues.brokers import Broker
from qtw_lab.venues.mirror import Mirror
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.embedded import EmbeddedBroker
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.store import MemoryStore, SqliteStore
from qtw_lab.venues.simulator.server import Simulator

D = Decimal


def tape():
    rows = []
    for k in range(40):
        rows += [quote(0, k, 99.9 + k % 3, 100.1 + k % 3, 7), trade(0, k + 0.5, 100.0 + k % 3, number=k + 1)]
    days = (daily(0, "2023-12-29", 100.0), daily(1, "2023-12-29", 50.0))
    return market(*rows, quote(1, 0, 49.9, 50.1), days=days)


def desk(**more):
    clock = VirtualClock(pd.Timestamp(OPEN + SECOND, tz="UTC"))
    return EmbeddedBroker(PaperBroker(tape(), clock, **more)), clock


def mirror(broker, store=None):
    return Mirror(broker, store or MemoryStore(), lambda: OPEN)


def ticket(name, side="buy", qty=5, symbol="AAA"):
    return Ticket(symbol, side, "market", "day", qty=D(qty), client_order_id=name)


def assert_equal(seen, broker):
    assert seen.trusted
    assert seen.positions() == broker.positions()
    assert {order.id: order.status for order in broker.orders("all")} == {o.id: o.status for o in seen.orders.values()}
    assert set(seen.fills) == {fill.execution for fill in broker.fills()}


doings = st.sampled_from(["order", "external", "cancel", "look", "look again", "restart", "time"])
moves = st.lists(st.tuples(doings, st.integers(1, 12), st.booleans()), max_size=30)


@settings(max_examples=100, deadline=None)
@given(moves)
def test_it_equals_the_broker_after_every_look_and_a_second_look_changes_nothing(plan):
    broker, clock = desk(model=FillModel(sized=True))
    store = MemoryStore()
    seen, ours = mirror(broker, store), set()
    for number, (what, size, buys) in enumerate(plan):
        side = "buy" if buys else "sell"
        try:
            if what == "order":
                ours.add(broker.submit(ticket(f"n{number}", side, size)).client_order_id)
            elif what == "external":
                broker.submit(ticket(f"x{number}", side, size))
            elif what == "cancel" and (known := broker.orders()):
                broker.cancel(known[0].id)
        except RefusedError:
            pass
        if what == "time":
            clock.moment += pd.Timedelta(seconds=size / 3)
        elif what == "restart":
            seen = mirror(broker, store)
            assert not seen.trusted
        elif what.startswith("look"):
            seen.reconcile(ours)
            assert_equal(seen, broker)
            assert seen.reconcile(ours).nothing
    seen.reconcile(ours)
    assert_equal(seen, broker)
    assert {o.client_order_id for o in seen.orders.values() if not o.external} == ours
    assert seen.adjustments == {}


def test_shares_from_before_our_time_are_an_adjustment_that_is_made_once():
    class Inherited:
        """A broker whose account holds shares that no fill explains."""

        def __init__(self, broker):
            self.broker = broker

        def positions(self):
            held = self.broker.positions()
            return {**held, "OLD": D(7), "AAA": held.get("AAA", D(0)) + 3}

        def __getattr__(self, name):
            return getattr(self.broker, name)

    broker, _ = desk()
    inherited, store = Inherited(broker), MemoryStore()
    broker.submit(ticket("a"))
    seen = mirror(inherited, store)
    found = seen.reconcile({"a"})
    assert {(one.symbol, one.shares) for one in found.adjustments} == {("OLD", D(7)), ("AAA", D(3))}
    assert seen.positions() == inherited.positions() == {"AAA": D(8), "OLD": D(7)}
    assert seen.reconcile({"a"}).nothing
    assert mirror(inherited, store).reconcile({"a"}).nothing


def test_an_account_that_contradicts_itself_is_not_trusted():
    class Forgetful:
        """A broker that tells of filled orders and not of their fills."""

        def __init__(self, broker):
            self.broker = broker

        def fills(self, after=None):
            return []

        def __getattr__(self, name):
            return getattr(self.broker, name)

    broker, _ = desk()
    broker.submit(ticket("a"))
    seen = mirror(Forgetful(broker))
    with pytest.raises(VenueError, match=r"does not agree with itself .* no order may be sent"):
        seen.reconcile({"a"})
    assert not seen.trusted
    assert seen.orders == {}


def test_updates_that_come_late_twice_or_out_of_order_change_nothing_that_is_known():
    broker, _ = desk(model=FillModel(sized=True))
    broker.submit(ticket("a", qty=5))
    broker.orders()
    broker.submit(ticket("b", "sell", 2))
    broker.orders()
    updates = list(broker.paper.updates)
    seen = mirror(broker)
    for told in [*updates[::-1], *updates]:
        seen.told(told, {"a", "b"})
    assert seen.positions() == broker.positions()
    assert seen.reconcile({"a", "b"}).nothing
    assert_equal(seen, broker)
    with pytest.raises(VenueError, match="cannot be read"):
        seen.told({"event": "fill", "order": {"id": "1"}})
    assert not seen.trusted


def test_doubt_lasts_until_the_next_look():
    broker, _ = desk()
    seen = mirror(broker)
    seen.reconcile()
    assert seen.trusted
    seen.doubt()
    assert not seen.trusted
    seen.reconcile()
    assert seen.trusted


def test_the_same_over_the_wire_and_from_a_file(tmp_path):
    start = pd.Timestamp(OPEN + SECOND, tz="UTC")
    with Simulator(tape(), start=start, rate_limit=0) as simulator:
        keys = {"alpaca_api_key_id": "sim-key", "alpaca_api_secret_key": "sim-secret"}
        broker: Broker = AlpacaBroker(Settings(**keys, alpaca_trading_rest_url=simulator.url, _env_file=None))
        broker.submit(ticket("a"))
        broker.submit(ticket("b", symbol="BBB", qty=3))
        with SqliteStore(tmp_path / "mirror.sqlite") as store:
            seen = mirror(broker, store)
            found = seen.reconcile({"a"})
            assert (len(found.fills), len(found.external)) == (2, 1)
            assert_equal(seen, broker)
        broker.submit(ticket("c", "sell", 2))
        with SqliteStore(tmp_path / "mirror.sqlite") as store:
            seen = mirror(broker, store)
            assert [fill.qty for fill in seen.reconcile({"a", "c"}).fills] == [D(2)]
            assert seen.positions() == {"AAA": D(3), "BBB": D(3)}


def test_the_file_of_a_mirror_is_its_own():
    store = MemoryStore()
    desk(store=store)
    with pytest.raises(DataError, match="none of a mirror"):
        mirror(desk()[0], store)
