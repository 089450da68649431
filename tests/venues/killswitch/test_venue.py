"""Looking, canceling and closing at a real server, which fails in every way that the simulator knows."""

import threading
import time
from decimal import Decimal

import pytest
from pydantic import SecretStr

from qtw_lab.core import DataError, SetupError, VenueError
from qtw_lab.venues.killswitch.venue import Closing, Holding, Patience, Venue, _Failure

FAULTS = [
    {"kind": "rest_5xx", "code": 500},
    {"kind": "rest_5xx", "code": 503, "when": "after"},
    {"kind": "rest_5xx", "code": 502, "html": True},
    {"kind": "rest_429", "retry_after": 1},
    {"kind": "partial_page", "what": "cut"},
    {"kind": "partial_page", "what": "broken"},
]
NAMES = [f"{fault['kind']}-{fault.get('code') or fault.get('what', '')}" for fault in FAULTS]


def test_equity_positions_orders_and_clock_are_told(ground, venue):
    ground.trade()
    account = venue.account()
    # bought 10 at 100.1 and sold 5 at 99.9, with a last price of 100
    assert (account.equity, account.last_equity) == (Decimal("99998.5"), Decimal(100_000))
    assert venue.positions() == (
        Holding("AAA", Decimal(10), Decimal(10), Decimal(100)), Holding("BBB", Decimal(-5), Decimal(5), Decimal(100)),
    )  # fmt: skip
    assert sorted((order.symbol, order.kind) for order in venue.open_orders()) == [("AAA", "limit"), ("CCC", "limit")]
    assert venue.clock().open


def test_everything_is_canceled_and_closed(ground, venue):
    ground.trade()
    venue.cancel_all()
    assert venue.open_orders() == ()
    closing = venue.close_all()
    assert (closing.sent, closing.waiting, closing.queued, closing.refused) == (("AAA", "BBB"), (), (), {})
    assert not closing.flat
    ground.until(lambda: not ground.shares())
    assert venue.close_all() == Closing()
    assert venue.close_all().flat
    assert sorted(ground.closed()) == [("AAA", -10), ("BBB", 5)]


def test_what_the_venue_does_not_close_is_told_with_its_reason(ground, venue):
    ground.trade()
    closing = venue.close_all()  # an order to buy AAA is open, so one to sell it could trade with that
    assert (closing.sent, set(closing.refused)) == (("BBB",), {"AAA"})
    assert "potential wash trade" in closing.refused["AAA"]


def test_nothing_is_sent_while_the_market_is_closed(serve, client):
    ground = serve("15:59:57")
    ground.trade()
    venue = client(ground)
    ground.until(lambda: not venue.clock().open)
    venue.cancel_all()
    closing = venue.close_all()
    assert closing == Closing(queued=("AAA", "BBB"), next_open="2024-01-03T09:30:00-05:00")
    assert ground.open() == 0


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
@pytest.mark.parametrize("asked", ["account", "clock", "positions", "open_orders", "cancel_all"])
def test_a_question_is_put_again_after_a_failure(ground, venue, fault, asked):
    ground.trade()
    ground.fault(fault | {"times": 2})
    getattr(venue, asked)()
    assert ground.open() == (0 if asked == "cancel_all" else 2)


@pytest.mark.parametrize("fault", FAULTS, ids=NAMES)
def test_a_failure_while_closing_closes_nothing_twice(ground, venue, fault):
    ground.trade()
    venue.cancel_all()
    ground.fault(fault | {"times": 1, "match": "DELETE /v2/positions"})
    venue.close_all()
    ground.until(lambda: not ground.shares())
    for _ in range(3):
        assert venue.close_all().flat
    assert sorted(ground.closed()) == [("AAA", -10), ("BBB", 5)]


def test_a_request_that_hangs_is_given_up_and_does_no_harm_when_it_is_done_at_last(ground, client):
    patience = Patience(connecting=1, reading=0.2, whole=1, attempts=3, pause=0.01, longest=0.1)
    venue = client(ground, patience)
    ground.trade()
    venue.cancel_all()
    ground.fault({"kind": "rest_hang", "match": "DELETE /v2/positions", "for": 0.5})
    began = time.monotonic()
    venue.close_all()  # by the third request: the first two are given up, and done together with it
    assert time.monotonic() - began > 0.4
    ground.until(lambda: not ground.shares())
    time.sleep(0.3)
    assert sorted(ground.closed()) == [("AAA", -10), ("BBB", 5)]
    assert ground.open() == 0


@pytest.mark.parametrize("fault", [*FAULTS, {"kind": "rest_hang"}], ids=[*NAMES, "rest_hang"])
def test_what_cannot_be_known_is_an_error_and_never_an_empty_answer(ground, client, fault):
    venue = client(ground, Patience(connecting=1, reading=0.1, whole=1, attempts=2, pause=0.01, longest=0.01))
    ground.fault(fault)
    for ask in (venue.account, venue.clock, venue.positions, venue.open_orders, venue.cancel_all, venue.close_all):
        with pytest.raises(VenueError, match=r"The venue (did not answer|answered \d+ to) (GET|DELETE) /v2/\w+: "):
            ask()
    ground.clear()


def test_a_venue_that_is_gone_is_an_error_after_so_many_attempts(ground, client):
    pauses = []
    venue = Venue(ground.url, SecretStr("k"), SecretStr("s"), patience=Patience(attempts=4), sleep=pauses.append)
    ground.simulator.stop()
    with pytest.raises(VenueError, match=r"did not answer GET /v2/account: the connection failed \(ConnectionError\)"):
        venue.account()
    assert pauses == [0.2, 0.4, 0.8]


