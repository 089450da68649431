"""An account in exact amounts: no cent comes or goes without an entry."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.ledger.book import Book, Charge, Fill, Split

D = Decimal


def traded(number, symbol, side, price, qty, fee):
    """A fill at millionths of a dollar, of billionths of a share."""
    paid, shares, cost = D(price) / 10**6, D(qty) / 10**9, D(fee) / 10**6
    return Fill(str(number), "o", symbol, 0, side, number, paid, shares, D(0), D(0), "filled", cost)


fills = st.builds(
    traded, st.integers(0, 10**9), st.sampled_from("XYZ"), st.sampled_from(["buy", "sell"]), st.integers(1, 10**10),
    st.integers(1, 10**14), st.integers(0, 10**7),
)  # fmt: skip


@given(st.lists(fills, max_size=40))
def test_cash_and_shares_are_conserved_to_the_last_digit(entries):
    book = Book(D(1_000_000))
    for entry in entries:
        book.record(entry)
    assert book.cash == 1_000_000 - sum((one.signed * one.price + one.fee for one in entries), D(0))
    for symbol in "XYZ":
        assert book.held(symbol) == sum((one.signed for one in entries if one.symbol == symbol), D(0))
    assert all(holding.qty for holding in book.holdings.values())


def fill(side, qty, price, fee="0"):
    return Fill(f"{side}{qty}{price}", "o", "X", 0, side, 0, D(price), D(qty), D(0), D(0), "filled", D(fee))


def test_the_entry_price_is_that_of_what_is_held_also_where_a_position_turns():
    book = Book(D(1000))
    for entry, held, average in (
        (fill("buy", 10, 10), 10, 10), (fill("buy", 10, 20), 20, 15), (fill("sell", 5, 30), 15, 15),
        (fill("sell", 20, 12), -5, 12), (fill("sell", 5, 14), -10, 13), (fill("buy", 4, 1), -6, 13),
    ):  # fmt: skip
        book.record(entry)
        assert (book.held("X"), book.holdings["X"].entry) == (held, average)
    book.record(fill("buy", 6, 13))
    assert book.holdings == {}


def test_charges_move_cash_alone_and_splits_shares_alone():
    book = Book(D(1000))
    book.record(fill("buy", 10, 10, "1.5"))
    book.record(Charge("c", 1, "DIV", D("2.40"), "X"))
    book.record(Split("s", 2, "X", D(4)))
    assert (book.cash, book.held("X"), book.holdings["X"].entry) == (D("900.90"), 40, D("2.5"))
    assert len(book.fills) == 1
