"""One contract for every broker: the embedded one, and Alpaca's as the simulator plays it over real sockets."""

import contextlib
from decimal import Decimal

import pandas as pd
import pytest
from small_exchange import OPEN, SECOND, daily, market, quote, trade

from qtw_lab.core import Settings, SetupError, VenueError, VirtualClock
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.ledger.tickets import Exit, Ticket
from qtw_lab.venues.alpaca_broker import SENTENCE, AlpacaBroker, body_of
from qtw_lab.venues.brokers import AccountView, FillView, LostAnswerError, OrderView
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.embedded import EmbeddedBroker
from qtw_lab.venues.simulator.exchange_tickets import ticket_of
from qtw_lab.venues.simulator.server import Simulator

D = Decimal
BEFORE = (daily(0, "2023-12-29", 100.0), daily(1, "2023-12-29", 50.0))
START = pd.Timestamp(OPEN + 5 * SECOND, tz="UTC")


def tape():
    return market(
        quote(0, 0, 99.9, 100.1), quote(1, 0, 49.9, 50.1), trade(0, 1, 100.0, number=1), trade(1, 1, 50.0, number=2),
        trade(0, 3600, 100.0, number=3), days=BEFORE,
    )  # fmt: skip


def settings(address):
    return Settings(
        alpaca_api_key_id="sim-key", alpaca_api_secret_key="sim-secret", alpaca_trading_rest_url=address, _env_file=None
    )


def ticket(name, side="buy", **more):
    fields = {"kind": "market", "time_in_force": "day", "qty": D(10)} | more
    return Ticket("AAA", side, client_order_id=name, **fields)


def resting(name, price="90", **more):
    return ticket(name, kind="limit", limit_price=D(price), time_in_force="gtc", **more)


class Contract:
    """What holds for every broker; a subclass gives `broker`."""

    def test_an_order_is_filled_and_found_by_both_names(self, broker):
        sent = broker.submit(ticket("one"))
        assert (sent.client_order_id, sent.symbol, sent.qty) == ("one", "AAA", D(10))
        seen = broker.order(sent.id)
        assert (seen.status, seen.filled_qty, seen.average) == ("filled", D(10), D("100.1"))
        assert broker.find("one") == seen
        assert broker.positions() == {"AAA": D(10)}
        account = broker.account()
        assert (account.cash, account.blocked) == (D("98999"), False)
        (fill,) = broker.fills()
        assert (fill.order_id, fill.qty, fill.price, fill.signed) == (sent.id, D(10), D("100.1"), D(10))
        assert broker.fills(after=fill.at) == []

    def test_what_is_not_there_is_none(self, broker):
        assert broker.find("nothing") is None
        assert broker.order("4201d25e-d9ee-5460-b338-6821de49e432") is None
        assert (broker.positions(), broker.orders("all"), broker.fills()) == ({}, [], [])

    def test_a_name_is_taken_once_and_asked_for_before(self, broker):
        broker.submit(resting("one"))
        with pytest.raises(RefusedError, match="client_order_id must be unique") as caught:
            broker.submit(resting("one"))
        assert (caught.value.status, caught.value.content["code"]) == (422, 40010001)
        assert len(broker.orders("all")) == 1
        with pytest.raises(VenueError, match="needs a client_order_id"):
            broker.submit(resting(""))

    def test_orders_are_canceled_and_replaced_once(self, broker):
        first, second = broker.submit(resting("one")), broker.submit(resting("two", "91"))
        broker.orders()
        broker.cancel(first.id)
        assert broker.order(first.id).status == "canceled"
        with pytest.raises(RefusedError, match='already in "canceled" state'):
            broker.cancel(first.id)
        new = broker.amend(second.id, qty=D(12), limit_price=D("91.5"), client_order_id="three")
        assert (new.replaces, new.qty, new.client_order_id) == (second.id, D(12), "three")
        assert broker.order(second.id).replaced_by == new.id
        assert [order.id for order in broker.orders()] == [new.id]
        assert [order.id for order in broker.orders("closed")] == [first.id, second.id]
        assert [order.client_order_id for order in broker.orders("all")] == ["one", "two", "three"]

    def test_legs_come_with_their_order(self, broker):
        legs = {"target": Exit(limit=D(110)), "stop_loss": Exit(stop=D(90))}
        sent = broker.submit(ticket("one", shape="bracket", **legs))
        assert [(leg.kind, leg.status) for leg in sent.legs] == [("limit", "held"), ("stop", "held")]
        assert [leg.status for leg in broker.order(sent.id).legs] == ["new", "held"]
        assert len(broker.orders("all")) == 3

    @pytest.mark.parametrize(
        ("wish", "status", "code", "said"),
        [
            (ticket("a", qty=D(10**6)), 403, 40310000, "insufficient buying power"),
            (ticket("a", side="sell", qty=D("0.5")), 422, 42210000, "fractional orders cannot be sold short"),
            (Ticket("ZZZ", "buy", "market", "day", qty=D(1), client_order_id="a"), 422, 42210000, "not found"),
            (resting("a", "90.005"), 422, 42210000, "sub-penny increment"),
            (ticket("a", notional=D(5)), 400, 40010001, "only one of qty or notional"),
            (ticket("a", time_in_force="opg"), 422, 42210000, "opg orders cannot be submitted"),
        ],
    )  # fmt: skip
    def test_refusals_have_the_venues_code_and_words_and_leave_nothing(self, broker, wish, status, code, said):
        with pytest.raises(RefusedError, match=said) as caught:
            broker.submit(wish)
        assert (caught.value.status, caught.value.content["code"]) == (status, code)
        assert broker.orders("all") == []


