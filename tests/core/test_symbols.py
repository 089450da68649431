"""Symbols are written one way, and nothing that can escape into a path is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError, parse_symbols
from qtw_lab.core.symbols import checked_symbol


@pytest.mark.parametrize(
    ("given_symbols", "wanted"),
    [
        ("AAPL", ("AAPL",)),
        ("aapl, IBM ,AAPL", ("AAPL", "IBM")),
        (["IBM", "aapl,msft"], ("IBM", "AAPL", "MSFT")),
        (("BRK.B", "^GSPC", "ES=F", "BTC/USD", "BF-B", "A_B", "600519"),
         ("BRK.B", "^GSPC", "ES=F", "BTC/USD", "BF-B", "A_B", "600519")),
        (iter(["A", "B"]), ("A", "B")),
        (",A,,", ("A",)),
    ],
)  # fmt: skip
def test_symbols_come_in_the_order_given_upper_case_and_once(given_symbols, wanted):
    assert parse_symbols(given_symbols) == wanted


@pytest.mark.parametrize("nothing", ["", " ", ",", [], ["", " , "], ()])
def test_no_symbol_is_refused(nothing):
    with pytest.raises(DataError, match="No symbol was given"):
        parse_symbols(nothing)


@pytest.mark.parametrize("thing", [None, 5, [5], ["A", None], b"AAPL", [["A"]]])
def test_a_symbol_is_text(thing):
    with pytest.raises(DataError, match="must be text"):
        parse_symbols(thing)


@pytest.mark.parametrize(
    "symbol",
    ["../etc", "..", ".A", "A/../B", "/etc", "A\0", "A B", "A\nB", "Ä", "A;rm", "A*", "A?x=1", "%2e%2e", "\\A",
     "A" * 33, "-flag", "_A", "=1+1"],
)  # fmt: skip
def test_what_could_do_harm_in_a_path_a_query_or_a_sheet_is_no_symbol(symbol):
    with pytest.raises(DataError, match="is not a symbol") as caught:
        parse_symbols(symbol)
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_symbol_or_refused(text):
    try:
        assert checked_symbol(text) == text
    except DataError:
        return
    assert 1 <= len(text) <= 32
    assert ".." not in text
    assert text.isascii()
    assert not text.startswith(("/", ".", "-"))
    assert parse_symbols(text) == (text.upper(),)
