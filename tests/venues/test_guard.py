"""The guard before each order, with real parts: an embedded broker, files on disk, and a kill switch in its folder."""

from decimal import Decimal
from functools import partial

import pytest
from guarded import falling, limit
from small_exchange import OPEN, SECOND

from qtw_lab.core import DataError, VenueError
from qtw_lab.ledger.limits import Limits
from qtw_lab.ledger.tickets import Ticket
from qtw_lab.venues.guard import Guard
from qtw_lab.venues.killswitch import HaltedError, KillSwitch
from qtw_lab.venues.paper.store import MemoryStore
from qtw_lab.venues.refused import NotAllowedError

D = Decimal
HOUR = 3600


def test_an_order_over_a_limit_never_reaches_the_broker_or_the_outbox_and_is_written_down(post):
    desk = post(max_order_value=1000, max_order_shares=10, banned={"BBB"})
    assert desk.send("a", qty=10).client_order_id == "a"
    assert desk.refused("b", qty=11) == [("max_order_value", "1100"), ("max_order_shares", "11")]
    assert desk.refused("c", symbol="BBB") == [("banned", "BBB")]
    assert list(desk.outbox.intents) == ["a"]
    assert [order.client_order_id for order in desk.desk.exchange.orders.values()] == ["a"]
    first, second = desk.log()
    assert (first.at, first.by, first.ticket) == (
        OPEN + 5 * SECOND, "limits", Ticket("AAA", "buy", "market", "day", qty=D(11), client_order_id="b"),
    )  # fmt: skip
    assert [(one.rule, one.limit, one.value) for one in first.breaches] == [
        ("max_order_value", "1000", "1100"), ("max_order_shares", "10", "11"),
    ]  # fmt: skip
    assert "$1,100.00, over the limit of $1,000.00" in first.reason
    assert second.ticket.client_order_id == "c"


#: The limit, what an order of 10 AAA at 101 comes to beside 50 AAA, 20 BBB short and an open order to buy 10 AAA at 90.
EDGES = {
    "max_order_value": "1010",
    "max_order_shares": "10",
    "max_symbol_value": "7010",  # (50 + 10) x 100 + 10 x 101
    "max_gross": "8010",  # 7010 + 20 x 50
    "max_net": "6010",  # 7010 - 1000
    "max_orders_per_minute": "4",
    "max_open_orders": "2",
    "price_band": "0.01",
    "max_price_age": "5",
}


@pytest.mark.parametrize("rule", EDGES)
def test_each_limit_may_be_reached_and_no_more(post, rule):
    desk = post()
    desk.send("a", qty=50)
    desk.send("b", "sell", 20, "BBB")
    desk.send("c", "buy", 10, **limit(90))
    desk.trader.compare()
    desk.times = dict.fromkeys(desk.prices, desk.desk.exchange.now() - 5 * SECOND)
    step = D(1) if rule in ("max_orders_per_minute", "max_open_orders") else D("0.0001")
    desk.guard.limits = Limits(**{rule: D(EDGES[rule]) - step})
    assert desk.refused("d", qty=10, **limit(101)) == [(rule, EDGES[rule])]
    desk.guard.limits = Limits(**{rule: D(EDGES[rule])})
    desk.send("d", qty=10, **limit(101))


def test_leverage_is_judged_by_the_equity_that_there_is_now(post):
    desk = post(falling())
    desk.send("a", qty=100)  # at 100.1
    desk.trader.compare()
    desk.desk.at(700)
    desk.prices["AAA"] = D(90)
    equity = desk.broker.account().equity
    assert 98_900 < equity < 99_100
    leverage = 20 * D(90) * 10 / equity  # 100 held, and 100 more
    desk.guard.limits = Limits(max_leverage=leverage + D("1e-12"))
    desk.guard(Ticket("AAA", "buy", "market", "day", qty=D(100), client_order_id="b"))
    desk.guard.limits = Limits(max_leverage=leverage - D("1e-9"))
    assert [rule for rule, _ in desk.refused("b", qty=100)] == ["max_leverage"]


