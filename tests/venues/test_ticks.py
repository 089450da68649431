"""Rows of market data and the numbers of symbols."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtw_lab.core import DataError
from qtw_lab.venues.ticks import (
    BAR,
    LONGEST,
    OTHER_BIT,
    TICK,
    Symbols,
    condition_bit,
    condition_letters,
    condition_mask,
    packed,
    slot_of,
    unpacked,
)

names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=LONGEST)


def test_rows_are_nine_words_that_begin_with_kind_and_symbol():
    for form in (TICK, BAR):
        assert form.itemsize == 72
        assert form.fields["kind"][1] == 0
        assert form.fields["symbol"][1] == 4
        assert form.fields["time"][1] == 8


@given(st.lists(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@ "), unique=True))
def test_a_mask_keeps_its_letters(letters):
    assert sorted(condition_letters(condition_mask(letters))) == sorted(letters)


@pytest.mark.parametrize("letter", ["", "?", "é", "AB", "a"])
def test_a_letter_without_a_bit_of_its_own_shares_the_last(letter):
    assert condition_bit(letter) == OTHER_BIT
    assert condition_letters(condition_mask([letter, "@"])) == ["@", "?"]


@given(st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=8))
def test_up_to_eight_letters_are_packed_and_unpacked(text):
    assert unpacked(packed(text)) == text


def test_a_longer_text_is_cut_to_eight_letters():
    assert unpacked(packed("ABCDEFGHIJ")) == "ABCDEFGH"


@given(st.lists(names, unique=True))
def test_symbols_keep_their_numbers(found):
    symbols = Symbols(found)
    assert symbols.names == found
    assert [symbols.number(name) for name in found] == list(range(len(found)))
    assert symbols.numbers(found).dtype == np.int32


def found_in(symbols, name):
    """The number that compiled code would find: by hash, through `slots` and `keys`."""
    low, high = np.frombuffer(name.encode().ljust(LONGEST, b"\0"), dtype="<u8")
    place = slot_of(int(low), int(high)) & (len(symbols.slots) - 1)
    while symbols.slots[place] >= 0:
        number = symbols.slots[place]
        if symbols.keys[number, 0] == low and symbols.keys[number, 1] == high:
            return int(number)
        place = (place + 1) & (len(symbols.slots) - 1)
    return -1


def test_the_hash_table_finds_every_symbol_through_all_its_widenings():
    symbols = Symbols(f"S{number}" for number in range(12_000))
    assert 4 * len(symbols) <= len(symbols.slots)
    assert [found_in(symbols, f"S{number}") for number in range(12_000)] == list(range(12_000))
    assert found_in(symbols, "S12000") == -1


@pytest.mark.parametrize("name", ["", "x" * 17, "é"])
def test_what_is_no_symbol_is_refused(name):
    with pytest.raises(DataError, match="no symbol"):
        Symbols().number(name)
