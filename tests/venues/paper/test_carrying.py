"""What holding costs, dividends and splits: by hand, and the same after a restart."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from small_exchange import OPEN, SECOND, daily, market, quote, trade

from qtw_lab.core import DataError, VirtualClock
from qtw_lab.ledger import Costs
from qtw_lab.ledger.tickets import Exit, Ticket
from qtw_lab.venues.paper.broker import PaperBroker
from qtw_lab.venues.paper.models import FillModel
from qtw_lab.venues.paper.store import MemoryStore
from qtw_lab.venues.simulator.exchange_account import activities
from qtw_lab.venues.simulator.exchange_history import worth

D = Decimal
DAY = 86_400
CLOSE = 23_400  # seconds after the opening
BEFORE = (daily(0, "2023-12-29", 100.0), daily(1, "2023-12-29", 50.0))


def tape():
    rows = [quote(0, 0, 100.0, 100.0), trade(0, 1, 100.0, number=1), trade(0, CLOSE - 60, 110.0, number=2)]
    rows += [quote(0, DAY, 109.0, 109.0), trade(0, DAY + 1, 109.0, number=3)]
    rows += [trade(0, DAY + CLOSE - 60, 120.0, number=4), quote(1, 0, 50.0, 50.0)]
    return market(*rows, days=BEFORE)


def desk(costs=None, store=None, second=5.0, cash=10_000):
    clock = VirtualClock(pd.Timestamp(OPEN + round(second * SECOND), tz="UTC"))
    return PaperBroker(tape(), clock, cash, model=FillModel(costs=costs or Costs()), store=store), clock


def at(clock, broker, second):
    clock.moment = pd.Timestamp(OPEN + round(second * SECOND), tz="UTC")
    broker.poll()


def ticket(side, qty, name, **more):
    return Ticket("AAA", side, "market", "day", qty=D(qty), client_order_id=name, **more)


def charges(broker):
    return [(entry.kind, entry.amount, entry.at) for entry in broker.book.entries if hasattr(entry, "kind")]


def test_a_short_pays_its_borrow_fee_at_each_close_for_the_time_since_the_last():
    broker, clock = desk(Costs(borrow_bps_per_year=365))
    broker.submit(ticket("sell", 50, "a"))
    at(clock, broker, 2 * DAY)
    first, second = charges(broker)
    # 50 x 110 held for 23,395 s of a year of 365 days at 3.65%, then 50 x 120 for a day
    assert first == ("FEE", -(D(5500) * D("0.0365") * 23_395 / (365 * DAY)).quantize(D("1e-6")), OPEN + CLOSE * SECOND)
    assert second == ("FEE", D("-0.6"), OPEN + (DAY + CLOSE) * SECOND)


def test_borrowed_money_costs_interest_and_idle_money_earns_it():
    borrower, clock = desk(Costs(margin_rate=0.0365))
    borrower.submit(ticket("buy", 150, "a"))
    at(clock, borrower, 2 * DAY)
    assert charges(borrower)[1][:2] == ("INT", D("-0.500014"))  # 5,000.1354 x 3.65% / 365
    saver, clock = desk(Costs(cash_rate=0.0365))
    at(clock, saver, 2 * DAY)
    assert charges(saver)[1][:2] == ("INT", D("1.000027"))
    assert saver.state.faults() == borrower.state.faults() == []


def test_what_was_paid_is_not_paid_again_after_a_restart():
    store = MemoryStore()
    broker, clock = desk(Costs(borrow_bps_per_year=365), store)
    broker.submit(ticket("sell", 50, "a"))
    at(clock, broker, CLOSE + 1)
    paid = charges(broker)
    again, clock = desk(Costs(borrow_bps_per_year=365), store, CLOSE + 2)
    again.poll()
    assert charges(again) == paid
    at(clock, again, 2 * DAY)
    assert len(charges(again)) == 2


def test_dividends_come_to_holders_and_are_paid_by_shorts():
    broker, clock = desk()
    broker.submit(ticket("buy", 10, "a"))
    at(clock, broker, 6)
    assert broker.dividend("AAA", D("0.24")) == D("2.40")
    assert broker.book.cash == D("9002.40")
    assert broker.dividend("BBB", D(1)) == 0
    short, clock = desk()
    short.submit(ticket("sell", 10, "a"))
    at(clock, short, 6)
    assert short.dividend("AAA", D("0.24")) == D("-2.40")


def test_charges_are_activities_and_count_in_the_worth_of_the_account():
    broker, clock = desk(Costs(borrow_bps_per_year=365, commission_per_share=0.01))
    broker.submit(ticket("sell", 50, "a"))
    at(clock, broker, 6)
    broker.dividend("AAA", D("0.24"))
    broker.split("AAA", D(2))
    at(clock, broker, 2 * DAY)
    said = activities(broker, [], {})
    assert [one["activity_type"] for one in said] == ["FEE", "FEE", "DIV", "FILL"]
    assert (said[2]["net_amount"], said[2]["symbol"]) == ("-12", "AAA")
    assert [one["activity_type"] for one in activities(broker, ["div"], {})] == ["DIV"]
    moments = np.array([OPEN, OPEN + DAY * SECOND, OPEN + 2 * DAY * SECOND], dtype=np.int64)
    fees = float(charges(broker)[1][1])
    # 10,000 + 50 x 100 - 0.50 - 12, and 100 shares short at 110 and 120
    assert worth(broker.market, broker, moments, OPEN + 2 * DAY * SECOND) == pytest.approx(
        [10_000, 14_987.5 - 11_000 + fees, 14_987.5 - 12_000 + fees + float(charges(broker)[2][1])]
    )


def test_a_split_multiplies_shares_and_divides_the_prices_of_open_orders():
    store = MemoryStore()
    broker, clock = desk(store=store)
    broker.submit(ticket("buy", 10, "a"))
    legs = {"target": Exit(limit=D(130)), "stop_loss": Exit(stop=D(90))}
    at(clock, broker, 6)
    pair = broker.submit(
        Ticket("AAA", "sell", "limit", "gtc", qty=D(10), limit_price=D(130), shape="oco", client_order_id="b", **legs)
    )
    low = broker.submit(Ticket("AAA", "buy", "limit", "gtc", qty=D(3), limit_price=D("95.01"), client_order_id="c"))
    at(clock, broker, 7)
    broker.split("AAA", D(4))
    assert (broker.book.held("AAA"), broker.book.holdings["AAA"].entry) == (D(40), D(25))
    seen = [
        (order.qty, order.ticket.limit_price, order.stop) for order in (broker.orders[pair.id], broker.orders[low.id])
    ]
    assert seen == [(D(40), D("32.50"), None), (D(12), D("23.75"), None)]
    (stop,) = broker.state.legs(broker.orders[pair.id])
    assert (stop.qty, stop.stop) == (D(40), D("22.50"))
    assert broker.state.faults() == []
    again = PaperBroker(tape(), clock, store=store)
    assert [again.json(order) for order in again.orders.values()] == [broker.json(o) for o in broker.orders.values()]
    with pytest.raises(DataError, match="the ratio must be above 0"):
        broker.split("AAA", D(0))


def test_closes_of_a_free_model_are_not_paid_for_when_holding_costs_later():
    store = MemoryStore()
    broker, clock = desk(store=store)
    at(clock, broker, DAY + 10)  # the first close has passed
    broker.submit(ticket("sell", 10, "short"))
    broker.poll()
    costly = {"costs": Costs(borrow_bps_per_year=365 * 100), "store": store}  # a percent a day
    again, clock = desk(**costly, second=DAY + 20)
    at(clock, again, DAY + CLOSE + 1)
    paid = charges(again)
    assert [(kind, when) for kind, _, when in paid] == [("FEE", OPEN + (DAY + CLOSE) * SECOND)]
    assert float(paid[0][1]) == pytest.approx(-10 * 120.0 * 0.01, rel=1e-6)
    third, _ = desk(**costly, second=DAY + CLOSE + 2)
    assert charges(third) == paid