class TestEmbedded(Contract):
    @pytest.fixture
    def broker(self):
        return EmbeddedBroker(PaperBroker(tape(), VirtualClock(START)))


class TestAlpaca(Contract):
    @pytest.fixture
    def simulator(self):
        with Simulator(tape(), start=START, rate_limit=0) as simulator:
            yield simulator

    @pytest.fixture
    def broker(self, simulator):
        broker = AlpacaBroker(settings(simulator.url), timeout=(1.0, 1.0))
        yield broker
        broker.close()

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "rest_5xx", "match": "POST", "when": "after", "times": 1},
            {"kind": "rest_5xx", "match": "POST", "when": "before", "times": 1, "html": True},
            {"kind": "rest_hang", "match": "POST"},
            {"kind": "partial_page", "match": "POST", "times": 1},
        ],
    )
    def test_an_answer_that_is_lost_is_never_followed_by_a_second_order(self, simulator, broker, fault):
        simulator.fault(fault)
        with pytest.raises(LostAnswerError, match="is not known"):
            broker.submit(resting("one"))
        simulator.clear()
        assert len(simulator.exchange.orders) <= 1
        if broker.find("one") is None:  # it may still be on its way
            with contextlib.suppress(RefusedError):
                broker.submit(resting("one"))
        assert broker.find("one").client_order_id == "one"
        assert [order.client_order_id for order in broker.orders("all")] == ["one"]

    def test_a_429_was_not_carried_out_and_is_said_so(self, simulator, broker):
        simulator.fault({"kind": "rest_429", "match": "POST", "retry_after": 0, "times": 1})
        with pytest.raises(VenueError, match=r"429 .* not carried out"):
            broker.submit(resting("one"))
        assert broker.submit(resting("one")).status in ("pending_new", "new")

    def test_questions_are_asked_again(self, simulator, broker):
        simulator.fault({"kind": "rest_5xx", "match": "GET", "times": 1})
        assert broker.account().cash == D(100_000)

    def test_long_lists_come_whole(self, simulator, broker):
        for number in range(1150):
            simulator.exchange.submit(resting(f"n{number}", "1", qty=D(1)))
        assert [order.client_order_id for order in broker.orders()] == [f"n{number}" for number in range(1150)]


def test_real_money_needs_two_settings_and_a_sentence():
    live = {
        "alpaca_api_key_id": "k",
        "alpaca_api_secret_key": "s",
        "alpaca_trading_rest_url": "https://api.alpaca.markets",
    }
    for more, typed in (({}, SENTENCE), ({"alpaca_live_trading": True}, ""), ({"alpaca_live_trading": True}, "yes")):
        with pytest.raises(SetupError, match="trades with real money"):
            AlpacaBroker(Settings(**live, **more, _env_file=None), confirmation=typed)
    AlpacaBroker(Settings(**live, alpaca_live_trading=True, _env_file=None), confirmation=SENTENCE).close()


EXITS = {"target": Exit(limit=D(9)), "stop_loss": Exit(stop=D(5))}


@pytest.mark.parametrize(
    "wish",
    [
        ticket("a"), resting("b"), ticket("c", qty=None, notional=D("25.50")), resting("e", extended_hours=True),
        ticket("d", kind="trailing_stop", trail_percent=D(1)),
        ticket("f", shape="bracket", target=Exit(limit=D(9)), stop_loss=Exit(D(4), D(5))),
        ticket("g", kind="limit", limit_price=D(9), shape="oco", side="sell", **EXITS),
    ],
)  # fmt: skip
def test_a_ticket_survives_the_wire(wish):
    assert ticket_of(body_of(wish)) == wish


def test_answers_that_lack_something_are_errors():
    for view, said in ((OrderView, {"id": "1"}), (FillView, {"id": "1"}), (AccountView, {"id": "1", "equity": "many"})):
        with pytest.raises(VenueError, match="cannot be read"):
            view.of(said)
    strange = {"id": "1", "client_order_id": "a", "symbol": "X", "side": "buy", "type": "market", "qty": None,
               "status": "pending_review_by_owls", "filled_qty": "0", "created_at": "2024-01-02T14:30:00Z"}  # fmt: skip
    assert OrderView.of(strange).open
