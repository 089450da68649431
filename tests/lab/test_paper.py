"""Paper accounts by hand: what is flattened is closed once, at whatever hour."""

from decimal import Decimal

import pandas as pd
import pytest
from small_exchange import OPEN, SECOND, daily, market, quote, trade

from qtw_lab.core import DataError, VenueError, VirtualClock
from qtw_lab.lab import paper
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.embedded import EmbeddedBroker

D = Decimal
CLOSE, DAY = 23_400, 86_400


@pytest.fixture
def desk():
    rows = [quote(0, 0, 99.9, 100.1), trade(0, 1, 100.0, number=1), trade(0, CLOSE - 60, 110.0, number=2)]
    rows += [quote(0, DAY, 108.9, 109.1), trade(0, DAY + 1, 109.0, number=3)]
    tape = market(*rows, days=(daily(0, "2023-12-29", 100.0),))
    return EmbeddedBroker(PaperBroker(tape, VirtualClock(pd.Timestamp(OPEN + 5 * SECOND, tz="UTC"))))


def at(desk, second):
    desk.paper.clock.moment = pd.Timestamp(OPEN + second * SECOND, tz="UTC")


def test_flattening_again_after_the_close_leaves_one_order_that_closes_at_the_opening(desk):
    desk.submit(paper.ticket("AAA", "buy", "mine", qty=10))
    at(desk, CLOSE + 60)
    first = paper.flatten(desk)
    again = paper.flatten(desk)
    assert first != again  # the first was canceled by the second, which has to close all the same
    assert [order.id for order in desk.orders()] == again
    at(desk, DAY + 10)
    assert desk.positions() == {}
    assert paper.flatten(desk) == []
    assert desk.fills()[-1].price == D("108.9")


def test_nothing_is_closed_while_orders_stay_open(desk):
    class Stubborn:
        """A broker that takes cancels and does not carry them out."""

        def cancel(self, order_id):
            pass

        def __getattr__(self, name):
            return getattr(desk, name)

    desk.submit(paper.ticket("AAA", "buy", "mine", qty=10))
    desk.orders()
    desk.submit(paper.ticket("AAA", "sell", "late", qty=10, kind="limit", limit_price=200))
    with pytest.raises(VenueError, match="still open"):
        paper.flatten(Stubborn(), seconds=0.2)
    assert desk.positions() == {"AAA": D(10)}


def test_the_equity_of_the_last_close_is_that_and_not_of_now(desk):
    desk.submit(paper.ticket("AAA", "buy", "mine", qty=10))
    assert desk.account().last_equity == 100_000
    at(desk, DAY + 10)
    account = desk.account()
    # 10 shares bought at 100.1, worth 110 at the close and 109 now
    assert (account.last_equity, account.equity) == (D("100099"), D("100089"))


def test_what_is_no_order_is_said():
    with pytest.raises(DataError, match="is no number"):
        paper.ticket("AAA", "buy", "", qty="many")
    with pytest.raises(DataError, match="cannot be an order: limit orders require"):
        paper.ticket("AAA", "buy", "", qty=1, kind="limit")
