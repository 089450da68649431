"""Orders by hand pass guard, outbox and mirror as those of sessions do, are sent once, and belong to no session."""

from decimal import Decimal

import pytest
from guarded import Post
from small_exchange import OPEN, SECOND

from qtw_lab.core import DataError, VenueError
from qtw_lab.ledger.refusals import RefusedError
from qtw_lab.live.trading import hand
from qtw_lab.live.trading.desk import Desk
from qtw_lab.live.trading.preview import Preview
from qtw_lab.live.trading.running import do
from qtw_lab.live.trading.sleeve import Seen
from qtw_lab.live.trading.terms import SessionTerms
from qtw_lab.live.trading.working import Working
from qtw_lab.venues.brokers import LostAnswerError
from qtw_lab.venues.killswitch import KillSwitch
from qtw_lab.venues.paper.events import Event
from qtw_lab.venues.paper.store import MemoryStore
from qtw_lab.venues.refused import NotAllowedError

D = Decimal


def ticket(name="hand-1", symbol="AAA", side="buy", qty="5", **more):
    words = {"kind": "market", "time_in_force": "day", "shape": "simple", **more}
    size = {} if qty is None else {"qty": qty}
    return {"symbol": symbol, "side": side, "client_order_id": name, **size, **words}


class Hand:
    """A desk with a guard at a small exchange, and prices that a venue would tell."""

    def __init__(self, folder, *events, **limits):
        self.post = Post(folder, **limits)
        book, now = MemoryStore(), self.post.desk.exchange.now
        book.append(list(events))
        self.desk = Desk(self.post.trader, book, now, prices=self.post.prices)
        self.told, self.asked, self.age = {"AAA": D(100), "BBB": D(50)}, [], 0
        self.post.times = self.desk.priced
        self.working = Working(
            self.desk, assets=lambda: ["AAA", "BBB", "CCC"], guard=self.post.guard, prices=self.prices
        )  # fmt: skip

    def prices(self, symbols):
        self.asked.append(list(symbols))
        if self.told is None:
            raise VenueError("market data is not to be had")
        return {symbol: Seen.at(float(self.told[symbol]), self.age) for symbol in symbols if symbol in self.told}

    def do(self, what, **said):
        return do(self.working, {"do": what, **said})

    def order(self, **more):
        return self.do("order", ticket=ticket(**more))

    def preview(self, **more):
        return Preview.read(self.do("preview", ticket=ticket(**more)))

    def sent(self):
        return [(one.client_order_id, one.status) for one in self.post.broker.orders("all")]


@pytest.fixture
def made(tmp_path):
    opened = []

    def make(*events, **limits):
        opened.append(Hand(tmp_path, *events, **limits))
        return opened[-1]

    yield make
    for one in opened:
        one.post.stop()


HELD = (
    Event("opened", 1, "first", {"terms": SessionTerms.given("first", "sma_cross", "AAA", "1min").written(),
                                 "cash": "1000"}),
    Event("ordered", 2, "desk-1", {"symbol": "AAA", "parts": {"first": "30"}, "bar": 1}),
    Event("filled", 3, "desk-1", {"execution": "e", "qty": "30", "price": "10", "fee": "0", "time": OPEN}),
)  # fmt: skip


def test_an_order_by_hand_is_sent_once_however_often_it_is_asked_for(made):
    desk = made()
    assert desk.order() == "The order to buy 5 AAA is filled."
    assert desk.order() == "The order to buy 5 AAA is filled. It was sent before, and not again."
    assert desk.sent() == [("hand-1", "filled")]
    assert desk.post.mirror.positions() == {"AAA": D(5)}
    assert [one.external for one in desk.post.mirror.orders.values()] == [False]


def test_it_belongs_to_no_session(made):
    desk = made(*HELD)
    desk.order()
    assert desk.desk.state.sleeves["first"].book.held("AAA") == 30
    assert list(desk.desk.state.orders) == ["desk-1"]