def test_a_pause_that_the_venue_asks_for_is_made_up_to_the_longest(ground):
    pauses = []
    venue = Venue(ground.url, SecretStr("sim-key"), SecretStr("sim-secret"), sleep=pauses.append)
    for asked, made in ((1, 1.0), (90, 2.0)):
        ground.fault({"kind": "rest_429", "retry_after": asked, "times": 1})
        venue.account()
        assert pauses.pop() == made


def test_the_keys_are_in_no_error_and_no_text(ground, client):
    secrets = ("PKTOPSECRETKEY", "deepestsecret")
    venue = client(ground, keys=secrets)
    with pytest.raises(SetupError, match=r"answered 401 .* Check ALPACA_API_KEY_ID") as refused:
        venue.account()
    broken = client(ground, keys=("PKTOPSECRETKEY\n", "deepestsecret é\u4e2d"))
    with pytest.raises(VenueError) as failed:
        broken.account()
    for error in (refused.value, failed.value):
        assert error.__cause__ is error.__context__ is None
        for secret in secrets:
            assert secret not in str(error)
            assert secret not in repr(vars(venue)) + repr(vars(broken))


def test_wrong_keys_are_not_tried_again(ground):
    pauses = []
    venue = Venue(ground.url, SecretStr("k"), SecretStr("s"), sleep=pauses.append)
    for ask in (venue.account, venue.close_all):
        with pytest.raises(SetupError):
            ask()
    assert pauses == []


@pytest.mark.parametrize(
    "url",
    ["", "paper-api.alpaca.markets", "http://paper-api.alpaca.markets", "http://user:word@host", "ftp://127.0.0.1"],
)
def test_keys_go_only_to_this_machine_or_over_tls(url):
    with pytest.raises(DataError, match="is none for keys") as refused:
        Venue(url, SecretStr("k"), SecretStr("s"))
    assert "word" not in str(refused.value)


def test_empty_keys_are_refused_before_anything_is_asked():
    with pytest.raises(SetupError, match="A key of the venue is empty"):
        Venue("https://paper-api.alpaca.markets", SecretStr(""), SecretStr("s"))


class Answering(Venue):
    """A client whose connection gives what it is told to, for answers that no simulator gives."""

    def __init__(self, *answers):
        super().__init__("http://127.0.0.1:1", SecretStr("k"), SecretStr("s"), sleep=lambda _: None)
        self.answers, self.asked = list(answers), []

    def _sent(self, session, method, path, query):
        self.asked.append(f"{method} {path}")
        return self.answers.pop(0)


@pytest.mark.parametrize("equity", [None, "", "NaN", "Infinity", "much", [], True])
def test_an_equity_that_is_no_number_is_told_as_such(equity):
    assert Answering({"equity": equity, "last_equity": "5"}).account().equity.is_nan()
    assert Answering({}).account().last_equity.is_nan()


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        ("positions", [{"symbol": "AAA"}]),
        ("positions", [{"symbol": "AAA", "qty": "many"}]),
        ("positions", ["AAA"]),
        ("open_orders", [{"symbol": "AAA"}]),
        ("open_orders", [None]),
        ("clock", {"is_open": "yes"}),
    ],
)
def test_answers_that_make_no_sense_are_errors(ask, answer):
    with pytest.raises(VenueError):
        getattr(Answering(answer), ask)()


def test_a_body_of_another_kind_is_no_answer():
    with pytest.raises(VenueError, match="the body is not what was asked for"):
        Answering({}, {}, {}).positions()


def test_an_account_that_is_short_is_told_in_either_spelling():
    said = [{"symbol": "A", "qty": "-5", "side": "short"}, {"symbol": "B", "qty": "5", "side": "short"}]
    assert [one.shares for one in Answering(said).positions()] == [-5, -5]


def test_positions_are_looked_at_again_before_each_attempt_to_close():
    held = [{"symbol": "A", "qty": "5", "qty_available": "5"}]
    going = [{"symbol": "A", "qty": "5", "qty_available": "0"}]
    failed = _Failure(500, "broken")
    venue = Answering(held, {"is_open": True}, failed, going)
    assert venue.close_all() == Closing(waiting=("A",))
    assert venue.asked == ["GET /v2/positions", "GET /v2/clock", "DELETE /v2/positions", "GET /v2/positions"]
    venue = Answering(held, {"is_open": True}, failed, [])
    assert venue.close_all().flat


def test_a_symbol_of_which_the_answer_says_nothing_counts_as_not_closed():
    held = [{"symbol": name, "qty": "5"} for name in "ABC"]
    answer = [{"symbol": "A", "status": 200}, {"symbol": "B", "status": 403, "body": {"message": "no"}}]
    closing = Answering(held, {"is_open": True}, answer).close_all()
    assert (closing.sent, closing.refused) == (("A",), {"B": "no", "C": "nothing was said of it"})


def test_a_fault_of_the_client_itself_is_not_hidden(ground):
    class Faulty(Venue):
        """A client with a fault that nobody thought of."""

        def _sent(self, session, method, path, query):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Faulty(ground.url, SecretStr("k"), SecretStr("s")).account()


def test_an_answer_that_drips_for_ever_is_given_up_in_time(ground):
    class Dripping(Venue):
        """A connection that never comes to its end."""

        def _sent(self, session, method, path, query):
            over.wait(20)
            return {}

    over = threading.Event()
    venue = Dripping(ground.url, SecretStr("k"), SecretStr("s"), patience=Patience(whole=0.1, attempts=2, pause=0.01))
    began = time.monotonic()
    with pytest.raises(VenueError, match=r"no answer within 0\.1 s"):
        venue.account()
    assert time.monotonic() - began < 20
    over.set()