def test_turnover_is_that_of_the_session_with_what_is_open(post):
    desk = post(falling(), max_turnover="0.03005")  # of 100,000
    desk.send("a", qty=10)  # 10 x 100.1
    desk.trader.compare()
    desk.send("b", qty=10, **limit(90))  # open: 10 at the last price, 100
    assert desk.refused("c", qty=11) == [("max_turnover", "0.03101")]
    desk.send("c", qty=10)  # 3,001 dollars, and 3,005 are allowed
    desk.trader.compare()
    assert desk.refused("d", qty=1) == [("max_turnover", "0.03102")]  # 2 x 10 x 100.1, 10 x 100 that are open, 1 x 100
    desk.desk.at(HOUR)
    desk.trader.cancel(desk.outbox.intents["b"].order_id)
    desk.trader.compare()
    desk.session = OPEN + 30 * 60 * SECOND  # a session that began after those fills
    desk.send("d", qty=10)
    assert desk.guard.standing().traded == 0


def test_the_loss_of_a_session_counts_from_its_start_through_a_restart(post):
    desk = post(falling(), max_daily_loss="0.01")
    desk.send("a", qty=100)
    desk.trader.compare()
    desk.desk.at(700)  # 101.. x 10.1 of the fill at 100.1 is lost: more than 1,000
    desk.prices["AAA"] = D(90)
    (found,) = desk.refused("b")
    assert found == ("max_daily_loss", "0.0101")  # bought at 100.1, marked at 90
    assert desk.start().refused("b") == [found]
    desk.session = OPEN + 650 * SECOND
    assert desk.refused("b") == [found]  # at the close before, there was as much as at the beginning
    desk.limits["max_daily_loss"] = "0.0101"
    assert desk.start().send("b").symbol == "AAA"


def test_the_highest_equity_outlives_the_process(post):
    desk = post(falling(), max_drawdown="0.01")
    desk.send("a", qty=100)
    desk.trader.compare()
    desk.desk.at(1300)  # at 120
    desk.prices["AAA"] = D(120)
    desk.send("b")
    desk.trader.compare()
    top = desk.guard.standing().peak_equity
    assert top == desk.broker.account().equity + D("0.1")  # b was bought a tenth above the last price since
    desk.desk.at(HOUR + 10)
    desk.prices["AAA"] = D(100)
    for one in (desk, desk.start()):
        assert [rule for rule, _ in one.refused("c")] == ["max_drawdown"]
        assert one.guard.standing().peak_equity == top
    assert desk.send("d", "sell", 50).side == "sell"  # risk may always be made less
    desk.guard.renew("Ann Lee", "the loss was looked into")
    desk.send("c")
    assert desk.start().guard.standing().peak_equity < top
    with pytest.raises(DataError, match="by a person, for a reason"):
        desk.guard.renew("", "why not")


def test_orders_count_by_the_minute_and_the_session_through_a_restart(post):
    desk = post(max_orders_per_minute=2)
    desk.send("a", **limit(90))
    desk.send("b", **limit(90))
    assert desk.refused("c", **limit(90)) == [("max_orders_per_minute", "3")]
    assert desk.start().refused("c", **limit(90)) == [("max_orders_per_minute", "3")]
    desk.session = desk.desk.exchange.now() + 1
    desk.send("c", **limit(90))
    desk.session = OPEN
    desk.desk.at(64.9)
    assert desk.refused("d", **limit(90)) == [("max_orders_per_minute", "4")]
    desk.desk.at(65)
    desk.send("d", **limit(90))


def test_an_order_of_that_name_that_is_there_already_is_answered_again_and_not_judged(post):
    desk = post(max_symbol_value=1000, max_orders_per_minute=1)
    first = desk.send("a", qty=10)
    assert desk.send("a", qty=10).id == first.id
    assert desk.log() == []


def test_an_account_that_does_not_answer_blocks_what_opens_and_not_what_reduces(post):
    desk = post(max_daily_loss="0.5")
    desk.send("a", qty=10)
    desk.trader.compare()
    desk.desk.at(20)

    def silent():
        raise VenueError("no answer")

    desk.broker.account, answers = silent, desk.broker.account
    assert desk.refused("b") == [("equity", "unknown"), ("max_daily_loss", "unknown")]
    desk.send("b", "sell", 5)
    desk.broker.account = answers
    desk.send("c")