def test_an_order_in_dollars_and_one_that_stays_open(made):
    desk = made()
    assert desk.order(qty=None, notional="200") == "The order to buy $200 of AAA is filled."
    assert desk.order(name="hand-2", kind="limit", limit_price="1") == "The order to buy 5 AAA is new."


def test_a_name_of_another_order_is_refused(made):
    desk = made()
    desk.order()
    with pytest.raises(DataError, match="belongs to another order"):
        desk.order(qty="6")
    assert len(desk.sent()) == 1


def test_what_a_limit_refuses_is_never_sent_and_is_written_down(made):
    desk = made(max_order_value=400)
    with pytest.raises(NotAllowedError, match=r"comes to \$500\.00, over the limit of \$400\.00"):
        desk.order()
    assert desk.sent() == []
    assert desk.post.outbox.intents == {}
    assert [(one.by, one.ticket.client_order_id) for one in desk.post.log()] == [("limits", "hand-1")]


def test_what_the_broker_refused_is_refused_again_without_asking_it(made):
    desk = made()
    for _ in range(2):
        with pytest.raises(RefusedError, match="insufficient buying power"):
            desk.order(qty="1000000")
    assert len(desk.post.log()) == 1
    assert desk.sent() == []


def test_a_halt_forbids_orders_by_hand_and_not_canceling_them(made, tmp_path):
    desk = made()
    desk.order(name="hand-1", kind="limit", limit_price="1")
    desk.post.guard.switch = KillSwitch(tmp_path / "stop")
    desk.post.guard.switch.trip("Ann", "odd")
    with pytest.raises(NotAllowedError, match="odd"):
        desk.order(name="hand-2")
    assert desk.do("cancel", order="hand-1") == "The order hand-1 is being canceled."
    assert desk.sent() == [("hand-1", "canceled")]
    found = desk.preview(name="hand-3")
    assert not found.allowed
    assert "odd" in found.reasons[0]


def test_an_answer_that_was_lost_is_asked_for_and_nothing_is_sent_twice(made, monkeypatch):
    desk = made()
    send, lost = desk.post.broker.submit, []

    def submit(ticket):
        send(ticket)
        lost.append(ticket.client_order_id)
        raise LostAnswerError("no answer")

    monkeypatch.setattr(desk.post.broker, "submit", submit)
    assert desk.order() == "The order to buy 5 AAA is filled."
    assert (lost, desk.sent()) == (["hand-1"], [("hand-1", "filled")])


def test_nothing_is_sent_while_the_account_is_not_reconciled(made):
    desk = made()
    desk.post.mirror.doubt()
    assert desk.preview().reasons == ("The account is not reconciled: try again in a moment.",)
    with pytest.raises(VenueError, match="not reconciled"):
        desk.order()
    assert desk.sent() == []


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (ticket(name="desk-1"), "begins with 'hand-'"),
        (ticket(name=""), "begins with 'hand-'"),
        (ticket(symbol="AAAA"), "There is no asset 'AAAA'. Did you mean 'AAA'"),
        (ticket(qty="0"), "This cannot be an order: qty must be > 0"),
        (ticket(kind="limit"), "require a limit price"),
        (ticket(qty="five"), "cannot be read"),
        ({}, "cannot be read"),
        (None, "cannot be read"),
    ],
)
@pytest.mark.parametrize("what", ["order", "preview"])
def test_what_cannot_be_an_order_is_said(made, what, said, why):
    desk = made()
    with pytest.raises(DataError) as caught:
        desk.do(what, ticket=said)
    assert why in str(caught.value)
    assert desk.sent() == []


def test_a_command_about_an_order_says_what_it_lacks(made):
    for what, lacks in (("order", "ticket"), ("preview", "ticket"), ("cancel", "order")):
        with pytest.raises(DataError, match=f"The command '{what}' needs a '{lacks}'"):
            made().do(what)
        break


