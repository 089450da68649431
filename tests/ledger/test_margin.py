"""What must be kept for a position, worked out by hand from Alpaca's table, and when trades settle."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.ledger import Account
from qtw_lab.ledger.book import Balance, Book, Fill
from qtw_lab.ledger.margin import FINRA_SHORT, INITIAL, maintenance, settlement

D = Decimal


@pytest.mark.parametrize(
    ("shares", "mark", "kept"),
    [
        (100, "2.49", 249), (100, "2.50", 125), (100, "6", 300), (100, "6.01", "180.3"), (100, 100, 3000),
        (-100, "1", 250), (-100, "2.5", 250), (-100, "4.99", 499), (-100, 5, 500), (-100, "16.66", 500),
        (-100, 17, 510), (0, 10, 0),
    ],
)  # fmt: skip
def test_what_is_kept_depends_on_the_side_and_the_price(shares, mark, kept):
    assert maintenance(D(shares), D(mark)) == D(kept)


@given(st.integers(1, 10**6), st.integers(1, 10**7))
def test_nothing_asks_for_more_than_a_position_is_worth_but_cheap_short_sales(shares, cents):
    mark = D(cents) / 100
    assert D("0.3") * shares * mark <= maintenance(D(shares), mark) <= shares * mark
    short = maintenance(D(-shares), mark)
    assert short >= FINRA_SHORT * shares * mark
    assert short >= D("2.5") * shares


def test_a_book_and_the_presets_use_the_same_figures():
    book = Book(D(10_000))
    for name, side, qty, price in (
        ("A", "buy", 100, 2),
        ("B", "buy", 100, 4),
        ("C", "buy", 10, 50),
        ("D", "sell", 100, 3),
    ):
        book.record(Fill(name, name, name, 0, side, 0, D(price), D(qty), D(0), D(qty), "filled"))
    # 200 of 200, half of 400, 30% of 500, all of 300
    assert book.balance({}).maintenance_margin == 200 + 200 + 150 + 300
    assert book.balance({}).initial_margin == 700
    preset = Account.reg_t()
    assert (preset.leverage, preset.maintenance, preset.maintenance_short) == (2.0, 0.25, 0.30)
    assert preset.leverage == float(1 / INITIAL)


@pytest.mark.parametrize(
    ("cash", "long", "short", "most", "multiplier", "power"),
    [
        (2000, 0, 0, 2, 2, 4000),
        (1999, 0, 0, 2, 1, 1999),
        (10_000, 0, 0, 1, 1, 10_000),
        (-5000, 10_000, 0, 2, 2, 0),  # half of 10,000 is bound, and 5,000 are there
        (-5000, 12_000, 0, 2, 2, 2000),
        (-5000, 12_000, 0, 1, 1, 0),
        (15_000, 0, -5000, 1, 1, 10_000),  # what was sold short has to be bought back
        (15_000, 0, -5000, 2, 2, 15_000),
    ],
)
def test_buying_power_is_twice_the_free_equity_or_ones_own_cash(cash, long, short, most, multiplier, power):
    balance = Balance(D(cash), D(long), D(short), D(long - short) * INITIAL, D(0), most)
    assert (balance.multiplier, balance.buying_power) == (multiplier, power)


@pytest.mark.parametrize(
    ("traded", "sessions"),
    [("1995-06-07", 3), ("2017-09-04", 3), ("2017-09-05", 2), ("2024-05-27", 2), ("2024-05-28", 1), ("2030-01-01", 1)],
)
def test_trades_settle_as_the_rule_of_their_date_says(traded, sessions):
    assert settlement(traded) == sessions