def test_what_is_known_of_the_account_is_asked_for_again_when_it_is_five_seconds_old(post):
    desk = post()
    asked, account = [], desk.broker.account
    desk.broker.account = lambda: asked.append(desk.desk.exchange.now()) or account()
    for second in (5, 6, 9.9, 10, 14, 15.1):
        desk.desk.at(second)
        desk.send(f"n{second}", **limit(90))
    assert [(at - OPEN) / SECOND for at in asked] == [5, 10, 15.1]


@pytest.mark.parametrize("question", ["session", "prices"])
def test_what_nobody_can_tell_is_over_its_limit(post, question):
    desk = post(max_turnover=5, max_daily_loss="0.5", max_symbol_value=10**6)
    if question == "session":
        desk.session = None
        assert desk.refused("a") == [("max_turnover", "unknown"), ("max_daily_loss", "unknown")]
    else:
        desk.prices.clear()
        assert desk.refused("a") == [("max_symbol_value", "unknown"), ("max_turnover", "unknown")]

    def fails(*about):
        raise VenueError("the feed is away")

    setattr(desk.guard, f"_{question}", fails)
    assert ("max_turnover", "unknown") in desk.refused("a")


def test_a_limit_of_age_without_times_of_prices_is_taken_for_a_mistake(post):
    desk = post()
    given = (desk.broker, desk.outbox, desk.mirror, MemoryStore())
    made = partial(Guard, Limits(max_price_age=5), *given, now=lambda: 0, session=lambda: 0, prices=desk.prices.get)
    with pytest.raises(DataError, match="max_price_age needs to know when prices were made"):
        made()
    made(priced=lambda symbol: 0)


def test_nothing_is_sent_while_the_switch_is_tripped_and_canceling_is_allowed(post, tmp_path):
    desk = post()
    desk.switch = KillSwitch(tmp_path / "stop")
    desk.start()
    resting = desk.send("a", **limit(90))
    KillSwitch(tmp_path / "stop").trip("ann", "prices look wrong")  # by another process
    with pytest.raises(NotAllowedError, match="prices look wrong") as caught:
        desk.send("b", "sell")
    assert isinstance(caught.value.__cause__, HaltedError)
    assert desk.refused("b") == [("kill_switch", "tripped")]
    with pytest.raises(NotAllowedError):
        desk.trader.amend(resting.id, qty=D(2))
    assert [(one.by, one.ticket.client_order_id) for one in desk.log()] == [
        ("kill switch", "b"), ("kill switch", "b"), ("kill switch", "a"),
    ]  # fmt: skip
    desk.trader.cancel(resting.id)
    assert desk.desk.exchange.find(resting.id).status == "canceled"
    KillSwitch(tmp_path / "stop").reset("Ann Lee", "the feed was mended")
    desk.send("b")


@pytest.mark.parametrize("damage", ["unlinked", "torn"])
def test_a_switch_that_cannot_be_read_lets_nothing_through(post, tmp_path, damage):
    desk = post()
    desk.switch = KillSwitch(tmp_path / "stop")
    desk.start().send("a")
    log, armed = tmp_path / "stop" / "switch.log", tmp_path / "stop" / "switch.armed"
    armed.unlink() if damage == "unlinked" else log.write_bytes(log.read_bytes()[:-3])
    assert desk.refused("b") == [("kill_switch", "tripped")]


def test_who_resets_the_switch_begins_the_drawdown_anew(post, tmp_path):
    desk = post(falling(), max_drawdown="0.005")
    desk.switch = KillSwitch(tmp_path / "stop")
    desk.start().send("a", qty=100)
    desk.trader.compare()
    desk.desk.at(700)
    desk.prices["AAA"] = D(90)
    assert [rule for rule, _ in desk.start().refused("b")] == ["max_drawdown"]
    desk.switch.trip("ann", "a drawdown")
    desk.switch.reset("Ann Lee", "we go on")
    desk.desk.at(710)
    desk.send("b")