def test_prices_are_asked_for_what_no_session_trades_and_never_outlive_the_question(made):
    desk = made(max_gross=100_000)
    desk.desk.prices.clear()
    desk.order(name="hand-1", symbol="BBB")
    assert desk.asked == [["BBB"]]
    assert desk.preview(name="hand-2").price == "100"
    assert desk.asked[-1] == ["AAA", "BBB"]  # what is held as well
    desk.told = None
    found = desk.preview(name="hand-3")
    assert (found.price, found.value, found.after) == ("unknown", "unknown", "5")
    assert [(one.rule, one.value) for one in found.bounds] == [("max_gross", "unknown")]
    assert desk.desk.prices == {}


def test_an_order_at_a_price_that_is_too_old_or_of_which_nobody_knows_how_old_is_refused(made):
    desk = made(max_price_age=60)
    desk.age = 60 * SECOND
    desk.order(name="hand-1")
    for age, value in ((61 * SECOND, "61"), (None, "unknown")):
        desk.age = age
        assert [(one.rule, one.value, one.kept) for one in desk.preview(name="hand-2").bounds] == [
            ("max_price_age", value, False)
        ]
        with pytest.raises(RefusedError, match="The age of the last price"):
            desk.order(name="hand-2")
    assert desk.sent() == [("hand-1", "filled")]


def test_a_preview_says_what_there_will_be_and_changes_nothing(made):
    desk = made(max_order_value=400)
    desk.order(qty="2")
    found = desk.preview(name="hand-2")
    assert (found.price, found.value, found.position, found.after, found.sessions) == ("100", "500", "2", "7", "0")
    assert found.equity == str(desk.post.broker.account().equity)
    assert (found.allowed, len(found.reasons)) == (False, 1)
    assert desk.post.log() == []
    assert desk.sent() == [("hand-1", "filled")]
    assert list(desk.post.outbox.intents) == ["hand-1"]
    assert desk.preview(name="hand-2", qty="1").allowed


def test_what_no_limit_forbids_is_said_all_the_same(made):
    desk = made(*HELD)
    desk.order(qty="30")  # the sessions' shares are there
    found = desk.preview(name="hand-2", side="sell", qty="10")
    assert found.cautions == ("Sessions hold 30 AAA; after this order the account would hold 20.",)
    assert found.allowed
    assert "more than the buying power" in desk.preview(name="hand-2", qty="100000").cautions[0]
    desk.post.prices.clear()
    desk.told = {}
    assert desk.preview(name="hand-2", qty=None, notional="50").cautions == (
        "There is no last price, so nobody can say what the order comes to.",
    )


def test_an_order_that_turns_a_position_is_a_caution_where_the_broker_lets_none(made, monkeypatch):
    desk = made()
    desk.order()
    assert "close it first" in desk.preview(name="hand-2", side="sell", qty="8").cautions[0]
    monkeypatch.setattr(type(desk.post.broker), "turns", True)
    assert desk.preview(name="hand-2", side="sell", qty="8").cautions == ()


def test_an_order_of_a_session_is_not_canceled_by_hand(made):
    desk = made(*HELD)
    with pytest.raises(DataError, match="belongs to first; pause or close that session"):
        desk.do("cancel", order="desk-1")


def test_an_order_is_canceled_by_either_name_and_one_that_is_over_says_so(made):
    desk = made()
    desk.order(name="hand-1", kind="limit", limit_price="1")
    (order,) = desk.post.broker.orders()
    assert desk.do("cancel", order=order.id) == f"The order {order.id} is being canceled."
    with pytest.raises(RefusedError):
        desk.do("cancel", order="hand-1")


def test_without_a_guard_nothing_is_judged(made):
    desk = made()
    desk.working.guard = None
    desk.working.prices = None
    assert (desk.preview().bounds, desk.preview().allowed) == ((), True)
    assert hand.PREFIX == "hand-"
