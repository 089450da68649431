"""A broker that is started anew, at any moment and however often, is the one that was never stopped."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_exchange import OPEN, SECOND, daily, market, quote, trade

from qtw_lab.core import DataError, SetupError, VirtualClock
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.state import State
from qtw_lab.venues.paper.store import MemoryStore, SqliteStore
from qtw_lab.venues.simulator.exchange_tickets import changes_of, ticket_of

BEFORE = (daily(0, "2023-12-29", 100.0), daily(1, "2023-12-29", 50.0))
MODELS = (FillModel(), FillModel.alpaca(), FillModel(sized=True, participation=0.5, queue=0.5, latency=0.3))

prices = st.lists(st.integers(9600, 10400), min_size=8, max_size=20)
cents = st.integers(9700, 10300).map(lambda price: f"{price / 100:.2f}")
orders = st.fixed_dictionaries(
    {
        "side": st.sampled_from(["buy", "sell"]),
        "qty": st.integers(1, 60),
        "kind": st.integers(0, 7),
        "limit": cents,
        "stop": cents,
    }
)
seconds = st.floats(0, 39).map(lambda second: round(second, 2))
doings = st.sampled_from(["order"] * 6 + ["cancel", "amend"])
actions = st.lists(st.tuples(seconds, doings, orders), min_size=1, max_size=14)


def body_of(wish):
    kind, side = wish["kind"], wish["side"]
    body = {"symbol": "AAA", "side": side, "qty": wish["qty"], "type": "market", "time_in_force": "day"}
    low, high = sorted([wish["limit"], wish["stop"]], key=float)
    legs = {
        "take_profit": {"limit_price": high if side == "buy" else low},
        "stop_loss": {"stop_price": low if side == "buy" else high},
    }
    if kind == 1:
        body |= {"type": "limit", "limit_price": wish["limit"]}
    elif kind == 2:
        body |= {"type": "stop", "stop_price": wish["stop"]}
    elif kind == 3:
        body |= {"type": "stop_limit", "stop_price": wish["stop"], "limit_price": wish["limit"]}
    elif kind == 4:
        body |= {"type": "trailing_stop", "trail_percent": "1"}
    elif kind == 5:
        body |= {"order_class": "bracket", "time_in_force": "gtc", **legs}
    elif kind == 6:
        legs = {"take_profit": legs["take_profit"], "stop_loss": legs["stop_loss"]}
        legs["take_profit"]["limit_price"] = high if side == "sell" else low
        legs["stop_loss"]["stop_price"] = low if side == "sell" else high
        body |= {"order_class": "oco", "type": "limit", **legs}
    elif kind == 7:
        body |= {"type": "limit", "limit_price": wish["limit"], "time_in_force": "ioc"}
    return body


def played(steps):
    rows = [quote(0, 0, 99.9, 100.1, 30)]
    for place, price in enumerate(steps):
        rows += [quote(0, 2 * place + 0.25, price / 100 - 0.05, price / 100 + 0.05, 10 + place)]
        rows += [trade(0, 2 * place + 0.5, price / 100, 20, number=place + 1)]
    return market(*rows, days=BEFORE)


def lived(tape, plan, model, restarts, store, reopen=None, kind=PaperBroker):
    """What becomes of a plan when the broker is started anew at some moments."""
    clock = VirtualClock(pd.Timestamp(OPEN, tz="UTC"))
    broker = kind(tape, clock, model=model, store=store)
    refused = []
    moments = sorted(
        [(second, 1, what, wish) for second, what, wish in plan]
        + [(second, 0, "restart", None) for second in restarts],
        key=lambda one: one[:2],
    )
    for second, _, what, wish in [*moments, (60.0, 1, "end", None)]:
        clock.moment = pd.Timestamp(OPEN + round(second * SECOND), tz="UTC")
        if what == "restart":
            broker.poll()
            store = reopen(store) if reopen else store
            broker = PaperBroker(tape, clock, model=model, store=store)
            continue
        try:
            known = list(broker.orders.values())
            if what == "order":
                broker.submit(ticket_of(body_of(wish)))
            elif what == "cancel" and known:
                broker.cancel(known[wish["qty"] % len(known)].id)
            elif what == "amend" and known:
                broker.amend(known[wish["qty"] % len(known)].id, **changes_of({"qty": wish["qty"] + 5}))
            else:
                broker.poll()
        except RefusedError as err:
            refused.append(str(err))
    assert broker.state.faults() == []
    return [broker.json(order) for order in broker.orders.values()], broker.book, refused, broker, store


@settings(max_examples=80, deadline=None)
@given(steps=prices, plan=actions, restarts=st.lists(st.floats(0, 45), max_size=6), model=st.sampled_from(MODELS))
def test_whenever_it_is_started_anew_orders_fills_and_refusals_are_the_same(steps, plan, restarts, model):
    tape = played(steps)
    plan = sorted(plan, key=lambda one: one[0])
    whole = lived(tape, plan, model, [], MemoryStore())
    parts = lived(tape, plan, model, restarts, MemoryStore())
    assert parts[0] == whole[0]
    assert parts[1] == whole[1]
    assert parts[2] == whole[2]


class Flaky(MemoryStore):
    """A book on a disk that is full at times."""

    def __init__(self, fails):
        super().__init__()
        self.fails = list(fails)

    def append(self, events):
        if self.fails and self.fails.pop(0):
            raise SetupError("the disk is full")
        super().append(events)


class Patient(PaperBroker):
    """Does everything again that the disk did not take."""

    def _again(self, do):
        while True:
            try:
                return do()
            except SetupError:
                continue

    def submit(self, ticket):
        return self._again(lambda: PaperBroker.submit(self, ticket))

    def cancel(self, order_id):
        return self._again(lambda: PaperBroker.cancel(self, order_id))

    def amend(self, order_id, **changes):
        return self._again(lambda: PaperBroker.amend(self, order_id, **changes))

    def poll(self, now=None):
        return self._again(lambda: PaperBroker.poll(self, now))


@settings(max_examples=80, deadline=None)
@given(steps=prices, plan=actions, fails=st.lists(st.booleans(), max_size=30), model=st.sampled_from(MODELS))
def test_what_a_full_disk_did_not_take_never_happened_and_can_be_done_again(steps, plan, fails, model):
    tape, plan = played(steps), sorted(plan, key=lambda one: one[0])
    whole = lived(tape, plan, model, [], MemoryStore())
    flaky = lived(tape, plan, model, [], Flaky([False, *fails]), kind=Patient)
    assert flaky[:3] == whole[:3]


@settings(max_examples=30, deadline=None)
@given(steps=prices, plan=actions)
def test_folding_the_events_gives_the_account_again(steps, plan):
    store = MemoryStore()
    *_, broker, _ = lived(played(steps), sorted(plan, key=lambda one: one[0]), FillModel(), [], store)
    again = State.of(store.read(), lambda symbol: 0)
    assert again.book == broker.book
    assert [order.status for order in again.orders.values()] == [order.status for order in broker.orders.values()]
    assert again.by_client == broker.state.by_client


def test_the_same_with_a_real_file(tmp_path):
    def reopen(store):
        store.close()
        return SqliteStore(tmp_path / "book.sqlite")

    steps = [10000, 9900, 10100, 10300, 9700, 10000, 10200, 9800] * 2
    wish = {"side": "buy", "qty": 20, "limit": "99.00", "stop": "101.00"}
    plan = [(float(k), "order", wish | {"kind": k % 8, "side": "sell" if k % 3 == 2 else "buy"}) for k in range(1, 30)]
    whole = lived(played(steps), plan, MODELS[2], [], MemoryStore())
    store = SqliteStore(tmp_path / "book.sqlite")
    parts = lived(played(steps), plan, MODELS[2], [3.3, 8.1, 8.2, 15.0, 31.0], store, reopen)
    parts[-1].close()
    assert parts[:3] == whole[:3]
    assert len(whole[1].fills) > 10


def test_a_book_of_another_market_or_of_a_later_time_is_refused():
    store = MemoryStore()
    clock = VirtualClock(pd.Timestamp(OPEN + SECOND, tz="UTC"))
    tape = market(quote(0, 0, 99.9, 100.1), days=BEFORE)
    PaperBroker(tape, clock, store=store).submit(
        ticket_of(body_of({"side": "buy", "qty": 1, "kind": 0, "limit": "1", "stop": "1"}))
    )
    other = market(quote(0, 0, 99.9, 100.1), names=("XXX", "YYY"))
    with pytest.raises(DataError, match="holds AAA, which this market does not have"):
        PaperBroker(other, clock, store=store)
    with pytest.raises(DataError, match="start the market later"):
        PaperBroker(tape, VirtualClock(pd.Timestamp(OPEN, tz="UTC")), store=store)
