"""The book, the hours, and daily bars of many, each alone."""

from decimal import Decimal

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from small_exchange import OPEN, SECOND, daily, market, quote, trade

from qtw_lab.ledger.book import Book, Fill
from qtw_lab.venues.paper.hours import Hours
from qtw_lab.venues.simulator.daily_bars import Days, periods
from qtw_lab.venues.wire.values import moment_text

HALF_HOUR = 1800 * SECOND
FILLS = st.lists(st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 50), st.integers(100, 9999)), max_size=20)


def fill(side: str, qty, price) -> Fill:
    zero = Decimal(0)
    return Fill("f", "o", "AAA", 0, side, 1, Decimal(price), Decimal(qty), zero, Decimal(qty), "filled")


@given(FILLS)
def test_cash_and_shares_are_the_sums_of_the_fills_and_cost_is_what_remains(fills):
    book = Book(Decimal(1000))
    for side, qty, cents in fills:
        held = book.held("AAA")
        # Orders never cross zero, so neither do fills.
        size = min(qty, abs(held)) if held and (held > 0) != (side == "buy") else qty
        book.record(fill(side, size, Decimal(cents) / 100))
    assert book.held("AAA") == sum((one.signed for one in book.fills), Decimal(0))
    assert book.cash == 1000 - sum((one.signed * one.price for one in book.fills), Decimal(0))
    assert ("AAA" in book.holdings) == (book.held("AAA") != 0)
    if book.held("AAA"):
        entry, paid = book.holdings["AAA"].entry, [one.price for one in book.fills]
        assert min(paid) - Decimal("1e-9") <= entry <= max(paid) + Decimal("1e-9")


def test_the_average_entry_price_changes_only_where_a_holding_grows():
    book = Book(Decimal(1000))
    book.record(fill("buy", 10, 10))
    book.record(fill("buy", 10, 20))
    assert book.holdings["AAA"].entry == 15
    book.record(fill("sell", 5, 100))
    assert (book.holdings["AAA"].entry, book.holdings["AAA"].cost) == (15, 225)


def test_margins_are_those_of_the_rules():
    book = Book(Decimal(3000))
    book.record(fill("sell", 100, 10))
    balance = book.balance({"AAA": Decimal(12)})
    # Cash 4000, owed 1200: equity 2800. Initial half of 1200; to keep: the greater of 5 a share and 30% is 500.
    assert (balance.equity, balance.short, balance.initial_margin, balance.maintenance_margin) == (
        2800,
        -1200,
        600,
        500,
    )
    assert balance.buying_power == 4400
    poor = Book(Decimal(1999))
    assert (poor.balance({}).multiplier, poor.balance({}).buying_power) == (1, 1999)
    cheap = Book(Decimal(5000))
    cheap.record(fill("buy", 100, 2))
    assert cheap.balance({"AAA": Decimal(2)}).maintenance_margin == 200  # below 2.50 all of it
    cheap = Book(Decimal(5000))
    cheap.record(fill("sell", 100, 2))
    assert cheap.balance({"AAA": Decimal(2)}).maintenance_margin == 250  # 2.50 a share


def test_hours_know_early_late_and_half_days():
    hours = Hours(market(quote(0, 0, 1.0, 2.0)))
    session = hours.current(OPEN)
    assert (session.date, session.opens - session.early, session.closes - session.opens) == (
        "2024-01-02",
        11 * HALF_HOUR,
        13 * HALF_HOUR,
    )
    assert session.late - session.closes == 8 * HALF_HOUR
    assert [hours.trades(OPEN + at) for at in (-1, 0, 13 * HALF_HOUR - 1, 13 * HALF_HOUR)] == [False, True, True, False]
    assert [
        hours.trades(OPEN + at, extended=True) for at in (-11 * HALF_HOUR - 1, -11 * HALF_HOUR, 21 * HALF_HOUR)
    ] == [
        False,
        True,
        False,
    ]
    moments = np.array([OPEN - 1, OPEN, OPEN + 14 * HALF_HOUR], dtype=np.int64)
    assert hours.trading(moments).tolist() == [False, True, False]
    assert hours.trading(moments, extended=True).tolist() == [True, True, True]
    assert hours.live(OPEN - 2 * HALF_HOUR) == OPEN
    assert moment_text(hours.next_open(OPEN)) == "2024-01-03T14:30:00Z"
    assert hours.previous(OPEN).date == hours.previous(OPEN - 24 * HALF_HOUR).date == "2023-12-29"
    half = hours.between("2024-07-03", "2024-07-03")[0]
    assert (half.closes - half.opens, half.late - half.closes) == (7 * HALF_HOUR, 8 * HALF_HOUR)


def test_the_clocks_of_new_york_change_between_sessions():
    hours = Hours(market(quote(0, 0, 1.0, 2.0)))
    before, after = hours.between("2024-03-08", "2024-03-11")
    assert (moment_text(before.early), moment_text(before.opens)) == ("2024-03-08T09:00:00Z", "2024-03-08T14:30:00Z")
    assert (moment_text(after.early), moment_text(after.opens)) == ("2024-03-11T08:00:00Z", "2024-03-11T13:30:00Z")


def test_daily_bars_of_many_are_those_of_few_and_are_kept_for_a_minute():
    names = tuple(f"S{place}" for place in range(150))
    rows = [trade(place, second, 10 + place + second, number=second) for place in range(150) for second in (1, 59, 61)]
    played = market(*rows, names=names, days=tuple(daily(place, "2023-12-29", 9.0) for place in range(150)))
    days, order = Days(played), list(range(149, -1, -1))

    def closes(second, numbers):
        now = OPEN + round(second * SECOND)
        return days.bars(numbers, now - 9 * 48 * HALF_HOUR, now + 1, now)

    many = closes(30, order)
    assert many["symbol"].tolist() == [place for place in order for _ in range(2)]
    assert (many["close"][1::2] == [11.0 + place for place in order]).all()
    assert (many[:4] == np.concatenate([closes(30, [149]), closes(30, [148])])).all()
    assert (closes(59.5, order) == many).all()  # the same minute
    assert (closes(60, order)["close"][1::2] == [69.0 + place for place in order]).all()
    assert (closes(30, order) == many).all()  # what came later is not known earlier


def test_weeks_and_months_add_up():
    dates = pd.bdate_range("2024-01-02", "2024-03-29", tz="America/New_York")
    bars = np.concatenate([daily(0, str(date.date()), 10.0 + place) for place, date in enumerate(dates)])
    weeks, quarters = periods(bars, 1, "Week"), periods(bars, 3, "Month")
    assert (len(weeks), weeks["volume"].sum(), len(quarters)) == (13, bars["volume"].sum(), 1)
    assert moment_text(int(weeks["time"][10])) == "2024-03-11T04:00:00Z"  # the clocks had changed by then
    assert (quarters["open"][0], quarters["high"][0], quarters["close"][0]) == (
        10.0,
        10.0 + len(dates) - 1,
        10.0 + len(dates) - 1,
    )
    assert len(periods(bars[:0], 1, "Week")) == 0
